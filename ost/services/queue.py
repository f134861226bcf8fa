"""Today's queue of one site: expected, here, done, missed, held, not known, or a guest elsewhere today.

Reads only. Rows carry ids and numbers; names are opened by whoever shows them
and may (`ost.services.patient_read`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.models import dose, prescription, site
from ost.rules.checks_guest import CLINICAL
from ost.rules.facts import BY_OTHER, NOT_GIVEN
from ost.services.access import require
from ost.services.expected import Due, expected
from ost.services.guest import calendar
from ost.services.work import Actor, House

EXPECTED, HERE, DONE, MISSED, HELD, UNKNOWN, AWAY = STATES = (
    "expected",
    "here",
    "done",
    "missed",
    "held",
    "unknown",
    "away",
)

_A, _O, _R = dose.dose_attempt, dose.dose_outcome, dose.dose_release
_TODAY = (
    sa.select(
        _A.c.id,
        _A.c.patient,
        _A.c.slot,
        _A.c.site,
        _A.c.dose_ug,
        _A.c.promised_at,
        _O.c.outcome,
        _O.c.given_at,
        _R.c.why,
    )
    .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
    .join(_R, _R.c.attempt == _A.c.id, isouter=True)
    # By the day's date alone: a person of this site may have been dosed elsewhere.
    .where(_A.c.dosing_day == sa.bindparam("day"), _A.c.patient.in_(sa.bindparam("people", expanding=True)))
    .order_by(_A.c.promised_at)
)
_OPEN_HERE = (
    sa.select(_A.c.id, _A.c.patient, _A.c.slot, _A.c.dosing_day, _A.c.dose_ug, _A.c.promised_at, _A.c.counter)
    .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
    .where(_A.c.site == sa.bindparam("site"), _O.c.attempt.is_(None))
    .order_by(_A.c.promised_at)
)
_HELD = (
    sa.select(
        prescription.hold.c.patient,
        prescription.hold.c.reason_code,
        prescription.hold.c.come_back_on,
        prescription.hold.c.kind,
        prescription.hold.c.site,
    )
    .join_from(
        prescription.hold,
        prescription.hold_release,
        prescription.hold_release.c.hold == prescription.hold.c.id,
        isouter=True,
    )
    .where(
        prescription.hold_release.c.hold.is_(None),
        prescription.hold.c.blocks,
        prescription.hold.c.patient.in_(sa.bindparam("people", expanding=True)),
    )
)


@dataclass(frozen=True, slots=True)
class Row:
    due: Due
    state: str  # one of STATES
    arrived: int | None  # order of arrival
    lane: str  # "normal" | "priority"
    dose_id: str | None = None
    given_at: datetime | None = None
    served_at: str | None = None
    hold_reason: str | None = None
    come_back_on: date | None = None


@dataclass(frozen=True, slots=True)
class OpenDose:
    """A promised dose without an outcome: not known, blocks its slot everywhere."""

    dose_id: str
    patient: str
    slot: int
    day: date
    dose_ug: int
    promised_at: datetime
    counter: str | None


@dataclass(frozen=True, slots=True)
class Queue:
    site: str
    day: date
    rows: tuple[Row, ...]
    open_doses: tuple[OpenDose, ...]
    seconds: tuple[int, ...]  # arrival of the card to the swallow, today, for the counter's own clock

    def of(self, state: str) -> tuple[Row, ...]:
        return tuple(r for r in self.rows if r.state == state)


def queue(house: House, actor: Actor, site_id: str) -> Queue:
    require(house, actor, "queue.read", site_id)
    now = house.now()
    with house.read() as tx:
        where = tx.execute(sa.select(site.site).where(site.site.c.id == site_id)).one()
        return read_queue(tx, where, now)


def read_queue(tx: Connection, where: sa.Row, now: datetime) -> Queue:
    day = clock.dosing_day(now, where.tz)
    dues = [d for d in expected(tx, where.id, day) if d.due_today]
    closed = _over(now, where.tz, where.closes)
    guests_at = {d.guest.site for d in dues if d.guest is not None}
    # A day may have hours of its own, and nobody is missed before they are over.
    hours = calendar.open_days(tx, {where.id, *guests_at}, {day}, unlisted=True) if closed or guests_at else {}
    closes = {code: each.closes for (code, _), each in hours.items()}
    closed = closed and _over(now, where.tz, closes.get(where.id, where.closes))
    people = sorted({d.patient for d in dues})
    doses = {}
    for row in tx.execute(_TODAY, {"day": day, "people": people}):
        if row.why is None:
            doses[row.patient, row.slot] = row
    homes = {d.patient: d for d in dues}
    holds = {
        row.patient: row
        for row in tx.execute(_HELD, {"people": people})
        if _acts_here(row, homes[row.patient], where.id)
    }
    arrivals = {
        row.patient: row
        for row in tx.execute(
            sa.select(site.arrival).where(site.arrival.c.site == where.id, site.arrival.c.day == day)
        )
    }
    rows = tuple(
        _row(
            d,
            doses.get((d.patient, d.slot)),
            holds.get(d.patient),
            arrivals.get(d.patient),
            # A guest's hours are the guest site's, read alike at both ends.
            closed if d.guest is None else _over(now, d.guest.tz, closes.get(d.guest.site, d.guest.closes)),
        )
        for d in dues
    )
    return Queue(
        where.id, day, tuple(sorted(rows, key=_order)), open_doses(tx, where.id), _seconds(doses, arrivals)
    )


def _acts_here(hold, due: Due, site_id: str) -> bool:
    """As `ost.rules.checks_guest.acts_here`: another site's administrative hold does not travel to a guest site,
    nor a guest site's home."""
    if hold.kind == CLINICAL or hold.site == site_id:
        return True
    guest_here = due.guest is not None and due.guest.site == site_id
    return hold.site == due.home_site and not guest_here


