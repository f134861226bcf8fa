"""Other sites with a place on all of these days, the nearest first. Takes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import opening
from ost.models import site as sites
from ost.rules.geo import Point, distance_m
from ost.services.guest import calendar
from ost.services.work import loads

MOST = 5
_S, _G = sites.site, opening.guest_site
_LISTED = (
    sa.select(_S.c.id, _S.c.county, _S.c.tz, _S.c.medicines, _G.c.lat_e6, _G.c.lon_e6)
    .join_from(_S, _G, _G.c.site == _S.c.id)
    .where(_S.c.active, _G.c.listed)
)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A site that has a place on every day. `hours`: (day, opens, last_dose, closes, free), "HH:MM" there."""

    site: str
    county: str
    distance_m: int | None  # from where the person wanted to be
    hours: tuple[tuple[date, str, str, str, int], ...]
    at_once: bool  # its own rule takes the person without an answer


def nearest(
    tx: Connection,
    near: Point | None,
    days: Iterable[date],
    medicines: Iterable[str],
    now: datetime,
    *,
    but: Iterable[str] = (),
    most: int = MOST,
) -> tuple[Alternative, ...]:
    """Listed sites with a place on all `days`, designated for all `medicines`, by distance from `near`."""
    wanted, needed, without = sorted(set(days)), set(medicines), set(but)
    rows = [
        row
        for row in tx.execute(_LISTED)
        if row.id not in without and needed <= set(loads(row.medicines))
    ]
    if near is not None:
        rows.sort(key=lambda r: (distance_m(near, (r.lat_e6, r.lon_e6)), r.id))
    found: list[Alternative] = []
    # A few dozen sites at a time: mostly the first handful has room, and the whole country costs one look each.
    for start in range(0, len(rows), 24):
        part = rows[start : start + 24]
        open_ = calendar.open_days(tx, [r.id for r in part], wanted)
        for row in part:
            local = now.astimezone(ZoneInfo(row.tz))
            there = [open_.get((row.id, day)) for day in wanted]
            if any(o is None or o.free < 1 or _too_late(o, local) for o in there):
                continue
            found.append(
                Alternative(
                    site=row.id,
                    county=row.county,
                    distance_m=None if near is None else distance_m(near, (row.lat_e6, row.lon_e6)),
                    hours=tuple((o.day, o.opens, o.last_dose, o.closes, o.free) for o in there),
                    at_once=all(o.taken < o.at_once for o in there),
                )
            )
            if len(found) == most:
                return tuple(found)
    return tuple(found)


def _too_late(there: calendar.OpenDay, local: datetime) -> bool:
    return there.day == local.date() and f"{local:%H:%M}" > there.last_dose
