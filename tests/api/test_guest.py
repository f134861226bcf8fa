"""Guest requests over HTTP: the whole way of one, its 409s with every reason, and what a list shows to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ost.models import guest, opening
from ost.services import sessions
from ost.services.work import new_id
from tests import make
from tests.plugins.clients import Api, assert_error, house_of, sign_in_as
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world

API = "/api/v1/guest-requests"


@pytest.fixture
def world(app, clock):
    return make_world(house_of(app))


@pytest.fixture
def desk(app, world):
    def signed_in(actor) -> Api:
        return Api(app, sign_in_as(app, actor, sessions.API))

    return signed_in


def body(world, *ahead: int, **values) -> dict:
    return {
        "request_id": new_id(),
        "patient_id": world.patient,
        "site": THERE,
        "days": [world.day(n).isoformat() for n in ahead or (1,)],
        "reason": "family",
        "consent": {"until": world.day(30).isoformat(), "anywhere": True},
        **values,
    }


def test_the_whole_way_of_one_request(world, desk):
    home, doctor = desk(world.nurse), desk(world.prescriber)
    there, signer = desk(world.there), desk(world.there_prescriber)
    wanted = body(world, 1, 2)
    looked = home.post(f"{API}/look", wanted).get_json()
    assert (looked["possible"], looked["instant"], looked["waits_for"]) == (True, False, "home")
    asked = home.post(API, wanted)
    assert asked.status_code == 201 and asked.get_json()["state"] == "asked"
    assert home.post(API, wanted).get_json() == asked.get_json()
    assert_error(home.post(API, wanted | {"site": NEAR}), 409, "guest_id_used")
    one = f"{API}/{wanted['request_id']}"
    shown = doctor.get(one).get_json()
    assert shown["person"]["orders"][0]["order"]["dose_ug"] == 60_000 and "approve" in shown["actions"]
    assert doctor.post(f"{one}/question", {"text": "哪天回來？"}).get_json()["state"] == "question"
    assert home.post(f"{one}/answer", {"text": "星期日"}).get_json()["state"] == "asked"
    assert_error(doctor.post(f"{one}/approve", {"seen_step": shown["step"]}), 409, "guest_changed_since_shown")
    assert doctor.post(f"{one}/approve", {}).get_json()["state"] == "accepted"
    assert_error(there.post(f"{one}/approve", {}), 403, "not_permitted")
    confirmed = signer.post(f"{one}/countersign", {}).get_json()
    assert confirmed["state"] == "confirmed" and confirmed["permit"]
    dropped = home.post(f"{one}/drop_day", {"day": world.day(2).isoformat()}).get_json()
    assert dropped["days"] == [world.day(1).isoformat()]
    changed = home.post(f"{one}/change", body(world, 1, site=NEAR, consent=None))
    assert changed.status_code == 201 and changed.get_json()["state"] == "asked"
    assert home.post(f"{one}/cancel", {"reason": "plans_changed"}).get_json()["state"] == "cancelled"
    assert_error(home.post(f"{one}/cancel", {}), 409, "guest_step_not_possible")


def test_what_stands_against_it_comes_with_other_places(world, desk):
    home = desk(world.nurse)
    answer = home.post(API, body(world, 1, 200))
    said = answer.get_json()
    assert (answer.status_code, said["error"]["code"]) == (409, "guest_not_asked") and said["error"]["action"]
    # The second day lies beyond the consent as well as beyond the horizon.
    assert {r["code"] for r in said["reasons"]} >= {"guest_day_too_far", "guest_consent_missing"}
    assert all(r["title"] and r["action"] for r in said["reasons"]) and said["alternatives"] == []
    with world.house.db.begin() as tx:
        tx.execute(opening.site_hours.update().where(opening.site_hours.c.site == THERE).values(places=0))
    said = home.post(API, body(world, 1)).get_json()
    assert [a["site"] for a in said["alternatives"]] == [NEAR, FAR]
    assert len(world.rows(guest.guest_unmet)) == 1


def test_an_approval_past_a_hold_comes_back_with_the_hold(world, desk):
    home, doctor = desk(world.nurse), desk(world.prescriber)
    wanted = body(world)
    home.post(API, wanted)
    hold = {
        "patient_id": world.patient, "site": HOME, "kind": "clinical", "reason_code": "medical_review",
        "come_back_on": (world.today + timedelta(days=3)).isoformat(),
    }  # fmt: skip
    assert home.post("/api/v1/holds", hold).status_code == 201
    answer = doctor.post(f"{API}/{wanted['request_id']}/approve", {})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "guest_not_moved")
    assert "on_hold" in {r["code"] for r in answer.get_json()["reasons"]}


def test_lists_show_ones_own_and_the_centre_sees_no_one(world, desk):
    home, centre = desk(world.nurse), desk(world.centre)
    wanted = body(world)
    home.post(API, wanted)
    (line,) = home.get(API, site=HOME).get_json()["requests"]
    assert line["patient_number"].startswith("T-") and line["waits_for"] == "home"
    assert desk(world.there).get(API, site=THERE, state="asked").get_json()["requests"][0]["id"] == line["id"]
    assert home.get(API, site=HOME, state="closed").get_json() == {"requests": []}
    assert_error(home.get(API, site=THERE), 403, "not_permitted")
    (seen,) = centre.get(f"{API}/everywhere").get_json()["requests"]
    assert seen["number"] == line["number"] and seen["patient_number"] is None
    assert world.patient not in str(seen)
    assert_error(centre.get(f"{API}/{line['id']}"), 403, "not_permitted")
    offered = centre.post(f"{API}/{line['id']}/offer", {"site": NEAR}).get_json()
    assert offered["state"] == "offered"
    assert home.post(f"{API}/{line['id']}/take_offer", {}).get_json()["state"] == "asked"
    elsewhere = desk(make.make_account(world.house, "nurse", "prescriber", scope=FAR))
    for action in ("approve", "accept", "countersign", "cancel"):
        assert elsewhere.post(f"{API}/{line['id']}/{action}", {}).status_code in (403, 404)
    assert_error(elsewhere.get(f"{API}/{line['id']}"), 404, "guest_request_unknown")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"days": []}, "days"),
        ({"days": ["2026-02-30"]}, "days"),
        ({"request_id": "x"}, "request_id"),
        ({"by_role": "patient"}, "by_role"),
        ({"by_role": "system"}, "by_role"),
        ({"state": "confirmed"}, "state"),
        ({"replaces": "x"}, "replaces"),
        ({"reason": "Because I said so"}, "reason"),
        ({"reason": "not_on_the_list"}, "reason"),
        ({"consent": {"until": "2026-01-01"}}, "guest_consent_missing"),
        ({"site": "NOWHERE"}, "site"),
    ],
)
def test_a_wrong_field_is_named(world, desk, change, field):
    answer = desk(world.nurse).post(API, body(world) | change)
    assert answer.status_code in (400, 404, 409, 422)
    said = answer.get_json()
    named = list(said["error"]["fields"]) or [r["code"] for r in said["reasons"]]
    assert any(name.partition(".")[0] == field for name in named), said
    assert world.places() == []


def test_an_action_that_does_not_exist_and_a_field_of_another_one(world, desk):
    home = desk(world.nurse)
    wanted = body(world)
    home.post(API, wanted)
    one = f"{API}/{wanted['request_id']}"
    assert_error(home.post(f"{one}/authorise", {}), 404)
    assert_error(home.post(f"{one}/confirm", {}), 404)
    error = assert_error(home.post(f"{one}/cancel", {"site": NEAR}), 422, "input_invalid")
    assert list(error["fields"]) == ["site"]


def test_the_instant_path_over_http_ends_in_a_pass(world, desk):
    world.no_countersign()
    world.allow()
    said = desk(world.nurse).post(API, body(world, 1, 2, 3)).get_json()
    assert said["state"] == "confirmed"
    assert len(world.rows(guest.guest_pass, permit=said["permit"])) == 1
