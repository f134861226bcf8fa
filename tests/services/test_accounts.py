"""Accounts: nobody starts with a default, nobody gives roles to themselves."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit, staff
from ost.rules.access import ROLES
from ost.services import accounts
from ost.services.access import may, require, sites_with
from ost.services.sessions import PAGE
from ost.services.sign_in import Place, SignedIn, sign_in
from ost.services.work import SYSTEM, Actor
from tests import make
from tests.logs import said_by_rows
from tests.plugins.clients import Person

GOOD = {"username": "Wu.Mei", "display_name": "吳美", "password": "four quiet lanterns", "pin": "830274"}


@pytest.fixture
def manager(house):
    make.make_site(house)
    make.make_site(house, "TPE1", "TPE")
    return make.make_account(house, "admin", scope="*", scope_kind="network")


def refused(code, call, *args, **kw):
    with pytest.raises(Refusal) as said:
        call(*args, **kw)
    assert said.value.code == code


def test_a_new_account_can_sign_in_and_may_nothing(house, manager):
    made = accounts.create_account(house, manager, **GOOD)
    person = Person(Actor(made.id), made.username, made.totp, house)
    done = sign_in(house, "wu.mei", GOOD["password"], person.code(), Place("d"), PAGE)
    assert isinstance(done, SignedIn)
    assert done.username == "wu.mei"
    with house.read() as tx:
        assert (
            tx.execute(sa.select(staff.role_grant).where(staff.role_grant.c.account == made.id)).all() == []
        )


def test_secrets_are_nowhere_in_clear(house, manager):
    made = accounts.create_account(house, manager, **GOOD)
    with house.read() as tx:
        row = tx.execute(sa.select(staff.account).where(staff.account.c.id == made.id)).one()
        kept = repr([row, tx.execute(sa.select(audit.audit_event)).all()])
    assert made.totp.encode() not in row.totp_sealed
    for secret in (GOOD["password"], made.totp):
        assert secret not in kept
    assert GOOD["pin"] not in said_by_rows(kept)
    assert row.password_hash.startswith("$argon2id$")
    assert row.pin_hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "short"}, "password_weak"),
        ({"password": ""}, "password_weak"),
        ({"username": "averylongname", "password": "AveryLongName"}, "password_weak"),
        ({"pin": "123456"}, "pin_weak"),
        ({"pin": "654321"}, "pin_weak"),
        ({"pin": "111111"}, "pin_weak"),
        ({"pin": "12"}, "pin_weak"),
        ({"pin": "１２９４８３"}, "pin_weak"),
        ({"pin": ""}, "pin_weak"),
        ({"username": "  "}, "input_invalid"),
        ({"display_name": " "}, "input_invalid"),
    ],
)
def test_what_an_account_may_not_be(house, manager, change, code):
    refused(code, accounts.create_account, house, manager, **(GOOD | change))


def test_names_are_taken_once_whatever_their_case(house, manager):
    accounts.create_account(house, manager, **GOOD)
    refused("account_exists", accounts.create_account, house, manager, **(GOOD | {"username": "WU.MEI "}))


def test_drawn_secrets_are_good_ones():
    assert len({accounts.draw_password() for _ in range(50)}) == 50
    assert len({accounts.draw_pin() for _ in range(50)}) > 45


def test_roles_are_given_by_who_may_in_that_scope(house, manager):
    made = accounts.create_account(house, manager, **GOOD)
    local = make.make_account(house, "admin", scope="HUA1")
    accounts.grant_role(house, local, made.id, "nurse", "site", "HUA1")
    accounts.grant_role(house, local, made.id, "nurse", "site", "HUA1")  # again is nothing new
    refused("not_permitted", accounts.grant_role, house, local, made.id, "nurse", "site", "TPE1")
    refused("not_permitted", accounts.grant_role, house, local, made.id, "admin", "network", "*")
    refused("not_permitted", accounts.grant_role, house, local, made.id, "nurse", "county", "HUA")
    refused("not_permitted", accounts.grant_role, house, local, local.id, "nurse", "site", "HUA1")
    refused("role_unknown", accounts.grant_role, house, manager, made.id, "police", "network", "*")
    refused("account_unknown", accounts.grant_role, house, manager, "nobody", "nurse", "site", "HUA1")
    with house.read() as tx:
        grants = tx.execute(sa.select(staff.role_grant).where(staff.role_grant.c.account == made.id)).all()
    assert [(g.role, g.scope) for g in grants] == [("nurse", "HUA1")]


def test_who_may_not_make_accounts(house, manager):
    for actor in (
        make.make_account(house, "nurse"),
        make.make_account(house, "admin", scope="HUA1"),
        Actor("system"),
    ):
        refused("not_permitted", accounts.create_account, house, actor, **GOOD)


def test_scopes(house, manager):
    at_site = make.make_account(house, "nurse", scope="HUA1")
    in_county = make.make_account(house, "nurse", scope="TPE", scope_kind="county")
    assert may(house, at_site, "dose.give", "HUA1")
    assert not may(house, at_site, "dose.give", "TPE1")
    assert not may(house, at_site, "dose.give", None)
    assert not may(house, at_site, "prescription.write", "HUA1")
    assert may(house, in_county, "dose.give", "TPE1")
    assert not may(house, in_county, "dose.give", "HUA1")
    assert not may(house, in_county, "dose.give", "NOWHERE")
    assert sites_with(house, at_site, "dose.give") == ("HUA1",)
    refused("not_permitted", require, house, at_site, "dose.give", "TPE1")
    require(house, SYSTEM, "dose.give", "TPE1")
    # Somebody who calls themselves the system is not the system.
    refused("not_permitted", require, house, Actor("system"), "dose.give", "TPE1")


def test_no_role_may_everything():
    from ost.rules.access import PERMISSIONS

    assert all(held < set(PERMISSIONS) for held in ROLES.values())
