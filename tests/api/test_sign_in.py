"""Sign-in by program, and the second person's token, over HTTP."""

from __future__ import annotations

import re

import pytest

from ost import policies
from ost.services.promise import Promised
from tests import make
from tests.plugins.clients import PIN, Api, assert_error, house_of, make_person


@pytest.fixture
def lin(app, clock):
    make.make_site(house_of(app))
    return make_person(house_of(app), "nurse")


def sign_in(app, person, **change):
    body = {"username": person.username, "password": person.password, "totp": person.code()} | change
    return Api(app).post("/api/v1/sign-in", body)


def test_sign_in_use_and_sign_out(app, lin):
    answer = sign_in(app, lin)
    assert answer.status_code == 200
    body = answer.json
    assert set(body) == {"token", "expires_at", "account"}
    assert body["account"] == {"id": lin.id, "username": "lin", "display_name": "測試人員", "language": "en"}
    assert "Set-Cookie" not in answer.headers
    api = Api(app, body["token"])
    assert api.post("/api/v1/sign-out").status_code == 204
    assert_error(api.post("/api/v1/sign-out"), 401, "not_signed_in")


def test_wrong_is_401_and_waiting_429_with_its_time(app, lin):
    for _ in range(policies.policy("tw").int("sign_in_free_tries")):
        answer = sign_in(app, lin, password="no")
        assert_error(answer, 401, "sign_in_wrong")
    answer = sign_in(app, lin)
    error = assert_error(answer, 429, "sign_in_wait")
    assert answer.headers["Retry-After"] == "2"
    assert "2 seconds" in error["action"]


def test_a_forwarded_address_is_not_believed_without_a_proxy(app, lin):
    for n in range(policies.policy("tw").int("sign_in_free_tries")):
        Api(app).post(
            "/api/v1/sign-in",
            {"username": f"n{n}", "password": "x", "totp": "1"},
            headers={"X-Forwarded-For": f"10.0.0.{n}"},
        )
    assert_error(sign_in(app, lin), 429, "sign_in_wait")


def test_a_bearer_has_no_idle_lock(app, lin, clock):
    token = sign_in(app, lin).json["token"]
    clock.shift(3600)
    make_person(house_of(app), "nurse", username="wu")
    assert Api(app, token).post("/api/v1/unlock", {"username": "wu", "site": "HUA1"}).status_code == 204


def test_unlocking_a_colleague(app, lin, clock):
    house = house_of(app)
    wu = make_person(house, "nurse", username="wu")
    for _ in range(3):
        sign_in(app, wu, password="no")
    assert_error(sign_in(app, wu), 429)
    clock.shift(2)
    api = Api(app, sign_in(app, lin).json["token"])
    assert api.post("/api/v1/unlock", {"username": "wu", "site": "HUA1"}).status_code == 204
    assert sign_in(app, wu).status_code == 200
    assert_error(api.post("/api/v1/unlock", {"username": "wu", "site": "TPE1"}), 403, "not_permitted")


def test_a_witness_signs_for_a_dose(app, clock, api):
    house = house_of(app)
    clinic = make.make_clinic(house)
    promised = make.give(house, clinic)
    assert isinstance(promised, Promised)
    make_person(house, "nurse", username="wu")
    nurse = api(clinic.nurse)
    body = {"dose_id": promised.dose_id, "username": "wu", "pin": PIN}
    answer = nurse.post("/api/v1/witness", body)
    assert answer.status_code == 201
    assert set(answer.json) == {"token", "expires_at"}
    assert_error(nurse.post("/api/v1/witness", body | {"pin": "000111"}), 403, "witness_wrong")
    assert_error(nurse.post("/api/v1/witness", body | {"dose_id": "nope"}), 404, "dose_unknown")
    assert_error(nurse.post("/api/v1/witness", body | {"more": 1}), 422, "input_invalid")


def test_the_description_is_openapi_and_names_every_route(app):
    answer = Api(app).get("/api/v1/openapi.json")
    assert answer.status_code == 200
    spec = answer.json
    assert spec["openapi"].startswith("3.1")
    assert spec["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    exist = {
        re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and not rule.endpoint.startswith("api-docs.")
    }
    assert set(spec["paths"]) == exist
    error = spec["components"]["schemas"]["ErrorAnswer"]
    assert set(error["properties"]) == {"error"}
