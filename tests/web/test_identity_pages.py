"""Pages about the ways of showing who one is: the site's choice, the figures, quiet help and who is told."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from ost.models.identity import site_identity_choice
from ost.models.patient import patient
from ost.services import duress
from tests import make
from tests.plugins.clients import PIN, house_of, make_person
from tests.touch import a_reader, enrol, make_station

URL = "/counter/HUA1-1"
EVERYDAY, QUIET = 101, 102


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def clinic(app, house):
    return make.make_clinic(house)


def at_site(pages, actor, counter=None):
    window = pages(actor)
    place = {"site": "HUA1"} | ({"counter": counter} if counter else {})
    window.post("/workplace", place)
    return window


def plain(text: str) -> str:
    """Without what differs with every look: ids, tokens, instants, clocks."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", text)
    text = re.sub(r"[\w-]{20,}\.[\w-]{6}\.[\w-]{20,}", "<token>", text)
    text = re.sub(r'(data-version|data-now|data-until|data-seconds|datetime)="[^"]*"', r"\1", text)
    text = re.sub(r"have=[^\"&]+", "have=", text)
    return re.sub(r"\d\d:\d\d", "<time>", text)


# --- quiet help ---------------------------------------------------------------------------------


def test_the_counter_shows_the_same_page_for_the_quiet_finger(app, house, clinic, pages):
    """The page, its refresh, and what the station is answered, to the last character that is not an id or a clock."""
    enrol(house, clinic.patient, EVERYDAY, "right_index")
    enrol(house, clinic.patient, QUIET, "left_thumb")
    station = make_station(house, clinic.counter)
    helper = make.make_account(house, "case_manager")
    duress.set_answer(house, helper, clinic.patient, "left_thumb", clinic.prescriber.id)
    nurse = at_site(pages, clinic.nurse, clinic.counter)
    seen = []
    station.touch(EVERYDAY)
    for finger in (EVERYDAY, QUIET):
        answer = station.touch(finger)
        page = nurse.get(URL).get_data(as_text=True)
        poll = nurse.fragment(f"{URL}/state").get_data(as_text=True)
        side = nurse.get(f"{URL}/patient-side").get_data(as_text=True)
        said = {name: getattr(answer, name) for name in answer.__slots__ if name != "capture"}
        seen.append((plain(page), plain(poll), plain(side), re.sub("'[0-9a-f-]{30,}[^']*'", "", repr(said))))
    for usual, quiet in zip(*seen, strict=True):
        assert usual == quiet
    assert clinic.prescriber.id not in "".join(seen[1])


def test_only_the_chosen_clinicians_menu_says_that_a_message_waits(house, clinic, pages):
    enrol(house, clinic.patient, EVERYDAY, "right_index")
    enrol(house, clinic.patient, QUIET, "left_thumb")
    station = make_station(house, clinic.counter)
    helper = make.make_account(house, "case_manager")
    told, other = at_site(pages, clinic.prescriber), at_site(pages, helper)
    form = {"finger": "left_thumb", "clinician": clinic.prescriber.id}
    assert other.post(f"/patients/{clinic.patient}/quiet", form).status_code == 302
    station.touch(QUIET)
    page = told.get("/alerts").get_data(as_text=True)
    assert "Messages (1)" in page and "would like to hear from you" in page
    for word in ("duress", "emergency", "threat", "alarm"):
        assert word not in page.lower()
    assert "Messages (" not in other.get("/alerts").get_data(as_text=True)
    alert = re.search(r"/alerts/([0-9a-f-]{36})/seen", page)[1]
    assert other.post(f"/alerts/{alert}/seen").status_code == 404
    assert told.post(f"/alerts/{alert}/seen").status_code == 302
    assert "Messages (" not in told.get("/alerts").get_data(as_text=True)
    for actor in (clinic.nurse, make.make_account(house, "admin"), make.make_account(house, "auditor")):
        assert at_site(pages, actor).get("/alerts").status_code == 403


def test_the_form_is_empty_for_everybody_but_the_one_who_was_chosen(house, clinic, pages):
    enrol(house, clinic.patient, EVERYDAY, "right_index")
    enrol(house, clinic.patient, QUIET, "left_thumb")
    helper = make.make_account(house, "case_manager")
    setter, told = at_site(pages, helper), at_site(pages, clinic.prescriber)
    address = f"/patients/{clinic.patient}/quiet"
    empty = plain(setter.get(address).get_data(as_text=True))
    kept = setter.post(address, {"finger": "left_thumb", "clinician": clinic.prescriber.id})
    assert kept.status_code == 302
    assert "selected" not in setter.get(address).get_data(as_text=True).split("Whom it tells")[0].split("f-finger")[1]
    assert plain(setter.get(address).get_data(as_text=True)).count("selected") == empty.count("selected")
    assert re.search(r'value="left_thumb" selected', told.get(address).get_data(as_text=True))
    wrong = setter.post(address, {"finger": "left_thumb", "clinician": ""})
    assert wrong.status_code == 422
    assert at_site(pages, clinic.nurse).get(address).status_code == 403


