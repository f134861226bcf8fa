"""A guest site's coming days: how many places are taken, who comes, what waits for an answer or a signature.

Also what both sites' desks need beside a request: the policy's lists and minutes. Changes nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.models import guest, opening
from ost.models import site as sites
from ost.models.patient import patient
from ost.rules import guest as rules
from ost.rules.policy import Policy
from ost.services.access import may, require
from ost.services.guest import binding, calendar, standing
from ost.services.guest.calendar import OpenDay
from ost.services.work import Actor, House, loads

_H, _R, _P, _S, _D = guest.guest_head, guest.guest_request, guest.guest_place, sites.site, opening.site_day
#: Days shown ahead.
DAYS = 14


@dataclass(frozen=True, slots=True)
class Comes:
    """Somebody with a place that day. `number`, `days`: which of the permit's days it is; None before it is confirmed.

    `patient_number`: None where the person's consent no longer reaches this site.
    """

    request: str
    request_number: int
    state: str
    home_site: str
    patient_number: str | None
    number: int | None
    days: int | None
    emergency: bool


@dataclass(frozen=True, slots=True)
class IncomingDay:
    day: date
    opening: OpenDay | None  # None: closed
    holiday: bool
    why: str | None  # a closed day's own reason
    comes: tuple[Comes, ...]

    @property
    def taken(self) -> int:
        return len(self.comes)


@dataclass(frozen=True, slots=True)
class ToTakeOver:
    """A request nobody at home answered in the policy's time. No person: that is seen by opening it."""

    request: str
    number: int
    home_site: str
    days: tuple[date, ...]
    since: datetime


def policy_of(house: House, code: str) -> Policy:
    with house.read() as tx:
        return policies.policy(tx.execute(sa.select(_S.c.policy).where(_S.c.id == code)).scalar_one())


def today(house: House, code: str) -> date:
    with house.read() as tx:
        return clock.dosing_day(house.now(), tx.execute(sa.select(_S.c.tz).where(_S.c.id == code)).scalar_one())


def days_used(house: House, patient_id: str, year: int) -> int:
    """Guest days of a year that count against a standing authorisation. The caller has read the person's record."""
    with house.read() as tx:
        return standing.days_used(tx, patient_id, [year])[year]


def days(house: House, actor: Actor, code: str, first: date | None = None) -> list[IncomingDay]:
    """DAYS days from `first` (today, if None). Needs guest.read there."""
    require(house, actor, "guest.read", code)
    first = first or today(house, code)
    wanted = [first + timedelta(days=n) for n in range(DAYS)]
    with house.read() as tx:
        open_ = calendar.open_days(tx, [code], wanted, unlisted=True)
        pack = tx.execute(sa.select(_S.c.policy).where(_S.c.id == code)).scalar_one()
        own = sa.select(_D.c.day, _D.c.why, _D.c.closure).where(_D.c.site == code, _D.c.day.in_(wanted), _D.c.closed)
        closed = {r.day: "closure" if r.closure else r.why for r in tx.execute(own)}
        bound = {day: {g.request: g for g in binding.guests_at(tx, code, day)} for day in wanted}
        places = sa.select(
            _P.c.day, _P.c.request, _R.c.number, _R.c.kind, _H.c.state, _H.c.home_site, _H.c.site,
            patient.c.number.label("patient_number"),
        ).join_from(_P, _R, _R.c.id == _P.c.request).join(_H, _H.c.request == _R.c.id).join(
            patient, patient.c.id == _P.c.patient
        ).where(_P.c.site == code, _P.c.day.in_(wanted)).order_by(_P.c.day, _R.c.number)  # fmt: skip
        rows = tx.execute(places).all()
    found: dict[date, list[Comes]] = {day: [] for day in wanted}
    for r in rows:
        permit = bound[r.day].get(r.request)
        # A name belongs to a permit with consent, or to a request this site is asked about.
        known = permit is not None or (r.state in (rules.APPROVED, rules.ACCEPTED) and r.site == code)
        found[r.day].append(
            Comes(
                request=r.request,
                request_number=r.number,
                state=r.state,
                home_site=r.home_site,
                patient_number=r.patient_number if known else None,
                number=permit.number if permit else None,
                days=permit.days if permit else None,
                emergency=r.kind == binding.EMERGENCY,
            )
        )
    return [
        IncomingDay(
            day, open_.get((code, day)), calendar.is_holiday(pack, day), closed.get(day), tuple(found[day])
        )
        for day in wanted
    ]


def to_take_over(house: House, actor: Actor, code: str) -> list[ToTakeOver]:
    """Requests for this site that waited at home longer than the policy's minutes, the oldest first. () without
    guest.countersign there."""
    if not may(house, actor, "guest.countersign", code):
        return []
    now = house.now()
    query = (
        sa.select(_H.c.request, _H.c.home_site, _H.c.since, _R.c.number, _R.c.days, _S.c.policy)
        .join_from(_H, _R, _R.c.id == _H.c.request)
        .join(_S, _S.c.id == _H.c.home_site)
        .where(_H.c.site == code, _H.c.state == rules.ASKED)
        .order_by(_H.c.since, _R.c.number)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
    return [
        ToTakeOver(r.request, r.number, r.home_site, _days(r.days), r.since)
        for r in rows
        if now - r.since >= timedelta(minutes=policies.policy(r.policy).int("guest_take_over_minutes"))
    ]


def to_sign(house: House, actor: Actor, code: str) -> list[ToTakeOver]:
    """Beforehand too: requests approved at home that this site has not accepted yet, and permits that pause for a new
    order. What waits for the signature alone is on `read.waiting`."""
    if not may(house, actor, "guest.countersign", code):
        return []
    query = (
        sa.select(_H.c.request, _H.c.home_site, _H.c.since, _R.c.number, _R.c.days)
        .join_from(_H, _R, _R.c.id == _H.c.request)
        .where(_H.c.site == code, _H.c.state == rules.PAUSED, _last_pause(_H.c.request) == "countersign")
        .order_by(_H.c.since, _R.c.number)
    )
    with house.read() as tx:
        return [ToTakeOver(r.request, r.number, r.home_site, _days(r.days), r.since) for r in tx.execute(query)]


def load(found: list[IncomingDay]) -> Counter:
    """How many places are taken, free and over over all the days."""
    total: Counter = Counter()
    for each in found:
        places = each.opening.places if each.opening else 0
        total["taken"] += each.taken
        total["places"] += places
        total["over"] += max(0, each.taken - places)
    return total


def _last_pause(request) -> sa.ScalarSelect:
    s = guest.guest_step
    return (
        sa.select(s.c.reason)
        .where(s.c.request == request, s.c.action == "pause")
        .order_by(s.c.number.desc())
        .limit(1)
        .correlate(_H)
        .scalar_subquery()
    )


def _days(text: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in loads(text))
