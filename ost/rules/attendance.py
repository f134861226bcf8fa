"""The attendance clock: days attended of days due, with excuses. For law and figures.

Says nothing about the size of a dose; that is `missed_doses`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from ost.rules.facts import PARTLY, SWALLOWED, TOO_MUCH, PastDose

#: Attended: the person came and swallowed. A sip counts here, vomiting later takes nothing away.
ATTENDED = (SWALLOWED, PARTLY, TOO_MUCH)


@dataclass(frozen=True, slots=True)
class Attendance:
    due: int  # doses due, excused ones left out
    taken: int  # of those, taken
    excused: int
    unknown: int  # of those due: an outcome is still to be settled; neither taken nor missed
    missed_on: tuple[date, ...]  # days with a due dose neither taken, excused nor unknown, oldest first
    missed_in_a_row: (
        int  # missed without excuse up to the last due day; an excused day neither adds nor breaks
    )


def attended(
    due: Iterable[tuple[date, int]], doses: Iterable[PastDose], excused: Collection[date] = ()
) -> Attendance:
    """Count due (day, slot) pairs against doses.

    A dose taken on an excused day counts as due and taken, so that a rate never
    exceeds one and nobody loses a day they did attend.
    """
    taken_slots, unknown_slots = set(), set()
    for dose in doses:
        if dose.outcome in ATTENDED:
            taken_slots.add((dose.day, dose.slot))
        elif dose.outcome is None:
            unknown_slots.add((dose.day, dose.slot))
    due_slots = sorted(set(due))
    excused_slots = [s for s in due_slots if s[0] in excused and s not in taken_slots]
    counted = [s for s in due_slots if s not in excused_slots]
    taken = [s for s in counted if s in taken_slots]
    unknown = [s for s in counted if s in unknown_slots - taken_slots]
    missed_days = sorted({s[0] for s in counted if s not in taken_slots | unknown_slots})
    return Attendance(
        due=len(counted),
        taken=len(taken),
        excused=len(excused_slots),
        unknown=len(unknown),
        missed_on=tuple(missed_days),
        missed_in_a_row=_in_a_row([s[0] for s in counted], {s[0] for s in taken}, {s[0] for s in unknown}),
    )


def _in_a_row(days: list[date], taken: set[date], unknown: set[date]) -> int:
    """Days at the end of the list on which nothing was taken; an unknown day ends the row, to report nobody falsely."""
    row = 0
    for day in sorted(set(days), reverse=True):
        if day in taken or day in unknown:
            break
        row += 1
    return row
