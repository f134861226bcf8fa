"""The attendance clock: figures and law, never the body."""

from ost.rules.attendance import Attendance, attended
from ost.rules.facts import NOT_GIVEN, PARTLY
from tests.rules.makers import days_ago, make_past

WEEK = [(days_ago(n), 1) for n in range(7, 0, -1)]


def test_all_taken():
    assert attended(WEEK, [make_past(n) for n in range(1, 8)]) == Attendance(7, 7, 0, 0, (), 0)


def test_missed_excused_and_unknown_are_told_apart():
    doses = [
        make_past(7),
        make_past(6, outcome=None),
        make_past(5, outcome=NOT_GIVEN, swallowed_ug=0),
        make_past(3),
    ]
    found = attended(WEEK, doses, excused={days_ago(4)})
    assert (found.due, found.taken, found.excused, found.unknown) == (6, 2, 1, 1)
    assert found.missed_on == (days_ago(5), days_ago(2), days_ago(1))
    assert found.missed_in_a_row == 2


def test_a_sip_and_a_vomited_dose_are_attended():
    sip = make_past(1, outcome=PARTLY, swallowed_ug=1_000)
    assert attended(WEEK[-2:], [sip, make_past(2, vomited_minutes=1)]).taken == 2


def test_an_excuse_neither_adds_to_a_row_nor_breaks_it():
    found = attended(WEEK, [make_past(7)], excused={days_ago(2)})
    assert found.missed_in_a_row == 5


def test_an_unknown_day_ends_a_row_so_that_nobody_is_reported_falsely():
    assert attended(WEEK, [make_past(3, outcome=None)]).missed_in_a_row == 2


def test_a_dose_taken_on_an_excused_day_counts():
    found = attended(WEEK[-1:], [make_past(1)], excused={days_ago(1)})
    assert (found.due, found.taken) == (1, 1)


def test_nothing_due():
    assert attended([], []) == Attendance(0, 0, 0, 0, (), 0)
