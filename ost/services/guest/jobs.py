"""What time does to requests, every few minutes: an unused day reaches home, the undecided expire, the finished close.

Each request is one transaction of its own under the person's lock; whatever was
done before is found done. An unused day is told once; it counts in the missed
days by itself, because nothing was swallowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.models import dose, guest
from ost.models import site as sites
from ost.rules import guest as rules
from ost.rules.attendance import ATTENDED
from ost.services.guest import flow, notices, passes, steps
from ost.services.guest.calendar import open_days
from ost.services.guest.days import live_days
from ost.services.messages import outbox
from ost.services.work import SYSTEM, House, Work

#: Unused days are looked for so far back: a scheduler that stood still loses none of a week.
LOOK_BACK = timedelta(days=7)
_H, _R, _S, _N = guest.guest_head, guest.guest_request, sites.site, guest.guest_notice
_P, _D, _DE = guest.guest_permit, guest.permit_day, guest.permit_day_end
_A, _O, _REL = dose.dose_attempt, dose.dose_outcome, dose.dose_release


@dataclass(frozen=True, slots=True)
class Summary:
    """How a stay went. `booked`: days not given up before; `unknown`: a dose without outcome; `doses`: taken ones."""

    booked: int
    attended: int
    missed: int
    unknown: int
    doses: int


def run_all(house: House) -> str:
    """Unused days before closing, so that the last day's is told as well. "" where nothing was to be done."""
    done = {"unused days": unused(house), "expired": expire(house), "closed": close(house)}
    return ", ".join(f"{count} {what}" for what, count in done.items() if count)


def expire(house: House) -> int:
    """Requests nobody decided before their last day was over."""
    return sum(_expire(house, request, patient) for request, patient in _due(house, rules.OPEN))


def close(house: House) -> int:
    """Permits after their last day, with a summary that both sites and the patient can read."""
    return sum(_close(house, request, patient) for request, patient in _due(house, rules.IN_FORCE))


def unused(house: House) -> int:
    """Days on which the guest site has closed and nothing was taken: told to the home site, and to the patient."""
    found = _unused(house)
    return sum(_tell_unused(house, request, patient, day) for request, patient, day in found)


def summary(tx: Connection, permit: str, patient: str, site: str) -> Summary:
    """Counted from the doses themselves."""
    days = live_days(tx, permit)
    query = (
        sa.select(_A.c.dosing_day, _O.c.outcome)
        .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
        .join(_REL, _REL.c.attempt == _A.c.id, isouter=True)
        .where(_A.c.patient == patient, _A.c.site == site, _A.c.dosing_day.in_(days), _REL.c.attempt.is_(None))
    )
    rows = tx.execute(query).all() if days else []
    taken = {r.dosing_day for r in rows if r.outcome in ATTENDED}
    unknown = {r.dosing_day for r in rows if r.outcome is None} - taken
    return Summary(
        booked=len(days),
        attended=len(taken),
        missed=len(days) - len(taken) - len(unknown),
        unknown=len(unknown),
        doses=sum(r.outcome in ATTENDED for r in rows),
    )


# --- within ------------------------------------------------------------------------


def _due(house: House, states: Iterable[str]) -> list[tuple[str, str]]:
    """(request, patient) whose last day may be over; each is looked at again under the lock."""
    query = (
        sa.select(_H.c.request, _H.c.patient)
        .where(_H.c.state.in_(states), _H.c.last_day <= house.now().date())
        .order_by(_H.c.request)
    )
    with house.read() as tx:
        return [tuple(row) for row in tx.execute(query)]


def _over(work: Work, patient: str, request: str, states: Iterable[str]) -> sa.Row | None:
    """The head, locked, if it still stands there and its last day is past at home."""
    work.lock_patients([patient])
    head = steps.head(work, request)
    tz = work.tx.execute(sa.select(_S.c.tz).where(_S.c.id == head.home_site)).scalar_one()
    return head if head.state in states and head.last_day < clock.dosing_day(work.now, tz) else None


def _expire(house: House, request: str, patient: str) -> int:
    with house.work(SYSTEM, None, "guest.expire", patient=patient) as work:
        head = _over(work, patient, request, rules.OPEN)
        if head is None:
            return 0
        work.site = head.home_site
        steps.take(work, request, "expire", steps.SYSTEM)
        flow.tell(work, flow.request_row(work.tx, request), "guest_expired", f"expired:{request}", site=head.site)
        work.payload |= {"request": request}
        return 1


