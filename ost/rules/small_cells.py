"""Hiding small counts in published tables so that none of them can be worked out again.

A count below `least` is hidden, and with it as many others as it takes: whoever
adds and subtracts what is shown must find more than one value for every hidden
count. Knows names, counts and which counts add up to which; not what they count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

LEAST = 5

#: (total, parts): the parts add up to the total, and all of them are on the page.
Sum = tuple[str, tuple[str, ...]]
Range = tuple[float, float]


def hide(cells: Mapping[str, int], sums: Sequence[Sum], least: int = LEAST) -> frozenset[str]:
    """Names of the cells not to be shown. ValueError for sums that do not hold, or that are no tree.

    A cell is part of one sum at most (it may be the total of several): then the
    ranges below are exact, and a cell with more than one possible value has two
    tables that fit it.
    """
    _check(cells, sums)
    hidden = {name for name, count in cells.items() if count < least}
    while known := revealed(cells, sums, hidden):
        hidden |= _more(cells, sums, hidden, known)
    return frozenset(hidden)


def revealed(cells: Mapping[str, int], sums: Sequence[Sum], hidden: set[str] | frozenset[str]) -> set[str]:
    """Hidden cells of which what is shown leaves one value only."""
    return {name for name, (low, high) in ranges(cells, sums, hidden).items() if name in hidden and low == high}


def ranges(cells: Mapping[str, int], sums: Sequence[Sum], hidden) -> dict[str, Range]:
    """The least and the greatest value each cell can have, as a reader of the page can work it out."""
    known: dict[str, Range] = {
        name: (0, math.inf) if name in hidden else (count, count) for name, count in cells.items()
    }
    moved = True
    while moved:
        moved = False
        for total, parts in sums:
            low = sum(known[p][0] for p in parts)
            high = sum(known[p][1] for p in parts)
            moved |= _narrow(known, total, low, high)
            least, most = known[total]
            for part in parts:
                others_low = sum(known[p][0] for p in parts if p != part)
                others_high = sum(known[p][1] for p in parts if p != part)
                moved |= _narrow(known, part, least - others_high, most - others_low)
    return known


def _narrow(known: dict[str, Range], name: str, low: float, high: float) -> bool:
    before = known[name]
    known[name] = (max(before[0], low), min(before[1], high))
    return known[name] != before


def _more(cells, sums, hidden: set[str], known: set[str]) -> set[str]:
    """One more cell to hide for each sum that gives something away: its smallest, by count and name."""
    found = set()
    for total, parts in sums:
        if known & {total, *parts}:
            shown = [p for p in parts if p not in hidden] or [t for t in (total,) if t not in hidden]
            if shown:
                found.add(min(shown, key=lambda name: (cells[name], name)))
    if not found:  # given away by a sum further off
        found.add(min((n for n in cells if n not in hidden), key=lambda name: (cells[name], name)))
    return found


def _check(cells: Mapping[str, int], sums: Sequence[Sum]) -> None:
    seen: set[str] = set()
    for total, parts in sums:
        if cells[total] != sum(cells[p] for p in parts):
            raise ValueError(f"the parts of {total} do not add up to it")
        if seen & set(parts) or len(set(parts)) != len(parts):
            raise ValueError(f"a part of {total} is part of another sum")
        seen |= set(parts)
    if any(count < 0 for count in cells.values()):
        raise ValueError("a count below zero")
