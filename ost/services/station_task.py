"""What the next touches of a station are for, when they are not to call a person to its counter.

Enrolling a finger, a guided evaluation. A live task takes a touch after the door has checked it, so
station, signature, challenge and replay are as everywhere, and each touch still becomes a capture. It
identifies nobody, changes no card, and never takes a touch while the counter holds a dose without an
outcome. What a kind does with a touch is its own file's business (`ost.services.station_kinds`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.interface import Touch
from ost import canonical
from ost.errors import Refusal
from ost.log import log
from ost.models import site as sites
from ost.models.reader import station_task
from ost.models.station import station
from ost.services import touched
from ost.services.access import require
from ost.services.door import Entered
from ost.services.gallery import PrintGallery
from ost.services.work import Actor, House, Work

ENROL, EVALUATE = KINDS = ("enrol", "evaluate")

#: How long a task waits for its next touch; each touch begins it anew. Time to lift a finger, wipe it and lay it
#: down again, and no more: a task left behind gives the reader back to the queue before anybody has to ask why.
WAITS_S = 90
LONGEST_WAIT_S = 600

#: Results of a touch a task took: it was used, or the task was over before it could be.
TAKEN, OVER = "taken", "again"

_T = station_task
_TRIES = 3


class Moved(Exception):  # noqa: N818 - not a fault: another touch was quicker
    """What a handler decided by has changed since it looked: nothing is kept, and it looks again."""


@dataclass(frozen=True, slots=True)
class Task:
    """`said`: what the last touch came to, codes and numbers; `number`: how many touches it has taken."""

    station: str
    kind: str
    patient: str | None
    finger: str | None
    session: str | None
    said: Mapping | None
    number: int
    set_by: str
    set_at: datetime
    until: datetime


@dataclass(slots=True)
class Use:
    """What a kind makes of a touch, before anything is written.

    `said`: codes and numbers for the page that waits, never whose or what was read; its "code" is also the
    agent's. `patients`: locked before `keep`. `keep(work, capture_id)`: writes within the transaction of the
    capture and answers with more to say, or raises Moved. `kept()`: after the commit. `event`: the audit event's kind.
    `done`: the task is over with this touch.
    """

    said: dict
    patients: tuple[str, ...] = ()
    cylinders: int = 0
    keep: Callable[[Work, str], dict] | None = None
    kept: Callable[[], None] | None = None
    event: str = "capture.taken"
    done: bool = False
    wait_s: int = WAITS_S
    payload: dict = field(default_factory=dict)


#: Looks at the touch of a live task; slow work belongs here, outside of any transaction.
Handler = Callable[[House, PrintGallery, Entered, Task, Touch], Use]


def start(
    house: House,
    actor: Actor,
    station_id: str,
    kind: str,
    *,
    permission: str,
    patient: str | None = None,
    finger: str | None = None,
    session: str | None = None,
    wait_s: int = WAITS_S,
) -> Task:
    """From now on the touches of this station are for `kind`; asking again begins it anew.

    `permission`: needed at the station's site. Refused while the counter holds a dose, or somebody else's task lives.
    """
    if kind not in KINDS or not 0 < wait_s <= LONGEST_WAIT_S:
        raise ValueError("a task has a known kind and ends within ten minutes")
    where = _station(house, station_id)
    require(house, actor, permission, where.site)
    with house.work(actor, where.site, "task.started", patient=patient) as work:
        counter = _lock_counter(work.tx, station_id)
        if counter is not None and touched.owner_of_open_dose(work.tx, counter.dose) is not None:
            raise Refusal("counter_holds_other_dose")
        standing = _locked(work.tx, station_id)
        if standing is not None and standing.until > work.now and standing.set_by != actor.id:
            raise Refusal("reader_taken_for_task")
        work.tx.execute(sa.delete(_T).where(_T.c.station == station_id))
        row = work.add(
            _T,
            station=station_id,
            kind=kind,
            patient=patient,
            finger=finger,
            session=session,
            said=None,
            number=0,
            set_by=actor.id,
            set_at=work.now,
            until=work.now + timedelta(seconds=wait_s),
        )
        _tell_page(work.tx, counter)
        work.payload = {"station": station_id, "task": kind, "finger": finger, "session": session}
    return _task(row)


def stop(house: House, actor: Actor, station_id: str, *, permission: str) -> None:
    """The touches of this station call people to the counter again. Nothing to stop is no fault."""
    where = _station(house, station_id)
    require(house, actor, permission, where.site)
    with house.work(actor, where.site, "task.stopped") as work:
        counter = _lock_counter(work.tx, station_id)
        if work.tx.execute(sa.delete(_T).where(_T.c.station == station_id)).rowcount:
            _tell_page(work.tx, counter)
            work.payload = {"station": station_id}


def now(house: House, station_id: str | None) -> Task | None:
    """The live task of this station; what ran out or is done is none."""
    task = last(house, station_id)
    return task if task is not None and task.until > house.now() else None


def last(house: House, station_id: str | None) -> Task | None:
    """The station's task, live or over: what its last touch came to can still be shown."""
    if station_id is None:
        return None
    with house.read() as tx:
        row = tx.execute(sa.select(_T).where(_T.c.station == station_id)).one_or_none()
    return _task(row._asdict()) if row is not None else None


