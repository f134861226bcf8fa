"""What changes about a person reaches their permits in the same transaction: ended, paused, let go on, told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import guest, message, opening
from ost.models import patient as patients
from ost.rules.guest_follow import ENDINGS, PAUSES, Standing, asked
from ost.services import consents, holds, prescriptions
from ost.services.amend import review_exposure
from ost.services.guest import jobs, review_all
from ost.services.guest.follow import review
from ost.services.order_draft import Draft
from ost.services.outcome import Ending, end
from ost.services.signoffs import give_all
from ost.services.work import SYSTEM, Actor, new_id
from tests.make import (
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_guest_site,
    make_patient,
    make_prescription,
    make_site,
)
from tests.permits import days_from, make_permit, state_of, steps_of


@pytest.fixture
def clinic(house, clock):
    made = make_clinic(house)
    make_site(house, "TPE1", county="TPE")
    make_guest_site(house, "TPE1")
    return made


@pytest.fixture
def permit(house, clinic):
    return make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1, 2))


@pytest.fixture
def away(house, clinic):
    return make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")


def there(house, clinic, away, **values):
    return give(house, clinic, actor=away[0], site="TPE1", bottle=away[1], **values)


def codes(answer) -> set[str]:
    return {r["code"] for r in answer.reasons if r["tier"] == "stop"}


def told(house, patient) -> list[str]:
    m = message.message
    with house.read() as tx:
        return list(tx.execute(sa.select(m.c.kind).where(m.c.patient == patient).order_by(m.c.created_at)).scalars())


def last_step(house, request) -> tuple[str, str | None]:
    return steps_of(house, request)[-1]


def hold(house, clinic, kind="clinical", code="medical_review", site="HUA1", actor=None) -> str:
    day = days_from(house, "HUA1", 1)[0]
    return holds.place(
        house, actor or clinic.prescriber, clinic.patient, site_id=site, kind=kind, reason_code=code, come_back_on=day
    )


# --- the rule, alone -----------------------------------------------------------------

FINE = Standing(
    state="confirmed", paused_for=None, emergency=False, patient_active=True, order_left=True, consent=True,
    site_active=True, site_listed=True, designated=True,
)  # fmt: skip
_GONE = ("patient_active", "consent", "order_left", "site_active", "site_listed", "designated")
_AGAINST = ("clinical_hold", "exposure", "missed_days", "to_sign")


def test_while_nothing_stands_against_it_nothing_is_asked():
    assert asked(FINE) == ()
    assert asked(replace(FINE, state="asked")) == ()


@pytest.mark.parametrize(("fact", "reason"), list(zip(_GONE, ENDINGS, strict=True)))
def test_what_is_gone_ends_requests_and_permits_and_nothing_that_is_over(fact, reason):
    for state in ("asked", "question", "approved", "accepted", "offered", "confirmed", "paused"):
        assert asked(replace(FINE, state=state, **{fact: False})) == (("end", reason),)
    for state in ("ended", "cancelled", "closed", "declined", "expired", "not_accepted"):
        assert asked(replace(FINE, state=state, **{fact: False})) == ()


@pytest.mark.parametrize(("fact", "reason"), list(zip(_AGAINST, PAUSES, strict=True)))
def test_what_stands_against_it_pauses_a_permit_and_no_request_and_its_going_resumes(fact, reason):
    assert asked(replace(FINE, **{fact: True})) == (("pause", reason),)
    assert asked(replace(FINE, state="asked", **{fact: True})) == ()
    assert asked(replace(FINE, state="paused", paused_for=reason, **{fact: True})) == ()
    assert asked(replace(FINE, state="paused", paused_for=reason)) == (("resume", reason),)


def test_what_it_was_paused_for_may_change_and_is_named_anew():
    standing = replace(FINE, state="paused", paused_for="hold", to_sign=True)
    assert asked(standing) == (("resume", "hold"), ("pause", "countersign"))


# --- through the services ------------------------------------------------------------


def test_a_clinical_hold_pauses_and_its_release_lets_go_on(house, clinic, permit, away):
    held = hold(house, clinic)
    assert last_step(house, permit.request) == ("pause", "hold")
    assert codes(there(house, clinic, away)) == {"guest_paused", "on_hold"}
    holds.release(house, clinic.prescriber, held)
    assert last_step(house, permit.request) == ("resume", "hold")
    assert there(house, clinic, away).state == "promised"
    assert told(house, clinic.patient) == ["guest_paused", "guest_resumed"]


def test_a_clinical_hold_of_the_guest_site_travels_home(house, clinic, permit):
    nurse = make_account(house, "nurse", scope="TPE1")
    hold(house, clinic, site="TPE1", actor=nurse)
    assert state_of(house, permit.request) == "paused"


def test_an_administrative_hold_does_not_travel(house, clinic, permit, away):
    hold(house, clinic, "administrative", "transfer")
    assert state_of(house, permit.request) == "confirmed"
    assert there(house, clinic, away).state == "promised"


def test_a_hold_placed_while_the_guest_card_is_open_stops_the_promise(house, clinic, permit, away):
    from ost.services import decision

    shown = decision.preview(house, away[0], clinic.patient, "TPE1")
    assert shown.verdict == "give"
    hold(house, clinic)
    assert "on_hold" in codes(there(house, clinic, away))


def changed_to(house, clinic, dose_ug: int, starts_on: date | None = None):
    draft = Draft(
        patient_id=clinic.patient, medicine="methadone", phase="maintenance", dose_ug=dose_ug, slot=1,
        starts_on=starts_on or days_from(house, "HUA1", 0)[0], ends_on=None, sites=("HUA1",),
    )  # fmt: skip
    written = prescriptions.change(house, clinic.prescriber, clinic.order, draft)
    assert written.state == "written", written
    return written.id


def test_a_changed_dose_waits_for_the_guest_prescriber_and_is_on_the_next_card_when_signed(house, clinic, permit, away):
    new = changed_to(house, clinic, 55_000)
    assert last_step(house, permit.request) == ("pause", "countersign")
    assert codes(there(house, clinic, away)) == {"guest_paused", "guest_not_countersigned"}
    sign(house, permit, new)
    assert last_step(house, permit.request) == ("resume", "countersign")
    assert codes(there(house, clinic, away)) == {"changed_since_shown"}  # the old page still said 60 mg
    given = there(house, clinic, away, seen_dose_ug=55_000, seen_volume_ul=5_500)
    assert (given.state, given.dose_ug) == ("promised", 55_000)
    assert "guest_changed" in told(house, clinic.patient)
    n = guest.guest_notice
    with house.read() as tx:
        assert tx.execute(sa.select(n.c.site, n.c.kind)).all() == [("TPE1", "order_changed")]


def sign(house, permit, *orders):
    with house.work(SYSTEM, "TPE1", "made.signature") as work:
        g = guest.guest_permit
        person = work.tx.execute(sa.select(g.c.patient).where(g.c.id == permit.id)).scalar_one()
        work.lock_patients([person])
        row = {"request": permit.request, "patient": person, "site": "TPE1", "by": "test", "at": work.now}
        work.add(guest.guest_countersign, id=new_id(), orders=json.dumps(list(orders)), **row)
        review(work, house, person, "countersigned")


def test_an_order_from_tomorrow_on_leaves_todays_dose_as_it_was_signed(house, clinic, permit, away, clock):
    new = changed_to(house, clinic, 55_000, days_from(house, "HUA1", 1)[0])
    assert state_of(house, permit.request) == "confirmed"
    given = there(house, clinic, away)
    assert (given.state, given.dose_ug) == ("promised", 60_000)
    end(house, away[0], Ending(given.dose_id, "swallowed"))
    clock.shift(timedelta(days=1))
    assert "guest_not_countersigned" in codes(there(house, clinic, away, seen_dose_ug=55_000, seen_volume_ul=5_500))
    review_all.review_all(house)
    assert last_step(house, permit.request) == ("pause", "countersign")
    sign(house, permit, new)
    assert there(house, clinic, away, seen_dose_ug=55_000, seen_volume_ul=5_500).state == "promised"


def test_an_order_stopped_without_another_ends_the_permit_and_gives_its_places_and_pass_back(house, clinic, permit):
    prescriptions.stop(house, clinic.prescriber, clinic.order, "moved abroad")
    assert last_step(house, permit.request) == ("end", "order_ended")
    assert told(house, clinic.patient) == ["guest_ended"]
    with house.read() as tx:
        e, p = guest.permit_day_end, guest.guest_pass
        ended = tx.execute(sa.select(e.c.day, e.c.why).where(e.c.permit == permit.id).order_by(e.c.day)).all()
        assert [tuple(r) for r in ended] == [(d, "ended") for d in permit.days]
        assert tx.execute(sa.select(p.c.revoked_at).where(p.c.id == permit.pass_id)).scalar_one() is not None


def test_a_day_on_which_a_dose_was_prepared_stays_what_it_was_when_the_permit_ends(house, clinic, permit, away):
    given = there(house, clinic, away)
    end(house, away[0], Ending(given.dose_id, "swallowed"))
    prescriptions.stop(house, clinic.prescriber, clinic.order, "moved abroad")
    e = guest.permit_day_end
    with house.read() as tx:
        left = tx.execute(sa.select(e.c.day).where(e.c.permit == permit.id).order_by(e.c.day)).scalars().all()
    assert left == list(permit.days[1:])


def test_missed_days_at_the_policys_limit_pause_and_the_prescribers_answer_lets_go_on(house, clinic, clock, away):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 4, 5))
    review_all.review_all(house)
    assert state_of(house, permit.request) == "confirmed"
    clock.shift(timedelta(days=4))  # last dose five days ago: four missed
    assert review_all.review_all(house).changed == 1
    assert last_step(house, permit.request) == ("pause", "missed_days")
    assert review_all.review_all(house).changed == 0
    refused = there(house, clinic, away)
    signable = {r["code"] for r in refused.reasons if r["tier"] == "stop" and r["needs_signoff"]}
    assert signable and codes(refused) - signable == {"guest_paused"}
    give_all(house, clinic.prescriber, clinic.patient, sorted(signable), days_from(house, "HUA1", 0)[0], dose_ug=30_000)
    assert last_step(house, permit.request) == ("resume", "missed_days")
    given = there(house, clinic, away, seen_dose_ug=30_000, seen_volume_ul=3_000)
    assert (given.state, given.dose_ug) == ("promised", 30_000)


def test_who_swallowed_anothers_dose_is_paused_until_a_prescriber_has_looked(house, clinic, away):
    other = make_patient(house, "HUA1")
    make_prescription(house, other, dose_ug=60_000)
    permit = make_permit(house, other, "TPE1", days_from(house, "HUA1", 0, 1))
    given = give(house, clinic)
    end(house, clinic.nurse, Ending(given.dose_id, "swallowed_by_other", drinker=other))
    assert last_step(house, permit.request) == ("pause", "exposure")
    from ost.models.dose import exposure

    with house.read() as tx:
        seen = tx.execute(sa.select(exposure.c.id)).scalar_one()
    review_exposure(house, clinic.prescriber, seen)
    assert steps_of(house, permit.request)[-2:] == [("pause", "exposure"), ("resume", "exposure")]


def test_a_site_that_takes_no_guests_any_more_ends_its_permits(house, clinic, permit, away):
    with house.work(SYSTEM, "TPE1", "made.unlisted") as work:
        work.lock_patients([clinic.patient])
        g = opening.guest_site
        work.tx.execute(sa.update(g).where(g.c.site == "TPE1").values(listed=False))
        review(work, house, clinic.patient, "site_not_listed")
    assert last_step(house, permit.request) == ("end", "site_not_listed")
    assert give(house, clinic).state == "promised"  # the home site doses again


# --- consents ------------------------------------------------------------------------


def test_the_patient_takes_the_consent_back_and_the_permit_ends_with_it(house, clinic, permit, away):
    me = Actor(f"patient:{clinic.patient}")
    before = [(c.code, c.data.get("site")) for c in consents.consequences(house, clinic.patient, "guest_dosing")]
    assert before == [("permit_ends", "TPE1"), ("site_sees_no_more", "TPE1"), ("no_new_requests", None)]
    consents.end(house, me, permit.consent)
    consents.end(house, me, permit.consent)
    assert last_step(house, permit.request) == ("end", "consent_ended")
    assert codes(there(house, clinic, away)) == {"guest_permit_ended"}
    assert give(house, clinic).state == "promised"


def test_a_consent_that_ran_out_stops_at_once_and_ends_the_permit_within_the_hour(house, clinic, clock, away):
    days = days_from(house, "HUA1", 0, 1, 2)
    permit = make_permit(house, clinic.patient, "TPE1", days, until=days[0])
    clock.shift(timedelta(days=1))
    assert codes(there(house, clinic, away)) == {"guest_consent_ended"}
    review_all.review_all(house)
    assert last_step(house, permit.request) == ("end", "consent_ended")


def test_after_its_last_day_a_permit_closes_and_is_never_ended_for_a_consent_that_ran_out_with_it(house, clinic, clock):
    days = days_from(house, "HUA1", 0, 1)
    permit = make_permit(house, clinic.patient, "TPE1", days, until=days[-1])
    clock.shift(timedelta(days=2))
    review_all.review_all(house)
    assert state_of(house, permit.request) == "confirmed"
    jobs.run_all(house)
    assert state_of(house, permit.request) == "closed"


def test_fingers_go_with_their_own_consent_and_the_permit_stays(house, clinic, permit):
    me = Actor(f"patient:{clinic.patient}")
    f = patients.fingerprint
    given = consents.give(house, me, clinic.patient, "fingerprints")
    with house.work(SYSTEM, "HUA1", "made.finger") as work:
        row = {"id": new_id(), "patient": clinic.patient, "finger": "right_index", "impression": 1, "algorithm": "x"}
        enrolled = {"enrolled_at": work.now, "enrolled_by": "test", "synthetic": True, "cylinders": 1, "change_no": 1}
        work.add(f, **row, **enrolled, template_sealed=b"sealed")
    seen = {c.code: dict(c.data) for c in consents.consequences(house, clinic.patient, "fingerprints", given)}
    assert seen == {"fingers_wiped": {"count": 1}, "other_ways_stay": {}, "permits_stay": {}}
    consents.end(house, me, given)
    assert state_of(house, permit.request) == "confirmed"
    with house.read() as tx:
        [finger] = tx.execute(sa.select(f.c.withdrawn_at, f.c.template_sealed)).all()
        assert finger.withdrawn_at is not None and finger.template_sealed == b""
        assert consents.taken_back(tx, clinic.patient, "fingerprints")
    from ost.services.fingerprints import write

    def enrol_again():
        with house.work(SYSTEM, "HUA1", "made.again") as work:
            work.lock_patients([clinic.patient])
            write(work, "test", clinic.patient, "right_index", (), (), None, True)

    with pytest.raises(Refusal, match="fingerprint_consent_ended"):
        enrol_again()


def test_one_kind_taken_back_leaves_the_others(house, clinic, permit):
    me = Actor(f"patient:{clinic.patient}")
    consents.give(house, me, clinic.patient, "messages")
    consents.give(house, me, clinic.patient, "fingerprints")
    assert consents.end_kind(house, me, clinic.patient, "messages") == 1
    standing = {c.kind for c in consents.of_patient(house, me, clinic.patient) if c.stands}
    assert standing == {"guest_dosing", "fingerprints"} and state_of(house, permit.request) == "confirmed"


def test_another_person_gives_and_takes_back_nothing(house, clinic, permit):
    other = Actor(f"patient:{make_patient(house, 'HUA1')}")
    with pytest.raises(Refusal, match="consent_unknown"):
        consents.end(house, other, permit.consent)
    for act in (
        lambda: consents.give(house, other, clinic.patient, "messages"),
        lambda: consents.end_kind(house, other, clinic.patient, "guest_dosing"),
        lambda: consents.of_patient(house, other, clinic.patient),
    ):
        with pytest.raises(Refusal, match="patient_unknown"):
            act()
    assert state_of(house, permit.request) == "confirmed"


@pytest.mark.parametrize("scope", [None, {}, {"sites": []}, {"anywhere": False}, {"police": ["X"]}])
def test_a_consent_to_guest_dosing_says_where(house, clinic, scope):
    me = Actor(f"patient:{clinic.patient}")
    until = days_from(house, "HUA1", 5)[0]
    with pytest.raises(Refusal, match="input_invalid"):
        consents.give(house, me, clinic.patient, "guest_dosing", until, scope=scope)


def test_one_persons_broken_record_does_not_keep_the_others_from_being_looked_at(house, clinic, permit, monkeypatch):
    from ost.services.guest import follow

    other = make_patient(house, "HUA1")
    make_prescription(house, other)
    second = make_permit(house, other, "TPE1", days_from(house, "HUA1", 0))
    with house.work(SYSTEM, "TPE1", "made.unlisted") as work:
        g = opening.guest_site
        work.tx.execute(sa.update(g).where(g.c.site == "TPE1").values(listed=False))
        work.payload = {"site": "TPE1"}
    real = follow.review

    def breaks(work, house, patient_id, because):
        if patient_id == clinic.patient:
            raise ValueError("broken")
        real(work, house, patient_id, because)

    monkeypatch.setattr(follow, "review", breaks)
    done = review_all.review_all(house)
    assert (done.people, done.changed, done.failed) == (2, 1, 1)
    assert (state_of(house, permit.request), state_of(house, second.request)) == ("confirmed", "ended")
