"""The desk of messages that did not arrive, and the demo's page of what would have been sent."""

from __future__ import annotations

import pytest

from ost.channels.interface import NotSent, Unknown
from ost.channels.page import DemoPage
from ost.services.messages import kinds, send
from ost.web import messages
from tests.make import make_account, make_patient, make_site
from tests.plugins.clients import Pages, house_of, make_app
from tests.services.messages import FakeChannel, make_reached, news, rows, state


@pytest.fixture
def house(app, clock):
    return house_of(app)


def number_of(house, person: str) -> str:
    from ost.services import patient_read

    return patient_read.numbers(house, [person])[person]


def test_a_site_sees_its_people_by_number_and_sends_again(house, pages):
    person = make_reached(house, name="歐陽菲菲")
    id_ = news(house, person)
    send.send_due(house, [FakeChannel(Unknown("no_answer"))])
    manager = pages(make_account(house, "case_manager"), site="HUA1")
    page = manager.get("/undelivered").get_data(as_text=True)
    assert number_of(house, person) in page and "not known whether it arrived" in page and "no answer" in page
    assert "歐陽" not in page and "912345678" not in page
    assert manager.post(f"/undelivered/{id_}/again", csrf=False).status_code == 400
    assert state(house, id_)[0] == "unknown"
    assert manager.post(f"/undelivered/{id_}/again").status_code == 302
    assert state(house, id_)[0] == "waiting"
    assert manager.post(f"/undelivered/{id_}/again").status_code == 409
    assert manager.post("/undelivered/nothing/again").status_code == 404


def test_other_sites_and_nurses_see_nothing(house, pages):
    person = make_reached(house)
    id_ = news(house, person)
    send.send_due(house, [FakeChannel(NotSent("refused", permanent=True))])
    make_site(house, "TPE1", county="TPE")
    stranger = pages(make_account(house, "case_manager", scope="TPE1"), site="TPE1")
    assert number_of(house, person) not in stranger.get("/undelivered").get_data(as_text=True)
    assert stranger.post(f"/undelivered/{id_}/again").status_code == 404
    assert pages(make_account(house, "nurse"), site="HUA1").get("/undelivered").status_code == 403
    assert state(house, id_)[0] == "given_up"


def test_the_centre_sees_request_numbers_only(house, pages):
    person = make_reached(house, name="歐陽菲菲")
    news(house, person, request=4711, site="HUA1")
    send.send_due(house, [FakeChannel(NotSent("refused", permanent=True))])
    centre = pages(make_account(house, "coordinator", scope="*", scope_kind="network"))
    page = centre.get("/undelivered").get_data(as_text=True)
    assert "4711" in page
    assert number_of(house, person) not in page and person not in page and "歐陽" not in page


def test_every_code_of_the_sender_has_its_words():
    assert set(messages.KINDS) == set(kinds.KINDS)
    assert set(messages.STATES) == set(send_states())
    coded = {"too_late", "no_consent", "no_address", "no_channel", "forgotten", "unreadable", "lease_over"}
    assert coded | {"channel_broke", "refused", "busy", "no_answer", "no_connection"} <= set(messages.ERRORS)


def send_states() -> tuple[str, ...]:
    from ost.services.messages.failed import FAILED

    return FAILED


def test_the_demo_shows_what_would_have_been_sent(app, house, pages, tmp_path):
    person = make_reached(house, language="en")
    news(house, person)
    assert send.send_due(house, [DemoPage(app.extensions["ost"].settings.home)]) == {"sent": 1}
    page = pages().get("/demo/messages").get_data(as_text=True)
    assert "Your booking is confirmed" in page and "+886912345678" in page
    assert rows(house)[0].state == "sent"


def test_outside_the_demo_there_is_no_such_page(sqlite_database, tmp_path):
    app = make_app(sqlite_database, tmp_path, OST_MODE="production", OST_SECURE_COOKIES="true")
    assert Pages(app).get("/demo/messages").status_code == 404


def test_a_person_without_news_leaves_the_list_empty(house, pages):
    make_site(house, "HUA1")
    make_patient(house, "HUA1")
    page = pages(make_account(house, "case_manager"), site="HUA1").get("/undelivered").get_data(as_text=True)
    assert "Every message arrived." in page
