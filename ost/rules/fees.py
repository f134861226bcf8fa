"""Who pays what of a fee: plain arithmetic in whole NT$. Knows no dates but a birth date, and no tariff.

An amount or a share nobody published stays unknown; nothing is guessed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

SET_UP, PER_DOSE, COUNTERSIGN = ITEMS = ("set_up", "per_dose", "countersign")
ADULT, MINOR = CLASSES = ("adult", "minor")


@dataclass(frozen=True, slots=True)
class Share:
    """Of one amount. All None: not known. Otherwise payer_ntd + own_ntd == amount_ntd."""

    amount_ntd: int | None
    payer_ntd: int | None
    own_ntd: int | None

    @property
    def known(self) -> bool:
        return self.payer_ntd is not None


def share(amount_ntd: int | None, payer_share_percent: int | None, cap_ntd: int | None, used_ntd: int) -> Share:
    """Split an amount: the payer's percentage, rounded down, and never more than is left of the year's cap.

    `cap_ntd` None: none is published, so none is kept. ValueError for what cannot be a fee.
    """
    if used_ntd < 0 or (cap_ntd is not None and cap_ntd < 0):
        raise ValueError("a subsidy is not negative")
    if amount_ntd is None or payer_share_percent is None:
        return Share(amount_ntd, None, None)
    if amount_ntd < 0 or not 0 <= payer_share_percent <= 100:
        raise ValueError("a fee is not negative, and a share lies between 0 and 100")
    payer = amount_ntd * payer_share_percent // 100
    if cap_ntd is not None:
        payer = min(payer, max(0, cap_ntd - used_ntd))
    return Share(amount_ntd, payer, amount_ntd - payer)


def patient_class(born: date, day: date, minor_under_years: int) -> str:
    """"minor" until the day before the birthday that makes an adult; who is born on 29 February: on 1 March."""
    try:
        grown = born.replace(year=born.year + minor_under_years)
    except ValueError:
        grown = date(born.year + minor_under_years, 3, 1)
    return MINOR if day < grown else ADULT
