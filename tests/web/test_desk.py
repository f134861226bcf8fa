"""The pages around the counter as a person uses them: what is typed, what is shown, what is written."""

from __future__ import annotations

import io
import re

import pytest
import sqlalchemy as sa

from ost import clock
from ost.bench.makers import TZ
from ost.models import audit, patient, prescription, stock
from ost.services import holds, stock_read
from ost.services.verify import verify
from tests import make
from tests.plugins.clients import PIN, house_of, make_person
from tests.services.test_patients import photograph

PERSON = {
    "name": "林陳秀琴",
    "national_id": "A123456789",
    "birth_date": "68/5/3",
    "sex": "female",
    "phone": "0912-345-678",
    "language": "zh_Hant_TW",
}


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app))


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def at(pages, clinic, house):
    """`at("prescriber")`: somebody of that role, in English, at the clinic's site."""

    def sign_in(*roles):
        return pages(make.make_account(house, *roles), site="HUA1")

    return sign_in


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def count(house, table) -> int:
    with house.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_registration_is_read_back_in_both_calendars_before_anything_is_saved(at, house):
    desk, before = at("registrar"), count(house, patient.patient)
    asked = desk.post("/patients/new", PERSON)
    assert asked.status_code == 200
    assert "1979-05-03" in text_of(asked)
    assert "68/05/03" in text_of(asked)
    assert count(house, patient.patient) == before
    done = desk.post("/patients/new", PERSON | {"step": "register"})
    assert done.status_code == 200
    assert "data:image/png;base64," in done.get_data(as_text=True)
    assert count(house, patient.patient) == before + 1
    with house.read() as tx:
        row = tx.execute(sa.select(patient.patient).order_by(patient.patient.c.registered_at.desc())).first()
    assert row.number in text_of(done)
    shown = desk.get(f"/patients/{row.id}")
    assert "林陳秀琴" in text_of(shown)
    # The tab says the number; a name on it would be read over a shoulder.
    assert "<title>" + row.number in shown.get_data(as_text=True)


def test_a_wrong_registration_keeps_what_was_typed_and_saves_nothing(at, house):
    before = count(house, patient.patient)
    answer = at("registrar").post("/patients/new", PERSON | {"national_id": "A123456788", "birth_date": "99/99/99"})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert 'value="林陳秀琴"' in page
    assert 'value="99/99/99"' in page
    assert "f-national_id-error" in page
    assert "f-birth_date-error" in page
    assert count(house, patient.patient) == before


def test_the_same_person_again_says_only_that(at, house, pages):
    at("registrar").post("/patients/new", PERSON | {"step": "register"})
    make.make_site(house, "TPE1", "TPE")
    elsewhere = pages(make.make_account(house, "registrar", scope="TPE1"), site="TPE1")
    answer = elsewhere.post("/patients/new", PERSON | {"step": "register"})
    assert answer.status_code == 422
    assert "already registered" in text_of(answer) or "已經登錄" in text_of(answer)
    assert "HUA1" not in text_of(answer)


def test_search_shows_people_of_this_site_only(at, house, clinic, pages):
    make.make_site(house, "TPE1", "TPE")
    make.make_patient(house, "TPE1", name="陳大明")
    answer = at("nurse").get("/patients", query_string={"q": "大明"})
    assert text_of(answer).count("陳大明") == 1


def test_a_photograph_a_pin_and_a_new_card(at, house, clinic):
    desk, url = at("registrar"), f"/patients/{clinic.patient}"
    bad = desk.post(f"{url}/face", {"face": (io.BytesIO(b"<svg/>"), "x.svg")}, content_type="multipart/form-data")
    assert bad.status_code == 422
    good = {"face": (io.BytesIO(photograph()), "x.png")}
    assert desk.post(f"{url}/face", good, content_type="multipart/form-data").status_code == 302
    face = desk.get(f"{url}/face")
    assert face.content_type == "image/jpeg"
    assert face.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in face.headers["Content-Security-Policy"]
    assert desk.post(f"{url}/pin", {"pin": "1234"}).status_code == 422
    assert desk.post(f"{url}/pin", {"pin": "4071"}).status_code == 302
    with house.read() as tx:
        before = tx.execute(sa.select(patient.patient.c.card_mac).where(patient.patient.c.id == clinic.patient)).scalar()
    card = desk.post(f"{url}/card")
    assert "data:image/png;base64," in card.get_data(as_text=True)
    with house.read() as tx:
        after = tx.execute(sa.select(patient.patient.c.card_mac).where(patient.patient.c.id == clinic.patient)).scalar()
    assert before != after


