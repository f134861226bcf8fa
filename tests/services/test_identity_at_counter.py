"""What a touch, a card, a number and a face mean at a counter, before and during a dose."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit
from ost.models import site as sites
from ost.models import station as models
from ost.models.patient import fingerprint
from ost.services import counter_page, fingerprints
from ost.services import identify_at_counter as at_counter
from ost.services.card_pin import give_pin
from ost.services.gallery import PrintGallery
from ost.services.outcome import Ending, end
from ost.services.patients import new_card
from tests.logs import said_by_rows
from tests.make import (
    PATIENT_PIN,
    dose_request,
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_counter,
    make_patient,
    make_prescription,
    make_site,
)
from tests.services.test_captures import counter, rows
from tests.touch import enrol, make_station

PERSON, NEIGHBOUR, STRANGER, NOBODY = 101, 102, 103, 104


@pytest.fixture
def clinic(house):
    return make_clinic(house)


@pytest.fixture
def people(house, clinic):
    """The clinic's patient, a neighbour who is expected here too, and somebody of another county."""
    enrol(house, clinic.patient, PERSON)
    neighbour = make_patient(house, name="林小華", priority='["pregnant"]')
    make_prescription(house, neighbour)
    enrol(house, neighbour, NEIGHBOUR)
    make_site(house, "TPE1", "TPE")
    stranger = make_patient(house, "TPE1", name="王阿明")
    make_prescription(house, stranger, sites=("TPE1",))
    enrol(house, stranger, STRANGER, site="TPE1")
    return {"neighbour": neighbour, "stranger": stranger}


@pytest.fixture
def station(house, clinic, people):
    return make_station(house, clinic.counter)


def notice(house):
    text = counter(house).notice
    return json.loads(text) if text else None


# --- a touch calls a person ------------------------------------------------------


def test_people_get_their_place_in_the_day_once(house, clinic, people, station):
    for finger in (PERSON, NEIGHBOUR, PERSON):
        assert station.touch(finger).result == "shown"
    arrivals = {a.patient: (a.number, a.lane) for a in rows(house, sites.arrival)}
    assert arrivals == {clinic.patient: (1, "normal"), people["neighbour"]: (2, "priority")}
    assert counter(house).patient == clinic.patient


def test_a_stranger_gets_no_record_and_one_bit(house, clinic, people, station):
    assert station.touch(PERSON).result == "shown"
    answer = station.touch(STRANGER)
    assert (answer.result, answer.code) == ("nobody", "known_elsewhere")
    shown = counter(house)
    assert shown.patient is None
    assert notice(house)["dosed_today"] is False
    assert people["stranger"] not in shown.notice
    # Neither the capture nor the evidence names them; their own list of who looked does.
    assert all(c.patient != people["stranger"] for c in rows(house, models.capture))
    assert all(e.patient != people["stranger"] for e in rows(house, models.identity_evidence))
    looked = [a for a in rows(house, audit.record_access) if a.patient == people["stranger"]]
    assert [(a.site, a.page, a.why) for a in looked] == [("HUA1", "counter.touch", "dosed_today")]
    assert all(a.patient != people["stranger"] for a in rows(house, sites.arrival))


def test_a_stranger_who_was_dosed_at_home_today_is_said_to_be(house, clinic, people, station):
    bottle = make_bottle(house, "TPE1")
    nurse = make_account(house, "nurse", scope="TPE1")
    given = give(house, clinic, actor=nurse, patient_id=people["stranger"], site="TPE1", bottle=bottle)
    assert given.state == "promised", given
    station.touch(STRANGER)
    assert notice(house)["dosed_today"] is True  # promised and not known: the stricter reading
    end(house, nurse, Ending(given.dose_id, "not_given", disposition="returned"))
    station.touch(STRANGER)
    assert notice(house)["dosed_today"] is False


def test_a_home_patient_without_an_order_is_no_stranger(house, clinic, people, station):
    lapsed = make_patient(house)
    enrol(house, lapsed, NOBODY)
    assert station.touch(NOBODY).result == "shown"
    assert counter(house).patient == lapsed


def test_a_person_whose_order_names_the_site_is_known_there(house, clinic, people):
    guest = make_patient(house, "TPE1")
    make_prescription(house, guest, sites=("TPE1", "HUA1"))
    enrol(house, guest, NOBODY, site="TPE1")
    station = make_station(house, make_counter(house, number=2))
    assert station.touch(NOBODY).result == "shown"


