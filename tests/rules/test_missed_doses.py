"""The tolerance clock and its table, row by row (DOMAIN.md section 4)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ost.rules.dosing import decide
from ost.rules.facts import BY_OTHER, INDUCTION, NOT_GIVEN, PARTLY, SPAT_OUT, TOO_MUCH
from ost.rules.missed_doses import days_without, missed_days, missed_step
from tests.rules.makers import (
    NOW,
    TODAY,
    TW,
    bup,
    codes,
    days_ago,
    make_facts,
    make_order,
    make_past,
    make_signoff,
    missed,
    newcomer,
    reason,
)


def ask(facts):
    return decide(facts, TW, NOW)


def count(facts):
    return missed_days(facts, TW).count


def test_monday_dosed_friday_back_is_three():
    monday, friday = date(2026, 11, 16), date(2026, 11, 20)
    assert friday == TODAY
    assert days_without(make_order(), monday, friday) == 3


#: missed days -> verdict, dose now, reasons that stop or tell
TABLE = [
    (0, "give", 60_000, []),
    (1, "give", 60_000, []),
    (2, "give", 60_000, ["missed_days_note"]),
    (3, "refuse", 30_000, ["missed_days_half_dose", "dose_lowered"]),
    (4, "refuse", 30_000, ["missed_days_see_prescriber", "dose_lowered"]),
    (5, "refuse", 60_000, ["new_induction_needed"]),
    (13, "refuse", 60_000, ["new_induction_needed"]),
    (14, "refuse", 60_000, ["new_induction_needed", "treatment_gap_review"]),
]


@pytest.mark.parametrize(("days", "verdict", "dose", "expected"), TABLE)
def test_each_row_of_the_table(days, verdict, dose, expected):
    decision = ask(missed(days))
    assert (decision.verdict, decision.dose_ug, codes(decision)) == (verdict, dose, expected)
    assert missed_days(missed(days), TW).count == days


def test_the_table_is_a_guideline_and_not_marked_weak():
    assert not reason(ask(missed(3)), "missed_days_half_dose").weak_source
    assert not reason(ask(missed(14)), "treatment_gap_review").weak_source


def test_four_days_take_forty_or_half_whichever_is_lower():
    def proposed(ug):
        facts = missed(4, {"dose_ug": ug})
        return missed_step(facts, TW, missed_days(facts, TW)).proposed_dose_ug

    assert [proposed(ug) for ug in (60_000, 80_000, 90_000)] == [30_000, 40_000, 40_000]


@pytest.mark.parametrize(
    ("days", "code", "dose"),
    [(3, "missed_days_half_dose", 30_000), (4, "missed_days_see_prescriber", 30_000)],
)
def test_a_signoff_lifts_three_and_four(days, code, dose):
    decision = ask(missed(days, signoffs=(make_signoff(code),)))
    assert (decision.verdict, decision.dose_ug) == ("give", dose)


def test_no_signoff_lifts_five():
    decision = ask(missed(5, signoffs=(make_signoff("new_induction_needed", 10_000),)))
    assert decision.verdict == "refuse"
    assert not reason(decision, "new_induction_needed").needs_signoff


class TestNewInduction:
    def back(self, days, starts_ago, dose=20_000):
        return missed(days, {"phase": INDUCTION, "dose_ug": dose, "starts_on": days_ago(starts_ago)})

    def test_an_induction_order_after_the_gap_lifts_it_and_is_a_first_dose(self):
        decision = ask(self.back(6, 0))
        assert (decision.verdict, decision.dose_ug) == ("give", 20_000)
        assert codes(decision) == ["first_dose_watch"]

    def test_the_first_dose_ceilings_hold_again(self):
        assert "first_dose_above_max" in codes(ask(self.back(6, 0, 40_000)))

    def test_after_fourteen_days_the_review_stays_a_note(self):
        decision = ask(self.back(20, 0))
        assert (decision.verdict, codes(decision)) == ("give", ["first_dose_watch", "treatment_gap_review"])

    def test_an_order_written_within_the_gap_does_not_lift_it(self):
        assert "new_induction_needed" in codes(ask(self.back(6, 3)))

    def test_a_maintenance_order_does_not_lift_it(self):
        facts = missed(6, {"dose_ug": 20_000, "starts_on": TODAY, "phase": "maintenance"})
        assert "new_induction_needed" in codes(ask(facts))


class TestEarly:
    def test_two_missed_in_induction_need_the_prescriber(self):
        facts = missed(2, {"phase": INDUCTION, "starts_on": days_ago(10), "dose_ug": 25_000})
        decision = ask(facts)
        early = reason(decision, "missed_days_early")
        assert (decision.verdict, early.needs_signoff, early.weak_source) == ("refuse", True, True)

    def test_one_missed_in_induction_does_not(self):
        assert (
            ask(missed(1, {"phase": INDUCTION, "starts_on": days_ago(10), "dose_ug": 25_000})).verdict
            == "give"
        )

    @pytest.mark.parametrize(("ago", "expected"), [(3, True), (9, True), (10, False)])
    def test_within_seven_days_after_an_increase(self, ago, expected):
        facts = missed(2, {"last_increase_on": days_ago(ago)})
        assert ("missed_days_early" in codes(ask(facts))) is expected

    def test_three_missed_stay_the_tables(self):
        assert "missed_days_half_dose" in codes(ask(missed(3, {"last_increase_on": days_ago(5)})))


class TestWhatCounts:
    """Yesterday's dose, after an ordinary month: 0 = it counted as swallowed, 1 = as missed."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, 0),
            ({"outcome": PARTLY, "swallowed_ug": 30_000}, 0),
            ({"outcome": PARTLY, "swallowed_ug": 29_999}, 1),
            ({"outcome": PARTLY, "swallowed_ug": 1_000}, 1),  # a sip
            ({"outcome": None}, 1),
            ({"outcome": NOT_GIVEN, "swallowed_ug": 0}, 1),
            ({"outcome": SPAT_OUT, "swallowed_ug": 60_000}, 1),
            ({"outcome": BY_OTHER, "swallowed_ug": 60_000}, 1),
            ({"outcome": TOO_MUCH, "swallowed_ug": 90_000}, 0),
            ({"vomited_minutes": 60}, 1),
            ({"vomited_minutes": 61}, 0),
            ({"vomited_minutes": 0}, 1),  # vomited, time not known
            ({"promised_ug": 30_000, "swallowed_ug": 30_000}, 0),
            ({"promised_ug": 20_000, "swallowed_ug": 20_000}, 1),  # signed off below half of the order
            ({"medicine": "buprenorphine"}, 1),
            ({"day_ordered_ug": 180_000}, 1),  # one of three slots
        ],
    )
    def test_yesterday(self, changes, expected):
        past = (make_past(1, **changes), *(make_past(n) for n in range(2, 20)))
        assert count(make_facts(past=past)) == expected

    def test_two_slots_of_a_day_add_up(self):
        halves = [make_past(1, 30_000, slot=s, id=f"s{s}", day_ordered_ug=60_000) for s in (1, 2)]
        assert count(make_facts(past=tuple(halves))) == 0

    def test_both_buprenorphines_are_one_medicine_to_the_body(self):
        past = tuple(make_past(n, 8_000, medicine="buprenorphine_naloxone") for n in range(1, 5))
        assert count(bup(past=past)) == 0

    def test_unknown_is_counted_both_ways(self):
        past = (make_past(1, outcome=None), make_past(2, outcome=None), *(make_past(n) for n in range(3, 9)))
        found = missed_days(make_facts(past=past), TW)
        assert (found.count, found.count_if_swallowed) == (2, 0)
        assert (found.last_swallow_on, found.unknown_days) == (days_ago(3), (days_ago(2), days_ago(1)))

    def test_a_swallow_older_than_the_doses_read_still_counts(self):
        facts = make_facts(past=(), last_swallow_on=days_ago(40))
        assert count(facts) == 39

    def test_a_dose_documented_elsewhere_counts(self):
        facts = replace(missed(5), last_swallow_on=days_ago(1))
        assert count(facts) == 0

    def test_the_doses_read_outweigh_a_summary_of_the_same_day(self):
        past = (make_past(1, vomited_minutes=5), *(make_past(n) for n in range(2, 9)))
        assert count(make_facts(past=past, last_swallow_on=days_ago(1))) == 1

    def test_todays_first_slot_does_not_hide_the_gap_from_the_second(self):
        today = make_past(
            0, slot=2, promised_at=NOW - timedelta(hours=15), given_at=NOW - timedelta(hours=15)
        )
        facts = missed(3)
        assert count(replace(facts, past=(today, *facts.past))) == 3

    def test_never_dosed_in_induction_has_nothing_to_lose(self):
        late = newcomer(20_000, {"starts_on": days_ago(6)})
        assert codes(ask(late)) == ["first_dose_watch"]

    def test_an_only_dose_without_outcome_is_read_both_ways(self):
        """Swallowed: two missed days in induction. Not swallowed: a first dose. The prescriber is asked."""
        facts = newcomer(20_000, {"starts_on": days_ago(3)}, past=(make_past(3, 20_000, outcome=None),))
        found = reason(ask(facts), "missed_days_early")
        assert (found.data["days"], found.data["last_swallow_on"]) == (2, "2026-11-17")
        assert "first_dose_watch" in codes(ask(facts))


