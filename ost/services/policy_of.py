"""Which policy packs apply, the decision under all of them, and keeping the versions used.

Safety rules: the stricter of home and guest site (DESIGN.md, promise 6). Where
both follow one pack there is one decision.
"""

from __future__ import annotations

from datetime import datetime
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import policies
from ost.models import audit
from ost.rules.dosing import decide as decide_under
from ost.rules.facts import Decision, Give, Refuse
from ost.rules.policy import Policy
from ost.services.gather import Gathered
from ost.services.work import House, Work

#: An approval acts on a mark on the screen, never on a dose: seconds of delay do no harm.
_APPROVALS_FRESH_S = 10


def decide(
    house: House, tx: Connection, seen: Gathered, now: datetime, *, before_check: bool = False
) -> tuple[Policy, Decision]:
    """The strictest decision of all packs that apply, and the pack it came from."""
    approved = _approved(house, tx, seen.facts.site)
    answers = []
    for name in seen.policies:
        policy = policies.policy(name)
        verdict = decide_under(seen.facts, policy, now, before_check=before_check, approved=approved)
        answers.append((policy, verdict))
    return min(answers, key=_strictness) if len(answers) == 1 else _stricter(answers)


def _strictness(answer: tuple[Policy, Decision]):
    verdict = answer[1]
    return (verdict.verdict == "give", verdict.dose_ug or 0)


def _stricter(answers: list[tuple[Policy, Decision]]) -> tuple[Policy, Decision]:
    """Refuse if any pack refuses, with the reasons of all; else the smallest dose."""
    policy, verdict = min(answers, key=_strictness)
    reasons = {}
    for _, other in answers:
        for reason in other.reasons:
            reasons.setdefault(reason.code, reason)
    merged = tuple(reasons.values())
    if isinstance(verdict, Give):
        return policy, Give(verdict.dose_ug, verdict.volume_ul, verdict.ordered_ug, merged)
    return policy, Refuse(merged, verdict.dose_ug, verdict.volume_ul, verdict.ordered_ug)


def _approved(house: House, tx: Connection, site: str) -> frozenset[str]:
    key = ("approved", site)
    kept = house.memo.get(key)
    if kept and monotonic() - kept[0] < _APPROVALS_FRESH_S:
        return kept[1]
    a = audit.policy_approval
    digests = frozenset(tx.execute(sa.select(a.c.value_digest).where(a.c.site == site)).scalars())
    house.memo[key] = (monotonic(), digests)
    return digests


def keep_version(house: House, work: Work, policy: Policy) -> None:
    """The text of a policy is kept the first time it decides anything."""
    key = ("policy_version", policy.digest)
    if key in house.memo:
        return
    v = audit.policy_version
    if work.tx.execute(sa.select(v.c.digest).where(v.c.digest == policy.digest)).scalar():
        house.memo[key] = True  # committed by somebody: it stays
        return
    values = {"digest": policy.digest, "name": policy.name, "text": policy.text, "first_used_at": work.now}
    # Two first uses at the same moment: whoever comes second waits here and finds it kept.
    work.add_unless_there(v, values)
