"""Taiwan's national ID and resident numbers: shape and check digit only.

Says nothing about whether a person exists. Source of the arithmetic:
DOMAIN.md section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The position of a letter, plus 10, is its two-digit code.
LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
WEIGHTS = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)

CITIZEN, RESIDENT, RESIDENT_OLD = KINDS = ("citizen", "resident", "resident_old")

_SHAPES = (
    (CITIZEN, re.compile(r"[A-Z][12][0-9]{8}")),
    (RESIDENT, re.compile(r"[A-Z][89][0-9]{8}")),
    (RESIDENT_OLD, re.compile(r"[A-Z][A-Z][0-9]{8}")),
)

# The full-width letters and digits that an input method leaves behind.
_FULL_WIDTH = {ord("０") + n: ord("0") + n for n in range(10)}
_FULL_WIDTH |= {ord("Ａ") + n: ord("A") + n for n in range(26)}
_FULL_WIDTH |= {ord("ａ") + n: ord("a") + n for n in range(26)}


@dataclass(frozen=True, slots=True)
class NationalId:
    number: str  # ten characters, capitals
    kind: str  # one of KINDS


class IdentityError(ValueError):
    """`code` is one of the catalogue. Never carries the number: errors reach logs."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code
        self.data: dict[str, str] = {}


def letter_code(letter: str) -> int:
    """A -> 10 ... O -> 35."""
    return LETTERS.index(letter) + 10


def _digits(number: str) -> tuple[int, ...]:
    first = letter_code(number[0])
    second = letter_code(number[1]) % 10 if number[1].isalpha() else int(number[1])
    return (first // 10, first % 10, second, *map(int, number[2:]))


def checks(number: str) -> bool:
    """Whether the weighted sum of a well-shaped number is divisible by 10."""
    return sum(w * d for w, d in zip(WEIGHTS, _digits(number), strict=True)) % 10 == 0


def parse_national_id(text: str) -> NationalId:
    """The number in its normal form, or IdentityError (shape, or check digit)."""
    number = text.strip().translate(_FULL_WIDTH).upper()
    for kind, shape in _SHAPES:
        if shape.fullmatch(number):
            if not checks(number):
                raise IdentityError("national_id_check_digit")
            return NationalId(number, kind)
    raise IdentityError("national_id_shape")
