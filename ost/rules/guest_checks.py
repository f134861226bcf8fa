"""What stands against dosing somebody at another site on certain days, and what only a prescriber should weigh.

Plain functions on frozen facts; none decides alone. A reason's tier says what it
means: "stop" blocks the request, "reason" keeps it from being approved by rule
(a prescriber sees it and decides), "note" is shown beside it. Numbers come from
the policy, where their sources stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from ost.rules.amounts import format_mg
from ost.rules.facts import MAINTENANCE, NOT_GIVEN, DoseFacts, OrderFacts, Reason
from ost.rules.findings import NOTE, REASON, STOP, Found, note, stop
from ost.rules.medicines import FAMILIES, family
from ost.rules.missed_doses import increased_on, missed_days, missed_step
from ost.rules.policy import Policy

#: Orders that end this soon after the stay are shown: the person comes home to none.
ENDS_SOON_DAYS = 7


@dataclass(frozen=True, slots=True)
class OpenThere:
    """The guest site on a day on which it doses. Times are "HH:MM" on its own clock."""

    day: date
    opens: str
    last_dose: str
    closes: str
    places: int
    free: int
    at_once: int


@dataclass(frozen=True, slots=True)
class GuestFacts:
    """Everything one look at a request sees."""

    dose: DoseFacts  # the person at their home site today: order, past, holds, exposures
    orders: tuple[OrderFacts, ...]  # every order that was not stopped, by slot and first day
    days: tuple[date, ...]  # asked for, in order
    site: str
    site_listed: bool  # active and taking guests
    site_medicines: tuple[str, ...]
    there_today: date  # the day at the guest site
    there_now: str  # "HH:MM" at the guest site
    first_opens_at: datetime | None  # when the guest site opens on the first day, None = closed
    open_there: tuple[OpenThere, ...] = ()
    other_places: tuple[tuple[date, str], ...] = ()  # the person's places on these days for other requests
    stay_days: int = 0  # days at that site in a row with these, earlier and later bookings included
    holds_places: bool = False  # the request has its places: free ones no longer matter
    lost_places: tuple[date, ...] = ()  # but on these days, where a closure took them
    consent: str | None = None
    consent_until: date | None = None  # of a consent that reaches this site; None = there is none

    @property
    def today(self) -> date:
        return self.dose.day


@dataclass(frozen=True, slots=True)
class _Case:
    facts: GuestFacts
    policy: Policy
    now: datetime
    used: tuple[OrderFacts, ...] = field(default=())


def _enforced(case: _Case, code: str, key: str, **data) -> Found:
    """In the tier its policy value asks for; what a sign-off lifts is left to the prescriber."""
    value = case.policy.value(key, case.facts.today)
    tier = {"stop": STOP, "note": NOTE}.get(value.enforcement, REASON)
    found = stop(code, **data)
    return replace(found, reason=replace(found.reason, tier=tier, weak_source=value.needs_approval))


def orders_on(orders: Iterable[OrderFacts], day: date) -> tuple[OrderFacts, ...]:
    """The orders whose dates cover `day`, one a slot: the first that does."""
    by_slot: dict[int, OrderFacts] = {}
    for order in orders:
        covers = order.starts_on <= day and (order.ends_on is None or day <= order.ends_on)
        if covers and order.stopped_at is None:
            by_slot.setdefault(order.slot, order)
    return tuple(by_slot[slot] for slot in sorted(by_slot))


def orders_used(facts: GuestFacts) -> tuple[OrderFacts, ...]:
    """Every order a dose of these days would rest on, by slot and first day."""
    found = {o.id: o for day in facts.days for o in orders_on(facts.orders, day) if day.isoweekday() in o.days}
    return tuple(sorted(found.values(), key=lambda o: (o.slot, o.starts_on, o.id)))


# --- the person ------------------------------------------------------------------


def _person(case: _Case) -> Iterator[Found]:
    facts = case.facts.dose
    if not facts.patient_active:
        yield stop("patient_not_active")
    never_blocking = case.policy.list("hold_reasons_never_blocking", case.facts.today)
    for hold in facts.holds:
        # Holds are clinical or administrative; only clinical ones travel (DESIGN.md, "One guest dose").
        if hold.kind == "clinical" and hold.blocks and hold.reason_code not in never_blocking:
            yield stop(
                "on_hold",
                reason_code=hold.reason_code,
                since=hold.since,
                come_back_on=hold.come_back_on,
                call=hold.call,
            )
        else:
            yield note("hold_note", reason_code=hold.reason_code, since=hold.since)
    for exposure in facts.exposures:
        if not exposure.cleared:
            amount = None if exposure.amount_ug is None else format_mg(exposure.amount_ug)
            yield stop("exposure_uncleared", day=exposure.day, amount_mg=amount)


def _missed(case: _Case) -> Iterator[Found]:
    """Missed days that ask for a prescriber at home are not carried to another site; fewer are shown."""
    facts, policy = case.facts.dose, case.policy
    if facts.order is None or family(facts.order.medicine) not in FAMILIES:
        return
    missed = missed_days(facts, policy)
    step = missed_step(facts, policy, missed)
    if step is None:
        return
    data = {"days": step.days, "last_swallow_on": step.last_swallow_on}
    travels = step.enforcement not in ("signoff", STOP)
    yield note("missed_days_note", **data) if travels else stop("guest_missed_days", **data)
    for day in missed.unknown_days:
        where = next(d.site for d in facts.past if d.day == day and d.outcome is None)
        yield note("unresolved_earlier", day=day, site=where)


def _stable(case: _Case) -> Iterator[Found]:
    limit = case.policy.int("guest_stable_days", case.facts.today)
    changes, phases = [], set()
    for order in case.used:
        if order.phase != MAINTENANCE:
            phases.add(order.phase)
        if order.previous_dose_ug != order.dose_ug:
            changes.append(order.starts_on)
        changes.append(increased_on(order))
    for phase in sorted(phases):
        yield _enforced(case, "guest_not_maintenance", "guest_stable_days", phase=phase)
    changed = max(filter(None, changes), default=None)
    if changed is not None and (case.facts.today - changed).days < limit:
        yield _enforced(case, "guest_dose_changed", "guest_stable_days", changed_on=changed, limit_days=limit)


def _ordered(case: _Case) -> Iterator[Found]:
    facts = case.facts
    for day in facts.days:
        orders = orders_on(facts.orders, day)
        if not orders:
            yield stop("guest_no_order", day=day)
        elif not any(day.isoweekday() in order.days for order in orders):
            yield stop("guest_not_due", day=day)
    last = facts.days[-1]
    ends = min((o.ends_on for o in orders_on(facts.orders, last) if o.ends_on is not None), default=None)
    if ends is not None and (ends - last).days <= ENDS_SOON_DAYS:
        yield note("guest_order_ends_soon", ends_on=ends, days=(ends - last).days)


def _consent(case: _Case) -> Iterator[Found]:
    until = case.facts.consent_until
    if until is None or until < case.facts.days[-1]:
        yield stop("guest_consent_missing", last_day=case.facts.days[-1])


# --- the days --------------------------------------------------------------------


def _days(case: _Case) -> Iterator[Found]:
    facts = case.facts
    ahead = case.policy.int("guest_ahead_days")
    other = dict(facts.other_places)
    dosed = {
        (dose.day, dose.slot): dose.site for dose in facts.dose.past if dose.outcome != NOT_GIVEN
    }
    for day in facts.days:
        if day < facts.today:
            yield stop("guest_day_past", day=day)
        elif (day - facts.today).days > ahead:
            yield stop("guest_day_too_far", day=day, limit_days=ahead)
        if day in other:
            yield stop("guest_booked_elsewhere", day=day, site=other[day])
        slots = {o.slot for o in orders_on(facts.orders, day) if day.isoweekday() in o.days}
        if slots and all((day, slot) in dosed for slot in slots):
            yield stop("guest_dosed_already", day=day, site=dosed[day, min(slots)])
    limit = case.policy.int("guest_longest_stay_days", facts.today)
    if facts.stay_days > limit:
        yield _enforced(case, "guest_long_stay", "guest_longest_stay_days", days=facts.stay_days, limit_days=limit)
    notice = case.policy.int("guest_notice_hours")
    if facts.first_opens_at is not None and facts.first_opens_at - case.now < timedelta(hours=notice):
        hours = max(0, (facts.first_opens_at - case.now) // timedelta(hours=1))
        # A target, never a block (DOMAIN.md section 4).
        yield note("guest_short_notice", hours=hours, limit_h=notice)


# --- the place -------------------------------------------------------------------


def _place(case: _Case) -> Iterator[Found]:
    facts = case.facts
    if facts.site == facts.dose.home_site:
        yield stop("guest_own_site", site=facts.site)
        return
    if not facts.site_listed:
        yield stop("guest_site_not_open_to_guests", site=facts.site)
        return
    if case.policy.bool("site_medicine_designation", facts.today):
        for medicine in sorted({order.medicine for order in case.used} - set(facts.site_medicines)):
            yield stop("guest_site_without_medicine", medicine=medicine, site=facts.site)
    by_day = {each.day: each for each in facts.open_there}
    for day in facts.days:
        there = by_day.get(day)
        if there is None:
            yield stop("guest_day_closed", day=day, site=facts.site)
        elif day == facts.there_today and facts.there_now > there.last_dose:
            yield stop("guest_day_too_late", day=day, site=facts.site, last_dose=there.last_dose)
        elif there.free < 1 and (not facts.holds_places or day in facts.lost_places):
            yield stop("guest_day_full", day=day, site=facts.site)


CHECKS: tuple[Callable[[_Case], Iterator[Found]], ...] = (
    _person,
    _missed,
    _stable,
    _ordered,
    _consent,
    _days,
    _place,
)
_STRICT = (NOTE, REASON, STOP)


def findings(facts: GuestFacts, policies: Iterable[Policy], now: datetime) -> tuple[Reason, ...]:
    """All reasons at once, under every pack that applies: the stricter one of each wins. Blocking ones first."""
    if not facts.days or list(facts.days) != sorted(set(facts.days)):
        raise ValueError("days in order, each once")
    used = orders_used(facts)
    kept: dict[tuple, Reason] = {}
    for policy in policies:
        case = _Case(facts, policy, now, used)
        for check in CHECKS:
            for found in check(case):
                reason = found.reason
                which = (reason.code, reason.data.get("day"), reason.data.get("since"), reason.data.get("phase"))
                old = kept.get(which)
                if old is None or _STRICT.index(reason.tier) > _STRICT.index(old.tier):
                    kept[which] = reason
    return tuple(sorted(kept.values(), key=lambda r: -_STRICT.index(r.tier)))


def blocking(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(r for r in reasons if r.tier == STOP)


def for_a_prescriber(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """What keeps a rule from approving: a person has to."""
    return tuple(r for r in reasons if r.tier == REASON)


def of_day(reasons: Iterable[Reason], day: date) -> tuple[Reason, ...]:
    """What is said of one day."""
    return tuple(r for r in reasons if r.data.get("day") == day.isoformat())

