"""A PIN chosen and given, a lost telephone, a lost number; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models.audit import record_access
from ost.models.patient import patient
from ost.models.portal import portal_event
from ost.services import identify_at_counter, patients, sealed
from ost.services.portal import help, pin, recover
from ost.services.portal.sign_in import Begun, Place, SignedIn
from tests import make
from tests.portal import CHEAP, begin, session_of, set_patient, switch_on


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    """What a hash costs is argon2's; here it is counted how often one is computed."""
    monkeypatch.setattr(patients, "_HASHER", CHEAP)
    monkeypatch.setattr(patients, "NO_PIN", CHEAP.hash("nobody's"))


@pytest.fixture
def clinic(house):
    return make.make_clinic(house)


@pytest.fixture
def number(house, clinic):
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.number).where(patient.c.id == clinic.patient)).scalar_one()


# --- PIN -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "again", "field"),
    [
        ("8642", "8642", "new"),
        ("123456", "123456", "new"),
        ("790503", "790503", "new"),
        ("86420a", "86420a", "new"),
        ("864209", "864208", "again"),
    ],
)
def test_a_new_pin_has_six_digits_nobody_guesses(house, clinic, number, new, again, field):
    here = session_of(house, begin(house, number))
    with pytest.raises(Refusal) as refused:
        pin.change(house, here, make.PATIENT_PIN, new, again)
    assert list(refused.value.fields) == [field]


def test_a_nurse_gives_a_pin_and_takes_a_lost_telephones_code_away(house, clinic, number):
    switch_on(house, number, "sms")
    for n in range(15):
        begin(house, number, "135790", Place(f"d{n}"))
    nurse = make.make_account(house, "nurse")
    with pytest.raises(Refusal) as refused:
        help.give_pin(house, nurse, clinic.patient, "864209", "864209", "")
    assert "seen_by" in refused.value.fields
    help.give_pin(house, nurse, clinic.patient, "864209", "864209", "document")
    assert isinstance(begin(house, number, "864209"), Begun)
    help.take_codes_away(house, nurse, clinic.patient, "document")
    assert isinstance(begin(house, number, "864209"), SignedIn)
    with house.read() as tx:
        by = tx.execute(sa.select(portal_event.c.by).where(portal_event.c.what == "pin_given")).scalar_one()
    assert by == nurse.id


def test_nobody_from_elsewhere_gives_a_pin(house, clinic):
    make.make_site(house, "TPE1")
    for actor in (make.make_account(house, "nurse", scope="TPE1"), make.make_account(house, "prescriber")):
        with pytest.raises(Refusal, match=r"patient_unknown|not_permitted"):
            help.give_pin(house, actor, clinic.patient, "864209", "864209", "finger")


# --- a lost number -------------------------------------------------------------------


def _paper(house, actor, site, national_id="A123456789", born="1979-05-03"):
    return recover.by_paper(house, actor, site, "national_id_card", national_id, born)


def test_a_lost_number_is_told_at_any_site_and_stands_in_the_persons_list(house, clinic, number):
    make.make_site(house, "TPE1")
    away = make.make_account(house, "nurse", scope="TPE1")
    with house.read() as tx:
        row = tx.execute(sa.select(patient).where(patient.c.id == clinic.patient)).one()
        key = sealed.person_key(tx, house.keys, row.id)
        national_id = sealed.unseal_text(key, row.id, "patient", "national_id", row.national_id_sealed)
        born = sealed.unseal_text(key, row.id, "patient", "birth_date", row.birth_date_sealed)
    set_patient(house, clinic, national_id_mac=house.keys.search_mac("national_id", national_id))
    found = _paper(house, away, "TPE1", national_id, born)
    assert found == recover.Found(number), "and nothing else"
    with house.read() as tx:
        line = tx.execute(sa.select(record_access).where(record_access.c.page == recover.PAGE)).one()
    assert (line.patient, line.account, line.site, line.why) == (clinic.patient, away.id, "TPE1", recover.WHY)
    with pytest.raises(Refusal, match="portal_nobody_found"):
        _paper(house, away, "TPE1", national_id, "1979-05-04")
    with pytest.raises(Refusal, match="not_permitted"):
        _paper(house, away, clinic.site, national_id, born)


def test_nobody_reads_from_papers_who_is_in_treatment(house, clinic):
    away = make.make_account(house, "nurse")
    codes = []
    for _ in range(8):
        with pytest.raises(Refusal) as refused:
            _paper(house, away, clinic.site, "B123456780")
        codes.append(refused.value.code)
    assert codes[0] == "portal_nobody_found" and codes[-1] == "portal_wait"


def test_a_paper_that_is_known_buys_no_tries_for_others(house, clinic, number):
    away = make.make_account(house, "nurse")
    with house.read() as tx:
        row = tx.execute(sa.select(patient).where(patient.c.id == clinic.patient)).one()
        key = sealed.person_key(tx, house.keys, row.id)
        own = [sealed.unseal_text(key, row.id, "patient", n, getattr(row, f"{n}_sealed")) for n in ("national_id", "birth_date")]
    set_patient(house, clinic, national_id_mac=house.keys.search_mac("national_id", own[0]))
    codes = []
    for _ in range(8):
        for paper in (own, ("B123456780", "1979-05-04")):
            try:
                _paper(house, away, clinic.site, *paper)
            except Refusal as refusal:
                codes.append(refusal.code)
    assert codes.count("portal_nobody_found") < 5
    assert codes[-1] == "portal_wait"


def test_nobody_at_the_counter_no_number(house, clinic):
    with pytest.raises(Refusal, match="portal_identity_old"):
        recover.by_touch(house, clinic.nurse, clinic.counter)


def _shown_paper(house, clinic, number):
    """(nurse, counter) of another site, where the person has just shown a paper."""
    make.make_site(house, "TPE1")
    counter = make.make_counter(house, "TPE1")
    nurse = make.make_account(house, "nurse", scope="TPE1")
    reason = policies.policy("tw").list("reasons_for_identity_fallback")[0]
    by_document = identify_at_counter.by_document
    by_document(house, nurse, counter, number, "national_id_card", "1979-05-03", reason)
    return nurse, counter


def test_who_has_just_shown_who_they_are_at_this_counter_gets_their_number(house, clinic, number, clock):
    nurse, counter = _shown_paper(house, clinic, number)
    other = make.make_counter(house, "TPE1", 2)
    assert recover.by_touch(house, nurse, counter) == recover.Found(number)
    with pytest.raises(Refusal, match="portal_identity_old"):
        recover.by_touch(house, nurse, other)
    with pytest.raises(Refusal, match="not_permitted"):
        recover.by_touch(house, clinic.nurse, counter)
    clock.shift(timedelta(minutes=policies.policy("tw").int("portal_recover_minutes"), seconds=1))
    with pytest.raises(Refusal, match="portal_identity_old"):
        recover.by_touch(house, nurse, counter)


def test_a_card_or_a_number_alone_tells_no_number(house, clinic, number):
    """Either can be had without the person."""
    make.make_site(house, "TPE1")
    counter = make.make_counter(house, "TPE1")
    nurse = make.make_account(house, "nurse", scope="TPE1")
    card = patients.new_card()
    set_patient(house, clinic, card_mac=house.keys.search_mac("card", card))
    identify_at_counter.by_card(house, nurse, counter, card)
    with pytest.raises(Refusal, match="portal_identity_old"):
        recover.by_touch(house, nurse, counter)
