"""Orders: added to, never edited; what the counter needs to know of the ones before is right."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ost import clock
from ost.bench.makers import TZ
from ost.errors import Refusal
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end, signoff
from ost.services import decision, holds, prescription_read, prescriptions, signoffs
from ost.services.prescriptions import Draft, NotWritten, Written
from ost.services.verify import verify
from tests.make import give, make_account, make_clinic, make_patient, make_product, make_site


@pytest.fixture
def today(house):
    return clock.dosing_day(house.now(), TZ)


@pytest.fixture
def doctor(house):
    make_site(house)
    make_product(house)
    return make_account(house, "prescriber")


def at(house, days: int):
    """The same house, that many days later."""
    return replace(house, now=lambda: clock.now() + timedelta(days=days), memo={})


def draft(person, today, dose_ug=20_000, **values) -> Draft:
    given = {"medicine": "methadone", "phase": "induction", "starts_on": today} | values
    return Draft(patient_id=person, dose_ug=dose_ug, **given)


def rows(house) -> dict:
    with house.read() as tx:
        return {r.id: r for r in tx.execute(sa.select(prescription))}


def codes(answer) -> set[str]:
    return {r["code"] for r in answer.reasons if r["tier"] == "stop"}


def test_a_first_order_begins_an_episode(house, doctor, today):
    person = make_patient(house)
    done = prescriptions.write(house, doctor, draft(person, today))
    row = rows(house)[done.id]
    assert (row.previous_dose_ug, row.last_increase_on, row.week_ago_dose_ug) == (None, None, None)
    assert (row.episode_started_on, json.loads(row.sites)) == (today, ["HUA1"])
    with house.read() as tx:
        assert tx.execute(sa.select(patient.c.episode_started_on)).scalar() == today


def test_a_chain_of_changes_knows_what_came_before(house, doctor, today):
    person = make_patient(house)
    ids = [prescriptions.write(house, doctor, draft(person, today)).id]
    for days, dose in ((4, 25_000), (8, 30_000), (12, 30_000), (16, 20_000)):
        then = at(house, days)
        done = prescriptions.change(
            then, doctor, ids[-1], draft(person, today + timedelta(days=days), dose),
            signed=["first_dose_above_usual", "first_dose_above_max"],
        )  # fmt: skip
        assert isinstance(done, Written), done
        ids.append(done.id)
    found = rows(house)
    day = {n: today + timedelta(days=n) for n in range(20)}
    assert [found[i].previous_dose_ug for i in ids] == [None, 20_000, 25_000, 30_000, 30_000]
    assert [found[i].last_increase_on for i in ids] == [None, day[4], day[8], day[8], day[8]]
    assert [found[i].increase_before_on for i in ids] == [None, None, day[4], day[8], day[8]]
    assert [found[i].week_ago_dose_ug for i in ids] == [None, None, 20_000, 25_000, 30_000]
    assert {found[i].episode_started_on for i in ids} == {today}
    assert [found[i].replaces for i in ids] == [None, *ids[:-1]]
    with house.read() as tx:
        ends = {e.prescription: e.why for e in tx.execute(sa.select(prescription_end))}
    assert ends == dict.fromkeys(ids[:-1], "changed")
    assert verify(house).passed


def test_two_changes_on_one_day_are_one_step(house, today):
    """60 -> 70 -> 80 in a morning is a step of 20, however it is cut up."""
    clinic = make_clinic(house)
    first = prescriptions.change(
        house, clinic.prescriber, clinic.order, draft(clinic.patient, today, 70_000, phase="maintenance")
    )
    assert isinstance(first, Written)
    second = prescriptions.change(
        house, clinic.prescriber, first.id, draft(clinic.patient, today, 80_000, phase="maintenance")
    )
    assert codes(second) == {"step_too_large"}
    assert rows(house)[first.id].previous_dose_ug == 60_000


def test_a_change_for_next_week_leaves_no_day_without_an_order(house, today):
    clinic = make_clinic(house)
    later = today + timedelta(days=7)
    done = prescriptions.change(
        house, clinic.prescriber, clinic.order, draft(clinic.patient, later, 65_000, phase="maintenance")
    )
    assert isinstance(done, Written)
    found = rows(house)
    bridge = found[found[done.id].replaces]
    assert (bridge.replaces, bridge.dose_ug, bridge.ends_on) == (clinic.order, 60_000, later - timedelta(days=1))
    # Today the old dose still holds, on the day the new one does.
    answer = give(house, clinic)
    assert (answer.state, answer.dose_ug) == ("promised", 60_000)
    shown = decision.preview(at(house, 7), clinic.nurse, clinic.patient, "HUA1")
    assert shown.ordered_ug == 65_000
    assert found[done.id].week_ago_dose_ug == 60_000
    # Stopping it stops the part that still runs, too.
    prescriptions.stop(house, clinic.prescriber, done.id, "moved away")
    shown = decision.preview(at(house, 1), clinic.nurse, clinic.patient, "HUA1")
    assert "order_stopped" in {r["code"] for r in shown.reasons}
    assert verify(house).passed


def test_an_order_the_rules_stop_is_not_written_and_the_try_is_kept(house, doctor, today):
    person = make_patient(house)
    tried = prescriptions.write(house, doctor, draft(person, today, 110_000), signed=["first_dose_above_max"])
    assert isinstance(tried, NotWritten)
    assert "first_dose_above_max" in codes(tried)
    assert rows(house) == {}
    from ost.models.audit import audit_event

    with house.read() as tx:
        event = tx.execute(sa.select(audit_event).where(audit_event.c.kind == "prescription.refused")).one()
    assert event.patient == person
    assert json.loads(event.payload)["dose_ug"] == 110_000


def test_a_signature_lifts_what_the_policy_lets_it_and_counts_at_the_counter(house, doctor, today):
    person = make_patient(house)
    asked = prescriptions.write(house, doctor, draft(person, today, 30_000))
    assert isinstance(asked, NotWritten)
    assert asked.signable == ("first_dose_above_usual",)
    done = prescriptions.write(house, doctor, draft(person, today, 30_000), signed=asked.signable)
    assert isinstance(done, Written)
    with house.read() as tx:
        row = tx.execute(sa.select(signoff)).one()
    assert (row.code, row.day, row.dose_ug, row.by_role) == ("first_dose_above_usual", today, 30_000, "prescriber")


def test_a_low_tolerance_lowers_the_first_dose(house, doctor, today):
    person = make_patient(house, low_tolerance=True)
    assert codes(prescriptions.write(house, doctor, draft(person, today))) == {"first_dose_low_tolerance"}


def test_an_increase_too_large_or_too_soon_is_asked_about(house, today):
    clinic = make_clinic(house)
    big = prescriptions.change(
        house, clinic.prescriber, clinic.order, draft(clinic.patient, today, 75_000, phase="maintenance")
    )
    assert codes(big) == {"step_too_large"}
    one = prescriptions.change(
        house, clinic.prescriber, clinic.order, draft(clinic.patient, today, 65_000, phase="maintenance")
    )
    soon = prescriptions.change(
        at(house, 1), clinic.prescriber, one.id,
        draft(clinic.patient, today + timedelta(days=1), 70_000, phase="maintenance"),
    )  # fmt: skip
    assert codes(soon) == {"step_too_soon"}


def test_a_transfer_goes_on_from_the_dose_documented_elsewhere(house, doctor, today):
    person = make_patient(house)
    order = draft(person, today, 60_000, phase="maintenance")
    assert "first_dose_above_max" in codes(prescriptions.write(house, doctor, order))
    order = replace(
        order, elsewhere_on=today - timedelta(days=1), elsewhere_dose_ug=60_000, elsewhere_source="TPE letter 12"
    )
    done = prescriptions.write(house, doctor, order)
    assert isinstance(done, Written), done
    assert rows(house)[done.id].previous_dose_ug == 60_000


def test_a_new_induction_after_the_gap_is_a_new_episode(house, today):
    clinic = make_clinic(house)  # came yesterday
    later = at(house, 30)
    day = today + timedelta(days=30)
    high = prescriptions.change(later, clinic.prescriber, clinic.order, draft(clinic.patient, day, 60_000))
    assert "first_dose_above_max" in codes(high)
    done = prescriptions.change(later, clinic.prescriber, clinic.order, draft(clinic.patient, day, 20_000))
    assert isinstance(done, Written), done
    row = rows(house)[done.id]
    assert (row.episode_started_on, row.previous_dose_ug) == (day, None)


def test_one_slot_has_one_order_and_two_doctors_at_once_write_one(house, doctor, today):
    person = make_patient(house)
    start, answers = threading.Barrier(3), []

    def attempt():
        start.wait()
        try:
            answers.append(prescriptions.write(house, doctor, draft(person, today)).state)
        except Refusal as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(answers) == ["order_exists", "order_exists", "written"]
    second = prescriptions.write(house, doctor, draft(person, today, 5_000, slot=2))
    assert isinstance(second, Written)
    too_much = prescriptions.write(house, doctor, draft(person, today, 15_000, slot=3), signed=["second_look"])
    assert "first_day_above_max" in codes(too_much)  # all slots of a first day together


def test_an_order_is_changed_once(house, today):
    clinic = make_clinic(house)
    order = draft(clinic.patient, today, 65_000, phase="maintenance")
    prescriptions.change(house, clinic.prescriber, clinic.order, order)
    with pytest.raises(Refusal) as refused:
        prescriptions.change(house, clinic.prescriber, clinic.order, order)
    assert refused.value.code == "order_ended_already"


def test_looking_before_writing_writes_nothing(house, doctor, today):
    person = make_patient(house)
    shown = prescriptions.preview(house, doctor, draft(person, today, 30_000))
    assert {r.code for r in shown.reasons if r.tier == "stop"} == {"first_dose_above_usual"}
    assert rows(house) == {}


def test_orders_are_listed_in_force_first(house, today):
    clinic = make_clinic(house)
    later = today + timedelta(days=7)
    prescriptions.change(
        house, clinic.prescriber, clinic.order, draft(clinic.patient, later, 65_000, phase="maintenance")
    )
    listed = prescription_read.orders(house, clinic.nurse, clinic.patient)
    assert [(o.state, o.open) for o in listed] == [("in_force", False), ("to_come", True), ("over", False)]
    assert [d.dose_ug for d in prescription_read.doses(house, clinic.nurse, clinic.patient)] == [60_000]


# --- holds and sign-offs ---------------------------------------------------------------


def test_a_hold_stops_the_dose_until_it_is_released_and_a_fee_never_does(house, today):
    clinic = make_clinic(house)
    holds.place(house, clinic.nurse, clinic.patient, site_id="HUA1", kind="administrative", reason_code="fee_unpaid")
    held = holds.place(
        house, clinic.nurse, clinic.patient, site_id="HUA1", kind="clinical", reason_code="medical_review",
        come_back_on=today, call="03-123",
    )  # fmt: skip
    refused = give(house, clinic)
    assert {r["code"] for r in refused.reasons if r["tier"] == "stop"} == {"on_hold"}
    with pytest.raises(Refusal):
        holds.release(house, clinic.nurse, held)
    holds.release(house, clinic.prescriber, held, "seen")
    assert give(house, clinic).state == "promised"
    assert [h.released_at is None for h in holds.of_patient(house, clinic.nurse, clinic.patient)].count(True) == 1
    assert verify(house).passed


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "police"}, "kind"),
        ({"reason_code": "because"}, "reason_code"),
        ({"reason_code": "fee_unpaid"}, "reason_code"),  # administrative, not clinical
        ({"come_back_on": None}, "come_back_on"),
        ({"come_back_on": date(2000, 1, 1)}, "come_back_on"),
    ],
)
def test_a_hold_without_a_plan_is_not_placed(house, values, field):
    clinic = make_clinic(house)
    given = {"kind": "clinical", "reason_code": "medical_review", "come_back_on": date(2099, 1, 1)} | values
    with pytest.raises(Refusal) as refused:
        holds.place(house, clinic.nurse, clinic.patient, site_id="HUA1", **given)
    assert refused.value.fields.keys() == {field}


def test_what_waits_for_a_prescriber_is_listed_answered_and_then_gone(house, today):
    clinic = make_clinic(house)
    house, today = at(house, 3), today + timedelta(days=3)  # three days missed
    refused = give(house, clinic)
    stops = {r["code"]: r for r in refused.reasons if r["tier"] == "stop"}
    (waiting,) = signoffs.waiting(house, clinic.prescriber, "HUA1")
    assert {r["code"] for r in waiting.reasons} == set(stops)
    assert waiting.ordered_ug == 60_000
    with pytest.raises(Refusal) as too_much:
        signoffs.give(house, clinic.prescriber, clinic.patient, waiting.reasons[0]["code"], today, dose_ug=61_000)
    assert too_much.value.fields == {"dose": ["signoff_above_order"]}
    for reason in waiting.reasons:
        signoffs.give(house, clinic.prescriber, clinic.patient, reason["code"], today, dose_ug=30_000)
    assert signoffs.waiting(house, clinic.prescriber, "HUA1") == []
    answer = give(house, clinic, seen_dose_ug=30_000, seen_volume_ul=3_000)
    assert (answer.state, answer.dose_ug) == ("promised", 30_000)
    with pytest.raises(Refusal):
        signoffs.give(house, clinic.nurse, clinic.patient, "missed_days_half_dose", today)
