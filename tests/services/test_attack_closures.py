"""Closures taken back after the facts have changed, and offers that a closure meets half way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ost.models import fee, guest
from ost.services import consents, patients
from ost.services.closures.undo import undo
from ost.services.fees import charge
from ost.services.guest import cancel
from ost.services.verify import verify
from ost.services.work import Actor
from tests.make import make_account
from tests.permits import make_permit
from tests.services.closing import hold_of, make_network


@pytest.fixture
def net(house, clock):
    return make_network(house)


def guest_who_was_moved(net, name="g"):
    """A guest of HUA1 whose day there a closure ends; (closure, person, the first permit)."""
    net.person(name, "FAR")
    permit = make_permit(net.house, net.people[name], "HUA1", (net.today + timedelta(days=1),))
    done = net.close(days=(net.today + timedelta(days=1),))
    return done, net.people[name], permit


def in_force(net, person: str) -> list:
    return [h for h in net.rows(guest.guest_head, patient=person) if h.state in ("confirmed", "paused")]


def test_a_day_does_not_come_back_on_a_consent_that_was_taken_back_meanwhile(net):
    done, person, permit = guest_who_was_moved(net)
    consents.end(net.house, make_account(net.house, "nurse", scope="FAR"), permit.consent)
    undone = undo(net.house, net.centre, done.id)
    assert (undone.restored, undone.not_restored) == (0, 1)
    assert {h.consent for h in in_force(net, person)} == {None}  # the emergency place rests on none
    assert verify(net.house).passed


def test_a_day_does_not_come_back_for_a_forgotten_person_and_the_closure_goes(net):
    done, person, _permit = guest_who_was_moved(net)
    net.person("other")
    patients.forget(net.house, make_account(net.house, "admin", scope="FAR"), person, "asked for it")
    undone = undo(net.house, net.centre, done.id)
    assert (undone.restored, undone.again) == (0, False)
    assert in_force(net, person) == []


def test_a_day_given_up_under_the_closure_does_not_come_back(net):
    done, person, _permit = guest_who_was_moved(net)
    [sent] = in_force(net, person)
    cancel.cancel(net.house, Actor(f"patient:{person}"), sent.request)
    assert undo(net.house, net.centre, done.id).restored == 0
    assert net.where("g", day=net.today + timedelta(days=1)) == [None]


def test_a_day_that_comes_back_is_paused_by_a_hold_placed_meanwhile(net):
    done, person, _permit = guest_who_was_moved(net)
    hold_of(net, "g")
    assert undo(net.house, net.centre, done.id).restored == 1
    assert [h.state for h in in_force(net, person)] == ["paused"]


def test_a_day_that_comes_back_is_not_set_up_nor_signed_for_money_again(net):
    net.person("g", "FAR")
    day = net.today + timedelta(days=1)
    make_permit(net.house, net.people["g"], "HUA1", (day,))
    charge.run(net.house)
    once = sorted(c.kind for c in net.rows(fee.fee_charge))
    assert once == ["countersign", "set_up"]
    done = net.close(days=(day,))
    assert undo(net.house, net.centre, done.id).restored == 1
    charge.run(net.house)
    assert sorted(c.kind for c in net.rows(fee.fee_charge)) == once
