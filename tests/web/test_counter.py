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


def prepare(counter, card) -> tuple[dict[str, str], object]:
    shown = counter.fragment(f"{URL}/find", {"text": card})
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
    counter.fragment(f"{URL}/find", {"text": card})
    news = counter.fragment(poll)
    assert news.status_code == 200
    assert screen(news) == "card"
    assert "Set-Cookie" not in news.headers


def test_a_typed_number_asks_why_before_it_opens_anything(counter, clinic, house):
    with house.read() as tx:
        number = tx.execute(
            sa.text("select number from patient where id = :i"), {"i": clinic.patient}
        ).scalar_one()
    asked = counter.fragment(f"{URL}/find", {"text": number})
    assert screen(asked) == "idle"
    assert 'name="reason" value="reader_fault"' in asked.get_data(as_text=True)
    assert screen(counter.fragment(f"{URL}/find", {"text": number, "reason": "reader_fault"})) == "card"


def test_a_sign_stops_is_kept_as_a_refusal_and_can_be_looked_at_again(counter, card, house):
    shown = counter.fragment(f"{URL}/find", {"text": card})
    stopped = counter.fragment(f"{URL}/check", fields(shown) | {"sign": "drowsy"})
    assert screen(stopped) == "stopped"
    assert count(house, dose.refusal) == 1
    assert screen(counter.fragment(f"{URL}/check", {"sign": ""})) == "card"


def test_nothing_is_prepared_without_the_check(counter, card, house):
    sent = fields(counter.fragment(f"{URL}/find", {"text": card}))
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
