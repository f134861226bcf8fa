"""A patient's PIN: short enough for a queue, and none of those that others try first."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ost.rules.pins import pin_problem

BORN = date(1979, 5, 3)  # 民國68年5月3日


@pytest.mark.parametrize("pin", ["4071", "90210", "274951"])
def test_what_is_taken(pin):
    assert pin_problem(pin, BORN) is None


@pytest.mark.parametrize("pin", ["", "123", "4071234", "12a4", "４０７１", " 407", "-407"])
def test_what_is_no_pin(pin):
    assert pin_problem(pin, BORN) == "pin_shape"


@pytest.mark.parametrize(
    "pin",
    [
        *("0000", "999999", "1234", "9876", "345678", "1212", "123123", "747474", "2580"),
        *("1979", "0503", "0305", "7905", "790503", "030579", "6805", "680503", "6853"),
    ],
)
def test_what_others_try_first(pin):
    assert pin_problem(pin, BORN) == "pin_guessable"


def test_another_persons_birth_date_is_a_pin_like_any_other():
    assert pin_problem("0503", date(1980, 12, 24)) is None


@given(pin=st.text(max_size=8), born=st.dates(date(1900, 1, 1), date(2020, 1, 1)))
def test_any_text_gets_an_answer(pin, born):
    assert pin_problem(pin, born) in (None, "pin_shape", "pin_guessable")
