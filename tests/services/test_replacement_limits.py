"""A replacement fills up what was lost: never a second whole dose, and never lost by an undone tap."""

from __future__ import annotations

import pytest

from ost.errors import Refusal
from ost.services import amend
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from tests.make import give, make_clinic, make_witness


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


def codes(answer) -> set[str]:
    return {r["code"] for r in answer.reasons}


def ended(house, clinic, dose_id, *args, **kw):
    return end(house, clinic.nurse, Ending(dose_id, *args, **kw))


def test_a_kept_dose_has_nothing_to_replace(house, clinic):
    first = give(house, clinic).dose_id
    ended(house, clinic, first, "swallowed")
    with pytest.raises(Refusal) as refused:
        amend.order_replacement(house, clinic.prescriber, first, reason="asks for more")
    assert refused.value.code == "replacement_above_order"
    assert "already_dosed_today" in codes(give(house, clinic))


def test_after_a_part_the_replacement_is_the_rest(house, clinic):
    first = give(house, clinic).dose_id
    ended(house, clinic, first, "partly", swallowed_ug=40_000, disposition="spilled")
    with pytest.raises(Refusal):
        amend.order_replacement(house, clinic.prescriber, first, reason="spilled", dose_ug=30_000)
    amend.order_replacement(house, clinic.prescriber, first, reason="spilled")
    whole = give(house, clinic)
    assert whole.state == "refused" and "changed_since_shown" in codes(whole)
    rest = give(house, clinic, seen_dose_ug=20_000, seen_volume_ul=2_000)
    assert (rest.state, rest.dose_ug) == ("promised", 20_000)
    ended(house, clinic, rest.dose_id, "swallowed")
    with pytest.raises(Refusal):
        amend.order_replacement(house, clinic.prescriber, rest.dose_id, reason="again")
    assert "already_dosed_today" in codes(give(house, clinic))
    assert verify(house).passed


def test_a_part_kept_stays_counted_when_the_replacement_is_lost_too(house, clinic):
    first = give(house, clinic).dose_id
    ended(house, clinic, first, "partly", swallowed_ug=40_000, disposition="spilled")
    amend.order_replacement(house, clinic.prescriber, first, reason="spilled")
    second = give(house, clinic, seen_dose_ug=20_000, seen_volume_ul=2_000).dose_id
    ended(house, clinic, second, "swallowed")
    amend.observe(house, clinic.nurse, second, "vomited", minutes_after=5)
    amend.order_replacement(house, clinic.prescriber, second, reason="vomited")
    third = give(house, clinic, seen_dose_ug=20_000, seen_volume_ul=2_000)
    assert (third.state, third.dose_ug) == ("promised", 20_000)


@pytest.mark.parametrize("how", ["not_given", "void"])
def test_a_replacement_prepared_and_not_taken_is_still_ordered_and_still_limited(house, clinic, how):
    first = give(house, clinic).dose_id
    ended(house, clinic, first, "swallowed")
    amend.observe(house, clinic.nurse, first, "vomited", minutes_after=5)
    amend.order_replacement(house, clinic.prescriber, first, reason="vomited", dose_ug=30_000)
    second = give(house, clinic, seen_dose_ug=30_000, seen_volume_ul=3_000).dose_id
    if how == "not_given":
        ended(house, clinic, second, "not_given", disposition="returned")
    else:
        ended(house, clinic, second, "swallowed")
        token = make_witness(house, clinic.second, second)
        amend.void(
            house,
            clinic.nurse,
            second,
            reason="wrong tap",
            witness=token,
            not_taken=True,
            disposition="residue",
        )
    assert give(house, clinic).state == "refused"  # not the whole dose
    third = give(house, clinic, seen_dose_ug=30_000, seen_volume_ul=3_000)
    assert (third.state, third.dose_ug) == ("promised", 30_000)
    ended(house, clinic, third.dose_id, "swallowed")
    assert give(house, clinic, seen_dose_ug=30_000, seen_volume_ul=3_000).state == "refused"
    assert verify(house).passed
