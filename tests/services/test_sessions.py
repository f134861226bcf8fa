"""The lock, the way back with a PIN, the end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.models import staff
from ost.services import accounts, sessions
from ost.services.pin_return import pin_return
from tests import make
from tests.plugins.clients import PIN, make_person

IDLE = timedelta(seconds=policies.policy("tw").int("idle_lock_s"))


@pytest.fixture
def lin(house, clock):
    make.make_site(house)
    return make_person(house, "nurse")


def begin(house, person, kind=sessions.PAGE):
    with house.work(person.actor, None, "test.session") as work:
        return sessions.start(work, account=person.id, kind=kind, device="d")[0]


def look(house, token, kind=sessions.PAGE):
    return sessions.find(house, token, kind)


def test_an_idle_session_is_locked_and_looking_does_not_wake_it(house, lin, clock):
    token = begin(house, lin)
    clock.shift(IDLE - timedelta(seconds=1))
    assert not look(house, token).locked
    clock.shift(1)
    assert look(house, token).locked
    sessions.touch(house, look(house, token))
    assert look(house, token).locked


def test_activity_keeps_it_open(house, lin, clock):
    token = begin(house, lin)
    for _ in range(5):
        clock.shift(IDLE / 2)
        sessions.touch(house, look(house, token))
    assert not look(house, token).locked


def test_a_touch_that_was_on_its_way_does_not_undo_a_lock(house, lin, clock):
    token = begin(house, lin)
    clock.shift(60)
    before = look(house, token)
    sessions.lock(house, before)
    sessions.touch(house, before)
    assert look(house, token).locked


def test_a_program_is_not_locked_but_ends(house, lin, clock):
    token = begin(house, lin, sessions.API)
    clock.shift(sessions.LIFETIME[sessions.API] - timedelta(seconds=1))
    assert look(house, token, sessions.API).locked is False
    clock.shift(1)
    assert look(house, token, sessions.API) is None


def test_the_pin_leads_back(house, lin, clock):
    token = begin(house, lin)
    clock.shift(IDLE * 2)
    assert pin_return(house, look(house, token), PIN).ok
    assert not look(house, token).locked


def test_wrong_pins_are_counted_and_end_the_session(house, lin, clock):
    token = begin(house, lin)
    tries = policies.policy("tw").int("pin_tries")
    sessions.lock(house, look(house, token))
    left = [pin_return(house, look(house, token), "111222").left for _ in range(tries)]
    assert left == list(range(tries - 1, -1, -1))
    assert look(house, token) is None
    with house.read() as tx:
        said = tx.execute(sa.select(staff.sign_in_event.c.what)).scalars().all()
    assert said.count("pin_wrong") == tries
    assert said.count("pin_used_up") == 1


def test_a_right_pin_takes_the_wrong_ones_away(house, lin):
    token = begin(house, lin)
    tries = policies.policy("tw").int("pin_tries")
    for _ in range(3):
        for _ in range(tries - 1):
            assert not pin_return(house, look(house, token), "111222").ok
        assert pin_return(house, look(house, token), PIN).ok


def test_many_pins_at_once_are_many_tries(house, lin):
    token = begin(house, lin)
    session = look(house, token)
    sessions.lock(house, session)
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(pin_return(house, session, f"{n:06}")))
        for n in range(12)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not any(a.ok for a in answers)
    assert look(house, token) is None
    assert not pin_return(house, session, PIN).ok  # ended is ended, also for the right PIN


def test_signing_out_ends_it_for_good(house, lin):
    token = begin(house, lin)
    sessions.end(house, look(house, token))
    assert look(house, token) is None


def test_a_new_password_or_pin_and_a_closed_account_end_every_session(house, lin):
    manager = make.make_account(house, "admin", scope="*", scope_kind="network")
    for change in (
        lambda: accounts.set_password(house, lin.actor, lin.id, "another long password"),
        lambda: accounts.set_pin(house, lin.actor, lin.id, "583920"),
        lambda: accounts.close_account(house, manager, lin.id),
    ):
        tokens = [begin(house, lin), begin(house, lin, sessions.API)]
        change()
        assert look(house, tokens[0]) is None
        assert look(house, tokens[1], sessions.API) is None


def test_a_role_taken_away_is_gone_with_the_next_look(house, lin):
    manager = make.make_account(house, "admin", scope="*", scope_kind="network")
    token = begin(house, lin)
    assert look(house, token).grants
    accounts.revoke_role(house, manager, lin.id, "nurse", "site", "HUA1")
    assert look(house, token).grants == ()


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "\0", "a' OR 1=1 --"])
def test_a_token_nobody_gave_opens_nothing(house, lin, token):
    begin(house, lin)
    assert look(house, token) is None
