"""Small counts: none is shown, and none can be worked out. Checked by trying every table that fits what is shown."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ost.rules.small_cells import hide, revealed


def fitting(cells, sums, hidden, most):
    """{name: every value it has in some table of whole numbers up to `most` that fits what is shown}."""
    names = sorted(hidden)
    values = {name: set() for name in names}
    for guess in itertools.product(range(most + 1), repeat=len(names)):
        table = dict(cells) | dict(zip(names, guess, strict=True))
        if all(table[total] == sum(table[p] for p in parts) for total, parts in sums):
            for name in names:
                values[name].add(table[name])
    return values


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ((50, 3), {"t"}),  # with 3 alone hidden, 53 - 50 gives it away
        ((50, 3, 4), {"t", "p0"}),
        ((10, 0, 0), {"t"}),  # two hidden zeros and their sum of zero
        ((50, 60), {"t", "p0", "p1"}),
        ((1, 1), set()),
    ],
)
def test_a_small_count_takes_a_neighbour_along(parts, shown):
    cells = {"t": sum(parts), **{f"p{n}": v for n, v in enumerate(parts)}}
    hidden = hide(cells, [("t", tuple(f"p{n}" for n in range(len(parts))))])
    assert set(cells) - hidden == shown


def test_nothing_small_nothing_hidden():
    assert hide({"a": 5, "b": 6}, []) == frozenset()
    assert hide({"a": 4, "b": 6}, []) == {"a"}


def test_the_same_total_told_apart_in_two_ways():
    """By site and by finger: a total that protects one table must not be given away by the other."""
    cells = {"all": 20, "s1": 17, "s2": 3, "thumb": 9, "index": 11}
    sums = [("all", ("s1", "s2")), ("all", ("thumb", "index"))]
    hidden = hide(cells, sums)
    assert {"s1", "s2"} <= hidden and not revealed(cells, sums, hidden)
    assert "all" not in hidden and "thumb" not in hidden


def test_a_reader_below_a_site():
    cells = {"all": 109, "s1": 103, "s2": 6, "r1": 100, "r2": 3, "r3": 6}
    sums = [("all", ("s1", "s2")), ("s1", ("r1", "r2")), ("s2", ("r3",))]
    hidden = hide(cells, sums)
    assert {"r1", "r2"} <= hidden and not revealed(cells, sums, hidden)


@pytest.mark.parametrize(
    ("cells", "sums"),
    [
        ({"t": 9, "a": 4, "b": 4}, [("t", ("a", "b"))]),
        ({"t": 8, "a": 8, "u": 8}, [("t", ("a",)), ("u", ("a",))]),
        ({"a": -1}, []),
    ],
)
def test_tables_that_do_not_hold_are_refused(cells, sums):
    with pytest.raises(ValueError, match=r"add up|part of another|below zero"):
        hide(cells, sums)


counts = st.integers(0, 7)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(first=st.lists(counts, min_size=1, max_size=3), second=st.lists(counts, min_size=1, max_size=2))
def test_no_hidden_count_can_be_worked_out(first, second):
    """A total of two sites, one of them told apart by reader: every table that fits is tried."""
    cells = {"s1": sum(first), "s2": sum(second)} | {f"a{n}": v for n, v in enumerate(first)}
    cells |= {f"b{n}": v for n, v in enumerate(second)} | {"all": sum(first) + sum(second)}
    tree = {"s1": [f"a{n}" for n in range(len(first))], "s2": [f"b{n}" for n in range(len(second))]}
    sums = [("all", ("s1", "s2")), *((t, tuple(p)) for t, p in tree.items())]
    hidden = hide(cells, sums)
    assert all(cells[name] >= 5 for name in set(cells) - hidden)
    leaves = [n for n in cells if n[0] in "ab" and n != "all"]
    free = [n for n in leaves if n in hidden]
    seen = {name: set() for name in hidden}
    for guess in itertools.product(range(10), repeat=len(free)):
        table = dict(cells) | dict(zip(free, guess, strict=True))
        for total, parts in [*sums[1:], sums[0]]:
            table[total] = sum(table[p] for p in parts)
        if all(table[n] == cells[n] for n in set(cells) - hidden):
            for name in hidden:
                seen[name].add(table[name])
    assert all(len(values) > 1 for values in seen.values())


def test_the_check_itself_finds_what_is_given_away():
    cells, sums = {"t": 8, "a": 5, "b": 3}, [("t", ("a", "b"))]
    assert fitting(cells, sums, {"b"}, 9) == {"b": {3}}
    assert revealed(cells, sums, {"b"}) == {"b"}
    assert all(len(v) > 1 for v in fitting(cells, sums, hide(cells, sums), 9).values())
