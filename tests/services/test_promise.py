"""A promise: once per person, day and slot; the same id, the same answer; every reason kept."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost import clock as clocks
from ost.errors import Refusal
from ost.models import dose, stock
from ost.models.station import identity_evidence
from ost.services.outcome import Ending, end
from ost.services.promise import Identity, promise
from ost.services.verify import verify
from ost.services.work import new_id
from tests.make import (
    dose_request,
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_patient,
    make_prescription,
    make_product,
    make_site,
)


def codes(answer) -> set[str]:
    return {r["code"] for r in answer.reasons}


def rows(house, table) -> list:
    with house.read() as tx:
        return tx.execute(sa.select(table)).all()


def balance(house, bottle: str) -> int:
    with house.read() as tx:
        return tx.execute(
            sa.select(stock.bottle.c.balance_ul).where(stock.bottle.c.id == bottle)
        ).scalar_one()


@pytest.fixture
def clinic(house):
    return make_clinic(house)


def test_a_promise_writes_attempt_register_line_decision_and_event_together(house, clinic):
    before = balance(house, clinic.bottle)
    answer = give(house, clinic)
    assert (answer.state, answer.dose_ug, answer.volume_ul) == ("promised", 60_000, 6_000)
    assert balance(house, clinic.bottle) == before - 6_000
    attempt = next(a for a in rows(house, dose.dose_attempt) if a.id == answer.dose_id)
    assert (attempt.site, attempt.home_site, attempt.medicine, attempt.phase) == (
        "HUA1",
        "HUA1",
        "methadone",
        "maintenance",
    )
    assert attempt.dosing_day == clocks.dosing_day(clocks.now(), "Asia/Taipei")
    decision = next(d for d in rows(house, dose.decision) if d.id == attempt.decision)
    assert decision.verdict == "give"
    assert decision.facts_digest == attempt.facts_digest
    assert json.loads(decision.facts)["patient_id"] == clinic.patient
    assert verify(house).passed


def test_the_same_request_again_gets_the_same_answer_and_writes_nothing(house, clinic):
    request = dose_request(clinic)
    first = promise(house, clinic.nurse, request)
    again = promise(house, clinic.nurse, request)
    assert replace(again, again=False, reasons=first.reasons) == first
    assert again.again
    assert sum(a.id == first.dose_id for a in rows(house, dose.dose_attempt)) == 1
    assert sum(line.dose == first.dose_id for line in rows(house, stock.register_line)) == 1


def test_the_same_id_with_other_content_is_refused(house, clinic):
    request = dose_request(clinic)
    promise(house, clinic.nurse, request)
    with pytest.raises(Refusal) as refused:
        promise(house, clinic.nurse, replace(request, slot=2))
    assert refused.value.code == "dose_id_reused"


def test_a_second_dose_the_same_day_is_refused_with_the_true_reason_and_its_id_is_used_up(house, clinic):
    first = give(house, clinic)
    request = dose_request(clinic)
    second = promise(house, clinic.nurse, request)
    assert second.state == "refused"
    assert "attempt_unresolved" in codes(second)
    end(house, clinic.nurse, Ending(first.dose_id, "swallowed"))
    third = give(house, clinic)
    assert "already_dosed_today" in codes(third)
    # The refused id answers as it did, whatever has changed since.
    assert codes(promise(house, clinic.nurse, request)) == codes(second)
    assert verify(house).passed


def test_the_same_refusal_again_is_kept_once(house, clinic):
    give(house, clinic)
    first, second = give(house, clinic), give(house, clinic)
    kept = {r.id: r for r in rows(house, dose.refusal)}
    assert kept[second.dose_id].same_as == first.dose_id
    assert kept[second.dose_id].decision is None
    assert sum(d.verdict == "refuse" for d in rows(house, dose.decision)) == 1


def test_another_site_finds_the_slot_taken(house):
    make_site(house, "TPE1", county="TPE")
    clinic = make_clinic(house, sites=("HUA1", "TPE1"))
    give(house, clinic)
    bottle = make_bottle(house, "TPE1")
    nurse = make_account(house, "nurse", scope="TPE1")
    there = give(house, clinic, actor=nurse, site="TPE1", bottle=bottle)
    assert there.state == "refused"
    assert "attempt_unresolved" in codes(there)
    assert balance(house, bottle) == 1_000_000


def test_a_site_the_order_does_not_name_is_refused(house, clinic):
    make_site(house, "TPE1", county="TPE")
    bottle = make_bottle(house, "TPE1")
    nurse = make_account(house, "nurse", scope="TPE1")
    assert "site_not_allowed" in codes(give(house, clinic, actor=nurse, site="TPE1", bottle=bottle))


def test_a_nurse_of_another_site_may_not_give_here(house, clinic):
    make_site(house, "TPE1", county="TPE")
    stranger = make_account(house, "nurse", scope="TPE1")
    with pytest.raises(Refusal) as refused:
        give(house, clinic, actor=stranger)
    assert refused.value.code == "not_permitted"


def test_what_changed_since_the_card_was_shown_stops_and_says_what(house, clinic):
    answer = give(house, clinic, seen_dose_ug=50_000)
    assert codes(answer) == {"changed_since_shown"}
    data = answer.reasons[0]["data"]
    assert (data["seen_dose_ug"], data["dose_ug"]) == (50_000, 60_000)
    assert not [a for a in rows(house, dose.dose_attempt) if a.id == answer.dose_id]


def test_a_ten_fold_stronger_bottle_changes_the_volume_and_stops(house, clinic):
    make_product(house, "methadone-100", 100_000)
    strong = make_bottle(house, product="methadone-100")
    answer = give(house, clinic, bottle=strong)
    assert "changed_since_shown" in codes(answer)
    assert next(r for r in answer.reasons if r["code"] == "changed_since_shown")["data"]["volume_ul"] == 600
    assert balance(house, strong) == 1_000_000


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"state": "sealed"}, "bottle_not_open"),
        ({"expires_on": clocks.now().date() - timedelta(days=2)}, "bottle_expired"),
        ({"volume_ul": 5_999}, "bottle_not_enough"),
    ],
)
def test_a_bottle_that_will_not_do(house, clinic, values, code):
    assert code in codes(give(house, clinic, bottle=make_bottle(house, **values)))


def test_a_bottle_that_does_not_exist_is_a_reason_not_an_error(house, clinic):
    assert "bottle_none" in codes(give(house, clinic, bottle="nothing-here"))


def test_a_bottle_that_holds_three_doses_gives_three(house, clinic):
    bottle = make_bottle(house, volume_ul=18_000)
    people = [make_patient(house) for _ in range(5)]
    for person in people:
        make_prescription(
            house, person, elsewhere_on=clocks.dosing_day(clocks.now(), "Asia/Taipei") - timedelta(days=1)
        )
    answers = [give(house, clinic, patient_id=p, bottle=bottle) for p in people]
    assert [a.state for a in answers] == ["promised"] * 3 + ["refused"] * 2
    assert balance(house, bottle) == 0
    assert codes(answers[-1]) == {"bottle_not_enough"}


def test_not_asking_for_intoxication_is_no_way_round_it(house, clinic):
    answer = promise(house, clinic.nurse, replace(dose_request(clinic), intoxication=None))
    assert "intoxication_not_checked" in codes(answer)
    assert "intoxicated" in codes(give(house, clinic, intoxication=("alcohol",)))


def test_a_finger_needs_a_capture_of_this_person(house, clinic):
    assert "identity_capture_missing" in codes(give(house, clinic, identity=Identity("finger")))
    assert "identity_capture_unknown" in codes(
        give(house, clinic, identity=Identity("finger", "no-such-capture"))
    )


def test_who_was_recognised_yesterday_is_not_recognised_today(house, clinic):
    def seen(at):
        with house.work(clinic.nurse, clinic.site, "test.seen") as work:
            kept = work.add(
                identity_evidence,
                id=new_id(),
                patient=clinic.patient,
                site=clinic.site,
                purpose="arrival",
                path="card",
                account=clinic.nurse.id,
                at=at,
            )
        return Identity("card", kept["id"])

    yesterday = seen(house.now() - timedelta(days=1))
    assert "identity_capture_unknown" in codes(give(house, clinic, identity=yesterday))
    assert give(house, clinic, identity=seen(house.now())).state == "promised"


def test_unknown_people_and_paths_are_said_plainly(house, clinic):
    with pytest.raises(Refusal) as refused:
        give(house, clinic, patient_id=new_id())
    assert refused.value.code == "patient_unknown"
    with pytest.raises(Refusal) as refused:
        give(house, clinic, identity=Identity("palm reading"))
    assert refused.value.code == "identity_path_unknown"


def test_the_key_holds_even_against_a_writer_that_does_not_look(house, clinic):
    first = give(house, clinic)
    attempt = next(a for a in rows(house, dose.dose_attempt) if a.id == first.dose_id)
    with pytest.raises(IntegrityError), house.db.begin() as tx:
        tx.execute(sa.insert(dose.dose_attempt), {**attempt._mapping, "id": new_id()})
    with pytest.raises(IntegrityError), house.db.begin() as tx:
        # A "replacement" of a dose that was never released.
        tx.execute(sa.insert(dose.dose_attempt), {**attempt._mapping, "id": new_id(), "replaces": attempt.id})


def test_sixteen_at_once_make_one_promise(house, clinic):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: give(house, clinic), range(16)))
    assert sum(a.state == "promised" for a in answers) == 1
    assert all("attempt_unresolved" in codes(a) for a in answers if a.state == "refused")
    assert verify(house).passed


def test_one_request_sent_eight_times_at_once_is_one_dose(house, clinic):
    request = dose_request(clinic)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: promise(house, clinic.nurse, request), range(8)))
    assert {a.state for a in answers} == {"promised"}
    assert {a.register_line for a in answers} == {answers[0].register_line}
    assert verify(house).passed


def test_midnight_begins_a_new_dosing_day_in_the_home_sites_zone(house, clock):
    clock.move_to(datetime(2026, 3, 10, 15, 50, tzinfo=UTC))  # 23:50 in Taipei
    clinic = make_clinic(house, came_yesterday=True)
    late = give(house, clinic)
    assert late.dosing_day == "2026-03-10"
    end(house, clinic.nurse, Ending(late.dose_id, "swallowed"))
    clock.move_to(datetime(2026, 3, 10, 16, 10, tzinfo=UTC))  # 00:10 the next day
    after = give(house, clinic)
    assert after.state == "refused"
    # The slot is free, the body is not: twenty minutes since the last swallow.
    assert codes(after) == {"gap_very_short"}


def test_a_clock_set_back_stops(house, clock):
    clinic = make_clinic(house)
    assert give(house, clinic).state == "promised"
    clock.shift(timedelta(hours=-6))
    assert "clock_set_back" in codes(give(house, clinic))
