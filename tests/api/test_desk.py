"""The desk and the stock room by program: field names, one error shape, nothing unknown swallowed."""

from __future__ import annotations

import base64

import pytest

from ost.services.verify import verify
from tests import make
from tests.plugins.clients import Api, assert_error, house_of, sign_in_as
from tests.services.test_patients import ID, NAME, photograph

PERSON = {"site": "HUA1", "name": NAME, "national_id": ID, "birth_date": "民國68年5月3日", "sex": "female"}


@pytest.fixture
def desk(app_on):
    house = house_of(app_on)
    make.make_site(house)
    make.make_product(house)
    make.make_counter(house)

    def as_(*roles, scope="HUA1"):
        return Api(app_on, sign_in_as(app_on, make.make_account(house, *roles, scope=scope), "api"))

    as_.house = house
    return as_


def test_register_read_prescribe_change_stop(desk):
    prescriber = desk("prescriber")
    done = prescriber.post("/api/v1/patients", PERSON)
    assert done.status_code == 201, done.get_data(as_text=True)
    person = done.get_json()
    assert person["birth_date"] == "1979-05-03"
    assert person["birth_date_shown"] == "68/05/03 (1979-05-03)"
    shown = prescriber.get(f"/api/v1/patients/{person['id']}").get_json()
    assert (shown["name"], shown["number"], shown["home_site"]) == (NAME, person["number"], "HUA1")
    assert "card" not in shown

    order = {"patient_id": person["id"], "medicine": "methadone", "phase": "induction", "dose_mg": "20"}
    written = prescriber.post("/api/v1/prescriptions", order)
    assert written.status_code == 201, written.get_data(as_text=True)
    first = written.get_json()
    assert (first["dose_ug"], first["previous_dose_ug"]) == (20_000, None)
    assert_error(prescriber.post("/api/v1/prescriptions", order), 409, "order_exists")

    higher = order | {"dose_mg": "25", "replaces": first["id"]}
    refused = prescriber.post("/api/v1/prescriptions", higher)
    body = refused.get_json()
    assert refused.status_code == 409
    assert body["error"]["code"] == "order_not_written"
    assert body["signable"] == ["first_dose_above_usual"]
    signed = prescriber.post("/api/v1/prescriptions", higher | {"signed": ["first_dose_above_usual"]})
    assert signed.status_code == 201, signed.get_data(as_text=True)
    second = signed.get_json()["id"]

    assert prescriber.post(f"/api/v1/prescriptions/{second}/stop", {"reason": "moved away"}).status_code == 200
    assert_error(
        prescriber.post(f"/api/v1/prescriptions/{second}/stop", {"reason": "again"}), 409, "order_ended_already"
    )
    listed = prescriber.get(f"/api/v1/patients/{person['id']}/prescriptions").get_json()["prescriptions"]
    assert [(o["id"], o["end_why"]) for o in listed] == [(second, "stopped"), (first["id"], "changed")]
    assert verify(desk.house).passed


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"national_id": "A123456788"}, "national_id"),
        ({"birth_date": "0681303"}, "birth_date"),
        ({"nam": "x"}, "nam"),
        ({"sex": "robot"}, "sex"),
        ({"name": None}, "name"),
        ({"priority": ["rich"]}, "priority.0"),
        ({"face": "not base64!"}, "face"),
        ({"face": base64.b64encode(b"<svg/>").decode()}, "face"),
    ],
)
def test_a_wrong_field_of_a_patient_is_named_in_the_one_shape(desk, change, field):
    error = assert_error(desk("registrar").post("/api/v1/patients", PERSON | change), 422)
    assert field in error["fields"], error
    assert NAME not in str(error)
    assert ID not in str(error)


def test_a_duplicate_says_nothing_of_the_person_to_another_site(desk):
    make.make_site(desk.house, "TPE1", "TPE")
    first = desk("registrar").post("/api/v1/patients", PERSON).get_json()
    error = assert_error(
        desk("registrar", scope="TPE1").post("/api/v1/patients", PERSON | {"site": "TPE1"}),
        409,
        "patient_already_registered",
    )
    assert first["number"] not in str(error)
    assert "HUA1" not in str(error)


def test_a_photograph_comes_back_as_pixels(desk):
    registrar = desk("registrar")
    face = base64.b64encode(photograph()).decode()
    person = registrar.post("/api/v1/patients", PERSON | {"face": face}).get_json()
    image = registrar.get(f"/api/v1/patients/{person['id']}/face")
    assert image.content_type == "image/jpeg"
    assert image.headers["Cache-Control"] == "no-store"
    assert image.data.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dose_mg": "20.0001"}, "dose_mg"),
        ({"dose_mg": ".5"}, "dose_mg"),
        ({"dose_mg": 20}, "dose_mg"),
        ({"dose_mg": "20", "dose_ug": 20000}, "dose_mg"),
        ({"dose_mg": "0"}, "dose_mg"),
        ({"medicine": "heroin"}, "medicine"),
        ({"phase": "whatever"}, "phase"),
        ({"days": []}, "days"),
        ({"days": [8]}, "days.0"),
        ({"sites": ["NOWHERE"]}, "sites"),
        ({"starts_on": "2020-01-01"}, "starts_on"),
        ({"starts_on": "2999-01-01"}, "starts_on"),
        ({"ends_on": "2020-01-01"}, "ends_on"),
        ({"dose": "20"}, "dose"),
        ({"elsewhere_on": "2026-01-01"}, "elsewhere_dose_ug"),
    ],
)
def test_a_wrong_field_of_an_order_is_named(desk, change, field):
    person = make.make_patient(desk.house)
    order = {"patient_id": person, "medicine": "methadone", "phase": "induction", "dose_mg": "20"}
    error = assert_error(desk("prescriber").post("/api/v1/prescriptions", order | change), 422)
    assert field in error["fields"], error


