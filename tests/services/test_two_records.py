"""One person found to have two records: what the one that stays takes over, so that nothing is given twice by way of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ost import clock
from ost.models.lookup import duplicate_case
from ost.models.patient import fingerprint
from ost.models.prescription import hold
from ost.services import amend, duplicate_decide, enrol_at_reader, fingerprints, holds
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from tests.make import (
    give,
    make_account,
    make_clinic,
    make_patient,
    make_prescription,
    make_site,
)
from tests.services.test_captures import rows
from tests.services.test_duplicates import found_alike, open_holds, same
from tests.touch import make_station

FINGER = 101


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


@pytest.fixture
def twice(house, clinic):
    make_site(house, "TPE1", "TPE")
    again = make_patient(house, "TPE1", name="陳大明")
    make_prescription(house, again, sites=("TPE1", "HUA1"))
    return again


@pytest.fixture
def reviewer(house, clinic):
    return make_account(house, "duplicate_reviewer", scope="*", scope_kind="network")


def case_of(house, *people):
    return next(c.id for c in rows(house, duplicate_case) if {c.patient, c.other} == set(people))


def swallowed(house, clinic, person):
    given = give(house, clinic, patient_id=person)
    assert given.state == "promised", given
    end(house, clinic.nurse, Ending(given.dose_id, "swallowed"))


def test_a_dose_of_today_goes_along_through_every_record(house, clinic, twice, reviewer):
    """Three records: the first was dosed today, the second takes its place, the third the second's."""
    third = make_patient(house)
    make_prescription(house, third, elsewhere_on=clock.now().date() - timedelta(days=1))
    swallowed(house, clinic, clinic.patient)
    found_alike(house, clinic.patient, twice)
    found_alike(house, twice, third)
    same(house, reviewer, case_of(house, clinic.patient, twice), twice)
    same(house, reviewer, case_of(house, twice, third), third)
    assert give(house, clinic, patient_id=third).state == "refused"
    assert third in {person for person, _ in open_holds(house)}
    assert verify(house).passed


def test_a_dose_of_late_yesterday_holds_the_other_record_early_today(house, clinic, twice, reviewer, clock):
    clock.shift(timedelta(hours=15, minutes=40))  # 23:50 in Taipei
    swallowed(house, clinic, twice)
    clock.shift(timedelta(minutes=20))
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house, clinic.patient, twice), clinic.patient)
    assert (clinic.patient, "other_record_dosed_today") in open_holds(house)
    assert give(house, clinic).state == "refused"


def test_half_a_dose_whose_replacement_was_ordered_is_no_free_slot_of_the_other_record(
    house, clinic, twice, reviewer, clock
):
    prescriber = make_account(house, "prescriber", scope="*", scope_kind="network")
    given = give(house, clinic, patient_id=twice)
    end(house, clinic.nurse, Ending(given.dose_id, "partly", swallowed_ug=30_000, disposition="spilled"))
    amend.order_replacement(house, prescriber, given.dose_id, reason="spilled")
    clock.shift(timedelta(hours=9))
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house, clinic.patient, twice), clinic.patient)
    assert give(house, clinic).state == "refused"


def test_a_dose_of_yesterday_morning_holds_nobody_today(house, clinic, twice, reviewer, clock):
    swallowed(house, clinic, twice)
    clock.shift(timedelta(days=1))
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house, clinic.patient, twice), clinic.patient)
    assert open_holds(house) == {(twice, "one_person_two_records")}


def test_what_stood_against_the_closed_record_stands_against_the_one_that_stays(house, clinic, twice, reviewer):
    prescriber = make_account(house, "prescriber", scope="*", scope_kind="network")
    placed = holds.place(
        house,
        prescriber,
        twice,
        site_id="TPE1",
        kind="clinical",
        reason_code="medical_review",
        come_back_on=clock.now().date() + timedelta(days=1),
    )
    found_alike(house, clinic.patient, twice)
    case = case_of(house, clinic.patient, twice)
    same(house, reviewer, case, clinic.patient)
    assert (clinic.patient, "other_record_stopped") in open_holds(house)
    assert give(house, clinic).state == "refused"
    duplicate_decide.decide(house, reviewer, case, "two_persons", reason="papers")
    # What the decision placed is gone, what the prescriber placed is not.
    assert [h for h, _ in open_holds(house)] == [twice]
    assert give(house, clinic).state == "promised"
    assert placed in {h.id for h in rows(house, hold)}


def test_a_drinker_who_was_not_seen_yet_is_not_seen_under_another_record(house, clinic, twice, reviewer):
    given = give(house, clinic)
    end(house, clinic.nurse, Ending(given.dose_id, "swallowed_by_other", drinker=twice))
    other = make_patient(house)
    make_prescription(house, other, elsewhere_on=clock.now().date() - timedelta(days=1))
    assert give(house, clinic, patient_id=twice).state == "refused"
    found_alike(house, other, twice)
    same(house, reviewer, case_of(house, other, twice), other)
    assert give(house, clinic, patient_id=other).state == "refused"


def test_an_unpaid_fee_of_the_closed_record_holds_nobody(house, clinic, twice, reviewer):
    prescriber = make_account(house, "prescriber", scope="*", scope_kind="network")
    holds.place(house, prescriber, twice, site_id="TPE1", kind="administrative", reason_code="fee_unpaid")
    found_alike(house, clinic.patient, twice)
    same(house, reviewer, case_of(house, clinic.patient, twice), clinic.patient)
    assert give(house, clinic).state == "promised"


def test_a_finger_touched_while_its_record_is_closed_is_not_enrolled(house, clinic, twice, reviewer, monkeypatch):
    """The decision falls between the comparison of the print and its row: no finger of a closed record matches."""
    station = make_station(house, clinic.counter)
    nurse = make_account(house, "nurse", "registrar", scope="*", scope_kind="network")
    found_alike(house, clinic.patient, twice)
    enrol_at_reader.begin(house, nurse, twice, "right_index", clinic.counter)
    compared = fingerprints.compare

    def then_decided(*args):
        found = compared(*args)
        monkeypatch.setattr(fingerprints, "compare", compared)
        same(house, reviewer, case_of(house, clinic.patient, twice), clinic.patient)
        return found

    monkeypatch.setattr(fingerprints, "compare", then_decided)
    answer = station.touch(FINGER)
    assert (answer.result, answer.code) == ("taken", "patient_unknown")
    assert rows(house, fingerprint) == []
    assert verify(house).passed
