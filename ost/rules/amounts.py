"""Doses and volumes: exact conversion, writing and reading. Decides nothing about doses.

Integers only. `_ug` is micrograms of active substance, `_ul` microlitres, or
thousandths of a tablet where the unit is "tablet". A dose that this bottle
cannot measure exactly is refused, never rounded: rounding up is more than was
ordered, and rounding down is a dose nobody ordered.
"""

from __future__ import annotations

import re

LIQUID, TABLET = UNITS = ("ul", "tablet")

#: One tablet in the register's smallest unit, so that one arithmetic serves every product.
TABLET_UL = 1000

#: Typed by an input method in full-width mode; mapped one by one, because
#: Unicode's own folding would also turn "6²" into "62".
FULL_WIDTH = str.maketrans("０１２３４５６７８９．／－", "0123456789./-")

_MG = re.compile(r"(0|[1-9][0-9]{0,5})(?:\.([0-9]{1,3}))?")


class AmountError(ValueError):
    """`code` is one of the catalogue; `data` its placeholders."""

    def __init__(self, code: str, **data: str):
        super().__init__(code)
        self.code = code
        self.data = data


class NotMeasurable(AmountError):
    """This dose is not a whole number of microlitres (or of halves of a tablet) at this strength."""

    def __init__(self, dose_ug: int, strength: int):
        super().__init__("not_measurable", dose_mg=format_mg(dose_ug), strength_mg=format_mg(strength))


def volume_ul(dose_ug: int, strength_ug_per_ml: int, unit: str = LIQUID, halves: bool = False) -> int:
    """The volume of `dose_ug` from a bottle of this strength, exactly, or NotMeasurable.

    Tablets: `strength_ug_per_ml` is ug per tablet; whole ones, or halves where
    the product may be halved.
    """
    if unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}")
    if dose_ug <= 0 or strength_ug_per_ml <= 0:
        raise NotMeasurable(dose_ug, strength_ug_per_ml)
    volume, rest = divmod(dose_ug * 1000, strength_ug_per_ml)
    smallest = 1 if unit == LIQUID else TABLET_UL // 2 if halves else TABLET_UL
    if rest or volume % smallest:
        raise NotMeasurable(dose_ug, strength_ug_per_ml)
    return volume


def amount_ug(volume: int, strength_ug_per_ml: int) -> int:
    """What a measured volume holds, rounded down: how much of a dose was swallowed, or is left."""
    if volume < 0 or strength_ug_per_ml <= 0:
        raise ValueError("a volume and a strength cannot be negative")
    return volume * strength_ug_per_ml // 1000


def format_thousandths(thousandths: int) -> str:
    """60000 -> "60", 500 -> "0.5", 1234000 -> "1,234". Never "5.0" (read as 50) and never ".5" (read as 5)."""
    whole, rest = divmod(abs(thousandths), 1000)
    decimals = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{'-' if thousandths < 0 else ''}{whole:,}{decimals}"


def format_mg(ug: int) -> str:
    """Micrograms as milligrams, without the unit."""
    return format_thousandths(ug)


def format_ml(ul: int) -> str:
    """Microlitres as millilitres (or register units as tablets), without the unit."""
    return format_thousandths(ul)


def parse_thousandths(text: str) -> int:
    """ "0.5" -> 500, "60" -> 60000; up to 999999.999. Anything else raises AmountError.

    No thousands separator is read: "1,5" is one and a half to some and fifteen to others.
    No leading zero or bare point either: "060" and ".5" come from scanners and slips.
    """
    cleaned = text.strip().translate(FULL_WIDTH)
    if re.fullmatch(r"[0-9]+\.[0-9]{4,}", cleaned):
        raise AmountError("amount_too_precise", entered=text[:20])
    match = _MG.fullmatch(cleaned)
    if not match:
        raise AmountError("amount_not_understood", entered=text[:20])
    whole, decimals = match.groups()
    return int(whole) * 1000 + int((decimals or "").ljust(3, "0"))


def parse_mg(text: str) -> int:
    """Milligrams as typed, to micrograms, exactly."""
    return parse_thousandths(text)


def parse_ml(text: str) -> int:
    """Millilitres as typed, to microlitres, exactly."""
    return parse_thousandths(text)
