"""The tolerance clock: how long the body has been without its medicine, and what that asks for.

Never mixed with `attendance`: a sip or an excuse does not restore tolerance.
Numbers come from the policy; sources stand there and in DOMAIN.md section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ost.rules import policy_keys as k
from ost.rules.facts import (
    BY_OTHER,
    INDUCTION,
    NOT_GIVEN,
    PARTLY,
    SPAT_OUT,
    SWALLOWED,
    TOO_MUCH,
    DoseFacts,
    OrderFacts,
    PastDose,
)
from ost.rules.medicines import FAMILIES, family
from ost.rules.policy import ENFORCEMENTS, Policy, Value

ALL_DAYS = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class MissedDays:
    """Missed days in a row before the dosing day, by the two readings of doses without outcome."""

    count: int  # strict: what is not known was not swallowed
    count_if_swallowed: int  # what is not known was swallowed
    last_swallow_on: date | None  # strict; None = no confirmed swallow on record
    last_if_swallowed_on: date | None
    unknown_days: tuple[date, ...]  # earlier days with a dose of unknown outcome, oldest first


@dataclass(frozen=True, slots=True)
class Step:
    """What the missed days ask for. `proposed_dose_ug` None: no dose can be proposed."""

    act: str  # one of policy_keys.ACTS
    enforcement: str  # note | reason | signoff | stop
    proposed_dose_ug: int | None
    needs_signoff: bool
    new_induction: bool
    review: bool  # treatment is deemed ended: propose a review, never discharge
    early: bool  # asked for earlier than the table, in induction or after an increase
    days: int  # of the reading that acted
    last_swallow_on: date | None  # of the reading that acted
    value: Value  # the policy value that acted


def swallowed_ug(dose: PastDose, unknown_as_swallowed: bool) -> int:
    """What this dose surely put into the body, for the size of the next one.

    Vomiting is judged by `confirmed_swallow`, because it needs the policy's minutes.
    """
    if dose.outcome is None:
        return dose.promised_ug if unknown_as_swallowed else 0
    if dose.outcome in (SWALLOWED, TOO_MUCH):
        return dose.promised_ug if dose.swallowed_ug is None else dose.swallowed_ug
    if dose.outcome == PARTLY:
        return dose.swallowed_ug or 0
    # Spat out: some may have stayed, but nobody confirmed it. Not given, or swallowed by another: nothing.
    return 0


def kept_ug(dose: PastDose) -> int:
    """What was surely swallowed and not vomited at all: what a replacement must leave room for.

    How much of a vomited dose stayed is the prescriber's judgement, whatever the minutes.
    """
    return 0 if dose.vomited_minutes is not None else swallowed_ug(dose, unknown_as_swallowed=False)


def possibly_swallowed(dose: PastDose) -> bool:
    """Whether any of it may be in the body, for the earliest time of the next dose: unknown and vomited count."""
    if dose.outcome in (NOT_GIVEN, BY_OTHER):
        return False
    if dose.outcome == PARTLY:
        return dose.swallowed_ug is None or dose.swallowed_ug > 0
    return dose.outcome is None or dose.outcome in (SWALLOWED, TOO_MUCH, SPAT_OUT)


def confirmed_swallow(
    day_doses: Sequence[PastDose], percent: int, vomit_minutes: int, unknown_as_swallowed: bool = False
) -> bool:
    """Whether the doses of one day together reach `percent` of what was ordered for that day.

    A dose vomited within `vomit_minutes` (included) counts nothing.
    """
    by_slot: dict[int, int] = {}
    swallowed = 0
    for dose in day_doses:
        by_slot[dose.slot] = max(by_slot.get(dose.slot, 0), dose.ordered_ug)
        vomited = dose.vomited_minutes is not None and dose.vomited_minutes <= vomit_minutes
        swallowed += 0 if vomited else swallowed_ug(dose, unknown_as_swallowed)
    ordered = max(sum(by_slot.values()), *(dose.day_ordered_ug or 0 for dose in day_doses))
    return swallowed > 0 and swallowed * 100 >= ordered * percent


def days_without(
    order: OrderFacts, last_swallow_on: date | None, day: date, first_attempt_on: date | None = None
) -> int:
    """Days without cover: from the first due day that was not swallowed, up to the day before `day`.

    For a daily order this is the number of missed doses: Monday dosed, Friday
    back = 3. For an alternate-day order a missed dose counts as every calendar
    day it should have covered (Monday dosed, Wednesday missed, Friday back = 2),
    because the table of steps is about days without medicine, and a planned
    free day is not one. Before the order began, the weekdays of the order it
    replaced hold; where those are not known every day counts. With no swallow
    on record the count begins with the order, or with an earlier attempt.
    """
    if last_swallow_on is None:
        current = min(order.starts_on, first_attempt_on or order.starts_on)
    else:
        current = last_swallow_on + timedelta(days=1)
    while current < day:
        in_order = current >= order.starts_on
        pattern = (order.days if in_order else order.previous_days) or ALL_DAYS
        if current.isoweekday() in pattern:
            return (day - current).days
        current += timedelta(days=1)
    return 0


def count_missed(
    order: OrderFacts,
    past: Sequence[PastDose],
    last_swallow_on: date | None,
    day: date,
    percent: int,
    vomit_minutes: int,
) -> MissedDays:
    """`missed_days` on its parts, for lists of people (the queue).

    `last_swallow_on` may be older than `past`, or stand for a dose documented
    elsewhere (a hospital); where `past` has doses of that very day, they decide.
    Only days before `day` count, so that a reduced first slot today does not
    make the second slot look like an ordinary day. Only medicines of the same
    family count: another medicine is no tolerance to this one.
    """
    by_day: dict[date, list[PastDose]] = {}
    days_on_record = set()
    for dose in past:
        if dose.day < day:
            days_on_record.add(dose.day)
            if family(dose.medicine) == family(order.medicine):
                by_day.setdefault(dose.day, []).append(dose)

    def last(unknown_as_swallowed: bool) -> date | None:
        days = [
            d
            for d, doses in by_day.items()
            if confirmed_swallow(doses, percent, vomit_minutes, unknown_as_swallowed)
        ]
        if last_swallow_on is not None and last_swallow_on < day and last_swallow_on not in days_on_record:
            days.append(last_swallow_on)
        return max(days, default=None)

    strict, lenient, first = last(False), last(True), min(by_day, default=None)
    unknown = {d for d, doses in by_day.items() if any(dose.outcome is None for dose in doses)}
    return MissedDays(
        count=days_without(order, strict, day, first),
        count_if_swallowed=days_without(order, lenient, day, first),
        last_swallow_on=strict,
        last_if_swallowed_on=lenient,
        unknown_days=tuple(sorted(unknown)),
    )


def missed_days(facts: DoseFacts, policy: Policy) -> MissedDays | None:
    """The tolerance clock on the facts' day, None without an order."""
    if facts.order is None:
        return None
    return count_missed(
        facts.order,
        facts.past,
        facts.last_swallow_on,
        facts.day,
        policy.int("tolerance_swallow_percent", facts.day),
        policy.int("vomit_minutes", facts.day),
    )


