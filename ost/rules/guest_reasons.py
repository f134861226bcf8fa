"""Every code the guest rules can give beside those of `ost.rules.reasons`, with its placeholders and how each is shown.

The texts are in `ost.errors.guest`; the kinds are those of `ost.rules.reasons`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_REASONS: dict[str, dict[str, str]] = {
    # the person
    "guest_missed_days": {"days": "count", "last_swallow_on": "date"},
    "guest_not_maintenance": {"phase": "code"},
    "guest_dose_changed": {"changed_on": "date", "limit_days": "count"},
    "guest_no_order": {"day": "date"},
    "guest_not_due": {"day": "date"},
    "guest_order_ends_soon": {"ends_on": "date", "days": "count"},
    "guest_consent_missing": {"last_day": "date"},
    # the days
    "guest_day_past": {"day": "date"},
    "guest_day_too_far": {"day": "date", "limit_days": "count"},
    "guest_booked_elsewhere": {"day": "date", "site": "site"},
    "guest_dosed_already": {"day": "date", "site": "site"},
    "guest_long_stay": {"days": "count", "limit_days": "count"},
    "guest_short_notice": {"hours": "hours", "limit_h": "hours"},
    # the place
    "guest_own_site": {"site": "site"},
    "guest_site_not_open_to_guests": {"site": "site"},
    "guest_site_without_medicine": {"medicine": "code", "site": "site"},
    "guest_day_closed": {"day": "date", "site": "site"},
    "guest_day_full": {"day": "date", "site": "site"},
    "guest_day_too_late": {"day": "date", "site": "site", "last_dose": "text"},
}

GUEST_REASONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {code: MappingProxyType(data) for code, data in _REASONS.items()}
)

#: A place was wanted and could not be had: kept as unmet demand, and other places are named.
UNMET = (
    "guest_site_not_open_to_guests",
    "guest_site_without_medicine",
    "guest_day_closed",
    "guest_day_full",
    "guest_day_too_late",
)
