"""Whose day it is, at which site: every combination of what a permit rests on, against a plain statement of the rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from ost.rules.checks_guest import acts_here, known_here
from ost.rules.dosing import decide
from ost.rules.facts import GuestFacts
from ost.rules.guest import CONFIRMED, IN_FORCE, STATES
from tests.rules.makers import (
    BASE,
    ELSEWHERE,
    HERE,
    NOW,
    TODAY,
    TW,
    make_bottle,
    make_facts,
    make_hold,
    make_order,
)

PERMIT = GuestFacts(
    permit="p1", request="r1", site=ELSEWHERE, home_site=HERE, state=CONFIRMED, first_day=TODAY, last_day=TODAY,
    number=1, days=1, countersigned=True,
)  # fmt: skip


def at(site: str, guest: GuestFacts | None, **changes):
    """Facts of the same person at `site`, with that site's bottle and designation."""
    return make_facts(site=site, bottle=make_bottle(site=site), guest=guest, **changes)


def stops(facts, policy=TW) -> set[str]:
    return {r.code for r in decide(facts, policy, NOW).reasons if r.tier == "stop"}


def test_the_guest_site_of_a_permit_gives_and_home_does_not():
    assert decide(at(ELSEWHERE, PERMIT), TW, NOW).verdict == "give"
    assert stops(at(HERE, PERMIT)) == {"guest_day_elsewhere"}


@pytest.mark.parametrize("policy", [TW, BASE], ids=["countersigned", "by the home order"])
def test_a_guest_dose_needs_all_of_it_and_nothing_else(policy):
    asked = policy.bool("guest_countersign_required", TODAY)
    every, none = list(product((True, False), repeat=6)), [(False, True, True, True, True, False)]
    cases = [(CONFIRMED, True, flags) for flags in every]
    cases += [(state, today, flags) for state in STATES for today in (True, False) for flags in none]
    for state, today, (emergency, consent, listed, covers, signed, own) in cases:
        guest = replace(
            PERMIT, state=state, number=1 if today else None, emergency=emergency, consent=consent, listed=listed,
            covers_order=covers, countersigned=signed, site_asks_countersign=own,
        )  # fmt: skip
        sound = state == CONFIRMED and today and consent and covers and (listed or emergency)
        wanted = sound and (signed or emergency or not (asked or own))
        assert (decide(at(ELSEWHERE, guest), policy, NOW).verdict == "give") == wanted, guest
        # Wherever else: only a day that binds stops it, and whatever is wrong with the permit changes nothing there.
        assert (decide(at(HERE, guest), policy, NOW).verdict == "give") != (today and state in IN_FORCE), guest


def test_home_and_guest_site_never_both_give():
    for state, today in product(STATES, (True, False)):
        guest = replace(PERMIT, state=state, number=1 if today else None)
        both = {site: decide(at(site, guest), TW, NOW).verdict for site in (HERE, ELSEWHERE)}
        assert list(both.values()).count("give") <= 1, (state, today)


def test_a_site_that_the_order_names_needs_no_permit_but_minds_one_elsewhere_and_a_pause():
    order = make_order(sites=(HERE, ELSEWHERE))
    over = replace(PERMIT, state="ended", countersigned=False, consent=False)
    assert decide(at(ELSEWHERE, over, order=order), TW, NOW).verdict == "give"
    assert stops(at(ELSEWHERE, replace(PERMIT, state="paused", paused_for="hold"), order=order)) == {"guest_paused"}
    assert stops(at(ELSEWHERE, replace(PERMIT, site="KHH1"), order=order)) == {"guest_day_elsewhere"}


def test_who_may_see_the_record():
    assert known_here(at(HERE, None)) and known_here(at(ELSEWHERE, PERMIT))
    assert known_here(at(ELSEWHERE, replace(PERMIT, number=None)))  # another day of the same permit
    assert not known_here(at(ELSEWHERE, None))
    assert not known_here(at(ELSEWHERE, replace(PERMIT, consent=False)))
    assert not known_here(at(ELSEWHERE, replace(PERMIT, state="ended")))
    assert not known_here(at("KHH1", PERMIT))


def test_only_clinical_holds_travel():
    clinical = make_hold(kind="clinical", site=HERE)
    papers = make_hold(kind="administrative", reason_code="transfer", site=HERE)
    theirs = replace(papers, site=ELSEWHERE)
    assert acts_here(clinical, at(ELSEWHERE, PERMIT)) and acts_here(clinical, at(HERE, PERMIT))
    assert not acts_here(papers, at(ELSEWHERE, PERMIT)) and acts_here(papers, at(HERE, PERMIT))
    assert acts_here(theirs, at(ELSEWHERE, PERMIT)) and not acts_here(theirs, at(HERE, PERMIT))
    named = at(ELSEWHERE, None, order=make_order(sites=(HERE, ELSEWHERE)))
    assert acts_here(papers, named)  # no guest there: the order's own site
