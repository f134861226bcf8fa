"""What a person or a nurse is told and shown around a guest dose must not lead to a wrong act: closures, hours, lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.evaluate import Store
from ost.errors import Refusal
from ost.models import message
from ost.models.opening import site_day
from ost.models.patient import patient
from ost.models.prescription import hold
from ost.models.site import site
from ost.reports.roster import render_html
from ost.services import amend, prescriptions
from ost.services.closures import read, roster
from ost.services.closures.undo import undo
from ost.services.guest import countersign, follow, jobs, notices, review_all
from ost.services.lost_doses import lost_doses
from ost.services.order_draft import Draft
from ost.services.outcome import Ending, end
from ost.services.queue import queue
from ost.services.work import SYSTEM, new_id
from tests.make import give as dosed
from tests.make import (
    make_account,
    make_bottle,
    make_clinic,
    make_guest_site,
    make_patient,
    make_prescription,
    make_site,
)
from tests.permits import days_from, make_permit, state_of
from tests.services.closing import give, hold_of, make_network, messages


@pytest.fixture
def net(house, clock):
    return make_network(house)


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


@pytest.fixture
def there(house, clinic):
    make_site(house, "TPE1", county="TPE")
    make_guest_site(house, "TPE1")
    return make_account(house, "nurse", scope="TPE1")


def told(net, name: str) -> list[str]:
    """Kinds of what a person was told, in order."""
    return [kind for who, kind in messages(net) if who == name]


# --- a closure taken back -----------------------------------------------------------------


def test_nobody_without_a_place_is_told_to_come_while_another_closure_keeps_the_door_shut(net):
    net.person("a", order={"medicine": "injectable_diamorphine"})
    first = net.close()
    net.close(reason="power")
    assert told(net, "a").count("closure_nowhere") == 2
    undo(net.house, net.centre, first.id)
    assert "closure_undone" not in told(net, "a")


def test_each_place_that_opens_again_is_named_with_its_own_days(net):
    tomorrow = net.today + timedelta(days=1)
    net.person("a", "BEYOND")
    # A guest at HUA1 today, at NEAR tomorrow; both close, and the own site is too far away.
    make_permit(net.house, net.people["a"], "HUA1", (net.today,))
    make_permit(net.house, net.people["a"], "NEAR", (tomorrow,))
    done = net.close(sites=("HUA1", "NEAR"), days=(net.today, tomorrow))
    undo(net.house, net.centre, done.id)
    m = message.message
    said = [r.data for r in net.rows(m, patient=net.people["a"], kind="closure_undone")]
    assert len(said) == 2, said


def test_who_was_moved_twice_goes_home_when_home_opens_and_not_to_the_place_between(net):
    net.person("a")
    first = net.close()
    assert net.where("a") == ["NEAR"]
    second = net.close(sites=(), county="HUA")
    assert net.where("a") == ["FAR"]
    undo(net.house, net.centre, first.id)
    undo(net.house, net.centre, second.id)
    assert net.where("a") == [None]
    give(net, "a", "HUA1")


# --- missed, and only then ----------------------------------------------------------------


def test_a_guest_is_not_missed_while_the_guest_site_is_open_longer_that_day(house, clinic, there, clock):
    [today] = days_from(house, "HUA1", 0)
    make_permit(house, clinic.patient, "TPE1", (today,))
    with house.work(SYSTEM, "TPE1", "made.day") as work:
        row = {"site": "TPE1", "day": today, "closed": False, "opens": "08:00", "last_dose": "22:30", "closes": "23:00"}
        work.add(site_day, **row, places=5, at_once=5, why="own", by="test", at=work.now)
        # The doors say noon; that day's own hours say 23:00.
        work.tx.execute(sa.update(site).values(closes="12:00"))
    clock.shift(timedelta(hours=22) - _since_midnight(house))

    def state(code, nurse):
        return next(r.state for r in queue(house, nurse, code).rows if r.due.patient == clinic.patient)

    assert state("HUA1", clinic.nurse) == "away"
    assert state("TPE1", there) == "expected"


def _since_midnight(house) -> timedelta:
    local = house.now() + timedelta(hours=8)
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)


def test_a_paused_permits_day_that_passed_without_a_dose_reaches_home_too(house, clinic, there, clock):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1, 2), signed=False)
    with house.work(SYSTEM, "HUA1", "test.review", patient=clinic.patient) as work:
        work.lock_patients([clinic.patient])
        follow.review(work, house, clinic.patient, "test")
    assert state_of(house, permit.request) == "paused"
    clock.shift(timedelta(days=1))
    jobs.unused(house)
    assert [n.kind for n in notices.of_site(house, clinic.nurse, "HUA1")] == [notices.UNUSED_DAY]


# --- the paper of a closed site's people ------------------------------------------------


def coming(net, done, site: str, folder) -> dict[str, roster.Row]:
    """{name: row} of the receiving site's roster."""
    nurse = make_account(net.house, "nurse", scope=site)
    made = roster.make(net.house, nurse, Store(folder), done.id, site, roster.COMING)
    numbers = {p.number: p.id for p in net.rows(patient)}
    names = {i: n for n, i in net.people.items()}
    return {names[numbers[r.number]]: r for r in made.rows}


def codes(row: roster.Row) -> set[str]:
    return {code for code, _ in row.stops}