class TestWeekdayOrders:
    """Monday, Wednesday, Friday; today is a Friday."""

    MWF = (1, 3, 5)

    @pytest.mark.parametrize(
        ("last_ago", "expected"),
        [
            (2, 0),  # Wednesday: nothing missed, the free Thursday is planned
            (4, 2),  # Monday: Wednesday's dose should have covered two days
            (7, 4),  # the Friday before: Monday to Thursday
        ],
    )
    def test_a_missed_dose_counts_the_days_it_should_have_covered(self, last_ago, expected):
        assert days_without(make_order(days=self.MWF), days_ago(last_ago), TODAY) == expected

    def test_a_free_weekend_is_not_missed(self):
        monday = date(2026, 11, 23)
        order = make_order(days=(1, 2, 3, 4, 5))
        assert days_without(order, TODAY, monday) == 0

    def test_before_the_order_began_every_day_counts_unless_its_forerunners_days_are_known(self):
        order = make_order(days=self.MWF, starts_on=TODAY)
        assert days_without(order, days_ago(2), TODAY) == 1
        assert days_without(replace(order, previous_days=self.MWF), days_ago(2), TODAY) == 0


class TestBuprenorphine:
    def gone(self, days, **changes):
        past = tuple(make_past(n, 8_000, medicine="buprenorphine") for n in range(days + 1, days + 9))
        return bup(past=past, last_swallow_on=days_ago(days + 1), **changes)

    def test_no_automatic_dose_from_the_third_day(self):
        assert ask(self.gone(2)).verdict == "give"
        decision = ask(self.gone(3))
        found = reason(decision, "missed_days_prescriber")
        assert (decision.verdict, found.needs_signoff, found.weak_source) == ("refuse", True, True)

    def test_the_prescriber_names_the_dose(self):
        signed = self.gone(3, signoffs=(make_signoff("missed_days_prescriber", 4_000),))
        assert (ask(signed).verdict, ask(signed).dose_ug) == ("give", 4_000)


