"""What somebody with an account of their own, a station's key or patience could try against readers, ways of
identifying, quiet messages and possible duplicates."""

from __future__ import annotations

import pytest

from devices.fingerprints import encode
from devices.interface import FINGER, ISO_TEMPLATE, Sample, Touch
from ost import keys
from ost.models.identity import identity_try
from ost.models.lookup import duplicate_case
from ost.models.reader import reader
from ost.services import alerts, duplicate_cases, duplicate_decide, duress
from ost.services import identify_at_counter as at_counter
from ost.services.verify import verify
from ost.services.work import Actor, House
from tests.make import make_account, make_clinic, make_patient, make_site
from tests.services.test_captures import rows
from tests.services.test_duplicates import found_alike
from tests.services.test_identity_ways import BORN, REASON, number_of
from tests.touch import enrol, make_station, minutiae


@pytest.fixture
def house(sqlite_database):
    return House(sqlite_database, keys.ephemeral(), policy_name="tw", demo=True)


@pytest.fixture
def clinic(house):
    return make_clinic(house)


# --- asking until it fits --------------------------------------------------------------


def paper(house, clinic, person, born, counter=None, actor=None):
    number = number_of(house, person)
    return at_counter.by_document(
        house, actor or clinic.nurse, counter or clinic.counter, number, "passport", born, REASON
    )


def test_a_birth_date_cannot_be_found_by_asking(house, clinic):
    """Also not from another counter or by another account, and the right date says nothing while it has to wait."""
    said = [paper(house, clinic, clinic.patient, f"1979-05-{day:02}").code for day in range(4, 20)]
    assert said[0] == "birth_date_differs" and said[-1] == "document_use_another_way"
    assert said.count("birth_date_differs") < 5
    other = make_account(house, "nurse")
    right = paper(house, clinic, clinic.patient, BORN, actor=other)
    assert (right.result, right.code, right.patient) == ("refused", "document_use_another_way", None)
    assert {t.result for t in rows(house, identity_try)} == {"refused"}
    # Nobody else has to wait, and the person's other ways are open.
    somebody = make_patient(house)
    assert paper(house, clinic, somebody, "1990-01-01").code == "birth_date_differs"
    assert verify(house).passed


def test_slips_do_not_add_up_for_who_shows_the_right_paper(house, clinic):
    for _ in range(6):
        assert paper(house, clinic, clinic.patient, "1979-05-04").code == "birth_date_differs"
        assert paper(house, clinic, clinic.patient, BORN).result == "shown"


# --- what an account saw before --------------------------------------------------------


def test_a_clinician_who_left_reads_no_quiet_message_any_more(house, clinic):
    """Also in the process where they looked before."""
    make_site(house, "TPE1", "TPE")
    enrol(house, clinic.patient, 101, "right_index")
    enrol(house, clinic.patient, 102, "left_thumb")
    duress.set_answer(house, make_account(house, "case_manager"), clinic.patient, "left_thumb", clinic.prescriber.id)
    make_station(house, clinic.counter).touch(102)
    assert len(alerts.alerts(house, clinic.prescriber)) == 1
    elsewhere = make_account(house, "prescriber", scope="TPE1")
    moved = Actor(clinic.prescriber.id, elsewhere.grants)
    assert alerts.alerts(house, moved) == [] and alerts.unseen(house, moved) == 0


# --- a case nobody gets to see ---------------------------------------------------------


def test_newer_cases_of_other_counties_push_none_out_of_sight(house, clinic, monkeypatch):
    monkeypatch.setattr(duplicate_cases, "MOST", 1)
    one, two = make_patient(house), make_patient(house)
    found_alike(house, one, two)
    [mine] = rows(house, duplicate_case)
    make_site(house, "TPE1", "TPE")
    far = [make_patient(house, "TPE1") for _ in range(14)]
    for a, b in zip(far[::2], far[1::2], strict=True):
        found_alike(house, a, b)
    registrar = make_account(house, "registrar")
    assert [c.id for c in duplicate_cases.cases(house, registrar)] == [mine.id]


def test_an_undecided_case_is_listed_before_newer_decided_ones(house, clinic, monkeypatch):
    monkeypatch.setattr(duplicate_cases, "MOST", 1)
    reviewer = make_account(house, "duplicate_reviewer", scope="*", scope_kind="network")
    people = [make_patient(house) for _ in range(12)]
    found_alike(house, people[0], people[1])
    [old] = rows(house, duplicate_case)
    for a, b in zip(people[2::2], people[3::2], strict=True):
        found_alike(house, a, b)
    for case in rows(house, duplicate_case):
        if case.id != old.id:
            duplicate_decide.decide(house, reviewer, case.id, "two_persons", reason="faces_and_papers")
    assert duplicate_cases.cases(house, reviewer)[0].id == old.id


# --- what a device says of itself --------------------------------------------------------


def test_a_device_cannot_write_over_an_administrators_page(house, clinic):
    """A touch that comes before its heartbeat names the device, too: nothing that moves other text about is kept."""
    declared = {"maker": "\u202eknoB", "model": "a\nb\x1b[2J", "serial": "<b>1</b>", "liveness": "\u2066x"}
    data = encode(minutiae(101, 9))
    station = make_station(house, clinic.counter)
    station.post(Touch("simulated", True, "captured", None, Sample(FINGER, ISO_TEMPLATE, data, None, declared)))
    [kept] = rows(house, reader)
    assert (kept.maker, kept.model, kept.serial, kept.liveness) == ("?knoB", "a?b?[2J", "<b>1</b>", "?x")