def test_the_paper_gives_nothing_where_the_rules_give_nothing(net, tmp_path):
    net.person("steady")
    net.person("missed", order={"elsewhere_on": net.today - timedelta(days=6)})
    net.person("held")
    done = net.close()
    hold_of(net, "held")
    rows = coming(net, done, "NEAR", tmp_path) | coming(net, done, "FAR", tmp_path)
    assert codes(rows["steady"]) == set()
    assert codes(rows["missed"]) == {"new_induction_needed"}
    assert "on_hold" in codes(rows["held"])
    said = render_html(
        roster.Roster("x", 1, "coming", "NEAR", net.house.now(), tuple(rows.values()), "0" * 64, "x"),
        read.ends(net.house, {"HUA1", "NEAR", "FAR"}, {net.today}),
        "en",
    )
    assert said.count("give nothing") == 2
    assert "5 missed days: a new induction" in said
    assert said.count("60\u00a0mg</") + said.count("60\u00a0mg<br") == 1


def test_of_two_doses_a_day_the_one_still_due_is_on_the_paper_and_the_board(net, tmp_path):
    net.person("a")
    make_prescription(net.house, net.people["a"], sites=("HUA1",), slot=2, dose_ug=20_000)
    give(net, "a", "HUA1")
    done = net.close()
    [row] = coming(net, done, "NEAR", tmp_path).values()
    assert [(d.slot, d.dose_ug) for d in row.doses] == [(2, 20_000)]
    assert row.slots == 2
    [line] = read.board(net.house, net.centre, done.id).lines
    assert line.state == read.EXPECTED


# --- who goes where ---------------------------------------------------------------------


def test_who_may_be_dosed_at_another_own_site_goes_there_and_is_bound_to_none(net):
    net.people["a"] = make_patient(net.house, "HUA1")
    make_prescription(net.house, net.people["a"], sites=("HUA1", "FAR"))
    done = net.close()
    assert net.where("a") == [None]
    [line] = read.board(net.house, net.centre, done.id).lines
    assert (line.to_site, line.why) == ("FAR", "home")
    assert told(net, "a") == ["closure_moved"]
    undo(net.house, net.centre, done.id)
    assert told(net, "a") == ["closure_moved", "closure_undone"]
    give(net, "a", "FAR")


def test_another_own_site_that_is_closed_too_is_no_place_to_go(net):
    net.people["a"] = make_patient(net.house, "HUA1")
    make_prescription(net.house, net.people["a"], sites=("HUA1", "FAR"))
    net.close(sites=("HUA1", "FAR"))
    assert net.where("a") == ["NEAR"]


def administrative_hold(net, name: str, site: str) -> None:
    with net.house.work(SYSTEM, site, "test.hold") as work:
        row = {"patient": net.people[name], "site": site, "kind": "administrative", "reason_code": "identity_unclear"}
        work.add(hold, id=new_id(), blocks=True, since=net.today, by="test", at=work.now, **row)


def test_an_administrative_hold_of_home_does_not_strand_a_guest_whose_guest_site_closes(net):
    net.person("g", "FAR")
    administrative_hold(net, "g", "FAR")
    make_permit(net.house, net.people["g"], "HUA1", (net.today,))
    net.close()
    assert net.where("g") == ["NEAR"]
    give(net, "g", "NEAR")


def test_an_administrative_hold_where_they_are_due_leaves_them_to_a_person(net):
    net.person("a")
    administrative_hold(net, "a", "HUA1")
    found = net.preview()
    assert net.whither(found) == {"a": "held"}


# --- a guest's dose that was lost ---------------------------------------------------------


@pytest.mark.parametrize("whose", ["HUA1", "TPE1"])
def test_a_guests_vomited_dose_is_before_both_prescribers_and_either_may_order_another(house, clinic, there, whose):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    bottle = make_bottle(house, "TPE1")
    given = dosed(house, clinic, actor=there, site="TPE1", bottle=bottle)
    end(house, there, Ending(given.dose_id, "swallowed"))
    amend.observe(house, there, given.dose_id, "vomited", minutes_after=5)
    prescriber = make_account(house, "prescriber", scope=whose)
    assert [each.dose_id for each in lost_doses(house, prescriber, whose)] == [given.dose_id]
    with pytest.raises(Refusal, match="not_permitted"):
        amend.order_replacement(house, make_account(house, "prescriber", scope="KHH1"), given.dose_id, reason="vomited")
    amend.order_replacement(house, prescriber, given.dose_id, reason="vomited", dose_ug=30_000)
    again = dosed(house, clinic, actor=there, site="TPE1", bottle=bottle, seen_dose_ug=30_000, seen_volume_ul=3_000)
    assert again.state == "promised", again.reasons


def test_an_order_that_counts_from_a_later_day_is_signed_before_that_morning(house, clinic, there, clock):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    signer, bottle = make_account(house, "prescriber", scope="TPE1"), make_bottle(house, "TPE1")
    with pytest.raises(Refusal, match="guest_step_not_possible"):
        countersign.countersign(house, signer, permit.request)  # nothing waits for it
    draft = Draft(
        patient_id=clinic.patient, medicine="methadone", phase="maintenance", dose_ug=55_000, slot=1,
        starts_on=permit.days[1], ends_on=None, sites=("HUA1",),
    )  # fmt: skip
    assert prescriptions.change(house, clinic.prescriber, clinic.order, draft).state == "written"
    assert state_of(house, permit.request) == "confirmed"
    countersign.countersign(house, signer, permit.request)
    clock.shift(timedelta(days=1))
    review_all.review_all(house)
    assert state_of(house, permit.request) == "confirmed"
    given = dosed(house, clinic, actor=there, site="TPE1", bottle=bottle, seen_dose_ug=55_000, seen_volume_ul=5_500)
    assert given.state == "promised", given.reasons
