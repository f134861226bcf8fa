"""Each check alone, then together: verdict, dose, code, tier, data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ost.rules.dosing import decide
from ost.rules.facts import (
    BY_OTHER,
    NOT_GIVEN,
    PARTLY,
    SPAT_OUT,
    Exposure,
    Give,
    Observed,
    Refuse,
    SlotState,
)
from tests.rules.makers import (
    ELSEWHERE,
    HERE,
    NOW,
    TODAY,
    TW,
    answered,
    codes,
    days_ago,
    make_bottle,
    make_facts,
    make_hold,
    make_past,
    make_signoff,
    missed,
    reason,
)


def ask(facts, now=NOW, **options):
    return decide(facts, TW, now, **options)


def test_an_ordinary_day_gives_the_ordered_dose_without_a_word():
    assert ask(make_facts()) == Give(60_000, 6_000, 60_000, ())


def _slot(outcome):
    return SlotState("a-1", ELSEWHERE, NOW - timedelta(hours=1), outcome)


ALONE = [
    ("patient_not_active", {"patient_active": False}, {}),
    ("site_not_active", {"site_active": False}, {"site": HERE}),
    ("site_not_allowed", {"order": {"sites": (ELSEWHERE,)}}, {"site": HERE}),
    ("medicine_not_at_site", {"site_medicines": ("buprenorphine",)}, {"medicine": "methadone", "site": HERE}),
    ("order_not_started", {"order": {"starts_on": TODAY + timedelta(days=1)}}, {"starts_on": "2026-11-21"}),
    ("order_ended", {"order": {"ends_on": days_ago(1)}}, {"ends_on": "2026-11-19"}),
    ("order_stopped", {"order": {"stopped_at": NOW}}, {"stopped_at": "2026-11-20T00:00:00+00:00"}),
    ("not_due_today", {"order": {"days": (1, 2, 3, 4, 6, 7)}}, {"next_due_on": "2026-11-21"}),
    (
        "already_dosed_today",
        {"slot_state": _slot("swallowed")},
        {"site": ELSEWHERE, "at": "2026-11-19T23:00:00+00:00"},
    ),
    ("already_dosed_today", {"slot_state": _slot("partly")}, None),
    ("already_dosed_today", {"slot_state": _slot("too_much")}, None),
    (
        "attempt_unresolved",
        {"slot_state": _slot(None)},
        {"site": ELSEWHERE, "at": "2026-11-19T23:00:00+00:00"},
    ),
    ("slot_used", {"slot_state": _slot("spat_out")}, None),
    ("slot_used", {"slot_state": _slot("not_given")}, None),
    ("slot_used", {"slot_state": _slot("swallowed_by_other")}, None),
    (
        "on_hold",
        {"holds": (make_hold(),)},
        {
            "reason_code": "medical_review",
            "since": "2026-11-18",
            "come_back_on": "2026-11-23",
            "call": "03-123-4567",
        },
    ),
    (
        "exposure_uncleared",
        {"exposures": (Exposure("a-9", days_ago(1), NOW - timedelta(days=1), 75_000, False),)},
        {"day": "2026-11-19", "amount_mg": "75"},
    ),
    ("intoxicated", {"observed": Observed(("gait", "drowsy"))}, {"signs": "drowsy, gait"}),
    ("bottle_none", {"bottle": None}, {"medicine": "methadone"}),
    ("bottle_not_open", {"bottle": make_bottle(state="sealed")}, {"bottle": "M-2231", "state": "sealed"}),
    ("bottle_other_site", {"bottle": make_bottle(site=ELSEWHERE)}, {"bottle": "M-2231", "site": ELSEWHERE}),
    ("bottle_wrong_medicine", {"bottle": make_bottle(medicine="buprenorphine")}, None),
    ("bottle_expired", {"bottle": make_bottle(expires_on=days_ago(1))}, None),
    (
        "bottle_not_enough",
        {"bottle": make_bottle(balance_ul=5_999)},
        {"bottle": "M-2231", "left_ml": "5.999", "needed_ml": "6"},
    ),
    ("bottle_not_understood", {"bottle": make_bottle(unit="drops")}, {"bottle": "M-2231"}),
    ("bottle_not_understood", {"bottle": make_bottle(strength_ug_per_ml=0)}, {"bottle": "M-2231"}),
    (
        "not_measurable",
        {"bottle": make_bottle(strength_ug_per_ml=7_000)},
        {"dose_mg": "60", "strength_mg": "7"},
    ),
]


@pytest.mark.parametrize(("code", "changes", "data"), ALONE, ids=lambda v: v if isinstance(v, str) else "")
def test_each_stop_alone(code, changes, data):
    decision = ask(make_facts(**changes))
    assert isinstance(decision, Refuse)
    assert [r.code for r in decision.reasons if r.tier == "stop"] == [code]
    if data is not None:
        assert dict(reason(decision, code).data) == data


def test_all_stops_are_told_at_once_stops_first_then_by_code():
    facts = make_facts(
        {"sites": (ELSEWHERE,), "ends_on": days_ago(1)},
        patient_active=False,
        holds=(make_hold(), make_hold(id="h2", blocks=False)),
        bottle=make_bottle(state="sealed", balance_ul=1),
        observed=Observed(None),
    )
    assert codes(ask(facts)) == [
        "bottle_not_enough",
        "bottle_not_open",
        "on_hold",
        "order_ended",
        "patient_not_active",
        "site_not_allowed",
        "intoxication_not_checked",
        "hold_note",
    ]


def test_no_order_at_all():
    decision = ask(replace(make_facts(), order=None))
    assert codes(decision) == ["no_order"]
    assert decision.dose_ug is None


def test_a_stop_written_by_a_clock_that_runs_ahead_holds_already():
    assert codes(ask(make_facts({"stopped_at": NOW + timedelta(seconds=1)}))) == ["order_stopped"]


def test_a_refusal_still_shows_what_would_be_given():
    decision = ask(make_facts(holds=(make_hold(),)))
    assert (decision.dose_ug, decision.volume_ul, decision.ordered_ug) == (60_000, 6_000, 60_000)


def test_no_volume_of_the_wrong_medicine_is_shown():
    assert ask(make_facts(bottle=make_bottle(medicine="buprenorphine"))).volume_ul is None


def test_a_medicine_without_rules_is_refused():
    facts = make_facts(
        {"medicine": "morphine_slow_release"},
        site_medicines=("morphine_slow_release",),
        bottle=make_bottle(medicine="morphine_slow_release"),
    )
    assert codes(ask(facts)) == ["medicine_without_rules"]


def test_a_bottle_is_good_on_its_last_day():
    assert isinstance(ask(make_facts(bottle=make_bottle(expires_on=TODAY))), Give)


def test_exactly_enough_is_enough():
    assert isinstance(ask(make_facts(bottle=make_bottle(balance_ul=6_000))), Give)


def test_two_strengths_open_is_a_note():
    decision = ask(make_facts(other_open_strengths=(1_000, 10_000)))
    assert isinstance(decision, Give)
    assert dict(reason(decision, "two_strengths_open").data) == {
        "bottle": "M-2231",
        "strength_mg": "10",
        "others_mg": "1",
    }


class TestSlot:
    def test_the_past_knows_a_dose_the_slot_does_not(self):
        facts = make_facts(past=(make_past(0, promised_at=NOW - timedelta(hours=20), given_at=None),))
        assert "already_dosed_today" in codes(ask(facts))

    def test_a_dose_of_another_slot_leaves_this_one_free(self):
        earlier = make_past(
            0, slot=2, promised_at=NOW - timedelta(hours=15), given_at=NOW - timedelta(hours=15)
        )
        assert isinstance(ask(make_facts(past=(earlier, *make_facts().past))), Give)

    def test_a_replacement_is_never_more_than_the_prescriber_ordered(self):
        vomited = make_past(
            0, given_at=NOW - timedelta(hours=1), promised_at=NOW - timedelta(hours=1), vomited_minutes=5
        )
        state = SlotState(None, replacement_ordered=True, replacement_ug=30_000)
        decision = ask(make_facts(slot_state=state, past=(vomited, *make_facts().past)))
        assert isinstance(decision, Give)
        assert decision.dose_ug == 30_000
        assert codes(decision) == ["dose_lowered", "replacement_dose", "vomited_before"]

    def test_a_vomited_dose_is_not_replaced_by_itself(self):
        vomited = make_past(0, vomited_minutes=5)
        facts = make_facts(slot_state=SlotState("a", HERE, NOW, "swallowed"), past=(vomited,))
        assert "already_dosed_today" in codes(ask(facts))


class TestIntoxication:
    def test_not_asked_refuses_a_dose_and_not_the_card(self):
        facts = make_facts(observed=Observed(None))
        assert (ask(facts).verdict, reason(ask(facts), "intoxication_not_checked").tier) == (
            "refuse",
            "reason",
        )
        card = ask(facts, before_check=True)
        assert (card.verdict, reason(card, "intoxication_not_checked").tier) == ("give", "note")

    def test_no_coded_answer_stands_in_for_looking(self):
        facts = answered(make_facts(observed=Observed(None)), intoxication_not_checked="checked_with_patient")
        assert isinstance(ask(facts), Refuse)

    def test_a_prescriber_may_sign_off_a_lower_dose(self):
        facts = make_facts(observed=Observed(("alcohol",)), signoffs=(make_signoff("intoxicated", 20_000),))
        assert ask(facts).dose_ug == 20_000

    def test_seen_signs_refuse_the_card_too(self):
        assert isinstance(ask(make_facts(observed=Observed(("other",))), before_check=True), Refuse)


class TestGap:
    def after(self, hours, order=None, minutes=0, **changes):
        at = NOW - timedelta(hours=hours, minutes=minutes)
        last = make_past(1, promised_at=at, given_at=at, **changes)
        return make_facts(order, past=(last, *(make_past(n) for n in range(2, 20))))

    @pytest.mark.parametrize(
        ("hours", "minutes", "expected"),
        [
            (14, 0, []),
            (13, 59, ["gap_short"]),
            (8, 0, ["gap_short"]),
            (7, 59, ["gap_very_short"]),
            (0, 0, ["gap_very_short"]),
        ],
    )
    def test_the_two_limits(self, hours, minutes, expected):
        assert codes(ask(self.after(hours, minutes=minutes))) == expected

    def test_a_short_gap_takes_one_tap_from_the_list(self):
        facts = self.after(13)
        assert isinstance(ask(facts), Refuse)
        assert isinstance(ask(answered(facts, gap_short="anything")), Refuse)
        given = ask(answered(facts, gap_short="site_hours"))
        assert isinstance(given, Give)
        assert reason(given, "gap_short").tier == "reason"
        assert dict(reason(given, "gap_short").data) == {
            "hours": 13,
            "limit_h": 14,
            "earliest_at": "2026-11-20T01:00:00+00:00",
        }

    def test_the_card_says_give_with_one_tap_to_come(self):
        assert isinstance(ask(self.after(13), before_check=True), Give)

    def test_a_very_short_gap_takes_a_prescriber_even_on_the_card(self):
        facts = self.after(5)
        assert isinstance(ask(answered(facts, gap_very_short="site_hours"), before_check=True), Refuse)
        signed = replace(facts, signoffs=(make_signoff("gap_very_short"),))
        assert isinstance(ask(signed), Give)

    @pytest.mark.parametrize(
        ("outcome", "changes", "counts"),
        [
            (None, {}, True),
            (SPAT_OUT, {}, True),
            (PARTLY, {"swallowed_ug": 1}, True),
            ("swallowed", {"vomited_minutes": 2}, True),
            (NOT_GIVEN, {}, False),
            (BY_OTHER, {}, False),
            (PARTLY, {"swallowed_ug": 0}, False),
        ],
    )
    def test_what_may_be_in_the_body_counts(self, outcome, changes, counts):
        assert ("gap_very_short" in codes(ask(self.after(5, outcome=outcome, **changes)))) is counts

    def test_another_medicine_counts_too(self):
        assert "gap_very_short" in codes(ask(self.after(5, medicine="buprenorphine")))

    def test_the_orders_own_gap_replaces_the_policys(self):
        assert codes(ask(self.after(7, {"shortest_gap_h": 6}))) == []
        assert codes(ask(self.after(30, {"shortest_gap_h": 36}))) == ["gap_short_of_order"]
        assert reason(ask(self.after(5, {"shortest_gap_h": 6})), "gap_short_of_order").needs_signoff


class TestClock:
    def test_a_dose_in_the_future_stops(self):
        facts = make_facts(past=(make_past(1, promised_at=NOW + timedelta(seconds=1)),))
        assert reason(ask(facts), "clock_set_back").tier == "stop"

    def test_a_day_far_from_now_stops(self):
        assert "day_not_today" in codes(ask(make_facts(), now=NOW + timedelta(days=2)))
        assert "day_not_today" in codes(ask(make_facts(past=(make_past(-1, promised_at=NOW),))))

    @pytest.mark.parametrize(
        "now", [datetime(2026, 11, 19, 12, tzinfo=UTC), datetime(2026, 11, 20, 16, tzinfo=UTC)]
    )
    def test_zones_reach_a_day_to_either_side(self, now):
        assert "day_not_today" not in codes(ask(make_facts(past=(make_past(2),)), now=now))


class TestHolds:
    def test_a_hold_that_does_not_block_is_a_note(self):
        decision = ask(make_facts(holds=(make_hold(blocks=False),)))
        assert (decision.verdict, codes(decision)) == ("give", ["hold_note"])

    def test_an_unpaid_fee_never_holds_a_dose(self):
        hold = make_hold(kind="administrative", reason_code="fee_unpaid", blocks=True)
        assert ask(make_facts(holds=(hold,))).verdict == "give"

    def test_a_hold_without_a_plan_still_holds(self):
        decision = ask(make_facts(holds=(make_hold(come_back_on=None, call=None),)))
        assert reason(decision, "on_hold").data["call"] is None

    def test_a_cleared_exposure_is_over(self):
        past = Exposure("a-9", days_ago(1), NOW - timedelta(days=1), None, True)
        assert ask(make_facts(exposures=(past,))).verdict == "give"


class TestUnresolvedEarlier:
    def test_a_forgotten_tap_on_saturday_does_not_strand_sunday(self):
        facts = make_facts(
            past=(make_past(1, outcome=None, site=ELSEWHERE), *(make_past(n) for n in range(2, 20)))
        )
        decision = ask(facts)
        assert (decision.verdict, decision.dose_ug) == ("give", 60_000)
        assert dict(reason(decision, "unresolved_earlier").data) == {"day": "2026-11-19", "site": ELSEWHERE}

    def test_three_of_them_are_three_missed_days(self):
        past = tuple(make_past(n, outcome=None if n <= 3 else "swallowed") for n in range(1, 20))
        decision = ask(make_facts(past=past, last_swallow_on=days_ago(4)))
        assert reason(decision, "missed_days_half_dose").needs_signoff
        assert decision.dose_ug == 30_000


class TestUnknownStates:
    @pytest.mark.parametrize(
        ("facts", "what"),
        [
            (make_facts({"phase": "holiday"}), "order.phase"),
            (make_facts({"dose_ug": 0}), "order.dose_ug"),
            (make_facts({"dose_ug": 60000.0}), "order.dose_ug"),
            (make_facts({"slot": 2}), "order.slot"),
            (make_facts({"days": ()}), "order.days"),
            (make_facts({"days": (0,)}), "order.days"),
            (make_facts(past=(make_past(1, outcome="teleported"),)), "outcome"),
            (make_facts(past=(make_past(1, promised_at=datetime(2026, 11, 19)),)), "past"),  # noqa: DTZ001
            (make_facts(past=(make_past(1, -1),)), "past"),
            (make_facts(signoffs=(make_signoff("x", 0),)), "signoff.dose_ug"),
            (
                make_facts(slot_state=SlotState(None, replacement_ordered=True, replacement_ug=0)),
                "slot.replacement_ug",
            ),
        ],
        ids=lambda v: v if isinstance(v, str) else "",
    )
    def test_what_cannot_be_read_is_refused(self, facts, what):
        decision = ask(facts)
        assert (decision.verdict, codes(decision)) == ("refuse", ["facts_not_understood"])
        assert decision.reasons[0].data["what"] == what

    def test_a_time_without_zone(self):
        assert codes(ask(make_facts(), now=NOW.replace(tzinfo=None))) == ["facts_not_understood"]

    def test_the_last_line_refuses(self, monkeypatch):
        from ost.rules import checks, dosing

        monkeypatch.setattr(dosing, "CHECKS", ())
        monkeypatch.setattr(checks, "measure", lambda case, dose: (None, []))
        assert codes(ask(make_facts())) == ["not_decided"]

    def test_a_dose_that_halves_to_nothing_is_refused(self):
        facts = missed(3, {"dose_ug": 1}, signoffs=(make_signoff("missed_days_half_dose"),))
        assert ask(facts).verdict == "refuse"
