"""Possible duplicates: who is told, who decides, and that one person's second record can dose by no path."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.fingerprints.gallery import Candidate
from ost import clock
from ost.errors import Refusal
from ost.models import audit
from ost.models.lookup import duplicate_case, duplicate_decision
from ost.models.patient import fingerprint, patient, person_key
from ost.models.prescription import hold, hold_release
from ost.models.site import counter as counters
from ost.services import amend, duplicate_cases, duplicate_decide, fingerprints, holds
from ost.services import identify_at_counter as at_counter
from ost.services.decision import preview
from ost.services.gallery import PrintGallery
from ost.services.outcome import Ending, end
from ost.services.queue import queue
from ost.services.verify import verify
from ost.services.work import Actor
from tests.make import (
    dose_request,
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_patient,
    make_prescription,
    make_site,
)
from tests.services.test_captures import rows
from tests.touch import enrol, make_station, picture

FINGER = 101
WHY = "faces_and_papers"


@pytest.fixture
def clinic(house):
    return make_clinic(house)


@pytest.fixture
def twice(house, clinic):
    """The clinic's patient, registered a second time at TPE1, with an order and a bottle there."""
    make_site(house, "TPE1", "TPE")
    again = make_patient(house, "TPE1", name="陳大明")
    make_prescription(house, again, sites=("TPE1", "HUA1"))
    return again


@pytest.fixture
def reviewer(house, clinic):
    return make_account(house, "duplicate_reviewer", scope="*", scope_kind="network")


def found_alike(house, a, b, score=0.2, synthetic=False):
    """What the comparison at an enrolment of `a` leaves."""
    with house.work(Actor("test"), "HUA1", "test.alike") as work:
        kept = duplicate_cases.keep(work, "HUA1", a, "right_index", [Candidate(b, "left_thumb", score)], synthetic)
        work.payload = {"alike": len(kept)}
    return kept


def case_of(house):
    [only] = rows(house, duplicate_case)
    return only.id


def same(house, reviewer, case, kept, reason=WHY):
    duplicate_decide.decide(house, reviewer, case, "same_person", kept=kept, reason=reason)


def active(house, person):
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.active).where(patient.c.id == person)).scalar_one()


def open_holds(house):
    released = {r.hold for r in rows(house, hold_release)}
    return {(h.patient, h.reason_code) for h in rows(house, hold) if h.id not in released}


# --- a likeness becomes a case ----------------------------------------------------------


def test_an_enrolment_anywhere_opens_one_case_and_shows_nobody_of_elsewhere(house, clinic, twice):
    gallery = PrintGallery()
    enrol(house, clinic.patient, FINGER)
    registrar = make_account(house, "registrar", scope="TPE1")
    import base64

    for impression in (3, 4):
        image = base64.b64encode(picture(FINGER, impression)).decode()
        done = fingerprints.enrol_finger(
            house, gallery, registrar, twice, "left_index", 500, image, synthetic=True
        )
        assert [(d.patient, d.finger) for d in done.duplicates] == [(None, None)]
    [case] = rows(house, duplicate_case)
    assert (case.patient, case.other, case.finger, case.other_finger, case.site) == (
        twice, clinic.patient, "left_index", "right_index", "TPE1",
    )  # fmt: skip
    assert case.score_e4 >= 1000
    assert rows(house, duplicate_decision) == []  # nothing follows from a score
    assert active(house, twice)
    assert active(house, clinic.patient)
    assert verify(house).problems == []


def test_a_pair_is_one_case_whichever_side_is_enrolled(house, clinic, twice):
    assert len(found_alike(house, clinic.patient, twice)) == 1
    assert len(found_alike(house, twice, clinic.patient)) == 1
    assert len(rows(house, duplicate_case)) == 1


def test_below_its_point_no_case_and_practice_prints_have_a_point_of_their_own(house, clinic, twice):
    assert found_alike(house, clinic.patient, twice, 0.039) == ()
    assert found_alike(house, clinic.patient, twice, 0.06, synthetic=True) == ()
    assert rows(house, duplicate_case) == []
    assert len(found_alike(house, clinic.patient, twice, 0.04)) == 1


