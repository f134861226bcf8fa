"""A closure taken back, and everything that may happen at the same moment: never two places, never a place too many."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from ost.errors import Refusal
from ost.models import closure, guest, opening
from ost.rules import guest as states
from ost.services.closures.declare import Changed, Declared, declare
from ost.services.closures.preview import preview
from ost.services.closures.undo import undo
from ost.services.guest import binding
from ost.services.verify import verify
from ost.services.work import new_id
from tests.make import make_bottle
from tests.permits import make_permit
from tests.services.closing import (
    at_once,
    everything,
    give,
    make_network,
    messages,
    promise,
    wish_to_go,
)


@pytest.fixture
def net(house, clock):
    return make_network(house)


# --- and back ---------------------------------------------------------------------------------


def test_undone_everything_unused_goes_back_once(net):
    for name in "abc":
        net.person(name)
    done = net.close()
    undone = undo(net.house, net.centre, done.id)
    assert (undone.taken_back, undone.used, undone.again) == (3, 0, False)
    assert net.where("a", "b", "c") == [None] * 3
    assert net.rows(guest.guest_place) == []
    assert net.rows(opening.site_day) == []
    assert {h.state for h in net.rows(guest.guest_head)} == {"ended"}
    assert all(p.revoked_at for p in net.rows(guest.guest_pass))
    assert messages(net) == sorted([(n, k) for n in "abc" for k in ("closure_moved", "closure_undone")])
    before = everything(net)
    again = undo(net.house, net.centre, done.id)
    assert again.again
    assert again.taken_back == 3
    assert everything(net) == before
    give(net, "a", "HUA1")
    # And it can be closed again, by the same preview or another.
    assert net.close().number == done.number + 1
    assert verify(net.house).passed


def test_what_was_dosed_meanwhile_stays_and_is_said(net):
    for name in "abcd":
        net.person(name)
    done = net.close()
    where = dict(zip("abcd", net.where(*"abcd"), strict=True))
    give(net, "a", where["a"])
    promise(net, "b", where["b"])
    undone = undo(net.house, net.centre, done.id)
    assert (undone.taken_back, undone.used) == (2, 2)
    assert net.where("a", "b", "c", "d") == [where["a"], where["b"], None, None]
    assert json.loads(net.rows(closure.closure_end)[0].data)["used"] == 2


def test_a_closure_of_days_keeps_those_that_are_past(net, clock):
    net.person("a")
    tomorrow = net.today + timedelta(days=1)
    done = net.close(days=(net.today, tomorrow))
    clock.shift(timedelta(days=1))
    undone = undo(net.house, net.centre, done.id)
    assert (undone.past, undone.taken_back) == (1, 1)
    assert net.where("a", day=tomorrow) == [None]
    [head] = net.rows(guest.guest_head)
    assert (head.state, head.last_day) == ("confirmed", net.today)
    later = net.close(days=(tomorrow + timedelta(days=1),))
    clock.shift(timedelta(days=2))
    with pytest.raises(Refusal, match="closure_over"):
        undo(net.house, net.centre, later.id)


def test_a_closure_nobody_knows_is_not_undone(net):
    with pytest.raises(Refusal, match="closure_unknown"):
        undo(net.house, net.centre, new_id())


def test_two_closures_of_one_day_and_only_the_last_undoing_opens_it(net):
    net.person("a")
    first = net.close()
    assert net.where("a") == ["NEAR"]
    second = net.close(sites=(), county="HUA")  # NEAR closes as well
    assert net.where("a") == ["FAR"]
    undone = undo(net.house, net.centre, second.id)
    assert undone.restored == 1
    assert net.where("a") == ["NEAR"]
    assert [(d.site, d.closed) for d in net.rows(opening.site_day)] == [("HUA1", True)]
    undo(net.house, net.centre, first.id)
    assert net.where("a") == [None]
    assert net.rows(opening.site_day) == []
    assert verify(net.house).passed


def test_the_earlier_closure_undone_first_leaves_the_later_standing(net):
    net.person("a")
    net.person("b", "NEAR")
    first = net.close()
    second = net.close(sites=(), county="HUA")
    undone = undo(net.house, net.centre, first.id)
    assert undone.still_closed == 1
    assert net.where("a", "b") == ["FAR", "FAR"]
    assert {(d.site, d.closed, d.closure) for d in net.rows(opening.site_day)} == {
        ("HUA1", True, second.id),
        ("NEAR", True, second.id),
    }
    undo(net.house, net.centre, second.id)
    assert net.rows(opening.site_day) == []
    assert net.where("b") == [None]


# --- at the same moment ------------------------------------------------------------------------


def within_capacity(net, **places) -> bool:
    return all(net.places(site) <= most for site, most in places.items())


def test_a_closure_and_guests_asking_at_the_same_moment_never_overfill_a_site(house, clock):
    net = make_network(house, near=1, far=1)
    for name in "ab":
        net.person(name)
    net.person("asks", "BEYOND")
    shown = net.preview()
    answers = at_once(
        lambda: declare(house, net.centre, net.wanted(), shown.digest),
        lambda: wish_to_go(net, "asks", "NEAR", net.today),
    )
    assert within_capacity(net, NEAR=1, FAR=1)
    if isinstance(answers[0], Changed):
        assert net.rows(closure.closure) == []
        assert answers[1].state == "asked"
    else:
        assert answers[0].moved == 2
        assert answers[1].state == "not_asked"


def test_two_sites_closing_at_once_share_what_room_there_is(house, clock):
    net = make_network(house, near=4, far=2)
    for name in "ab":
        net.person(name)
    for name in "cd":
        net.person(name, "NEAR")
    one, other = net.wanted(), net.wanted(sites=("NEAR",))
    digests = [preview(house, net.centre, w).digest for w in (one, other)]
    answers = at_once(*(lambda w=w, d=d: declare(house, net.centre, w, d) for w, d in zip((one, other), digests, strict=True)))
    assert sorted(type(a).__name__ for a in answers) == ["Changed", "Declared"] or all(
        isinstance(a, Declared) for a in answers
    )
    assert within_capacity(net, FAR=2, HUA1=4, NEAR=4)
    net.where("a", "b", "c", "d")  # never two places at once
    with house.read() as tx:
        shut = {(d.site) for d in net.rows(opening.site_day) if d.closed}
        assert not any(d.site in shut for d in binding.days_on(tx, net.today))


def test_the_same_closure_confirmed_by_four_at_once_is_one(net):
    for name in "ab":
        net.person(name)
    shown = net.preview()
    answers = at_once(*[lambda: declare(net.house, net.centre, net.wanted(), shown.digest)] * 4)
    assert len({a.id for a in answers}) == 1
    assert sorted(a.again for a in answers) == [False, True, True, True]
    undone = at_once(*[lambda: undo(net.house, net.centre, answers[0].id)] * 3)
    assert sorted(u.again for u in undone) == [False, True, True]
    assert verify(net.house).passed


def test_a_dose_and_a_closure_at_the_same_moment_never_make_two_doses(net):
    net.person("a")
    make_bottle(net.house, "NEAR")
    shown = net.preview()
    answers = at_once(
        lambda: declare(net.house, net.centre, net.wanted(), shown.digest), lambda: _try(net, "a", "HUA1")
    )
    promised = answers[1] is True
    assert promised == isinstance(answers[0], Changed)
    assert net.where("a") == ([None] if promised else ["NEAR"])


def _try(net, name: str, site: str) -> bool:
    try:
        promise(net, name, site)
    except AssertionError:
        return False
    return True


def test_every_step_was_a_listed_one(net):
    net.person("a")
    net.person("guest", "BEYOND")
    make_permit(net.house, net.people["guest"], "HUA1", (net.today,))
    undo(net.house, net.centre, net.close().id)
    for s in net.rows(guest.guest_step):
        assert states.listed(s.from_state, s.action, s.to_state, s.by_role), s
