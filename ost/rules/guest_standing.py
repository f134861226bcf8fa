"""Whether a standing authorisation covers a site and days. Knows nothing of people or places given away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from ost.rules.geo import Point, distance_m, off_line_m


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What the home prescriber allowed beforehand. Any one of the ways to reach a site is enough."""

    id: str
    until: date
    days_a_year: int
    anywhere: bool = False
    sites: tuple[str, ...] = ()
    radius_m: int | None = None  # around the home site
    corridor: tuple[Point, Point] | None = None  # the ends of the route
    corridor_m: int | None = None


def reaches(allowed: Authorisation, site: str, place: Point | None, home: Point | None) -> bool:
    """Whether it names the site, or the site lies near enough. A site whose place is not known is near nothing."""
    if allowed.anywhere or site in allowed.sites:
        return True
    if place is None:
        return False
    if allowed.radius_m is not None and home is not None and distance_m(home, place) <= allowed.radius_m:
        return True
    if allowed.corridor is None or allowed.corridor_m is None:
        return False
    return off_line_m(place, *allowed.corridor) <= allowed.corridor_m


def covers(
    allowed: Authorisation,
    site: str,
    place: Point | None,
    home: Point | None,
    days: Iterable[date],
    used: Mapping[int, int],
) -> bool:
    """Whether these days at that site lie within it. `used`: {year: days confirmed already}."""
    asked = tuple(days)
    wanted = Counter(day.year for day in asked)
    if not asked or max(asked) > allowed.until:
        return False
    room = all(used.get(year, 0) + count <= allowed.days_a_year for year, count in wanted.items())
    return room and reaches(allowed, site, place, home)
