"""A site that cannot dose: its people are placed as shown, at one site each, and brought back as if nothing had been."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit, closure, guest, message, opening
from ost.models.prescription import hold
from ost.rules import guest as states
from ost.services.closures import declare as declaring
from ost.services.closures.declare import Changed, Declared, declare
from ost.services.closures.preview import preview
from ost.services.closures.undo import undo
from ost.services.guest import ask as asking
from ost.services.guest import binding, calendar, passes
from ost.services.guest.consent import NewConsent
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from ost.services.work import SYSTEM, new_id
from tests.make import (
    dose_request,
    make_account,
    make_bottle,
    make_prescription,
)
from tests.permits import make_permit, state_of, steps_of
from tests.services.closing import make_network

TABLES = (
    closure.closure, closure.closure_move, closure.closure_day, guest.guest_request, guest.guest_step,
    guest.guest_permit, guest.permit_day, guest.permit_day_end, guest.guest_place, guest.guest_pass, opening.site_day,
)  # fmt: skip


@pytest.fixture
def net(house, clock):
    return make_network(house)


def everything(net) -> dict[str, list]:
    return {t.name: sorted(map(tuple, net.rows(t)), key=repr) for t in TABLES}


def messages(net) -> list[tuple[str, str]]:
    names = {i: n for n, i in net.people.items()}
    return sorted((names[m.patient], m.kind) for m in net.rows(message.message))


def hold_of(net, name: str) -> None:
    with net.house.work(SYSTEM, "HUA1", "test.hold") as work:
        row = {"patient": net.people[name], "site": "HUA1", "kind": "clinical", "reason_code": "medical_review"}
        work.add(hold, id=new_id(), blocks=True, since=net.today, by="test", at=work.now, **row)


def promise(net, name: str, site: str):
    """A dose promised by a nurse of that site, from a bottle of that site."""
    from ost.services.promise import promise as promised

    nurse, bottle = make_account(net.house, "nurse", scope=site), make_bottle(net.house, site)

    class _Clinic:
        patient, dose_ug, volume_ul = net.people[name], 60_000, 6_000

    _Clinic.site, _Clinic.bottle = site, bottle
    given = promised(net.house, nurse, dose_request(_Clinic))
    assert given.state == "promised", given
    return nurse, given.dose_id


def give(net, name: str, site: str) -> None:
    nurse, dose_id = promise(net, name, site)
    end(net.house, nurse, Ending(dose_id, "swallowed"))


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
    from ost.services.promise import promise as promised

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
        from ost.models.site import site

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


def wish_to_go(net, name: str, site: str, *days):
    nurse = make_account(net.house, "nurse", scope=net.rows(guest_site_of(), id=net.people[name])[0].home_site)
    agreed = NewConsent(until=net.today + timedelta(days=30), sites=(site,))
    return asking.ask(net.house, nurse, asking.Wanted(new_id(), net.people[name], site, days, consent=agreed))


def guest_site_of():
    from ost.models.patient import patient

    return patient


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
    from ost.models.site import site

    net.person("a")
    with net.house.db.begin() as tx:
        tx.execute(sa.update(site).where(site.c.id.in_(("NEAR", "FAR"))).values(policy="base"))
    assert net.whither(net.preview()) == {"a": "not_allowed"}
    with net.house.db.begin() as tx:
        tx.execute(sa.update(site).where(site.c.id == "NEAR").values(policy="tw"))
        tx.execute(sa.update(site).where(site.c.id == "HUA1").values(policy="base"))
    assert net.whither(net.preview()) == {"a": "not_allowed"}


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


def at_once(*acts) -> list:
    """Every act in a thread of its own, begun together; what each answered or raised, in their order."""
    answers, start = [None] * len(acts), threading.Barrier(len(acts))

    def run(n, act):
        start.wait()
        try:
            answers[n] = act()
        except Refusal as refusal:
            answers[n] = refusal

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


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
