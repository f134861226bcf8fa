"""Days in both calendars, and Taiwan's ID numbers."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ost.rules.identity import LETTERS, WEIGHTS, IdentityError, checks, parse_national_id
from ost.rules.schedule import DateError, dosing_day, due_on, format_both, format_roc, next_due, parse_date
from tests.rules.makers import TODAY, days_ago, make_order


@pytest.mark.parametrize(
    "text",
    [
        "民國68年5月3日",
        "68/5/3",
        "0680503",
        "1979-05-03",
        "068/05/03",
        "民國 68 年 5 月 3 日",
        "68年5月3日",
        "1979/5/3",
        "６８／５／３",
    ],
)
def test_one_day_written_in_many_ways(text):
    assert parse_date(text) == date(1979, 5, 3)


@pytest.mark.parametrize(
    "text", ["", "5/3", "680503", "19790503", "68-5-3", "68/5/3/1", "1979-05/03", "yesterday", "3 May 1979"]
)
def test_what_is_no_date(text):
    with pytest.raises(DateError) as refused:
        parse_date(text)
    assert refused.value.code == "date_not_understood"


@pytest.mark.parametrize("text", ["115/2/29", "68/13/1", "0680431", "0/1/1", "2026-02-30"])
def test_days_that_never_were(text):
    with pytest.raises(DateError) as refused:
        parse_date(text)
    assert refused.value.code == "date_impossible"


def test_both_calendars():
    assert format_both(date(2026, 11, 22)) == "115/11/22 (2026-11-22)"
    assert format_both(date(1911, 12, 31)) == "1911-12-31"
    assert format_both(date(1912, 1, 1)) == "1/01/01 (1912-01-01)"


@given(st.dates(date(1912, 1, 1), date(2900, 1, 1)))
def test_dates_round_trip(day):
    assert parse_date(format_roc(day)) == parse_date(day.isoformat()) == day
    assert parse_date(f"{day.year - 1911:03d}{day:%m%d}") == day


def test_the_dosing_day_is_the_sites_calendar_day():
    taipei = ZoneInfo("Asia/Taipei")
    assert dosing_day(datetime(2026, 11, 21, 15, 59, tzinfo=UTC), taipei) == date(2026, 11, 21)
    assert dosing_day(datetime(2026, 11, 21, 16, 0, tzinfo=UTC), taipei) == date(2026, 11, 22)
    with pytest.raises(ValueError, match="zone"):
        dosing_day(datetime(2026, 11, 21), taipei)  # noqa: DTZ001


def test_due():
    order = make_order(starts_on=days_ago(3), ends_on=TODAY, days=(5, 6))
    assert due_on(order, TODAY)
    assert not due_on(order, days_ago(1))  # a Thursday
    assert not due_on(order, days_ago(7))  # a Friday before it began
    assert next_due(order, TODAY) is None
    assert next_due(order, days_ago(20)) == TODAY
    stopped = make_order(stopped_at=datetime(2026, 11, 19, 17, tzinfo=UTC))  # the 20th, 01:00 in Taipei
    assert due_on(stopped, TODAY, ZoneInfo("Asia/Taipei"))
    assert not due_on(stopped, date(2026, 11, 21), ZoneInfo("Asia/Taipei"))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("A123456789", "citizen"),
        ("a123456789", "citizen"),
        ("Ａ１２３４５６７８９", "citizen"),
        ("F131104093", "citizen"),
        ("A800000014", "resident"),
        ("AB12345677", "resident_old"),
        ("FA12345689", "resident_old"),
    ],
)
def test_numbers_that_check(number, kind):
    assert parse_national_id(f" {number} ").kind == kind


@pytest.mark.parametrize("number", ["A123456788", "B123456789", "A800000013", "AB12345678"])
def test_a_wrong_digit(number):
    with pytest.raises(IdentityError) as refused:
        parse_national_id(number)
    assert refused.value.code == "national_id_check_digit"
    assert number not in str(refused.value)


@pytest.mark.parametrize(
    "number",
    ["", "A12345678", "A1234567890", "A323456789", "1123456789", "ABC2345678", "A12345678O", "Ä123456789"],
)
def test_a_wrong_shape(number):
    with pytest.raises(IdentityError) as refused:
        parse_national_id(number)
    assert refused.value.code == "national_id_shape"


@given(
    st.sampled_from(LETTERS), st.sampled_from("1289" + LETTERS), st.text("0123456789", min_size=7, max_size=7)
)
def test_exactly_one_check_digit_fits_and_a_changed_one_never(letter, second, serial):
    fitting = [d for d in "0123456789" if checks(letter + second + serial + d)]
    assert len(fitting) == 1
    assert len(WEIGHTS) == 11
