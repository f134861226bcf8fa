"""Checks on the size of the dose: missed days, first doses, increases, ceilings.

Each returns what it found; none decides. Numbers come from the policy, where
their sources stand (DOMAIN.md section 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ost.rules import missed_doses as m
from ost.rules import policy_keys as k
from ost.rules.amounts import format_mg
from ost.rules.facts import OrderFacts, PastDose
from ost.rules.findings import Case, Found, note, stop
from ost.rules.medicines import BUPRENORPHINE, METHADONE, family
from ost.rules.policy import Policy

_CODE_OF_ACT = {
    k.NOTE: "missed_days_note",
    k.HALF: "missed_days_half_dose",
    k.HALF_CAPPED: "missed_days_see_prescriber",
    k.PRESCRIBER: "missed_days_prescriber",
    k.NEW_INDUCTION: "new_induction_needed",
}


def missed_days(case: Case) -> Iterator[Found]:
    """The row of the policy's table, on the tolerance clock."""
    step = m.missed_step(case.facts, case.policy, case.missed) if case.missed else None
    if step is None:
        return
    days, last = step.days, step.last_swallow_on
    if step.act != k.NO_CHANGE:
        data: dict[str, object] = {"days": days, "last_swallow_on": last}
        if step.act in (k.HALF, k.HALF_CAPPED):
            data["proposed_mg"] = format_mg(step.proposed_dose_ug or 0)
        code = "missed_days_early" if step.early else _CODE_OF_ACT[step.act]
        yield case.enforced(code, step.value, as_=step.enforcement, dose_ug=step.proposed_dose_ug, **data)
    if step.review:
        value = case.value("episode_gap_days")
        yield case.enforced(
            "treatment_gap_review", value, days=days, limit_days=value.value, last_swallow_on=last
        )


def vomited_before(case: Case) -> Iterator[Found]:
    """The dose before this one was vomited: the prescriber may want to know, and nothing is replaced by itself."""
    latest = max(case.facts.past, key=lambda dose: (dose.day, dose.promised_at, dose.id), default=None)
    if latest is not None and latest.vomited_minutes is not None:
        minutes = latest.vomited_minutes or None  # 0: nobody knows when
        yield note("vomited_before", day=latest.day, minutes=minutes)


def replacement(case: Case) -> Iterator[Found]:
    """What was ordered in place of a lost dose; never more than what the body did not keep of the order."""
    state, order, facts = case.facts.slot_state, case.order, case.facts
    if not state.replacement_ordered or order is None:
        return
    before = [dose for dose in facts.past if dose.day == facts.day and dose.slot == facts.slot]
    room = order.dose_ug - sum(m.kept_ug(dose) for dose in before)
    if room <= 0:
        latest = max(before, key=lambda dose: (dose.promised_at, dose.id))
        yield stop("already_dosed_today", site=latest.site, at=latest.promised_at)
        return
    dose = min(room, state.replacement_ug or room)
    yield note("replacement_dose", dose, dose_mg=format_mg(dose))


def _is_first(case: Case) -> bool:
    order, missed = case.order, case.missed
    return (
        order is not None and missed is not None and m.first_dose(order, missed, case.policy, case.facts.day)
    )


def first_dose(case: Case) -> Iterator[Found]:
    order = case.order
    if order is None or family(order.medicine) != METHADONE or not _is_first(case):
        return
    watch = case.value("methadone_first_dose_watch_minutes")
    yield case.enforced("first_dose_watch", watch, minutes=watch.value)
    most = case.value("methadone_first_dose_max_ug")
    if order.dose_ug > most.value:
        yield _above("first_dose_above_max", case, most, order.dose_ug)
        return  # no sign-off below it could help
    usual, low = (
        case.value("methadone_first_dose_usual_ug"),
        case.value("methadone_first_dose_low_tolerance_ug"),
    )
    if case.facts.low_tolerance and order.dose_ug > low.value:
        yield _above("first_dose_low_tolerance", case, low, order.dose_ug)
    elif order.dose_ug > usual.value:
        yield _above("first_dose_above_usual", case, usual, order.dose_ug)


def _above(code: str, case: Case, limit, dose_ug: int) -> Found:
    return case.enforced(code, limit, dose_mg=format_mg(dose_ug), limit_mg=format_mg(limit.value))