def test_two_persons_are_not_asked_about_again(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    duplicate_decide.decide(house, reviewer, case_of(house), "two_persons", reason="related_people")
    assert found_alike(house, twice, clinic.patient) == ()


# --- who may ------------------------------------------------------------------------------


def test_only_who_reaches_both_homes_sees_and_decides(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    one_home = make_account(house, "registrar")
    nurse = clinic.nurse
    for actor in (one_home, nurse, make_account(house, "registrar", scope="TPE1")):
        assert duplicate_cases.cases(house, actor) == []
        for ask in (
            lambda actor=actor: duplicate_cases.open_case(house, actor, case),
            lambda actor=actor: duplicate_cases.face(house, actor, case, 0),
            lambda actor=actor: same(house, actor, case, clinic.patient),
        ):
            with pytest.raises(Refusal, match="duplicate_unknown"):
                ask()
    both = Actor(one_home.id, (*one_home.grants, *make_account(house, "registrar", scope="TPE1").grants))
    assert [c.id for c in duplicate_cases.cases(house, both)] == [case]
    assert [c.id for c in duplicate_cases.cases(house, reviewer)] == [case]
    assert all(s.name is None for s in duplicate_cases.cases(house, reviewer)[0].sides)


def test_both_people_can_read_that_somebody_looked(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    found = duplicate_cases.open_case(house, reviewer, case_of(house))
    assert {s.name for s in found.sides} == {"陳大明"}
    looks = [(a.patient, a.account, a.why) for a in rows(house, audit.record_access)]
    assert sorted(looks) == sorted(
        (person, reviewer.id, "duplicate_review") for person in (clinic.patient, twice)
    )


def test_a_decision_needs_a_reason_and_a_record_that_stays_exactly_for_one_person(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    wrong = [
        ("same_person", None, WHY, "kept"),
        ("same_person", make_patient(house), WHY, "kept"),
        ("two_persons", twice, WHY, "kept"),
        ("two_persons", None, None, "reason"),
        ("two_persons", None, "because", "reason"),
        ("merge", None, WHY, "decision"),
    ]
    for decision, kept, reason, field in wrong:
        with pytest.raises(Refusal) as refused:
            duplicate_decide.decide(house, reviewer, case, decision, kept=kept, reason=reason)
        assert set(refused.value.fields) == {field}
    assert rows(house, duplicate_decision) == []


# --- one person, one dose -----------------------------------------------------------------


def test_the_closed_record_doses_by_no_path(house, clinic, twice, reviewer):
    enrol(house, twice, FINGER, "left_index", site="TPE1")
    station = make_station(house, clinic.counter)
    assert station.touch(FINGER).result == "shown"  # expected here by its order
    found_alike(house, clinic.patient, twice)
    before = dose_request(clinic, patient_id=twice)
    assert preview(house, clinic.nurse, twice, "HUA1", slot=1, bottle=clinic.bottle).verdict == "give"
    same(house, reviewer, case_of(house), clinic.patient)
    assert not active(house, twice)
    # The card that stood at the counter, at both sites, prepared before the decision or after.
    from ost.services.promise import promise

    answer = promise(house, clinic.nurse, before)
    assert "patient_not_active" in {r["code"] for r in answer.reasons}
    bottle, nurse = make_bottle(house, "TPE1"), make_account(house, "nurse", scope="TPE1")
    refused = give(house, clinic, actor=nurse, patient_id=twice, site="TPE1", bottle=bottle)
    assert refused.state == "refused"
    # Nobody finds it: touch, card, face in the list, today's list.
    touched = station.touch(FINGER)
    assert touched.result == "nobody"
    with house.read() as tx:
        number = tx.execute(sa.select(patient.c.number).where(patient.c.id == twice)).scalar_one()
    for ask in (
        lambda: at_counter.by_number(house, clinic.nurse, clinic.counter, number, "finger_injured"),
        lambda: at_counter.by_face(house, clinic.nurse, clinic.counter, twice, "finger_injured"),
    ):
        with suppress(Refusal):
            assert ask().patient is None
    assert twice not in {r.due.patient for r in queue(house, clinic.nurse, "HUA1").rows}
    # A hold lifted by a prescriber does not open it either.
    prescriber = make_account(house, "prescriber", scope="TPE1")
    [placed] = [h for h in holds.of_patient(house, prescriber, twice) if h.released_at is None]
    assert placed.reason_code == "one_person_two_records"
    holds.release(house, prescriber, placed.id, "looked")
    assert give(house, clinic, patient_id=twice).state == "refused"
    # The one that stays is as before.
    assert give(house, clinic).state == "promised"
    assert verify(house).problems == []


def test_where_the_closed_one_was_dosed_today_the_other_is_not(house, clinic, twice, reviewer):
    given = give(house, clinic, patient_id=twice)
    end(house, clinic.nurse, Ending(given.dose_id, "swallowed"))
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house), clinic.patient)
    assert open_holds(house) == {
        (twice, "one_person_two_records"),
        (clinic.patient, "other_record_dosed_today"),
    }
    refused = give(house, clinic)
    assert refused.state == "refused"
    assert "on_hold" in {r["code"] for r in refused.reasons}
    # A prescriber has to have looked, tomorrow too.
    tomorrow = replace(house, now=lambda: clock.now() + timedelta(days=1), memo={})
    assert give(tomorrow, clinic).state == "refused"


def test_a_replacement_ordered_for_the_closed_record_is_not_given(house, clinic, twice, reviewer):
    given = give(house, clinic, patient_id=twice)
    end(house, clinic.nurse, Ending(given.dose_id, "spat_out", disposition="residue"))
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house), clinic.patient)
    prescriber = make_account(house, "prescriber", "nurse", scope="*", scope_kind="network")
    with suppress(Refusal):  # refused earlier still would be as good
        amend.order_replacement(house, prescriber, given.dose_id, reason="spat out")
    assert give(house, clinic, patient_id=twice).state == "refused"


