"""A site that cannot dose: its people are placed as shown, at one site each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit, closure, guest, opening
from ost.models.site import site
from ost.services.closures import declare as declaring
from ost.services.closures.declare import Changed, Declared, declare
from ost.services.closures.undo import undo
from ost.services.guest import calendar, passes
from ost.services.promise import promise as promised
from ost.services.verify import verify
from ost.services.work import SYSTEM
from tests.make import dose_request, make_account, make_bottle, make_prescription
from tests.permits import make_permit, state_of, steps_of
from tests.services.closing import (
    everything,
    give,
    hold_of,
    make_network,
    messages,
    promise,
    wish_to_go,
)


@pytest.fixture
def net(house, clock):
    return make_network(house)


# --- who, and whither ---------------------------------------------------------------


def test_everybody_due_is_placed_by_distance_told_and_carries_a_pass(net):
    for name in ("a", "b", "c"):
        net.person(name)
    net.person("elsewhere", "FAR")
    shown = net.preview()
    assert everything(net)["closure"] == []
    done = net.close()
    assert (done.moved, done.nowhere, done.permits) == (3, 0, 3)
    assert sorted(net.where("a", "b", "c")) == ["FAR", "NEAR", "NEAR"]
    assert net.where("elsewhere") == [None]
    assert (net.places("NEAR"), net.places("FAR")) == (2, 1)
    assert messages(net) == [(n, "closure_moved") for n in "abc"]
    assert {m.distance_m for m in shown.moves} == {11_120, 44_478}
    [row] = net.rows(closure.closure)
    assert (json.loads(row.sites), row.preview_digest, row.by_role) == (["HUA1"], shown.digest, "centre")
    for permit in net.rows(guest.guest_permit):
        with net.house.read() as tx:
            found = passes.for_patient(net.house, permit.patient, permit.id)
            assert passes.read(net.house, tx, permit.site, found.digits).patient == permit.patient
    assert verify(net.house).passed


def test_the_dose_is_given_at_the_new_place_without_consent_or_signature_and_not_at_home(net):
    net.person("a")
    net.close()
    home = make_account(net.house, "nurse", scope="HUA1")
    bottle = make_bottle(net.house, "HUA1")

    class _Home:
        patient, dose_ug, volume_ul, site = net.people["a"], 60_000, 6_000, "HUA1"

    _Home.bottle = bottle
    refused = promised(net.house, home, dose_request(_Home))
    assert "guest_day_elsewhere" in {r["code"] for r in refused.reasons}
    give(net, "a", "NEAR")


def test_the_day_is_closed_for_guests_and_open_again_with_its_own_hours(net):
    key = ("HUA1", net.today)

    def hours():
        with net.house.read() as tx:
            found = calendar.open_days(tx, ["HUA1"], [net.today]).get(key)
        return found and (found.opens, found.last_dose, found.places)

    with net.house.work(SYSTEM, "HUA1", "test.day") as work:
        own = {"opens": "08:00", "last_dose": "11:00", "closes": "11:30", "places": 3, "at_once": 0, "why": "training"}
        work.add(opening.site_day, site="HUA1", day=net.today, closed=False, by="test", at=work.now, **own)
        work.payload = {"test": True}
    [before] = net.rows(opening.site_day)
    done = net.close(from_time="10:00")
    assert hours() == ("08:00", "10:00", 3)
    undo(net.house, net.centre, done.id)
    assert net.rows(opening.site_day) == [before]
    whole = net.close()
    assert hours() is None
    undo(net.house, net.centre, whole.id)
    assert hours() == ("08:00", "11:00", 3)


def test_who_had_the_dose_is_held_or_is_not_due_today_is_not_moved(net):
    net.person("dosed")
    net.person("open")
    net.person("held")
    net.person("weekdays", order={"days": json.dumps([d for d in range(1, 8) if d != net.today.isoweekday()])})
    net.person("gone", active=False)
    give(net, "dosed", "HUA1")
    promise(net, "open", "HUA1")
    hold_of(net, "held")
    shown = net.preview()
    assert net.whither(shown) == {"held": "held"}
    assert shown.ongoing == ((net.people["open"], "HUA1", net.today),)
    assert shown.dosed == 1
    net.close()
    assert messages(net) == [("held", "closure_nowhere")]
    assert net.where("dosed", "open", "held") == [None, None, None]


def test_a_second_dose_of_the_day_that_is_still_due_is_moved(net):
    net.person("twice")
    make_prescription(net.house, net.people["twice"], slot=2, dose_ug=20_000)
    give(net, "twice", "HUA1")
    assert net.whither(net.preview()) == {"twice": "NEAR"}


def test_medicine_product_and_equipment_decide_who_can_take_them(net):
    with net.house.db.begin() as tx:
        tx.execute(sa.update(site).where(site.c.id == "NEAR").values(medicines='["methadone"]'))
        tx.execute(
            sa.update(opening.guest_site).where(opening.guest_site.c.site == "NEAR").values(equipment='["step_free"]')
        )
    net.person("other-medicine", order={"medicine": "buprenorphine"})
    net.person("wheels")
    make_bottle(net.house, "FAR", product="methadone-5", state="sealed")
    net.person("strength", order={"product": "methadone-5"})
    with net.house.db.begin() as tx:
        wish = {"patient": net.people["wheels"], "equipment": '["step_free"]', "by": "x", "at": net.house.now()}
        tx.execute(sa.insert(closure.patient_wish), wish)
    assert net.whither(net.preview()) == {"other-medicine": "FAR", "wheels": "NEAR", "strength": "FAR"}


def test_a_wish_is_kept_and_a_wish_for_a_closed_site_is_none(net):
    net.person("a")
    net.person("b")
    with net.house.db.begin() as tx:
        for name, site in (("a", "FAR"), ("b", "HUA1")):
            wish = {"patient": net.people[name], "site": site, "equipment": "[]", "by": "x", "at": net.house.now()}
            tx.execute(sa.insert(closure.patient_wish), wish)
    shown = net.preview()
    assert net.whither(shown) == {"a": "FAR", "b": "NEAR"}
    assert {m.why for m in shown.moves} == {"wish", "nearest"}


def test_when_places_are_short_the_pregnant_come_first_and_the_rest_is_listed(net):
    for name, marks in (("a", "[]"), ("b", '["work"]'), ("c", "[]"), ("d", '["pregnant"]'), ("e", "[]")):
        net.person(name, priority=marks)
    found = net.whither(net.preview())
    assert (found["d"], found["b"]) == ("NEAR", "NEAR")
    assert sorted(v for k, v in found.items() if k in "ace") == ["FAR", "FAR", "no_place"]


def test_a_site_takes_more_in_an_emergency_only_by_its_own_word(net):
    for name in "abcde":
        net.person(name)
    assert "no_place" in net.whither(net.preview()).values()
    with net.house.db.begin() as tx:
        row = {"site": "NEAR", "extra_percent": 50, "by": "x", "at": net.house.now()}
        tx.execute(sa.insert(closure.closure_room), row)
    net.close()
    assert (net.places("NEAR"), net.places("FAR")) == (3, 2)
    with net.house.read() as tx:
        assert calendar.open_days(tx, ["NEAR"], [net.today])["NEAR", net.today].free == 0


def test_hours_of_a_day_and_a_site_that_opens_again(net):
    net.person("a")
    assert net.whither(net.preview(from_time="10:00")) == {"a": "NEAR"}
    stays = net.preview(from_time="06:00", to_time="09:00")
    assert (net.whither(stays), stays.moved) == ({"a": "HUA1"}, 0)
    done = net.close(from_time="06:00", to_time="09:00")
    assert (net.where("a"), messages(net)) == ([None], [("a", "closure_later")])
    with net.house.read() as tx:
        assert calendar.open_days(tx, ["HUA1"], [net.today])["HUA1", net.today].opens == "09:00"
    undo(net.house, net.centre, done.id)
    assert messages(net) == [("a", "closure_later"), ("a", "closure_undone")]
    # Half an hour of dosing is no reason to wait.
    assert net.whither(net.preview(from_time="06:00", to_time="11:00")) == {"a": "NEAR"}


def test_nobody_is_sent_to_a_door_that_is_about_to_close(net, clock):
    net.person("a")
    clock.move_to(datetime(2026, 3, 10, 2, 29, tzinfo=UTC))  # 10:29, an hour and a minute before the last dose
    assert net.whither(net.preview()) == {"a": "NEAR"}
    clock.move_to(datetime(2026, 3, 10, 2, 31, tzinfo=UTC))
    assert net.whither(net.preview()) == {"a": "no_site"}


def test_three_days_at_one_site_on_one_permit(net):
    net.person("a")
    days = tuple(net.today + timedelta(days=n) for n in range(3))
    net.close(days=days)
    [permit] = net.rows(guest.guest_permit)
    assert (permit.first_day, permit.last_day, permit.site) == (days[0], days[-1], "NEAR")
    assert [net.where("a", day=d) for d in days] == [["NEAR"]] * 3


def test_a_county_without_an_open_site_in_reach_places_nobody_and_says_so(house, clock):
    net = make_network(house, near=0, far=0)
    net.person("a")
    net.person("b", "NEAR")
    done = net.close(sites=(), county="HUA")
    assert (done.moved, done.nowhere, done.permits) == (0, 2, 0)
    assert json.loads(net.rows(closure.closure)[0].sites) == ["HUA1", "NEAR"]
    assert messages(net) == [("a", "closure_nowhere"), ("b", "closure_nowhere")]
    assert {m.why for m in net.rows(closure.closure_move)} == {"no_place"}


# --- guests of the closed site --------------------------------------------------------


def test_a_guest_booked_there_is_moved_on_and_keeps_the_other_days(net):
    net.person("guest", "BEYOND")
    tomorrow = net.today + timedelta(days=1)
    permit = make_permit(net.house, net.people["guest"], "HUA1", (net.today, tomorrow))
    done = net.close()
    assert net.where("guest") == ["NEAR"]
    assert net.where("guest", day=tomorrow) == ["HUA1"]
    assert state_of(net.house, permit.request) == "confirmed"
    [ended] = net.rows(guest.permit_day_end)
    assert (ended.permit, ended.day, ended.why) == (permit.id, net.today, "site_closed")
    undone = undo(net.house, net.centre, done.id)
    assert (undone.taken_back, undone.restored) == (1, 1)
    assert net.where("guest") == ["HUA1"]
    assert net.where("guest", day=tomorrow) == ["HUA1"]
    back = [r for r in net.rows(guest.guest_request) if r.replaces == permit.request]
    assert [(r.kind, r.consent) for r in back] == [("asked", permit.consent)]
    assert verify(net.house).passed
    # Countersigned once, for the same orders: nobody has to sign again.
    give(net, "guest", "HUA1")


def test_a_guests_only_day_ends_its_permit_and_comes_back_with_the_undoing(net):
    net.person("guest", "BEYOND")
    permit = make_permit(net.house, net.people["guest"], "HUA1", (net.today,))
    done = net.close()
    assert state_of(net.house, permit.request) == "ended"
    assert net.rows(guest.guest_pass, permit=permit.id)[0].revoked_at is not None
    undo(net.house, net.centre, done.id)
    assert net.where("guest") == ["HUA1"]


def test_who_is_a_guest_elsewhere_that_day_is_left_there(net):
    net.person("away")
    make_permit(net.house, net.people["away"], "FAR", (net.today,))
    assert net.preview().moves == ()


def test_a_place_that_was_asked_for_becomes_the_emergency_place(net):
    net.person("a")
    asked = wish_to_go(net, "a", "FAR", net.today)
    assert asked.state == "asked", asked
    shown = net.preview()
    assert (net.whither(shown), shown.moves[0].why) == ({"a": "FAR"}, "kept")
    net.close()
    assert net.where("a") == ["FAR"]
    assert net.places("FAR") == 1
    assert state_of(net.house, asked.request_id) == "ended"
    assert steps_of(net.house, asked.request_id)[-1] == ("end", "closure")


def test_a_request_for_more_days_is_not_ended_over_their_heads(net):
    net.person("a")
    asked = wish_to_go(net, "a", "FAR", net.today, net.today + timedelta(days=1))
    assert net.whither(net.preview()) == {"a": "asked"}
    net.close()
    assert (net.where("a"), state_of(net.house, asked.request_id)) == ([None], "asked")
    assert ("a", "closure_nowhere") in messages(net)


def test_a_request_for_the_closed_site_gives_its_place_back_and_gets_it_back(net):
    net.person("guest", "FAR")
    tomorrow = net.today + timedelta(days=1)
    both = wish_to_go(net, "guest", "HUA1", net.today, tomorrow)
    net.person("one", "FAR")
    single = wish_to_go(net, "one", "HUA1", net.today)
    done = net.close()
    assert (net.places("HUA1"), net.places("HUA1", tomorrow)) == (0, 1)
    assert (state_of(net.house, both.request_id), state_of(net.house, single.request_id)) == ("asked", "ended")
    assert undo(net.house, net.centre, done.id).asked_again == 1
    assert net.places("HUA1") == 1


# --- as it was shown, or not at all ------------------------------------------------------


def test_what_changed_since_it_was_shown_is_told_and_nothing_is_written(net):
    net.person("a")
    net.person("b")
    shown = net.preview()
    give(net, "a", "HUA1")
    net.person("c")
    before = everything(net)
    answer = declare(net.house, net.centre, net.wanted(), shown.digest)
    assert isinstance(answer, Changed)
    assert everything(net) == before
    names = {i: n for n, i in net.people.items()}
    told = {names[d.patient]: (d.was, d.now) for d in answer.differences}
    assert told == {"a": ("NEAR", None), "c": (None, "NEAR")}
    assert isinstance(declare(net.house, net.centre, net.wanted(), answer.preview.digest), Declared)


def test_another_closure_than_the_one_shown_is_not_confirmed_by_its_digest(net):
    net.person("a")
    shown = net.preview()
    tomorrow = net.today + timedelta(days=1)
    assert isinstance(declare(net.house, net.centre, net.wanted(days=(tomorrow,)), shown.digest), Changed)
    assert isinstance(declare(net.house, net.centre, net.wanted(), "0" * 64), Changed)
    assert net.rows(closure.closure) == []


def test_confirmed_twice_is_one_closure(net):
    net.person("a")
    shown = net.preview()
    first, second = (declare(net.house, net.centre, net.wanted(), shown.digest) for _ in range(2))
    assert (first.id, first.again, second.id, second.again) == (second.id, False, first.id, True)
    assert len(net.rows(guest.guest_permit)) == 1


def test_a_crash_halfway_leaves_everything_as_it_was(net, monkeypatch):
    net.person("a")
    net.person("guest", "BEYOND")
    make_permit(net.house, net.people["guest"], "HUA1", (net.today,))
    shown = net.preview()
    before, sent = everything(net), messages(net)

    def breaks(*_):
        raise RuntimeError("the power went")

    monkeypatch.setattr(declaring.passes, "issue_many", breaks)
    with pytest.raises(RuntimeError):
        declare(net.house, net.centre, net.wanted(), shown.digest)
    assert everything(net) == before
    assert messages(net) == sent


def test_closed_sites_computers_may_be_off(net):
    """Declared at another site's computer or at none: no station of the closed site is asked or told anything."""
    net.person("a")
    shown = net.preview(net.nurse)
    done = declare(net.house, net.nurse, net.wanted(), shown.digest, at="FAR")
    [event] = [e for e in net.rows(audit.audit_event) if e.kind == "closure.declared"]
    assert (event.site, json.loads(event.payload)["closure"]) == ("FAR", done.id)
    assert net.people["a"] not in event.payload
    with pytest.raises(Refusal) as refused:
        declare(net.house, net.nurse, net.wanted(), shown.digest, at="NOWHERE")
    assert refused.value.fields == {"at": ["site_unknown"]}


