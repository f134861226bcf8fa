"""A stranger at the counter, consents and possible duplicates, as the pages show them and as somebody might misuse them."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from devices.fingerprints.gallery import Candidate
from ost.models import audit
from ost.models.lookup import consent_end, duplicate_case, duplicate_decision, emergency_access
from ost.services import consents, duplicate_cases, patients
from ost.services.faces import clean_face
from ost.services.patients import set_face
from ost.services.work import Actor
from tests import make
from tests.permits import days_from, make_permit, state_of
from tests.plugins.clients import house_of
from tests.services.test_patients import photograph
from tests.web.test_counter import URL, screen
from tests.web.test_desk import count, text_of

NAME = "歐陽菲菲"
WHY = "suspected_overdose"


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def clinic(house):
    return make.make_clinic(house)


@pytest.fixture
def stranger(house, clinic):
    make.make_site(house, "TPE1", "TPE", phone="02-111-1111", name_en="Taipei Hospital")
    person = make.make_patient(house, "TPE1", name=NAME)
    make.make_prescription(house, person, sites=("TPE1",))
    return person


@pytest.fixture
def home(house, stranger):
    """A registrar of the stranger's home."""
    return make.make_account(house, "registrar", scope="TPE1")


@pytest.fixture
def counter(pages, clinic):
    window = pages(clinic.nurse)
    window.post("/workplace", {"site": clinic.site, "counter": clinic.counter})
    return window


@pytest.fixture
def shows_card(house, counter, stranger, home):
    card = patients.reissue_card(house, home, stranger)

    def show():
        asked = counter.fragment(f"{URL}/find", {"text": card})
        return counter.fragment(f"{URL}/pin", {"pin": make.PATIENT_PIN}) if screen(asked) == "pin" else asked

    return show


def body(answer) -> str:
    return answer.get_data(as_text=True)


def line_of(house) -> str:
    with house.read() as tx:
        log = audit.record_access
        return tx.execute(
            sa.select(log.c.id).where(log.c.why == "dosed_today").order_by(log.c.at.desc()).limit(1)
        ).scalar_one()


def test_the_screen_of_a_stranger_says_one_bit_and_carries_nothing_else(house, counter, shows_card, stranger):
    shown = shows_card()
    assert screen(shown) == "elsewhere"
    assert "Dosed today: no." in text_of(shown)
    for page in (body(shown), body(counter.get(URL)), body(counter.fragment(f"{URL}/emergency"))):
        assert stranger not in page
        assert NAME not in page
        assert "Taipei Hospital" not in page
    assert counter.get(f"{URL}/stranger/face").status_code == 404


def test_an_emergency_look_is_written_before_it_shows(house, counter, shows_card, stranger, home):
    set_face(house, home, stranger, clean_face(photograph()))
    shows_card()
    form = body(counter.fragment(f"{URL}/emergency"))
    line = re.search(r'name="line" value="([^"]+)"', form)[1]
    again = counter.fragment(f"{URL}/emergency", {"line": line})
    assert 'id="emergency-dialog"' in body(again)  # no reason, no look
    assert count(house, emergency_access) == 0
    shown = counter.fragment(f"{URL}/emergency", {"line": line, "reason": WHY})
    assert NAME in body(shown)
    assert "02-111-1111" in body(shown)
    assert stranger not in body(shown)
    assert count(house, emergency_access) == 1
    assert counter.get(f"{URL}/stranger/face").status_code == 200
    assert counter.get(f"/faces/{stranger}").status_code == 404
    assert counter.get(f"/patients/{stranger}").status_code == 404
    # The form of a second tab after the person left: nothing.
    counter.fragment(f"{URL}/leave", {})
    assert NAME not in body(counter.fragment(f"{URL}/emergency", {"line": line, "reason": WHY}))
    assert counter.get(f"{URL}/stranger/face").status_code == 404
    assert count(house, emergency_access) == 1


def test_another_window_cannot_use_this_counters_stranger(house, pages, clinic, counter, shows_card):
    shows_card()
    line = line_of(house)
    other = pages(clinic.second)
    make.make_counter(house, number=2)
    other.post("/workplace", {"site": clinic.site, "counter": "HUA1-2"})
    for url in (URL, "/counter/HUA1-2"):
        answer = other.fragment(f"{url}/emergency", {"line": line, "reason": WHY})
        assert NAME not in body(answer)
    assert count(house, emergency_access) == 0


