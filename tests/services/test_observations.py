"""What is seen after a dose stays beside it: drowsy, left early, kept in the mouth, vomited."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import dose
from ost.services import amend, decision
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from tests.make import give, make_account, make_clinic


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


@pytest.fixture
def swallowed(house, clinic):
    given = give(house, clinic).dose_id
    end(house, clinic.nurse, Ending(given, "swallowed"))
    return given


@pytest.mark.parametrize("kind", ["drowsy", "left_early", "kept_in_mouth", "unsteady"])
def test_what_was_seen_is_kept_with_its_minute_and_told_with_the_dose(house, clinic, swallowed, clock, kind):
    clock.shift(12 * 60)
    amend.observe(house, clinic.nurse, swallowed, kind)
    with house.read() as tx:
        row = tx.execute(sa.select(dose.dose_observation)).one()
    assert (row.kind, row.minutes_after, row.by) == (kind, 12, clinic.nurse.id)
    assert [o["kind"] for o in decision.story(house, clinic.nurse, swallowed)["observations"]] == [kind]
    # The dose itself stands as it was.
    assert "already_dosed_today" in {r["code"] for r in give(house, clinic).reasons}
    assert verify(house).passed


def test_a_person_seen_drowsy_before_the_dose_gets_none(house, clinic):
    refused = give(house, clinic, intoxication=("drowsy",))
    assert refused.state == "refused"
    assert "intoxicated" in {r["code"] for r in refused.reasons}


def test_a_dose_kept_in_the_mouth_and_spat_out_goes_to_residue_and_frees_no_slot(house, clinic):
    given = give(house, clinic).dose_id
    ended = end(house, clinic.nurse, Ending(given, "spat_out", disposition="residue", reason="kept_in_mouth"))
    assert (ended.swallowed_ug, ended.slot_free) == (None, False)
    assert "slot_used" in {r["code"] for r in give(house, clinic).reasons}
    assert verify(house).passed


def test_nothing_is_observed_after_nothing(house, clinic, swallowed):
    with pytest.raises(Refusal) as refused:
        amend.observe(house, clinic.nurse, swallowed, "asleep on the bus")
    assert refused.value.code == "observation_unknown"
    with pytest.raises(Refusal) as refused:
        amend.observe(house, make_account(house, "nurse", scope="TPE9"), swallowed, "drowsy")
    assert refused.value.code == "not_permitted"
