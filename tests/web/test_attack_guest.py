"""Odd numbers in addresses and forms of guest dosing: a plain answer, never a broken page."""

from __future__ import annotations

import pytest

from tests.make import make_account
from tests.plugins.clients import house_of
from tests.services.guest_world import HOME, NEAR, make_world

HUGE = "9" * 30


@pytest.fixture
def world(app, clock):
    return make_world(house_of(app), at_once=0)


def test_numbers_nobody_has_are_not_there(world, pages):
    centre = pages(world.centre)
    cashier = pages(make_account(world.house, "case_manager", scope=HOME), site=HOME)
    for who, path in ((centre, "/guest/centre/"), (cashier, "/fees/receipts/")):
        assert who.get(f"{path}{HUGE}").status_code == who.get(f"{path}77").status_code == 404


def test_a_step_that_is_no_number_is_none(world, pages):
    world.asked(1)
    centre = pages(world.centre)
    answer = centre.post("/guest/centre/1/offer", {"site": NEAR, "step": "9" * 5000})
    assert answer.status_code == 302
    assert centre.post("/guest/centre/1/withdraw", {"step": "9" * 5000}).status_code == 302
