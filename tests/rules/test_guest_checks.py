"""What stands against a guest request, one fact at a time, and what an authorisation given beforehand covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ost.errors import catalogue
from ost.rules import guest as table
from ost.rules.facts import Exposure, HoldFacts
from ost.rules.guest_checks import GuestFacts, OpenThere, blocking, findings, for_a_prescriber, orders_used
from ost.rules.guest_reasons import GUEST_REASONS, UNMET
from ost.rules.guest_standing import Authorisation, covers, reaches
from ost.rules.reasons import KINDS, REASONS
from tests.rules.makers import BASE, NOW, TODAY, TW, make_facts


def there(day: date, **values) -> OpenThere:
    return OpenThere(**{"day": day, "opens": "07:00", "last_dose": "11:30", "closes": "12:00", "places": 4, "free": 2, "at_once": 2, **values})  # fmt: skip


def make(*ahead: int, dose=None, **values) -> GuestFacts:
    """A steady person who wants a listed site on days that far ahead, with everything in order."""
    days = tuple(TODAY + timedelta(days=n) for n in ahead or (3,))
    dose = dose or make_facts()
    orders = (dose.order,) if dose.order else ()
    common = {
        "dose": dose,
        "orders": orders,
        "days": days,
        "site": "TPE1",
        "site_listed": True,
        "site_medicines": ("methadone",),
        "there_today": TODAY,
        "there_now": "08:00",
        "first_opens_at": NOW + timedelta(days=3),
        "open_there": tuple(there(day) for day in days),
        "stay_days": len(days),
        "consent": "c",
        "consent_until": TODAY + timedelta(days=30),
    }
    return GuestFacts(**common | values)


def found(facts: GuestFacts, policy=TW) -> dict[str, str]:
    return {r.code: r.tier for r in findings(facts, [policy], NOW)}


def with_order(**values) -> GuestFacts:
    dose = make_facts()
    dose = replace(dose, order=replace(dose.order, **values))
    return make(dose=dose)


def test_nothing_stands_against_a_steady_person():
    assert found(make()) == {}


HOLD = HoldFacts("h", "clinical", "medical_review", TODAY, TODAY, "03")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (lambda: make(dose=replace(make_facts(), patient_active=False)), ("patient_not_active", "stop")),
        (lambda: make(dose=replace(make_facts(), holds=(HOLD,))), ("on_hold", "stop")),
        (lambda: make(dose=replace(make_facts(), holds=(replace(HOLD, kind="administrative"),))), ("hold_note", "note")),
        (lambda: make(dose=replace(make_facts(), exposures=(Exposure("a", TODAY, NOW, None, False),))), ("exposure_uncleared", "stop")),
        (lambda: with_order(phase="induction"), ("guest_not_maintenance", "reason")),
        (lambda: with_order(starts_on=TODAY - timedelta(days=4), previous_dose_ug=1), ("guest_dose_changed", "reason")),
        (lambda: with_order(ends_on=TODAY + timedelta(days=2)), ("guest_no_order", "stop")),
        (lambda: with_order(ends_on=TODAY + timedelta(days=5)), ("guest_order_ends_soon", "note")),
        (lambda: with_order(days=((TODAY + timedelta(days=4)).isoweekday(),)), ("guest_not_due", "stop")),
        (lambda: make(consent_until=None), ("guest_consent_missing", "stop")),
        (lambda: make(consent_until=TODAY + timedelta(days=2)), ("guest_consent_missing", "stop")),
        (lambda: make(site="HUA1"), ("guest_own_site", "stop")),
        (lambda: make(site_listed=False), ("guest_site_not_open_to_guests", "stop")),
        (lambda: make(site_medicines=()), ("guest_site_without_medicine", "stop")),
        (lambda: make(open_there=()), ("guest_day_closed", "stop")),
        (lambda: make(open_there=(there(TODAY + timedelta(days=3), free=0),)), ("guest_day_full", "stop")),
        (lambda: make(0, there_now="11:31"), ("guest_day_too_late", "stop")),
        (lambda: make(-4), ("guest_day_past", "stop")),
        (lambda: make(121), ("guest_day_too_far", "stop")),
        (lambda: make(other_places=((TODAY + timedelta(days=3), "KHH1"),)), ("guest_booked_elsewhere", "stop")),
        (lambda: make(stay_days=15), ("guest_long_stay", "reason")),
        (lambda: make(first_opens_at=NOW + timedelta(hours=47)), ("guest_short_notice", "note")),
    ],
)  # fmt: skip
def test_each_fact_is_said_with_its_weight(facts, expected):
    code, tier = expected
    assert found(facts()).get(code) == tier


@pytest.mark.parametrize(
    "facts",
    [
        lambda: make(open_there=(there(TODAY + timedelta(days=3), free=0),), holds_places=True),
        lambda: make(0, there_now="11:30"),
        lambda: make(120, consent_until=TODAY + timedelta(days=200)),
        lambda: make(stay_days=14),
        lambda: with_order(starts_on=TODAY - timedelta(days=14), previous_dose_ug=1),
    ],
)
def test_at_the_limit_nothing_is_said(facts):
    assert set(found(facts())) <= {"guest_short_notice"}


def test_the_stricter_of_two_packs_holds():
    dose = replace(make_facts(), holds=(replace(HOLD, reason_code="fee_unpaid"),))
    both = findings(make(dose=dose, site_medicines=()), [TW, BASE], NOW)
    assert len({(r.code, r.data.get("since")) for r in both}) == len(both)


def test_a_split_dose_rests_on_every_order_of_its_slots():
    dose = make_facts()
    second = replace(dose.order, id="second", slot=2)
    facts = make(dose=dose, orders=(dose.order, second))
    assert [o.slot for o in orders_used(facts)] == [1, 2]


def test_blocking_ones_come_first_and_days_are_in_order_or_it_is_a_mistake():
    reasons = findings(make(stay_days=20, site_listed=False, first_opens_at=NOW), [TW], NOW)
    assert [r.tier for r in reasons] == sorted((r.tier for r in reasons), key=("stop", "reason", "note").index)
    assert blocking(reasons) and for_a_prescriber(reasons)
    with pytest.raises(ValueError):
        findings(replace(make(3, 4), days=(TODAY, TODAY)), [TW], NOW)


def test_every_code_has_words_and_every_placeholder_a_kind():
    for code, data in GUEST_REASONS.items():
        assert code in catalogue() and set(data.values()) <= set(KINDS)
        said = " ".join((catalogue()[code].title, catalogue()[code].detail, catalogue()[code].action))
        assert {name for name in data if f"%({name})s" in said} == set(data), code
    assert set(UNMET) <= set(GUEST_REASONS) and not set(GUEST_REASONS) & set(REASONS)


# --- the table --------------------------------------------------------------------------


def test_no_state_is_a_dead_end_and_none_unreachable():
    reached = {t.to_state for t in table.TRANSITIONS}
    assert reached == set(table.STATES)
    left = {s for t in table.TRANSITIONS for s in t.from_states if s}
    assert left == set(table.OPEN) | set(table.IN_FORCE) and not left & set(table.OVER)


def test_what_is_listed_and_nothing_else_is_possible():
    listed = {(s, t.action, r) for t in table.TRANSITIONS for s in t.from_states for r in t.by}
    for state, action, role in product((None, *table.STATES), {t.action for t in table.TRANSITIONS}, table.ROLES):
        if (state, action, role) in listed:
            assert table.listed(state, action, table.next_state(state, action, role), role)
        else:
            with pytest.raises(table.NotListed):
                table.next_state(state, action, role)


# --- beforehand -------------------------------------------------------------------------

TAIPEI, HUALIEN, KAOHSIUNG = (25_037_500, 121_564_500), (23_991_600, 121_611_100), (22_627_300, 120_301_400)
UNTIL = date(2026, 12, 31)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"anywhere": True}, True),
        ({"sites": ("TPE1",)}, True),
        ({"radius_m": 117_000}, True),
        ({"radius_m": 116_000}, False),
        ({"corridor": (HUALIEN, TAIPEI), "corridor_m": 1}, True),
        ({"corridor": (HUALIEN, KAOHSIUNG), "corridor_m": 50_000}, False),
        ({"corridor": (HUALIEN, TAIPEI)}, False),
    ],
)
def test_an_authorisation_reaches_what_it_names(values, expected):
    assert reaches(Authorisation("a", UNTIL, 5, **values), "TPE1", TAIPEI, HUALIEN) is expected


def test_a_site_without_a_place_is_near_nothing():
    near = Authorisation("a", UNTIL, 5, radius_m=10**6, corridor=(HUALIEN, TAIPEI), corridor_m=10**6)
    assert not reaches(near, "TPE1", None, HUALIEN)
    assert reaches(replace(near, sites=("TPE1",)), "TPE1", None, None)


@settings(max_examples=60)
@given(
    days=st.sets(st.dates(date(2026, 12, 1), date(2027, 2, 1)), max_size=12),
    used=st.dictionaries(st.sampled_from([2026, 2027]), st.integers(0, 12)),
    most=st.integers(0, 12),
    until=st.dates(date(2026, 12, 1), date(2027, 2, 1)),
)
def test_no_year_gets_more_days_than_it_has_and_none_after_the_end(days, used, most, until):
    allowed = Authorisation("a", until, most, anywhere=True)
    if covers(allowed, "TPE1", None, None, days, used):
        assert days and max(days) <= until
        for year in {d.year for d in days}:
            assert used.get(year, 0) + sum(d.year == year for d in days) <= most
    else:
        over = any(used.get(y, 0) + sum(d.year == y for d in days) > most for y in {d.year for d in days})
        assert not days or max(days) > until or over

