"""Charges from the record: once each, never above the year's cap, taken back with a void, and no dose ever waits."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost.models import dose, fee, patient
from ost.rules.fees import COUNTERSIGN, PER_DOSE, SET_UP
from ost.services import amend, sealed
from ost.services.fees import charge, receipts
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from tests.make import (
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_guest_site,
    make_patient,
    make_site,
    make_witness,
)
from tests.permits import days_from, make_permit
from tests.services.feeing import DAY, charges, make_tariff, subject, used


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


@pytest.fixture
def away(house, clinic):
    make_site(house, "TPE1", county="TPE")
    make_guest_site(house, "TPE1")
    return make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")


def guest_dose(house, clinic, away, outcome: str = "swallowed"):
    nurse, bottle = away
    given = give(house, clinic, actor=nurse, site="TPE1", bottle=bottle)
    assert given.state == "promised", given
    rest = {"disposition": "residue"} if outcome in ("not_given", "partly", "spat_out") else {}
    swallowed = {"swallowed_ug": 30_000} if outcome == "partly" else {}
    end(house, nurse, Ending(given.dose_id, outcome, **rest, **swallowed))
    return given.dose_id


def void(house, clinic, away, dose_id: str) -> None:
    nurse = away[0]
    second = make_account(house, "nurse", scope="TPE1")
    token = make_witness(house, second, dose_id)
    amend.void(house, nurse, dose_id, reason="entered_twice", witness=token)


def test_a_stay_is_charged_from_its_records_and_once(house, clinic, away):
    make_tariff(house, percent=60)
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    dose_id = guest_dose(house, clinic, away)
    assert charge.run(house) == (3, 0)
    assert charge.run(house) == (0, 0)
    found = {c.kind: c for c in charges(house)}
    assert {k: (c.amount_ntd, c.payer_ntd, c.own_ntd) for k, c in found.items()} == {
        SET_UP: (500, 300, 200),
        COUNTERSIGN: (300, 180, 120),
        PER_DOSE: (200, 120, 80),
    }
    assert found[PER_DOSE].subject == f"dose:{dose_id}" and found[SET_UP].subject == f"permit:{permit.id}"
    assert {(c.home_site, c.site, c.county, c.patient_class, c.permit) for c in found.values()} == {
        ("HUA1", "TPE1", "HUA", "adult", permit.id)
    }
    assert used(house) == {("HUA", 2026): 600}
    assert verify(house).passed


def test_what_is_not_published_is_charged_as_open(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    guest_dose(house, clinic, away)
    assert charge.run(house) == (3, 0)
    assert {(c.amount_ntd, c.payer_ntd, c.own_ntd, c.item) for c in charges(house)} == {(None, None, None, None)}
    make_tariff(house)
    assert charge.run(house) == (0, 0)  # an amount published later does not reach back


def test_a_known_amount_whose_split_is_not_published_is_open_too(house, clinic, away):
    make_tariff(house, percent=None)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    charge.run(house)
    assert {(c.kind, c.amount_ntd, c.payer_ntd, c.own_ntd) for c in charges(house)} == {
        (SET_UP, 500, None, None),
        (COUNTERSIGN, 300, None, None),
    }


@pytest.mark.parametrize("outcome", ["not_given", "spat_out"])
def test_a_dose_that_was_not_swallowed_costs_nothing(house, clinic, away, outcome):
    make_tariff(house)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    guest_dose(house, clinic, away, outcome)
    charge.run(house)
    assert {c.kind for c in charges(house)} == {SET_UP, COUNTERSIGN}


def test_an_open_dose_is_charged_when_its_outcome_is_known(house, clinic, away):
    make_tariff(house)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    nurse, bottle = away
    given = give(house, clinic, actor=nurse, site="TPE1", bottle=bottle)
    charge.run(house)
    assert PER_DOSE not in {c.kind for c in charges(house)}
    end(house, nurse, Ending(given.dose_id, "swallowed"))
    assert charge.run(house) == (1, 0)


def test_doses_at_home_and_a_closures_permit_set_up_cost_nothing(house, clinic, away):
    make_tariff(house)
    end(house, clinic.nurse, Ending(give(house, clinic).dose_id, "swallowed"))
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 1), kind="emergency", signed=False)
    assert charge.run(house) == (0, 0)


def test_two_runs_at_once_charge_once(house, clinic, away):
    make_tariff(house)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    guest_dose(house, clinic, away)
    gate, sums = threading.Barrier(4), []

    def work():
        gate.wait()
        sums.append(charge.run(house)[0])

    hands = [threading.Thread(target=work) for _ in range(4)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert sum(sums) == 3 == len(charges(house))
    assert used(house) == {("HUA", 2026): 600}


def test_the_key_holds_against_a_writer_that_does_not_look(house, clinic, monkeypatch):
    one = subject(clinic.patient)
    monkeypatch.setattr(charge, "_stands", lambda *_: False)
    assert [charge._charge(house, one), charge._charge(house, one)] == [1, 0]
    assert len(charges(house)) == 1


def test_the_cap_holds_while_home_and_guest_site_charge_at_once(house, clinic):
    """NT$1,000 for the year, 120 of each dose: nine at full share or less, never a dollar more."""
    make_tariff(house, percent=60, cap=1000)
    make_site(house, "TPE1", county="TPE")
    work_list = [subject(clinic.patient, site=("TPE1", "HUA1")[n % 2]) for n in range(16)]
    gate = threading.Barrier(4)

    def work(mine):
        gate.wait()
        for each in mine:
            charge._charge(house, each)

    hands = [threading.Thread(target=work, args=(work_list[n::4],)) for n in range(4)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    found = charges(house)
    assert len(found) == 16
    assert sum(c.payer_ntd for c in found) == 1000 == used(house)[("HUA", 2026)]
    assert sorted({c.payer_ntd for c in found}) == [0, 40, 120]
    assert all(c.payer_ntd + c.own_ntd == c.amount_ntd for c in found)


def test_a_cap_already_exceeded_by_a_lower_new_one_pays_nothing_and_takes_nothing_back(house, clinic, clock):
    make_tariff(house, percent=100, cap=500)
    charge._charge(house, subject(clinic.patient))
    clock.shift(60)
    make_tariff(house, percent=100, cap=100)
    charge._charge(house, subject(clinic.patient))
    assert sorted(c.payer_ntd for c in charges(house)) == [0, 200]


def test_caps_are_the_home_countys_and_each_persons_own(house, clinic):
    make_tariff(house, percent=100, cap=300, county="HUA")
    make_site(house, "TPE1", county="TPE")
    other = make_patient(house, "HUA1")
    for person in (clinic.patient, clinic.patient, other):
        charge._charge(house, subject(person))
    by_person = {}
    for c in charges(house):
        by_person.setdefault(c.patient, []).append(c.payer_ntd)
    assert {p: sorted(v) for p, v in by_person.items()} == {clinic.patient: [100, 200], other: [200]}


def test_a_new_year_begins_a_new_counter_at_midnight_in_taipei(house, clinic, clock):
    make_tariff(house, percent=100, cap=300)
    make_site(house, "TPE1", county="TPE")
    for day in (date(2026, 12, 31), date(2026, 12, 31), date(2027, 1, 1)):
        charge._charge(house, subject(clinic.patient, day=day))
    assert used(house) == {("HUA", 2026): 300, ("HUA", 2027): 200}


def test_a_permit_of_new_years_first_minutes_is_the_new_years(house, clinic, away, clock):
    make_tariff(house, percent=100, cap=10_000)
    clock.move_to(datetime(2026, 12, 31, 16, 5, tzinfo=UTC))  # five past midnight on 1 January in Taipei
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    charge.run(house)
    assert {c.day for c in charges(house)} == {date(2027, 1, 1)}
    assert used(house) == {("HUA", 2027): 800}


def test_a_minor_until_the_day_before_the_birthday(house, clinic):
    make_tariff(house, percent=100)
    person = make_patient(house, "HUA1")
    with house.db.begin() as tx:
        key = sealed.person_key(tx, house.keys, person)
        p = patient.patient
        shut = sealed.seal(key, person, "patient", "birth_date", date(2008, 3, 11))
        tx.execute(sa.update(p).where(p.c.id == person).values(birth_date_sealed=shut))
    for day in (DAY, DAY + timedelta(days=1)):
        charge._charge(house, subject(person, day=day))
    assert [c.patient_class for c in charges(house)] == ["minor", "adult"]
    assert "2008" not in str([tuple(c) for c in charges(house)])


def test_a_void_takes_its_charge_back_and_frees_the_cap(house, clinic, away):
    make_tariff(house, percent=100, cap=10_000)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    dose_id = guest_dose(house, clinic, away)
    charge.run(house)
    assert used(house) == {("HUA", 2026): 1000}
    void(house, clinic, away, dose_id)
    assert charge.run(house) == (0, 1)
    assert charge.run(house) == (0, 0)
    mine = [c for c in charges(house) if c.kind == PER_DOSE]
    assert sorted(c.amount_ntd for c in mine) == [-200, 200]
    assert {c.subject for c in mine} == {f"dose:{dose_id}"}
    assert used(house) == {("HUA", 2026): 800}
    assert verify(house).passed


def test_a_dose_voided_before_it_was_charged_never_is(house, clinic, away):
    make_tariff(house)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    dose_id = guest_dose(house, clinic, away)
    void(house, clinic, away, dose_id)
    charge.run(house)
    assert PER_DOSE not in {c.kind for c in charges(house)}


def test_a_void_between_looking_and_charging_is_seen(house, clinic, away):
    make_tariff(house)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    dose_id = guest_dose(house, clinic, away)
    seen = [each for each in charge.due(house) if each.kind == PER_DOSE]
    void(house, clinic, away, dose_id)
    assert [charge._charge(house, each) for each in seen] == [0]


def test_two_runs_at_once_take_back_once(house, clinic, away):
    make_tariff(house)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    dose_id = guest_dose(house, clinic, away)
    charge.run(house)
    void(house, clinic, away, dose_id)
    gate, sums = threading.Barrier(3), []

    def work():
        gate.wait()
        sums.append(charge.run(house)[1])

    hands = [threading.Thread(target=work) for _ in range(3)]
    [h.start() for h in hands]
    [h.join() for h in hands]
    assert sum(sums) == 1
    assert used(house) == {("HUA", 2026): 480}


def test_what_is_unpaid_holds_no_dose_and_asks_nothing_of_it(house, clinic, away):
    make_tariff(house, percent=0)
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    charge.run(house)
    assert receipts.of_patient(house, clinic.patient).owed_ntd == 800
    dose_id = guest_dose(house, clinic, away)
    with house.read() as tx:
        decided = tx.execute(
            sa.select(dose.decision.c.reasons, dose.decision.c.facts)
            .join(dose.dose_attempt, dose.dose_attempt.c.decision == dose.decision.c.id)
            .where(dose.dose_attempt.c.id == dose_id)
        ).one()
    assert "fee" not in f"{decided.reasons}{decided.facts}".lower()
    f = fee.fee_charge
    with house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).where(f.c.subject == f"dose:{dose_id}")).scalar() == 0
