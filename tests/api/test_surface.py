"""The API as somebody outside meets it: real sign-in, the documented names, one day of one clinic, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ost import clock as times
from ost.services.verify import verify
from tests import make
from tests.api.world import API, NAME, NATIONAL_ID, OTHER_NATIONAL_ID, World, print_of
from tests.plugins.clients import PIN, Api, assert_error, house_of, make_person

SHOWN = {"path": "number_face", "capture": None, "reason": "patient_prefers"}
PERSON = {"site": "HUA1", "name": NAME, "national_id": NATIONAL_ID, "birth_date": "68/5/3", "sex": "female"}


class Desk:
    """One site, its bottle and its people; each signs in with password and code."""

    def __init__(self, app):
        self.app, self.house = app, house_of(app)
        make.make_site(self.house)
        self.bottle = make.make_bottle(self.house)

    def sign_in(self, *roles: str, username: str) -> Api:
        person = make_person(self.house, *roles, username=username)
        body = {"username": username, "password": person.password, "totp": person.code()}
        answer = Api(self.app).post(f"{API}/sign-in", body)
        assert answer.status_code == 200, answer.get_json()
        return Api(self.app, answer.get_json()["token"])

    def register(self, doctor: Api, **changes) -> str:
        answer = doctor.post(f"{API}/patients", PERSON | changes)
        assert answer.status_code == 201, answer.get_json()
        return answer.get_json()["id"]

    def order(self, doctor: Api, patient: str, **changes) -> dict:
        body = {"patient_id": patient, "medicine": "methadone", "phase": "induction", "dose_ug": 20_000} | changes
        return doctor.post(f"{API}/prescriptions", body)

    def dose(self, patient: str, dose_ug: int, **changes) -> dict:
        return {
            "dose_id": times.now().strftime("day-%Y-%m-%d"),
            "patient_id": patient,
            "site": "HUA1",
            "bottle": self.bottle,
            "slot": 1,
            "seen": {"dose_ug": dose_ug, "volume_ul": dose_ug // 10},
            "identity": SHOWN,
            "observations": [],
        } | changes


@pytest.fixture
def desk(app_on, clock):
    return Desk(app_on)


@pytest.fixture
def doctor(desk):
    return desk.sign_in("prescriber", username="doctor")


@pytest.fixture
def nurse(desk):
    return desk.sign_in("nurse", username="lin")


def codes(answer) -> list[str]:
    return [reason["code"] for reason in answer.get_json()["reasons"]]


def test_the_first_day_of_a_new_patient(desk, doctor, nurse):
    patient = desk.register(doctor)
    assert doctor.get(f"{API}/patients/{patient}").get_json()["name"] == NAME

    enrolled = nurse.post(
        f"{API}/patients/{patient}/fingerprints", {"finger": "right_index", "dpi": 500, "image": print_of(101, 1)}
    )
    assert enrolled.status_code == 201, enrolled.get_json()
    found = nurse.post(f"{API}/identify", {"site": "HUA1", "dpi": 500, "image": print_of(101, 2)}).get_json()
    assert isinstance(found["quality"], int)
    assert found["candidates"][0].keys() == {"patient_id", "finger", "score"}
    assert (found["candidates"][0]["patient_id"], found["candidates"][0]["finger"]) == (patient, "right_index")

    ordered = desk.order(doctor, patient)
    assert ordered.status_code == 201, ordered.get_json()

    decision = nurse.get(f"{API}/patients/{patient}/decision", site="HUA1").get_json()
    assert (decision["verdict"], decision["dose_ug"], decision["volume_ul"]) == ("give", 20_000, 2_000)
    assert all({"code", "tier"} <= reason.keys() for reason in decision["reasons"])
    assert decision["policy"]

    body = desk.dose(patient, 20_000)
    promised = nurse.post(f"{API}/doses", body)
    assert promised.status_code == 201, promised.get_json()
    said = promised.get_json()
    assert (said["state"], said["dose_ug"], said["volume_ul"], said["register_line"]) == ("promised", 20_000, 2_000, 2)
    again = nurse.post(f"{API}/doses", body)
    assert (again.status_code, again.get_json()["register_line"]) == (201, 2)

    ended = nurse.post(f"{API}/doses/{body['dose_id']}/outcome", {"outcome": "swallowed", "identity": SHOWN})
    assert ended.status_code == 200, ended.get_json()
    assert (ended.get_json()["state"], ended.get_json()["flags"]) == ("swallowed", ["signature_missing"])
    seen = nurse.post(f"{API}/doses/{body['dose_id']}/observations", {"kind": "vomited", "minutes_after": 10})
    assert seen.status_code == 201, seen.get_json()
    story = nurse.get(f"{API}/doses/{body['dose_id']}").get_json()
    assert (story["state"], story["outcome"]["swallowed_ug"]) == ("swallowed", 20_000)
    assert [o["kind"] for o in story["observations"]] == ["vomited"]

    second = nurse.post(f"{API}/doses", desk.dose(patient, 20_000, dose_id="another-try"))
    assert_refused(second, "already_dosed_today")
    assert verify(desk.house).passed


def assert_refused(answer, code: str) -> None:
    """409 with the one error shape and, beside it, every reason."""
    body = answer.get_json()
    assert answer.status_code == 409, body
    assert body["state"] == "refused"
    assert body["error"].keys() == {"code", "title", "detail", "action", "fields"}
    assert code in codes(answer), codes(answer)
    assert all(r["tier"] in ("stop", "reason", "note") and r["title"] and r["action"] for r in body["reasons"])


def test_a_transferred_patient_needs_the_last_dose_elsewhere_in_writing(desk, doctor, nurse):
    patient = desk.register(doctor)
    whole = {"phase": "maintenance", "dose_ug": 60_000}
    assert_refused_order(desk.order(doctor, patient, **whole), "first_dose_above_max")
    yesterday = (times.dosing_day(times.now(), "Asia/Taipei") - timedelta(days=1)).isoformat()
    elsewhere = {"elsewhere_on": yesterday, "elsewhere_dose_ug": 60_000, "elsewhere_source": "Yuli Hospital, letter 12"}
    ordered = desk.order(doctor, patient, **whole, **elsewhere)
    assert ordered.status_code == 201, ordered.get_json()
    promised = nurse.post(f"{API}/doses", desk.dose(patient, 60_000))
    assert promised.status_code == 201, promised.get_json()
    assert promised.get_json()["dose_ug"] == 60_000


def assert_refused_order(answer, code: str) -> None:
    assert answer.status_code == 409, answer.get_json()
    assert code in codes(answer), codes(answer)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"elsewhere_on": "2026-03-11"}, "elsewhere_on"),  # tomorrow
        ({"elsewhere_on": "2026-02-01"}, "elsewhere_on"),  # longer ago than the gap that ends an episode
        ({"elsewhere_dose_ug": None}, "elsewhere_dose_ug"),
        ({"elsewhere_dose_ug": 0}, "elsewhere_dose_ug"),
        ({"elsewhere_source": " "}, "elsewhere_source"),
        ({"elsewhere_on": None}, "elsewhere_on"),
        ({"dose_ug": 0}, "dose_ug"),
        ({"dose_ug": 60_000.0}, "dose_ug"),
    ],
)
def test_what_is_wrong_with_a_dose_elsewhere_is_said_by_the_name_it_was_sent_under(desk, doctor, change, field):
    patient = desk.register(doctor)
    elsewhere = {"elsewhere_on": "2026-03-09", "elsewhere_dose_ug": 60_000, "elsewhere_source": "letter"}
    answer = desk.order(doctor, patient, phase="maintenance", **({"dose_ug": 60_000} | elsewhere | change))
    assert field in assert_error(answer, 422, "input_invalid")["fields"]


def test_what_the_nurse_saw_must_still_be_true(desk, doctor, nurse):
    patient = desk.register(doctor)
    desk.order(doctor, patient)
    body = desk.dose(patient, 20_000)
    refused = nurse.post(f"{API}/doses", body | {"seen": {"dose_ug": 25_000, "volume_ul": 2_500}})
    assert_refused(refused, "changed_since_shown")
    # The refusal used its id up: with other content it is no longer an id.
    assert_error(nurse.post(f"{API}/doses", body), 409, "dose_id_reused")
    assert nurse.get(f"{API}/doses/{body['dose_id']}").get_json()["state"] == "refused"
    assert nurse.post(f"{API}/doses", body | {"dose_id": "a-new-look"}).status_code == 201


@pytest.mark.parametrize(
    ("outcome", "rest"),
    [
        ("swallowed", {}),
        ("partly", {"swallowed_ug": 5_000, "disposition": "residue"}),
        ("not_given", {"disposition": "returned"}),
        ("spat_out", {"disposition": "spilled"}),
        ("swallowed_by_other", {}),
        ("too_much", {"swallowed_ug": 40_000}),
    ],
)
def test_every_outcome_over_http(desk, doctor, nurse, outcome, rest):
    patient = desk.register(doctor)
    desk.order(doctor, patient)
    body = desk.dose(patient, 20_000)
    nurse.post(f"{API}/doses", body)
    path = f"{API}/doses/{body['dose_id']}/outcome"
    said = {"outcome": outcome, "identity": SHOWN, "reason": "as it was", **rest}
    ended = nurse.post(path, said)
    assert ended.status_code == 200, ended.get_json()
    answer = ended.get_json()
    assert (answer["state"], answer["outcome"]) == (outcome, outcome)
    assert answer["emergency"] is (outcome in ("swallowed_by_other", "too_much"))
    assert nurse.post(path, said).get_json() == answer
    other = {"outcome": "swallowed"} if outcome != "swallowed" else {"outcome": "not_given", "disposition": "returned"}
    assert_error(nurse.post(path, other), 409, "outcome_already_recorded")
    assert verify(desk.house).passed


def test_a_late_outcome_takes_a_witness_and_a_token_is_good_once(desk, doctor, nurse, clock):
    patient = desk.register(doctor)
    desk.order(doctor, patient)
    body = desk.dose(patient, 20_000)
    nurse.post(f"{API}/doses", body)
    clock.shift(16 * 60)
    path = f"{API}/doses/{body['dose_id']}"
    said = {"outcome": "swallowed", "given_at": (times.now() - timedelta(minutes=15)).isoformat()}
    assert_error(nurse.post(f"{path}/outcome", said), 409, "witness_needed")
    make_person(desk.house, "nurse", username="wu")
    asked = nurse.post(f"{API}/witness", {"dose_id": body["dose_id"], "username": "wu", "pin": PIN})
    assert asked.status_code == 201, asked.get_json()
    token = asked.get_json()["token"]
    assert nurse.post(f"{path}/outcome", said | {"witness": token}).status_code == 200
    used = nurse.post(f"{path}/void", {"reason": "wrong person", "witness": token})
    assert_error(used, 403, "witness_invalid")


def test_a_newcomer_needs_five_fields_and_is_told_which(desk, doctor):
    error = assert_error(doctor.post(f"{API}/patients", {}), 422, "input_invalid")
    assert set(error["fields"]) == {"site", "name", "national_id", "birth_date", "sex"}
    error = assert_error(doctor.post(f"{API}/prescriptions", {}), 422, "input_invalid")
    assert set(error["fields"]) == {"patient_id", "medicine", "phase"}
    wrong = doctor.post(f"{API}/patients", PERSON | {"national_id": NATIONAL_ID[:-1] + "0"})
    assert "national_id" in assert_error(wrong, 422)["fields"]
    desk.register(doctor)
    assert_error(doctor.post(f"{API}/patients", PERSON), 409, "patient_already_registered")
    desk.register(doctor, national_id=OTHER_NATIONAL_ID)


# --- the description -----------------------------------------------------------------


def test_every_post_refuses_a_field_nobody_declared(app_on):
    world = World(app_on)
    walked = 0
    for method, rule in world.routes():
        if method == "POST":
            body = world.body(rule) | {"surprise": "x"}
            error = assert_error(world.everyone.post(world.path(rule), body), 422, "input_invalid")
            assert "surprise" in error["fields"], rule
            walked += 1
    assert walked > 15
    nested = world.body("/doses")
    nested["seen"] |= {"dose_mg": 60}
    nested["identity"] |= {"patient": "x"}
    error = assert_error(world.nurse.post(f"{API}/doses", nested), 422)
    assert set(error["fields"]) == {"seen.dose_mg", "identity.patient"}


def test_the_description_is_openapi_3_1_and_explains_itself(app):
    spec = Api(app).get(f"{API}/openapi.json").get_json()
    assert spec["openapi"].startswith("3.1")
    assert spec["info"]["title"] and spec["info"]["version"]
    ids, pointed = [], []
    for path, methods in spec["paths"].items():
        for method, about in methods.items():
            if method == "parameters":
                continue
            where = f"{method.upper()} {path}"
            assert about.get("summary") or about.get("description"), where
            assert any(status.startswith("2") for status in about["responses"]), where
            assert "default" in about["responses"], where
            ids.append((path, method))
            if method == "post" and "requestBody" in about:
                assert about["requestBody"]["required"] is True, where
    pointed = set(_references(spec))
    for reference in pointed:
        found = spec
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    for schema in spec["components"]["schemas"].values():
        assert set(schema.get("required", ())) <= set(schema.get("properties", {}))
    assert {f"{API}/doses", f"{API}/sign-in", f"{API}/identify", f"{API}/witness"} <= {path for path, _ in ids}


def _references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