class TestEdges:
    def test_an_induction_order_on_the_fifth_missed_day_is_after_the_gap(self):
        facts = missed(5, {"phase": INDUCTION, "dose_ug": 20_000, "starts_on": TODAY})
        assert (ask(facts).verdict, codes(ask(facts))) == ("give", ["first_dose_watch"])

    def test_of_two_readings_that_both_ask_the_stricter_one_holds(self):
        past = (make_past(3, outcome=None), *(make_past(n) for n in range(6, 20)))
        facts = make_facts(past=past, last_swallow_on=days_ago(6))
        found = missed_days(facts, TW)
        assert (found.count, found.count_if_swallowed) == (5, 2)
        assert [c for c in codes(ask(facts)) if c.startswith(("missed", "new"))] == ["new_induction_needed"]

    def test_a_swallow_of_today_says_nothing_about_the_days_before(self):
        assert count(replace(missed(3), last_swallow_on=TODAY)) == 3

    def test_a_renewal_at_the_same_dose_is_no_increase(self):
        facts = missed(2, {"previous_dose_ug": 60_000, "starts_on": days_ago(3)})
        assert codes(ask(facts)) == ["missed_days_note"]

    def test_an_order_that_raises_the_dose_is_an_increase_by_itself(self):
        order = {"previous_dose_ug": 55_000, "starts_on": days_ago(4), "increase_before_on": days_ago(40)}
        assert "missed_days_early" in codes(ask(missed(2, order)))

    def test_maintenance_never_taken_is_counted_from_the_order_on(self):
        facts = make_facts({"starts_on": days_ago(6)}, past=(), last_swallow_on=None)
        assert reason(ask(facts), "new_induction_needed").data["days"] == 6

    def test_a_step_says_what_it_asks_for(self):
        def step(days):
            return missed_step(missed(days), TW, missed_days(missed(days), TW))

        assert step(0) is None
        assert [step(n).needs_signoff for n in (1, 2, 3, 4, 5)] == [False, False, True, True, False]
        assert [step(n).new_induction for n in (4, 5)] == [False, True]
        assert step(5).proposed_dose_ug is None
        assert [step(n).review for n in (13, 14)] == [False, True]
