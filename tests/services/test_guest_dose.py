"""A guest dose at the counter: allowed by the permit's day alone, and by every fact it rests on."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models import dose, guest, stock
from ost.models.lookup import consent_end
from ost.models.opening import guest_site, site_hours
from ost.models.prescription import prescription, prescription_end
from ost.models.site import site
from ost.rules.missed_doses import missed_days
from ost.services import consents, decision, holds
from ost.services.guest import steps
from ost.services.outcome import Ending, end
from ost.services.print_list import paper
from ost.services.queue import queue
from ost.services.verify import verify
from ost.services.work import SYSTEM, Actor, new_id
from tests.make import (
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_counter,
    make_guest_site,
    make_site,
)
from tests.permits import days_from, make_permit, state_of
from tests.touch import enrol, make_station


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


@pytest.fixture
def away(house, clinic):
    """(nurse, bottle) of the guest site TPE1."""
    make_site(house, "TPE1", county="TPE")
    make_guest_site(house, "TPE1")
    return make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")


def there(house, clinic, away, **values):
    nurse, bottle = away
    return give(house, clinic, actor=nurse, site="TPE1", bottle=bottle, **values)


def codes(answer) -> set[str]:
    return {r["code"] for r in answer.reasons if r["tier"] == "stop"}


def attempts(house, patient) -> list:
    a = dose.dose_attempt
    with house.read() as tx:
        return tx.execute(sa.select(a).where(a.c.patient == patient).order_by(a.c.promised_at)).all()


def test_a_guest_is_dosed_from_the_guest_sites_bottle_and_the_attempt_names_the_permit(house, clinic, away):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    given = there(house, clinic, away)
    assert given.state == "promised"
    row = attempts(house, clinic.patient)[-1]
    assert (row.permit, row.site, row.home_site, row.bottle) == (permit.id, "TPE1", "HUA1", away[1])
    line = stock.register_line
    with house.read() as tx:
        where = tx.execute(sa.select(line.c.bottle).where(line.c.dose == given.dose_id)).scalars().all()
    assert where == [away[1]]


def test_without_a_permit_a_site_the_order_does_not_name_is_no_place_for_it(house, clinic, away):
    assert codes(there(house, clinic, away)) == {"site_not_allowed"}


def test_on_a_guest_day_the_home_site_gives_nothing_and_says_where(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1, 2))
    refused = give(house, clinic)
    assert codes(refused) == {"guest_day_elsewhere"}
    [reason] = [r for r in refused.reasons if r["tier"] == "stop"]
    assert reason["data"] == {"site": "TPE1", "number": 1, "days": 3}


def test_a_third_site_that_the_order_names_gives_nothing_on_a_guest_day_either(house, clock):
    make_site(house, "KHH1", county="KHH")
    clinic = make_clinic(house, sites=("HUA1", "KHH1"))
    make_site(house, "TPE1", county="TPE")
    make_guest_site(house, "TPE1")
    nurse, bottle = make_account(house, "nurse", scope="KHH1"), make_bottle(house, "KHH1")
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    refused = give(house, clinic, actor=nurse, site="KHH1", bottle=bottle)
    assert codes(refused) == {"guest_day_elsewhere"}


def test_a_stranger_is_told_nothing_of_the_guest_day(house, clinic, away):
    make_site(house, "KHH1", county="KHH")
    nurse, bottle = make_account(house, "nurse", scope="KHH1"), make_bottle(house, "KHH1")
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    refused = give(house, clinic, actor=nurse, site="KHH1", bottle=bottle)
    assert [(r["code"], r["data"]) for r in refused.reasons] == [("site_not_allowed", {"site": "KHH1"})]


@pytest.mark.parametrize("offset", [1, 2], ids=["a day too early", "two days too early"])
def test_before_the_first_day_the_guest_site_gives_nothing(house, clinic, away, offset):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", offset, offset + 1))
    assert codes(there(house, clinic, away)) == {"guest_not_today"}
    assert give(house, clinic).state == "promised"  # home does as ever


def test_after_the_last_day_the_guest_site_gives_nothing_though_nobody_closed_the_permit(house, clinic, away, clock):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    done = there(house, clinic, away)
    end(house, away[0], Ending(done.dose_id, "swallowed"))
    clock.shift(timedelta(days=1))
    assert state_of(house, permit.request) == "confirmed"  # its closing job has not run
    assert codes(there(house, clinic, away)) == {"guest_not_today"}
    assert give(house, clinic).state == "promised"


def test_the_day_is_the_home_zones_until_midnight_there(house, clock):
    """Seen from a site an hour ahead, tomorrow has begun; the permit's day is still home's."""
    clock.move_to(datetime(2026, 3, 10, 15, 30, tzinfo=UTC))  # 23:30 in Taipei, 00:30 on the 11th in Tokyo
    clinic = make_clinic(house)
    make_site(house, "TYO1", county="TPE", tz="Asia/Tokyo", opens="00:00", closes="23:59")
    make_guest_site(house, "TYO1")
    away = make_account(house, "nurse", scope="TYO1"), make_bottle(house, "TYO1")
    permit = make_permit(house, clinic.patient, "TYO1", (date(2026, 3, 10),))
    given = give(house, clinic, actor=away[0], site="TYO1", bottle=away[1])
    assert given.state == "promised" and given.dosing_day == "2026-03-10"
    end(house, away[0], Ending(given.dose_id, "not_given", disposition="returned"))
    clock.move_to(datetime(2026, 3, 10, 16, 0, 1, tzinfo=UTC))  # midnight has passed at home
    late = give(house, clinic, actor=away[0], site="TYO1", bottle=away[1])
    assert "guest_not_today" in codes(late)
    assert [a.permit for a in attempts(house, clinic.patient)][-1] == permit.id


def spoil(house, permit, how: str) -> None:
    """Take one fact away behind the program's back: only the look at the counter stands."""
    head = guest.guest_head
    with house.work(SYSTEM, "TPE1", "made.spoilt") as work:
        if how == "paused":
            steps.take(work, permit.request, "pause", steps.SYSTEM, reason="countersign")
        elif how == "ended":
            work.tx.execute(sa.update(head).where(head.c.request == permit.request).values(state="ended"))
        elif how == "given_back":
            row = {"permit": permit.id, "day": permit.days[0], "why": "taken_back", "by": "test", "at": work.now}
            work.add(guest.permit_day_end, **row)
        elif how == "consent":
            work.add(consent_end, consent=permit.consent, site="HUA1", by="test", at=work.now)
        elif how == "unlisted":
            work.tx.execute(sa.update(guest_site).where(guest_site.c.site == "TPE1").values(listed=False))
        elif how == "designation":
            work.tx.execute(sa.update(site).where(site.c.id == "TPE1").values(medicines='["buprenorphine"]'))
        elif how == "order":
            old = work.tx.execute(sa.select(prescription).where(prescription.c.patient == permit_owner(work, permit)))
            row = dict(old.one()._mapping)
            ended = {"prescription": row["id"], "patient": row["patient"], "why": "stopped", "by": "test"}
            work.add(prescription_end, **ended, at=work.now)
            work.add(prescription, **{**row, "id": new_id(), "replaces": None, "written_at": work.now})
        work.payload |= {"spoilt": how}


