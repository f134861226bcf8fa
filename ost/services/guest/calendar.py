"""On which days a site doses guests, from when to when, and how many places it has and has left. Decides nothing.

One day's own row wins over a public holiday's, that over the weekday's. No row: closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache

import holidays
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.models import guest, opening, site
from ost.services.work import Work

#: Whose public holidays a pack's sites keep; a pack that is not named here has none.
COUNTRY = {"tw": "TW", "cn": "CN", "us": "US", "uk": "GB"}
HOLIDAY = 8

_G, _H, _D, _P, _S = opening.guest_site, opening.site_hours, opening.site_day, guest.guest_place, site.site


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A day on which a site doses. Times are "HH:MM" on the site's clock; `at_once` of the `places` need no answer."""

    site: str
    day: date
    opens: str
    last_dose: str
    closes: str
    places: int
    at_once: int
    taken: int

    @property
    def free(self) -> int:
        return max(0, self.places - self.taken)


@cache
def _of_country(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


def is_holiday(policy: str, day: date) -> bool:
    """Whether `day` is a public holiday where the pack `policy` applies."""
    country = COUNTRY.get(policy)
    return country is not None and day in _of_country(country, day.year)


def open_days(tx: Connection, sites: Iterable[str], days: Iterable[date]) -> dict[tuple[str, date], OpenDay]:
    """(site, day) -> OpenDay, for active and listed sites only; a closed day is not in it."""
    ids, wanted = sorted(set(sites)), sorted(set(days))
    if not ids or not wanted:
        return {}
    packs = {
        row.id: row.policy
        for row in tx.execute(
            sa.select(_S.c.id, _S.c.policy)
            .join(_G, _G.c.site == _S.c.id)
            .where(_S.c.id.in_(ids), _S.c.active, _G.c.listed)
        )
    }
    hours = {(row.site, row.weekday): row for row in tx.execute(sa.select(_H).where(_H.c.site.in_(packs)))}
    own = {
        (row.site, row.day): row
        for row in tx.execute(sa.select(_D).where(_D.c.site.in_(packs), _D.c.day.in_(wanted)))
    }
    count = tx.execute(
        sa.select(_P.c.site, _P.c.day, sa.func.count())
        .where(_P.c.site.in_(packs), _P.c.day.in_(wanted))
        .group_by(_P.c.site, _P.c.day)
    )
    taken = {(row[0], row[1]): row[2] for row in count}
    found = {}
    for code, pack in packs.items():
        for day in wanted:
            weekday = HOLIDAY if is_holiday(pack, day) else day.isoweekday()
            usual, special = hours.get((code, weekday)), own.get((code, day))
            if (special is not None and special.closed) or (usual is None and special is None):
                continue
            values = [
                getattr(special, name, None) if getattr(special, name, None) is not None else getattr(usual, name, None)
                for name in ("opens", "last_dose", "closes", "places", "at_once")
            ]
            if any(v is None for v in values):
                continue
            found[code, day] = OpenDay(code, day, *values, taken.get((code, day), 0))
    return found


def lock_sites(work: Work, sites: Iterable[str]) -> None:
    """Lock the places of these sites, in order of id: after the patients, before anything else."""
    ids = sorted(set(sites))
    query = sa.select(_G.c.site).where(_G.c.site.in_(ids)).order_by(_G.c.site).with_for_update()
    found = set(work.tx.execute(query).scalars())
    if set(ids) - found:
        raise Refusal("guest_site_not_listed")
