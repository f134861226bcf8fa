"""The guest site's prescriber signs for later stays too; the home site's prescriber takes a day back."""

from __future__ import annotations

import json

import pytest

from ost.models import guest
from ost.rules import guest as rules
from ost.services import consents
from ost.services.guest import answer, countersign
from ost.services.work import new_id
from tests import make
from tests.plugins.clients import house_of
from tests.services.guest_world import FAR, HOME, THERE, make_world
from tests.web.test_desk import text_of
from tests.web.test_guest_desk import asked, confirmed


@pytest.fixture
def world(app, clock):
    return make_world(house_of(app), at_once=0)


@pytest.fixture
def home(pages, world):
    return pages(world.prescriber, site=HOME)


@pytest.fixture
def there(pages, world):
    return pages(world.there, site=THERE)


@pytest.fixture
def signer(pages, world):
    return pages(world.there_prescriber, site=THERE)


def test_signed_until_a_day_the_next_stay_waits_for_no_signature(world, there, signer):
    """Only whoever signs there sees it, only while the consent reaches them, only for as long as the policy allows."""
    first = asked(world)
    path = f"/guest/requests/{first.request_id}"
    assert "Sign for later stays too" not in text_of(there.get(path)), "a nurse signs nothing"
    assert there.post(f"{path}/beforehand", data={"until": world.day(30).isoformat()}).status_code == 403
    assert "Sign for later stays too" in text_of(signer.get(path))
    for wrong in ("", "no day", world.day(-1).isoformat(), world.day(4000).isoformat()):
        assert signer.post(f"{path}/beforehand", data={"until": wrong}).status_code == 422, wrong
    assert not world.rows(guest.guest_countersign)
    done = signer.post(f"{path}/beforehand", data={"until": world.day(30).isoformat(), "back": "incoming"})
    assert done.headers["Location"] == f"{path}?back=incoming"
    assert "Signed until" in text_of(signer.get(path))
    # Approved and accepted, and nobody is asked to sign.
    answer.approve(world.house, world.prescriber, first.request_id)
    answer.accept(world.house, world.there, first.request_id)
    assert world.state(first.request_id) == rules.CONFIRMED
    # Another order needs another signature.
    signed = json.loads(world.rows(guest.guest_countersign)[0].orders)
    ask_for = (world.house, world.patient, THERE)
    assert countersign.signed_until(*ask_for, signed, world.day(0)) == world.day(30)
    assert countersign.signed_until(*ask_for, [*signed, new_id()], world.day(0)) is None
    assert countersign.signed_until(*ask_for, signed, world.day(31)) is None


def test_nobody_signs_for_a_person_whose_consent_does_not_reach_them(world, signer, pages):
    said = asked(world)
    path = f"/guest/requests/{said.request_id}/beforehand"
    far = pages(make.make_account(world.house, "prescriber", scope=FAR), site=FAR)
    assert far.post(path, data={"until": world.day(3).isoformat()}).status_code in (403, 404)
    assert consents.end_kind(world.house, world.nurse, world.patient, "guest_dosing") == 1
    assert signer.post(path, data={"until": world.day(3).isoformat()}).status_code in (403, 404, 409)
    assert not world.rows(guest.guest_countersign)


def test_the_home_prescriber_takes_a_day_back(world, home):
    said = confirmed(world)
    path = f"/guest/requests/{said.request_id}"
    assert "Take this day back" in text_of(home.get(path))
    assert home.post(f"{path}/days/{world.day(2).isoformat()}/back").status_code == 302
    assert world.state(said.request_id) == rules.CONFIRMED
    assert "Take this day back" in text_of(home.get(path)), "the other day stands"


def test_a_stay_that_has_not_begun_says_where_it_stands_and_counts_no_absence(world, home):
    first = confirmed(world, None, 2, 3)
    second = asked(world, None, 6)
    page = text_of(home.get(f"/guest/requests/{second.request_id}"))
    stays = page[page.index("Other guest stays") :].split("What the rules see")[0]
    assert "confirmed" in stays and "days attended" not in stays
    assert world.state(first.request_id) == rules.CONFIRMED


def test_what_is_to_be_paid_is_a_tab_for_whoever_has_it_nowhere_else(world, there, pages):
    assert 'href="/fees/unpaid"' in there.get("/guest/incoming").get_data(as_text=True)
    case = pages(make.make_account(world.house, "case_manager", scope=THERE), site=THERE)
    page = case.get("/guest/incoming").get_data(as_text=True)
    assert 'href="/fees/unpaid"' not in page and 'href="/fees"' in page
