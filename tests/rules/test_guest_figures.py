"""Figures of guest dosing as rules: divided right, and small counts hidden so that nothing gives them away."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ost.rules import guest_figures as figures
from ost.rules.guest_figures import (
    ALL,
    CAPACITY,
    COUNT,
    COUNTY,
    MEDIAN,
    MONTH,
    REASON,
    SHARE,
    SITE,
    Fact,
    Network,
    Row,
)
from ost.rules.small_cells import LEAST, ranges

COUNTIES = {"H1": "HUA", "H2": "HUA", "T1": "TPE", "T2": "TPE", "T3": "TPE", "K1": "KHH"}
MARCH = Network(COUNTIES, ("2026-03",))
BOTH = Network(COUNTIES, ("2026-03", "2026-04"))


def facts(site: str, yes: int, no: int = 0, *, month: int = 3, reason: str | None = None) -> list[Fact]:
    at = date(2026, month, 5)
    return [Fact(at, site, True, reason=reason)] * yes + [Fact(at, site, False, reason=reason)] * no


def outside(kind, found, by, network=MARCH, sites=COUNTIES, places=None) -> dict[str, Row]:
    return {row.key: row for row in figures.for_outsiders(kind, found, by, network, sites, places or {})}


def test_a_share_a_count_a_middle_and_the_places_used():
    found = facts("H1", 3, 1) + facts("T1", 1, 1)
    mine = figures.for_insiders(SHARE, found, SITE, COUNTIES, {})
    assert mine == [Row("H1", 3, 4, 0.75), Row("T1", 1, 2, 0.5)]
    assert figures.for_insiders(COUNT, found, ALL, COUNTIES, {}) == [Row(ALL, 6, None, 6)]
    assert figures.for_insiders(COUNT, [], ALL, COUNTIES, {}) == [Row(ALL, 0, None, 0)]
    assert figures.for_insiders(SHARE, [], ALL, COUNTIES, {}) == [Row(ALL, 0, 0, None)]
    minutes = [Fact(date(2026, 3, 1), "H1", value=v) for v in (1, 90, 4.25)]
    assert figures.for_insiders(MEDIAN, minutes, COUNTY, COUNTIES, {}) == [Row("HUA", None, 3, 4.2)]
    places = {("2026-03", "H1"): 40, ("2026-04", "H1"): 10, ("2026-03", "H2"): 5}
    assert figures.for_insiders(CAPACITY, found, MONTH, COUNTIES, places) == [
        Row("2026-03", 6, 45, 0.1333), Row("2026-04", 0, 10, 0.0),
    ]  # fmt: skip


def test_a_small_count_is_hidden_for_outsiders_and_a_neighbour_with_it():
    found = facts("H1", 20) + facts("H2", 2) + facts("T1", 9) + facts("T2", 30) + facts("T3", 12) + facts("K1", 8)
    shown = outside(COUNT, found, SITE)
    assert shown["H2"] == Row("H2", None, None, None, True)
    assert shown["H1"].suppressed  # the county's total would give H2 away
    assert shown["T1"] == Row("T1", 9, None, 9)
    assert outside(COUNT, found, COUNTY)["HUA"] == Row("HUA", 22, None, 22)
    assert outside(COUNT, found, ALL)[ALL].value == 81


@pytest.mark.parametrize(
    ("yes", "no"), [(0, 50), (4, 46), (46, 4), (50, 0)], ids=["none", "few", "few not", "everybody"]
)
def test_a_share_is_hidden_with_its_whole_where_a_part_of_it_is_small(yes, no):
    found = facts("H1", yes, no) + facts("H2", 30, 30) + facts("T1", 40, 40) + facts("K1", 9, 9)
    assert outside(SHARE, found, SITE)["H1"].suppressed


def test_no_guests_and_few_guests_look_alike():
    shown = outside(COUNT, facts("T1", 9) + facts("T2", 30) + facts("T3", 3), SITE)
    assert shown["K1"] == Row("K1", None, None, None, True) and shown["T3"].suppressed


def test_a_longer_time_is_shown_only_where_all_its_months_are():
    found = facts("K1", 30) + facts("K1", 3, month=4) + facts("T1", 20) + facts("T1", 20, month=4)
    found += facts("T2", 20) + facts("T2", 20, month=4) + facts("T3", 20) + facts("T3", 20, month=4)
    assert outside(COUNT, found, SITE, BOTH)["K1"].suppressed
    assert outside(COUNT, found, SITE, BOTH)["T1"].value == 40
    months = outside(COUNT, found, MONTH, BOTH)
    assert (months["2026-03"].value, months["2026-04"].value) == (90, 63)


def test_a_county_reader_sees_the_county_by_the_countys_own_cells():
    found = facts("H1", 20) + facts("H2", 9) + facts("T1", 2)
    mine = outside(COUNT, found, ALL, sites=("H1", "H2"))
    assert mine[ALL].value == 29
    assert set(outside(COUNT, found, SITE, sites=("H1", "H2"))) == {"H1", "H2"}
    assert set(outside(COUNT, found, COUNTY, sites=("H1", "H2"))) == {"HUA"}
    # One site of a county only: as fine as that site is, or nothing.
    assert outside(COUNT, found, ALL, sites=("T1",))[ALL].suppressed


def test_reasons_are_hidden_like_sites_are_and_shown_of_the_whole_network_only():
    found = facts("H1", 20, reason="full") + facts("T1", 8, reason="hold") + facts("T2", 2, reason="other")
    shown = outside(COUNT, found, REASON)
    assert shown["full"].value == 20 and shown["other"].suppressed and shown["hold"].suppressed
    assert all(row.suppressed for row in outside(COUNT, found, REASON, sites=("H1", "H2")).values())


_counts = st.dictionaries(
    st.sampled_from(sorted(COUNTIES)), st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=6
)


@given(_counts)
@settings(max_examples=60)
def test_what_is_hidden_cannot_be_worked_out_from_what_is_shown(counts):
    found = [fact for site, (yes, no) in counts.items() for fact in facts(site, yes, no)]
    rows = {(by, key): row for by in (ALL, COUNTY, SITE) for key, row in outside(SHARE, found, by).items()}
    sites = sorted(COUNTIES)
    known = {}
    for (by, key), row in rows.items():
        form = tuple(float(by == ALL or key == s or (by == COUNTY and COUNTIES[s] == key)) for s in sites)
        known[by, key] = form
        if not row.suppressed:
            assert min(row.numerator, row.denominator, row.denominator - row.numerator) >= LEAST
    shown = [known[at] for at, row in rows.items() if not row.suppressed]
    rank = numpy.linalg.matrix_rank(numpy.array(shown)) if shown else 0
    for at, row in rows.items():
        if row.suppressed:  # by adding and subtracting
            assert numpy.linalg.matrix_rank(numpy.array([*shown, known[at]])) > rank, at
    # By knowing that no count is below zero: each hidden one still has more than one value.
    for part in (lambda yes, no: yes, lambda yes, no: no):
        cells = Counter({f"{SITE}|{s}": part(*counts.get(s, (0, 0))) for s in sites})
        for s in sites:
            cells[f"{COUNTY}|{COUNTIES[s]}"] += cells[f"{SITE}|{s}"]
            cells[f"{ALL}|{ALL}"] += cells[f"{SITE}|{s}"]
        sums = [(f"{ALL}|{ALL}", tuple(f"{COUNTY}|{c}" for c in sorted(set(COUNTIES.values()))))]
        for county in sorted(set(COUNTIES.values())):
            sums.append((f"{COUNTY}|{county}", tuple(f"{SITE}|{s}" for s in sites if COUNTIES[s] == county)))
        hidden = {f"{by}|{key}" for (by, key), row in rows.items() if row.suppressed}
        for name, (low, high) in ranges(cells, sums, hidden).items():
            assert (low < high) == (name in hidden), name
