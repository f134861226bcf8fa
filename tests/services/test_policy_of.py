"""Two sites, two packs: the stricter one decides, and says all its reasons."""

from __future__ import annotations

import copy

import pytest
import sqlalchemy as sa

from ost import policies
from ost.models import dose, site
from ost.rules.policy_packs import resolve
from tests.make import give, make_account, make_bottle, make_clinic, make_site

KEY = "methadone_day_max_ug"


@pytest.fixture
def strict(monkeypatch):
    """A pack that is the Taiwan pack but for one value: no more than 50 mg a day."""
    packs = {name: copy.deepcopy(pack) for name, pack in policies.packs().items()}
    packs["strict"] = {
        "name": "strict",
        "title": "Strict",
        "extends": "tw",
        "values": {
            KEY: {
                "value": 50_000,
                "unit": "ug",
                "enforcement": "stop",
                "source": "the test's own",
                "status": "law",
            }
        },
    }
    known = policies.policy
    made = resolve(packs, "strict")
    monkeypatch.setattr(policies, "policy", lambda name: made if name == "strict" else known(name))
    return "strict"


@pytest.mark.parametrize(("home", "guest"), [("strict", "tw"), ("tw", "strict")])
def test_the_stricter_of_two_sites_decides(house, strict, home, guest):
    make_site(house, "TPE1", county="TPE", policy=guest)
    clinic = make_clinic(house, sites=("HUA1", "TPE1"))
    with house.db.begin() as tx:
        tx.execute(sa.update(site.site).where(site.site.c.id == "HUA1").values(policy=home))
    nurse, bottle = make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")
    answer = give(house, clinic, actor=nurse, site="TPE1", bottle=bottle)
    assert answer.state == "refused"
    assert [r["code"] for r in answer.reasons if r["tier"] == "stop"] == ["day_above_max"]
    with house.read() as tx:
        kept = tx.execute(sa.select(dose.decision.c.policy).where(dose.decision.c.verdict == "refuse")).scalar_one()
    assert kept == policies.policy("strict").digest


def test_one_pack_at_both_sites_gives(house):
    make_site(house, "TPE1", county="TPE")
    clinic = make_clinic(house, sites=("HUA1", "TPE1"))
    nurse, bottle = make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")
    assert give(house, clinic, actor=nurse, site="TPE1", bottle=bottle).state == "promised"
