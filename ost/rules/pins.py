"""What a patient's PIN may be. Knows digits and a birth date; does not know who, or how tries are counted.

Short, because it is typed with a queue behind one; so what a stranger would try
first is refused: one digit, a run, a pair twice, the person's own birth date.
"""

from __future__ import annotations

import itertools
from datetime import date

SHORTEST, LONGEST = 4, 6


def pin_problem(pin: str, born: date | None = None) -> str | None:
    """Why this is no PIN, as a code: "pin_shape", "pin_guessable", or None."""
    if not (pin.isascii() and pin.isdigit() and SHORTEST <= len(pin) <= LONGEST):
        return "pin_shape"
    steps = {int(b) - int(a) for a, b in itertools.pairwise(pin)}
    run = len(steps) == 1 and steps <= {0, 1, -1}
    repeated = any(len(pin) % n == 0 and pin == pin[:n] * (len(pin) // n) for n in (1, 2, 3))
    if run or repeated or pin in ({"2580", "0852"} | _birth_dates(born)):
        return "pin_guessable"
    return None


def _birth_dates(born: date | None) -> set[str]:
    """The ways a birth date is written in 4 to 6 digits, by both calendars."""
    if born is None:
        return set()
    y4, y2, roc = f"{born.year:04d}", f"{born.year % 100:02d}", f"{born.year - 1911}"
    m, d = f"{born.month:02d}", f"{born.day:02d}"
    written = {y4, m + d, d + m, y2 + m, m + y2, y2 + m + d, d + m + y2, m + d + y2, y4 + m, m + y4}
    written |= {roc + m, roc + m + d, roc.zfill(3) + m, f"{roc}{born.month}{born.day}"}
    return {w for w in written if SHORTEST <= len(w) <= LONGEST}
