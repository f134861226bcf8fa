"""Figures of guest dosing against a month worked out by hand, and who sees how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models import guest
from ost.services.guest import days as permit_days
from ost.services.guest import figure_facts, figures, steps
from ost.services.outcome import Ending, end
from ost.services.work import SYSTEM, new_id
from tests.make import (
    give,
    make_account,
    make_bottle,
    make_clinic,
    make_guest_site,
    make_patient,
    make_prescription,
    make_site,
)
from tests.permits import days_from, make_permit

MARCH = (date(2026, 3, 1), date(2026, 3, 31))


@dataclass
class Month:
    home: object  # a prescriber of HUA1, where everybody is at home
    there: object  # a prescriber of TPE1
    country: object  # the health department
    county: object  # of TPE


@pytest.fixture
def month(house, clock) -> Month:
    """March 2026, seen on 2 April. Tuesday 10 March is the day the clock starts on."""
    clinic = make_clinic(house)
    for code in ("TPE1", "TPE2"):
        make_site(house, code, "TPE")
    make_guest_site(house, "TPE1", places=4)
    make_guest_site(house, "TPE2", places=2, weekdays=(1, 2, 3, 4, 5))
    nurse, bottle = make_account(house, "nurse", scope="TPE1"), make_bottle(house, "TPE1")
    others = [make_patient(house, "HUA1") for _ in range(5)]
    for person in others:
        make_prescription(house, person)
    a, (b, c, d, e, f) = clinic.patient, others

    def dosed(person: str, outcome: str) -> None:
        done = give(house, clinic, actor=nurse, patient_id=person, site="TPE1", bottle=bottle)
        assert done.state == "promised", done
        end(house, nurse, Ending(done.dose_id, outcome, disposition=None if outcome == "swallowed" else "residue"))

    # a: three days at TPE1, comes on two. b: one day, spits it out. c: two days at TPE2, given up beforehand.
    make_permit(house, a, "TPE1", days_from(house, "HUA1", 0, 1, 2))
    make_permit(house, b, "TPE1", days_from(house, "HUA1", 0))
    gone = make_permit(house, c, "TPE2", days_from(house, "HUA1", 1, 2))
    with house.work(SYSTEM, "HUA1", "test.cancelled", patient=c) as work:
        work.lock_patients([c])
        permit_days.end_days(work, gone.id, gone.days, "cancelled")
        steps.take(work, gone.request, "cancel", steps.Who("test", "home", "HUA1"))
    # d: declined at home, ninety minutes later. e: an emergency permit, not used. f: in April, nobody's business here.
    declined(house, d, "TPE1", days_from(house, "HUA1", 4), clock)
    make_permit(house, e, "TPE1", days_from(house, "HUA1", 1), kind="emergency")
    dosed(a, "swallowed")
    dosed(b, "spat_out")
    clock.shift(timedelta(days=1))
    dosed(a, "swallowed")
    clock.move_to(datetime(2026, 4, 2, 1, 0, tzinfo=UTC))
    make_permit(house, f, "TPE1", (date(2026, 4, 2), date(2026, 4, 3)))
    return Month(
        home=clinic.prescriber,
        there=make_account(house, "prescriber", scope="TPE1"),
        country=make_account(house, "health_department_reader", scope="*", scope_kind="network"),
        county=make_account(house, "health_department_reader", scope="TPE", scope_kind="county"),
    )


def declined(house, person: str, site: str, days, clock, minutes: int = 90, reason: str = "guest_unstable") -> None:
    """Asked for, and declined by the home prescriber `minutes` later."""
    request = new_id()
    with house.work(SYSTEM, "HUA1", "test.asked", patient=person) as work:
        work.lock_patients([person])
        number = work.next_change_no("guest_request")
        work.add(
            guest.guest_request, id=request, number=number, patient=person, home_site="HUA1", site=site, kind="asked",
            days=canonical.text([d.isoformat() for d in days]), orders="[]", content_digest="0" * 64, by="test",
            by_role="home", at=work.now, distance_m=120_400,
        )  # fmt: skip
        who = steps.Who("test", "home", "HUA1")
        begun = {"request": request, "patient": person, "home_site": "HUA1", "site": site, "days": days}
        steps.begin(work, **begun, who=who, action="ask")
    clock.shift(timedelta(minutes=minutes))
    with house.work(SYSTEM, "HUA1", "test.declined", patient=person) as work:
        work.lock_patients([person])
        steps.take(work, request, "decline", steps.Who("test", "prescriber", "HUA1"), reason=reason)
    clock.shift(timedelta(minutes=-minutes))


def told(house, actor, name: str, by: str = "all", first=MARCH[0], last=MARCH[1]) -> list[tuple]:
    answer = figures.figure(house, actor, name, first, last, by)
    return [(r.key, r.numerator, r.denominator, r.value) for r in answer.rows]


def test_a_month_by_hand(house, month):
    me = month.home
    assert told(house, me, "guest_requests") == [("all", 4, None, 4)]  # a b c d; e is no request
    assert told(house, me, "guest_confirmed", "site") == [("TPE1", 2, 3, 0.6667), ("TPE2", 1, 1, 1.0)]
    assert told(house, me, "guest_attendance_days") == [("all", 2, 4, 0.5)]  # a: 2 of 3, b: 0 of 1
    assert told(house, me, "guest_attendance_applications") == [("all", 1, 3, 0.3333)]  # a of a, b, c
    assert told(house, me, "guest_no_shows") == [("all", 2, 4, 0.5)]
    assert told(house, me, "guest_lead_time_days") == [("all", None, 4, 0.5)]  # 0, 0, 1, 4
    assert told(house, me, "guest_decision_people_minutes") == [("all", None, 4, 0)]
    assert told(house, me, "guest_decision_instant_minutes") == [("all", None, 0, None)]
    assert told(house, me, "guest_refusals", "reason") == [("guest_unstable", 1, None, 1)]
    assert told(house, me, "guest_distance_km") == [("all", None, 1, 120.4)]
    # The guest site: a's three days, b's one and e's, of 31 days with 4 places.
    assert told(house, month.there, "guest_capacity_used") == [("all", 5, 124, 0.0403)]
    assert told(house, month.there, "guest_requests", "month") == [("2026-03", 3, None, 3)]
    assert told(house, month.there, "guest_attendance_days", "county") == [("TPE", 2, 4, 0.5)]


def test_today_and_tomorrow_are_not_yet_missed(house, month):
    april = (date(2026, 4, 1), date(2026, 4, 30))
    assert told(house, month.home, "guest_attendance_days", "all", *april) == [("all", 0, 0, None)]
    assert told(house, month.home, "guest_attendance_applications", "all", *april) == [("all", 0, 0, None)]
    assert told(house, month.home, "guest_requests", "all", *april) == [("all", 1, None, 1)]


def test_a_dose_found_not_taken_is_no_attendance(house, month):
    from ost.models import dose

    with house.work(SYSTEM, "TPE1", "test.void") as work:
        row = work.tx.execute(sa.select(dose.dose_attempt).order_by(dose.dose_attempt.c.promised_at.desc())).first()
        work.add(
            dose.dose_void, attempt=row.id, patient=row.patient, not_taken=True, reason="not_taken", by="a",
            second="b", at=work.now,
        )  # fmt: skip
    assert told(house, month.home, "guest_attendance_days") == [("all", 1, 4, 0.25)]


def test_unmet_demand_counts_a_person_a_county_and_a_day_once_and_not_where_a_place_was_found(house, month):
    lost, found = make_patient(house, "HUA1"), make_patient(house, "HUA1")
    make_prescription(house, found)
    day = date(2026, 4, 20)
    with house.work(SYSTEM, "HUA1", "test.unmet") as work:
        for n, (person, site, why) in enumerate((
            (lost, "TPE1", "guest_day_full"), (lost, "TPE2", "guest_day_full"), (lost, None, "guest_day_closed"),
            (found, "TPE1", "guest_day_full"),
        )):  # fmt: skip
            work.add(
                guest.guest_unmet, id=new_id(), patient=person, home_site="HUA1", site=site, county="TPE", day=day,
                why=why, at=work.now + timedelta(seconds=n),
            )  # fmt: skip
    make_permit(house, found, "TPE2", (day,))
    april = (date(2026, 4, 1), date(2026, 4, 30))
    assert told(house, month.home, "guest_unmet", "county", *april) == [("TPE", 1, None, 1)]
    assert told(house, month.home, "guest_unmet", "reason", *april) == [("guest_day_full", 1, None, 1)]


def test_whoever_stands_outside_sees_no_small_count_and_whole_months_only(house, month):
    for name, indicator in figures.INDICATORS.items():
        for by in indicator.by:
            for actor in (month.country, month.county):
                answer = figures.figure(house, actor, name, *MARCH, by)
                assert answer.least == 5
                for row in answer.rows:
                    assert (row.numerator is row.denominator is row.value is None) == row.suppressed
                    # Five places used in a month are the one count here that is not small.
                    assert row.suppressed or (name, row.numerator) == ("guest_capacity_used", 5), (name, by, row)
    for first, last in (
        (date(2026, 3, 2), date(2026, 3, 31)),
        (date(2026, 3, 1), date(2026, 3, 30)),
        (date(2026, 4, 1), date(2026, 4, 30)),
    ):
        with pytest.raises(Refusal) as no:
            figures.figure(house, month.country, "guest_requests", first, last)
        assert no.value.fields == {"from": ["guest_figure_whole_months"]}


def test_enough_to_be_shown_is_shown(house, month):
    people = [make_patient(house, "HUA1") for _ in range(10)]
    for person in people:
        make_prescription(house, person)
        make_permit(house, person, "TPE2", (date(2026, 4, 6),))
    early = figures.figure(house, month.home, "guest_requests", date(2026, 4, 1), date(2026, 4, 30), "site")
    assert [(r.key, r.value) for r in early.rows] == [("TPE1", 1), ("TPE2", 10)]


def test_another_sites_people_read_nothing_and_a_nurse_no_figures(house, month):
    make_site(house, "KHH1", "KHH")
    stranger = make_account(house, "prescriber", scope="KHH1")
    for name, indicator in figures.INDICATORS.items():
        for by in indicator.by:
            rows = figures.figure(house, stranger, name, *MARCH, by).rows
            assert all(not row.numerator and not row.denominator for row in rows), (name, by)
    nurse = make_account(house, "nurse", scope="TPE1")
    with pytest.raises(Refusal, match="not_permitted"):
        figures.figure(house, nurse, "guest_requests", *MARCH)


def test_what_cannot_be_asked(house, month):
    for name, first, last, by, code in (
        ("guest_names", *MARCH, "all", "guest_figure_unknown"),
        ("guest_requests", *MARCH, "patient", "input_invalid"),
        ("guest_requests", *MARCH, "reason", "input_invalid"),
        ("guest_requests", MARCH[1], MARCH[0], "all", "input_invalid"),
        ("guest_requests", date(2020, 1, 1), MARCH[1], "all", "input_invalid"),
    ):
        with pytest.raises(Refusal, match=code):
            figures.figure(house, month.home, name, first, last, by)


@dataclass
class Step:
    number: int
    from_state: str | None
    to_state: str
    by_role: str
    minute: int

    @property
    def at(self):
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=self.minute)


def test_a_decision_is_timed_without_the_patients_own_time_and_the_signature():
    asked = Step(1, None, "asked", "patient", 0)
    by_people = [
        asked,
        Step(2, "asked", "question", "prescriber", 10),
        Step(3, "question", "asked", "patient", 500),
        Step(4, "asked", "approved", "prescriber", 505),
        Step(5, "approved", "accepted", "guest", 525),
        Step(6, "accepted", "confirmed", "guest_prescriber", 600),
    ]
    assert figure_facts.decision(by_people) == ("people", 35.0)
    by_rule = [
        asked,
        Step(2, "asked", "approved", "system", 0),
        Step(3, "approved", "accepted", "system", 0),
        Step(4, "accepted", "confirmed", "system", 0),
    ]
    assert figure_facts.decision(by_rule) == ("instant", 0.0)
    assert figure_facts.decision(by_rule[:3]) is None
    assert figure_facts.decision([asked, Step(2, "asked", "declined", "prescriber", 7)]) == ("people", 7.0)


def test_whole_months_before_this_one():
    assert figures.last_months(date(2026, 3, 10), 1) == (date(2026, 2, 1), date(2026, 2, 28))
    assert figures.last_months(date(2026, 1, 31), 3) == (date(2025, 10, 1), date(2025, 12, 31))
