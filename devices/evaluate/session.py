"""A guided live session: who lays which finger next, what the last touch came to, and nothing lost in a break.

Does: keeps a plan (people by code, fingers, impressions), takes one touch at a time, asks again after a poor
one and counts a failure to acquire when the tries are used up, and writes itself down, sealed, after each
touch. Does not: wait for a device or talk to a person (whoever calls it does), or keep a picture.

The fingers of a person alternate, so that a finger leaves the glass between its impressions and each touch
is one of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devices.interface import (
    FINGER,
    GIVES_OWN_MATCHING,
    IMAGE_FORMATS,
    ISO_TEMPLATE,
    About,
    Capture,
    Captured,
    Reader,
    Sample,
)

from .captures import MAX_CAPTURES, Label
from .document import Device, Tries
from .process import Impression, from_picture, from_template
from .store import Store, pack_impression, unpack_impression, write_whole

MAX_PEOPLE, MAX_FINGERS, MAX_IMPRESSIONS, MAX_TRIES = 500, 10, 20, 10
TRIES = 3
ASSUMED_DPI = 500

#: Nobody touched, or the device was away: waiting, and no fault of finger or glass. Not a try.
NO_TRY = ("timed_out", "cancelled", "closed", "busy", "unplugged")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z")
_FINGERS = re.compile(r"(right|left)_(thumb|index|middle|ring|little)\Z")


class SessionError(Exception):
    """`code` says what stands in the way; no touch is lost by it."""

    def __init__(self, code: str, **data):
        super().__init__(code)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True)
class Plan:
    """`people` persons, each `fingers` (as in "right_index") `impressions` times, at most `tries` tries each."""

    people: int
    fingers: tuple[str, ...] = ("right_index", "left_index")
    impressions: int = 4
    tries: int = TRIES

    def __post_init__(self):
        within = (
            1 <= self.people <= MAX_PEOPLE
            and 1 <= len(self.fingers) <= MAX_FINGERS
            and len(set(self.fingers)) == len(self.fingers)
            and all(_FINGERS.match(finger) for finger in self.fingers)
            and 1 <= self.impressions <= MAX_IMPRESSIONS
            and 1 <= self.tries <= MAX_TRIES
            and self.people * len(self.fingers) * self.impressions <= MAX_CAPTURES
        )
        if not within:
            raise SessionError("evaluation_plan_wrong")

    def places(self) -> Iterator[Label]:
        """Every impression of the plan, in the order of capture."""
        for person in range(1, self.people + 1):
            for impression in range(1, self.impressions + 1):
                for finger in self.fingers:
                    yield Label(f"P{person:02}", finger, f"{impression:02}")


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be laid on next. `tried`: tries that failed already; `done` of `of` impressions."""

    label: Label
    tried: int
    tries: int
    done: int
    of: int


@dataclass(slots=True)
class Session:
    """The state of one session. `tries`: [person, code] of every try; `about`: what the device said of itself;
    `timed`: what the times of captures count from, "touch" or "prompt"; `site`: where it is run, "" where it
    belongs to this machine only."""

    name: str
    plan: Plan
    device: str
    cohort: str
    dpi: int | None = None
    about: dict = field(default_factory=dict)
    impressions: list[Impression] = field(default_factory=list)
    tries: list[list[str]] = field(default_factory=list)
    tried: int = 0
    withdrawn: list[str] = field(default_factory=list)
    timed: str | None = None
    site: str = ""

    # --- where we are
    def next(self) -> Step | None:
        """The next step; None when the plan is done."""
        done = {i.label for i in self.impressions}
        places = [label for label in self.plan.places() if label.person not in self.withdrawn]
        for label in places:
            if label not in done:
                return Step(label, self.tried, self.plan.tries, len(done), len(places))
        return None

    # --- what happens
    def meet(self, about: About) -> None:
        """The device that is going to be used. Raises SessionError when it is another one than before, or unfit."""
        if about.modality != FINGER:
            raise SessionError("evaluation_no_finger_reader")
        if about.gives == GIVES_OWN_MATCHING:
            raise SessionError("evaluation_own_matching_only")
        now = asdict(about)
        for name in ("kind", "gives", "maker", "model", "serial"):
            if self.about.get(name) and now[name] and self.about[name] != now[name]:
                raise SessionError("evaluation_other_device")
        self.about = {**self.about, **{name: value for name, value in now.items() if value is not None}}

    def take(self, capture: Capture, prompted_ms: float | None = None) -> Impression | None:
        """One touch. The impression it gave, refused or not; None when it was no try (NO_TRY) or gave no sample.

        Times count from the finger where the driver can tell, else `prompted_ms`, from when it was asked for.
        """
        step = self.next()
        if step is None:
            raise SessionError("evaluation_session_done")
        if not isinstance(capture, Captured):
            if capture.code not in NO_TRY:
                self._tried(step, capture.code, Impression(step.label, None, None, capture.code))
            return None
        touched = capture.touch_ms is not None
        took_ms = capture.touch_ms if touched else prompted_ms
        if took_ms is not None:
            self.timed = "touch" if touched and self.timed in (None, "touch") else "prompt"
        impression = judge(step.label, capture.sample, self.dpi or ASSUMED_DPI, took_ms)
        self._tried(step, impression.refused or "captured", impression)
        return impression

    def _tried(self, step: Step, code: str, impression: Impression) -> None:
        self.tries.append([step.label.person, code])
        if impression.acquired or step.tried + 1 >= step.tries:
            self.impressions.append(impression)
            self.tried = 0
        else:
            self.tried = step.tried + 1

    def withdraw(self, person: str) -> None:
        """A participant left: everything of theirs is gone, and nobody asks them again."""
        if person not in {label.person for label in self.plan.places()}:
            raise SessionError("evaluation_person_unknown")
        step = self.next()
        if step is not None and step.label.person == person:
            self.tried = 0
        self.impressions = [i for i in self.impressions if i.label.person != person]
        self.tries = [each for each in self.tries if each[0] != person]
        if person not in self.withdrawn:
            self.withdrawn.append(person)

    # --- for the evaluation
    def evaluated_device(self, how: str) -> Device:
        declared = self.about.get("dpi")
        source = "option" if self.dpi else "device" if declared else "assumed"
        pictures = self.about.get("gives") != "template"
        said = {name: self.about.get(name) for name in ("kind", "maker", "model", "serial", "firmware", "liveness")}
        return Device(
            self.device,
            how,
            gives=self.about.get("gives", "image"),
            simulated=bool(self.about.get("simulated")),
            dpi=(self.dpi or declared or ASSUMED_DPI) if pictures else None,
            dpi_source=source,
            **said,
        )

    def endings(self) -> Tries:
        return Tries(dict(Counter(code for _, code in self.tries)), self.plan.tries, self.timed)


