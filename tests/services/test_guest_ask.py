"""Asking for a place elsewhere: what blocks, what is kept, what is confirmed at once, and who may ask for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import guest, message, opening, site
from ost.rules import guest as rules
from ost.services import consents, holds, stranger
from ost.services.guest import standing
from ost.services.guest.ask import Asked, NotAsked, ask, look
from ost.services.guest.consent import NewConsent
from ost.services.guest.countersign import beforehand
from ost.services.guest.drop import drop_day
from ost.services.verify import verify
from ost.services.work import Actor, new_id
from tests import make
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world


@pytest.fixture
def world(house, clock):
    return make_world(house)


def codes(said: NotAsked) -> set[str]:
    return {r.code for r in said.reasons if r.tier == "stop"}


def test_a_wish_waits_for_home_and_holds_its_places(world):
    said = world.asked(1, 2)
    assert (said.state, said.permit, said.days) == (rules.ASKED, None, (world.day(1), world.day(2)))
    assert [(p.site, p.day, p.second) for p in world.places()] == [
        (THERE, world.day(1), False),
        (THERE, world.day(2), False),
    ]
    assert [m.kind for m in world.rows(message.message)] == ["guest_asked"]
    assert verify(world.house).passed


def test_with_everything_said_beforehand_it_is_confirmed_at_once_with_its_pass(world):
    world.allow()
    world.asked(9)  # gives the consent; the signature rests on it
    beforehand(world.house, world.there_prescriber, world.patient, THERE, world.day(60))
    said = world.ask(1, 2, 3)
    assert said.state == rules.CONFIRMED and said.permit
    (permit,) = world.rows(guest.guest_permit, id=said.permit)
    assert permit.orders == f'["{world.clinic.order}"]' and permit.countersign
    assert len(world.rows(guest.guest_pass, permit=said.permit)) == 1
    kinds = [m.kind for m in world.rows(message.message)]
    assert kinds.count("guest_confirmed") == 1
    steps = [s.action for s in world.rows(guest.guest_step, request=said.request_id)]
    assert steps == ["ask", "authorise", "accept", "confirm"]
    assert verify(world.house).passed


def test_where_the_policy_asks_no_signature_the_standing_authorisation_alone_is_enough(world):
    world.no_countersign()
    world.allow()
    assert world.ask(1).state == rules.CONFIRMED


def test_a_site_that_is_stricter_than_its_policy_is_waited_for(world):
    world.no_countersign()
    world.allow()
    with world.house.db.begin() as tx:
        tx.execute(sa.update(opening.guest_site).where(opening.guest_site.c.site == THERE).values(policy_countersign=True))
    assert world.ask(1).state == rules.ACCEPTED


def test_a_signature_beforehand_is_for_these_orders_and_days_only(world):
    world.allow()
    world.asked(9)
    beforehand(world.house, world.there_prescriber, world.patient, THERE, world.day(5))
    assert world.ask(6).state == rules.ACCEPTED  # later than it serves
    assert world.ask(1, site=NEAR).state == rules.ACCEPTED  # another site


def test_beyond_the_first_so_many_guests_a_day_the_site_answers_itself(house, clock):
    world = make_world(house, places=3, at_once=1)
    world.no_countersign()
    world.allow()
    other = world.another_patient()
    assert isinstance(world.ask(1, patient_id=other), Asked)
    assert world.ask(1).state == rules.APPROVED


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        ({"anywhere": True}, True),
        ({"sites": (THERE,)}, True),
        ({"sites": (NEAR,)}, False),
        ({"radius_m": 130_000}, True),
        ({"radius_m": 100_000}, False),
        ({"corridor_from": HOME, "corridor_to": NEAR, "corridor_m": 10_000}, True),
        ({"corridor_from": HOME, "corridor_to": FAR, "corridor_m": 10_000}, False),
    ],
)
def test_a_standing_authorisation_reaches_as_far_as_it_says(world, where, covered):
    world.allow(**({"anywhere": False} | where))
    said = world.ask(1)
    assert (said.state == rules.ACCEPTED) is covered


def test_the_days_of_a_year_are_counted_as_they_are_confirmed_and_given_back(world):
    world.no_countersign()
    world.allow(days_a_year=3)
    first = world.asked(1, 2)
    assert first.state == rules.CONFIRMED
    assert world.ask(4, 5).state == rules.ASKED
    with world.house.read() as tx:
        assert standing.days_used(tx, world.patient, [world.today.year])[world.today.year] == 2
    drop_day(world.house, world.me, first.request_id, world.day(2))
    assert world.ask(6, 7).state == rules.CONFIRMED


def test_an_ended_or_expired_authorisation_covers_nothing(world):
    standing.end(world.house, world.prescriber, world.allow())
    assert world.ask(1).state == rules.ASKED
    world.allow(until=world.day(3))
    assert world.ask(5).state == rules.ASKED


def test_a_recent_change_of_dose_is_for_the_prescriber_also_where_authorised(world):
    world.allow()
    person = make.make_patient(world.house, HOME)
    make.make_prescription(world.house, person, sites=(HOME,), starts_on=world.day(-5), previous_dose_ug=50_000)
    standing.grant(
        world.house, world.prescriber, standing.Allowed(person, 30, world.day(99), anywhere=True)
    )
    said = look(world.house, world.nurse, world.wanted(1, patient_id=person))
    assert said.possible and not said.instant and said.waits_for == rules.HOME
    assert {(r.code, r.tier) for r in said.reasons} >= {("guest_dose_changed", "reason")}
    assert ask(world.house, world.nurse, world.wanted(1, patient_id=person)).state == rules.ASKED


def test_everything_that_stands_against_it_is_said_at_once(world):
    holds.place(
        world.house, world.nurse, world.patient, site_id=HOME, kind="clinical",
        reason_code="medical_review", come_back_on=world.day(3),
    )  # fmt: skip
    wanted = world.wanted(-3, 200, consent=NewConsent(world.day(1)))
    said = ask(world.house, world.nurse, wanted)
    assert codes(said) == {"on_hold", "guest_day_past", "guest_day_too_far", "guest_consent_missing"}
    assert world.places() == [] and world.rows(guest.guest_request) == []


def test_an_administrative_hold_does_not_travel(world):
    holds.place(
        world.house, world.nurse, world.patient, site_id=HOME, kind="administrative",
        reason_code="transfer", come_back_on=world.day(3),
    )  # fmt: skip
    assert isinstance(world.ask(1), Asked)


def test_a_long_stay_and_short_notice_never_block(world):
    said = look(world.house, world.nurse, world.wanted(*range(1, 20)))
    tiers = {r.code: r.tier for r in said.reasons}
    assert said.possible and tiers == {"guest_long_stay": "reason", "guest_short_notice": "note"}


@pytest.mark.parametrize(
    ("make_it", "code"),
    [
        (lambda w: {"places": 0}, "guest_day_full"),
        (lambda w: {"medicines": '["buprenorphine"]'}, "guest_site_without_medicine"),
        (lambda w: {"listed": False}, "guest_site_not_open_to_guests"),
    ],
)
def test_demand_that_cannot_be_met_is_kept_once_and_others_with_room_are_named(world, make_it, code):
    with world.house.db.begin() as tx:
        for name, value in make_it(world).items():
            table = {"places": opening.site_hours, "medicines": site.site, "listed": opening.guest_site}[name]
            column = table.c.id if table is site.site else table.c.site
            tx.execute(sa.update(table).where(column == THERE).values(**{name: value}))
    wanted = world.wanted(1, 2)
    said = ask(world.house, world.nurse, wanted)
    assert codes(said) == {code}
    assert [a.site for a in said.alternatives] == [NEAR, FAR]  # the nearest first, never home
    assert said.alternatives[0].distance_m < 5_000 < said.alternatives[1].distance_m
    assert [h[1:4] for h in said.alternatives[0].hours] == [("07:00", "11:30", "12:00")] * 2
    ask(world.house, world.nurse, wanted)
    unmet = world.rows(guest.guest_unmet)
    assert sorted((u.day, u.why, u.county) for u in unmet) == [(world.day(n), code, "TPE") for n in (1, 2)]
    assert verify(world.house).passed


def test_today_is_possible_until_the_last_dosing_time_there(world, clock):
    clock.move_to(world.house.now().replace(hour=3, minute=31))  # 11:31 in Taipei
    said = world.ask(0)
    assert codes(said) == {"guest_day_too_late"} and said.alternatives == ()


def test_a_dose_given_today_at_home_leaves_no_guest_day_today(world):
    assert make.give(world.house, world.clinic).state == "promised"
    assert "guest_dosed_already" in codes(world.ask(0))


def test_the_same_id_gets_the_same_answer_and_other_content_is_refused(world):
    wanted = world.wanted(1, 2)
    first = ask(world.house, world.nurse, wanted)
    assert ask(world.house, world.nurse, wanted) == first
    assert ask(world.house, world.me, replace(wanted, by_role="patient")) == first
    for changed in ({"days": (world.day(1),)}, {"site": NEAR}, {"reason": "work"}):
        with pytest.raises(Refusal) as no:
            ask(world.house, world.nurse, replace(wanted, **changed))
        assert no.value.code == "guest_id_used"
    other = world.another_patient()
    with pytest.raises(Refusal) as no:
        ask(world.house, world.nurse, replace(wanted, patient_id=other))
    assert no.value.code == "guest_id_used"
    assert len(world.rows(guest.guest_request)) == 1 and len(world.places()) == 2


def stand_at(world, code: str, page: str) -> None:
    with world.house.work(world.there, code, "test.stood") as work:
        stranger.tell_about(work, world.patient, page)


def test_who_may_ask_for_whom(world):
    """Another patient, another site's nurse, a guest site that may not see them: nobody is there."""
    other = world.another_patient()
    for actor, values in [
        (Actor(f"patient:{other}"), {"by_role": "patient"}),
        (world.there, {}),
        (world.there, {"by_role": "guest"}),
        (world.centre, {}),
    ]:
        with pytest.raises(Refusal) as no:
            world.ask(1, actor=actor, **values)
        assert no.value.code in ("patient_unknown", "not_permitted")
    consents.give(world.house, world.nurse, world.patient, "found_elsewhere", world.day(30))
    with pytest.raises(Refusal, match="patient_unknown"):
        world.ask(1, actor=world.there, by_role="guest")  # agreed, and not there
    for code, page in ((NEAR, "counter.touch"), (THERE, "counter.number")):
        stand_at(world, code, page)
        with pytest.raises(Refusal, match="patient_unknown"):
            world.ask(1, actor=world.there, by_role="guest")
    stand_at(world, THERE, "counter.touch")
    said = world.ask(1, actor=world.there, by_role="guest")
    assert world.rows(guest.guest_request, id=said.request_id)[0].by_role == "guest"
    with pytest.raises(Refusal):
        world.ask(2, actor=world.there, by_role="guest", site=NEAR)  # not their own site


