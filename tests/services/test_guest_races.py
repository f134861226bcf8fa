"""Many at once: the last place, one person at two sites, one id twice, an approval and a hold in the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from ost.errors import Refusal
from ost.models import audit, guest
from ost.rules import guest as rules
from ost.services import holds
from ost.services.guest import answer, cancel, drop, standing
from ost.services.guest.act import NotMoved
from ost.services.guest.ask import Asked, ask
from ost.services.guest.consent import NewConsent
from ost.services.guest.countersign import countersign
from ost.services.verify import verify
from tests import make
from tests.services.guest_world import HOME, NEAR, THERE, make_world


def at_once(*acts):
    """Every act let go at one moment; what each returned, or the Refusal it met."""
    gate = threading.Barrier(len(acts))

    def run(act):
        gate.wait(30)
        try:
            return act()
        except Refusal as no:
            return no

    with ThreadPoolExecutor(len(acts)) as pool:
        return [each.result(60) for each in [pool.submit(run, act) for act in acts]]


def test_sixteen_for_the_last_place(house, clock):
    world = make_world(house, places=1, at_once=1)
    world.no_countersign()
    people = [world.another_patient() for _ in range(16)]
    given = NewConsent(world.day(9), anywhere=True)
    said = at_once(
        *(lambda p=p: ask(house, world.nurse, world.wanted(1, 2, patient_id=p, consent=given)) for p in people)
    )
    won = [s for s in said if isinstance(s, Asked)]
    lost = [s for s in said if s not in won]
    assert len(won) == 1 and len(lost) == 15
    assert all("guest_day_full" in {r.code for r in s.reasons} for s in lost)
    assert Counter((p.site, p.day, p.seat) for p in world.places()) == {
        (THERE, world.day(n), 1): 1 for n in (1, 2)
    }
    assert verify(house).passed


def test_one_person_two_sites_one_day(house, clock):
    world = make_world(house)
    world.no_countersign()
    world.allow()
    world.asked(9)
    said = at_once(*(lambda s=s: ask(house, world.nurse, world.wanted(1, site=s)) for s in (THERE, NEAR) * 3))
    states = [s.state for s in said]
    assert states.count(rules.CONFIRMED) == 1 and states.count("not_asked") == 5
    assert len(world.places(day=world.day(1))) == 1
    assert verify(house).passed


def test_one_request_sent_eight_times_is_one_request(house, clock):
    world = make_world(house)
    wanted = world.wanted(1, 2)
    said = at_once(*(lambda: ask(house, world.nurse, wanted) for _ in range(8)))
    assert len({(s.request_id, s.number, s.state) for s in said}) == 1
    assert len(world.rows(guest.guest_request)) == 1 and len(world.rows(guest.guest_step)) == 1


def test_one_id_for_two_people_is_one_of_them(house, clock):
    world = make_world(house)
    other = world.another_patient()
    wanted = world.wanted(1)
    mine = [lambda: ask(house, world.nurse, wanted)] * 2
    theirs = [lambda: ask(house, world.nurse, world.wanted(1, request_id=wanted.request_id, patient_id=other))] * 2
    said = at_once(*mine, *theirs)
    codes = Counter(s.code if isinstance(s, Refusal) else "asked" for s in said)
    assert codes == {"asked": 2, "guest_id_used": 2}
    assert len(world.rows(guest.guest_request)) == 1 and verify(house).passed


def test_approved_and_held_in_the_same_moment_is_one_after_the_other(house, clock):
    world = make_world(house)
    said = world.asked(1)

    def hold():
        return holds.place(
            house, world.nurse, world.patient, site_id=HOME, kind="clinical",
            reason_code="medical_review", come_back_on=world.day(3),
        )  # fmt: skip

    moved, _ = at_once(lambda: answer.approve(house, world.prescriber, said.request_id), hold)
    state = world.state(said.request_id)
    assert state == (rules.ASKED if isinstance(moved, NotMoved) else rules.ACCEPTED)
    # Whichever came first, nothing is confirmed past the hold.
    if state == rules.ASKED:
        assert isinstance(answer.approve(house, world.prescriber, said.request_id), NotMoved)
    else:
        assert isinstance(countersign(house, world.there_prescriber, said.request_id), NotMoved)
    assert verify(house).passed


def test_eight_decide_at_once_and_one_decision_stands(house, clock):
    world = make_world(house)
    said = world.asked(1)
    doctors = [make.make_account(house, "prescriber", scope=HOME) for _ in range(4)]
    acts = [lambda d=d: answer.approve(house, d, said.request_id, seen_step=1) for d in doctors]
    acts += [lambda d=d: answer.decline(house, d, said.request_id, reason="not_stable", seen_step=1) for d in doctors]
    done = [s for s in at_once(*acts) if not isinstance(s, Refusal)]
    assert len(done) == 1
    assert len(world.rows(guest.guest_step, request=said.request_id)) in (2, 3)  # approved is accepted by rule too
    assert verify(house).passed


def test_a_day_given_up_while_all_is_cancelled_is_given_back_once(house, clock):
    world = make_world(house)
    world.no_countersign()
    world.allow()
    said = world.asked(1, 2)
    at_once(
        lambda: cancel.cancel(house, world.me, said.request_id),
        lambda: drop.drop_day(house, world.nurse, said.request_id, world.day(1)),
        lambda: drop.drop_day(house, world.me, said.request_id, world.day(2)),
    )
    assert world.places() == [] and world.state(said.request_id) in (rules.CANCELLED, rules.ENDED)
    days = [e.day for e in world.rows(guest.permit_day_end)]
    assert sorted(days) == [world.day(1), world.day(2)]
    assert verify(house).passed


def test_the_first_two_permits_ever_keep_the_policy_once(house, clock):
    world = make_world(house, places=8, at_once=8)
    world.no_countersign()
    people = [world.another_patient() for _ in range(4)]
    for person in people:
        standing.grant(house, world.prescriber, standing.Allowed(person, 30, world.day(99), anywhere=True))
    given = NewConsent(world.day(9), anywhere=True)
    sites = (THERE, NEAR, THERE, NEAR)
    said = at_once(
        *(
            lambda p=p, s=s: ask(house, world.nurse, world.wanted(1, site=s, patient_id=p, consent=given))
            for p, s in zip(people, sites, strict=True)
        )
    )
    assert [s.state for s in said] == [rules.CONFIRMED] * 4
    assert len(world.rows(audit.policy_version, name="base")) == 1
    assert verify(house).problems == []
