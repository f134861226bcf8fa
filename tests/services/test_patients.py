"""Registering, reading, finding and forgetting people: the database holds nothing readable, and says nothing."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from ost import clock
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, base, patient
from ost.services import faces, patient_read, patient_search, patients, sealed
from ost.services.verify import verify
from tests.logs import said_by_rows
from tests.make import make_account, make_clinic, make_prescription, make_site

NAME = "林陳秀琴"
ID = "A123456789"


@pytest.fixture
def desk(house):
    make_site(house, "HUA1", "HUA")
    return make_account(house, "registrar")


def register(house, desk, **values):
    given = {
        "site_id": "HUA1",
        "name": NAME,
        "national_id": ID,
        "birth_date": "68/5/3",
        "sex": "female",
        "phone": "0912-345-678",
    }
    return patients.register(house, desk, **(given | values))


def every_text(house) -> str:
    """Everything the database holds, as it would lie in a stolen copy."""
    with house.read() as tx:
        return "\n".join(repr(row) for t in base.metadata.sorted_tables for row in tx.execute(sa.select(t)))


def test_a_registered_person_is_read_back_and_nothing_readable_is_stored(house, desk):
    done = register(house, desk, priority=["work"], pin="4071")
    record = patient_read.read(house, desk, done.id, page="test", why="check")
    assert (record.name, record.national_id, record.phone) == (NAME, ID, "0912-345-678")
    assert record.birth_date.isoformat() == "1979-05-03"
    assert done.birth_date_shown == "68/05/03 (1979-05-03)"
    assert record.number == done.number == "H1-0001"
    stored = every_text(house)
    for secret in (NAME, ID, "1979-05-03", "0912-345-678", done.card, "秀琴"):
        assert secret not in stored
    assert "4071" not in said_by_rows(stored)
    assert NAME not in repr(record)
    assert done.card not in repr(done)


def test_the_numbers_of_a_site_follow_each_other(house, desk):
    ids = ["A123456789", "B100000002", "F131104093"]
    numbers = [register(house, desk, national_id=i).number for i in ids]
    assert numbers == ["H1-0001", "H1-0002", "H1-0003"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("national_id", "A123456788", "national_id_check_digit"),
        ("national_id", "A12345", "national_id_shape"),
        ("birth_date", "68/13/3", "date_impossible"),
        ("birth_date", "yesterday", "date_not_understood"),
        ("birth_date", "2400-01-01", "birth_date_impossible"),
        ("birth_date", "1820-01-01", "birth_date_impossible"),
        ("name", "  ", "field_needed"),
        ("name", "a\x00b", "name_not_understood"),
        ("sex", "x", "not_a_choice"),
        ("phone", "call me", "phone_not_understood"),
        ("language", "tlh", "not_a_choice"),
        ("priority", ["rich"], "not_a_choice"),
        ("pin", "1234", "pin_guessable"),
        ("pin", "12a4", "pin_shape"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_saved(house, desk, field, value, code):
    with pytest.raises(Refusal) as refused:
        register(house, desk, **{field: value})
    assert refused.value.code == "input_invalid"
    assert refused.value.fields == {field: [code]}
    assert str(value) not in str(refused.value.args) + str(refused.value.data)
    with house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(patient.patient)).scalar() == 0


def test_all_wrong_fields_come_at_once(house, desk):
    with pytest.raises(Refusal) as refused:
        register(house, desk, national_id="nope", birth_date="nope", sex="nope", name="")
    assert refused.value.fields.keys() == {"national_id", "birth_date", "sex", "name"}


def test_the_same_person_twice_is_refused_and_says_no_more_than_that_to_a_stranger(house, desk):
    first = register(house, desk)
    make_site(house, "TPE1", "TPE")
    elsewhere = make_account(house, "registrar", scope="TPE1")
    with pytest.raises(Refusal) as refused:
        register(house, elsewhere, site_id="TPE1", name="someone else")
    assert refused.value.code == "patient_already_registered"
    assert refused.value.data == {}
    with pytest.raises(Refusal) as refused:
        register(house, desk, national_id=" a123456789 ")
    assert refused.value.data == {"home_site": "HUA1", "number": first.number, "patient": first.id}
    # That somebody asked is in the person's own list.
    seen = patient_read.accesses(house, desk, first.id)
    assert [(a.site, a.why) for a in seen] == [("HUA1", "already_registered"), ("TPE1", "already_registered")]


def test_two_desks_at_the_same_moment_register_one_person(house, desk):
    start, answers = threading.Barrier(4), []

    def attempt():
        start.wait()
        try:
            answers.append(register(house, desk))
        except Refusal as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert answers.count("patient_already_registered") == 3, answers
    with house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(patient.patient)).scalar() == 1
        assert tx.execute(sa.select(sa.func.count()).select_from(patient.person_key)).scalar() == 1


def test_nobody_reads_or_registers_where_they_hold_no_role(house, desk):
    done = register(house, desk)
    make_site(house, "TPE1", "TPE")
    stranger = make_account(house, "nurse", "registrar", scope="TPE1")
    with pytest.raises(Refusal) as refused:
        patient_read.read(house, stranger, done.id, page="test")
    assert refused.value.code == "patient_unknown"
    with pytest.raises(Refusal) as refused:
        register(house, stranger)
    assert refused.value.code == "not_permitted"
    assert patient_search.search(house, stranger, NAME) == []
    with pytest.raises(Refusal):
        patient_read.face(house, stranger, done.id)


def test_a_site_named_in_the_order_may_read(house, desk):
    done = register(house, desk)
    make_site(house, "TPE1", "TPE")
    guest = make_account(house, "nurse", scope="TPE1")
    make_prescription(house, done.id, sites=("HUA1", "TPE1"))
    assert patient_read.read(house, guest, done.id, page="test", at="TPE1").name == NAME
    assert patient_read.accesses(house, desk, done.id)[0].site == "TPE1"


def test_reading_is_itself_recorded_and_a_face_is_no_second_reading(house, desk):
    done = register(house, desk, face=faces.clean_face(photograph()))
    patient_read.read(house, desk, done.id, page="patients.page", why="visit")
    image, kind = patient_read.face(house, desk, done.id)
    assert kind == "image/jpeg"
    assert Image.open(io.BytesIO(image)).size == (480, 480)
    log = patient_read.accesses(house, desk, done.id)
    assert [(a.what, a.page, a.why) for a in log] == [("read", "patients.page", "visit")]


def test_finding_by_part_of_a_name_or_number_and_after_a_change(house, desk):
    done = register(house, desk)
    other = register(house, desk, national_id="B100000002", name="Wang, Da-Ming")
    assert [f.id for f in patient_search.search(house, desk, "秀琴")] == [done.id]
    assert [f.id for f in patient_search.search(house, desk, "ＤＡ-ming")] == [other.id]
    assert [f.id for f in patient_search.search(house, desk, "h1-0002")] == [other.id]
    patients.update(house, desk, done.id, name="林秀美")
    assert patient_search.search(house, desk, "秀琴") == []
    assert [f.name for f in patient_search.search(house, desk, "秀美")] == ["林秀美"]
    with house.read() as tx:
        payloads = tx.execute(sa.select(audit.audit_event.c.payload)).scalars().all()
    assert not any("秀" in p or "ming" in p.lower() for p in payloads)


def test_a_reissued_card_kills_the_old_one(house, desk):
    done = register(house, desk)
    new = patients.reissue_card(house, desk, done.id)
    with house.read() as tx:
        macs = tx.execute(sa.select(patient.patient.c.card_mac)).scalars().all()
    assert macs == [house.keys.search_mac("card", new)]
    assert house.keys.search_mac("card", done.card) not in macs


def test_a_pin_is_kept_as_a_hash(house, desk):
    done = register(house, desk, pin="4071")
    with house.read() as tx:
        kept = tx.execute(sa.select(patient.patient.c.pin_hash)).scalar()
    assert patients.pin_matches(kept, "4071")
    assert not patients.pin_matches(kept, "4072")
    assert not patients.pin_matches(None, "4071")
    patients.set_pin(house, desk, done.id, "90210")
    with house.read() as tx:
        assert not patients.pin_matches(tx.execute(sa.select(patient.patient.c.pin_hash)).scalar(), "4071")


def test_forgetting_destroys_the_key_and_leaves_the_dose_record(house, desk):
    done = register(house, desk, face=faces.clean_face(photograph()))
    admin = make_account(house, "admin")
    assert [f.name for f in patient_search.search(house, desk, "")] == [NAME]
    patients.forget(house, admin, done.id, "asked for it")
    record = patient_read.read(house, desk, done.id, page="test")
    assert record.forgotten
    assert (record.name, record.national_id, record.birth_date, record.phone) == (None, None, None, None)
    assert [f.name for f in patient_search.search(house, desk, "")] == [None]
    with house.read() as tx, pytest.raises(SealBroken):
        sealed.person_key(tx, house.keys, done.id)
    with pytest.raises(Refusal) as refused:
        patient_read.face(house, desk, done.id)
    assert refused.value.code == "face_missing"
    # The number is free: the same person may come back as somebody new.
    assert register(house, desk).number == "H1-0002"


def test_a_record_with_doses_is_kept_as_long_as_the_law_says(house):
    clinic = make_clinic(house)
    with pytest.raises(Refusal) as refused:
        patients.forget(house, make_account(house, "admin"), clinic.patient, "asked for it")
    assert refused.value.code == "patient_kept_by_law"
    assert patient_read.read(house, clinic.nurse, clinic.patient, page="test").name == "陳大明"
    later = replace(house, now=lambda: clock.now() + timedelta(days=366 * 9), memo={})
    patients.forget(later, make_account(house, "admin"), clinic.patient, "asked for it")
    assert patient_read.read(house, clinic.nurse, clinic.patient, page="test").forgotten
    assert verify(house).passed


@pytest.mark.parametrize("how", ["another person", "another field"])
def test_a_moved_ciphertext_does_not_open(house, desk, how):
    one = register(house, desk)
    two = register(house, desk, national_id="B100000002", name="王大明")
    p = patient.patient
    with house.db.begin() as tx:
        if how == "another person":
            stolen = tx.execute(sa.select(p.c.name_sealed).where(p.c.id == two.id)).scalar()
        else:
            stolen = tx.execute(sa.select(p.c.phone_sealed).where(p.c.id == one.id)).scalar()
        tx.execute(sa.update(p).where(p.c.id == one.id).values(name_sealed=stolen))
    with pytest.raises(SealBroken):
        patient_read.read(house, desk, one.id, page="test")


def photograph(size=(600, 800), kind="PNG", **save) -> bytes:
    out = io.BytesIO()
    Image.effect_mandelbrot(size, (-2, -1.5, 1, 1.5), 20).convert("RGB").save(out, kind, **save)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "face_not_understood"),
        (b"not a picture", "face_not_understood"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "face_not_understood"),
        (photograph()[:300], "face_not_understood"),
        (photograph((60, 60)), "face_too_small"),
        (photograph(kind="GIF"), "face_not_understood"),
        (b"\x89PNG" + b"0" * 5_000_000, "face_too_large"),
    ],
)
def test_what_is_no_photograph_is_refused(data, code):
    with pytest.raises(Refusal) as refused:
        faces.clean_face(data)
    assert refused.value.code == code
    assert refused.value.fields == {"face": [code]}


def test_an_image_bomb_is_refused_by_its_claimed_size_before_it_is_decoded():
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG")
    assert len(out.getvalue()) < faces.MOST_BYTES
    with pytest.raises(Refusal) as refused:
        faces.clean_face(out.getvalue())
    assert refused.value.code == "face_too_large"


def test_nothing_but_pixels_is_kept_of_a_photograph():
    exif = Image.Exif()
    exif[0x010E] = "Mrs Lin at the clinic"
    kept = faces.clean_face(photograph(kind="JPEG", exif=exif)).data
    assert b"Mrs Lin" not in kept
    assert not Image.open(io.BytesIO(kept)).getexif()


def test_every_payload_is_free_of_names(house, desk):
    done = register(house, desk)
    patients.update(house, desk, done.id, name="林秀美", phone="0911")
    patients.set_pin(house, desk, done.id, "4071")
    patients.reissue_card(house, desk, done.id)
    with house.read() as tx:
        events = tx.execute(sa.select(audit.audit_event)).all()
    assert {e.kind for e in events} >= {"patient.registered", "patient.changed", "patient.pin_set"}
    for event in events:
        assert not any(ord(c) > 127 for c in event.payload), event.payload
        assert json.loads(event.payload).keys() <= {
            "patient",
            "number",
            "face",
            "changed",
            "pin",
            "card",
            "site",
        }, event.payload