def test_nobody_is_said_as_nobody(house, clinic, people, station):
    answer = station.touch(NOBODY)
    assert (answer.result, answer.code) == ("nobody", "not_recognised")
    assert notice(house)["code"] == "not_recognised"


def test_a_station_without_a_counter_shows_nobody(house, clinic, people):
    station = make_station(house, None)
    assert station.touch(PERSON).code == "no_counter"
    assert rows(house, models.identity_evidence) == []


# --- the same finger under two people ------------------------------------------------


def test_two_alike_prints_offer_faces_and_a_tap_needs_no_reason(house, clinic, people, station):
    """The same finger enrolled for two people: the print cannot decide, the face does."""
    enrol(house, people["neighbour"], PERSON, "left_thumb")
    answer = station.touch(PERSON)
    assert (answer.result, answer.code) == ("choose", "choose_face")
    assert set(notice(house)["candidates"]) == {clinic.patient, people["neighbour"]}
    assert counter(house).patient is None
    shown = at_counter.by_face(house, clinic.nurse, clinic.counter, clinic.patient)
    assert (shown.result, shown.patient, shown.arrival_number) == ("shown", clinic.patient, 1)
    assert rows(house, models.identity_evidence)[-1].reason == "offered_after_touch"


def test_a_face_offered_long_ago_is_no_tap_without_a_second_person(house, clock, clinic, people, station):
    enrol(house, people["neighbour"], PERSON, "left_thumb")
    assert station.touch(PERSON).result == "choose"
    clock.shift(timedelta(minutes=6))
    assert counter_page.pulse(house, clinic.nurse, clinic.counter).notice is None
    with pytest.raises(Refusal) as refused:
        at_counter.by_face(house, clinic.nurse, clinic.counter, clinic.patient)
    assert "witness" in refused.value.fields
    assert counter(house).patient is None
    assert station.touch(PERSON).result == "choose"
    clock.shift(timedelta(minutes=4))
    assert clinic.patient in counter_page.pulse(house, clinic.nurse, clinic.counter).notice["candidates"]
    assert at_counter.by_face(house, clinic.nurse, clinic.counter, clinic.patient).result == "shown"


def test_nobody_is_enrolled_before_everybody_can_be_compared(house, clinic, people):
    import base64

    from tests.touch import picture

    gallery = PrintGallery()
    gallery._warming = True  # as if the background load had only begun
    new = make_patient(house)
    image = base64.b64encode(picture(PERSON, 5)).decode()
    with pytest.raises(Refusal, match="gallery_loading"):
        fingerprints.enrol_finger(house, gallery, make_account(house, "registrar"), new, "right_index", 500, image)
    assert new not in {f.patient for f in rows(house, fingerprint)}
    gallery._warming = False
    kept = fingerprints.enrol_finger(house, gallery, make_account(house, "registrar"), new, "right_index", 500, image)
    assert [d.patient for d in kept.duplicates] == [clinic.patient]


def test_a_likeness_at_enrolment_is_shown_and_decides_nothing(house, clinic, people):
    import base64

    from tests.touch import picture

    gallery = PrintGallery()
    registrar = make_account(house, "registrar")
    new = make_patient(house)
    image = base64.b64encode(picture(PERSON, 5)).decode()
    kept = fingerprints.enrol_finger(house, gallery, registrar, new, "right_index", 500, image)
    assert [d.patient for d in kept.duplicates] == [clinic.patient]
    assert kept.impressions == 1
    image = base64.b64encode(picture(STRANGER, 5)).decode()
    kept = fingerprints.enrol_finger(house, gallery, registrar, new, "left_index", 500, image)
    assert [(d.patient, d.finger) for d in kept.duplicates] == [(None, None)]  # somebody, elsewhere


# --- while a dose is open -------------------------------------------------------------


@pytest.fixture
def poured(house, clinic, people, station):
    station.touch(PERSON)
    answer = give(house, clinic, counter=clinic.counter)
    assert answer.state == "promised", answer
    assert counter(house).dose == answer.dose_id
    return answer.dose_id