def increased_on(order: OrderFacts) -> date | None:
    """The day the dose last went up, as far as the order knows."""
    own = order.starts_on if order.previous_dose_ug and order.previous_dose_ug < order.dose_ug else None
    return max((d for d in (own, order.last_increase_on, order.increase_before_on) if d), default=None)


def is_new_induction(order: OrderFacts, last_swallow_on: date | None, reinduct_from: int) -> bool:
    """An induction order written for somebody without tolerance: never dosed, or after a gap that took it away.

    The gap must have been that long on the day the order begins: a prescriber
    who wrote it on the third day did not know of the sixth.
    """
    if order.phase != INDUCTION:
        return False
    if last_swallow_on is None:
        return True
    return days_without(order, last_swallow_on, order.starts_on) >= reinduct_from


def reinduct_from(policy: Policy, medicine: str, day: date) -> int:
    """Missed days from which the table asks for a new induction."""
    rows = policy.steps(f"{family(medicine)}_missed_day_steps", day)
    return next((row["from_days"] for row in rows if row["act"] == k.NEW_INDUCTION), 10**6)


def first_dose(order: OrderFacts, missed: MissedDays, policy: Policy, day: date) -> bool:
    """Whether this would be a first dose: no confirmed swallow on record, or a new induction after a gap."""
    if missed.last_swallow_on is None:
        return True
    return is_new_induction(order, missed.last_swallow_on, reinduct_from(policy, order.medicine, day))


