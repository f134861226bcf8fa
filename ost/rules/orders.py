"""What a prescriber hears when writing an order: the counter's own checks, asked before the ink is dry.

The same functions decide here and at the counter, so that no order is accepted
that the counter would have to refuse on its first day for its size. Also the
arithmetic of a chain of orders: what was ordered before, and when it last went
up. Decides nothing about a dose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from ost.rules import checks_dose
from ost.rules.facts import DoseFacts, Reason
from ost.rules.findings import NOTE, STOP, Found, lift, make_case, stop
from ost.rules.policy import Policy
from ost.rules.schedule import covers

#: About one order's size; the totals of a day are asked with all slots together.
OWN = (checks_dose.first_dose, checks_dose.steps)
TOTALS = (checks_dose.first_day, checks_dose.day_ceiling, checks_dose.second_look)


@dataclass(frozen=True, slots=True)
class PastOrder:
    """One order of a slot's chain. `stopped_on`: the day it was ended by hand, that day included or not as below."""

    id: str
    medicine: str
    dose_ug: int
    starts_on: date
    ends_on: date | None
    ended_on: date | None  # dosing day on which it was changed or stopped; in force until the day before
    days: tuple[int, ...]
    previous_dose_ug: int | None = None
    last_increase_on: date | None = None
    episode_started_on: date | None = None

    def in_force(self, day: date) -> bool:
        if day < self.starts_on or (self.ends_on is not None and day > self.ends_on):
            return False
        return self.ended_on is None or day < self.ended_on

    @property
    def last_day(self) -> date | None:
        """The last day it was in force; None: still is. May lie before `starts_on`: then it never was."""
        ends = [d for d in (self.ends_on, self.ended_on and self.ended_on - timedelta(days=1)) if d]
        return min(ends, default=None)


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an order that starts on a day has to know of those before it."""

    episode_started_on: date
    previous_dose_ug: int | None
    last_increase_on: date | None  # this order's own increase included
    week_ago_dose_ug: int | None
    increase_before_on: date | None
    previous_days: tuple[int, ...] | None
    new_episode: bool


def lineage(
    dose_ug: int,
    starts_on: date,
    past: Sequence[PastOrder],
    *,
    new_induction: bool,
    last_swallow_on: date | None,
    episode_gap_days: int,
) -> Lineage:
    """`past`: the slot's orders of the same medicine family, in any order.

    A new episode begins with the first order ever, and with a new induction
    after a gap of `episode_gap_days` without a confirmed swallow (or, where
    nothing was ever swallowed, without an order). Orders replaced before they
    were in force for a day leave no trace: two changes on one day are one step.
    """
    before = [o for o in past if o.starts_on < starts_on and (o.last_day is None or o.last_day >= o.starts_on)]
    latest = max(before, key=lambda o: (o.last_day or date.max, o.starts_on), default=None)
    seen = last_swallow_on or (latest.last_day or starts_on if latest else None)
    gap = seen is None or (starts_on - seen).days > episode_gap_days
    started = next((o.episode_started_on for o in (latest, *past) if o and o.episode_started_on), None)
    if latest is None:
        return Lineage(started or starts_on, None, None, None, None, None, started is None)
    if new_induction and gap:
        return Lineage(starts_on, None, None, None, None, latest.days, True)
    risen = latest.last_increase_on
    week_ago = starts_on - timedelta(days=7)
    then = max((o for o in before if o.in_force(week_ago)), key=lambda o: o.starts_on, default=None)
    return Lineage(
        episode_started_on=started or latest.starts_on,
        previous_dose_ug=latest.dose_ug,
        last_increase_on=starts_on if dose_ug > latest.dose_ug else risen,
        week_ago_dose_ug=then.dose_ug if then else None,
        increase_before_on=risen,
        previous_days=latest.days,
        new_episode=False,
    )


def check_order(
    facts: DoseFacts,
    policy: Policy,
    now: datetime,
    *,
    other_slots_ug: int = 0,
    approved: frozenset[str] = frozenset(),
) -> tuple[Reason, ...]:
    """Every reason the size of `facts.order` gives, on `facts.day` (its first day), stops first.

    `other_slots_ug`: what the person's other slots have ordered on that day.
    Sign-offs among the facts have turned their stops into notes already.
    """
    order = facts.order
    if order is None or not covers(order, facts.day):
        raise ValueError("an order is checked on a day it covers")
    earlier = tuple(dose for dose in facts.past if dose.day < facts.day)
    facts = replace(facts, past=earlier)
    whole = replace(facts, order=replace(order, dose_ug=order.dose_ug + other_slots_ug))
    found: list[Found] = []
    if order.medicine not in policy.list("medicines_with_rules", facts.day):
        found.append(stop("medicine_without_rules", medicine=order.medicine, policy=policy.name))
    for checks, seen in ((OWN, facts), (TOTALS, whole)):
        case = make_case(seen, policy, now, True, approved)
        found += [lifted for check in checks for each in check(case) for lifted in lift(each, case)]
    case = make_case(facts, policy, now, True, approved)
    # Missed days are for the counter to act on; here they tell which order would help.
    found += [replace(each, reason=_as_note(each.reason)) for each in checks_dose.missed_days(case)]
    return tuple(sorted((f.reason for f in found), key=lambda r: (r.tier != STOP, r.tier == NOTE, r.code)))


def _as_note(reason: Reason) -> Reason:
    return replace(reason, tier=NOTE, needs_signoff=False)