# --- who may ------------------------------------------------------------------------------


def test_the_sites_own_people_and_the_county_may_close_it_others_may_not(net):
    net.person("a")
    digest = net.preview().digest
    for role in ("nurse", "prescriber", "case_manager"):
        one = make_account(net.house, role, scope="HUA1")
        for actor in (one, make_account(net.house, role, scope="HUA", scope_kind="county")):
            assert net.preview(actor).moves
        with pytest.raises(Refusal, match="not_permitted"):
            net.preview(one, sites=(), county="HUA")
    strangers = [make_account(net.house, "nurse", scope="NEAR"), make_account(net.house, "pharmacist", scope="HUA1")]
    for actor in strangers:
        with pytest.raises(Refusal, match="not_permitted"):
            net.preview(actor)
        with pytest.raises(Refusal, match="not_permitted"):
            declare(net.house, actor, net.wanted(), digest)
    done = net.close()
    for actor in strangers:
        with pytest.raises(Refusal, match="not_permitted"):
            undo(net.house, actor, done.id)


def test_what_cannot_be_meant_is_refused_by_its_field(net):
    for field, values in (
        ("sites", {"sites": ()}),
        ("sites", {"sites": ("HUA1", "NOWHERE")}),
        ("county", {"sites": (), "county": "XXX"}),
        ("days", {"days": ()}),
        ("reason", {"reason": "boredom"}),
        ("from_time", {"from_time": "25:00"}),
        ("to_time", {"from_time": "10:00", "to_time": "09:00"}),
    ):
        with pytest.raises(Refusal) as refused:
            net.preview(**values)
        assert set(refused.value.fields) == {field}


def test_days_that_are_past_or_far_off_are_refused(net):
    for days in ([-1], [61], range(32)):
        with pytest.raises(Refusal) as refused:
            net.preview(days=tuple(net.today + timedelta(days=n) for n in days))
        assert refused.value.fields == {"days": ["closure_days_wrong"]}


def test_a_pack_that_allows_no_emergency_permits_places_nobody(net):
    net.person("a")
    with net.house.db.begin() as tx:
        tx.execute(sa.update(site).where(site.c.id.in_(("NEAR", "FAR"))).values(policy="base"))
    assert net.whither(net.preview()) == {"a": "not_allowed"}
    with net.house.db.begin() as tx:
        tx.execute(sa.update(site).where(site.c.id == "NEAR").values(policy="tw"))
        tx.execute(sa.update(site).where(site.c.id == "HUA1").values(policy="base"))
    assert net.whither(net.preview()) == {"a": "not_allowed"}