def test_a_dose_without_outcome_on_either_side_comes_first(house, clinic, twice, reviewer):
    given = give(house, clinic, patient_id=twice)
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    for kept in (clinic.patient, twice):
        with pytest.raises(Refusal, match="duplicate_open_dose"):
            same(house, reviewer, case, kept)
    assert rows(house, duplicate_decision) == []
    assert active(house, twice)
    end(house, clinic.nurse, Ending(given.dose_id, "not_given", disposition="returned"))
    same(house, reviewer, case, clinic.patient)
    assert open_holds(house) == {(twice, "one_person_two_records")}  # nothing was taken


# --- and back --------------------------------------------------------------------------------


def test_a_later_decision_brings_everything_back(house, clinic, twice, reviewer):
    enrol(house, twice, FINGER, "left_index", site="TPE1")
    enrol(house, twice, 102, "right_thumb", impressions=1, site="TPE1")
    gallery = PrintGallery()
    home = make_account(house, "registrar", scope="TPE1")
    fingerprints.withdraw(house, gallery, home, twice, "right_thumb")  # withdrawn by hand, long before
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    same(house, reviewer, case, clinic.patient)
    same(house, reviewer, case, clinic.patient)  # a second click
    assert len(rows(house, duplicate_decision)) == 1
    gallery.refresh(house)
    assert len(gallery) == 0
    duplicate_decide.decide(house, reviewer, case, "two_persons", reason="papers")
    assert active(house, twice)
    assert open_holds(house) == set()
    gallery.refresh(house)
    assert len(gallery) == 2  # the two of the left index; the thumb stays withdrawn
    standing = {f.finger for f in rows(house, fingerprint) if f.withdrawn_at is None}
    assert standing == {"left_index"}
    assert make_station(house, clinic.counter).touch(FINGER).result == "shown"
    assert give(house, clinic, patient_id=twice).state == "promised"
    assert [d.decision for d in duplicate_cases.open_case(house, reviewer, case).decisions] == [
        "two_persons",
        "same_person",
    ]
    assert verify(house).problems == []


def test_changing_which_one_stays_never_leaves_both_open(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    same(house, reviewer, case, clinic.patient)
    same(house, reviewer, case, twice)
    assert (active(house, twice), active(house, clinic.patient)) == (True, False)
    assert open_holds(house) == {(clinic.patient, "one_person_two_records")}
    assert give(house, clinic).state == "refused"
    assert give(house, clinic, patient_id=twice).state == "promised"


def test_cannot_tell_opens_the_record_and_leaves_the_hold_to_a_prescriber(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    same(house, reviewer, case, clinic.patient)
    duplicate_decide.decide(house, reviewer, case, "cannot_tell", reason="not_enough_seen")
    assert active(house, twice)
    assert open_holds(house) == {(twice, "one_person_two_records")}
    assert give(house, clinic, patient_id=twice).state == "refused"


def test_a_forgotten_or_otherwise_closed_record_is_not_decided_into_life(house, clinic, twice, reviewer):
    found_alike(house, clinic.patient, twice)
    case = case_of(house)
    same(house, reviewer, case, clinic.patient)
    third = make_patient(house)
    found_alike(house, third, twice)
    [other] = [c.id for c in rows(house, duplicate_case) if c.id != case]
    with pytest.raises(Refusal, match="duplicate_closed_otherwise"):
        same(house, reviewer, other, twice)
    with house.db.begin() as tx:
        tx.execute(sa.update(person_key).where(person_key.c.person == twice).values(wrapped=None))
    with pytest.raises(Refusal, match="duplicate_closed_otherwise"):
        duplicate_decide.decide(house, reviewer, case, "two_persons", reason=WHY)
    assert not active(house, twice)
    assert active(house, third)
    shown = duplicate_cases.open_case(house, reviewer, case)
    assert [s.forgotten for s in shown.sides] == [False, True]


def test_a_touch_that_is_prepared_while_the_decision_is_made_gives_one_answer(house, clinic, twice, reviewer):
    """The card stands at the counter when its record is closed: the counter's row still says who, the dose is refused."""
    with house.db.begin() as tx:
        tx.execute(sa.update(counters).where(counters.c.id == clinic.counter).values(patient=twice))
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house), clinic.patient)
    assert give(house, clinic, patient_id=twice, counter=clinic.counter).state == "refused"
