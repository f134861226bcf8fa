"""Attacks on requests: places nobody holds, what the centre learns, numbers after consent, authorised days in parallel."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ost.models import guest, opening
from ost.services.closures.declare import declare
from ost.services.closures.preview import preview
from ost.services.closures.undo import undo
from ost.services.closures.wanted import Wanted as ToClose
from ost.services.guest import answer, ask, cancel, centre, drop, notices, read
from ost.services.guest.act import NotMoved
from ost.services.verify import verify
from tests.permits import make_permit
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world


@pytest.fixture
def world(house, clock):
    return make_world(house, at_once=0, places=1)


def close(world, site, *ahead):
    wanted = ToClose(tuple(world.day(n) for n in ahead), "typhoon", (site,))
    found = preview(world.house, world.centre, wanted)
    return declare(world.house, world.centre, wanted, found.digest)


def taken(world) -> list[tuple]:
    return [(p.site, p.day, p.second) for p in world.places()]


def test_a_closure_of_the_offered_site_leaves_the_first_place(world):
    said = world.asked(1)
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    close(world, NEAR, 1)
    assert world.state(said.request_id) == "offered"
    assert taken(world) == [(THERE, world.day(1), False)]
    against = centre.take_offer(world.house, world.me, said.request_id)
    assert isinstance(against, NotMoved)
    centre.leave_offer(world.house, world.me, said.request_id)
    assert (world.state(said.request_id), taken(world)) == ("asked", [(THERE, world.day(1), False)])
    assert verify(world.house).passed


def test_a_closure_of_the_first_site_leaves_the_offered_place(world):
    said = world.asked(1, 2)
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    close(world, THERE, 1, 2)
    assert taken(world) == [(NEAR, world.day(1), True), (NEAR, world.day(2), True)]
    centre.take_offer(world.house, world.me, said.request_id)
    assert taken(world) == [(NEAR, world.day(1), False), (NEAR, world.day(2), False)]


def test_a_request_that_lost_a_place_is_not_approved_into_a_full_site(world):
    said = world.asked(1, 2)
    done = close(world, THERE, 1)
    assert taken(world) == [(THERE, world.day(2), False)]
    with world.house.db.begin() as tx:  # fewer places than before: none is left for it when the site opens again
        tx.execute(sa.update(opening.site_hours).where(opening.site_hours.c.site == THERE).values(places=0))
    undo(world.house, world.centre, done.id)
    against = answer.approve(world.house, world.prescriber, said.request_id)
    assert isinstance(against, NotMoved)
    assert {r.code for r in against.reasons if r.tier == "stop"} == {"guest_day_full"}


def test_no_permit_without_a_place_on_every_day(world):
    """However the place was lost: it is taken again where there is room, and the person has no second one."""
    world.no_countersign()
    world.allow(days_a_year=30)
    said = world.asked(1, 2)
    with world.house.db.begin() as tx:
        gone = sa.delete(guest.guest_place).where(guest.guest_place.c.day == world.day(1))
        tx.execute(gone)
    answer.accept(world.house, world.there, said.request_id)
    assert world.state(said.request_id) == "confirmed"
    assert taken(world) == [(THERE, world.day(1), False), (THERE, world.day(2), False)]
    other = world.ask(1, site=FAR)
    assert isinstance(other, ask.NotAsked)


def test_a_closure_of_both_home_and_first_site_sends_to_the_offered_place(world):
    said = world.asked(1)
    centre.offer(world.house, world.centre, said.request_id, NEAR)
    wanted = ToClose((world.day(1),), "typhoon", (HOME, THERE))
    found = preview(world.house, world.centre, wanted)
    declare(world.house, world.centre, wanted, found.digest)
    assert world.state(said.request_id) == "ended"
    assert len(taken(world)) <= 1
    assert verify(world.house).passed


def test_a_closure_of_both_home_and_the_site_asked_for_moves_the_person_once(world):
    said = world.asked(1)
    wanted = ToClose((world.day(1),), "typhoon", (HOME, THERE))
    found = preview(world.house, world.centre, wanted)
    declare(world.house, world.centre, wanted, found.digest)
    assert world.state(said.request_id) == "ended"
    assert [(p.site, p.second) for p in world.places()] == [(NEAR, False)]


def test_many_days_asked_for_at_once_are_no_more_than_the_authorised_ones(world):
    world.allow(days_a_year=2)
    assert world.asked(1, 2).state == "approved"
    assert world.asked(3, 4).state == "asked"


@pytest.mark.parametrize("kind", ["asked", "emergency"])
def test_once_it_is_over_a_guest_site_reads_no_person(world, kind):
    permit = make_permit(world.house, world.patient, THERE, (world.day(1),), kind=kind)
    assert read.one(world.house, world.there, permit.request).person is not None
    cancel.cancel(world.house, world.me, permit.request)
    assert read.one(world.house, world.there, permit.request).person is None
    assert [x.patient_number for x in read.of_site(world.house, world.there, THERE)] == [None]
    assert read.one(world.house, world.nurse, permit.request).person is not None


def test_news_of_a_stay_that_is_over_name_nobody_at_the_guest_site(world):
    permit = make_permit(world.house, world.patient, THERE, (world.day(1), world.day(2)))
    drop.drop_day(world.house, world.nurse, permit.request, world.day(1))
    [news] = notices.of_site(world.house, world.there, THERE)
    assert news.patient_id == world.patient
    cancel.cancel(world.house, world.me, permit.request)
    assert {(n.patient_id, n.patient_number) for n in notices.of_site(world.house, world.there, THERE)} == {(None, None)}