def permit_owner(work, permit) -> str:
    g = guest.guest_permit
    return work.tx.execute(sa.select(g.c.patient).where(g.c.id == permit.id)).scalar_one()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("paused", "guest_paused"),
        ("ended", "guest_permit_ended"),
        ("given_back", "guest_not_today"),
        ("consent", "guest_consent_ended"),
        ("unlisted", "guest_site_not_listed"),
        ("designation", "medicine_not_at_site"),
        ("order", "guest_order_not_covered"),
    ],
)
def test_each_fact_that_is_gone_stops_the_dose_though_the_permit_still_says_confirmed(house, clinic, away, how, code):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    spoil(house, permit, how)
    refused = there(house, clinic, away)
    assert refused.state == "refused" and code in codes(refused)
    assert [a.site for a in attempts(house, clinic.patient)] == ["HUA1"]  # yesterday's


def test_an_order_that_is_not_countersigned_stops_the_first_guest_dose(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0), signed=False)
    assert codes(there(house, clinic, away)) == {"guest_not_countersigned"}


def test_an_emergency_permit_needs_neither_consent_nor_signature_and_binds_the_home_site(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0), signed=False, kind="emergency")
    assert codes(give(house, clinic)) == {"guest_day_elsewhere"}
    assert there(house, clinic, away).state == "promised"


def test_a_permit_that_ends_between_card_and_promise_gives_nothing(house, clinic, away):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    shown = decision.preview(house, away[0], clinic.patient, "TPE1", intoxication=())
    assert shown.verdict == "give"
    spoil(house, permit, "ended")
    refused = there(house, clinic, away, seen_dose_ug=shown.dose_ug, seen_volume_ul=shown.volume_ul)
    assert codes(refused) == {"guest_permit_ended"}
    with pytest.raises(Refusal, match="patient_unknown"):
        decision.preview(house, away[0], clinic.patient, "TPE1")


def test_the_record_is_closed_to_the_guest_site_the_moment_consent_is_taken_back(house, clinic, away):
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    assert decision.preview(house, away[0], clinic.patient, "TPE1").verdict == "give"
    spoil(house, permit, "consent")
    with pytest.raises(Refusal, match="patient_unknown"):
        decision.preview(house, away[0], clinic.patient, "TPE1")