def proposed_dose(order_dose_ug: int, act: str, cap_ug: int | None) -> int | None:
    """The dose a step proposes. Half is rounded down to the microgram: never above what the table says."""
    if act == k.HALF:
        return order_dose_ug // 2
    if act == k.HALF_CAPPED:
        return min(order_dose_ug // 2, cap_ug or 0)
    if act == k.NEW_INDUCTION:
        return None
    return order_dose_ug


def missed_step(facts: DoseFacts, policy: Policy, missed: MissedDays) -> Step | None:
    """What the policy's table asks for, by the stricter of both readings; None where nothing is missed.

    Mostly the strict count is the stricter one. Not always: somebody in
    induction whose only dose has no outcome either has no tolerance (a first
    dose), or lost some of it since that dose, and only the second needs the
    prescriber.
    """
    if facts.order is None or family(facts.order.medicine) not in FAMILIES:
        return None
    readings = {
        (missed.count, missed.last_swallow_on),
        (missed.count_if_swallowed, missed.last_if_swallowed_on),
    }
    steps = [_step(facts.order, facts.day, policy, count, last) for count, last in readings]
    found = [step for step in steps if step is not None]
    return max(found, key=_strictness, default=None)


def _strictness(step: Step) -> tuple[int, int, int, bool]:
    return ENFORCEMENTS.index(step.enforcement), -(step.proposed_dose_ug or 0), step.days, step.review


def _step(
    order: OrderFacts, day: date, policy: Policy, count: int, last_swallow_on: date | None
) -> Step | None:
    """The row for one reading."""
    if count == 0 or (order.phase == INDUCTION and last_swallow_on is None):
        return None  # nothing missed; or never dosed: no tolerance to lose, and the first-dose ceilings hold
    value = policy.value(f"{family(order.medicine)}_missed_day_steps", day)
    row = [r for r in value.value if r["from_days"] <= count][-1]
    act, enforcement, early = row["act"], row["enforcement"], False
    if is_new_induction(order, last_swallow_on, reinduct_from(policy, order.medicine, day)):
        act, enforcement = k.NO_CHANGE, "note"
    elif act in (k.NO_CHANGE, k.NOTE) and _needs_prescriber_early(order, count, policy, day):
        value = policy.value("missed_days_early", day)
        act, enforcement, early = k.PRESCRIBER, value.enforcement, True
    return Step(
        act=act,
        enforcement=enforcement,
        proposed_dose_ug=proposed_dose(order.dose_ug, act, row.get("cap_ug")),
        needs_signoff=enforcement == "signoff",
        new_induction=act == k.NEW_INDUCTION,
        review=count >= policy.int("episode_gap_days", day),
        early=early,
        days=count,
        last_swallow_on=last_swallow_on,
        value=value,
    )


def _needs_prescriber_early(order: OrderFacts, count: int, policy: Policy, day: date) -> bool:
    if count < policy.int("missed_days_early", day):
        return False
    if order.phase == INDUCTION:
        return True
    increase = increased_on(order)
    # Seen from the first missed day: an increase was recent if it was so when the gap began.
    first_missed = day - timedelta(days=count)
    return increase is not None and (first_missed - increase).days <= policy.int("recent_increase_days", day)
