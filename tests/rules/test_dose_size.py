"""The size of a dose: first doses, increases, ceilings, and what a sign-off lifts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ost.rules.dosing import decide
from ost.rules.facts import Observed, SlotState
from tests.rules.makers import (
    HERE,
    NOW,
    TODAY,
    TW,
    bup,
    codes,
    days_ago,
    make_bottle,
    make_facts,
    make_hold,
    make_past,
    make_signoff,
    missed,
    newcomer,
    reason,
)


def ask(facts, now=NOW, **options):
    return decide(facts, TW, now, **options)


class TestFirstDose:
    def test_twenty_is_usual_and_watched(self):
        decision = ask(newcomer(20_000))
        assert (decision.verdict, codes(decision)) == ("give", ["first_dose_watch"])
        assert decision.reasons[0].weak_source

    def test_up_to_thirty_with_a_signoff(self):
        decision = ask(newcomer(30_000))
        assert reason(decision, "first_dose_above_usual").needs_signoff
        signed = newcomer(30_000, signoffs=(make_signoff("first_dose_above_usual"),))
        assert ask(signed).dose_ug == 30_000

    def test_never_above_thirty(self):
        over = newcomer(
            31_000, signoffs=(make_signoff("first_dose_above_max"), make_signoff("first_day_above_max"))
        )
        decision = ask(over)
        assert {r.code for r in decision.reasons if r.tier == "stop"} == {
            "first_dose_above_max",
            "first_day_above_max",
        }

    def test_low_tolerance_needs_a_signoff_above_fifteen(self):
        assert codes(ask(newcomer(15_000, low_tolerance=True))) == ["first_dose_watch"]
        assert "first_dose_low_tolerance" in codes(ask(newcomer(16_000, low_tolerance=True)))

    def test_a_maintenance_order_without_any_swallow_on_record_is_a_first_dose(self):
        facts = newcomer(60_000, {"phase": "maintenance"})
        assert "first_dose_above_max" in codes(ask(facts))

    def test_a_dose_documented_elsewhere_is_a_swallow(self):
        facts = replace(newcomer(60_000, {"phase": "maintenance"}), last_swallow_on=days_ago(1))
        assert ask(facts).verdict == "give"

    def test_first_day_sums_over_slots(self):
        first = make_past(
            0, 20_000, slot=2, promised_at=NOW - timedelta(hours=15), given_at=None, outcome=None
        )
        decision = ask(newcomer(15_000, past=(first,)))
        assert dict(reason(decision, "first_day_above_max").data) == {"total_mg": "35", "limit_mg": "30"}

    def test_buprenorphine_first_day(self):
        def day_one(ug):
            return bup(ug, {"phase": "induction", "starts_on": TODAY}, past=(), last_swallow_on=None)

        assert ask(day_one(8_000)).verdict == "give"
        assert "first_day_above_max" in codes(ask(day_one(10_000)))

    def test_a_change_of_medicine_is_a_first_dose(self):
        facts = make_facts(past=tuple(make_past(n, 8_000, medicine="buprenorphine") for n in range(1, 20)))
        assert "first_dose_above_max" in codes(ask(facts))


class TestSteps:
    def up(self, to, before=60_000, past=None, **order):
        values = {"dose_ug": to, "previous_dose_ug": before, "starts_on": TODAY, "last_increase_on": TODAY}
        return make_facts(values | order, **({} if past is None else {"past": past}))

    def test_ten_is_a_step_and_more_needs_a_signoff(self):
        assert ask(self.up(70_000)).verdict == "give"
        decision = ask(self.up(71_000))
        assert dict(reason(decision, "step_too_large").data) == {
            "from_mg": "60",
            "to_mg": "71",
            "limit_mg": "10",
        }
        assert reason(decision, "step_too_large").needs_signoff

    def test_a_decrease_is_no_step(self):
        assert ask(self.up(30_000, last_increase_on=None)).verdict == "give"

    def test_three_days_between_two_steps(self):
        assert "step_too_soon" in codes(ask(self.up(65_000, increase_before_on=days_ago(2))))
        assert "step_too_soon" not in codes(ask(self.up(65_000, increase_before_on=days_ago(3))))
        assert "step_too_soon" in codes(ask(self.up(65_000, last_increase_on=days_ago(2))))

    def test_twenty_a_week(self):
        assert "week_increase_too_large" in codes(ask(self.up(65_000, week_ago_dose_ug=44_000)))
        assert "week_increase_too_large" not in codes(ask(self.up(65_000, week_ago_dose_ug=45_000)))

    def test_the_first_week_is_seen_in_the_doses(self):
        past = (make_past(1, 60_000), make_past(3, 44_000), make_past(5, 50_000))
        assert "week_increase_too_large" in codes(ask(self.up(65_000, past=past)))

    def test_once_swallowed_the_step_is_taken(self):
        facts = self.up(80_000, starts_on=days_ago(3))
        assert "step_too_large" in codes(ask(facts))
        taken = replace(facts, past=(make_past(1, 80_000), *facts.past[1:]))
        assert "step_too_large" not in codes(ask(taken))
        vomited = replace(facts, past=(make_past(1, 80_000, vomited_minutes=10), *facts.past[1:]))
        assert "step_too_large" in codes(ask(vomited))


class TestCeilings:
    def test_second_look_above_120_is_a_note(self):
        def at(ug):
            return make_facts({"dose_ug": ug}, past=tuple(make_past(n, ug) for n in range(1, 20)))

        assert codes(ask(at(120_000))) == []
        decision = ask(at(121_000))
        assert (decision.verdict, codes(decision)) == ("give", ["second_look"])
        assert decision.reasons[0].weak_source

    def test_tablets_are_whole_unless_the_product_may_be_halved(self):
        assert ask(bup(8_000)).volume_ul == 4_000
        assert codes(ask(bup(7_000))) == ["not_measurable"]
        halves = replace(bup(7_000).bottle, halves=True)
        assert ask(replace(bup(7_000), bottle=halves)).volume_ul == 3_500

    def test_not_enough_tablets(self):
        few = replace(bup().bottle, balance_ul=3_000)
        assert dict(ask(replace(bup(), bottle=few)).reasons[0].data) == {
            "bottle": "M-2231",
            "left": "3",
            "needed": "4",
        }


class TestSignOff:
    def signed(self, **changes):
        return missed(3, signoffs=(make_signoff("missed_days_half_dose", **changes),))

    def test_without_a_dose_the_rules_proposal_holds(self):
        decision = ask(self.signed())
        assert (decision.verdict, decision.dose_ug, decision.volume_ul) == ("give", 30_000, 3_000)
        assert dict(reason(decision, "signed_off").data) == {
            "answers": "missed_days_half_dose",
            "by": "prescriber",
            "dose_mg": "30",
        }

    def test_the_prescribers_dose_wins_over_the_proposal_never_over_the_order(self):
        assert ask(self.signed(dose_ug=45_000)).dose_ug == 45_000
        assert ask(self.signed(dose_ug=90_000)).dose_ug == 60_000

    @pytest.mark.parametrize(
        "changes", [{"day": days_ago(1)}, {"by_role": "nurse"}, {"code": "missed_days_note"}], ids=str
    )
    def test_another_day_role_or_reason_lifts_nothing(self, changes):
        code = changes.pop("code", "missed_days_half_dose")
        assert ask(missed(3, signoffs=(make_signoff(code, **changes),))).verdict == "refuse"

    def test_the_smallest_of_all_proposals_holds(self):
        facts = missed(
            3,
            observed=Observed(("other",)),
            signoffs=(make_signoff("missed_days_half_dose", 50_000), make_signoff("intoxicated", 10_000)),
        )
        assert ask(facts).dose_ug == 10_000

    def test_of_two_signoffs_the_smaller_dose_holds(self):
        code = "missed_days_half_dose"
        facts = missed(3, signoffs=(make_signoff(code, 50_000), make_signoff(code, 20_000, id="so-2")))
        assert ask(facts).dose_ug == 20_000

    @pytest.mark.parametrize(
        "code", ["on_hold", "already_dosed_today", "bottle_expired", "new_induction_needed"]
    )
    def test_a_fact_is_not_signed_away(self, code):
        facts = missed(
            5,
            holds=(make_hold(),),
            slot_state=SlotState("a", HERE, NOW - timedelta(hours=1), "swallowed"),
            bottle=make_bottle(expires_on=days_ago(1)),
            signoffs=(make_signoff(code),),
        )
        assert code in codes(ask(facts))


def test_approved_values_are_no_longer_marked_weak():
    digest = TW.value("methadone_second_look_above_ug", TODAY).digest
    facts = make_facts({"dose_ug": 130_000}, past=tuple(make_past(n, 130_000) for n in range(1, 20)))
    assert ask(facts).reasons[0].weak_source
    assert not ask(facts, approved=frozenset({digest})).reasons[0].weak_source
