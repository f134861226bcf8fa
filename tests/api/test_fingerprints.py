"""Enrol and identify over the API: a picture in, a person out; what is no finger changes nothing."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from devices.fingerprints.drawing import png
from ost.models import audit
from ost.models import station as models
from ost.models.patient import fingerprint
from tests import make
from tests.plugins.clients import assert_error, house_of
from tests.touch import enrol, picture

PERSON, OTHER, STRANGER = 101, 102, 103


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app), came_yesterday=False)


@pytest.fixture
def nurse(api, clinic):
    return api(clinic.nurse)


def kept(app, table=fingerprint):
    with house_of(app).read() as tx:
        return tx.execute(sa.select(table)).all()


def enrol_one(nurse, clinic, finger=PERSON, impression=1, name="right_index", **changes):
    body = {"finger": name, "dpi": 500, "image": b64(picture(finger, impression)), **changes}
    return nurse.post(f"/api/v1/patients/{clinic.patient}/fingerprints", body)


def identify(nurse, finger=PERSON, impression=5, site="HUA1", **changes):
    return nurse.post(
        "/api/v1/identify", {"site": site, "dpi": 500, "image": b64(picture(finger, impression)), **changes}
    )


def test_enrolled_by_picture_and_found_by_another(app, nurse, clinic):
    first = enrol_one(nurse, clinic)
    assert first.status_code == 201, first.get_json()
    said = first.get_json()
    assert said["patient_id"] == clinic.patient
    assert (said["impression"], said["impressions"], said["impressions_wanted"]) == (1, 1, 3)
    assert (said["agrees"], said["duplicates"]) == (None, [])
    assert said["cylinders"] >= 20
    assert 0 <= said["quality"] <= 100
    second = enrol_one(nurse, clinic, impression=2).get_json()
    assert (second["impressions"], second["agrees"]) == (2, True)
    wrong = enrol_one(nurse, clinic, finger=OTHER, impression=1).get_json()
    assert wrong["agrees"] is False  # another finger laid down under the same name

    found = identify(nurse).get_json()
    assert found["decided"] is True
    assert [(c["patient_id"], c["finger"]) for c in found["candidates"]] == [(clinic.patient, "right_index")]
    assert found["candidates"][0]["score"] > 0.1
    assert found["quality"] >= 12
    assert found["dosed_today"] is None
    # An upload is no evidence, but the person can see that it was asked.
    assert kept(app, models.identity_evidence) == []
    assert [a.page for a in kept(app, audit.record_access) if a.patient == clinic.patient][
        -1
    ] == "api.identify"


def test_what_is_kept_is_sealed_and_bound_to_its_row(app, nurse, clinic):
    from ost.keys import SealBroken
    from ost.services import sealed
    from ost.services.gallery import PrintGallery
    from ost.services.templates import open_template

    house = house_of(app)
    other = make.make_patient(house)
    enrol(house, clinic.patient, PERSON, impressions=1)
    enrol(house, other, OTHER, impressions=1)
    mine, theirs = kept(app)
    assert b"FMR\0 20\0" not in mine.template_sealed
    with house.read() as tx:
        key = sealed.person_key(tx, house.keys, clinic.patient)
    where = (clinic.patient, mine.finger, mine.algorithm, mine.impression)
    assert open_template(key, *where, mine.template_sealed).enough
    for moved in (
        (other, *where[1:]),
        (where[0], "left_index", *where[2:]),
        (where[0], where[1], "older", where[3]),
        (*where[:3], 2),
    ):
        with pytest.raises(SealBroken):
            open_template(key, *moved, mine.template_sealed)
    with house.db.begin() as tx:
        # Somebody with the database swaps two people's templates.
        for row, blob in ((mine, theirs.template_sealed), (theirs, mine.template_sealed)):
            tx.execute(sa.update(fingerprint).where(fingerprint.c.id == row.id).values(template_sealed=blob))
    gallery = PrintGallery()
    gallery.refresh(house)
    assert len(gallery) == 0
    assert gallery.broken == {mine.id, theirs.id}


def bomb() -> bytes:
    """A picture of 30,000 by 30,000 pixels in a few hundred kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


def a_photograph() -> bytes:
    y, x = np.mgrid[0:400, 0:300]
    return png((120 + 60 * np.sin(x / 90) + 40 * np.cos(y / 70)).astype(np.uint8))


BAD = [
    ("image_encoding_wrong", 400, lambda: b64(picture(PERSON, 1))[:-3]),
    ("image_encoding_wrong", 400, lambda: "no base64 at all!"),
    ("bad_image", 422, lambda: b64(b"no picture")),
    ("bad_image", 422, lambda: b64(picture(PERSON, 1)[:2000])),
    ("bad_image", 422, lambda: b64(bomb())),
    ("bad_image", 422, lambda: b64(png(np.zeros((8, 8), np.uint8)))),
    ("not_a_fingerprint", 422, lambda: b64(png(np.full((400, 300), 255, np.uint8)))),
    ("not_a_fingerprint", 422, lambda: b64(a_photograph())),
    ("too_few_cylinders", 422, lambda: b64(picture(PERSON, 4, "wet"))),
]