def test_an_order_is_shown_against_the_policy_then_signed_then_written(at, house, clinic):
    doctor = at("prescriber")
    url = f"/prescriber/patients/{clinic.patient}/order/{clinic.order}"
    today = clock.dosing_day(house.now(), TZ).isoformat()
    form = {"medicine": "methadone", "phase": "maintenance", "dose": "75", "slot": "1", "starts_on": today}
    form["days"] = list("1234567")
    before = count(house, prescription.prescription)
    shown = doctor.post(url, form | {"step": "check"})
    assert shown.status_code == 200
    assert 'name="signed" value="step_too_large"' in shown.get_data(as_text=True)
    unsigned = doctor.post(url, form | {"step": "write"})
    assert unsigned.status_code == 409
    assert count(house, prescription.prescription) == before
    written = doctor.post(url, form | {"step": "write", "signed": "step_too_large"})
    assert written.status_code == 302
    assert count(house, prescription.prescription) == before + 1
    page = text_of(doctor.get(f"/patients/{clinic.patient}"))
    assert "75 mg" in page.replace("\xa0", " ")
    wrong = doctor.post(url.replace(clinic.order, "nothing"), form)
    assert wrong.status_code == 404
    bad = doctor.post(f"/prescriber/patients/{clinic.patient}/order", form | {"dose": ".5"})
    assert bad.status_code == 422
    assert 'value=".5"' in bad.get_data(as_text=True)


def test_a_refusal_at_the_counter_waits_for_the_prescriber_and_is_signed(at, house, clinic):
    from dataclasses import replace
    from datetime import timedelta

    later = replace(house, now=lambda: clock.now() + timedelta(days=3), memo={})
    refused = make.give(later, clinic)
    assert refused.state == "refused"
    from ost.services import signoffs

    (waiting,) = signoffs.waiting(later, clinic.prescriber, "HUA1")
    doctor = at("prescriber")
    form = {"code": [r["code"] for r in waiting.reasons], "day": waiting.day.isoformat(), "dose": "30"}
    form["about"] = f"{clinic.patient}-1"
    too_much = doctor.post(f"/prescriber/signoffs/{clinic.patient}", form | {"dose": "61"})
    assert too_much.status_code == 422
    assert doctor.post(f"/prescriber/signoffs/{clinic.patient}", form).status_code == 302
    assert signoffs.waiting(later, clinic.prescriber, "HUA1") == []


def test_a_hold_from_the_record_and_its_release(at, house, clinic):
    doctor, url = at("prescriber"), f"/patients/{clinic.patient}/holds"
    assert doctor.post(url, {"reason_code": "medical_review"}).status_code == 422
    assert doctor.post(url, {"reason_code": "medical_review", "come_back_on": "someday"}).status_code == 422
    assert doctor.post(url, {"reason_code": "medical_review", "come_back_on": "2099-01-01"}).status_code == 302
    (hold,) = holds.of_patient(house, clinic.prescriber, clinic.patient)
    assert doctor.post(f"{url}/{hold.id}/release").status_code == 302
    assert doctor.post(f"{url}/{hold.id}/release").status_code == 409


