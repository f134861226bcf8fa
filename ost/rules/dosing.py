"""Give or refuse: one function, all reasons at once. Touches nothing.

The checks are small functions in `checks`, `checks_guest` and `checks_dose`; here they are
listed, weighed against sign-offs and coded answers, and the smallest dose any
of them proposes is measured. The last line refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ost.rules import checks, checks_dose, checks_guest
from ost.rules.amounts import format_mg
from ost.rules.facts import Decision, DoseFacts, Give, Reason, Refuse
from ost.rules.findings import NOTE, REASON, STOP, TIERS, Found, answered, lift, make_case, note, stop
from ost.rules.policy import Policy

#: Every check, each returning what it found. Order does not matter: reasons are sorted.
CHECKS = (
    checks.patient,
    checks.site,
    checks_guest.guest_day,
    checks.medicine,
    checks.order_in_force,
    checks.slot_free,
    checks.unresolved_earlier,
    checks.clock,
    checks.gap,
    checks.intoxication,
    checks.holds,
    checks.exposures,
    checks.bottle,
    checks_dose.missed_days,
    checks_dose.vomited_before,
    checks_dose.replacement,
    checks_dose.first_dose,
    checks_dose.first_day,
    checks_dose.steps,
    checks_dose.day_ceiling,
    checks_dose.second_look,
)


def decide(
    facts: DoseFacts,
    policy: Policy,
    now: datetime,
    *,
    before_check: bool = False,
    approved: frozenset[str] = frozenset(),
) -> Decision:
    """Whether this dose may be given now, and how much.

    `before_check`: the card before the nurse's tap. What one tap settles (the
    intoxication check, a coded reason) is shown and does not refuse; never for
    writing a dose. `approved`: digests of policy values a clinician approved.
    """
    unclear = sorted(checks.not_understood(facts, now))
    if unclear:
        # Other checks would compare what cannot be compared.
        return Refuse(_in_order(stop("facts_not_understood", what=what).reason for what in unclear))

    case = make_case(facts, policy, now, before_check, approved)
    found = [lifted for check in CHECKS for each in check(case) for lifted in lift(each, case)]
    ordered = facts.order.dose_ug if facts.order else None
    dose = volume = None
    if ordered is not None:
        dose = min([ordered, *(f.dose_ug for f in found if f.dose_ug is not None)])
        if dose < ordered:
            found.append(note("dose_lowered", dose_mg=format_mg(dose), ordered_mg=format_mg(ordered)))
        volume, problems = checks.measure(case, dose)
        found += problems

    open_reasons = [f for f in found if f.reason.tier == REASON and not answered(f, case)]
    stopped = any(f.reason.tier not in (REASON, NOTE) for f in found)
    reasons = _in_order(f.reason for f in found)
    if stopped or (open_reasons and not before_check):
        return Refuse(reasons, dose, volume, ordered)
    if dose is not None and volume is not None and ordered is not None and 0 < dose <= ordered and volume > 0:
        return Give(dose, volume, ordered, reasons)
    return Refuse(_in_order([*reasons, Reason("not_decided", STOP)]), dose, volume, ordered)


def _in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Stops first, then by code, then by data: the same facts give the same page. Doubles are dropped."""
    keyed = {(TIERS.index(r.tier), r.code, repr(sorted(r.data.items(), key=str))): r for r in reasons}
    return tuple(keyed[key] for key in sorted(keyed))


__all__ = ["CHECKS", "Decision", "Found", "decide"]
