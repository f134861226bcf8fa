"""What changed facts ask of a request or a permit: to end it, to pause it, to let it go on. A plain function of them.

The reasons' codes stand in the steps; pages show them in words. An open request
(not decided yet) only ends by facts: what would pause a permit is shown to whoever
decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from ost.rules.guest import CONFIRMED, IN_FORCE, OPEN, PAUSED

#: What ends a request or a permit, the first that holds; and what pauses a permit while it stands.
ENDINGS = (
    "patient_not_active",
    "consent_ended",
    "order_ended",
    "site_not_active",
    "site_not_listed",
    "designation_revoked",
)
PAUSES = ("hold", "exposure", "missed_days", "countersign")


@dataclass(frozen=True, slots=True)
class Standing:
    """A request or permit, and every fact it rests on."""

    state: str  # one of ost.rules.guest.STATES
    paused_for: str | None  # one of PAUSES, of the last pause
    emergency: bool
    patient_active: bool
    order_left: bool  # an order it names, or came of one, covers one of its days to come
    consent: bool
    site_active: bool
    site_listed: bool
    designated: bool  # the site may give what is ordered
    clinical_hold: bool = False
    exposure: bool = False  # something swallowed that no prescriber has looked at
    missed_days: bool = False  # so many that the policy's table asks for a prescriber
    to_sign: bool = False  # the order of the next day is not countersigned, and has to be


def asked(standing: Standing) -> tuple[tuple[str, str | None], ...]:
    """(action, reason) pairs to take, in order; none where everything may stay as it is."""
    if standing.state not in (*OPEN, *IN_FORCE):
        return ()
    for reason, gone in zip(ENDINGS, _gone(standing), strict=True):
        if gone:
            return (("end", reason),)
    if standing.state not in IN_FORCE:
        return ()
    against = [reason for reason, stands in zip(PAUSES, _against(standing), strict=True) if stands]
    if standing.state == CONFIRMED:
        return (("pause", against[0]),) if against else ()
    if standing.state == PAUSED and standing.paused_for in against:
        return ()
    # What it was paused for is gone; something else may stand against it, and is named.
    return (("resume", standing.paused_for), *((("pause", against[0]),) if against else ()))


def _gone(s: Standing) -> tuple[bool, ...]:
    return (
        not s.patient_active,
        not s.consent,
        not s.order_left,
        not s.site_active,
        not s.site_listed and not s.emergency,
        not s.designated,
    )


def _against(s: Standing) -> tuple[bool, ...]:
    return (s.clinical_hold, s.exposure, s.missed_days, s.to_sign)
