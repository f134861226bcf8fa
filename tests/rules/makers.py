"""Makers for the rules: facts of an ordinary Monday at one site, changed by keyword."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

from ost import policies
from ost.rules.facts import (
    MAINTENANCE,
    SWALLOWED,
    BottleFacts,
    DoseFacts,
    HoldFacts,
    Observed,
    OrderFacts,
    PastDose,
    SignOff,
    SlotState,
)

TODAY = date(2026, 11, 20)  # a Friday
NOW = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)  # 08:00 in Taipei
HERE, ELSEWHERE = "HUA1", "TPE1"
TW = policies.policy("tw")
BASE = policies.policy("base")


def days_ago(n: int) -> date:
    return TODAY - timedelta(days=n)


def make_order(**changes) -> OrderFacts:
    values = {
        "id": "rx-1",
        "medicine": "methadone",
        "phase": MAINTENANCE,
        "dose_ug": 60_000,
        "slot": 1,
        "starts_on": days_ago(60),
        "ends_on": None,
        "stopped_at": None,
        "sites": (HERE,),
    }
    return OrderFacts(**values | changes)


def make_past(ago: int = 1, ug: int = 60_000, **changes) -> PastDose:
    """A dose swallowed `ago` days before, at the same hour."""
    outcome = changes.get("outcome", SWALLOWED)
    values = {
        "id": f"dose-{ago}",
        "day": days_ago(ago),
        "slot": 1,
        "site": HERE,
        "medicine": "methadone",
        "ordered_ug": ug,
        "promised_ug": ug,
        "promised_at": NOW - timedelta(days=ago),
        "outcome": outcome,
        "swallowed_ug": ug if outcome == SWALLOWED else None,
        "given_at": NOW - timedelta(days=ago) if outcome else None,
    }
    return PastDose(**values | changes)


def make_bottle(**changes) -> BottleFacts:
    values = {
        "id": "M-2231",
        "site": HERE,
        "product": "methadone-10",
        "medicine": "methadone",
        "unit": "ul",
        "strength_ug_per_ml": 10_000,
        "state": "open",
        "balance_ul": 500_000,
        "expires_on": date(2027, 12, 31),
        "lot": "L1",
    }
    return BottleFacts(**values | changes)


def make_hold(**changes) -> HoldFacts:
    values = {
        "id": "hold-1",
        "kind": "clinical",
        "reason_code": "medical_review",
        "since": days_ago(2),
        "come_back_on": TODAY + timedelta(days=3),
        "call": "03-123-4567",
    }
    return HoldFacts(**values | changes)


def make_signoff(code: str, dose_ug: int | None = None, **changes) -> SignOff:
    values = {"id": "so-1", "code": code, "day": TODAY, "dose_ug": dose_ug, "by_role": "prescriber"}
    return SignOff(**values | changes)


def make_facts(order: OrderFacts | dict | None = None, **changes) -> DoseFacts:
    """Somebody who was dosed yesterday and is due now; `order` may be a dict of changes."""
    values = {
        "patient_id": "p-1",
        "patient_active": True,
        "home_site": HERE,
        "site": HERE,
        "site_active": True,
        "site_medicines": ("methadone", "buprenorphine"),
        "day": TODAY,
        "slot": 1,
        "order": make_order(**order) if isinstance(order, dict) else order or make_order(),
        "slot_state": SlotState(None),
        "past": tuple(make_past(n) for n in range(1, 21)),
        "last_swallow_on": days_ago(1),
        "holds": (),
        "bottle": make_bottle(),
        "observed": Observed(()),
    }
    return DoseFacts(**values | changes)


def missed(days: int, order: dict | None = None, **changes) -> DoseFacts:
    """The same person, back after `days` missed days."""
    past = tuple(make_past(n) for n in range(days + 1, days + 21))
    return make_facts(order, past=past, last_swallow_on=days_ago(days + 1), **changes)


def newcomer(dose_ug: int = 20_000, order: dict | None = None, **changes) -> DoseFacts:
    """Somebody on the first day of a first induction."""
    values = {"phase": "induction", "dose_ug": dose_ug, "starts_on": TODAY, "episode_started_on": TODAY}
    return make_facts(values | (order or {}), **{"past": (), "last_swallow_on": None} | changes)


def bup(dose_ug: int = 8_000, order: dict | None = None, **changes) -> DoseFacts:
    """Somebody on buprenorphine tablets of 2 mg."""
    bottle = make_bottle(
        medicine="buprenorphine", unit="tablet", strength_ug_per_ml=2_000, balance_ul=100_000, product="bup-2"
    )
    values = {
        "past": tuple(make_past(n, dose_ug, medicine="buprenorphine") for n in range(1, 21)),
        "bottle": bottle,
    }
    return make_facts({"medicine": "buprenorphine", "dose_ug": dose_ug} | (order or {}), **values | changes)


def answered(facts: DoseFacts, **coded: str) -> DoseFacts:
    return replace(facts, coded_reasons=MappingProxyType(coded))


def codes(decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def reason(decision, code: str):
    return next(r for r in decision.reasons if r.code == code)
