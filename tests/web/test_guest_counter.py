"""A guest at the counter, and at home the day taken back: over HTTP, with a pass, its digits, a finger enrolled at home."""

from __future__ import annotations

import html
import re

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import dose, site, stock
from ost.services import consents, patient_read, patients
from ost.services.guest import passes, steps
from ost.services.outcome import Ending, end
from ost.services.queue import queue
from tests import make
from tests.permits import days_from, make_permit, state_of, steps_of
from tests.plugins.clients import house_of
from tests.web.test_counter import fields, screen

HOME, AWAY = "/counter/HUA1-1", "/counter/TPE1-1"


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def clinic(app, house):
    return make.make_clinic(house)


@pytest.fixture
def away(house, clinic):
    make.make_site(house, "TPE1", county="TPE")
    make.make_guest_site(house, "TPE1", last_dose="23:58", closes="23:59")
    make.make_counter(house, "TPE1")
    return {"nurse": make.make_account(house, "nurse", scope="TPE1"), "bottle": make.make_bottle(house, "TPE1")}


def window(pages, nurse, site_id, bottle):
    opened = pages(nurse)
    opened.post("/workplace", {"site": site_id, "counter": f"{site_id}-1"})
    opened.fragment(f"/counter/{site_id}-1/bottle", {"bottle_seen": bottle})
    return opened


@pytest.fixture
def there(pages, away):
    return window(pages, away["nurse"], "TPE1", away["bottle"])


@pytest.fixture
def here(pages, clinic, away):
    return window(pages, clinic.nurse, "HUA1", clinic.bottle)


@pytest.fixture
def permit(house, clinic, away):
    return make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))


def shown_pass(house, clinic, permit):
    return passes.for_patient(house, clinic.patient, permit.id)


def text_of(answer) -> str:
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", answer.get_data(as_text=True)))


def give_there(there) -> object:
    """The PIN after whatever named the person, then the four taps up to the swallow."""
    card = there.fragment(f"{AWAY}/pin", {"pin": make.PATIENT_PIN})
    assert screen(card) == "card"
    return there.fragment(f"{AWAY}/promise", fields(card) | {"signs": "none"})


def attempts(house, patient):
    a = dose.dose_attempt
    with house.read() as tx:
        return tx.execute(sa.select(a).where(a.c.patient == patient).order_by(a.c.promised_at)).all()


@pytest.mark.parametrize("how", ["token", "digits"])
def test_a_pass_calls_its_person_and_their_pin_opens_the_card_with_day_and_home_site(
    house, clinic, away, permit, there, how
):
    shown = shown_pass(house, clinic, permit)
    text = shown.token if how == "token" else f"{shown.digits[:3]} {shown.digits[3:]}"
    assert screen(there.fragment(f"{AWAY}/find", {"text": text})) == "pin"
    card = there.fragment(f"{AWAY}/pin", {"pin": make.PATIENT_PIN})
    assert "day 1 of 2" in text_of(card) and "Home site" in text_of(card)
    poured = there.fragment(f"{AWAY}/promise", fields(card) | {"signs": "none"})
    assert screen(poured) == "poured"
    made = attempts(house, clinic.patient)[-1]
    assert (made.site, made.permit, made.bottle) == ("TPE1", permit.id, away["bottle"])
    line = stock.register_line
    with house.read() as tx:
        lines = tx.execute(sa.select(line.c.bottle).where(line.c.dose == made.id)).scalars().all()
    assert lines == [away["bottle"]] and away["bottle"] != clinic.bottle


def test_a_pass_alone_opens_nothing_and_a_wrong_pin_neither(house, clinic, permit, there):
    there.fragment(f"{AWAY}/find", {"text": shown_pass(house, clinic, permit).token})
    again = there.fragment(f"{AWAY}/pin", {"pin": "0000"})
    assert screen(again) == "pin"
    c = site.counter
    with house.read() as tx:
        assert tx.execute(sa.select(c.c.patient).where(c.c.id == "TPE1-1")).scalar_one() is None


def test_a_pass_of_another_site_or_another_day_or_an_ended_permit_opens_nothing(house, clinic, away, there, here):
    later = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 2, 3))
    shown = shown_pass(house, clinic, later)
    assert "not for today" in text_of(there.fragment(f"{AWAY}/find", {"text": shown.token}))
    assert "opens nothing here" in text_of(here.fragment(f"{HOME}/find", {"text": shown.token}))
    with house.work(make.Actor("test"), "TPE1", "made.ended") as work:
        work.lock_patients([clinic.patient])
        steps.take(work, later.request, "end", steps.SYSTEM, reason="consent_ended")
    assert "opens nothing here" in text_of(there.fragment(f"{AWAY}/find", {"text": shown.token}))


def test_right_digits_with_the_pin_do_not_wear_the_account_out(house, clinic, permit, there):
    shown = shown_pass(house, clinic, permit)
    for _ in range(12):
        assert screen(there.fragment(f"{AWAY}/find", {"text": shown.digits})) == "pin"
        assert screen(there.fragment(f"{AWAY}/pin", {"pin": make.PATIENT_PIN})) == "card"


def test_guessing_digits_is_slowed_down(house, clinic, permit, there):
    right = shown_pass(house, clinic, permit).digits
    wrong = [n for n in (f"{i:06}" for i in range(20)) if n != right]
    for digits in wrong:
        there.fragment(f"{AWAY}/find", {"text": digits})
    assert "Too many six digits" in text_of(there.fragment(f"{AWAY}/find", {"text": right}))


