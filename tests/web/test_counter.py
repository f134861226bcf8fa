"""The counter's page over HTTP: what each step answers, writes and refuses. The story in a browser is in tests/stories."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from ost.models import dose, stock
from ost.services import patients
from tests import make
from tests.plugins.clients import PIN, house_of, make_person
from tests.web.preview_counter import SCREENS, create_preview

URL = "/counter/HUA1-1"


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def clinic(app, house, request):
    return make.make_clinic(house, came_yesterday=getattr(request, "param", True))


@pytest.fixture
def card(house, clinic):
    return patients.reissue_card(house, make.make_account(house, "registrar"), clinic.patient)


@pytest.fixture
def counter(pages, clinic):
    """The nurse's window, working the clinic's counter, with the bottle's label compared."""
    window = pages(clinic.nurse)
    window.post("/workplace", {"site": clinic.site, "counter": clinic.counter})
    window.fragment(f"{URL}/bottle", {"bottle_seen": clinic.bottle})
    return window


def screen(answer) -> str:
    found = re.search(r'data-screen="(\w+)"', answer.get_data(as_text=True))
    return found[1] if found else f"no screen, {answer.status_code}"


def fields(answer) -> dict[str, str]:
    """The hidden fields of the card's form, as a browser would send them."""
    text = answer.get_data(as_text=True)
    form = text[text.index('id="card-form"') :]
    return dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[: form.index("person__body")])
    )


def calls(counter, card) -> object:
    """The card, then its PIN."""
    assert screen(counter.fragment(f"{URL}/find", {"text": card})) == "pin"
    return counter.fragment(f"{URL}/pin", {"pin": make.PATIENT_PIN})


def prepare(counter, card) -> tuple[dict[str, str], object]:
    shown = calls(counter, card)
    assert screen(shown) == "card"
    sent = fields(shown) | {"signs": "none"}
    return sent, counter.fragment(f"{URL}/promise", sent)


def count(house, table) -> int:
    with house.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def balance(house, bottle) -> int:
    with house.read() as tx:
        return tx.execute(
            sa.select(stock.bottle.c.balance_ul).where(stock.bottle.c.id == bottle)
        ).scalar_one()


def test_a_card_two_presses_and_the_card_again_are_one_dose(counter, card, clinic, house):
    left, attempts = balance(house, clinic.bottle), count(house, dose.dose_attempt)
    sent, prepared = prepare(counter, card)
    assert screen(prepared) == "poured"
    assert screen(counter.fragment(f"{URL}/promise", sent)) == "poured"  # the second half of a double click
    assert count(house, dose.dose_attempt) == attempts + 1
    assert screen(counter.fragment(f"{URL}/find", {"text": card})) == "handed"
    done = counter.fragment(f"{URL}/outcome", {"dose_id": sent["dose_id"], "outcome": "swallowed"})
    assert screen(done) == "idle"
    assert balance(house, clinic.bottle) == left - clinic.volume_ul
    again = counter.fragment(f"{URL}/outcome", {"dose_id": sent["dose_id"], "outcome": "swallowed"})
    assert screen(again) == "idle"
    assert count(house, dose.dose_outcome) == attempts + 1


def test_the_refresh_is_silent_until_something_happens_and_never_touches_the_cookie(counter, card):
    page = counter.get(URL)
    poll = re.search(r'hx-get="([^"]+/state[^"]*)"', page.get_data(as_text=True))[1]
    silent = counter.fragment(poll)
    assert silent.status_code == 204
    calls(counter, card)
    news = counter.fragment(poll)
    assert news.status_code == 200
    assert screen(news) == "card"
    assert "Set-Cookie" not in news.headers


def number_of(house, person) -> str:
    with house.read() as tx:
        return tx.execute(sa.text("select number from patient where id = :i"), {"i": person}).scalar_one()


def test_a_typed_number_asks_which_way_before_it_opens_anything(counter, clinic, house):
    make_person(house, "nurse", username="wu")
    number = number_of(house, clinic.patient)
    asked = counter.fragment(f"{URL}/find", {"text": number})
    text = asked.get_data(as_text=True)
    assert screen(asked) == "idle"
    assert 'value="number_face"' in text and 'value="document"' in text
    said = {"number": number, "path": "number_face", "reason": "reader_fault"}
    for pin in ("", "000111"):
        again = counter.fragment(f"{URL}/identify", said | {"witness_username": "wu", "witness_pin": pin})
        assert screen(again) == "idle" and 'id="f-witness-error"' in again.get_data(as_text=True)
    shown = counter.fragment(f"{URL}/identify", said | {"witness_username": "wu", "witness_pin": PIN})
    assert screen(shown) == "card"


def test_a_document_opens_the_card_when_its_birth_date_is_the_persons(counter, clinic, house):
    said = {"number": number_of(house, clinic.patient), "path": "document", "reason": "not_enrolled", "document": "passport"}
    for born in ("", "68/5/4"):
        again = counter.fragment(f"{URL}/identify", said | {"birth_date": born})
        text = again.get_data(as_text=True)
        assert screen(again) == "idle" and 'id="f-birth_date-error"' in text
        assert 'name="birth_date" type="text" value=""' in text  # what was typed does not come back
        assert "陳大明" not in text and "68/5/4" not in text
    assert screen(counter.fragment(f"{URL}/identify", said | {"birth_date": "68/5/3"})) == "card"


