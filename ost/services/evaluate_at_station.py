"""A guided evaluation at a counter's reader: the station's touches go to the session while it runs.

The touch has passed the stations' door like every other; here it is measured, sealed away and named by the
participant's code in the session only. Nobody is identified, and nothing of it reaches the gallery.
"""

from __future__ import annotations

from devices.evaluate import Impression, Session, SessionError, Sessions, Store, StoreBroken
from devices.interface import (
    CAPTURED,
    IMAGE_FORMATS,
    NOT_CAPTURED,
    NOT_CAPTURED_CODES,
    UNKNOWN_CODES,
    About,
    Captured,
    NotCaptured,
    Touch,
    Unknown,
    printable,
)
from ost.errors import Refusal
from ost.log import log
from ost.services import station_task
from ost.services.access import require
from ost.services.door import Entered
from ost.services.gallery import PrintGallery
from ost.services.station_task import EVALUATE, LONGEST_WAIT_S, Task, Use
from ost.services.work import Actor, House

PERMISSION = "device.evaluate"
#: Where the application puts the store of evaluations; the house itself knows no folder.
STORE = "evaluations"


def store_of(house: House) -> Store:
    return house.memo[STORE]


def begin(house: House, actor: Actor, site: str, session: Session) -> Session:
    """The session of this plan, new or as it was left. Raises Refusal."""
    require(house, actor, PERMISSION, site)
    try:
        return Sessions(store_of(house)).begin(session)
    except (SessionError, StoreBroken) as error:
        raise Refusal(error.code) from error


def load(house: House, name: str, site: str | None = None) -> Session:
    """`site`: of whoever asks; another site's session is none. None: a station's touch, which a task of the
    session's own site has let in."""
    try:
        found = Sessions(store_of(house)).load(name, ready=False)
    except KeyError:
        raise Refusal("evaluation_session_unknown") from None
    except (SessionError, StoreBroken) as error:
        raise Refusal(error.code) from error
    if site is not None and found.site != site:
        raise Refusal("evaluation_session_unknown")
    return found


def of_site(house: House, site: str) -> tuple[list[Session], list[str]]:
    """The sessions under way at a site, by name; and why others of this machine do not open, whosever they are."""
    found, broken = [], []
    for name in Sessions(store_of(house)).names():
        try:
            session = load(house, name)
        except Refusal as refusal:
            broken.append(refusal.code)
            continue
        if session.site == site:
            found.append(session)
    return found, broken


def attend(house: House, actor: Actor, site: str, station: str, name: str) -> Task:
    """From now on this station's touches are the session's; asking again goes on."""
    if load(house, name, site).next() is None:
        raise Refusal("evaluation_session_done")
    return station_task.start(
        house, actor, station, EVALUATE, permission=PERMISSION, session=name, wait_s=LONGEST_WAIT_S
    )


def pause(house: House, actor: Actor, station: str) -> None:
    task = station_task.now(house, station)
    if task is not None and task.kind == EVALUATE:
        station_task.stop(house, actor, station, permission=PERMISSION)


def withdraw(house: House, actor: Actor, site: str, name: str, person: str) -> int:
    """Take a participant out of a session and of what its cohort keeps: from how many evaluations."""
    require(house, actor, PERMISSION, site)
    store = store_of(house)
    sessions = Sessions(store)
    try:
        with sessions.held(name):
            session = load(house, name, site)
            session.withdraw(person)
            sessions.save(session)
        changed = store.withdraw(session.cohort, person)
    except SessionError as error:
        raise Refusal(error.code) from error
    with house.work(actor, site, "evaluation.participant_withdrawn") as work:
        work.payload = {"session": name, "participant": person, "evaluations": changed}
    return changed


# --- one touch ---------------------------------------------------------------------


def take(house: House, gallery: PrintGallery, entered: Entered, task: Task, touch: Touch) -> Use:
    """One touch of a guided evaluation (`ost.services.station_kinds`)."""
    try:
        session = load(house, task.session)
        before = len(session.tries)
        session.meet(_about(touch, session))
        impression = session.take(_capture(touch))
    except (Refusal, SessionError) as refused:
        return Use({"code": refused.code}, done=True)
    step = session.next()
    code = touch.code if impression is None else impression.refused
    said = {"code": code, "left": 0 if step is None else step.of - step.done, **_measured(impression)}
    return Use(
        said,
        cylinders=len(impression.cylinders) if impression is not None and impression.cylinders is not None else 0,
        kept=lambda: _keep(house, session, before),
        event="evaluation.touched",
        done=step is None,
        wait_s=LONGEST_WAIT_S,
    )


def _keep(house: House, session: Session, before: int) -> None:
    """After the commit, so that a touch that is sent again is never counted twice."""
    sessions = Sessions(store_of(house))
    try:
        with sessions.held(session.name):
            standing = sessions.load(session.name, ready=False)
            if len(standing.tries) == before and standing.withdrawn == session.withdrawn:
                sessions.save(session)
                return
    except (KeyError, SessionError, StoreBroken):
        pass  # finished, held or gone meanwhile: said below, and the finger is asked for again
    log.warning("evaluation_touch_lost", session=session.name)


def _measured(impression: Impression | None) -> dict:
    if impression is None:
        return {}
    return {"quality": impression.nfiq2, "minutiae": impression.minutiae, "advice": impression.advice}


def _capture(touch: Touch):
    if touch.ending == CAPTURED:
        return Captured(touch.sample, touch.touch_ms)
    if touch.ending == NOT_CAPTURED:
        return NotCaptured(touch.code if touch.code in NOT_CAPTURED_CODES else "device_error")
    return Unknown(touch.code if touch.code in UNKNOWN_CODES else "garbled")


def _about(touch: Touch, session: Session) -> About:
    """What this touch says of its device; what it leaves open stays as the session knows it."""
    if touch.sample is None:
        known = session.about
        return About(
            touch.reader_kind,
            known.get("gives", "image"),
            simulated=touch.simulated,
            liveness=known.get("liveness", "none"),
        )
    declared = touch.sample.declared
    return About(
        touch.reader_kind,
        "image" if touch.sample.format in IMAGE_FORMATS else "template",
        touch.sample.modality,
        touch.simulated,
        touch.sample.dpi,
        *(printable(declared.get(name)) for name in ("maker", "model", "serial", "firmware")),
        liveness=printable(declared.get("liveness")) or "none",
    )
