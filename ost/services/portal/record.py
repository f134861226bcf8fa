"""A person's own record, for themselves: doses, days attended, orders, holds.

Reads only what belongs to the session's patient; there is no id to give it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end
from ost.rules.attendance import Attendance, attended
from ost.rules.facts import OrderFacts
from ost.rules.schedule import due_on
from ost.services import holds, prescription_read
from ost.services.gather import PAST_DOSES, past_dose
from ost.services.holds import Hold
from ost.services.portal.sessions import PortalSession
from ost.services.prescription_read import Given, Order
from ost.services.work import House

#: How far back days are counted on the page.
SHARE_DAYS = 90
PAGE = 30


@dataclass(frozen=True, slots=True)
class Share:
    """Days attended of days due, first to last day included; today counts once something was taken."""

    first: date
    last: date
    found: Attendance

    @property
    def percent(self) -> int | None:
        """Whole percent, rounded down; None where nothing was due."""
        return self.found.taken * 100 // self.found.due if self.found.due else None


@dataclass(frozen=True, slots=True)
class Doses:
    """One page of the list, newest first. `more`: there is another one."""

    doses: tuple[Given, ...]
    page: int
    more: bool


def today(house: House, session: PortalSession) -> date:
    return clock.dosing_day(house.now(), session.tz)


def doses(house: House, session: PortalSession, page: int = 1) -> Doses:
    """Every attempt, voided and given-back ones too: nothing is hidden from the person."""
    page = min(max(page, 1), 10_000)
    with house.read() as tx:
        found = prescription_read.doses_of(tx, session.patient, PAGE + 1, (page - 1) * PAGE)
    return Doses(tuple(found[:PAGE]), page, len(found) > PAGE)


def share(house: House, session: PortalSession) -> Share | None:
    """Attendance of the last SHARE_DAYS days; None before the first order."""
    now = today(house, session)
    with house.read() as tx:
        return share_of(tx, session.patient, session.tz, now - timedelta(days=SHARE_DAYS - 1), now)


def share_of(tx: Connection, patient_id: str, tz: str, since: date, now: date) -> Share | None:
    """Ordered days and slots against what was taken, by the attendance clock; days of no record count as not attended.

    A day on hold counts as due: an excuse is a person's judgement and stands in no table yet. Days before the
    person was registered here are not counted, unless a dose of that time is.
    """
    p, e = prescription, prescription_end
    query = (
        sa.select(p, e.c.at.label("stopped_at"))
        .join(e, e.c.prescription == p.c.id, isouter=True)
        .where(p.c.patient == patient_id)
    )
    orders = [_facts(row) for row in tx.execute(query)]
    if not orders:
        return None
    past = tx.execute(PAST_DOSES, {"patient": patient_id, "since": since}).all()
    taken = [past_dose(row) for row in past if row.why in (None, "replacement_ordered")]
    registered = tx.execute(sa.select(patient.c.registered_at).where(patient.c.id == patient_id)).scalar_one()
    known = min([clock.dosing_day(registered, tz), *(d.day for d in taken)])
    first = max(since, known, min(o.starts_on for o in orders))
    if first > now:
        return None
    zone, day, due = ZoneInfo(tz), first, set()
    begun = {(d.day, d.slot) for d in taken}
    while day <= now:
        due |= {(day, o.slot) for o in orders if due_on(o, day, zone) and (day < now or (day, o.slot) in begun)}
        day += timedelta(days=1)
    return Share(first, now, attended(due, taken))


def orders(house: House, session: PortalSession) -> list[Order]:
    """In force first, then to come, then over."""
    with house.read() as tx:
        return prescription_read.orders_of(tx, session.patient, today(house, session))


def own_holds(house: House, session: PortalSession) -> list[Hold]:
    with house.read() as tx:
        return holds.list_of(tx, session.patient)


def _facts(row) -> OrderFacts:
    return OrderFacts(
        id=row.id,
        medicine=row.medicine,
        phase=row.phase,
        dose_ug=row.dose_ug,
        slot=row.slot,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        stopped_at=row.stopped_at,
        sites=(),
        days=tuple(json.loads(row.days)),
    )