def test_who_may_not_may_not(desk):
    person = make.make_patient(desk.house)
    nurse, pharmacist = desk("nurse"), desk("pharmacist")
    order = {"patient_id": person, "medicine": "methadone", "phase": "induction", "dose_mg": "20"}
    assert_error(nurse.post("/api/v1/prescriptions", order), 403, "not_permitted")
    assert_error(nurse.post("/api/v1/patients", PERSON), 403, "not_permitted")
    assert_error(pharmacist.get(f"/api/v1/patients/{person}"), 403, "not_permitted")
    make.make_site(desk.house, "TPE1", "TPE")
    stranger = desk("prescriber", scope="TPE1")
    assert_error(stranger.get(f"/api/v1/patients/{person}"), 404, "patient_unknown")
    assert_error(stranger.post("/api/v1/prescriptions", order), 403, "not_permitted")


def test_a_hold_and_a_sign_off(desk):
    person = make.make_patient(desk.house)
    prescriber = desk("prescriber")
    hold = {"patient_id": person, "site": "HUA1", "kind": "clinical", "reason_code": "medical_review"}
    error = assert_error(prescriber.post("/api/v1/holds", hold), 422)
    assert "come_back_on" in error["fields"]
    placed = prescriber.post("/api/v1/holds", hold | {"come_back_on": "2099-01-01"})
    assert placed.status_code == 201
    hold_id = placed.get_json()["id"]
    assert prescriber.post(f"/api/v1/holds/{hold_id}/release", {}).status_code == 200
    assert_error(prescriber.post(f"/api/v1/holds/{hold_id}/release", {}), 409, "hold_released_already")
    fee = hold | {"kind": "administrative", "reason_code": "fee_unpaid"}
    assert prescriber.post("/api/v1/holds", fee).status_code == 201  # a note: it blocks nothing, so it needs no day
    error = assert_error(
        prescriber.post("/api/v1/signoffs", {"patient_id": person, "code": "nonsense", "day": "2000-01-01"}), 422
    )
    assert error["fields"].keys() == {"code", "day"}
    assert verify(desk.house).passed


def test_a_bottle_from_receipt_to_count(desk):
    pharmacist = desk("pharmacist")
    bottle = {"site": "HUA1", "product": "methadone-10", "lot": "L1", "expires_on": "2099-01-01"}
    bottle |= {"volume_ul": 1_000_000, "delivery": "D-9"}
    done = pharmacist.post("/api/v1/bottles", bottle)
    assert done.status_code == 201, done.get_data(as_text=True)
    number, label = done.get_json()["bottle"], done.get_json()["label"]
    assert_error(pharmacist.post(f"/api/v1/bottles/{number}/open", {"site": "HUA1"}), 422, "bottle_scan_needed")
    opened = pharmacist.post(
        f"/api/v1/bottles/{number}/open", {"site": "HUA1", "counter": "HUA1-1", "scanned": label}
    )
    assert opened.status_code == 200
    count = {"site": "HUA1", "counted_ul": 900_000}
    assert_error(pharmacist.post(f"/api/v1/bottles/{number}/count", count), 422, "count_reason_needed")
    counted = pharmacist.post(f"/api/v1/bottles/{number}/count", count | {"reason": "knocked over"}).get_json()
    assert (counted["difference_ul"], counted["alert"]) == (-100_000, True)
    lines = pharmacist.get(f"/api/v1/bottles/{number}/register").get_json()["lines"]
    assert [(x["line"], x["kind"], x["balance_ul"]) for x in lines] == [
        (1, "received", 1_000_000),
        (2, "counted", 900_000),
    ]
    totals = pharmacist.get("/api/v1/register/totals", **{"site": "HUA1", "from": "2020-01-01", "to": "2099-01-01"})
    assert totals.get_json()["totals"][0]["closing_ul"] == 900_000
    assert_error(pharmacist.post("/api/v1/bottles", bottle | {"volume_ul": 1.5}), 422)
    assert_error(pharmacist.post("/api/v1/bottles", bottle | {"volume_ml": 5}), 422)


def test_the_description_explains_every_field(desk):
    spec = desk("nurse").get("/api/v1/openapi.json").get_json()
    for name in ("PatientToRegister", "PrescriptionToWrite", "BottleToReceive", "HoldToPlace", "ResidueToDestroy"):
        for field, about in spec["components"]["schemas"][name]["properties"].items():
            assert about.get("description"), f"{name}.{field}"