def test_a_bottle_comes_in_is_opened_counted_and_its_residue_destroyed_by_two(at, house, clinic):
    room = at("pharmacist")
    form = {"product": "methadone-10", "lot": "L9", "expires_on": "118/1/1", "volume": "100", "delivery": "D-7"}
    assert room.post("/stock/receive", form | {"volume": "1,5"}).status_code == 422
    done = room.post("/stock/receive", form)
    assert done.status_code == 302
    label = room.get(done.location)
    assert "data:image/png" in label.get_data(as_text=True)
    bottle = done.location.split("/")[-2]
    url = f"/stock/bottles/{bottle}"
    assert room.post(f"{url}/open", {"counter": "HUA1-1"}).status_code == 422
    assert room.post(f"{url}/open", {"counter": "HUA1-1", "scanned": "OSTB.other.123"}).status_code == 422
    assert room.post(f"{url}/open", {"counter": "HUA1-1", "unscanned_reason": "no_scanner"}).status_code == 302
    assert room.post(f"{url}/count", {"counted": "90"}).status_code == 422  # differs: why?
    large = room.post(f"{url}/count", {"counted": "90", "reason": "knocked over"})
    assert "/difference/2" in large.location
    assert room.get(large.location).status_code == 200
    assert room.post(f"{url}/close", {"reason": "end of month"}).status_code == 302
    second = make_person(house, "nurse", username="second")
    destroy = {"volume": "90", "certificate": "C-1", "method": "absorbent", "witness_username": "second"}
    wrong = room.post("/stock/residue/methadone-10", destroy | {"witness_pin": "000000"})
    assert wrong.status_code == 422
    assert room.post("/stock/residue/methadone-10", destroy | {"witness_pin": PIN}).status_code == 302
    with house.read() as tx:
        line = tx.execute(sa.select(stock.register_line).where(stock.register_line.c.kind == "destroyed")).one()
    assert (line.change_ul, line.second) == (-90_000, second.id)
    assert "90 mL" in text_of(room.get("/stock/balance")).replace("\xa0", " ")
    assert verify(house).passed


def test_a_count_hides_what_the_register_expects_and_another_sites_bottle_is_unknown(at, house, clinic, pages):
    make.make_site(house, "TPE1", "TPE")
    other = pages(make.make_account(house, "pharmacist", scope="TPE1"), site="TPE1")
    for path in ("", "/label"):
        assert other.get(f"/stock/bottles/{clinic.bottle}{path}").status_code in (403, 404)
    assert other.post(f"/stock/bottles/{clinic.bottle}/count", {"counted": "0", "reason": "x"}).status_code in (403, 404, 422)
    pharmacist = make.make_account(house, "pharmacist")
    assert stock_read.one_bottle(house, pharmacist, clinic.bottle).balance_ul > 0


def test_a_policy_value_is_approved_under_a_name(at, house, clinic):
    doctor = at("prescriber")
    page = doctor.get("/admin/policy").get_data(as_text=True)
    digest = re.search(r'action="/admin/policy/([0-9a-f]{64})"', page).group(1)
    assert doctor.post(f"/admin/policy/{digest}").status_code == 302
    assert doctor.post(f"/admin/policy/{'0' * 64}").status_code == 404
    assert count(house, audit.policy_approval) == 1
    assert f'action="/admin/policy/{digest}"' not in doctor.get("/admin/policy").get_data(as_text=True)
    admin = at("admin")
    assert "/admin/policy/" not in admin.get("/admin/policy").get_data(as_text=True)
    assert admin.post(f"/admin/policy/{digest}").status_code == 403


def test_a_station_gets_its_code_once_and_can_be_revoked(at, house, clinic):
    admin = at("admin")
    assert admin.post("/admin/stations", {"label": ""}).status_code == 422
    made = admin.post("/admin/stations", {"label": "window 3", "counter": "HUA1-1"})
    code = re.search(r'class="readback num">([^<]+)<', made.get_data(as_text=True)).group(1)
    assert code not in admin.get("/admin").get_data(as_text=True)
    station = re.search(r"/admin/stations/([^/]+)/revoke", admin.get("/admin").get_data(as_text=True)).group(1)
    assert admin.post(f"/admin/stations/{station}/revoke").status_code == 302


@pytest.mark.parametrize("role", ["pharmacist", "admin", "health_department_reader", "auditor"])
def test_who_reads_no_patients_sees_none(at, clinic, role):
    person = at(role)
    for path in ("/patients", f"/patients/{clinic.patient}", f"/patients/{clinic.patient}/face", "/prescriber"):
        assert person.get(path).status_code == 403, path


def test_nothing_of_a_person_reaches_the_log(at, house, clinic, capfd):
    desk = at("registrar", "prescriber")
    desk.post("/patients/new", PERSON)
    desk.post("/patients/new", PERSON | {"national_id": "A123456788"})
    desk.post("/patients/new", PERSON | {"step": "register"})
    desk.get("/patients", query_string={"q": "秀琴"})
    desk.post(f"/patients/{clinic.patient}/contact", {"name": "秀琴", "birth_date": "x"})
    said = "".join(capfd.readouterr())
    for secret in ("秀琴", "A12345678", "0912-345", "68/5/3", "1979-05-03", "陳大明"):
        assert secret not in said
