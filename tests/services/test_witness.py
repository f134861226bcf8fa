"""The second person: their own sign-in, for one step, once, and never oneself."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models import staff
from ost.services.witness import ACTS, NoToken, Token, use_witness, witness, witness_dose
from tests import make
from tests.plugins.clients import PIN, make_person


@pytest.fixture
def ward(house, clock):
    make.make_site(house)
    lin = make_person(house, "nurse")
    wu = make_person(house, "nurse", username="wu")
    return house, lin, wu


def sign(ward, username="wu", pin=PIN, subject="dose-1", site="HUA1", act="outcome"):
    house, lin, _ = ward
    return witness(house, lin.actor, subject, site, username, pin, act)


def use(ward, token, subject="dose-1", site="HUA1", act="outcome"):
    house, lin, _ = ward
    with house.work(lin.actor, site, "test.step") as work:
        return use_witness(work, token, subject, site, act=act, not_account=lin.id)


def refused(ward, token, **where):
    with pytest.raises(Refusal) as said:
        use(ward, token, **where)
    return said.value.code


def test_a_token_is_good_once(ward):
    done = sign(ward)
    assert isinstance(done, Token)
    assert use(ward, done.token) == ward[2].id
    assert refused(ward, done.token) == "witness_invalid"


def test_nobody_witnesses_their_own_step(ward):
    house = ward[0]
    assert sign(ward, username="lin") == NoToken("witness_is_you")
    # Nor with a token somebody else asked for.
    with_wu = witness(house, ward[2].actor, "dose-1", "HUA1", "lin", PIN, "outcome")
    assert refused(ward, with_wu.token) == "witness_is_you"


def test_a_token_is_for_its_step_and_its_time_only(ward, clock):
    assert refused(ward, sign(ward).token, subject="dose-2") == "witness_invalid"
    token = sign(ward).token
    clock.shift(timedelta(seconds=policies.policy("tw").int("witness_token_valid_s")))
    assert refused(ward, token) == "witness_invalid"


def test_a_yes_to_one_act_is_no_yes_to_another(ward):
    token = sign(ward, act="outcome").token
    for other in set(ACTS) - {"outcome"}:
        assert refused(ward, token, act=other) == "witness_invalid"
    assert use(ward, token) == ward[2].id


def test_a_token_without_an_act_is_for_any_one_step_on_its_subject(ward):
    for act in ("outcome", "void"):
        assert use(ward, sign(ward, act=None).token, act=act) == ward[2].id
    token = sign(ward, act=None).token
    use(ward, token, act="void")
    assert refused(ward, token, act="outcome") == "witness_invalid"
    assert refused(ward, sign(ward, act=None).token, subject="HUA1-1|somebody", act="identity") == "witness_invalid"


def test_the_token_is_not_in_the_database(ward):
    token = sign(ward).token
    with ward[0].read() as tx:
        assert token not in repr(tx.execute(sa.select(staff.witness_token)).all())


def test_who_may_not_witness_here_gets_no_token(ward):
    house = ward[0]
    make.make_site(house, "TPE1", "TPE")
    make_person(house, "nurse", username="far", scope="TPE1")
    make_person(house, "registrar", username="desk")
    for name in ("far", "desk", "nobody-at-all"):
        assert sign(ward, username=name) == NoToken("witness_wrong")
    assert sign(ward, pin="000111") == NoToken("witness_wrong")


def test_a_witness_whose_role_was_taken_meanwhile_is_none(ward):
    token = sign(ward).token
    with ward[0].db.begin() as tx:
        tx.execute(sa.delete(staff.role_grant).where(staff.role_grant.c.account == ward[2].id))
    assert refused(ward, token) == "witness_invalid"


def test_a_step_that_fails_leaves_the_token_unused(ward):
    house, lin, wu = ward
    token = sign(ward).token

    def step_that_fails():
        with house.work(lin.actor, "HUA1", "test.step") as work:
            use_witness(work, token, "dose-1", "HUA1", act="outcome", not_account=lin.id)
            raise RuntimeError("the step fails after the token")

    with pytest.raises(RuntimeError):
        step_that_fails()
    assert use(ward, token) == wu.id


def test_two_steps_at_once_share_no_token(ward):
    token, said = sign(ward).token, []
    barrier = threading.Barrier(2)

    def one():
        barrier.wait()
        try:
            said.append(use(ward, token))
        except Refusal as refusal:
            said.append(refusal.code)

    threads = [threading.Thread(target=one) for _ in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(said) == sorted([ward[2].id, "witness_invalid"])


def test_wrong_pins_of_a_witness_slow_down_and_lock(ward, clock):
    policy = policies.policy("tw")
    for _ in range(policy.int("sign_in_free_tries")):
        assert sign(ward, pin="000111") == NoToken("witness_wrong")
    assert sign(ward) == NoToken("sign_in_wait", policy.int("sign_in_delay_s"))
    clock.shift(policy.int("sign_in_delay_s"))
    assert isinstance(sign(ward), Token)


def test_only_for_a_dose_that_exists(ward):
    house, lin, _ = ward
    with pytest.raises(Refusal) as said:
        witness_dose(house, lin.actor, "no-such-dose", "wu", PIN)
    assert said.value.code == "dose_unknown"


@pytest.mark.parametrize("token", ["", "x", None])
def test_no_token_is_no_witness(ward, token):
    assert refused(ward, token) == "witness_invalid"