def test_the_ways_stand_side_by_side_and_no_digit_is_ever_shown(counter, card):
    page = counter.get(URL).get_data(as_text=True)
    ways = re.findall(r'<li class="way way--(\w+)', page)
    assert ways == ["finger", "card", "number_face", "document"]
    for word in ("fallback", "exception", "instead"):
        assert word not in page[page.index('id="ways"') : page.index("person__foot")].lower()
    counter.fragment(f"{URL}/find", {"text": card})
    side = counter.get(f"{URL}/patient-side").get_data(as_text=True)
    assert 'id="side-pin" name="pin" type="password"' in side
    wrong = counter.fragment(f"{URL}/pin", {"pin": "918273"})
    assert screen(wrong) == "pin" and "918273" not in wrong.get_data(as_text=True)
    side = counter.fragment(f"{URL}/patient-side/pin", {"pin": "918273"}).get_data(as_text=True)
    assert "918273" not in side and "side__again" in side
    side = counter.fragment(f"{URL}/patient-side/pin", {"pin": make.PATIENT_PIN}).get_data(as_text=True)
    assert "side__number" in side
    assert screen(counter.get(URL)) == "card"


def test_a_sign_stops_is_kept_as_a_refusal_and_can_be_looked_at_again(counter, card, house):
    shown = calls(counter, card)
    stopped = counter.fragment(f"{URL}/check", fields(shown) | {"sign": "drowsy"})
    assert screen(stopped) == "stopped"
    assert count(house, dose.refusal) == 1
    assert screen(counter.fragment(f"{URL}/check", {"sign": ""})) == "card"


def test_nothing_is_prepared_without_the_check(counter, card, house):
    sent = fields(calls(counter, card))
    attempts = count(house, dose.dose_attempt)
    assert screen(counter.fragment(f"{URL}/promise", sent)) == "stopped"
    assert count(house, dose.dose_attempt) == attempts


def test_another_persons_card_at_hand_over_stops_and_changes_nothing(counter, card, clinic, house):
    other = make.make_patient(house, clinic.site, name="林小華")
    make.make_prescription(house, other, sites=(clinic.site,))
    others_card = patients.reissue_card(house, make.make_account(house, "registrar"), other)
    prepare(counter, card)
    assert screen(counter.fragment(f"{URL}/find", {"text": others_card})) == "mismatch"
    assert screen(counter.fragment(f"{URL}/dismiss", {})) == "poured"


def test_undo_gives_back_what_was_not_poured(counter, card, clinic, house):
    left = balance(house, clinic.bottle)
    sent, _ = prepare(counter, card)
    assert screen(counter.fragment(f"{URL}/undo", {"dose_id": sent["dose_id"], "poured": "no"})) == "idle"
    assert balance(house, clinic.bottle) == left


def test_another_window_takes_the_counter_and_the_first_is_sent_away(counter, clinic, pages):
    second = pages(clinic.second)
    second.post("/workplace", {"site": clinic.site, "counter": clinic.counter})
    assert second.get(URL).status_code == 200
    sent_away = counter.fragment(f"{URL}/state")
    assert sent_away.headers["HX-Redirect"].endswith("/workplace")
    assert counter.get(URL).status_code == 302


def test_the_persons_side_says_no_name(counter, card, clinic):
    prepare(counter, card)
    shown = counter.get(f"{URL}/patient-side").get_data(as_text=True)
    assert "陳大明" not in shown
    assert "陳" not in shown
    assert "60\u00a0mg" in shown
    assert "6\u00a0mL" in shown
    assert "data-sign=" in shown


@pytest.mark.parametrize("clinic", [False], indirect=True)
def test_a_dose_of_yesterday_is_settled_with_a_second_person(counter, clinic, house):
    second = make_person(house, "nurse", username="chen")
    left = make.make_past_dose(house, clinic, days_ago=1, outcome=None)
    said = {
        "dose_id": left,
        "outcome": "swallowed",
        "witness_username": second.username,
        "witness_pin": "000000",
    }
    assert "outcome-dialog" in counter.fragment(f"{URL}/resolve", said).get_data(as_text=True)
    assert count(house, dose.dose_outcome) == 0
    done = counter.fragment(f"{URL}/resolve", said | {"witness_pin": PIN})
    assert screen(done) == "open_doses"
    with house.read() as tx:
        row = tx.execute(
            sa.select(dose.dose_outcome, dose.dose_attempt.c.promised_at)
            .join(dose.dose_attempt, dose.dose_attempt.c.id == dose.dose_outcome.c.attempt)
            .where(dose.dose_outcome.c.attempt == left)
        ).one()
    assert row.witness == second.id
    assert row.given_at == row.promised_at  # said a day later, swallowed when it was prepared


def test_the_emergency_card_stays_until_it_is_put_away(counter, card):
    sent, _ = prepare(counter, card)
    said = {"dose_id": sent["dose_id"], "outcome": "too_much", "swallowed_mg": "90", "from": "dialog"}
    assert screen(counter.fragment(f"{URL}/outcome", said)) == "emergency"
    assert screen(counter.get(URL)) == "emergency"
    assert screen(counter.fragment(f"{URL}/leave", {"acknowledged": "yes"})) == "idle"


@pytest.mark.parametrize("language", ["zh_Hant_TW", "en", "zh_Hans_CN"])
@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_drawn_with_its_button_and_nothing_inline(name, language):
    text = create_preview().test_client().get(f"/screen/{name}?lang={language}").get_data(as_text=True)
    assert 'id="primary"' in text
    assert not re.search(r"<style|\sstyle=|<script(?! src=)|\son\w+=", text)
    assert not re.search(r"\d (mg|mL)\b", text), "a number and its unit are joined by a no-break space"