def test_at_home_the_card_stops_and_one_step_takes_the_day_back_and_doses_here(house, clinic, permit, there, here):
    called = _call(here, house, clinic)
    assert screen(called) == "stopped" and "Take the day back" in text_of(called)
    taken = here.fragment(f"{HOME}/take-back", {"patient_id": clinic.patient, "request_id": permit.request})
    assert screen(taken) == "card"
    assert steps_of(house, permit.request)[-1][0] == "drop_day" and state_of(house, permit.request) == "confirmed"
    poured = here.fragment(f"{HOME}/promise", fields(taken) | {"signs": "none"})
    assert screen(poured) == "poured"
    made = attempts(house, clinic.patient)[-1]
    assert (made.site, made.permit) == ("HUA1", None)


def _call(here, house, clinic):
    """The home patient's card and PIN."""
    card = patients.reissue_card(house, make.make_account(house, "registrar"), clinic.patient)
    assert screen(here.fragment(f"{HOME}/find", {"text": card})) == "pin"
    return here.fragment(f"{HOME}/pin", {"pin": make.PATIENT_PIN})


def test_once_the_guest_site_has_prepared_the_day_is_not_taken_back(house, clinic, permit, there, here):
    stopped = _call(here, house, clinic)
    assert "Take the day back" in text_of(stopped)
    there.fragment(f"{AWAY}/find", {"text": shown_pass(house, clinic, permit).token})
    assert screen(give_there(there)) == "poured"
    refused = here.fragment(f"{HOME}/take-back", {"patient_id": clinic.patient, "request_id": permit.request})
    assert screen(refused) == "stopped" and "Take the day back" not in text_of(refused)
    assert steps_of(house, permit.request)[-1][0] == "confirm"
    assert [a.site for a in attempts(house, clinic.patient)][-1] == "TPE1"


def test_a_day_taken_back_is_gone_for_the_guest_site_whose_card_was_open(house, clinic, permit, there, here):
    there.fragment(f"{AWAY}/find", {"text": shown_pass(house, clinic, permit).token})
    card = there.fragment(f"{AWAY}/pin", {"pin": make.PATIENT_PIN})
    _call(here, house, clinic)
    here.fragment(f"{HOME}/take-back", {"patient_id": clinic.patient, "request_id": permit.request})
    refused = there.fragment(f"{AWAY}/promise", fields(card) | {"signs": "none"})
    assert screen(refused) == "stopped" and "not a day of this guest permit" in text_of(refused)
    assert [a.site for a in attempts(house, clinic.patient)] == ["HUA1"]  # yesterday's


def test_nobody_takes_back_another_persons_day(house, clinic, permit, here):
    other = make.make_patient(house, "HUA1")
    make.make_prescription(house, other)
    _call(here, house, clinic)
    for sent in (
        {"patient_id": other, "request_id": permit.request},
        {"patient_id": clinic.patient, "request_id": "no-such-request"},
    ):
        here.fragment(f"{HOME}/take-back", sent)
    assert steps_of(house, permit.request)[-1][0] == "confirm"


def test_both_queues_say_where_the_person_is_today(house, clinic, away, permit, there):
    def states():
        rows = {}
        for code, nurse in (("HUA1", clinic.nurse), ("TPE1", away["nurse"])):
            row = next(r for r in queue(house, nurse, code).rows if r.due.patient == clinic.patient)
            rows[code] = (row.state, row.served_at)
        return rows

    assert states() == {"HUA1": ("away", None), "TPE1": ("expected", None)}
    there.fragment(f"{AWAY}/find", {"text": shown_pass(house, clinic, permit).token})
    give_there(there)
    assert states() == {"HUA1": ("unknown", "TPE1"), "TPE1": ("unknown", "TPE1")}
    made = attempts(house, clinic.patient)[-1]
    there.fragment(f"{AWAY}/identity", {"dose_id": made.id, "path": "number_face", "reason": "no_finger"})
    end(house, away["nurse"], Ending(made.id, "swallowed"))
    assert states() == {"HUA1": ("done", "TPE1"), "TPE1": ("done", "TPE1")}


def test_the_homes_page_names_the_other_site_in_the_row(house, clinic, permit, here):
    said = text_of(here.get(HOME))
    assert "Elsewhere today" in said


def test_a_cup_that_is_poured_is_brought_to_its_end_though_consent_was_taken_back(house, clinic, away, permit, there):
    there.fragment(f"{AWAY}/find", {"text": shown_pass(house, clinic, permit).token})
    assert screen(give_there(there)) == "poured"
    consents.end(house, make.Actor(f"patient:{clinic.patient}"), permit.consent)
    made = attempts(house, clinic.patient)[-1]
    assert screen(there.fragment(f"{AWAY}/dismiss", {})) == "poured"
    end(house, away["nurse"], Ending(made.id, "swallowed"))
    assert screen(there.fragment(f"{AWAY}/leave", {})) == "idle"
    with pytest.raises(Refusal, match="patient_unknown"):
        patient_read.read(house, away["nurse"], clinic.patient, page="patients.page")


def test_what_only_the_home_prescriber_can_answer_gives_the_homes_telephone(house, clinic, away, there):
    with house.db.begin() as tx:
        for code, phone in (("HUA1", "03-1111111"), ("TPE1", "02-2222222")):
            tx.execute(sa.update(site.site).where(site.site.c.id == code).values(phone=phone))
    person = make.make_patient(house, "HUA1")
    [today, long_ago] = days_from(house, "HUA1", 0, -5)
    make.make_prescription(house, person, sites=("HUA1",), elsewhere_on=long_ago)
    permit = make_permit(house, person, "TPE1", (today,))
    there.fragment(f"{AWAY}/find", {"text": passes.for_patient(house, person, permit.id).token})
    stopped = there.fragment(f"{AWAY}/pin", {"pin": make.PATIENT_PIN})
    assert screen(stopped) == "stopped" and "4 missed days" in text_of(stopped)
    assert "03-1111111" in text_of(stopped)
