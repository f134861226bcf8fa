"""The policy's coded reasons for a request's steps. A step keeps a code of its list, never free words."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import policies
from ost.errors import Refusal
from ost.models.site import site


def listed(tx: Connection, key: str, site_id: str) -> tuple[str, ...]:
    """The codes of policy list `key` at a site."""
    name = tx.execute(sa.select(site.c.policy).where(site.c.id == site_id)).scalar_one()
    return policies.policy(name).list(key)


def check(tx: Connection, key: str, site_id: str, reason: str | None, *, needed: bool) -> None:
    """Refusal("guest_reason_needed") without one where one is needed; ("input_invalid") for one not on the list."""
    if reason is None:
        if needed:
            raise Refusal("guest_reason_needed", fields={"reason": ["guest_reason_needed"]})
        return
    if reason not in listed(tx, key, site_id):
        raise Refusal("input_invalid", fields={"reason": ["not_a_choice"]})