def test_the_same_finger_confirms_the_hand_over(house, clinic, people, station, poured):
    answer = station.touch(PERSON, impression=12)
    assert (answer.result, answer.code) == ("confirmed", None)
    evidence = rows(house, models.identity_evidence)
    hand_over = [e for e in evidence if e.purpose == "hand_over"]
    assert [(e.patient, e.dose, e.path) for e in hand_over] == [(clinic.patient, poured, "finger")]
    assert counter(house).dose == poured
    ended = end(house, clinic.nurse, Ending(poured, "swallowed"))
    assert "identity_not_confirmed_at_hand_over" not in ended.flags


@pytest.mark.parametrize(("finger", "named"), [(NEIGHBOUR, True), (STRANGER, False)])
def test_another_persons_finger_stops_and_never_changes_the_card(
    house, clinic, people, station, poured, finger, named
):
    before = counter(house)
    answer = station.touch(finger)
    assert (answer.result, answer.code) == ("stopped", "another_persons_finger")
    after = counter(house)
    assert (after.patient, after.dose, after.shown_at) == (before.patient, before.dose, before.shown_at)
    assert after.version == before.version + 1
    assert notice(house)["patient"] == (people["neighbour"] if named else None)
    assert people["stranger"] not in (after.notice or "")
    assert [e for e in rows(house, models.identity_evidence) if e.purpose == "hand_over"] == []
    assert {a.patient for a in rows(house, sites.arrival)} == {clinic.patient}


def test_an_unenrolled_finger_is_not_confirmed_and_no_accusation(house, clinic, people, station, poured):
    answer = station.touch(NOBODY)
    assert (answer.result, answer.code) == ("again", "finger_not_confirmed")
    assert counter(house).patient == clinic.patient


def test_after_the_outcome_the_counter_is_free_again(house, clinic, people, station, poured):
    station.touch(PERSON, impression=12)
    end(house, clinic.nurse, Ending(poured, "swallowed", counter=clinic.counter))
    assert counter(house).dose is None
    assert station.touch(NEIGHBOUR).result == "shown"


def test_a_dose_prepared_while_the_print_is_compared_is_noticed(house, clinic, people, station, monkeypatch):
    """The neighbour's finger is being compared as an arrival when the nurse prepares the patient's dose."""
    from ost.services import recognise

    station.touch(PERSON)
    real, given = recognise.recognise, []

    def slow(*args, **kwargs):
        found = real(*args, **kwargs)
        if not given:
            given.append(give(house, clinic, counter=clinic.counter))
        return found

    monkeypatch.setattr(recognise, "recognise", slow)
    answer = station.touch(NEIGHBOUR)
    assert given[0].state == "promised"
    assert (answer.result, answer.code) == ("stopped", "another_persons_finger")
    assert counter(house).patient == clinic.patient


# --- card, number, face: what each of them asks is in test_identity_ways.py ---------------


@pytest.fixture
def card(house, clinic):
    return give_card(house, clinic.patient)


def give_card(house, person):
    from ost.models.patient import patient

    code = new_card()
    with house.db.begin() as tx:
        mac = house.keys.search_mac("card", code)
        tx.execute(sa.update(patient).where(patient.c.id == person).values(card_mac=mac))
    return code


def calls(house, clinic, card, counter=None, pin=PATIENT_PIN):
    """A card and its PIN."""
    counter = counter or clinic.counter
    assert at_counter.by_card(house, clinic.nurse, counter, card).result == "pin"
    return give_pin(house, clinic.nurse, counter, pin)


def test_a_card_is_as_good_as_a_touch(house, clinic, people, card):
    shown = calls(house, clinic, f" {card}\n")
    assert (shown.result, shown.patient, shown.arrival_number) == ("shown", clinic.patient, 1)
    evidence = rows(house, models.identity_evidence)[0]
    assert (evidence.path, evidence.purpose, evidence.account) == ("card", "arrival", clinic.nurse.id)
    assert evidence.reason is None
    written = repr(rows(house, audit.audit_event))
    assert card not in written and PATIENT_PIN not in said_by_rows(written)


