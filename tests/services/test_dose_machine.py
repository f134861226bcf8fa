"""Random days at two counters against a small model: lost answers, power cuts, releases, replacements, midnight.

The model knows three things per person and slot of a day: free, promised, or
used; and one thing per bottle: how much is left. The program must agree after
every step, and `verify` must hold at the end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ost import keys
from ost.db import Database
from ost.errors import Refusal
from ost.models import stock
from ost.services import amend
from ost.services.outcome import Ending, end
from ost.services.promise import promise
from ost.services.verify import verify
from ost.services.work import House
from tests.make import (
    dose_request,
    make_account,
    make_bottle,
    make_clinic,
    make_patient,
    make_prescription,
    make_site,
    make_witness,
)
from tests.plugins.databases import KINDS

PEOPLE = 3


class PowerCut(Exception):
    """The plug is pulled inside a transaction."""


class Counters(RuleBasedStateMachine):
    """`clone`: gives the URL of a fresh database."""

    clone = None

    @initialize()
    def open_the_clinic(self):
        self.traveller = time_machine.travel(datetime(2026, 3, 10, 1, 0, tzinfo=UTC), tick=False)
        self.clock = self.traveller.start()
        self.context = self.clone()
        self.house = House(Database(self.context.__enter__()), keys.ephemeral(), demo=True)
        make_site(self.house, "TPE1", county="TPE")
        self.clinic = make_clinic(self.house, sites=("HUA1", "TPE1"), came_yesterday=False)
        self.prescriber = make_account(self.house, "prescriber", scope_kind="network", scope="*")
        self.staff = {
            "HUA1": (self.clinic.nurse, self.clinic.second),
            "TPE1": (
                make_account(self.house, "nurse", scope="TPE1"),
                make_account(self.house, "nurse", scope="TPE1"),
            ),
        }
        self.bottles = {"HUA1": self.clinic.bottle, "TPE1": make_bottle(self.house, "TPE1", volume_ul=60_000)}
        self.people = [self.clinic.patient]
        for _ in range(PEOPLE - 1):
            person = make_patient(self.house)
            make_prescription(self.house, person, sites=("HUA1", "TPE1"))
            self.people.append(person)
        # The model.
        self.left = {"HUA1": 1_000_000, "TPE1": 60_000}
        self.slots: dict[tuple[int, str], str] = {}  # (person, day) -> "promised" | "used" | "released"
        self.last: dict[tuple[int, str], tuple[str, str]] = {}  # (person, day) -> (dose_id, site)
        self.volume: dict[str, int] = {}  # by dose
        self.requests: list = []

    def today(self) -> str:
        return (datetime.now(UTC) + timedelta(hours=8)).date().isoformat()

    def request(self, person: int, site: str):
        return dose_request(
            self.clinic,
            patient_id=self.people[person],
            site=site,
            bottle=self.bottles[site],
            coded_reasons=(("gap_short", "site_hours"),),
        )

    @rule(person=st.integers(0, PEOPLE - 1), site=st.sampled_from(["HUA1", "TPE1"]))
    def give(self, person, site):
        request = self.request(person, site)
        answer = promise(self.house, self.staff[site][0], request)
        self.requests.append((request, site, answer.state))
        key = (person, self.today())
        if answer.state == "promised":
            assert self.slots.get(key) in (None, "released"), "a second dose in one slot"
            assert answer.volume_ul <= self.left[site]
            self.left[site] -= answer.volume_ul
            self.slots[key] = "promised"
            self.last[key] = (answer.dose_id, site)
            self.volume[answer.dose_id] = answer.volume_ul
        elif self.slots.get(key) == "promised":
            assert "attempt_unresolved" in {r["code"] for r in answer.reasons}
        elif self.slots.get(key) == "used":
            assert {r["code"] for r in answer.reasons} & {"already_dosed_today", "slot_used"}

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 10_000))
    def the_answer_was_lost_and_the_page_asks_again(self, which):
        request, site, state = self.requests[which % len(self.requests)]
        answer = promise(self.house, self.staff[site][0], request)
        assert answer.state == state and answer.again

    @rule(person=st.integers(0, PEOPLE - 1), site=st.sampled_from(["HUA1", "TPE1"]))
    def the_power_goes_before_the_commit(self, person, site):
        request = self.request(person, site)
        broken = House(self.house.db, BrokenKeys(self.house.keys), demo=True, memo=dict(self.house.memo))
        with pytest.raises(PowerCut):
            promise(broken, self.staff[site][0], request)

    def open_doses(self):
        return sorted(key for key, state in self.slots.items() if state == "promised")

    @precondition(lambda self: self.open_doses())
    @rule(
        which=st.integers(0, 10_000),
        outcome=st.sampled_from(["swallowed", "swallowed", "partly", "not_given", "spat_out"]),
        disposition=st.sampled_from(["spilled", "residue", "returned"]),
    )
    def outcome(self, which, outcome, disposition):
        open_doses = self.open_doses()
        key = open_doses[which % len(open_doses)]
        dose_id, site = self.last[key]
        nurse, second = self.staff[site]
        if outcome in ("partly", "spat_out") and disposition == "returned":
            disposition = "residue"
        said = Ending(
            dose_id,
            outcome,
            swallowed_ug=1_000 if outcome == "partly" else None,
            disposition=None if outcome == "swallowed" else disposition,
            witness=make_witness(self.house, second, dose_id),
        )
        end(self.house, nurse, said)
        if outcome == "not_given":
            self.slots[key] = "released"
            if disposition == "returned":
                self.left[site] += self.volume[dose_id]  # unpoured: the only way back into a bottle
        else:
            self.slots[key] = "used"
        again = end(self.house, nurse, Ending(**{**plain(said), "witness": None}))
        assert again.again

    def used(self):
        return sorted(key for key, state in self.slots.items() if state == "used" and key[1] == self.today())

    @precondition(lambda self: self.used())
    @rule(which=st.integers(0, 10_000), dose_ug=st.sampled_from([None, 20_000]))
    def replacement(self, which, dose_ug):
        used = self.used()
        key = used[which % len(used)]
        nurse = self.staff[self.last[key][1]][0]
        amend.observe(self.house, nurse, self.last[key][0], "vomited", minutes_after=0)
        amend.order_replacement(
            self.house, self.prescriber, self.last[key][0], reason="vomited", dose_ug=dose_ug
        )
        self.slots[key] = "released"

    @precondition(lambda self: self.used())
    @rule(which=st.integers(0, 10_000), not_taken=st.booleans())
    def void(self, which, not_taken):
        used = self.used()
        key = used[which % len(used)]
        dose_id, site = self.last[key]
        nurse, second = self.staff[site]
        try:
            amend.void(
                self.house,
                nurse,
                dose_id,
                reason="entered_twice",
                witness=make_witness(self.house, second, dose_id),
                not_taken=not_taken,
                disposition="residue" if not_taken else None,
            )
        except Refusal as refused:
            if refused.code != "already_void":
                raise
            return
        if not_taken:
            self.slots[key] = "released"

    @rule(hours=st.sampled_from([1, 9, 15, 16, 24]))
    def time_passes(self, hours):
        self.clock.shift(timedelta(hours=hours))

    def balance(self, site: str) -> int:
        import sqlalchemy as sa

        with self.house.read() as tx:
            return tx.execute(
                sa.select(stock.bottle.c.balance_ul).where(stock.bottle.c.id == self.bottles[site])
            ).scalar_one()

    @invariant()
    def the_register_agrees(self):
        if hasattr(self, "left"):
            for site, left in self.left.items():
                assert self.balance(site) == left

    def teardown(self):
        if not hasattr(self, "house"):
            return
        try:
            assert verify(self.house).problems == []
        finally:
            self.house.db.close()
            self.context.__exit__(None, None, None)
            self.traveller.stop()


class BrokenKeys:
    """Everything works until the chain is to be written; then the power goes."""

    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)

    def chain_mac(self, _text):
        raise PowerCut


def plain(said: Ending) -> dict:
    return {name: getattr(said, name) for name in said.__slots__}


@pytest.mark.parametrize("kind", KINDS)
def test_counters(databases, kind):
    machine = type("CountersOn" + kind, (Counters,), {"clone": staticmethod(lambda: databases.clone(kind))})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=12, stateful_step_count=25, deadline=None)
    )