def take(
    house: House,
    gallery: PrintGallery,
    entered: Entered,
    digest: str,
    touch: Touch,
    handlers: Mapping[str, Handler],
) -> dict | None:
    """The answer to a touch that a live task took, as it is kept; None when the touch is nobody's task.

    IntegrityError when the challenge's nonce was used meanwhile: nothing is kept then.
    """
    for last_try in (False,) * (_TRIES - 1) + (True,):
        try:
            return _take(house, gallery, entered, digest, touch, handlers)
        except Moved:
            if last_try:
                raise
    raise AssertionError("unreachable")


def _take(house, gallery, entered, digest, touch, handlers) -> dict | None:
    task = now(house, entered.id)
    if task is None or _holds_dose(house, entered.id):
        return None
    use = handlers[task.kind](house, gallery, entered, task, touch)
    with house.work(entered.actor, entered.site, use.event, patient=task.patient) as work:
        work.lock_patients(use.patients)
        counter = _lock_counter(work.tx, entered.id)
        if counter is not None and touched.owner_of_open_dose(work.tx, counter.dose) is not None:
            return None  # a dose was promised while this was read: the touch is its hand-over check
        standing = _locked(work.tx, entered.id)
        live = standing is not None and (standing.set_at, standing.set_by) == (task.set_at, task.set_by)
        answer = touched.keep_capture(
            work,
            entered,
            digest,
            touch,
            result=TAKEN if live else OVER,
            code=use.said.get("code") if live else "task_over",
            cylinders=use.cylinders,
        )
        work.payload = {
            "station": entered.id,
            "capture": answer["capture"],
            "task": task.kind,
            "code": answer["code"],
            "simulated": touch.simulated,
            **use.payload,
        }
        if live:
            said = use.said | (use.keep(work, answer["capture"]) if use.keep else {})
            _say(work, task, said, use)
            if use.done:
                _tell_page(work.tx, counter)
        else:
            work.kind = "capture.taken"
    if live and use.kept is not None:
        use.kept()
    log.info("touch", station=entered.id, kind=f"task.{task.kind}", code=answer["code"])
    return answer


def _say(work: Work, task: Task, said: dict, use: Use) -> None:
    values = {"said": canonical.text(said), "number": _T.c.number + 1}
    values["until"] = work.now if use.done else work.now + timedelta(seconds=use.wait_s)
    work.tx.execute(sa.update(_T).where(_T.c.station == task.station).values(**values))


def _holds_dose(house: House, station_id: str) -> bool:
    with house.read() as tx:
        dose = tx.execute(sa.select(sites.counter.c.dose).where(sites.counter.c.station == station_id)).scalar()
        return touched.owner_of_open_dose(tx, dose) is not None


def _lock_counter(tx: Connection, station_id: str) -> sa.Row | None:
    c = sites.counter
    return tx.execute(sa.select(c).where(c.c.station == station_id).with_for_update()).first()


def _locked(tx: Connection, station_id: str) -> sa.Row | None:
    return tx.execute(sa.select(_T).where(_T.c.station == station_id).with_for_update()).one_or_none()


def _tell_page(tx: Connection, counter: sa.Row | None) -> None:
    """The counter's page says what its reader is for."""
    c = sites.counter
    if counter is not None:
        tx.execute(sa.update(c).where(c.c.id == counter.id).values(version=c.c.version + 1))


def _station(house: House, station_id: str) -> sa.Row:
    with house.read() as tx:
        row = tx.execute(
            sa.select(station.c.site).where(station.c.id == station_id, station.c.revoked_at.is_(None))
        ).one_or_none()
    if row is None:
        raise Refusal("station_unknown")
    return row


def _task(row: Mapping) -> Task:
    said = json.loads(row["said"]) if row["said"] else None
    return Task(**{name: row[name] for name in Task.__dataclass_fields__ if name != "said"}, said=said)
