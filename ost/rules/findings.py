"""The pieces a check works with: the case it looks at, and what it found. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from ost.rules.amounts import format_mg
from ost.rules.facts import DoseFacts, OrderFacts, Reason
from ost.rules.medicines import FAMILIES, family
from ost.rules.missed_doses import MissedDays, missed_days
from ost.rules.policy import Policy, Value

STOP, REASON, NOTE = TIERS = ("stop", "reason", "note")


@dataclass(frozen=True, slots=True)
class Found:
    """One reason, and what it means for the dose."""

    reason: Reason
    dose_ug: int | None = None  # the most that may be given because of it; None = says nothing
    override_by: tuple[str, ...] = ()  # roles whose sign-off lifts it
    answers: tuple[str, ...] = ()  # coded answers that lift a "reason"; none = a code does not lift it

    def unanswerable(self) -> Found:
        """The same, and no coded answer lifts it."""
        return replace(self, answers=())


def _shown(value: Any) -> str | int | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _data(data: Mapping[str, Any]) -> Mapping[str, str | int | None]:
    return MappingProxyType({name: _shown(data[name]) for name in sorted(data)})


def stop(code: str, **data: Any) -> Found:
    """A stop nobody can lift at the counter: it rests on a fact, not on a policy's number."""
    return Found(Reason(code, STOP, _data(data)))


def note(code: str, dose_ug: int | None = None, **data: Any) -> Found:
    return Found(Reason(code, NOTE, _data(data)), dose_ug)


@dataclass(frozen=True, slots=True)
class Case:
    """What the checks see: the facts, the policy of that day, the time, and the tolerance clock."""

    facts: DoseFacts
    policy: Policy
    now: datetime
    before_check: bool
    approved: frozenset[str]
    missed: MissedDays | None  # None without an order that has rules

    @property
    def order(self) -> OrderFacts | None:
        return self.facts.order

    def value(self, key: str) -> Value:
        return self.policy.value(key, self.facts.day)

    def enforced(
        self, code: str, value: Value, *, as_: str | None = None, dose_ug: int | None = None, **data: Any
    ) -> Found:
        """A reason in the tier its policy value asks for (or `as_`, for a row of a table)."""
        enforcement = as_ or value.enforcement
        tier = enforcement if enforcement in (REASON, NOTE) else STOP
        reason = Reason(
            code,
            tier,
            _data(data),
            needs_signoff=enforcement == "signoff",
            weak_source=value.needs_approval and value.digest not in self.approved,
        )
        return Found(
            reason,
            dose_ug,
            override_by=value.override_by if enforcement == "signoff" else (),
            answers=self._answers(code) if tier == REASON else (),
        )

    def _answers(self, code: str) -> tuple[str, ...]:
        own = "gap_short" if code.startswith("gap_") else None
        key = f"reasons_for_{own}" if own else "reasons_general"
        return self.policy.list(key, self.facts.day)


def make_case(
    facts: DoseFacts, policy: Policy, now: datetime, before_check: bool, approved: frozenset[str]
) -> Case:
    known = facts.order is not None and family(facts.order.medicine) in FAMILIES
    missed = missed_days(facts, policy) if known else None
    return Case(facts, policy, now, before_check, approved, missed)


def lift(found: Found, case: Case) -> tuple[Found, ...]:
    """What a sign-off or a coded answer makes of a finding.

    A sign-off answers one reason, for this day, by a role the policy names; its
    dose wins over the rule's proposal, never over the order. Of two sign-offs
    the smaller dose holds. The reason becomes a note that says who lifted it.
    """
    facts, order = case.facts, case.order
    if not found.reason.needs_signoff or order is None:
        return (found,)
    given = [
        s
        for s in facts.signoffs
        if s.code == found.reason.code and s.day == facts.day and s.by_role in found.override_by
    ]
    if not given:
        return (found,)
    proposed = order.dose_ug if found.dose_ug is None else found.dose_ug
    doses = [proposed if s.dose_ug is None else s.dose_ug for s in given]
    dose = min(order.dose_ug, *doses)
    lifted = note(
        "signed_off",
        dose,
        answers=found.reason.code,
        by=min(s.by_role for s in given),
        dose_mg=format_mg(dose),
    )
    return (replace(lifted, reason=replace(lifted.reason, weak_source=found.reason.weak_source)),)


def answered(found: Found, case: Case) -> bool:
    """Whether the nurse gave one of the policy's coded answers to this reason."""
    return case.facts.coded_reasons.get(found.reason.code) in found.answers