def test_a_consent_reaches_where_it_says_and_as_long_as_it_stands(world):
    assert isinstance(world.ask(1, consent=NewConsent(world.day(5), counties=("TPE",))), Asked)
    assert isinstance(world.ask(2, consent=None), Asked)
    assert codes(world.ask(3, consent=None, site=FAR)) == {"guest_consent_missing"}
    assert codes(world.ask(6, consent=None)) == {"guest_consent_missing"}
    assert codes(world.ask(3, consent=new_id())) == {"guest_consent_missing"}


def test_a_person_has_one_site_a_day(world):
    world.asked(1, 2)
    said = world.ask(2, 3, site=NEAR)
    assert codes(said) == {"guest_booked_elsewhere"}
    assert len(world.places()) == 2


def test_a_look_writes_nothing_and_says_what_asking_says(world):
    before = len(world.rows(guest.guest_unmet))
    wanted = world.wanted(1)
    seen = look(world.house, world.nurse, wanted)
    assert seen.possible and seen.waits_for == rules.HOME and seen.distance_m > 100_000
    assert world.places() == [] and len(world.rows(guest.guest_unmet)) == before
    world.allow()
    assert look(world.house, world.nurse, wanted).waits_for == rules.GUEST_PRESCRIBER
    world.no_countersign()
    assert look(world.house, world.nurse, wanted).instant


def test_days_of_an_order_that_ends_are_named(world):
    person = make.make_patient(world.house, HOME)
    make.make_prescription(world.house, person, sites=(HOME,), ends_on=world.day(2))
    said = world.ask(2, 3, patient_id=person)
    stops = [(r.code, r.data["day"]) for r in said.reasons if r.tier == "stop"]
    assert stops == [("guest_no_order", world.day(3).isoformat())]


def test_three_missed_days_send_a_person_home_first(world):
    person = make.make_patient(world.house, HOME)
    make.make_prescription(world.house, person, sites=(HOME,), elsewhere_on=world.today - timedelta(days=9))
    assert "guest_missed_days" in codes(world.ask(1, patient_id=person))