def judge(label: Label, sample: Sample, dpi: int, capture_ms: float | None) -> Impression:
    """A sample as the measurements see it; a resolution the sample states goes before `dpi`."""
    if sample.format in IMAGE_FORMATS:
        return from_picture(label, sample.data, sample.dpi or dpi, capture_ms)
    if sample.format == ISO_TEMPLATE:
        return from_template(label, sample.data, capture_ms)
    return Impression(label, None, None, "bad_template", capture_ms=capture_ms)


# --- kept between touches ---------------------------------------------------------


class Sessions:
    """The guided sessions of a store, each one sealed file."""

    def __init__(self, store: Store):
        self.store = store
        self.folder = store.folder / "sessions"

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Only one process works on a session. Raises SessionError where another one does."""
        self._check(name)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SessionError("evaluation_session_in_use") from None
            yield

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.sealed")) if self.folder.is_dir() else []

    def load(self, name: str, ready: bool = True) -> Session:
        """`ready`: to be compared; a page that says how far it is, or one more touch, needs no such thing.

        Raises KeyError for none of that name, StoreBroken where it does not open.
        """
        path = self._path(name)
        if not path.is_file():
            raise KeyError(name)
        kept = json.loads(self.store.unseal(path.read_bytes(), _where(name)))
        plan = kept.pop("plan")
        impressions = [unpack_impression(i, ready) for i in kept.pop("impressions")]
        return Session(plan=Plan(**{**plan, "fingers": tuple(plan["fingers"])}), impressions=impressions, **kept)

    def begin(self, session: Session) -> Session:
        """This session, or the one of that name that was begun before. Raises SessionError for another plan."""
        try:
            standing = self.load(session.name)
        except KeyError:
            self.save(session)
            return session
        same = ("plan", "device", "cohort", "dpi", "site")
        if any(getattr(standing, name) != getattr(session, name) for name in same):
            raise SessionError("evaluation_session_other_plan")
        return standing

    def save(self, session: Session) -> None:
        """In one step: after a crash the session is as before or as after the last touch."""
        kept = {
            "name": session.name,
            "plan": asdict(session.plan),
            "device": session.device,
            "cohort": session.cohort,
            "dpi": session.dpi,
            "about": session.about,
            "impressions": [pack_impression(i) for i in session.impressions],
            "tries": session.tries,
            "tried": session.tried,
            "withdrawn": session.withdrawn,
            "timed": session.timed,
            "site": session.site,
        }
        path = self._path(session.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, self.store.seal(json.dumps(kept).encode(), _where(session.name)))

    def end(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{self._check(name)}.sealed"

    @staticmethod
    def _check(name: str) -> str:
        if not _NAME.match(name):
            raise SessionError("evaluation_session_name_wrong")
        return name


def _where(name: str) -> str:
    return f"device-evaluation-session|{name}"


# --- with a reader at hand --------------------------------------------------------


def run(
    session: Session,
    sessions: Sessions,
    reader: Reader,
    ask: Callable[[Step], None],
    tell: Callable[[Step, str, Impression | None], None],
    wait_s: float = 20.0,
    pause: Callable[[str], bool] = lambda code: False,
) -> bool:
    """Capture until the plan is done (True) or `pause(code)` says to stop (False); saved after each touch.

    `ask(step)` before each try, `tell(step, code, impression)` after it; `code` "captured" or why not.
    `pause(code)` is asked after a touch that was no try, as when nobody came or the device is away.
    """
    session.meet(reader.about())
    while (step := session.next()) is not None:
        ask(step)
        started = time.monotonic()
        capture = reader.capture(wait_s)
        impression = session.take(capture, 1000 * (time.monotonic() - started))
        sessions.save(session)
        code = (impression.refused or "captured") if impression else capture.code
        tell(step, code, impression)
        if impression is None and code in NO_TRY and pause(code):
            return False
    return True
