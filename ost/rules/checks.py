"""Checks on the person, the place, the order, the slot, the clock and the bottle.

Each looks at one question and returns what it found; none decides. Numbers come
from the policy, where their sources stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from ost.rules.amounts import LIQUID, UNITS, NotMeasurable, format_mg, format_ml, volume_ul
from ost.rules.checks_guest import acts_here
from ost.rules.facts import NOT_GIVEN, OUTCOMES, PARTLY, PHASES, SWALLOWED, TOO_MUCH, DoseFacts, PastDose
from ost.rules.findings import NOTE, REASON, Case, Found, note, stop
from ost.rules.medicines import FAMILIES, family
from ost.rules.missed_doses import possibly_swallowed
from ost.rules.schedule import due_on, next_due

DOSED = (SWALLOWED, PARTLY, TOO_MUCH)


def _instants(facts: DoseFacts) -> Iterator[tuple[str, datetime]]:
    """Every instant of the past in the facts."""
    for dose in facts.past:
        yield "past", dose.promised_at
        if dose.given_at is not None:
            yield "past", dose.given_at
    if facts.slot_state.promised_at is not None:
        yield "slot", facts.slot_state.promised_at
    for exposure in facts.exposures:
        yield "exposure", exposure.at


def not_understood(facts: DoseFacts, now: datetime) -> set[str]:
    """Names of facts that no check can read: then nothing is decided at all."""
    unclear = {name for name, at in [("now", now), *_instants(facts)] if at.tzinfo is None}
    order = facts.order
    if order is not None:
        if order.stopped_at is not None and order.stopped_at.tzinfo is None:
            unclear.add("order.stopped_at")
        if order.phase not in PHASES:
            unclear.add("order.phase")
        if type(order.dose_ug) is not int or order.dose_ug <= 0:
            unclear.add("order.dose_ug")
        if order.slot != facts.slot:
            unclear.add("order.slot")
        if not order.days or set(order.days) - set(range(1, 8)):
            unclear.add("order.days")
        if order.shortest_gap_h is not None and order.shortest_gap_h < 0:
            unclear.add("order.shortest_gap_h")
    for outcome in [dose.outcome for dose in facts.past] + [facts.slot_state.outcome]:
        if outcome is not None and outcome not in OUTCOMES:
            unclear.add("outcome")
    for dose in facts.past:
        if min(dose.ordered_ug, dose.promised_ug) <= 0 or (dose.swallowed_ug or 0) < 0:
            unclear.add("past")
    if any(s.dose_ug is not None and s.dose_ug <= 0 for s in facts.signoffs):
        unclear.add("signoff.dose_ug")
    if facts.slot_state.replacement_ug is not None and facts.slot_state.replacement_ug <= 0:
        unclear.add("slot.replacement_ug")
    return unclear


def patient(case: Case) -> Iterator[Found]:
    if not case.facts.patient_active:
        yield stop("patient_not_active")


def site(case: Case) -> Iterator[Found]:
    if not case.facts.site_active:
        yield stop("site_not_active", site=case.facts.site)
    # A permit of this site has reasons of its own (`checks_guest`).
    named_by_permit = case.facts.guest is not None and case.facts.guest.site == case.facts.site
    if case.order is not None and case.facts.site not in case.order.sites and not named_by_permit:
        yield stop("site_not_allowed", site=case.facts.site)


def medicine(case: Case) -> Iterator[Found]:
    if case.order is None:
        return
    wanted = case.order.medicine
    rules, designation = case.value("medicines_with_rules"), case.value("site_medicine_designation")
    if wanted not in rules.value or family(wanted) not in FAMILIES:
        yield stop("medicine_without_rules", medicine=wanted, policy=case.policy.name)
    if designation.value and wanted not in case.facts.site_medicines:
        yield case.enforced("medicine_not_at_site", designation, medicine=wanted, site=case.facts.site)


def order_in_force(case: Case) -> Iterator[Found]:
    order, day = case.order, case.facts.day
    if order is None:
        yield stop("no_order", slot=case.facts.slot)
        return
    if order.stopped_at is not None:
        # A stop that is written holds, also where this clock lies behind the one that wrote it.
        yield stop("order_stopped", stopped_at=order.stopped_at)
    if day < order.starts_on:
        yield stop("order_not_started", starts_on=order.starts_on)
    elif order.ends_on is not None and day > order.ends_on:
        yield stop("order_ended", ends_on=order.ends_on)
    elif not due_on(order, day):
        yield stop("not_due_today", next_due_on=next_due(order, day))


def slot_free(case: Case) -> Iterator[Found]:
    """One dose per person, day and slot, at whichever site. An attempt without outcome holds its slot too."""
    state, facts = case.facts.slot_state, case.facts
    if state.attempt_id is not None:
        yield _slot_taken(state.outcome, state.site, state.promised_at)
        return
    if state.replacement_ordered:
        return  # a prescriber saw the doses of this slot and ordered another
    for dose in facts.past:
        # The slot says free and the past says used: the stricter of the two holds.
        if dose.day == facts.day and dose.slot == facts.slot and dose.outcome != NOT_GIVEN:
            yield _slot_taken(dose.outcome, dose.site, dose.promised_at)


def _slot_taken(outcome: str | None, where: str | None, at: datetime | None) -> Found:
    if outcome is None:
        return stop("attempt_unresolved", site=where, at=at)
    if outcome in DOSED:
        return stop("already_dosed_today", site=where, at=at)
    return stop("slot_used", site=where, at=at, outcome=outcome)


def _of_this_slot(case: Case, dose: PastDose) -> bool:
    return dose.day == case.facts.day and dose.slot == case.facts.slot


def unresolved_earlier(case: Case) -> Iterator[Found]:
    """A forgotten tap strands nobody: it is shown, and the other checks weigh it the stricter way."""
    value = case.value("unresolved_earlier_dose")
    for dose in case.facts.past:
        if value.value and dose.outcome is None and not _of_this_slot(case, dose):
            yield case.enforced("unresolved_earlier", value, day=dose.day, site=dose.site)


def clock(case: Case) -> Iterator[Found]:
    """A past that lies in the future, or a day that is not today: a clock is wrong, and no gap can be trusted."""
    facts, now = case.facts, case.now
    latest = max((at for _, at in _instants(facts)), default=None)
    if latest is not None and latest > now:
        yield stop("clock_set_back", latest_at=latest)
    later_days = [dose.day for dose in facts.past if dose.day > facts.day]
    # Zones reach a day to either side of UTC, no further.
    if later_days or abs((now.date() - facts.day).days) > 1:
        yield stop("day_not_today", day=max([facts.day, *later_days]))


def gap(case: Case) -> Iterator[Found]:
    """Hours since the last possible swallow of anything: unknown and vomited doses count as swallowed here."""
    facts, order, now = case.facts, case.order, case.now
    replaced = facts.slot_state.replacement_ordered
    times = [
        dose.given_at or dose.promised_at
        for dose in facts.past
        if possibly_swallowed(dose) and not (replaced and _of_this_slot(case, dose))
    ]
    if not times or order is None:
        return
    last = max(times)
    # The strictest rule first; one reason is enough. An order's own gap replaces the policy's.
    own = case.value("order_gap")
    rules = [("gap_very_short", "gap_signoff_under_hours"), ("gap_short", "gap_reason_under_hours")]
    limits = [(code, case.value(key), case.value(key).value) for code, key in rules]
    if order.shortest_gap_h is not None and own.value:
        limits = [("gap_short_of_order", own, order.shortest_gap_h)]
    for code, value, hours in limits:
        earliest = last + timedelta(hours=hours)
        if now < earliest:
            whole_hours = max(0, (now - last) // timedelta(hours=1))
            yield case.enforced(code, value, hours=whole_hours, limit_h=hours, earliest_at=earliest)
            return


def intoxication(case: Case) -> Iterator[Found]:
    value, seen = case.value("intoxication_check"), case.facts.observed.intoxication
    if seen:
        yield case.enforced("intoxicated", value, signs=", ".join(sorted(seen)))
    elif seen is None and value.value:
        # One tap settles it: "reason", and only the check itself lifts it, no coded answer.
        tier = NOTE if case.before_check else REASON
        yield case.enforced("intoxication_not_checked", value, as_=tier).unanswerable()


def holds(case: Case) -> Iterator[Found]:
    never_blocking = case.value("hold_reasons_never_blocking").value
    for hold in case.facts.holds:
        if hold.blocks and hold.reason_code not in never_blocking and acts_here(hold, case.facts):
            yield stop(
                "on_hold",
                reason_code=hold.reason_code,
                since=hold.since,
                come_back_on=hold.come_back_on,
                call=hold.call,
            )
        else:
            yield note("hold_note", reason_code=hold.reason_code, since=hold.since)


def exposures(case: Case) -> Iterator[Found]:
    for exposure in case.facts.exposures:
        if not exposure.cleared:
            amount = None if exposure.amount_ug is None else format_mg(exposure.amount_ug)
            yield stop("exposure_uncleared", day=exposure.day, amount_mg=amount)


def bottle(case: Case) -> Iterator[Found]:
    """The right medicine, here, open and in date. How much is left is `measure`'s question."""
    facts, found, order = case.facts, case.facts.bottle, case.order
    if found is None:
        yield stop("bottle_none", medicine=order.medicine if order else None)
        return
    if found.unit not in UNITS or found.strength_ug_per_ml <= 0:
        yield stop("bottle_not_understood", bottle=found.id)
    if found.state != "open":
        yield stop("bottle_not_open", bottle=found.id, state=found.state)
    if found.site != facts.site:
        yield stop("bottle_other_site", bottle=found.id, site=found.site)
    if order is not None and found.medicine != order.medicine:
        yield stop("bottle_wrong_medicine", bottle=found.id, found=found.medicine, medicine=order.medicine)
    if found.expires_on < facts.day:
        yield stop("bottle_expired", bottle=found.id, expires_on=found.expires_on)
    others = sorted(set(facts.other_open_strengths) - {found.strength_ug_per_ml})
    if others:
        yield note(
            "two_strengths_open",
            bottle=found.id,
            strength_mg=format_mg(found.strength_ug_per_ml),
            others_mg=", ".join(format_mg(strength) for strength in others),
        )


def measure(case: Case, dose_ug: int) -> tuple[int | None, list[Found]]:
    """The volume of the dose from this bottle, and why it cannot be taken from it."""
    found, order = case.facts.bottle, case.order
    usable = found is not None and found.unit in UNITS and found.strength_ug_per_ml > 0
    if found is None or not usable or order is None or found.medicine != order.medicine:
        return None, []  # said by `bottle`; a volume of the wrong medicine is never shown
    try:
        volume = volume_ul(dose_ug, found.strength_ug_per_ml, found.unit, found.halves)
    except NotMeasurable as error:
        return None, [stop(error.code, **error.data)]
    if volume <= found.balance_ul:
        return volume, []
    left, needed = format_ml(found.balance_ul), format_ml(volume)
    if found.unit == LIQUID:
        return volume, [stop("bottle_not_enough", bottle=found.id, left_ml=left, needed_ml=needed)]
    return volume, [stop("bottle_not_enough_tablets", bottle=found.id, left=left, needed=needed)]
