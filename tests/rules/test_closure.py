"""Who of a closed site goes where: never more than there is room for, never where it cannot be, everybody who can be."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from ost.rules import closure as rules
from ost.rules.closure import Hours, Move, Need, Place, plan
from ost.rules.geo import distance_m

DAY, NEXT = date(2026, 3, 10), date(2026, 3, 11)
REACH_M = 100_000
METHADONE, BOTH = frozenset({"methadone"}), frozenset({"methadone", "buprenorphine"})
# A row of points about 11 km apart.
POINTS = [(23_000_000 + 100_000 * n, 121_000_000) for n in range(14)]


def need(patient: str, **values) -> Need:
    return Need(**{"patient": patient, "day": DAY, "from_site": "X", "medicines": METHADONE, "near": POINTS[0], **values})


def place(site: str, at: int, free: int = 1, **values) -> Place:
    return Place(**{"site": site, "day": DAY, "free": free, "medicines": BOTH, "point": POINTS[at], **values})


def whither(moves: tuple[Move, ...]) -> dict[str, str | None]:
    return {m.patient: m.to_site for m in moves}


# --- single cases -------------------------------------------------------------------


def test_the_nearest_with_room_and_the_next_when_it_is_full():
    moves = plan([need("a"), need("b")], [place("far", 2), place("near", 1)], REACH_M)
    assert sorted(whither(moves).values()) == ["far", "near"]
    assert {m.to_site: m.distance_m for m in moves}["near"] == distance_m(POINTS[0], POINTS[1])
    assert {m.why for m in moves} == {rules.NEAREST}


def test_pregnant_people_first_then_priority_then_by_lot():
    people = [need("a"), need("b", rank=1), need("c", rank=0), need("d")]
    assert whither(plan(people, [place("near", 1)], REACH_M)) == {"a": None, "b": None, "c": "near", "d": None}
    assert whither(plan(people, [place("near", 1, 2)], REACH_M)) == {"a": None, "b": "near", "c": "near", "d": None}
    assert whither(plan(people, [place("near", 1, 3)], REACH_M)) == {"a": "near", "b": "near", "c": "near", "d": None}


def test_the_one_who_can_go_elsewhere_makes_room_for_the_one_who_cannot():
    """Placed first and nearest, and still moved on: nobody stays without while there is a place for them."""
    anybody, special = need("a", rank=0), need("b", medicines=BOTH)
    sites = [place("near", 1), place("only-methadone", 3, medicines=METHADONE)]
    assert whither(plan([anybody, special], sites, REACH_M)) == {"a": "only-methadone", "b": "near"}


def test_a_wish_outweighs_the_way_but_nobodys_place():
    wishing = need("a", wish="far", near=POINTS[5])
    assert whither(plan([wishing, need("b")], [place("near", 1), place("far", 5)], REACH_M)) == {"a": "far", "b": "near"}
    assert plan([wishing], [place("near", 1), place("far", 5)], REACH_M)[0].why == rules.WISH
    only_far = need("b", medicines=BOTH)
    sites = [place("near", 1, medicines=METHADONE), place("far", 5)]
    assert whither(plan([wishing, only_far], sites, REACH_M)) == {"a": "near", "b": "far"}


def test_one_site_for_all_days_if_it_has_room():
    people = [need("a"), need("a", day=NEXT), need("b"), need("b", day=NEXT)]
    sites = [place("one", 1), place("two", 2), place("one", 1, day=NEXT), place("two", 2, day=NEXT)]
    where = {(m.patient, m.day): m.to_site for m in plan(people, sites, REACH_M)}
    assert where["a", DAY] == where["a", NEXT] != where["b", DAY] == where["b", NEXT]


def test_a_guest_goes_home_where_that_is_nearer_and_others_need_the_place():
    guest = need("a", home="H", home_m=60_000)
    assert whither(plan([guest], [place("near", 1)], REACH_M)) == {"a": "near"}
    moves = plan([guest, need("b")], [place("near", 1)], REACH_M)
    assert whither(moves) == {"a": "H", "b": "near"}
    assert moves[0].why == rules.HOME
    too_far = need("a", home="H", home_m=REACH_M + 1)
    assert whither(plan([too_far, need("b", rank=0)], [place("near", 1)], REACH_M)) == {"a": None, "b": "near"}


def test_nobody_is_told_why_wrongly():
    def why(person: Need, *sites: Place) -> str:
        return plan([person], sites, REACH_M)[0].why

    assert why(need("a")) == rules.NO_SITE
    assert why(need("a"), place("far", 13)) == rules.NO_SITE
    assert why(need("a"), place("strict", 1, allowed=False)) == rules.NOT_ALLOWED
    assert why(need("a", medicines=BOTH), place("near", 1, medicines=METHADONE)) == rules.NO_MEDICINE
    assert why(need("a", products=frozenset({"m-5"})), place("near", 1)) == rules.NO_MEDICINE
    assert why(need("a", equipment=frozenset({"step_free"})), place("near", 1)) == rules.NO_EQUIPMENT
    assert why(need("a"), place("near", 1, free=0)) == rules.NO_PLACE
    assert why(need("a", why_not=rules.HELD), place("near", 1)) == rules.HELD


def test_without_coordinates_the_same_county_comes_first():
    lost = need("a", near=None, county="HUA")
    sites = [place("other", 1, county="TPE"), place("same", 9, county="HUA")]
    moves = plan([lost], sites, REACH_M)
    assert (moves[0].to_site, moves[0].distance_m) == ("same", None)


def test_hours_that_are_left():
    usual = Hours("07:00", "11:30", "12:00")
    assert rules.hours_left(usual, None, None) is None
    assert rules.hours_left(usual, "10:00", None) == Hours("07:00", "10:00", "10:00")
    assert rules.hours_left(usual, "06:00", None) is None
    assert rules.hours_left(usual, "07:00", "09:00") == Hours("09:00", "11:30", "12:00")
    assert rules.hours_left(usual, "10:00", "18:00") == Hours("07:00", "10:00", "10:00")
    assert rules.hours_left(None, "10:00", None) is None
    assert rules.opens_again(usual, "09:00", 60)
    assert not rules.opens_again(usual, "10:31", 60)
    assert not rules.opens_again(usual, None, 60)
    morning, later = Hours("07:00", "10:00", "10:00"), Hours("09:00", "11:30", "12:00")
    assert rules.stricter(morning, later) == Hours("09:00", "10:00", "10:00")
    assert rules.stricter(morning, None) is None
    assert rules.stricter(Hours("07:00", "08:00", "08:00"), later) is None


def test_extra_places_are_rounded_down_and_never_below_none():
    assert rules.room(7, 20, 0) == 8
    assert rules.room(4, 20, 0) == 4
    assert rules.room(4, 0, 6) == 0


# --- any case -------------------------------------------------------------------------

MEDICINES = st.sampled_from([METHADONE, frozenset({"buprenorphine"}), BOTH])
EQUIPMENT = st.sampled_from([frozenset(), frozenset({"step_free"})])


@st.composite
def situations(draw):
    sites = [
        place(
            f"s{n}",
            draw(st.integers(0, 13)),
            draw(st.integers(0, 3)),
            medicines=draw(MEDICINES),
            equipment=draw(EQUIPMENT),
            allowed=draw(st.integers(0, 5)) > 0,
        )
        for n in range(draw(st.integers(0, 5)))
    ]
    names = [s.site for s in sites]
    people = [
        need(
            f"p{n}",
            rank=draw(st.integers(0, 2)),
            medicines=draw(MEDICINES),
            equipment=draw(EQUIPMENT),
            near=POINTS[draw(st.sampled_from([0, 0, 4, 8]))],
            wish=draw(st.sampled_from([None, None, *names])),
        )
        for n in range(draw(st.integers(0, 9)))
    ]
    return people, sites


def may(n: Need, p: Place) -> bool:
    return (
        p.allowed and n.medicines <= p.medicines and n.equipment <= p.equipment
        and distance_m(n.near, p.point) <= REACH_M
    )


def seats(sites: list[Place]) -> list[Place]:
    return [s for s in sites for _ in range(s.free)]


def most(people: list[Need], sites: list[Place]) -> int:
    """How many can be placed at all, by somebody else's algorithm."""
    if not people or not seats(sites):
        return 0
    edges = csr_matrix(np.array([[may(n, s) for s in seats(sites)] for n in people], dtype=int))
    return int((maximum_bipartite_matching(edges, perm_type="column") >= 0).sum())