def test_a_consent_is_given_read_at_the_counter_and_taken_back(house, pages, counter, shows_card, stranger, home):
    desk = pages(home, site="TPE1")
    page = f"/lookups/{stranger}"
    until = re.search(r'name="until"[^>]*value="([^"]+)"', body(desk.get(page)))[1]
    assert desk.post(f"{page}/consent", {"until": "1/1/1"}).status_code == 422
    assert desk.post(f"{page}/consent", {"until": until}).status_code == 302
    assert desk.post(f"{page}/consent", {"until": until}).status_code == 422
    shown = body(shows_card())
    assert "02-111-1111" in shown
    assert NAME not in shown  # in part only
    assert stranger not in shown
    ending = re.search(rf"{page}/consent/[^/]+/end", body(desk.get(page)))[0]
    assert desk.post(ending).status_code == 302
    assert "02-111-1111" not in body(counter.get(URL))
    assert desk.post(ending).status_code == 302
    assert count(house, consent_end) == 1
    readers = text_of(desk.get(f"/patients/{stranger}"))
    assert "may be found at other sites" in readers


def test_the_home_site_reads_who_looked_and_others_do_not(house, pages, clinic, counter, shows_card, stranger, home):
    shows_card()
    line = line_of(house)
    counter.fragment(f"{URL}/emergency", {"line": line, "reason": WHY})
    listed = text_of(pages(home, site="TPE1").get("/lookups"))
    assert "suspected overdose" in listed
    assert "suspected overdose" in text_of(pages(home, site="TPE1").get(f"/lookups/{stranger}"))
    here = pages(clinic.nurse, site="HUA1")
    assert "suspected overdose" not in text_of(here.get("/lookups"))
    assert here.get(f"/lookups/{stranger}").status_code == 404
    assert here.post(f"/lookups/{stranger}/consent", {"until": "2027-01-01"}).status_code in (403, 404)


def test_a_case_is_decided_on_its_page(house, pages, clinic, stranger):
    with house.work(Actor("test"), "HUA1", "test.alike") as work:
        found = [Candidate(stranger, "left_thumb", 0.2)]
        duplicate_cases.keep(work, "HUA1", clinic.patient, "right_index", found)
    with house.read() as tx:
        case = tx.execute(sa.select(duplicate_case.c.id)).scalar_one()
    reviewer = pages(make.make_account(house, "duplicate_reviewer", scope="*", scope_kind="network"))
    listed = body(reviewer.get("/duplicates"))
    assert f"/duplicates/{case}" in listed
    assert NAME not in listed
    shown = text_of(reviewer.get(f"/duplicates/{case}"))
    assert NAME in shown
    assert "very alike" in shown
    assert reviewer.post(f"/duplicates/{case}", {"decision": "same_person", "reason": "papers"}).status_code == 422
    assert count(house, duplicate_decision) == 0
    decided = {"decision": "same_person", "kept": clinic.patient, "reason": "papers"}
    assert reviewer.post(f"/duplicates/{case}", decided, csrf=False).status_code == 400
    assert reviewer.post(f"/duplicates/{case}", decided).status_code == 302
    assert "one person" in text_of(reviewer.get("/duplicates"))
    # Neither home alone sees it, and the reviewer sees nothing else of anybody.
    for actor in (make.make_account(house, "registrar"), clinic.nurse):
        assert pages(actor, site="HUA1").get(f"/duplicates/{case}").status_code in (403, 404)
    assert reviewer.get(f"/patients/{stranger}").status_code in (302, 403, 404)
    assert reviewer.get(f"/duplicates/{case}/face/third").status_code == 404


# --- what else a person without a phone agreed to ----------------------------------------------


def test_at_the_desk_what_follows_is_read_out_before_a_consent_is_taken_back(pages, house, clinic):
    make.make_site(house, "TPE1", county="TPE")
    make.make_guest_site(house, "TPE1")
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    window = pages(make.make_account(house, "case_manager"))
    window.post("/workplace", {"site": "HUA1"})
    url = f"/lookups/{clinic.patient}"
    assert "until" in window.get(url).get_data(as_text=True)
    page = window.get(f"{url}/agreed/days/back").get_data(as_text=True)
    assert "ends" in page and state_of(house, permit.request) == "confirmed"
    window.post(f"{url}/agreed/news")
    window.post(f"{url}/agreed/days/back")
    assert state_of(house, permit.request) == "ended"
    standing = {c.kind for c in consents.of_patient(house, clinic.prescriber, clinic.patient) if c.stands}
    assert standing == {"messages"}
    assert window.get(f"{url}/agreed/elsewhere/back").status_code == 404


def test_a_desk_of_another_site_takes_nothing_back(pages, house, clinic):
    make.make_site(house, "TPE1", county="TPE")
    make.make_guest_site(house, "TPE1")
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    window = pages(make.make_account(house, "case_manager", scope="TPE1"))
    window.post("/workplace", {"site": "TPE1"})
    assert window.post(f"/lookups/{clinic.patient}/agreed/days/back").status_code == 403
    assert state_of(house, permit.request) == "confirmed"