def test_the_right_card_confirms_and_another_stops(house, clinic, people, station, poured, card):
    shown = at_counter.confirm_by_card(house, clinic.nurse, clinic.counter, poured, card)
    assert (shown.result, shown.patient) == ("confirmed", clinic.patient)
    other = give_card(house, people["neighbour"])
    shown = at_counter.confirm_by_card(house, clinic.nurse, clinic.counter, poured, other)
    assert (shown.result, shown.code, shown.patient) == ("stopped", "another_persons_card", None)
    assert (counter(house).patient, counter(house).dose) == (clinic.patient, poured)
    shown = at_counter.confirm_by_face(house, clinic.nurse, clinic.counter, poured, "reader_fault")
    assert shown.result == "confirmed"
    with pytest.raises(Refusal, match="counter_holds_other_dose"):
        at_counter.confirm_by_face(house, clinic.nurse, clinic.counter, "another", "reader_fault")


def test_who_may_not_identify_is_refused(house, clinic, people, card):
    for actor in (make_account(house, "auditor"), make_account(house, "nurse", scope="TPE1")):
        with pytest.raises(Refusal, match="not_permitted"):
            at_counter.by_card(house, actor, clinic.counter, card)
    assert rows(house, models.identity_evidence) == []


def test_a_card_that_is_set_aside_leaves_the_counter_free(house, clinic, people, station):
    station.touch(PERSON)
    at_counter.close_card(house, clinic.nurse, clinic.counter)
    assert counter(house).patient is None
    station.touch(PERSON)
    assert dose_request(clinic).patient_id == clinic.patient
    assert give(house, clinic, counter=clinic.counter).state == "promised"
    with pytest.raises(Refusal, match="counter_holds_other_dose"):
        at_counter.close_card(house, clinic.nurse, clinic.counter)


def test_tomorrow_the_order_of_arrival_starts_anew(house, clinic, people, station, clock):
    station.touch(NEIGHBOUR)
    station.touch(PERSON)
    clock.shift(timedelta(days=1))
    station.touch(PERSON)
    assert sorted((str(a.day), a.number) for a in rows(house, sites.arrival)) == [
        ("2026-03-10", 1),
        ("2026-03-10", 2),
        ("2026-03-11", 1),
    ]


def test_eight_counters_give_eight_numbers(house, clinic, people):
    """Eight people with their cards at eight counters at once: eight places in the day, none twice, none left out."""
    import threading

    crowd = [make_patient(house) for _ in range(8)]
    for person in crowd:
        make_prescription(house, person)
    cards = {person: give_card(house, person) for person in crowd}
    counters = [clinic.counter, *(make_counter(house, number=n) for n in range(2, 9))]
    start, failed = threading.Barrier(8), []

    def step_up(n, person):
        start.wait()
        try:
            calls(house, clinic, cards[person], counters[n])
        except Exception as error:  # noqa: BLE001 - told to the test below
            failed.append(error)

    threads = [threading.Thread(target=step_up, args=at) for at in enumerate(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(a.number for a in rows(house, sites.arrival)) == list(range(1, 9))


@pytest.mark.parametrize("way", ["touch", "card"])
def test_a_dose_with_an_outcome_holds_no_counter(house, clinic, people, station, poured, card, way):
    """Should a counter still name a dose that has its outcome: the next person is served."""
    end(house, clinic.nurse, Ending(poured, "swallowed"))
    with house.db.begin() as tx:
        tx.execute(sa.update(sites.counter).values(dose=poured, patient=clinic.patient))
    if way == "touch":
        assert station.touch(NEIGHBOUR).result == "shown"
        assert counter(house).patient == people["neighbour"]
    else:
        assert calls(house, clinic, card).result == "shown"
        assert counter(house).patient == clinic.patient
    assert counter(house).dose is None


def test_a_finger_kept_under_two_people_confirms_neither(house, clinic, people, station):
    """The next in the queue touched first while somebody was enrolled: their finger lies in both records."""
    promised = give(house, clinic, counter=clinic.counter)
    assert station.touch(PERSON).result == "confirmed"
    enrol(house, clinic.patient, NEIGHBOUR, "left_thumb", impressions=1)
    answer = station.touch(NEIGHBOUR)
    assert answer.result in ("again", "stopped")
    assert station.touch(PERSON).result == "confirmed"  # their own finger is nobody else's
    face = at_counter.confirm_by_face(house, clinic.nurse, clinic.counter, promised.dose_id, "reader_fault")
    assert face.result == "confirmed"