def test_the_answer_to_one_dose_id_is_the_same_and_at_home_it_is_refused_as_used(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    dose_id = new_id()
    first = there(house, clinic, away, dose_id=dose_id)
    again = there(house, clinic, away, dose_id=dose_id)
    assert (first.state, again.state, again.again) == ("promised", "promised", True)
    with pytest.raises(Refusal, match="dose_id_reused"):
        give(house, clinic, dose_id=dose_id)
    assert len(attempts(house, clinic.patient)) == 2


def test_home_and_guest_at_the_same_moment_give_one_dose(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    answers, barrier = [], threading.Barrier(4)

    def tap(here: bool):
        barrier.wait()
        answers.append(give(house, clinic) if here else there(house, clinic, away))

    threads = [threading.Thread(target=tap, args=(n % 2 == 0,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    promised = [a for a in answers if a.state == "promised"]
    assert len(promised) == 1 and len(answers) == 4
    today = [a for a in attempts(house, clinic.patient) if a.dosing_day == days_from(house, "HUA1", 0)[0]]
    assert [(a.id, a.site) for a in today] == [(promised[0].dose_id, "TPE1")]


def test_a_guest_dose_counts_as_swallowed_at_home_and_a_guest_day_not_used_as_missed(house, clinic, away, clock):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0, 1))
    done = there(house, clinic, away)
    end(house, away[0], Ending(done.dose_id, "swallowed"))
    clock.shift(timedelta(days=1))  # the second guest day passes unused
    clock.shift(timedelta(days=1))
    shown = decision.preview(house, clinic.nurse, clinic.patient, "HUA1")
    assert shown.facts.last_swallow_on == date(2026, 3, 10)
    assert missed_days(shown.facts, policies.policy("tw")).count == 1


def test_an_administrative_hold_of_the_home_site_is_a_note_at_the_guest_site_and_stops_at_home(house, clinic, away):
    holds.place(
        house,
        clinic.prescriber,
        clinic.patient,
        site_id="HUA1",
        kind="administrative",
        reason_code=house_reason("hold_reasons_administrative"),
        come_back_on=days_from(house, "HUA1", 1)[0],
    )
    assert codes(give(house, clinic)) == {"on_hold"}
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    given = there(house, clinic, away)
    assert given.state == "promised" and "hold_note" in {r["code"] for r in given.reasons}
    assert state_of(house, permit.request) == "confirmed"


def house_reason(key: str) -> str:
    never = policies.policy("tw").list("hold_reasons_never_blocking", date(2026, 3, 10))
    return next(code for code in policies.policy("tw").list(key, date(2026, 3, 10)) if code not in never)


# --- found by a touch, and in the list ---------------------------------------------------


@pytest.fixture
def station(house, clinic, away):
    enrol(house, clinic.patient, 101)  # at home
    make_counter(house, "TPE1")
    return make_station(house, "TPE1-1", "TPE1")


def test_a_guest_is_found_by_the_finger_enrolled_at_home_as_one_expected_here(house, clinic, station):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    answer = station.touch(101)
    assert (answer.result, answer.code) == ("shown", None)


def test_the_same_finger_is_a_strangers_without_a_permit_and_when_consent_is_taken_back(house, clinic, station):
    assert station.touch(101).code == "known_elsewhere"
    permit = make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    assert station.touch(101).result == "shown"
    consents.end(house, Actor(f"patient:{clinic.patient}"), permit.consent)
    assert station.touch(101).code == "known_elsewhere"


def test_a_guest_stands_on_the_guest_sites_printed_list_and_at_home_nobody_gives_by_it(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    [row] = paper(house, away[0], "TPE1").rows
    assert (row.dose_ug, row.volume_ul, row.stops) == (60_000, 6_000, ())
    [home] = paper(house, clinic.nurse, "HUA1").rows
    assert (home.state, [s["code"] for s in home.stops]) == ("away", ["guest_day_elsewhere"])


def test_home_says_missed_only_once_the_guest_site_has_closed_without_a_dose(house, clinic, away, clock):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))

    def state(code, nurse):
        return next(r.state for r in queue(house, nurse, code).rows if r.due.patient == clinic.patient)

    site_closes(house, "HUA1", "08:00")
    assert (state("HUA1", clinic.nurse), state("TPE1", away[0])) == ("away", "expected")
    site_closes(house, "TPE1", "08:00")
    assert (state("HUA1", clinic.nurse), state("TPE1", away[0])) == ("missed", "missed")


def site_closes(house, code: str, at: str) -> None:
    with house.work(SYSTEM, code, "made.hours") as work:
        work.tx.execute(sa.update(site).where(site.c.id == code).values(closes=at))
        work.tx.execute(sa.update(site_hours).where(site_hours.c.site == code).values(closes=at))
        work.payload = {"closes": at}


def test_a_guest_dose_stands_in_one_register_and_counts_once_wherever_it_is_asked(house, clinic, away):
    make_permit(house, clinic.patient, "TPE1", days_from(house, "HUA1", 0))
    done = there(house, clinic, away)
    end(house, away[0], Ending(done.dose_id, "swallowed"))
    line = stock.register_line
    with house.read() as tx:
        assert tx.execute(sa.select(line.c.bottle).where(line.c.dose == done.dose_id)).scalars().all() == [away[1]]
    assert codes(give(house, clinic)) >= {"guest_day_elsewhere", "already_dosed_today"}
    for actor in (clinic.nurse, away[0]):  # home reads what was done there, as it happens
        assert decision.story(house, actor, done.dose_id)["state"] == "swallowed"
    found = verify(house, None)
    assert found.passed, found.problems
