"""Which ways of showing who one is a site uses for calling a person, chosen from what its pack allows.

Append-only: the newest row counts. At least one way without a finger always
stays, so that nobody has to give one. Hand-over is the pack's business alone:
nothing there gets slower by a site's choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models import staff
from ost.models.identity import site_identity_choice
from ost.rules.policy import Policy
from ost.services.access import require
from ost.services.work import Actor, House, new_id

FINGER, CARD, NUMBER_FACE, DOCUMENT = WAYS = ("finger", "card", "number_face", "document")
PERMISSION = "site.manage"

_NEWEST = (
    sa.select(site_identity_choice)
    .where(site_identity_choice.c.site == sa.bindparam("site"))
    .order_by(site_identity_choice.c.at.desc(), site_identity_choice.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Choice:
    """`paths`: in the order of WAYS. `alone`: one nurse works here alone, a document is enough."""

    paths: tuple[str, ...]
    alone: bool = False


def choice(tx: Connection, site: str, policy: Policy) -> Choice:
    """What counts now. Nothing chosen, or a pack that since allows none of it: all that the pack allows."""
    allowed = policy.list("identity_paths")
    every = tuple(w for w in WAYS if w in allowed)
    row = tx.execute(_NEWEST, {"site": site}).one_or_none()
    if row is None:
        return Choice(every)
    kept = json.loads(row.paths)
    chosen = tuple(w for w in every if w in kept)
    return Choice(chosen if set(chosen) - {FINGER} else every, row.alone)


def choose(house: House, actor: Actor, site: str, paths: Iterable[str], alone: bool) -> None:
    """Refusal("input_invalid") for a way the pack does not allow, or when only the finger would be left."""
    require(house, actor, PERMISSION, site)
    wanted, allowed = set(paths), set(_policy(house, site).list("identity_paths"))
    if wanted - allowed:
        raise Refusal("input_invalid", fields={"paths": ["not_a_choice"]})
    if not wanted - {FINGER}:
        raise Refusal("input_invalid", fields={"paths": ["identity_only_finger"]})
    if alone and DOCUMENT not in wanted:
        raise Refusal("input_invalid", fields={"alone": ["identity_alone_needs_document"]})
    with house.work(actor, site, "identity.ways_chosen") as work:
        work.add(
            site_identity_choice,
            id=new_id(),
            site=site,
            paths=canonical.text([w for w in WAYS if w in wanted]),
            alone=alone,
            at=work.now,
            by=actor.id,
        )
        work.payload = {"paths": sorted(wanted), "alone": alone}


@dataclass(frozen=True, slots=True)
class Chosen:
    paths: tuple[str, ...]
    alone: bool
    at: datetime
    by: str  # display name


def history(house: House, actor: Actor, site: str, limit: int = 20) -> list[Chosen]:
    """Who chose what, newest first."""
    require(house, actor, PERMISSION, site)
    c, a = site_identity_choice, staff.account
    query = (
        sa.select(c, a.c.display_name)
        .join(a, a.c.id == c.c.by, isouter=True)
        .where(c.c.site == site)
        .order_by(c.c.at.desc(), c.c.id.desc())
        .limit(limit)
    )
    with house.read() as tx:
        return [
            Chosen(tuple(json.loads(r.paths)), r.alone, r.at, r.display_name or r.by) for r in tx.execute(query)
        ]


def offered(house: House, actor: Actor, site: str) -> tuple[tuple[str, ...], Choice]:
    """(what the pack allows, what counts now), for the page."""
    require(house, actor, PERMISSION, site)
    policy = _policy(house, site)
    with house.read() as tx:
        return tuple(w for w in WAYS if w in policy.list("identity_paths")), choice(tx, site, policy)


def _policy(house: House, site: str) -> Policy:
    s = sites.site
    with house.read() as tx:
        name = tx.execute(sa.select(s.c.policy).where(s.c.id == site)).scalar_one_or_none()
    if name is None:
        raise Refusal("site_unknown")
    return policies.policy(name)
