"""What is said about a dose later finds its way into the register: voids of too much, bottles closed meanwhile."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.models import stock as tables
from ost.services import amend, register, stock
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from tests.make import give, make_account, make_clinic, make_witness


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


def balance(house, bottle: str) -> int:
    with house.read() as tx:
        return tx.execute(
            sa.select(tables.bottle.c.balance_ul).where(tables.bottle.c.id == bottle)
        ).scalar_one()


def jar(house, clinic) -> int:
    with house.read() as tx:
        product = tx.execute(
            sa.select(tables.bottle.c.product).where(tables.bottle.c.id == clinic.bottle)
        ).scalar_one()
    return balance(house, register.jar_id(clinic.site, product))


def close(house, clinic):
    keeper = make_account(house, "pharmacist", scope=clinic.site)
    stock.close_bottle(house, keeper, clinic.bottle, site_id=clinic.site, reason="end of lot")


@pytest.mark.parametrize("outcome", ["too_much", "partly", "swallowed", "swallowed_by_other", "spat_out"])
def test_a_void_puts_every_drop_back_that_its_lines_took(house, clinic, outcome):
    before = balance(house, clinic.bottle)
    said = {
        "too_much": {"swallowed_ug": 90_000},
        "partly": {"swallowed_ug": 20_000, "disposition": "residue"},
        "spat_out": {"disposition": "residue"},
    }.get(outcome, {})
    dose_id = give(house, clinic).dose_id
    end(house, clinic.nurse, Ending(dose_id, outcome, **said))
    token = make_witness(house, clinic.second, dose_id)
    amend.void(
        house,
        clinic.nurse,
        dose_id,
        reason="wrong tap",
        witness=token,
        not_taken=True,
        disposition="residue",
    )
    report = verify(house)
    assert report.passed, report.problems
    poured = 9_000 if outcome == "too_much" else 6_000
    assert (before - balance(house, clinic.bottle), jar(house, clinic)) == (poured, poured)


def test_a_dose_handed_back_to_a_bottle_closed_meanwhile_goes_to_the_jar(house, clinic):
    before = balance(house, clinic.bottle)
    dose_id = give(house, clinic).dose_id
    close(house, clinic)
    end(house, clinic.nurse, Ending(dose_id, "not_given", disposition="returned"))
    assert balance(house, clinic.bottle) == 0
    assert jar(house, clinic) == before
    assert verify(house).passed


def test_more_than_ordered_from_a_bottle_closed_meanwhile_is_flagged(house, clinic):
    dose_id = give(house, clinic).dose_id
    close(house, clinic)
    ended = end(house, clinic.nurse, Ending(dose_id, "too_much", swallowed_ug=90_000))
    assert "register_below_what_was_given" in ended.flags
    assert verify(house).passed