def _total_today(case: Case, order: OrderFacts) -> int:
    """This dose and whatever may have been swallowed today already, in any slot."""
    before = sum(
        max(dose.promised_ug, dose.swallowed_ug or 0)
        for dose in case.facts.past
        if dose.day == case.facts.day
        and m.possibly_swallowed(dose)
        and family(dose.medicine) == family(order.medicine)
    )
    return before + order.dose_ug


def first_day(case: Case) -> Iterator[Found]:
    order = case.order
    if order is None or not _is_first(case):
        return
    limit = case.value(f"{family(order.medicine)}_first_day_max_ug")
    yield from _total_above("first_day_above_max", case, order, limit)


def day_ceiling(case: Case) -> Iterator[Found]:
    order = case.order
    if order is None or family(order.medicine) not in (METHADONE, BUPRENORPHINE):
        return
    limit = case.value(f"{family(order.medicine)}_day_max_ug")
    if limit.value:
        yield from _total_above("day_above_max", case, order, limit)


def _total_above(code: str, case: Case, order: OrderFacts, limit) -> Iterator[Found]:
    total = _total_today(case, order)
    if total > limit.value:
        yield case.enforced(code, limit, total_mg=format_mg(total), limit_mg=format_mg(limit.value))


def second_look(case: Case) -> Iterator[Found]:
    order = case.order
    if order is None or family(order.medicine) not in (METHADONE, BUPRENORPHINE):
        return
    limit = case.value(f"{family(order.medicine)}_second_look_above_ug")
    total = _total_today(case, order)
    if total > limit.value:
        yield _above("second_look", case, limit, total)


def _taken_before(order: OrderFacts, past: tuple[PastDose, ...], policy: Policy, day) -> bool:
    """Whether this order's dose was once swallowed whole and kept: then the step has been taken."""
    minutes = policy.int("vomit_minutes", day)
    return any(
        order.starts_on <= dose.day < day
        and family(dose.medicine) == family(order.medicine)
        and dose.slot == order.slot
        and m.swallowed_ug(dose, unknown_as_swallowed=False) >= order.dose_ug
        and (dose.vomited_minutes is None or dose.vomited_minutes > minutes)
        for dose in past
    )


def steps(case: Case) -> Iterator[Found]:
    """Increases: one step, the days between two, the sum of a week. Asked until the new dose was swallowed once."""
    order, facts = case.order, case.facts
    if order is None or family(order.medicine) != METHADONE or not order.previous_dose_ug:
        return
    if order.dose_ug <= order.previous_dose_ug or _taken_before(order, facts.past, case.policy, facts.day):
        return
    rise, limit = order.dose_ug - order.previous_dose_ug, case.value("methadone_step_max_ug")
    if rise > limit.value:
        yield _step("step_too_large", case, limit, order.previous_dose_ug, order.dose_ug)
    before, limit = _increase_before(order), case.value("methadone_step_min_days")
    if before is not None and (order.starts_on - before).days < limit.value:
        days = (order.starts_on - before).days
        yield case.enforced(
            "step_too_soon", limit, days=days, limit_days=limit.value, last_increase_on=before
        )
    base, limit = _week_ago(order, facts.past), case.value("methadone_week_increase_max_ug")
    if base and order.dose_ug - base > limit.value:
        yield _step("week_increase_too_large", case, limit, base, order.dose_ug)


def _step(code: str, case: Case, limit, from_ug: int, to_ug: int) -> Found:
    return case.enforced(
        code, limit, from_mg=format_mg(from_ug), to_mg=format_mg(to_ug), limit_mg=format_mg(limit.value)
    )


def _increase_before(order: OrderFacts):
    """The increase before this order's own. `last_increase_on` is that one only if it lies before the order."""
    days = [d for d in (order.last_increase_on, order.increase_before_on) if d and d < order.starts_on]
    return max(days, default=None)


def _week_ago(order: OrderFacts, past: tuple[PastDose, ...]) -> int | None:
    """The dose a week before the order; in a first week the lowest dose ordered since."""
    if order.week_ago_dose_ug:
        return order.week_ago_dose_ug
    since = order.starts_on - timedelta(days=7)
    return min(
        (
            dose.ordered_ug
            for dose in past
            if since <= dose.day < order.starts_on
            and dose.slot == order.slot
            and family(dose.medicine) == family(order.medicine)
        ),
        default=None,
    )
