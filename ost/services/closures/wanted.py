"""What somebody wants to close, checked: which sites, days and hours, and whether they may. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site
from ost.rules import access
from ost.services.access import may, require
from ost.services.work import Actor, House

PERMISSION = "closure.declare"
READ = "closure.read"
MOST_DAYS, MOST_AHEAD_DAYS = 31, 60

_S = site.site
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`sites`: codes; or `county`: every active site in it. No times: whole days. Only `from_time`: from then on.

    Times are "HH:MM" on each site's clock and hold for each of the days.
    """

    days: tuple[date, ...]
    reason: str
    sites: tuple[str, ...] = ()
    county: str | None = None
    from_time: str | None = None
    to_time: str | None = None


def checked(house: House, tx: Connection, actor: Actor, wanted: Wanted) -> Wanted:
    """The same with its sites named, each once and in order; the actor may close all of them.

    Refusal: input_invalid (fields sites, days, reason, from_time, to_time), not_permitted.
    """
    codes, zone = _sites(tx, wanted)
    for code in codes:
        require(house, actor, PERMISSION, code)
    fields: dict[str, list[str]] = {}
    days = tuple(sorted(set(wanted.days)))
    today = clock.dosing_day(house.now(), zone)
    if not days or len(days) > MOST_DAYS or days[0] < today or days[-1] > today + timedelta(days=MOST_AHEAD_DAYS):
        fields["days"] = ["closure_days_wrong"]
    if wanted.reason not in reasons(house):
        fields["reason"] = ["not_a_choice"]
    times = {"from_time": wanted.from_time, "to_time": wanted.to_time}
    fields |= {name: ["guest_time_wrong"] for name, at in times.items() if at is not None and not _TIME.fullmatch(at)}
    if not fields and None not in times.values() and wanted.from_time >= wanted.to_time:
        fields["to_time"] = ["closure_times_order"]
    if fields:
        raise Refusal("input_invalid", fields=fields)
    return Wanted(days, wanted.reason, codes, wanted.county, wanted.from_time, wanted.to_time)


def reasons(house: House) -> tuple[str, ...]:
    return policies.policy(house.policy_name).list("closure_reasons")


def _sites(tx: Connection, wanted: Wanted) -> tuple[tuple[str, ...], str]:
    query = sa.select(_S.c.id, _S.c.tz).where(_S.c.active).order_by(_S.c.id)
    query = query.where(_S.c.county == wanted.county) if wanted.county else query.where(_S.c.id.in_(wanted.sites))
    rows = tx.execute(query).all()
    if not rows or (not wanted.county and {row.id for row in rows} != set(wanted.sites)):
        raise Refusal("input_invalid", fields={"county" if wanted.county else "sites": ["site_unknown"]})
    return tuple(row.id for row in rows), rows[0].tz


@dataclass(frozen=True, slots=True)
class Place:
    """A site the actor may close. `whole_county`: they may close every other of its county too."""

    id: str
    county: str
    whole_county: bool


def places(house: House, actor: Actor) -> list[Place]:
    """The active sites the actor may close, by county."""
    with house.read() as tx:
        rows = tx.execute(sa.select(_S.c.id, _S.c.county).where(_S.c.active).order_by(_S.c.county, _S.c.id)).all()
    mine = {row.id for row in rows if access.may(actor.grants, PERMISSION, row.id, row.county)}
    partly = {row.county for row in rows if row.id not in mine}
    return [Place(row.id, row.county, row.county not in partly) for row in rows if row.id in mine]


def may_read(house: House, actor: Actor, codes: Iterable[str]) -> bool:
    """Whether the actor may read of one of these sites."""
    return any(may(house, actor, READ, code) for code in codes)
