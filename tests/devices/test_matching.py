"""Cylinders and their score, error rates, and the decision; on minutiae sets, without images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.fingerprints import (
    IDENTIFY_NETWORK,
    IDENTIFY_SITE,
    MIN_VALID_CYLINDERS,
    Ambiguous,
    Candidate,
    Named,
    Nobody,
    decide_identity,
    match,
    verify,
)
from devices.fingerprints.cylinders import CIRCLE_CELLS, cylinders
from devices.fingerprints.extract import minutiae_from
from devices.fingerprints.rates import curve, eer, fnmr_at_fmr, rates_at
from devices.fingerprints.synthetic import impression_of, synthetic_minutiae
from tests.devices.prints import template


def moved(minutiae, turn, right, down):
    """The same minutiae rotated counter-clockwise about the origin and shifted."""
    x, y = minutiae.x_px.astype(float), minutiae.y_px.astype(float)
    return minutiae_from(
        np.cos(turn) * x + np.sin(turn) * y + right,
        -np.sin(turn) * x + np.cos(turn) * y + down,
        minutiae.angle_rad + turn,
        minutiae.kind,
        minutiae.quality,
        minutiae.width,
        minutiae.height,
    )


def test_the_circle_has_the_papers_number_of_cells():
    assert CIRCLE_CELLS == 208


@pytest.mark.parametrize("turn", [-1.2, -0.3, 0.5, 1.5])
def test_moving_and_turning_a_finger_hardly_changes_its_score(turn):
    whole = synthetic_minutiae(3)
    still, turned = cylinders(whole), cylinders(moved(whole, turn, 37.0, -21.0))
    assert match(still, turned) >= 0.9 * match(still, still)
    mirrored = minutiae_from(
        -whole.x_px, whole.y_px, np.pi - whole.angle_rad, whole.kind, whole.quality, whole.width, whole.height
    )
    assert match(still, cylinders(mirrored)) < 0.05


def test_score_does_not_depend_on_the_order_of_the_two():
    for person in range(5):
        a, b = template(person, 0), template(person, 1)
        assert match(a, b) == pytest.approx(match(b, a), abs=1e-9)


def test_genuine_scores_lie_above_impostor_scores():
    genuine = [match(template(p, 0), template(p, 1)) for p in range(30)]
    impostor = [match(template(p, 0), template(q, 1)) for p in range(30) for q in range(30) if p != q]
    assert min(genuine) >= 0.04
    assert max(impostor) < 0.04


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_minutiae_give_scores_between_0_and_1(data):
    def some():
        n = data.draw(st.integers(0, 20))
        side = st.floats(0, 400, width=32)
        x = data.draw(st.lists(side, min_size=n, max_size=n))
        y = data.draw(st.lists(side, min_size=n, max_size=n))
        angle = data.draw(st.lists(st.floats(-10, 10), min_size=n, max_size=n))
        return cylinders(minutiae_from(x, y, angle, [1] * n, [1.0] * n, 500, 500))

    assert 0.0 <= match(some(), some()) <= 1.0


def test_minutiae_on_one_spot_or_one_line_are_no_trouble():
    for x, y in (([5.0] * 20, [5.0] * 20), (list(range(0, 200, 10)), [50.0] * 20)):
        few = cylinders(minutiae_from(x, y, np.linspace(0, 6, 20), [1] * 20, [1.0] * 20, 300, 300))
        assert 0.0 <= match(few, few) <= 1.0


def test_a_scrap_of_finger_does_not_pass_the_gate():
    scrap = cylinders(impression_of(synthetic_minutiae(1), 7, area=0.06))
    assert len(scrap) < MIN_VALID_CYLINDERS
    assert not scrap.enough
    assert template(1, 0).enough


def test_the_rates_of_known_scores():
    genuine, impostor = [0.9, 0.8, 0.7, 0.2], [0.1, 0.1, 0.3, 0.0]
    assert eer(genuine, impostor) == pytest.approx(0.25)
    assert fnmr_at_fmr(genuine, impostor, 0.0) == pytest.approx(0.25)
    assert fnmr_at_fmr(genuine, impostor, 0.25) == pytest.approx(0.0)
    assert rates_at(genuine, impostor, 0.15) == (0.25, 0.0)
    assert eer([0.9, 0.8], [0.1, 0.2]) == 0.0
    assert eer([0.5], [0.5]) == pytest.approx(0.5)
    with pytest.raises(ValueError):
        eer([], [0.1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_rates_are_monotone_fractions(genuine, impostor):
    _, fmr, fnmr = curve(genuine, impostor)
    assert fmr[0] == 1.0
    assert fnmr[0] == 0.0
    assert fmr[-1] == 0.0
    assert fnmr[-1] == 1.0
    assert (np.diff(fmr) <= 0).all()
    assert (np.diff(fnmr) >= 0).all()
    assert 0.0 <= eer(genuine, impostor) <= 1.0


def people(*scores):
    return [Candidate(f"p{i}", 0, score) for i, score in enumerate(scores)]


def test_one_person_who_stands_out_is_named():
    assert decide_identity(people(0.20, 0.02), IDENTIFY_SITE) == Named(Candidate("p0", 0, 0.20))
    assert decide_identity(people(0.04), IDENTIFY_SITE) == Named(Candidate("p0", 0, 0.04))
    assert decide_identity(list(reversed(people(0.20, 0.02))), IDENTIFY_SITE) == Named(
        Candidate("p0", 0, 0.20)
    )


def test_a_second_person_too_near_makes_it_a_choice_of_at_most_three_faces():
    offered = decide_identity(people(0.060, 0.050, 0.045, 0.041), IDENTIFY_SITE)
    assert offered == Ambiguous(tuple(people(0.060, 0.050, 0.045)))
    assert decide_identity(people(0.060, 0.041), IDENTIFY_SITE) == Ambiguous(tuple(people(0.060, 0.041)))


def test_below_the_threshold_a_site_may_offer_and_the_network_shows_nobody():
    assert decide_identity(people(0.035, 0.01), IDENTIFY_SITE) == Ambiguous(tuple(people(0.035)))
    assert decide_identity(people(0.049, 0.01), IDENTIFY_NETWORK) == Nobody()
    assert decide_identity(people(0.02), IDENTIFY_SITE) == Nobody()
    assert decide_identity([], IDENTIFY_SITE) == Nobody()


def test_two_fingers_of_one_person_do_not_compete():
    both = [Candidate("p0", 1, 0.10), Candidate("p0", 2, 0.09)]
    assert decide_identity(both, IDENTIFY_SITE) == Named(both[0])


@given(st.lists(st.floats(0, 1), max_size=6))
def test_whoever_is_named_fulfils_the_operating_point(scores):
    decision = decide_identity(people(*scores), IDENTIFY_SITE)
    if isinstance(decision, Named):
        best, *rest = sorted(scores, reverse=True)
        assert decision.candidate.score == best >= 0.04
        assert not rest or best >= 1.5 * rest[0]
    elif isinstance(decision, Ambiguous):
        assert 1 <= len(decision.candidates) <= 3
    else:
        assert max(scores, default=0) < 0.04


def test_the_simulated_reader_has_its_own_point():
    assert verify(0.05)
    assert not verify(0.05, simulated=True)
    assert not verify(0.039)
