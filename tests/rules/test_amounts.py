"""Amounts: exact or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ost.rules.amounts import (
    AmountError,
    NotMeasurable,
    amount_ug,
    format_mg,
    format_ml,
    parse_mg,
    parse_ml,
    volume_ul,
)


@pytest.mark.parametrize(
    ("ug", "text"),
    [
        (60_000, "60"),
        (500, "0.5"),
        (5_000, "5"),
        (1, "0.001"),
        (2_500, "2.5"),
        (2_050, "2.05"),
        (1_234_000, "1,234"),
        (1_234_567_890, "1,234,567.89"),
        (0, "0"),
        (-7_500, "-7.5"),
    ],
)
def test_format(ug, text):
    assert format_mg(ug) == format_ml(ug) == text


@pytest.mark.parametrize(
    ("text", "ug"),
    [("60", 60_000), ("0.5", 500), (" 7.25 ", 7_250), ("0", 0), ("5.0", 5_000), ("６０．５", 60_500)],
)
def test_parse(text, ug):
    assert parse_mg(text) == parse_ml(text) == ug


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".5",
        "5.",
        "060",
        "1,234",
        "1,5",
        "-1",
        "+1",
        "1e3",
        "60mg",
        "6 0",
        "six",
        "0x10",
        "6²",
        "٦٠",
        "nan",
        "1000000",
    ],
)
def test_junk_is_refused(text):
    with pytest.raises(AmountError) as refused:
        parse_mg(text)
    assert refused.value.code == "amount_not_understood"


def test_more_than_three_decimals_are_refused_not_rounded():
    with pytest.raises(AmountError) as refused:
        parse_mg("0.0005")
    assert refused.value.code == "amount_too_precise"


@given(st.integers(0, 999_999_999))
def test_round_trip(ug):
    assert parse_mg(format_mg(ug).replace(",", "")) == ug
    assert not format_mg(ug).startswith(".")
    assert "." not in format_mg(ug) or not format_mg(ug).endswith("0")


@pytest.mark.parametrize(
    ("dose", "strength", "volume"),
    [(60_000, 10_000, 6_000), (60_000, 1_000, 60_000), (500, 10_000, 50), (37_500, 5_000, 7_500)],
)
def test_volume(dose, strength, volume):
    assert volume_ul(dose, strength) == volume


@pytest.mark.parametrize(
    ("dose", "strength", "unit", "halves"),
    [
        (1, 3_000, "ul", False),
        (60_000, 7_000, "ul", False),
        (7_000, 2_000, "tablet", False),
        (2_500, 2_000, "tablet", True),
        (0, 10_000, "ul", False),
        (60_000, 0, "ul", False),
        (-60_000, 10_000, "ul", False),
    ],
)
def test_what_cannot_be_measured_exactly_is_refused(dose, strength, unit, halves):
    with pytest.raises(NotMeasurable):
        volume_ul(dose, strength, unit, halves)


def test_tablets():
    assert volume_ul(8_000, 2_000, "tablet") == 4_000
    assert volume_ul(7_000, 2_000, "tablet", halves=True) == 3_500


def test_an_unknown_unit_is_a_mistake():
    with pytest.raises(ValueError, match="drops"):
        volume_ul(1_000, 1_000, "drops")


@given(st.integers(1, 10**9), st.integers(1, 100_000))
def test_a_volume_holds_exactly_its_dose(dose, strength):
    try:
        volume = volume_ul(dose, strength)
    except NotMeasurable:
        assert dose * 1000 % strength
    else:
        assert amount_ug(volume, strength) == dose


@given(st.integers(0, 10**7), st.integers(1, 100_000))
def test_what_was_swallowed_is_rounded_down(volume, strength):
    assert amount_ug(volume, strength) * 1000 <= volume * strength