def _over(now: datetime, tz: str, closes: str) -> bool:
    """Whether it is later than "HH:MM" on that clock."""
    return clock.local(now, tz).time() > time.fromisoformat(closes)


def _row(due: Due, given, hold, arrival, closed: bool) -> Row:
    """`closed`: the site where the person is due today has closed."""
    lane = arrival.lane if arrival else ("priority" if due.priority else "normal")
    common = {"due": due, "arrived": arrival.number if arrival else None, "lane": lane}
    if given is not None and given.outcome == BY_OTHER:
        # This person has had nothing; a prescriber decides about another dose.
        return Row(**common, state=HELD, dose_id=given.id, hold_reason=BY_OTHER)
    if given is not None and given.outcome != NOT_GIVEN:
        state = UNKNOWN if given.outcome is None else DONE
        return Row(**common, state=state, dose_id=given.id, given_at=given.given_at, served_at=given.site)
    if hold is not None:
        return Row(**common, state=HELD, hold_reason=hold.reason_code, come_back_on=hold.come_back_on)
    if due.away:
        # Not missed here: they have a place elsewhere, until that site closes without a dose.
        return Row(**common, state=MISSED if closed else AWAY)
    if arrival is not None and not closed:
        return Row(**common, state=HERE)
    return Row(**common, state=MISSED if closed else EXPECTED)


def _order(row: Row):
    return (row.lane != "priority", row.arrived is None, row.arrived or 0, row.due.number, row.due.slot)


def _seconds(doses: dict, arrivals: dict) -> tuple[int, ...]:
    """Promise to swallow: what a dose costs at the counter."""
    return tuple(
        int((row.given_at - row.promised_at).total_seconds())
        for row in doses.values()
        if row.given_at is not None and row.outcome is not None
    )


def open_doses(tx: Connection, site_id: str) -> tuple[OpenDose, ...]:
    return tuple(
        OpenDose(r.id, r.patient, r.slot, r.dosing_day, r.dose_ug, r.promised_at, r.counter)
        for r in tx.execute(_OPEN_HERE, {"site": site_id})
    )
