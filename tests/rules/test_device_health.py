"""When a reader is said to be dying: against its own last two weeks, and not on a few touches."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ost.rules.device_health import (
    CODES,
    FALLS_OFF,
    MORE_RETRIES,
    MOST_IN_VAIN,
    NORMAL_DAYS,
    RECENT_DAYS,
    DayCount,
    findings,
    percentile,
)

TODAY = date(2026, 11, 22)


def ago(days: int, touches: int, in_vain: int, faults: int = 0) -> DayCount:
    return DayCount(TODAY - timedelta(days=days), touches, in_vain, faults)


def normal(touches: int = 200, in_vain: int = 10) -> list[DayCount]:
    return [ago(n, touches, in_vain) for n in range(RECENT_DAYS, RECENT_DAYS + NORMAL_DAYS)]


def codes(days) -> list[str]:
    return [finding.code for finding in findings(days, TODAY)]


def test_a_reader_that_is_as_it_was_is_not_mentioned():
    assert codes([*normal(), ago(1, 200, 10), ago(0, 200, 12)]) == []


def test_three_times_its_own_normal_is_said_with_the_number():
    found = findings([*normal(), ago(1, 200, 28), ago(0, 200, 33)], TODAY)
    assert [(f.code, f.times, f.percent) for f in found] == [(MORE_RETRIES, 3, 15)]


def test_just_below_three_times_is_not():
    assert codes([*normal(), ago(1, 200, 29), ago(0, 200, 30)]) == []


def test_a_reader_is_compared_with_itself_and_not_with_others():
    """One in four in vain is this reader's normal: worn hands, an old glass."""
    assert codes([*normal(200, 50), ago(1, 200, 60), ago(0, 200, 60)]) == []


def test_a_reader_that_never_needed_a_retry_is_seen_on_its_first_bad_day():
    assert codes([*normal(200, 0), ago(0, 100, 9)]) == [MORE_RETRIES]


@pytest.mark.parametrize("day", [ago(0, 19, 19), ago(0, 40, 7), ago(0, 0, 0)])
def test_a_few_touches_say_nothing(day):
    assert codes([*normal(200, 1), day]) == []


def test_a_new_reader_has_no_normal_but_half_in_vain_is_too_many():
    assert codes([ago(0, 40, 19)]) == []
    assert codes([ago(0, 40, 20)]) == [MOST_IN_VAIN]


def test_what_was_before_the_last_two_weeks_is_forgotten():
    long_ago = [ago(n, 200, 150) for n in range(RECENT_DAYS + NORMAL_DAYS, RECENT_DAYS + NORMAL_DAYS + 30)]
    assert codes([*long_ago, *normal(), ago(0, 200, 40)]) == [MORE_RETRIES]


def test_a_reader_that_falls_off_its_cable_is_said_beside_the_rest():
    assert codes([*normal(), ago(1, 200, 10, 4), ago(0, 200, 10, 6)]) == [FALLS_OFF]
    assert codes([*normal(), ago(1, 200, 10, 4), ago(0, 200, 10, 5)]) == []
    assert codes([ago(0, 40, 30, 10)]) == [MOST_IN_VAIN, FALLS_OFF]


def test_tomorrow_is_not_looked_at():
    assert codes([*normal(), DayCount(TODAY + timedelta(days=1), 100, 100, 50)]) == []


COUNTS = st.builds(
    lambda back, touches, share, faults: ago(back, touches, touches * share // 100, faults),
    st.integers(-3, 40),
    st.integers(0, 2000),
    st.integers(0, 100),
    st.integers(0, 50),
)


@given(st.lists(COUNTS, max_size=40))
@settings(max_examples=150, derandomize=True)
def test_any_counts_come_to_an_answer_and_never_two_of_a_kind(days):
    found = findings(days, TODAY)
    assert len({f.code for f in found}) == len(found)
    assert {f.code for f in found} <= set(CODES)
    for f in found:
        assert f.code != MORE_RETRIES or f.times >= 3
        assert 0 <= f.percent <= 100


def test_percentiles_are_values_that_occurred():
    assert percentile([], 50) is None
    assert percentile([7], 95) == 7
    assert percentile([1, 1, 1, 2, 5], 50) == 1
    assert percentile([1, 1, 1, 2, 5], 90) == 5
    assert percentile(range(1, 101), 95) == 95