def _close(house: House, request: str, patient: str) -> int:
    with house.work(SYSTEM, None, "guest.close", patient=patient) as work:
        head = _over(work, patient, request, rules.IN_FORCE)
        if head is None:
            return 0
        work.site = head.home_site
        found = summary(work.tx, head.permit, patient, head.site)
        data = {name: getattr(found, name) for name in ("booked", "attended", "missed", "unknown", "doses")}
        # The days are past: their places stay as what they were.
        from_day = (head.last_day + timedelta(days=1)).isoformat()
        steps.take(work, request, "close", steps.SYSTEM, data=data | {"from_day": from_day})
        passes.revoke(work, head.permit)
        row = flow.request_row(work.tx, request)
        notices.tell_site(work, head.home_site, row, notices.CLOSED)
        flow.tell(work, row, "guest_closed_summary", f"closed:{request}", site=head.site)
        work.payload |= {"request": request}
        return 1


def _unused(house: House) -> list[tuple[str, str, date]]:
    now = house.now()
    first, last = (now - LOOK_BACK).date(), (now + timedelta(days=1)).date()
    # A paused permit's day as well: why nothing was given is not what home has to hear of first.
    states = (*rules.IN_FORCE, rules.CLOSED)
    query = (
        sa.select(_P.c.request, _P.c.patient, _P.c.site, _P.c.home_site, _D.c.day, _S.c.tz)
        .join_from(_D, _P, _P.c.id == _D.c.permit)
        .join(_H, _H.c.request == _P.c.request)
        .join(_S, _S.c.id == _P.c.site)
        .join(_DE, sa.and_(_DE.c.permit == _D.c.permit, _DE.c.day == _D.c.day), isouter=True)
        .where(_D.c.day >= first, _D.c.day <= last, _DE.c.permit.is_(None), _H.c.state.in_(states))
        .order_by(_D.c.day, _P.c.request)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
        if not rows:
            return []
        known = sa.select(_N.c.request, _N.c.day).where(_N.c.kind == notices.UNUSED_DAY, _N.c.day >= first)
        told = {(row.request, row.day) for row in tx.execute(known)}
        left = [r for r in rows if (r.request, r.day) not in told]
        there = open_days(tx, {r.site for r in left}, {r.day for r in left}, unlisted=True)
        ended = [r for r in left if _closed_at(there.get((r.site, r.day)), r.day, r.tz) <= now]
        used = _used(tx, ended)
    return [(r.request, r.patient, r.day) for r in ended if (r.patient, r.day) not in used]


def _closed_at(opened, day: date, tz: str) -> datetime:
    """When the site closes on `day`; a day it does not open ends at midnight."""
    closes = time.fromisoformat(opened.closes) if opened is not None else time(23, 59)
    return datetime.combine(day, closes, ZoneInfo(tz)).astimezone(UTC)


def _used(tx: Connection, rows) -> set[tuple[str, date]]:
    """(patient, day) with a dose, wherever, that was not let go: also one whose outcome is still to be said."""
    if not rows:
        return set()
    query = (
        sa.select(_A.c.patient, _A.c.dosing_day, _O.c.outcome)
        .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
        .join(_REL, _REL.c.attempt == _A.c.id, isouter=True)
        .where(
            _A.c.patient.in_({r.patient for r in rows}),
            _A.c.dosing_day.in_({r.day for r in rows}),
            _REL.c.attempt.is_(None),
        )
    )
    return {(r.patient, r.dosing_day) for r in tx.execute(query) if r.outcome is None or r.outcome in ATTENDED}


def _tell_unused(house: House, request: str, patient: str, day: date) -> int:
    with house.work(SYSTEM, None, "guest.day_unused", patient=patient) as work:
        work.lock_patients([patient])
        row = flow.request_row(work.tx, request)
        work.site = row.home_site
        head = steps.head(work, request)
        # Given up, dosed or told in the meantime: nothing to say.
        if day not in live_days(work.tx, head.permit) or _used(work.tx, [_Day(patient, day)]):
            return 0
        if notices.tell_site(work, row.home_site, row, notices.UNUSED_DAY, day=day) is None:
            return 0
        said = {"request": row.number, "site": head.site, "days": [day.isoformat()]}
        outbox.tell(work, patient, "guest_day_unused", f"unused:{request}:{day.isoformat()}", **said)
        work.payload |= {"request": request, "day": day}
        return 1


@dataclass(frozen=True, slots=True)
class _Day:
    patient: str
    day: date
