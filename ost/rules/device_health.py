"""Is a reader dying? Plain counts in, a finding out.

A reader is compared with itself: what is normal differs between devices, glass
and hands, so its own last two weeks say more than any fixed limit. Every number
here was chosen here; none comes from a standard or a maker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

#: The newest days looked at, and the days before them that are the reader's own normal.
RECENT_DAYS, NORMAL_DAYS = 2, 14
#: With fewer touches than this nothing is said.
FEWEST_TOUCHES = 20
#: Retries must be this many times the reader's own normal, and this many.
TIMES, FEWEST_RETRIES = 3, 8
#: Without a normal of its own, or whatever it is: this share of touches in vain.
TOO_MANY_PERCENT = 50
#: Disconnections a day, on average of the recent days.
FAULTS_A_DAY = 5

MORE_RETRIES, MOST_IN_VAIN, FALLS_OFF = CODES = ("more_retries", "most_in_vain", "falls_off")


@dataclass(frozen=True, slots=True)
class DayCount:
    """One reader on one day. `touches`: fingers laid on; `in_vain`: of these, unreadable or nobody's;
    `faults`: times it turned away from ready."""

    day: date
    touches: int
    in_vain: int
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """`code`: one of CODES. `times`: as often as normal, rounded down (more_retries); `percent`: of touches in
    vain; `count`: faults in the recent days."""

    code: str
    times: int = 0
    percent: int = 0
    count: int = 0


def findings(days: Sequence[DayCount], today: date) -> tuple[Finding, ...]:
    """What is wrong with this reader now, worst first; nothing when it is as it was, or too little is known."""
    first = today - timedelta(days=RECENT_DAYS - 1)
    recent = [d for d in days if first <= d.day <= today]
    normal = [d for d in days if first - timedelta(days=NORMAL_DAYS) <= d.day < first]
    touches, in_vain = sum(d.touches for d in recent), sum(d.in_vain for d in recent)
    before, before_in_vain = sum(d.touches for d in normal), sum(d.in_vain for d in normal)
    found = []
    enough = touches >= FEWEST_TOUCHES and in_vain >= FEWEST_RETRIES
    if enough and in_vain * 100 >= TOO_MANY_PERCENT * touches:
        found.append(Finding(MOST_IN_VAIN, percent=in_vain * 100 // touches))
    # A reader that never needed a retry is compared with one retry, so that the first bad day can be seen.
    elif enough and before >= FEWEST_TOUCHES:
        times = in_vain * before // (touches * max(before_in_vain, 1))
        if times >= TIMES:
            found.append(Finding(MORE_RETRIES, times=times, percent=in_vain * 100 // touches))
    faults = sum(d.faults for d in recent)
    if faults >= FAULTS_A_DAY * RECENT_DAYS:
        found.append(Finding(FALLS_OFF, count=faults))
    return tuple(found)


def percentile(values: Sequence[int], percent: int) -> int | None:
    """The nearest-rank percentile; None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]
