"""A request's steps: each by whom the table names and by nobody else, with everything that follows in the same moment."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit, guest, message, opening
from ost.models.patient import patient
from ost.rules import guest as rules
from ost.services import consents, holds, prescriptions
from ost.services.guest import (
    act,
    answer,
    cancel,
    centre,
    change,
    countersign,
    drop,
    jobs,
    notices,
    on_call,
    read,
)
from ost.services.guest.ask import Asked, NotAsked
from ost.services.guest.consent import NewConsent
from ost.services.guest.take_over import take_over
from ost.services.order_draft import Draft
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from ost.services.work import SYSTEM, Actor
from tests import make
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world


@pytest.fixture
def world(house, clock):
    return make_world(house)


def confirmed(world, *ahead, **values) -> str:
    """The id of a request that went the whole way by people."""
    said = world.asked(*ahead, **values)
    moved = answer.approve(world.house, world.prescriber, said.request_id)
    assert moved.state == rules.ACCEPTED, moved
    signer = make.make_account(world.house, "prescriber", scope=values.get("site", THERE))
    moved = countersign.countersign(world.house, signer, said.request_id)
    assert moved.state == rules.CONFIRMED, moved
    return said.request_id


def refused(code: str, verb, *args, **values) -> None:
    with pytest.raises(Refusal) as no:
        verb(*args, **values)
    assert no.value.code == code


def kinds(world) -> list[str]:
    return sorted(m.kind for m in world.rows(message.message))


def test_by_people_from_asking_to_the_pass(world):
    house, request = world.house, confirmed(world, 1, 2)
    (head,) = world.rows(guest.guest_head, request=request)
    (permit,) = world.rows(guest.guest_permit, request=request)
    assert head.permit == permit.id and permit.countersign and json.loads(permit.orders) == [world.clinic.order]
    assert [(d.day, d.number) for d in world.rows(guest.permit_day, permit=permit.id)] == [
        (world.day(1), 1),
        (world.day(2), 2),
    ]
    who = [(s.action, s.by_role) for s in world.rows(guest.guest_step, request=request)]
    assert who == [("ask", "home"), ("approve", "prescriber"), ("accept", "system"), ("confirm", "guest_prescriber")]
    assert kinds(world) == ["guest_asked", "guest_confirmed"]
    assert verify(house).passed


ROLES = ("patient", "home", "prescriber", "guest", "guest_prescriber", "centre", "nobody")
VERBS = {
    "question": lambda h, a, r: answer.question(h, a, r, "?"),
    "answer": lambda h, a, r: answer.answer(h, a, r, "!"),
    "approve": lambda h, a, r: answer.approve(h, a, r),
    "take_over": lambda h, a, r: take_over(h, a, r),
    "decline": lambda h, a, r: answer.decline(h, a, r, reason="not_stable"),
    "accept": lambda h, a, r: answer.accept(h, a, r),
    "refuse": lambda h, a, r: answer.refuse(h, a, r, reason="no_staff"),
    "confirm": lambda h, a, r: countersign.countersign(h, a, r),
    "offer": lambda h, a, r: centre.offer(h, a, r, NEAR),
    "take_offer": lambda h, a, r: centre.take_offer(h, a, r),
    "leave_offer": lambda h, a, r: centre.leave_offer(h, a, r),
    "drop_day": lambda h, a, r: drop.drop_day(h, a, r, h.now().date() + timedelta(days=1)),
    "cancel": lambda h, a, r: cancel.cancel(h, a, r),
    "end": lambda h, a, r: cancel.end(h, a, r),
}


def brought_to(world, state: str) -> str:
    """A request in that state, by the verbs themselves."""
    house = world.house
    if state == rules.APPROVED:
        said = world.asked(1)  # no at-once place is left, see below
        with house.db.begin() as tx:
            tx.execute(sa.update(opening.site_hours).values(at_once=0))
        answer.approve(house, world.prescriber, said.request_id)
        return said.request_id
    if state in (rules.CONFIRMED, rules.PAUSED):
        request = confirmed(world, 1)
        if state == rules.PAUSED:
            holds.place(
                house, world.nurse, world.patient, site_id=HOME, kind="clinical",
                reason_code="medical_review", come_back_on=world.day(3),
            )  # fmt: skip
        return request
    request = world.asked(1).request_id
    if state == rules.QUESTION:
        answer.question(house, world.nurse, request, "?")
    elif state == rules.ACCEPTED:
        answer.approve(house, world.prescriber, request)
    elif state == rules.OFFERED:
        centre.offer(house, world.centre, request, NEAR)
    elif state == rules.CANCELLED:
        cancel.cancel(house, world.me, request)
    return request


@pytest.mark.parametrize(
    "state",
    [
        rules.ASKED,
        rules.QUESTION,
        rules.APPROVED,
        rules.ACCEPTED,
        rules.OFFERED,
        rules.CONFIRMED,
        rules.PAUSED,
        rules.CANCELLED,
    ],
)
def test_what_the_table_does_not_list_nobody_does(world, state):
    """Every verb by every role, from a real request in each state: refused unless listed, and nothing is written."""
    house, request = world.house, brought_to(world, state)
    assert world.state(request) == state
    actors = {
        "patient": world.me,
        "home": make.make_account(house, "case_manager", scope=HOME),
        "prescriber": world.prescriber,
        "guest": world.there,
        "guest_prescriber": world.there_prescriber,
        "centre": world.centre,
        "nobody": make.make_account(house, "nurse", "prescriber", scope=FAR),
    }
    steps = len(world.rows(guest.guest_step))
    tried = 0
    for action, verb in VERBS.items():
        for role, actor in actors.items():
            # A prescriber asks and cancels at their own site as its other people do.
            as_home = rules.actions_for(state, rules.HOME) if role == "prescriber" else ()
            if action in (*rules.actions_for(state, role), *as_home):
                continue
            # A signature may be given before the site accepts and while a permit waits for one: it is no step.
            if action == "confirm" and role == "guest_prescriber" and state in countersign.STATES:
                continue
            with pytest.raises(Refusal) as no:
                verb(house, actor, request)
            expected = {"nobody": ("guest_request_unknown",)}.get(
                role, ("not_permitted", "guest_step_not_possible")
            )
            assert no.value.code in expected, (state, action, role, no.value.code)
            tried += 1
    assert tried > 60
    assert len(world.rows(guest.guest_step)) == steps and world.state(request) == state


def test_a_hold_placed_meanwhile_stops_the_approval_and_is_said(world):
    said = world.asked(1)
    holds.place(
        world.house, world.nurse, world.patient, site_id=HOME, kind="clinical",
        reason_code="medical_review", come_back_on=world.day(3),
    )  # fmt: skip
    moved = answer.approve(world.house, world.prescriber, said.request_id)
    assert isinstance(moved, act.NotMoved) and "on_hold" in {r.code for r in moved.reasons}
    assert world.state(said.request_id) == rules.ASKED
    with world.house.read() as tx:
        kinds_ = tx.execute(sa.select(audit.audit_event.c.kind)).scalars().all()
    assert "guest.not_moved" in kinds_ and verify(world.house).passed


def test_an_answer_to_what_was_shown_before_is_refused(world):
    said = world.asked(1)
    shown = read.one(world.house, world.prescriber, said.request_id)
    answer.question(world.house, world.nurse, said.request_id, "哪一天回來？")
    answer.answer(world.house, world.me, said.request_id, "星期日")
    refused(
        "guest_changed_since_shown",
        answer.approve, world.house, world.prescriber, said.request_id, seen_step=shown.step,
    )  # fmt: skip


def test_words_of_a_question_lie_sealed_and_open_for_the_two_of_them_only(world):
    said = world.asked(1)
    answer.question(world.house, world.nurse, said.request_id, "為什麼要去臺北？")
    answer.answer(world.house, world.me, said.request_id, "看我媽媽")
    for note in world.rows(guest.guest_note):
        assert "臺北".encode() not in note.text_sealed and "媽媽".encode() not in note.text_sealed
    shown = read.one(world.house, world.prescriber, said.request_id)
    assert [s.note for s in shown.steps] == [None, "為什麼要去臺北？", "看我媽媽"]
    seen = read.one(world.house, world.centre, said.request_id)
    assert [s.note for s in seen.steps] == [None, None, None] and seen.person is None


def test_declined_with_a_reason_of_the_list_gives_the_places_back(world):
    said = world.asked(1)
    refused("guest_reason_needed", answer.decline, world.house, world.prescriber, said.request_id, reason=None)
    refused("input_invalid", answer.decline, world.house, world.prescriber, said.request_id, reason="because")
    answer.decline(world.house, world.prescriber, said.request_id, reason="not_stable")
    assert world.places() == [] and "guest_declined" in kinds(world)


def test_refused_there_with_other_places_and_the_demand_is_kept(world):
    said = world.asked(1, 2)
    answer.approve(world.house, world.prescriber, said.request_id)
    done = answer.refuse(world.house, world.there_prescriber, said.request_id, reason="no_stock")
    assert [a.site for a in done.alternatives] == [NEAR, FAR] and done.moved.state == rules.NOT_ACCEPTED
    assert [(u.day, u.why) for u in world.rows(guest.guest_unmet)] == [(world.day(n), "no_stock") for n in (1, 2)]
    assert world.places() == []


def test_the_delegate_on_call_answers_and_the_step_says_so(world):
    said = world.asked(1)
    other = make.make_account(world.house, "prescriber", scope=FAR)
    refused("guest_request_unknown", answer.approve, world.house, other, said.request_id)
    nurse = make.make_account(world.house, "nurse", scope=FAR)
    now = world.house.now()
    refused("input_invalid", on_call.put, world.house, world.prescriber, HOME, nurse.id, now, now + timedelta(hours=8))
    row = on_call.put(world.house, world.prescriber, HOME, other.id, now, now + timedelta(hours=8))
    assert read.waiting(world.house, other, HOME)["home"][0].id == said.request_id
    assert answer.approve(world.house, other, said.request_id).state == rules.ACCEPTED
    (step,) = world.rows(guest.guest_step, request=said.request_id, action="approve")
    assert json.loads(step.data)["on_call"] == row and step.by == other.id
    second = world.asked(2)
    on_call.end(world.house, world.prescriber, row)
    refused("guest_request_unknown", answer.approve, world.house, other, second.request_id)


def test_who_takes_over_waited_looked_and_home_is_told(world, clock):
    said = world.asked(1)
    doctor = world.there_prescriber
    refused("guest_too_early", take_over, world.house, doctor, said.request_id)
    clock.shift(timedelta(minutes=31))
    refused("guest_look_first", take_over, world.house, doctor, said.request_id)
    shown = read.one(world.house, doctor, said.request_id)
    assert shown.person.orders[0].order.dose_ug == 60_000
    moved = take_over(world.house, doctor, said.request_id, seen_step=shown.step)
    assert moved.state == rules.CONFIRMED  # the site's own rule took the person, and the order is the doctor's own
    (step,) = world.rows(guest.guest_step, request=said.request_id, action="take_over")
    assert step.by_role == "guest_prescriber" and step.by == doctor.id
    (told,) = notices.of_site(world.house, world.nurse, HOME)
    assert (told.kind, told.request_id) == ("taken_over", said.request_id)
    notices.seen(world.house, world.nurse, told.id)
    assert notices.of_site(world.house, world.nurse, HOME) == []
    (access,) = world.rows(audit.record_access, account=doctor.id)
    assert access.page == "guest_request"


def test_an_offer_holds_both_places_until_one_is_chosen(world):
    said = world.asked(1, 2)
    moved = centre.offer(world.house, world.centre, said.request_id, NEAR)
    assert moved.state == rules.OFFERED
    assert sorted((p.site, p.second) for p in world.places()) == [(THERE, False)] * 2 + [(NEAR, True)] * 2
    centre.leave_offer(world.house, world.me, said.request_id)
    assert [(p.site, p.second) for p in world.places()] == [(THERE, False)] * 2
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    moved = centre.take_offer(world.house, world.me, said.request_id)
    assert [(p.site, p.second) for p in world.places()] == [(NEAR, False)] * 2
    (head,) = world.rows(guest.guest_head, request=said.request_id)
    assert (head.site, moved.state) == (NEAR, rules.ASKED)
    refused("guest_request_unknown", answer.accept, world.house, world.there, said.request_id)
    assert verify(world.house).passed


def test_an_offer_left_leaves_the_approval_of_the_first_place(world):
    said = world.asked(1)
    answer.approve(world.house, world.prescriber, said.request_id)
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    assert centre.leave_offer(world.house, world.me, said.request_id).state == rules.ACCEPTED
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    assert centre.take_offer(world.house, world.me, said.request_id).state == rules.ASKED  # another place: asked anew


def test_an_offer_beyond_the_consent_needs_one_to_be_taken(world):
    said = world.asked(1, consent=NewConsent(world.day(9)))  # reaches the site asked for alone
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    moved = centre.take_offer(world.house, world.me, said.request_id)
    assert {r.code for r in moved.reasons if r.tier == "stop"} == {"guest_consent_missing"}
    given = NewConsent(world.day(9), sites=(NEAR,))
    assert centre.take_offer(world.house, world.me, said.request_id, given=given).state == rules.ASKED
    (head,) = world.rows(guest.guest_head, request=said.request_id)
    assert head.consent != world.rows(guest.guest_request, id=said.request_id)[0].consent
    assert answer.approve(world.house, world.prescriber, said.request_id).state == rules.ACCEPTED


def test_home_takes_a_day_back_and_the_last_one_ends_the_permit(world):
    request = confirmed(world, 0, 1)
    moved = drop.drop_day(world.house, world.nurse, request, world.day(0))
    assert moved.days == (world.day(1),) and moved.state == rules.CONFIRMED
    assert make.give(world.house, world.clinic).state == "promised"  # the day is home's again
    refused("guest_day_not_booked", drop.drop_day, world.house, world.nurse, request, world.day(0))
    refused("guest_day_over", drop.drop_day, world.house, world.nurse, request, world.day(-1))
    assert drop.drop_day(world.house, world.me, request, world.day(1)).state == rules.CANCELLED
    ends = {(e.day, e.why) for e in world.rows(guest.permit_day_end)}
    assert ends == {(world.day(0), "taken_back"), (world.day(1), "cancelled")}
    assert world.places() == [] and all(p.revoked_at for p in world.rows(guest.guest_pass))
    assert verify(world.house).passed


def guest_dose(world, **values):
    bottle = make.make_bottle(world.house, THERE)
    return make.give(world.house, world.clinic, actor=world.there, site=THERE, bottle=bottle, **values)


def test_a_day_that_was_used_stays_whatever_is_cancelled(world):
    request = confirmed(world, 0, 1)
    assert guest_dose(world).state == "promised"
    refused("guest_day_used", drop.drop_day, world.house, world.me, request, world.day(0))
    assert cancel.cancel(world.house, world.me, request).state == rules.CANCELLED
    assert [p.day for p in world.places()] == [world.day(0)]
    assert [e.day for e in world.rows(guest.permit_day_end)] == [world.day(1)]


def test_another_site_for_a_day_in_one_step_and_the_old_day_stands_until_then(world):
    request = confirmed(world, 1, 2)
    wanted = world.wanted(2, site=NEAR)
    said = change.change(world.house, world.me, request, change.replace(wanted, by_role="patient"))
    assert isinstance(said, Asked) and said.state == rules.ASKED
    assert [(p.site, p.day, p.second) for p in world.places()] == [
        (THERE, world.day(1), False),
        (THERE, world.day(2), False),
        (NEAR, world.day(2), True),
    ]
    answer.approve(world.house, world.prescriber, said.request_id)
    near = make.make_account(world.house, "prescriber", scope=NEAR)
    assert countersign.countersign(world.house, near, said.request_id).state == rules.CONFIRMED
    assert [(p.site, p.day, p.second) for p in world.places()] == [
        (THERE, world.day(1), False),
        (NEAR, world.day(2), False),
    ]
    assert [(e.day, e.why) for e in world.rows(guest.permit_day_end)] == [(world.day(2), "moved")]
    assert world.state(request) == rules.CONFIRMED and verify(world.house).passed


def test_a_change_is_instant_where_authorised_and_nothing_is_lost_where_it_cannot_be(world):
    world.no_countersign()
    world.allow()
    first = world.asked(0)
    assert first.state == rules.CONFIRMED
    with world.house.db.begin() as tx:
        tx.execute(sa.update(opening.site_hours).where(opening.site_hours.c.site == FAR).values(places=0))
    full = change.change(world.house, world.nurse, first.request_id, world.wanted(0, site=FAR))
    assert isinstance(full, NotAsked) and world.state(first.request_id) == rules.CONFIRMED
    moved = change.change(world.house, world.nurse, first.request_id, world.wanted(0, site=NEAR))
    assert moved.state == rules.CONFIRMED and world.state(first.request_id) == rules.ENDED
    assert [(p.site, p.second) for p in world.places()] == [(NEAR, False)]
    more = change.change(world.house, world.nurse, moved.request_id, world.wanted(3, site=NEAR))
    assert more.state == rules.CONFIRMED and world.state(moved.request_id) == rules.CONFIRMED
    assert verify(world.house).passed


def test_another_persons_request_is_changed_by_nobody(world):
    request = confirmed(world, 1)
    other = world.another_patient()
    refused(
        "guest_request_unknown",
        change.change, world.house, Actor(f"patient:{other}"), request,
        world.wanted(1, patient_id=other, by_role="patient", consent=NewConsent(world.day(9))),
    )  # fmt: skip


def test_a_new_order_waits_for_the_signature_and_goes_on_with_it(world):
    request = confirmed(world, 1, 2)
    draft = Draft(patient_id=world.patient, medicine="methadone", phase="maintenance", dose_ug=55_000, starts_on=world.day(0), sites=(HOME,))  # fmt: skip
    prescriptions.change(world.house, world.prescriber, world.clinic.order, draft)
    assert world.state(request) == rules.PAUSED
    countersign.countersign(world.house, world.there_prescriber, request)
    assert world.state(request) == rules.CONFIRMED and verify(world.house).passed


def test_consent_taken_back_ends_the_request(world):
    request = confirmed(world, 1)
    (head,) = world.rows(guest.guest_head, request=request)
    consents.end(world.house, world.nurse, head.consent)
    assert world.state(request) == rules.ENDED and world.places() == []


def test_an_unused_day_reaches_home_within_the_hour_and_the_end_has_a_summary(world, clock):
    request = confirmed(world, 0, 1)
    given = guest_dose(world)
    end(world.house, world.there, Ending(given.dose_id, "swallowed"))
    clock.shift(timedelta(hours=5))
    assert jobs.run_all(world.house) == ""  # the day was used
    clock.shift(timedelta(days=1) - timedelta(hours=5))
    assert jobs.run_all(world.house) == ""  # 08:10: they may still come
    clock.shift(timedelta(hours=4))
    assert jobs.unused(world.house) == 1  # 12:10, the site closed at noon
    assert jobs.unused(world.house) == 0
    (told,) = notices.of_site(world.house, world.nurse, HOME)
    assert (told.kind, told.day, told.patient_id) == ("unused_day", world.day(1), world.patient)
    assert kinds(world).count("guest_day_unused") == 1
    clock.shift(timedelta(hours=16))
    assert jobs.close(world.house) == 1 and jobs.close(world.house) == 0
    (step,) = world.rows(guest.guest_step, request=request, action="close")
    data = json.loads(step.data)
    assert {k: data[k] for k in ("booked", "attended", "missed", "unknown", "doses")} == {
        "booked": 2, "attended": 1, "missed": 1, "unknown": 0, "doses": 1,
    }  # fmt: skip
    assert [p.day for p in world.places()] == [world.day(0), world.day(1)]  # what was is kept
    assert verify(world.house).passed


def test_nobody_decided_before_its_last_day_was_over(world, clock):
    said = world.asked(0)
    assert jobs.expire(world.house) == 0
    clock.shift(timedelta(days=1))
    assert jobs.expire(world.house) == 1
    assert world.state(said.request_id) == rules.EXPIRED and "guest_expired" in kinds(world)


def test_the_centre_sees_needs_and_never_whose_they_are(world):
    said = world.asked(1, 2)
    (line,) = read.open_everywhere(world.house, world.centre)
    assert (line.number, line.days, line.county, line.patient_number) == (said.number, 2, "TPE", None)
    whole = repr(line) + repr(read.one(world.house, world.centre, said.request_id))
    with world.house.read() as tx:
        number = tx.execute(sa.select(patient.c.number).where(patient.c.id == world.patient)).scalar_one()
    assert world.patient not in whole and number not in whole and "陳大明" not in whole
    refused("not_permitted", read.open_everywhere, world.house, world.nurse)
    refused("not_permitted", read.of_site, world.house, world.centre, HOME)


def test_the_facts_lie_side_by_side_for_who_decides(world):
    before = confirmed(world, 0)
    end(world.house, world.there, Ending(guest_dose(world).dose_id, "swallowed"))
    said = world.asked(3)
    shown = read.one(world.house, world.prescriber, said.request_id)
    person = shown.person
    assert {"question", "approve", "decline"} <= set(shown.actions) and "prescriber" in shown.roles
    assert person.name == "陳大明" and person.last_visit == (world.today, THERE)
    assert [(s.request_id, s.found.booked, s.found.attended) for s in person.stays] == [(before, 1, 1)]
    assert person.orders[0].since == world.day(-60) and person.missed_30 is not None
    holds.place(
        world.house, world.nurse, world.patient, site_id=HOME, kind="administrative",
        reason_code="fee_unpaid",
    )  # fmt: skip
    assert len(read.one(world.house, world.nurse, said.request_id).person.holds) == 1
    there = read.one(world.house, world.there, said.request_id)
    assert there.person.holds == () and "hold_note" not in {r.code for r in there.reasons}
    consents.end(world.house, world.nurse, world.rows(guest.guest_head, request=said.request_id)[0].consent)
    assert read.one(world.house, world.there, said.request_id).person is None


def test_a_moved_head_a_place_held_too_long_and_two_permits_for_a_day_show(world):
    request = confirmed(world, 1, 5)
    other = confirmed(world, 3)
    (permit,) = world.rows(guest.guest_permit, request=other)
    head, place = guest.guest_head, guest.guest_place
    with world.house.work(SYSTEM, HOME, "test.tamper") as work:
        work.add(guest.permit_day, permit=permit.id, day=world.day(1), number=2)
    found = {p["what"] for p in verify(world.house).problems}
    assert found == {"two permits bind the same person and day"}
    with world.house.db.begin() as tx:
        tx.execute(sa.update(head).where(head.c.request == request).values(state="closed"))
        tx.execute(sa.update(place).where(place.c.day == world.day(3)).values(request=request))
    found = {p["what"] for p in verify(world.house).problems}
    assert found == {"a request's head is not its last step", "a place is held by a request that is over"}
