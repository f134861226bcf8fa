"""Guest dosing against whatever may happen, in any order: what the drill watches over holds after every step.

The events are the drill's own (`ost.drills.guest`), a few people and sites instead of hundreds, and Hypothesis
instead of a calendar.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ost import keys
from ost.db import Database
from ost.drills.guest import dosing, events, run, storms
from ost.drills.guest.world import FIRST_DAY, populate
from ost.services.guest.jobs import run_all
from ost.services.verify import verify
from ost.services.work import House
from tests.plugins.databases import KINDS

SEEDS = st.integers(0, 2**16)


class Guests(RuleBasedStateMachine):
    """`clone`: gives the URL of a fresh database."""

    clone = None

    @initialize(seed=SEEDS)
    def a_small_country(self, seed):
        self.context = self.clone()
        house = House(Database(self.context.__enter__()), keys.ephemeral(), demo=True)
        self.world = populate(house, patients=5, sites=3, days=20, seed=seed, standing_share=0.5)
        self.story = events.Story(self.world, dosing.Seen(), Counter())
        self.far_end = storms.Flaky(Random(seed))
        self.world.clock.set(FIRST_DAY, 7)

    def happens(self, seed, event):
        self.world.chance = Random(seed)
        self.world.clock.tick(60)
        event(self.story)

    @rule(seed=SEEDS)
    def somebody_asks(self, seed):
        self.happens(seed, events.somebody_asks)

    @rule(seed=SEEDS)
    def desks_answer(self, seed):
        self.happens(seed, events.desks_answer)

    @rule(seed=SEEDS)
    def a_mind_changes(self, seed):
        self.happens(seed, events.minds_change)

    @rule(seed=SEEDS)
    def a_fact_changes(self, seed):
        self.happens(seed, events.facts_change)

    @rule(seed=SEEDS)
    def holds_end(self, seed):
        self.happens(seed, events.holds_end)

    @rule(seed=SEEDS)
    def the_last_place(self, seed):
        self.happens(seed, lambda story: events.race_for_the_last_place(story, racers=2))

    @rule(seed=SEEDS)
    def a_storm(self, seed):
        self.happens(seed, storms.a_storm)

    @rule(seed=SEEDS)
    def the_storm_is_over(self, seed):
        self.happens(seed, storms.storms_end)

    @rule(seed=SEEDS)
    def everybody_comes(self, seed):
        self.happens(seed, lambda story: dosing.a_day(self.world, story.seen))

    @rule(seed=SEEDS)
    def the_post(self, seed):
        self.happens(seed, lambda story: storms.the_post(story, self.far_end))

    @rule(days=st.integers(1, 3), seed=SEEDS)
    def days_pass(self, days, seed):
        for _ in range(days):
            today = self.world.clock.today
            self.world.clock.set(today, 23)
            run_all(self.world.house)
            self.world.clock.set(today + timedelta(days=1), 7)
        self.happens(seed, events.orders_begin_again)
        self.happens(seed, events.sites_return)

    @invariant()
    def nothing_is_wrong(self):
        if hasattr(self, "story"):
            run.look(self.story, whole=True)
            assert self.story.seen.wrong == []

    def teardown(self):
        if not hasattr(self, "world"):
            return
        try:
            assert verify(self.world.house).problems == []
        finally:
            self.world.house.db.close()
            self.context.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_guests(databases, kind):
    machine = type("GuestsOn" + kind, (Guests,), {"clone": staticmethod(lambda: databases.clone(kind))})
    # The same days every time: chance belongs to `ost drill guest`, which says its seed. No shrinking: a day costs
    # seconds, and what went wrong is named by the drill's own words.
    chosen = settings(
        max_examples=10,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
    )
    run_state_machine_as_test(machine, settings=chosen)
