"""The demo's rows: proved by verify, equal to what the services would see, told once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import canonical, clock
from ost.demo import load as loading
from ost.demo.network import MAIN, SITES, TWO_STRENGTHS, TZ
from ost.models import dose, patient, prescription, site, stock
from ost.rules.identity import parse_national_id
from ost.services import decision, sealed
from ost.services.gather import find_patient, gather
from ost.services.queue import queue
from ost.services.verify import verify, write_heads
from ost.services.work import SYSTEM


def one(demo, query):
    with demo.house.read() as tx:
        return tx.execute(query).scalar()


def all_of(demo, query):
    with demo.house.read() as tx:
        return tx.execute(query).all()


def today(demo):
    return clock.dosing_day(demo.house.now(), TZ)


def numbered(demo, number):
    """The id of the patient with this number."""
    return one(demo, sa.select(patient.patient.c.id).where(patient.patient.c.number == number))


def shown(demo, number, site_id=MAIN[0]):
    return decision.preview(demo.house, SYSTEM, numbered(demo, number), site_id)


def codes(answer):
    return {r["code"] for r in answer.reasons}


def test_verify_finds_nothing_wrong(demo, tmp_path):
    write_heads(demo.house, tmp_path / "heads")
    report = verify(demo.house, tmp_path / "heads")
    assert report.problems == []
    assert report.rows > 1000
    assert report.lines > 100


def test_every_dose_of_the_history_was_given_by_the_rules(demo):
    a, d = dose.dose_attempt, dose.decision
    rows = all_of(demo, sa.select(d.c.verdict, a.c.dose_ug).join_from(a, d, d.c.id == a.c.decision))
    assert {r.verdict for r in rows} == {"give"}
    assert len(rows) == demo.loaded.doses
    refused = all_of(
        demo, sa.select(d.c.verdict).join_from(dose.refusal, d, d.c.id == dose.refusal.c.decision)
    )
    assert {r.verdict for r in refused} == {"refuse"}
    assert len(refused) == demo.loaded.refusals


def test_everybody_has_a_valid_number_a_face_and_an_order(demo):
    people = all_of(demo, sa.select(patient.patient))
    assert len(people) == demo.loaded.patients == 48
    assert len(all_of(demo, sa.select(site.site.c.id))) == len(SITES)
    ordered = {r.patient for r in all_of(demo, sa.select(prescription.prescription.c.patient))}
    with demo.house.read() as tx:
        for row in people:
            key = sealed.person_key(tx, demo.house.keys, row.id)
            number = sealed.unseal_text(key, row.id, "patient", "national_id", row.national_id_sealed)
            assert parse_national_id(number).kind == "citizen"
            assert row.national_id_mac == demo.house.keys.search_mac("national_id", number)
            assert sealed.unseal(key, row.id, "patient", "face", row.face_sealed).startswith(b"<svg")
            name = sealed.unseal_text(key, row.id, "patient", "name", row.name_sealed)
            assert 2 <= len(name) <= 3
            # Somebody who has not come yet has no order; everybody's days are short here.
            assert row.id in ordered or row.episode_started_on is not None


def test_nothing_personal_lies_in_clear(demo):
    people = all_of(demo, sa.select(patient.patient))
    with demo.house.read() as tx:
        names = set()
        for row in people:
            key = sealed.person_key(tx, demo.house.keys, row.id)
            names.add(sealed.unseal_text(key, row.id, "patient", "name", row.name_sealed))
        for table in (dose.decision, dose.dose_attempt, dose.refusal, prescription.hold):
            text = repr(tx.execute(sa.select(table)).all())
            assert not any(name in text for name in names)


def test_today_is_untouched_and_most_people_can_be_dosed(demo):
    assert one(demo, sa.select(sa.func.count()).where(dose.dose_attempt.c.dosing_day >= today(demo))) == 0
    rows = queue(demo.house, SYSTEM, MAIN[0]).rows
    assert rows
    assert {r.state for r in rows} <= {"expected", "held"}
    answers = Counter(
        decision.preview(demo.house, SYSTEM, r.due.patient, MAIN[0]).verdict
        for r in rows
        if r.state == "expected"
    )
    assert answers["give"] > 0.5 * len(rows)


def test_the_first_person_can_be_promised_a_dose_now(demo):
    answer = shown(demo, "H-0001")
    assert answer.verdict == "give"
    assert answer.dose_ug * 1000 == answer.volume_ul * 10_000
    assert not codes(answer) & {"gap_short", "gap_very_short"}


@pytest.mark.parametrize("hour", [0, 3, 12, 23])
def test_no_gap_stops_anybody_at_any_hour_of_today(demo, hour):
    from datetime import datetime, time
    from zoneinfo import ZoneInfo

    at = datetime.combine(today(demo), time(hour, 20), ZoneInfo(TZ))
    then = replace(demo.house, now=lambda: at, memo={})
    for row in queue(then, SYSTEM, MAIN[0]).rows:
        answer = decision.preview(then, SYSTEM, row.due.patient, MAIN[0])
        assert not codes(answer) & {"gap_short", "gap_very_short", "clock_set_back", "day_not_today"}


def test_people_with_missed_days_hear_the_right_reason(demo):
    three, five = shown(demo, "H-0009"), shown(demo, "H-0013")
    assert three.verdict == five.verdict == "refuse"
    assert next(r for r in three.reasons if r["code"] == "missed_days_half_dose")["data"]["days"] == 3
    assert next(r for r in five.reasons if r["code"] == "new_induction_needed")["data"]["days"] == 5


def test_holds_the_open_dose_and_the_two_sites(demo):
    assert "on_hold" in codes(shown(demo, "H-0010"))
    assert "on_hold" in codes(shown(demo, "H-0014"))
    fee = shown(demo, "H-0015")
    assert fee.verdict == "give"
    assert "hold_note" in codes(fee)
    assert "vomited_before" in codes(shown(demo, "H-0008"))
    waiting = queue(demo.house, SYSTEM, MAIN[0]).open_doses
    assert [w.patient for w in waiting] == [numbered(demo, "H-0012")]
    assert "unresolved_earlier" in codes(shown(demo, "H-0012"))
    assert shown(demo, "H-0007", MAIN[1]).verdict == "give"
    assert "site_not_allowed" in codes(shown(demo, "H-0001", MAIN[1]))


def test_every_site_has_an_open_bottle_and_one_has_two_strengths(demo):
    b, p = stock.bottle, stock.product
    query = sa.select(b.c.site, p.c.strength_ug_per_ml).join(p, p.c.id == b.c.product)
    rows = all_of(demo, query.where(b.c.state == "open", b.c.kind == "stock"))
    assert {r.site for r in rows} == {s.id for s in SITES}
    assert {r.strength_ug_per_ml for r in rows if r.site == TWO_STRENGTHS} == {10_000, 5_000}


def test_the_next_bottle_and_the_next_patient_get_fresh_numbers(demo):
    from ost.services.stock import _next_bottle
    from ost.services.work import Work

    with demo.house.read() as tx:
        work = Work(tx, demo.house.keys, SYSTEM, MAIN[0], "test", demo.house.now())
        fresh = _next_bottle(work, MAIN[0], 0)
    assert one(demo, sa.select(stock.bottle.c.id).where(stock.bottle.c.id == fresh)) is None
    row = all_of(demo, sa.select(site.site.c.number_prefix, site.site.c.next_number))
    for prefix, number in row:
        assert numbered(demo, f"{prefix}-{number:04d}") is None
        assert numbered(demo, f"{prefix}-{number - 1:04d}") is not None


def test_the_facts_of_the_history_are_those_a_counter_would_gather(demo):
    """A decision kept in the history, gathered again from its rows as of that moment, has the same facts."""
    d = dose.decision
    newest = sa.select(d).join(dose.dose_attempt, dose.dose_attempt.c.decision == d.c.id)
    yesterday = today(demo) - timedelta(days=1)
    rows = all_of(demo, newest.where(d.c.day == yesterday).order_by(d.c.at).limit(40))
    assert len(rows) > 20
    with demo.house.read() as tx:
        for row in rows:
            kept = json.loads(row.facts)
            assert canonical.text(kept) == row.facts
            assert canonical.digest_of_text(row.facts) == row.facts_digest
            person = find_patient(tx, row.patient)
            bottle = kept["bottle"]["id"]
            signs = tuple(kept["observed"]["intoxication"])
            seen = gather(tx, person, site_id=row.site, slot=1, bottle=bottle, now=row.at, intoxication=signs)
            again = json.loads(canonical.text(seen.facts))
            # What happened after that moment is what differs: this very dose, and the bottle since.
            again["past"] = [p for p in again["past"] if p["day"] < kept["day"]]
            again["slot_state"] = kept["slot_state"]
            again["bottle"] |= {"balance_ul": kept["bottle"]["balance_ul"], "state": kept["bottle"]["state"]}
            last = max(
                (
                    p["day"]
                    for p in again["past"]
                    if not p["vomited_minutes"] and (p["swallowed_ug"] or 0) * 2 >= p["ordered_ug"]
                ),
                default=None,
            )
            if again["last_swallow_on"] == kept["day"]:
                again["last_swallow_on"] = last or kept["last_swallow_on"]
            again["holds"] = [h for h in again["holds"] if h in kept["holds"]]
            again["other_open_strengths"] = kept["other_open_strengths"]
            assert again == kept


def test_a_second_load_is_refused_and_changes_nothing(demo, tmp_path):
    before = one(demo, sa.select(sa.func.count()).select_from(dose.dose_attempt))
    with pytest.raises(loading.NotEmpty):
        loading.load(demo.house, tmp_path, loading.Size(12, 1))
    assert one(demo, sa.select(sa.func.count()).select_from(dose.dose_attempt)) == before
    assert not list(tmp_path.iterdir())


def test_it_refuses_outside_the_demo(database, tmp_path):
    from ost import keys
    from ost.services.work import House

    real = House(database, keys.ephemeral(), demo=False)
    with pytest.raises(loading.NotDemo):
        loading.load(real, tmp_path, loading.Size(12, 1))
    assert loading.is_empty(real)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_load_leaves_nothing(database, tmp_path):
    from ost import keys
    from ost.services.work import House

    house = House(database, keys.ephemeral(), demo=True)

    def stop(step, done, of):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loading.load(house, tmp_path, loading.Size(24, 4), tell=stop)
    assert loading.is_empty(house)
    assert verify(house).problems == []
    assert loading.load(house, tmp_path, loading.Size(24, 4)).patients == 24


def test_the_register_holds_what_a_morning_brings(demo):
    kinds = {r.kind for r in all_of(demo, sa.select(stock.register_line.c.kind).distinct())}
    assert {"received", "dispensed", "counted"} <= kinds
