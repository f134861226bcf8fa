"""The fingers page: enrolling at a counter's reader, step by step, and who may not."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from ost.models.patient import fingerprint
from ost.models.reader import station_task
from ost.services import simulate_touch, stations
from ost.services.captures import CaptureAnswer
from ost.services.gallery import gallery_of
from tests import make
from tests.plugins.clients import house_of
from tests.touch import make_station

COUNTER = "HUA1-1"


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def clinic(house):
    return make.make_clinic(house, came_yesterday=False)


@pytest.fixture
def nurse(pages, clinic):
    return pages(clinic.nurse, site=clinic.site, counter=clinic.counter)


def address(clinic, rest: str = "") -> str:
    return f"/patients/{clinic.patient}/fingers{rest}"


def text_of(answer) -> str:
    assert answer.status_code in (200, 422), answer.status_code
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def tasks(house):
    with house.read() as tx:
        return tx.execute(sa.select(station_task)).all()


def begin(browser, clinic, finger="right_index"):
    return browser.post(address(clinic, "/reader"), {"finger": finger, "counter": COUNTER})


def have(answer) -> str:
    return re.search(r"have=([^\"&]+)", answer.get_data(as_text=True)).group(1)


def test_a_finger_is_enrolled_by_touching_the_demos_reader(house, clinic, nurse):
    assert "Enrol this finger" in text_of(nurse.get(address(clinic)))
    assert begin(nurse, clinic).status_code == 303
    waiting = nurse.get(address(clinic))
    assert "Touch now: 1 of 3" in text_of(waiting)
    assert nurse.get(address(clinic, "/reader"), query_string={"have": have(waiting)}).status_code == 204
    for number in (1, 2, 3):
        done = nurse.post(address(clinic, "/reader/practice"), {"counter": COUNTER})
        assert done.status_code == 303
        shown = nurse.get(address(clinic, "/reader"), query_string={"have": have(waiting)})
        assert ("All impressions are kept" if number == 3 else f"Impression {number} kept") in text_of(shown)
    assert "hx-trigger" not in shown.get_data(as_text=True)
    assert re.search(r'value="left_index" selected', shown.get_data(as_text=True))
    with house.read() as tx:
        kept = tx.execute(sa.select(fingerprint).where(fingerprint.c.patient == clinic.patient)).all()
    assert [(f.finger, f.impression, f.synthetic, f.enrolled_by) for f in kept] == [
        ("right_index", n, True, clinic.nurse.id) for n in (1, 2, 3)
    ]
    # Nobody asks for a finger any more: what is laid on now is no impression.
    nurse.post(address(clinic, "/reader/practice"), {"counter": COUNTER})
    with house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(fingerprint)).scalar_one() == 3


def test_the_counters_page_says_what_its_reader_is_for_until_it_is_stopped(house, clinic, nurse):
    nurse.post("/workplace", {"site": clinic.site, "counter": COUNTER})
    assert begin(nurse, clinic).status_code == 303
    counter = nurse.get(f"/counter/{COUNTER}")
    assert "Enrolling a finger" in text_of(counter) and "touches call nobody" in text_of(counter)
    assert "way--off" in counter.get_data(as_text=True) and "Touch the reader" not in text_of(counter)
    assert nurse.post(address(clinic, "/reader/stop"), {"counter": COUNTER}).status_code == 303
    assert tasks(house) == []
    assert "Enrolling a finger" not in text_of(nurse.get(f"/counter/{COUNTER}"))


def test_somebody_else_is_told_that_the_reader_is_taken(house, clinic, nurse, pages):
    assert begin(nurse, clinic).status_code == 303
    other = pages(make.make_account(house, "registrar"), site=clinic.site)
    page = other.get(address(clinic), query_string={"counter": COUNTER})
    assert "A colleague is using this reader" in text_of(page)
    refused = begin(other, clinic)
    assert refused.status_code == 422
    assert "A colleague is using this reader" in text_of(refused)


def test_a_counter_without_a_reader_and_a_wrong_finger_are_said_beside_the_field(house, clinic, pages):
    registrar = pages(make.make_account(house, "registrar"), site=clinic.site)
    station = make_station(house, COUNTER)
    stations.revoke(house, make.make_account(house, "admin", username="boss"), station.id)
    assert begin(registrar, clinic, "sixth_finger").status_code == 422
    # In the demo the page itself puts the practice station back where a revoked one stood.
    assert begin(registrar, clinic).status_code == 303


def test_a_site_with_several_counters_asks_which(house, clinic, pages):
    make.make_counter(house, clinic.site, "HUA1-2")
    registrar = pages(make.make_account(house, "registrar"), site=clinic.site)
    page = registrar.get(address(clinic)).get_data(as_text=True)
    assert 'name="counter"' in page and "HUA1-2" in page
    refused = registrar.post(address(clinic, "/reader"), {"finger": "right_index", "counter": ""})
    assert refused.status_code == 422
    assert "Choose the counter whose reader is touched." in text_of(refused)
    elsewhere = registrar.post(address(clinic, "/reader"), {"finger": "right_index", "counter": "TPE1-1"})
    assert elsewhere.status_code == 422
    assert tasks(house) == []


@pytest.mark.parametrize("role", ["pharmacist", "admin", "auditor"])
def test_who_enrols_nobody_is_kept_out(house, clinic, pages, role):
    browser = pages(make.make_account(house, role), site=clinic.site)
    assert browser.get(address(clinic)).status_code == 403
    assert browser.get(address(clinic, "/reader")).status_code == 403
    for rest in ("/reader", "/reader/stop", "/reader/practice"):
        assert browser.post(address(clinic, rest), {"finger": "right_index", "counter": COUNTER}).status_code == 403
    assert tasks(house) == []


def test_another_sites_nurse_enrols_nobody_here(house, clinic, pages):
    make.make_site(house, "TPE1", "TPE")
    far = pages(make.make_account(house, "nurse", scope="TPE1"), site="TPE1")
    assert begin(far, clinic).status_code in (403, 404, 422)
    assert far.get(address(clinic, "/reader")).status_code in (403, 404)
    assert tasks(house) == []


def test_without_the_pages_own_token_nothing_begins(house, clinic, nurse):
    assert nurse.post(address(clinic, "/reader"), {"finger": "right_index"}, csrf=False).status_code >= 400
    assert tasks(house) == []


def test_a_poor_touch_says_what_to_do_and_the_page_waits_on(house, clinic, nurse, app):
    assert begin(nurse, clinic).status_code == 303
    keys = app.extensions["ost"].settings.keys / "stations"
    answer = simulate_touch.touch(house, gallery_of(house), keys, COUNTER, "wet", clinic.patient, "right_index")
    assert isinstance(answer, CaptureAnswer) and answer.result == "taken" and answer.code
    page = nurse.get(address(clinic))
    assert "Touch now: 1 of 3" in text_of(page)
    assert 'class="tier tier--reason"' in page.get_data(as_text=True)
