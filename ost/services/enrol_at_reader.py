"""Enrol a person's finger by touching the counter's own reader, one impression a touch.

The page starts it and waits; the touches come through the stations' door. An impression that is not like the
finger's earlier ones is not kept: at a counter the next in the queue may have touched. A likeness to somebody
else is shown to a human and decides nothing. Nobody is identified by these touches.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.fingerprints.cylinders import MIN_VALID_CYLINDERS
from devices.fingerprints.decide import verify
from devices.fingerprints.errors import FingerprintError
from devices.interface import CAPTURED, NOT_CAPTURED_CODES, UNKNOWN_CODES, Touch
from ost import policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.patient import fingerprint
from ost.models.station import station
from ost.services import fingerprints, impression, station_task
from ost.services.access import require
from ost.services.counter_page import SILENT
from ost.services.door import Entered
from ost.services.duplicate_cases import keep as keep_cases
from ost.services.gallery import PrintGallery
from ost.services.station_task import ENROL, Moved, Task, Use
from ost.services.templates import FINGERS
from ost.services.work import Actor, House, Work

PERMISSION = "patient.enrol_finger"


#: How long after its end the page still says what a task came to.
SHOWN_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class AtReader:
    """The reader of a counter, as the enrolling page sees it.

    `ready`: its program is heard and a reader can be touched. `task`: this person's enrolling by this account,
    live or just over. `taken`: its touches are for something else now.
    """

    counter: str
    kind: str | None
    ready: bool
    task: Task | None = None
    live: bool = False
    taken: bool = False


def begin(house: House, actor: Actor, patient_id: str, finger: str, counter: str) -> None:
    """The next touches of this counter's reader are impressions of that finger."""
    home = fingerprints.home_of(house, patient_id)
    require(house, actor, PERMISSION, home.id)
    if finger not in FINGERS:
        raise Refusal("finger_unknown", fields={"finger": ["finger_unknown"]})
    where = _at(house, counter)
    if where.station is None or where.revoked_at is not None:
        raise Refusal("counter_without_reader")
    station_task.start(
        house, actor, where.station, ENROL, permission=PERMISSION, patient=patient_id, finger=finger
    )


def end(house: House, actor: Actor, counter: str) -> None:
    """Touches call people to this counter again."""
    where = _at(house, counter)
    task = station_task.now(house, where.station)
    if task is not None and task.kind == ENROL:
        station_task.stop(house, actor, where.station, permission=PERMISSION)


def at_reader(house: House, actor: Actor, patient_id: str, counter: str) -> AtReader:
    """How the counter's reader is, and how far this person's enrolling at it has come."""
    where = _at(house, counter)
    require(house, actor, PERMISSION, where.site)
    if where.station is None or where.revoked_at is not None:
        return AtReader(counter, None, False)
    now, task = house.now(), station_task.last(house, where.station)
    heard = where.seen_at is not None and now - where.seen_at < SILENT
    ready = heard and where.reader_state in ("ready", "partly")
    if task is None or now - task.until > SHOWN_FOR:
        return AtReader(counter, where.reader_kind, ready)
    mine = (task.kind, task.patient, task.set_by) == (ENROL, patient_id, actor.id)
    live = task.until > now
    return AtReader(counter, where.reader_kind, ready, task if mine else None, live and mine, live and not mine)


# --- one touch -------------------------------------------------------------------------


def take(house: House, gallery: PrintGallery, entered: Entered, task: Task, touch: Touch) -> Use:
    """One touch of the finger that is being enrolled (`ost.services.station_kinds`)."""
    if touch.ending != CAPTURED:
        known = touch.code in NOT_CAPTURED_CODES + UNKNOWN_CODES
        return Use({"code": touch.code if known else "reader_failed"})
    try:
        home = fingerprints.home_of(house, task.patient)
        read = impression.of_sample(touch.sample)
    except Refusal as refusal:  # the person was taken off the list since
        return Use({"code": refusal.code}, done=True)
    except FingerprintError as error:
        return Use(_too_poor(error))
    try:
        likeness = fingerprints.compare(house, gallery, task.patient, read)
    except Refusal as refusal:  # the server was started a moment ago
        return Use({"code": refusal.code})
    with house.read() as tx:
        before = _standing(tx, task.patient, task.finger)
    agrees = fingerprints.agrees(before + 1, task.finger, likeness.own, touch.simulated)
    policy = policies.policy(home.policy)
    wanted = policy.int("enrol_impressions")
    said = {
        "finger": task.finger,
        "impressions": before,
        "wanted": wanted,
        "quality": read.nfiq2,
        "cylinders": len(read.cylinders),
        "advice": read.advice,
        "agrees": agrees,
        "alike": 0,
    }
    if before >= fingerprints.MOST_IMPRESSIONS:
        return Use(said | {"code": "impressions_complete", "most": fingerprints.MOST_IMPRESSIONS}, done=True)
    other = _another_finger(likeness.own, task.finger, touch.simulated)
    if other is not None:
        return Use(said | {"code": "finger_enrolled_as_other", "like": other})
    if agrees is False:
        return Use(said | {"code": "finger_differs"})

    def keep(work: Work, capture_id: str) -> dict:
        if _standing(work.tx, task.patient, task.finger) != before:
            raise Moved  # another reader of this station, or a picture, was quicker: what agrees may be another
        if not fingerprints.may_be_enrolled(work.tx, task.patient):
            raise Moved  # their record was closed since: no finger of it may match
        row = fingerprints.write(
            work,
            task.set_by,
            task.patient,
            task.finger,
            read.minutiae,
            read.cylinders,
            read.nfiq2,
            touch.simulated,
            capture_id,
        )
        work.payload |= {"fingerprint": row["id"], "finger": task.finger, "impression": row["impression"]}
        alike = keep_cases(work, home.id, task.patient, task.finger, likeness.others, touch.simulated)
        if alike:
            work.payload |= {"alike": len(alike), "best_e4": round(alike[0].score * 10_000)}
        return {"impressions": row["of_finger"], "fingers": row["fingers"], "alike": len(alike)}

    return Use(
        said,
        patients=(task.patient, *(c.person for c in likeness.others)),
        cylinders=len(read.cylinders),
        keep=keep,
        kept=lambda: gallery.refresh(house, [task.patient]),
        event="finger.enrolled",
        done=before + 1 >= wanted,
    )


def _too_poor(error: FingerprintError) -> dict:
    if error.code == "too_few_cylinders":
        return {"code": error.code, "cylinders": getattr(error, "found", 0), "needed": MIN_VALID_CYLINDERS}
    return {"code": error.code}


def _another_finger(own, finger: str, simulated: bool) -> str | None:
    """The name under which this very finger is enrolled already, if that is another one."""
    if own is None or own.finger == finger or not verify(own.score, simulated):
        return None
    return own.finger


def _standing(tx: Connection, patient_id: str, finger: str) -> int:
    f = fingerprint
    return tx.execute(
        sa.select(sa.func.count())
        .select_from(f)
        .where(f.c.patient == patient_id, f.c.finger == finger, f.c.withdrawn_at.is_(None))
    ).scalar_one()


def _at(house: House, counter: str) -> sa.Row:
    c, s = sites.counter, station
    with house.read() as tx:
        row = tx.execute(
            sa.select(c.c.site, c.c.station, s.c.revoked_at, s.c.reader_kind, s.c.reader_state, s.c.seen_at)
            .join(s, s.c.id == c.c.station, isouter=True)
            .where(c.c.id == counter)
        ).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    return row
