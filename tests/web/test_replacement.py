"""A dose that was lost stands on the prescriber's work list until another is ordered in its place."""

from __future__ import annotations

import pytest

from ost.services import amend
from ost.services.lost_doses import lost_doses
from ost.services.outcome import Ending, end
from tests.make import give, make_clinic


@pytest.fixture
def house(app):
    return app.extensions["ost"].house


@pytest.fixture
def lost(house):
    clinic = make_clinic(house)
    dose_id = give(house, clinic).dose_id
    end(house, clinic.nurse, Ending(dose_id, "swallowed"))
    assert lost_doses(house, clinic.prescriber, clinic.site) == ()
    amend.observe(house, clinic.nurse, dose_id, "vomited", minutes_after=10)
    return clinic, dose_id


def test_the_prescriber_sees_it_and_orders_another(house, lost, pages):
    clinic, dose_id = lost
    client = pages(clinic.prescriber, site=clinic.site)
    shown = client.get("/prescriber").get_data(as_text=True)
    assert f"/prescriber/doses/{dose_id}/replacement" in shown
    without = client.post(f"/prescriber/doses/{dose_id}/replacement", data={"dose": "30", "reason": ""})
    assert without.status_code == 422
    too_much = client.post(
        f"/prescriber/doses/{dose_id}/replacement", data={"dose": "61", "reason": "vomited"}
    )
    assert too_much.status_code == 422
    done = client.post(f"/prescriber/doses/{dose_id}/replacement", data={"dose": "30", "reason": "vomited"})
    assert done.status_code == 302
    assert lost_doses(house, clinic.prescriber, clinic.site) == ()
    second = give(house, clinic, seen_dose_ug=30_000, seen_volume_ul=3_000)
    assert (second.state, second.dose_ug) == ("promised", 30_000)


def test_a_nurse_orders_none(house, lost, pages):
    clinic, dose_id = lost
    answer = pages(clinic.nurse, site=clinic.site).post(
        f"/prescriber/doses/{dose_id}/replacement", data={"dose": "", "reason": "vomited"}
    )
    assert answer.status_code == 403
    assert give(house, clinic).state == "refused"