# --- the site's choice and the figures -------------------------------------------------------------


def test_an_administrator_chooses_the_ways_and_the_counter_follows(house, clinic, pages):
    admin = at_site(pages, make.make_account(house, "admin"))
    page = admin.get("/admin/ways").get_data(as_text=True)
    assert page.count('type="checkbox"') == 5 and page.count(" checked") == 4
    refused = admin.post("/admin/ways", {"paths": ["finger"]})
    assert refused.status_code == 422 and "A way without a finger has to stay" in refused.get_data(as_text=True)
    assert admin.post("/admin/ways", {"paths": ["finger", "document"], "alone": "1"}).status_code == 302
    with house.read() as tx:
        assert tx.execute(sa.select(site_identity_choice.c.alone)).scalars().all() == [True]
    counter = at_site(pages, clinic.nurse, clinic.counter).get(URL).get_data(as_text=True)
    assert re.findall(r'<li class="way way--(\w+)', counter) == ["finger", "document"]
    assert at_site(pages, clinic.nurse).get("/admin/ways").status_code == 403


def test_the_figures_page_hides_small_counts_and_says_what_it_counts(house, clinic, pages):
    for actor in (make.make_account(house, "admin"), make.make_account(house, "health_department_reader")):
        page = pages(actor).get("/identity-report")
        text = page.get_data(as_text=True)
        assert page.status_code == 200
        assert "What is counted" in text and "hidden: below 5" in text
        assert clinic.patient not in text
    assert pages(clinic.nurse).get("/identity-report").status_code == 403
    assert pages(make.make_account(house, "admin")).get("/identity-report?month=1999-99").status_code == 200


# --- the dialog of number and document: nothing is asked that is known --------------------------------


@pytest.fixture
def counter(pages, clinic):
    return at_site(pages, clinic.nurse, clinic.counter)


def chosen(answer) -> dict[str, str]:
    """Radios that are on in the dialog, and the second person's user name."""
    text = answer.get_data(as_text=True)
    text = text[text.index("identity-dialog") :]
    found = dict(re.findall(r'<input type="radio" name="(\w+)" value="(\w+)" checked>', text))
    name = re.search(r'name="witness_username" type="text" value="([^"]*)"', text)
    return found | ({"second": name[1]} if name and name[1] else {})


def number_of(house, clinic) -> str:
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.number).where(patient.c.id == clinic.patient)).scalar_one()


def test_the_tile_that_was_tapped_is_not_asked_again(house, clinic, counter):
    number = number_of(house, clinic)
    assert "path" not in chosen(counter.fragment(f"{URL}/find", {"text": number}))
    for way in ("number_face", "document"):
        assert chosen(counter.fragment(f"{URL}/find", {"text": number, "way": way}))["path"] == way
        assert chosen(counter.fragment(f"{URL}/open", {"patient": clinic.patient, "way": way}))["path"] == way
    assert "path" not in chosen(counter.fragment(f"{URL}/find", {"text": number, "way": "finger"}))


def test_a_dead_reader_is_the_reason_unless_the_nurse_says_another(house, clinic, counter):
    number = number_of(house, clinic)
    assert "reason" not in chosen(counter.fragment(f"{URL}/find", {"text": number}))  # no reader there: no fault
    station = make_station(house)
    station.beat()
    assert "reason" not in chosen(counter.fragment(f"{URL}/find", {"text": number}))
    station.beat(a_reader(state="unplugged", trouble="reader_unplugged"))
    assert chosen(counter.fragment(f"{URL}/find", {"text": number}))["reason"] == "reader_fault"


def test_everything_that_is_missing_is_said_at_once(house, clinic, counter):
    number = number_of(house, clinic)
    for way, names in (("document", ("document", "birth_date", "reason")), ("number_face", ("reason", "witness"))):
        said = counter.fragment(f"{URL}/identify", {"number": number, "path": way}).get_data(as_text=True)
        assert said.count("nhsuk-error-message") == len(names), way


def test_the_second_persons_name_stays_and_their_pin_does_not(house, clinic, counter):
    number, second = number_of(house, clinic), make_person(house, "nurse", username="hsu")
    form = {"number": number, "path": "number_face", "reason": "patient_prefers"}
    form |= {"witness_username": "hsu", "witness_pin": PIN}
    assert 'data-screen="card"' in counter.fragment(f"{URL}/identify", form).get_data(as_text=True)
    counter.fragment(f"{URL}/leave", {})
    again = counter.fragment(f"{URL}/find", {"text": number})
    assert chosen(again)["second"] == "hsu" and PIN not in again.get_data(as_text=True)
    refused = counter.fragment(f"{URL}/identify", form | {"witness_pin": ""}).get_data(as_text=True)
    assert 'data-screen="card"' not in refused and "nhsuk-error-message" in refused
    assert second
