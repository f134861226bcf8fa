"""Every reason code the rules can give, with its placeholders and how each is written.

The texts are in `ost.errors.clinical`; a test holds both together. The kinds
say how a page shows a placeholder:

    mg, ml, count, hours, minutes   ready to show, without a unit
    date                            ISO day: shown in both calendars
    instant                         ISO instant in UTC: shown on the site's clock
    code                            a coded value (several with ", " between): shown translated
    reason                          a code of this table: shown as its title
    site                            a site's id: shown as its name
    text                            as it is

Any value may be None: not known; shown as a dash.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KINDS = ("mg", "ml", "count", "hours", "minutes", "date", "instant", "code", "reason", "site", "text")

_REASONS: dict[str, dict[str, str]] = {
    # the person and the place
    "patient_not_active": {},
    "site_not_active": {"site": "site"},
    "site_not_allowed": {"site": "site"},
    "medicine_not_at_site": {"medicine": "code", "site": "site"},
    "medicine_without_rules": {"medicine": "code", "policy": "text"},
    # guest dosing
    "guest_day_elsewhere": {"site": "site", "number": "count", "days": "count"},
    "guest_paused": {"why": "code"},
    "guest_permit_ended": {},
    "guest_not_today": {"first_day": "date", "last_day": "date"},
    "guest_consent_ended": {},
    "guest_site_not_listed": {"site": "site"},
    "guest_order_not_covered": {},
    "guest_not_countersigned": {"site": "site"},
    # the order
    "no_order": {"slot": "count"},
    "order_not_started": {"starts_on": "date"},
    "order_ended": {"ends_on": "date"},
    "order_stopped": {"stopped_at": "instant"},
    "not_due_today": {"next_due_on": "date"},
    # the slot and the clock
    "already_dosed_today": {"site": "site", "at": "instant"},
    "attempt_unresolved": {"site": "site", "at": "instant"},
    "slot_used": {"site": "site", "at": "instant", "outcome": "code"},
    "unresolved_earlier": {"day": "date", "site": "site"},
    "replacement_dose": {"dose_mg": "mg"},
    "clock_set_back": {"latest_at": "instant"},
    "day_not_today": {"day": "date"},
    "gap_short": {"hours": "hours", "limit_h": "hours", "earliest_at": "instant"},
    "gap_very_short": {"hours": "hours", "limit_h": "hours", "earliest_at": "instant"},
    "gap_short_of_order": {"hours": "hours", "limit_h": "hours", "earliest_at": "instant"},
    # missed days
    "missed_days_note": {"days": "count", "last_swallow_on": "date"},
    "missed_days_early": {"days": "count", "last_swallow_on": "date"},
    "missed_days_prescriber": {"days": "count", "last_swallow_on": "date"},
    "missed_days_half_dose": {"days": "count", "last_swallow_on": "date", "proposed_mg": "mg"},
    "missed_days_see_prescriber": {"days": "count", "last_swallow_on": "date", "proposed_mg": "mg"},
    "new_induction_needed": {"days": "count", "last_swallow_on": "date"},
    "treatment_gap_review": {"days": "count", "limit_days": "count", "last_swallow_on": "date"},
    "vomited_before": {"day": "date", "minutes": "minutes"},
    # the size of the dose
    "first_dose_watch": {"minutes": "minutes"},
    "first_dose_above_usual": {"dose_mg": "mg", "limit_mg": "mg"},
    "first_dose_low_tolerance": {"dose_mg": "mg", "limit_mg": "mg"},
    "first_dose_above_max": {"dose_mg": "mg", "limit_mg": "mg"},
    "first_day_above_max": {"total_mg": "mg", "limit_mg": "mg"},
    "step_too_large": {"from_mg": "mg", "to_mg": "mg", "limit_mg": "mg"},
    "step_too_soon": {"days": "count", "limit_days": "count", "last_increase_on": "date"},
    "week_increase_too_large": {"from_mg": "mg", "to_mg": "mg", "limit_mg": "mg"},
    "day_above_max": {"total_mg": "mg", "limit_mg": "mg"},
    "second_look": {"dose_mg": "mg", "limit_mg": "mg"},
    "dose_lowered": {"dose_mg": "mg", "ordered_mg": "mg"},
    "signed_off": {"answers": "reason", "by": "code", "dose_mg": "mg"},
    # the state of the person
    "intoxication_not_checked": {},
    "intoxicated": {"signs": "code"},
    "on_hold": {"reason_code": "code", "since": "date", "come_back_on": "date", "call": "text"},
    "hold_note": {"reason_code": "code", "since": "date"},
    "exposure_uncleared": {"day": "date", "amount_mg": "mg"},
    # the bottle
    "bottle_none": {"medicine": "code"},
    "bottle_not_open": {"bottle": "text", "state": "code"},
    "bottle_other_site": {"bottle": "text", "site": "site"},
    "bottle_wrong_medicine": {"bottle": "text", "found": "code", "medicine": "code"},
    "bottle_expired": {"bottle": "text", "expires_on": "date"},
    "bottle_not_understood": {"bottle": "text"},
    "bottle_not_enough": {"bottle": "text", "left_ml": "ml", "needed_ml": "ml"},
    "bottle_not_enough_tablets": {"bottle": "text", "left": "ml", "needed": "ml"},
    "not_measurable": {"dose_mg": "mg", "strength_mg": "mg"},
    "two_strengths_open": {"bottle": "text", "strength_mg": "mg", "others_mg": "text"},
    # nothing else said so
    "facts_not_understood": {"what": "text"},
    "not_decided": {},
}

REASONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {code: MappingProxyType(data) for code, data in _REASONS.items()}
)

#: Codes of typed input that the rules refuse (`AmountError`, `DateError`, `IdentityError`), with their data.
INPUT_ERRORS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "amount_not_understood": MappingProxyType({"entered": "text"}),
        "amount_too_precise": MappingProxyType({"entered": "text"}),
        "date_not_understood": MappingProxyType({"entered": "text"}),
        "date_impossible": MappingProxyType({"entered": "text"}),
        "national_id_shape": MappingProxyType({}),
        "national_id_check_digit": MappingProxyType({}),
    }
)