def weight(n: Need, p: Place) -> int:
    return distance_m(n.near, p.point) + rules.WISH_M * (n.wish is not None and n.wish != p.site)


@settings(max_examples=60)
@given(situations())
def test_never_over_capacity_never_where_it_cannot_be_and_as_many_as_can_be(situation):
    people, sites = situation
    moves = plan(people, sites, REACH_M)
    by_name, known = {s.site: s for s in sites}, {n.patient: n for n in people}
    assert [m.patient for m in moves] == sorted(known)
    placed = [known[m.patient] for m in moves if m.to_site is not None]
    for m in moves:
        assert (m.to_site is None) == (m.why in rules.NOWHERE)
        if m.to_site is not None:
            assert may(known[m.patient], by_name[m.to_site])
    for site, count in Counter(m.to_site for m in moves if m.to_site).items():
        assert count <= by_name[site].free
    assert len(placed) == most(people, sites)
    # Nobody of a later rank has a place that somebody of an earlier one could have had in some way.
    for rank in (0, 1):
        assert sum(n.rank <= rank for n in placed) == most([n for n in people if n.rank <= rank], sites)
    # And of all ways to place these people, none weighs less.
    if placed:
        big = 10**12
        cost = np.array([[weight(n, s) if may(n, s) else big for s in seats(sites)] for n in placed])
        rows, columns = linear_sum_assignment(cost)
        ours = sum(weight(known[m.patient], by_name[m.to_site]) for m in moves if m.to_site)
        assert ours == int(cost[rows, columns].sum())


@settings(max_examples=30)
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(situation, random):
    people, sites = situation
    before = plan(people, sites, REACH_M)
    random.shuffle(people)
    random.shuffle(sites)
    assert plan(people, sites, REACH_M) == before


def test_a_whole_county_among_all_sites_is_placed_in_few_steps():
    """400 people of 20 closed sites among 168: as many as there are places, no site over its own."""
    sites = [place(f"s{n:03}", n % 14, n % 5, medicines=METHADONE if n % 3 else BOTH) for n in range(168)]
    people = [
        need(f"p{n:03}", from_site=f"x{n % 20}", near=POINTS[n % 7], medicines=BOTH if n % 4 == 0 else METHADONE)
        for n in range(400)
    ]
    moves = plan(people, sites, 10**9)
    taken = Counter(m.to_site for m in moves if m.to_site)
    assert all(taken[s.site] <= s.free for s in sites)
    wide = sum(s.free for s in sites if s.medicines == BOTH)
    assert sum(taken.values()) == min(sum(s.free for s in sites), min(100, wide) + 300)


def test_every_way_out_has_its_word():
    assert len(set(rules.WHY)) == len(rules.WHY)
    assert not any(set(a) & set(b) for a, b in combinations([rules.MOVED, (rules.HOME, rules.STAYS), rules.NOWHERE], 2))
