"""The administrator's page of stations and readers: who may see it, what it says, and that revoking works at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.models.patient import patient
from ost.models.reader import reader
from ost.models.site import counter as counters
from ost.models.staff import web_session
from ost.services.counter_session import open_session
from tests import make
from tests.plugins.clients import house_of
from tests.touch import a_reader, enrol, make_station

PERSON = 101


@pytest.fixture
def clinic(app, clock):
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


# --- the counter says the same in words -------------------------------------------------


def heard_at(counter, clinic) -> str:
    return counter.get(f"/counter/{clinic.counter}").get_data(as_text=True)


@pytest.fixture
def counter(app, clinic, station, pages):
    page = pages(clinic.nurse, site="HUA1", counter=clinic.counter)
    house = house_of(app)
    with house.read() as tx:
        session = tx.execute(sa.select(web_session.c.id).where(web_session.c.account == clinic.nurse.id)).scalar_one()
    open_session(house, clinic.nurse, clinic.counter, session)
    return page


@pytest.mark.parametrize(
    ("readers", "words"),
    [
        ([a_reader()], ["reader--ready", ">Ready<"]),
        ([a_reader(state="unplugged", trouble="reader_unplugged")], ["Unplugged: plug it in", "the station finds it"]),
        ([a_reader(state="unplugged", trouble="reader_port_taken")], ["Held by another program"]),
        ([a_reader(state="closed")], ["Not connected"]),
        (
            [a_reader("left"), a_reader("right", "unplugged", "reader_not_answering")],
            ["Ready: 1 of 2", "right: Does not answer", "Touch the reader"],
        ),
    ],
)
def test_the_counter_says_how_its_readers_are_and_what_to_do(counter, clinic, station, readers, words):
    station.beat(*readers)
    text = heard_at(counter, clinic)
    for word in words:
        assert word in text


def test_a_program_that_fell_silent_is_said_on_the_next_look(counter, clinic, station, clock):
    station.beat()
    page = heard_at(counter, clinic)
    poll = re.search(r'hx-get="([^"]*/state[^"]*)"', page)[1].replace("&amp;", "&")
    clock.shift(timedelta(seconds=2))
    news = counter.fragment(poll).get_data(as_text=True)
    assert "reader--silent" in news
    assert "Offline" in news
    assert "check its computer and network" in news  # the waiting screen changes with it


def test_the_practice_panel_leaves_an_agents_counter_alone(app, counter, clinic, station):
    """A demo with a real agent at one counter: the page opens, and the panel pushes nobody aside."""
    station.beat(a_reader(kind="zfm", simulated=False))
    assert "reader--ready" in heard_at(counter, clinic)
    with house_of(app).read() as tx:
        assert tx.execute(sa.select(counters.c.station)).scalar_one() == station.id
    answer = counter.fragment(f"/counter/{clinic.counter}/demo-reader", {"finger": "unplug"})
    assert answer.status_code == 409
    assert "reader--ready" in heard_at(counter, clinic)
