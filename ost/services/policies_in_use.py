"""The policy values in force at a site, what each rests on, and who approved the weak ones.

An approval binds one value's digest at one site: a changed number, unit or
source needs a new one. Which values act is the rules' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from ost import clock, policies
from ost.errors import Refusal
from ost.models import audit, staff
from ost.models import site as sites
from ost.rules.policy_keys import KEYS
from ost.services.access import require
from ost.services.work import Actor, House, new_id


@dataclass(frozen=True, slots=True)
class InForce:
    key: str
    meaning: str
    value: Any
    unit: str
    enforcement: str
    override_by: tuple[str, ...]
    source: str
    status: str
    digest: str
    needs_approval: bool  # weak or open, and nobody here has approved it
    approved_by: str | None  # display name
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class PolicyInUse:
    name: str
    digest: str
    on: date
    values: tuple[InForce, ...]  # those that need approval first

    @property
    def waiting(self) -> int:
        return sum(v.needs_approval for v in self.values)


def in_use(house: House, actor: Actor, site_id: str) -> PolicyInUse:
    """The site's pack, today."""
    require(house, actor, "policy.read", site_id)
    policy, today = _pack(house, site_id)
    a = audit.policy_approval
    with house.read() as tx:
        approvals = {
            row.value_digest: row
            for row in tx.execute(
                sa.select(a.c.value_digest, a.c.at, a.c.by, staff.account.c.display_name)
                .join(staff.account, staff.account.c.id == a.c.by, isouter=True)
                .where(a.c.site == site_id)
                .order_by(a.c.at.desc())
            )
        }
    values = []
    for value in policy.values:
        if not value.in_force(today):
            continue
        approval = approvals.get(value.digest)
        values.append(
            InForce(
                value.key,
                KEYS[value.key].meaning,
                value.value,
                value.unit,
                value.enforcement,
                value.override_by,
                value.source,
                value.status,
                value.digest,
                value.needs_approval and approval is None,
                (approval.display_name or approval.by) if approval else None,
                approval.at if approval else None,
            )
        )
    values.sort(key=lambda v: (not v.needs_approval, v.key))
    return PolicyInUse(policy.name, policy.digest, today, tuple(values))


def approve(house: House, actor: Actor, site_id: str, digest: str) -> None:
    """A named clinician takes responsibility for one value at this site.

    Refusal("policy_value_unknown") unless it is in force here and needs approval.
    """
    require(house, actor, "policy.approve", site_id)
    policy, today = _pack(house, site_id)
    value = next((v for v in policy.values if v.digest == digest and v.in_force(today)), None)
    if value is None or not value.needs_approval:
        raise Refusal("policy_value_unknown")
    a = audit.policy_approval
    with house.work(actor, site_id, "policy.approved") as work:
        query = sa.select(a.c.id).where(a.c.site == site_id, a.c.value_digest == digest)
        if work.tx.execute(query).first() is None:  # the same twice is harmless
            work.add(a, id=new_id(), value_digest=digest, key=value.key, site=site_id, by=actor.id, at=work.now)
            work.payload |= {"key": value.key, "digest": digest}
    house.memo.pop(("approved", site_id), None)


def coded(house: House, site_id: str, *keys: str) -> tuple[str, ...]:
    """The coded lists of these keys at the site, one after the other."""
    policy, today = _pack(house, site_id)
    return tuple(code for key in keys for code in policy.list(key, today if KEYS[key].dated else None))


def numbers(house: House, site_id: str, *keys: str) -> tuple[int, ...]:
    policy, today = _pack(house, site_id)
    return tuple(policy.int(key, today if KEYS[key].dated else None) for key in keys)


def _pack(house: House, site_id: str):
    s = sites.site
    with house.read() as tx:
        row = tx.execute(sa.select(s.c.policy, s.c.tz).where(s.c.id == site_id)).one_or_none()
    if row is None:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    return policies.policy(row.policy), clock.dosing_day(house.now(), row.tz)
