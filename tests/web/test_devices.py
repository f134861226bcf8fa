"""The administrator's page of stations and readers: who may see it, what it says, and that revoking works at once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.models.patient import patient
from ost.models.reader import reader
from tests import make
from tests.plugins.clients import house_of
from tests.touch import a_reader, enrol, make_station

PERSON = 101


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app), came_yesterday=False)


@pytest.fixture
def station(app, clinic):
    house = house_of(app)
    enrol(house, clinic.patient, PERSON)
    made = make_station(house, clinic.counter)
    made.beat(a_reader(serial="SN-77", firmware="2.1", liveness="level 1"))
    return made


@pytest.fixture
def admin(app, clinic, pages):
    return pages(make.make_account(house_of(app), "admin"), site="HUA1")


def row(app):
    with house_of(app).read() as tx:
        return tx.execute(sa.select(reader)).one()


def test_stations_and_readers_with_what_they_say_of_themselves(app, admin, station):
    station.touch(PERSON)
    text = admin.get("/admin/devices").get_data(as_text=True)
    for said in ("reader", "ost test", "SN-77", "2.1", "Heard now"):
        assert said in text
    page = admin.get(f"/admin/devices/{row(app).id}").get_data(as_text=True)
    for said in ("SN-77", "level 1", "pictures", "500", "Day by day"):
        assert said in page


def test_no_page_of_devices_names_a_patient(app, admin, clinic, station):
    station.touch(PERSON)
    with house_of(app).read() as tx:
        number = tx.execute(sa.select(patient.c.number)).scalar_one()
    for path in ("/admin/devices", f"/admin/devices/{row(app).id}"):
        text = admin.get(path).get_data(as_text=True)
        assert clinic.patient not in text
        assert number not in text


def test_a_revoked_reader_counts_no_more_and_can_be_used_again(app, admin, station):
    assert station.touch(PERSON).result == "shown"
    where = f"/admin/devices/{row(app).id}"
    assert admin.post(where + "/revoke").status_code == 302
    assert station.touch(PERSON).code == "reader_revoked"
    assert "Revoked" in admin.get(where).get_data(as_text=True)
    assert admin.post(where + "/restore").status_code == 302
    assert station.touch(PERSON).result == "shown"


def test_only_administrators_of_the_site(app, clinic, station, pages):
    house = house_of(app)
    make.make_site(house, "TPE1", "TPE")
    where = f"/admin/devices/{row(app).id}"
    assert pages(clinic.nurse, site="HUA1").get("/admin/devices").status_code == 403
    elsewhere = pages(make.make_account(house, "admin", scope="TPE1"), site="TPE1")
    assert elsewhere.get("/admin/devices?site=HUA1").status_code == 403
    assert elsewhere.get(where).status_code == 403
    assert elsewhere.post(where + "/revoke").status_code == 403
    assert row(app).revoked_at is None
    admin = pages(make.make_account(house, "admin"), site="HUA1")
    assert admin.get("/admin/devices/nothing").status_code == 404
    assert station.touch(PERSON).result == "shown"
