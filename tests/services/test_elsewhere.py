"""A stranger at the counter: one bit, what a consent opens, and what an emergency look opens, to whom and for how long."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import clock
from ost.bench.makers import TZ
from ost.errors import Refusal
from ost.models import audit, patient
from ost.models import site as sites
from ost.models.lookup import consent, consent_end, emergency_access
from ost.models.patient import person_key
from ost.models.prescription import hold
from ost.services import consents, elsewhere, lookups, patient_read
from ost.services import identify_at_counter as at_counter
from ost.services.outcome import Ending, end
from ost.services.touched import UNKNOWN_PERSON
from ost.services.verify import verify
from ost.services.work import new_id
from tests.make import (
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

STRANGER = 103
WHY = "suspected_overdose"


@pytest.fixture
def clinic(house):
    return make_clinic(house, came_yesterday=False)


@pytest.fixture
def stranger(house, clinic):
    """Somebody of another county, dosed there today, with a clinical and an administrative hold."""
    make_site(house, "TPE1", "TPE", phone="02-111-1111")
    person = make_patient(house, "TPE1", name="王阿明")
    make_prescription(house, person, sites=("TPE1",))
    return person


def dosed_at_home(house, clinic, person):
    nurse, bottle = make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")
    given = give(house, clinic, actor=nurse, patient_id=person, site="TPE1", bottle=bottle)
    end(house, nurse, Ending(given.dose_id, "swallowed"))


def shows_up(house, clinic, person, page="counter.touch", counter_id=None):
    """What a touch of theirs leaves at the counter (the touch itself is in test_identity_at_counter)."""
    from ost import canonical
    from ost.services.stranger import tell_about

    counter_id = counter_id or clinic.counter
    with house.work(clinic.nurse, clinic.site, "test.touch") as work:
        work.lock_patients([person])
        told = tell_about(work, person, page)
        c = sites.counter
        said = {"code": "known_elsewhere", "at": work.now, "dosed_today": told.dosed_today, "line": told.line}
        work.tx.execute(
            sa.update(c)
            .where(c.c.id == counter_id)
            .values(notice=canonical.text(said), patient=None, version=c.c.version + 1)
        )
    return told.line


def look(house, clinic, **values):
    return elsewhere.at_counter(house, values.get("actor", clinic.nurse), values.get("counter", clinic.counter))


def later(house, **by):
    return replace(house, now=lambda: clock.now() + timedelta(**by), memo={})


def agree(house, person, days=30):
    registrar = make_account(house, "registrar", scope="TPE1")
    until = clock.dosing_day(house.now(), TZ) + timedelta(days=days)
    return registrar, consents.give(house, registrar, person, consents.FOUND_ELSEWHERE, until)


def looks_at(house, person):
    return [(a.account, a.page, a.why) for a in rows(house, audit.record_access) if a.patient == person]


# --- without consent, without emergency -------------------------------------------------


def test_a_real_touch_leaves_a_line_that_names_the_question_and_not_the_person(house, clinic, stranger):
    enrol(house, stranger, STRANGER, site="TPE1")
    assert make_station(house, clinic.counter).touch(STRANGER).code == "known_elsewhere"
    left = counter(house).notice
    assert stranger not in left
    found = look(house, clinic)
    assert (found.line, found.dosed_today, found.shown) == (json.loads(left)["line"], False, None)
    elsewhere.open_emergency(house, clinic.nurse, clinic.counter, found.line, WHY)
    assert look(house, clinic).shown.name == "王阿明"
    [opened] = rows(house, emergency_access)
    assert opened.capture == json.loads(left)["capture"]


def test_a_stranger_is_one_bit_and_no_picture(house, clinic, stranger):
    dosed_at_home(house, clinic, stranger)
    shows_up(house, clinic, stranger)
    found = look(house, clinic)
    assert (found.dosed_today, found.shown) == (True, None)
    with pytest.raises(Refusal, match="face_missing"):
        elsewhere.face(house, clinic.nurse, clinic.counter)
    with pytest.raises(Refusal, match="patient_unknown"):
        patient_read.read(house, clinic.nurse, stranger, page="test")


def test_an_empty_counter_and_another_notice_show_nothing(house, clinic):
    assert look(house, clinic) is None
    with house.db.begin() as tx:
        tx.execute(sa.update(sites.counter).values(notice=json.dumps({"code": "not_recognised", "line": "x"})))
    assert look(house, clinic) is None


# --- consent ------------------------------------------------------------------------------


def test_a_consent_opens_the_little_a_nurse_needs_to_call(house, clinic, stranger):
    dosed_at_home(house, clinic, stranger)
    prescriber = make_account(house, "prescriber", scope="TPE1")
    from ost.services import holds

    today = clock.dosing_day(house.now(), TZ)
    holds.place(
        house, prescriber, stranger, site_id="TPE1", kind="clinical", reason_code="medical_review",
        come_back_on=today + timedelta(days=1),
    )  # fmt: skip
    holds.place(house, prescriber, stranger, site_id="TPE1", kind="administrative", reason_code="fee_unpaid")
    agree(house, stranger)
    shows_up(house, clinic, stranger)
    shown = look(house, clinic).shown
    assert (shown.way, shown.home_site, shown.home_phone) == ("consent", "TPE1", "02-111-1111")
    assert (shown.last_on, shown.last_ug, shown.medicine) == (today, 60_000, "methadone")
    assert shown.holds == ("medical_review",)  # an unpaid fee does not travel
    assert (shown.born, shown.sex, shown.ordered_ug) == (None, None, None)
    for _again in range(3):
        look(house, clinic)
    assert looks_at(house, stranger).count((clinic.nurse.id, "counter.consent", "found_elsewhere")) == 1
    second = clinic.second
    look(house, clinic, actor=second)
    assert (second.id, "counter.consent", "found_elsewhere") in looks_at(house, stranger)
    assert verify(house).problems == []


def test_a_consent_taken_back_closes_at_the_next_request_of_anybody(house, clinic, stranger):
    registrar, given = agree(house, stranger)
    shows_up(house, clinic, stranger)
    assert look(house, clinic).shown is not None
    consents.end(house, registrar, given)
    assert look(house, clinic).shown is None
    consents.end(house, registrar, given)  # again: nothing happens
    assert len(rows(house, consent_end)) == 1
    assert [c.stands for c in consents.of_patient(house, registrar, stranger)] == [False]


def test_a_consent_ends_with_its_last_day(house, clinic, stranger):
    agree(house, stranger, days=1)
    shows_up(house, clinic, stranger)
    assert look(later(house, days=1), clinic).shown is not None
    assert look(later(house, days=2), clinic).shown is None


def test_a_typed_number_opens_no_consented_card(house, clinic, stranger):
    """A number can be typed with nobody there: who has consented cannot be found by trying numbers."""
    agree(house, stranger)
    shows_up(house, clinic, stranger, page="counter.number_face")
    assert look(house, clinic).shown is None


def test_only_the_home_site_records_a_consent_and_only_a_possible_one(house, clinic, stranger):
    until = clock.dosing_day(house.now(), TZ) + timedelta(days=5)
    with pytest.raises(Refusal, match="not_permitted"):
        consents.give(house, clinic.nurse, stranger, consents.FOUND_ELSEWHERE, until)
    registrar, given = agree(house, stranger)
    with pytest.raises(Refusal, match="consent_given_already"):
        consents.give(house, registrar, stranger, consents.FOUND_ELSEWHERE, until)
    with pytest.raises(Refusal, match="not_permitted"):
        consents.end(house, clinic.nurse, given)
    for wrong in (None, until - timedelta(days=6), until + timedelta(days=400)):
        with pytest.raises(Refusal) as refused:
            consents.give(house, registrar, stranger, consents.FOUND_ELSEWHERE, wrong)
        assert refused.value.fields == {"until": ["consent_day_wrong"]}
    with pytest.raises(Refusal, match="consent_unknown"):
        consents.end(house, registrar, new_id())
    assert len(rows(house, consent)) == 1


# --- emergency ------------------------------------------------------------------------------


def test_an_emergency_look_opens_for_its_account_and_its_minutes_only(house, clinic, stranger):
    line = shows_up(house, clinic, stranger)
    until = elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, WHY)
    shown = look(house, clinic).shown
    assert (shown.way, shown.name, shown.sex, shown.ordered_ug) == ("emergency", "王阿明", "male", 60_000)
    assert shown.born.isoformat() == "1979-05-03"
    assert look(house, clinic, actor=clinic.second).shown is None
    assert look(later(house, minutes=14), clinic).shown is not None
    assert look(later(house, minutes=16), clinic).shown is None
    [opened] = rows(house, emergency_access)
    assert (opened.id, opened.patient, opened.account, opened.reason) == (line, stranger, clinic.nurse.id, WHY)
    assert (opened.site, opened.counter, opened.until) == ("HUA1", clinic.counter, until)
    assert (clinic.nurse.id, "counter.emergency", WHY) in looks_at(house, stranger)
    # It opens a card and nothing else.
    for read in (patient_read.read, patient_read.readable):
        with pytest.raises(Refusal, match="patient_unknown"):
            read(house, clinic.nurse, stranger, **({"page": "x"} if read is patient_read.read else {"permission": "patient.read"}))
    refused = give(house, clinic, patient_id=stranger)
    assert refused.state == "refused"
    assert verify(house).problems == []


def test_the_same_form_again_is_the_same_look(house, clinic, stranger):
    line = shows_up(house, clinic, stranger)
    first = elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, WHY)
    assert elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, WHY) == first
    assert len(rows(house, emergency_access)) == 1
    with pytest.raises(Refusal, match="stranger_left"):
        elsewhere.open_emergency(house, clinic.second, clinic.counter, line, WHY)
    with pytest.raises(Refusal, match="stranger_left"):
        elsewhere.open_emergency(later(house, minutes=16), clinic.nurse, clinic.counter, line, WHY)


def test_nobody_is_looked_up_who_does_not_stand_at_this_counter_now(house, clinic, stranger):
    old = shows_up(house, clinic, stranger)
    new = shows_up(house, clinic, stranger)
    other = make_counter(house, number=2)
    attempts = [
        (clinic.counter, old),  # a second tab with the one before
        (other, new),  # a colleague's counter
        (clinic.counter, stranger),  # a person's id
        (clinic.counter, ""),
        (clinic.counter, new_id()),
    ]
    for counter_id, line in attempts:
        with pytest.raises(Refusal, match="stranger_left"):
            elsewhere.open_emergency(house, clinic.nurse, counter_id, line, WHY)
    with pytest.raises(Refusal, match="stranger_left"):
        elsewhere.open_emergency(later(house, minutes=6), clinic.nurse, clinic.counter, new, WHY)
    at_counter.close_card(house, clinic.nurse, clinic.counter)  # the next person
    with pytest.raises(Refusal, match="stranger_left"):
        elsewhere.open_emergency(house, clinic.nurse, clinic.counter, new, WHY)
    with pytest.raises(Refusal, match="counter_unknown"):
        elsewhere.open_emergency(house, clinic.nurse, "XXX9-9", new, WHY)
    assert rows(house, emergency_access) == []
    assert all(page == "counter.touch" for _who, page, _why in looks_at(house, stranger))


def test_a_line_of_another_kind_opens_nothing(house, clinic, stranger):
    """Every reading has a line; only the one a touch, card or number left counts."""
    registrar = make_account(house, "registrar", scope="TPE1")
    patient_read.read(house, registrar, stranger, page="patients.page")
    [line] = [a.id for a in rows(house, audit.record_access) if a.page == "patients.page"]
    with house.db.begin() as tx:
        said = json.dumps({"code": "known_elsewhere", "line": line})
        tx.execute(sa.update(sites.counter).where(sites.counter.c.id == clinic.counter).values(notice=said))
    assert look(house, clinic) is None
    with pytest.raises(Refusal, match="stranger_left"):
        elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, WHY)


def test_without_a_coded_reason_or_the_right_nothing_opens(house, clinic, stranger):
    line = shows_up(house, clinic, stranger)
    for reason in ("", "curious"):
        with pytest.raises(Refusal) as refused:
            elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, reason)
        assert refused.value.fields == {"reason": ["reason_needed"]}
    pharmacist = make_account(house, "pharmacist")
    elsewhere_nurse = make_account(house, "nurse", scope="TPE1")
    registrar = make_account(house, "registrar")
    for actor in (pharmacist, elsewhere_nurse, registrar):
        with pytest.raises(Refusal, match="not_permitted"):
            elsewhere.open_emergency(house, actor, clinic.counter, line, WHY)
    with pytest.raises(Refusal, match="not_permitted"):
        look(house, clinic, actor=elsewhere_nurse)
    assert rows(house, emergency_access) == []


def test_a_person_forgotten_meanwhile_is_nobody(house, clinic, stranger):
    agree(house, stranger)
    line = shows_up(house, clinic, stranger)
    elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, WHY)
    assert look(house, clinic).shown is not None
    with house.db.begin() as tx:
        tx.execute(sa.update(person_key).where(person_key.c.person == stranger).values(wrapped=None))
        tx.execute(sa.update(patient.patient).where(patient.patient.c.id == stranger).values(active=False))
    assert look(house, clinic).shown is None
    again = shows_up(house, clinic, stranger)
    with pytest.raises(Refusal, match="stranger_left"):
        elsewhere.open_emergency(house, clinic.nurse, clinic.counter, again, WHY)


def test_the_home_site_sees_each_look_and_who_looks_too_often(house, clinic, stranger):
    people = [stranger, *(make_patient(house, "TPE1") for _ in range(3))]
    for person in people:
        line = shows_up(house, clinic, person, page="counter.card")
        elsewhere.open_emergency(house, clinic.nurse, clinic.counter, line, WHY)
    line = shows_up(house, clinic, stranger)
    elsewhere.open_emergency(house, clinic.second, clinic.counter, line, WHY)
    home = make_account(house, "case_manager", scope="TPE1")
    seen = lookups.of_site(house, home, "TPE1")
    assert len(seen) == 5
    assert {(s.how, s.often) for s in seen} == {("card", 4), ("touch", None)}
    assert [(s.site, s.how, s.often) for s in lookups.of_patient(house, home, stranger)] == [
        ("HUA1", "touch", None),
        ("HUA1", "card", 4),
    ]
    with pytest.raises(Refusal, match="not_permitted"):
        lookups.of_site(house, clinic.nurse, "TPE1")
    with pytest.raises(Refusal, match="patient_unknown"):
        lookups.of_patient(house, clinic.nurse, stranger)
    assert lookups.of_site(house, clinic.nurse, "HUA1") == []


def test_a_document_shown_elsewhere_can_be_asked_about(house, clinic, stranger):
    with house.read() as tx:
        number = tx.execute(
            sa.select(patient.patient.c.number).where(patient.patient.c.id == stranger)
        ).scalar_one()
    shown = at_counter.by_document(
        house, clinic.nurse, clinic.counter, number, "national_id_card", "1979-05-03", "finger_injured"
    )
    assert (shown.result, shown.code) == (UNKNOWN_PERSON, "known_elsewhere")
    found = look(house, clinic)
    assert found.shown is None
    elsewhere.open_emergency(house, clinic.nurse, clinic.counter, found.line, WHY)
    assert look(house, clinic).shown.number == number
    assert rows(house, hold) == []