@pytest.mark.parametrize(("code", "status", "image"), BAD)
def test_what_is_no_print_is_refused_and_nothing_is_kept(app, nurse, clinic, code, status, image):
    text = image()
    for path, body in (
        (f"/api/v1/patients/{clinic.patient}/fingerprints", {"finger": "right_index"}),
        ("/api/v1/identify", {"site": "HUA1"}),
    ):
        answer = nurse.post(path, body | {"dpi": 500, "image": text})
        error = assert_error(answer, status, code)
        assert "image" in error["fields"]
        assert text[:40] not in answer.get_data(as_text=True)
    assert kept(app) == []


@pytest.mark.parametrize("dpi", [100, 5000])
def test_an_impossible_resolution_is_refused(app, nurse, clinic, dpi):
    assert_error(enrol_one(nurse, clinic, dpi=dpi), 422, "bad_image")
    assert kept(app) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"dpi": "many"}, "dpi"), ({"dpi": 0}, "dpi"), ({"image": ""}, "image"), ({"extra": 1}, "extra")],
)
def test_a_wrong_field_is_named(app, nurse, clinic, changes, field):
    error = assert_error(enrol_one(nurse, clinic, **changes), 422, "input_invalid")
    assert field in error["fields"]
    assert_error(enrol_one(nurse, clinic, name="sixth_finger"), 422, "finger_unknown")


def test_a_withdrawn_finger_matches_no_more(app, nurse, clinic):
    enrol(house_of(app), clinic.patient, PERSON)
    enrol(house_of(app), clinic.patient, OTHER, "left_index")
    path = f"/api/v1/patients/{clinic.patient}/fingerprints"
    assert {f["finger"] for f in nurse.get(path).get_json()} == {"right_index", "left_index"}
    assert identify(nurse).get_json()["decided"] is True
    gone = nurse.client.delete(f"{path}/right_index", headers=nurse.headers)
    assert gone.get_json() == {"impressions": 2}
    assert identify(nurse).get_json()["candidates"] == []
    assert identify(nurse, finger=OTHER).get_json()["decided"] is True
    assert [len(f.template_sealed) for f in kept(app) if f.withdrawn_at] == [0, 0]
    again = nurse.client.delete(f"{path}/right_index", headers=nurse.headers)
    assert_error(again, 404, "finger_not_enrolled")
    # Enrolled anew, it counts on: no number is used twice.
    enrol(house_of(app), clinic.patient, PERSON, impressions=1)
    assert [f.impression for f in kept(app) if f.finger == "right_index" and not f.withdrawn_at] == [3]
    assert identify(nurse).get_json()["decided"] is True


def test_a_forgotten_person_matches_no_more(app, nurse, clinic):
    from ost.models.patient import person_key

    house = house_of(app)
    enrol(house, clinic.patient, PERSON)
    assert identify(nurse).get_json()["decided"] is True
    with house.db.begin() as tx:
        tx.execute(sa.update(person_key).where(person_key.c.person == clinic.patient).values(wrapped=None))
    assert identify(nurse).get_json()["candidates"] == []


def test_a_stranger_is_one_bit_and_asking_is_recorded(app, nurse, clinic):
    house = house_of(app)
    make.make_site(house, "TPE1", "TPE")
    stranger = make.make_patient(house, "TPE1")
    make.make_prescription(house, stranger, sites=("TPE1",))
    enrol(house, stranger, STRANGER, site="TPE1")
    answer = identify(nurse, finger=STRANGER)
    assert answer.get_json()["candidates"] == []
    assert answer.get_json()["dosed_today"] is False
    assert stranger not in answer.get_data(as_text=True)
    assert [a.why for a in kept(app, audit.record_access) if a.patient == stranger] == ["dosed_today"]


def test_who_may_not_is_refused(app, api, clinic):
    house = house_of(app)
    make.make_site(house, "TPE1", "TPE")
    elsewhere = api(make.make_account(house, "nurse", scope="TPE1"))
    assert_error(identify(elsewhere), 403, "not_permitted")
    assert_error(enrol_one(elsewhere, clinic), 403, "not_permitted")
    pharmacist = api(make.make_account(house, "pharmacist"))
    assert_error(identify(pharmacist), 403, "not_permitted")
    assert_error(identify(api(clinic.nurse), site="NOWHERE"), 403, "not_permitted")
    assert kept(app) == []


def test_the_description_has_it(app, api):
    paths = api().get("/api/v1/openapi.json").get_json()["paths"]
    for path in ("/api/v1/identify", "/api/v1/patients/{patient_id}/fingerprints", "/api/v1/agent/captures"):
        assert path in paths
