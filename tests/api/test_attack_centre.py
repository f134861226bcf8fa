"""What the API tells those who may act on a request and not know whose it is, and a guest site after consent."""

from __future__ import annotations

import json

import pytest

from ost.services import consents, holds, patient_read, sessions
from ost.services.guest import answer
from tests.plugins.clients import Api, house_of, sign_in_as
from tests.services.guest_world import HOME, NEAR, THERE, make_world

API = "/api/v1/guest-requests"


@pytest.fixture
def world(app, clock):
    return make_world(house_of(app))


@pytest.fixture
def desk(app, world):
    return lambda actor: Api(app, sign_in_as(app, actor, sessions.API))


def test_an_offer_that_cannot_be_made_tells_the_centre_nothing_of_the_person(world, desk):
    said = world.asked(1)
    held = {"site_id": HOME, "kind": "clinical", "reason_code": "medical_review", "come_back_on": world.day(9)}
    holds.place(world.house, world.prescriber, world.patient, **held)
    answer_ = desk(world.centre).post(f"{API}/{said.request_id}/offer", {"site": NEAR})
    assert answer_.status_code == 409
    told = json.dumps(answer_.get_json(), ensure_ascii=False)
    for word in ("on_hold", "medical_review", world.day(9).isoformat(), world.patient):
        assert word not in told
    with world.house.db.begin() as tx:
        tx.exec_driver_sql(f"UPDATE site_hours SET places = 0 WHERE site = '{NEAR}'")
    full = desk(world.centre).post(f"{API}/{said.request_id}/offer", {"site": NEAR}).get_json()
    assert {r["code"] for r in full["reasons"]} == {"guest_day_full"}


def test_a_guest_site_reads_no_number_once_the_consent_is_taken_back(world, desk):
    said = world.asked(1)
    answer.approve(world.house, world.prescriber, said.request_id)
    there = desk(world.there)

    def shown() -> list:
        found = there.get(API, site=THERE)
        return [r["patient_number"] for r in found.get_json()["requests"]]

    assert shown() == list(patient_read.numbers(world.house, [world.patient]).values())
    consents.end_kind(world.house, world.nurse, world.patient, consents.GUEST_DOSING)
    assert shown() == [None]
    at_home = desk(world.nurse).get(API, site=HOME).get_json()["requests"]
    assert at_home[0]["patient_number"]
