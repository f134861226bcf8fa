"""Who swallowed another person's dose: named truly, blocked everywhere, and cleared by their own prescriber."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import dose
from ost.services import amend
from ost.services.outcome import Ending, end
from tests.make import (
    give,
    make_account,
    make_clinic,
    make_patient,
    make_prescription,
    make_site,
)


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


def test_the_person_themselves_is_not_another_person(house, clinic):
    promised = give(house, clinic).dose_id
    said = Ending(promised, "swallowed_by_other", drinker=clinic.patient)
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, said)
    assert refused.value.fields == {"drinker": ["not_a_choice"]}
    with house.read() as tx:
        assert tx.execute(sa.select(dose.exposure)).all() == []
        outcome = dose.dose_outcome
        assert tx.execute(sa.select(outcome).where(outcome.c.attempt == promised)).all() == []


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("swallowed", {}),
        ("partly", {"swallowed_ug": 20_000, "disposition": "spilled"}),
        ("not_given", {"disposition": "returned"}),
        ("too_much", {"swallowed_ug": 90_000}),
    ],
)
def test_a_drinker_beside_another_ending_is_not_passed_over(house, clinic, outcome, said):
    drinker = make_patient(house)
    promised = give(house, clinic).dose_id
    with pytest.raises(Refusal):
        end(house, clinic.nurse, Ending(promised, outcome, drinker=drinker, **said))


def test_a_drinker_from_elsewhere_is_cleared_at_home(house, clinic):
    make_site(house, "TPE1", county="TPE")
    make_site(house, "KHH1", county="KHH")
    drinker = make_patient(house, "TPE1")
    make_prescription(house, drinker, sites=("TPE1",))
    promised = give(house, clinic).dose_id
    end(house, clinic.nurse, Ending(promised, "swallowed_by_other", drinker=drinker))
    with house.read() as tx:
        exposure = tx.execute(sa.select(dose.exposure)).one()
    with pytest.raises(Refusal) as refused:
        amend.review_exposure(house, make_account(house, "prescriber", scope="KHH1"), exposure.id)
    assert refused.value.code == "not_permitted"
    amend.review_exposure(house, make_account(house, "prescriber", scope="TPE1"), exposure.id)
    with house.read() as tx:
        assert tx.execute(sa.select(dose.exposure_review)).one().patient == drinker
