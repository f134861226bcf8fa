"""On which days a site doses guests, from when to when, and how many places it has and has left. Decides nothing.

One day's own row wins over a public holiday's, that over the weekday's. No row: closed. A
weekend's day that the government made a working day counts as a Friday.
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
_FRIDAY = 5
#: Languages of the pages as the library of holidays names them; a country it has no such names for uses its own.
_NAMES = {"zh_Hant_TW": "zh_TW", "zh_Hans_CN": "zh_CN", "en": "en_"}

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
def _of_country(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """(public holidays, weekend days worked) of that year."""
    known = holidays.country_holidays(country, years=year)
    return frozenset(known), frozenset(day for day in known.weekend_workdays if day.year == year)


@cache
def _named(country: str, year: int, language: str) -> dict[date, str]:
    known = holidays.country_holidays(country).supported_languages
    start = _NAMES.get(language, "en_")
    spoken = next((each for each in known if each.startswith(start)), None)
    return dict(holidays.country_holidays(country, years=year, language=spoken))


def is_holiday(policy: str, day: date) -> bool:
    """Whether `day` is a public holiday where the pack `policy` applies."""
    country = COUNTRY.get(policy)
    return country is not None and day in _of_country(country, day.year)[0]


def kind_of(policy: str, day: date) -> int:
    """Whose hours count on `day`: 1..7 as a weekday (ISO), 8 as a public holiday."""
    country = COUNTRY.get(policy)
    if country is None:
        return day.isoweekday()
    off, worked = _of_country(country, day.year)
    if day in off:
        return HOLIDAY
    return _FRIDAY if day in worked else day.isoweekday()


def holidays_between(policy: str, first: date, last: date, language: str) -> list[tuple[date, str]]:
    """Public holidays of these days with their names in a language of the pages, in order."""
    country = COUNTRY.get(policy)
    if country is None:
        return []
    years = range(first.year, last.year + 1)
    found = {day: name for year in years for day, name in _named(country, year, language).items()}
    return sorted((day, name) for day, name in found.items() if first <= day <= last)


def worked_between(policy: str, first: date, last: date) -> list[date]:
    """Weekend days of these that the government made working days."""
    country = COUNTRY.get(policy)
    if country is None:
        return []
    years = range(first.year, last.year + 1)
    return sorted(d for year in years for d in _of_country(country, year)[1] if first <= d <= last)


def open_days(
    tx: Connection, sites: Iterable[str], days: Iterable[date], *, unlisted: bool = False
) -> dict[tuple[str, date], OpenDay]:
    """(site, day) -> OpenDay, for active and listed sites only; a closed day is not in it.

    `unlisted`: by the hours alone, also of a site that takes no guests (now), for its own people.
    """
    ids, wanted = sorted(set(sites)), sorted(set(days))
    if not ids or not wanted:
        return {}
    query = sa.select(_S.c.id, _S.c.policy).where(_S.c.id.in_(ids))
    if not unlisted:
        query = query.join(_G, _G.c.site == _S.c.id).where(_S.c.active, _G.c.listed)
    packs = {row.id: row.policy for row in tx.execute(query)}
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
            usual, special = hours.get((code, kind_of(pack, day))), own.get((code, day))
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
        raise Refusal("guest_site_not_listed", site=", ".join(sorted(set(ids) - found)))
