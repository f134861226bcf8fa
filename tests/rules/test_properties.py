"""What must hold for any facts: by the thousand, not by example."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ost.errors.clinical import MESSAGES
from ost.rules.dosing import decide
from ost.rules.facts import OUTCOMES, PHASES, Exposure, Give, Observed, SlotState
from ost.rules.missed_doses import days_without, missed_days, missed_step
from ost.rules.reasons import REASONS
from tests.rules.makers import (
    ELSEWHERE,
    HERE,
    NOW,
    TODAY,
    TW,
    days_ago,
    make_bottle,
    make_facts,
    make_hold,
    make_order,
    make_past,
    make_signoff,
)

doses_ug = st.integers(1, 400).map(lambda n: n * 500)
SIGNABLE = [
    "missed_days_half_dose",
    "missed_days_see_prescriber",
    "missed_days_early",
    "missed_days_prescriber",
    "new_induction_needed",
    "intoxicated",
    "gap_very_short",
    "gap_short_of_order",
    "first_dose_above_usual",
    "first_dose_low_tolerance",
    "step_too_large",
    "step_too_soon",
    "week_increase_too_large",
]


@st.composite
def orders(draw):
    starts = days_ago(draw(st.integers(0, 40)))
    return make_order(
        phase=draw(st.sampled_from(PHASES)),
        dose_ug=draw(doses_ug),
        starts_on=starts,
        ends_on=draw(st.sampled_from([None, None, TODAY, days_ago(1)])),
        sites=draw(st.sampled_from([(HERE,), (HERE, ELSEWHERE)])),
        days=draw(st.sampled_from([(1, 2, 3, 4, 5, 6, 7), (1, 3, 5)])),
        shortest_gap_h=draw(st.sampled_from([None, None, 6, 36])),
        previous_dose_ug=draw(st.none() | doses_ug),
        last_increase_on=draw(st.none() | st.just(starts)),
    )


@st.composite
def pasts(draw):
    found = []
    for ago in sorted(draw(st.sets(st.integers(0, 30), max_size=12))):
        outcome = draw(st.sampled_from([*OUTCOMES, None, "swallowed", "swallowed"]))
        ug = draw(doses_ug)
        swallowed = None if outcome is None else draw(st.sampled_from([0, ug // 3, ug]))
        at = NOW - timedelta(days=ago, hours=draw(st.integers(0, 12)))
        found.append(
            make_past(
                ago,
                ug,
                outcome=outcome,
                swallowed_ug=swallowed,
                slot=draw(st.sampled_from([1, 1, 2])),
                medicine=draw(st.sampled_from(["methadone", "methadone", "buprenorphine"])),
                vomited_minutes=draw(st.sampled_from([None, None, 10, 90])),
                promised_at=at,
                given_at=at if outcome else None,
            )
        )
    return tuple(found)


@st.composite
def situations(draw):
    return make_facts(
        order=draw(orders()),
        patient_active=draw(st.sampled_from([True, True, True, False])),
        past=draw(pasts()),
        last_swallow_on=draw(st.none() | st.integers(1, 60).map(days_ago)),
        holds=tuple(draw(st.lists(st.builds(make_hold, blocks=st.booleans()), max_size=1))),
        bottle=draw(st.sampled_from([make_bottle(), make_bottle(), make_bottle(balance_ul=100), None])),
        observed=Observed(draw(st.sampled_from([(), (), (), None, ("drowsy",)]))),
        signoffs=tuple(
            draw(
                st.lists(st.builds(make_signoff, st.sampled_from(SIGNABLE), st.none() | doses_ug), max_size=4)
            )
        ),
        coded_reasons=draw(st.sampled_from([{}, {"gap_short": "travel"}])),
        low_tolerance=draw(st.booleans()),
        slot_state=draw(
            st.sampled_from(
                [
                    SlotState(None),
                    SlotState(None),
                    SlotState(None),
                    SlotState(None, replacement_ordered=True, replacement_ug=10_000),
                    SlotState("a", HERE, NOW, None),
                ]
            )
        ),
    )


STOPS = st.sampled_from(
    [
        {"patient_active": False},
        {"site_active": False},
        {"site_medicines": ()},
        {"holds": (make_hold(),)},
        {"bottle": None},
        {"bottle": make_bottle(state="sealed")},
        {"slot_state": SlotState("a", ELSEWHERE, NOW, None)},
        {"exposures": (Exposure("a", TODAY, NOW, None, False),)},
        {"observed": Observed(None)},
        {"signoffs": ()},
        {"coded_reasons": {}},
    ]
)


def ask(facts, **options):
    return decide(facts, TW, NOW, **options)


@given(situations(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_given_dose_is_within_the_order_measured_and_unstopped(facts, before_check):
    decision = ask(facts, before_check=before_check)
    if isinstance(decision, Give):
        assert 0 < decision.dose_ug <= facts.order.dose_ug == decision.ordered_ug
        assert decision.volume_ul * facts.bottle.strength_ug_per_ml == decision.dose_ug * 1000
        assert decision.volume_ul <= facts.bottle.balance_ul
        assert all(r.tier in ("reason", "note") and not r.needs_signoff for r in decision.reasons)
        if not before_check:
            assert facts.observed.intoxication == () or facts.signoffs
    else:
        assert any(r.tier in ("stop", "reason") for r in decision.reasons)


@given(situations(), STOPS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_adding_a_stop_never_turns_a_refusal_into_a_dose(facts, stop, before_check):
    if stop == {"observed": Observed(None)} and facts.observed.intoxication:
        return  # signs seen are worse than not looked
    if ask(facts, before_check=before_check).verdict == "refuse":
        assert ask(replace(facts, **stop), before_check=before_check).verdict == "refuse"


@given(situations())
@settings(max_examples=150, deadline=None)
def test_the_card_is_never_stricter_than_the_dose(facts):
    if ask(facts).verdict == "give":
        card = ask(facts, before_check=True)
        assert (card.verdict, card.dose_ug) == ("give", ask(facts).dose_ug)


@given(situations(), st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_forgetting_an_outcome_never_gives_more(facts, ago):
    """Stricter under unknown: an earlier swallowed dose whose outcome was never recorded."""
    known = [d for d in facts.past if d.outcome == "swallowed" and d.day < TODAY]
    if not known:
        return
    chosen = known[ago % len(known)]
    unknown = replace(chosen, outcome=None, swallowed_ug=None, given_at=None)
    forgot = replace(facts, past=tuple(unknown if d is chosen else d for d in facts.past))
    after, before = ask(forgot), ask(facts)
    if after.verdict == "give" and before.verdict == "give":
        assert after.dose_ug <= before.dose_ug
    if not facts.signoffs:  # a sign-off may answer the one reading and not the other
        assert (before.verdict, after.verdict) != ("refuse", "give")
    assert missed_days(forgot, TW).count >= missed_days(facts, TW).count


@given(situations())
@settings(max_examples=100, deadline=None)
def test_the_same_facts_give_the_same_answer_in_the_same_order(facts):
    shuffled = replace(facts, past=tuple(reversed(facts.past)), signoffs=tuple(reversed(facts.signoffs)))
    assert ask(facts) == ask(facts) == ask(shuffled)


@given(situations())
@settings(max_examples=100, deadline=None)
def test_every_reason_is_in_the_table_and_its_text_can_be_filled(facts):
    for reason in ask(facts).reasons:
        assert set(reason.data) == set(REASONS[reason.code])
        message = MESSAGES[reason.code]
        for text in (message.title, message.detail, message.action):
            assert text % dict(reason.data)


@given(st.integers(1, 40), doses_ug)
def test_more_missed_days_never_propose_more(days, dose):
    def proposed(n):
        past = tuple(make_past(a, dose) for a in range(n + 1, n + 5))
        facts = make_facts({"dose_ug": dose}, past=past, last_swallow_on=days_ago(n + 1))
        step = missed_step(facts, TW, missed_days(facts, TW))
        return 0 if step.new_induction else step.proposed_dose_ug

    assert proposed(days + 1) <= proposed(days) <= dose


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 60), st.sets(st.integers(1, 7), min_size=1)
)
def test_the_clock_never_runs_backwards(day, ago, weekdays):
    order = make_order(starts_on=date(2019, 1, 1), days=tuple(sorted(weekdays)))
    last = day - timedelta(days=ago)
    today, tomorrow = days_without(order, last, day), days_without(order, last, day + timedelta(days=1))
    assert 0 <= today <= max(0, ago - 1)
    assert tomorrow in (today, today + 1)
