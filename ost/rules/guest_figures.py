"""Figures of guest dosing from single facts: counted, divided, and hidden where a count is small.

A fact is one request, one day or one wish: when, at which guest site, and what
it says. For whoever stands outside a site the counts that may be shown are
chosen once for each month over the whole network, zeros too; a longer time is
shown only where all its months are. So no two questions can be subtracted from
each other.

Attendance is DOMAIN.md section 6: by days, days attended / days booked; by
applications, those with at least one attended day / those approved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from ost.rules.small_cells import LEAST, Sum, revealed

ALL, COUNTY, SITE, MONTH, REASON = BY = ("all", "county", "site", "month", "reason")
#: What a figure is: how many; a part of them; the middle of their values; how much of the places they take.
COUNT, SHARE, MEDIAN, CAPACITY = KINDS = ("count", "share", "median", "capacity")


@dataclass(frozen=True, slots=True)
class Fact:
    """`yes`: counts for the numerator of a share. `value`: of a median."""

    day: date
    site: str  # the guest site
    yes: bool = False
    value: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A hidden row has none of the three numbers."""

    key: str
    numerator: int | None
    denominator: int | None
    value: float | None
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """Every site with its county, and the whole months that are asked for."""

    counties: Mapping[str, str]
    months: tuple[str, ...]  # "2026-03"

    def sites_of(self, county: str) -> frozenset[str]:
        return frozenset(site for site, own in self.counties.items() if own == county)


Places = Mapping[tuple[str, str], int]  # (month, site) -> places there were


def for_insiders(kind: str, facts: Iterable[Fact], by: str, county_of: Mapping[str, str], places: Places) -> list[Row]:
    """Of people the reader sees one by one anyway: nothing is hidden. Keys are those that have something."""
    groups: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[_key(fact, by, county_of)].append(fact)
    keys = set(groups) | ({ALL} if by == ALL else set())
    if kind == CAPACITY:
        keys |= {_key_of(by, month, site, county_of) for month, site in places}
    return [_row(kind, key, groups.get(key, []), _sum_places(places, by, key, county_of)) for key in sorted(keys)]


def for_outsiders(
    kind: str,
    facts: Iterable[Fact],
    by: str,
    network: Network,
    sites: Iterable[str],
    places: Places,
    least: int = LEAST,
) -> list[Row]:
    """Of the reader's `sites`; `facts` are the whole network's. Reasons are shown of the whole network only."""
    every, mine = list(facts), frozenset(sites) & frozenset(network.counties)
    hidden = hidden_cells(kind, every, network, least)
    seen = [f for f in every if f.site in mine]
    places = {at: n for at, n in places.items() if at[1] in mine}
    groups: dict[str, list[Fact]] = defaultdict(list)
    for fact in seen:
        groups[_key(fact, by, network.counties)].append(fact)
    made = []
    for key in _keys(by, network, mine, groups):
        months = (key,) if by == MONTH else network.months
        cells = {(month, *cell) for month in months for cell in _cells_of(by, key, network, mine)}
        if cells & hidden or (by == REASON and mine != frozenset(network.counties)):
            made.append(Row(key, None, None, None, True))
        else:
            made.append(_row(kind, key, groups.get(key, []), _sum_places(places, by, key, network.counties)))
    return made


# --- hiding -----------------------------------------------------------------------------

Cell = tuple[str, str, str]  # month, level, key


def hidden_cells(kind: str, facts: Iterable[Fact], network: Network, least: int = LEAST) -> frozenset[Cell]:
    """Cells of which nothing is shown. A share goes with its whole and with what is left: three counts, one fate."""
    months: dict[str, list[Fact]] = {month: [] for month in network.months}
    for fact in facts:
        months[month_of(fact.day)].append(fact)
    return frozenset(
        (month, *cell) for month, found in months.items() for cell in _hidden_of(kind, found, network, least)
    )


def _hidden_of(kind: str, facts: list[Fact], network: Network, least: int) -> Iterator[tuple[str, str]]:
    wholes: dict[str, int] = defaultdict(int)
    yeses: dict[str, int] = defaultdict(int)
    parts: dict[str, set[str]] = defaultdict(set)
    top = f"{ALL}|"
    for site, county in network.counties.items():
        parts[top].add(f"{COUNTY}|{county}")
        parts[f"{COUNTY}|{county}"].add(f"{SITE}|{site}")
        wholes[f"{SITE}|{site}"] = 0
    for fact in facts:
        names = [top, f"{COUNTY}|{network.counties[fact.site]}", f"{SITE}|{fact.site}"]
        if any(f.reason is not None for f in facts):
            names.append(f"{REASON}|{fact.reason or ''}")
            parts[f"{top} by reason"].add(names[3])
        for name in names:
            wholes[name] += 1
            yeses[name] += fact.yes
    for total in parts:
        wholes[total.removesuffix(" by reason")] += 0
    sums = [(total.removesuffix(" by reason"), tuple(sorted(found))) for total, found in sorted(parts.items())]
    families: list[dict[str, int]] = [dict(wholes)]
    if kind == SHARE:
        families += [{name: yeses[name] for name in wholes}, {name: n - yeses[name] for name, n in wholes.items()}]
    hidden = {name for name in wholes if any(family[name] < least for family in families)}
    while known := set().union(*(revealed(family, sums, hidden) for family in families)):
        hidden |= _one_more(families[0], sums, hidden, known)
    for name in hidden:
        level, _, key = name.partition("|")
        yield level, key


def _one_more(counts: Mapping[str, int], sums: Sequence[Sum], hidden: set[str], known: set[str]) -> set[str]:
    """The smallest neighbour of a cell that what is shown gives away. One at a time: the next may not be needed."""
    found = set()
    for total, parts in sums:
        if known & {total, *parts}:
            found |= {p for p in parts if p not in hidden} or {t for t in (total,) if t not in hidden}
    return {min(found or (n for n in counts if n not in hidden), key=lambda name: (counts[name], name))}


def _cells_of(by: str, key: str, network: Network, mine: frozenset[str]) -> list[tuple[str, str]]:
    """The cells that a row adds up, as coarse as the reader's sites allow."""
    if by == SITE:
        return [(SITE, key)]
    if by == COUNTY:
        return _cover(network, mine & network.sites_of(key))
    return [(REASON, key)] if by == REASON else _cover(network, mine)


def _cover(network: Network, sites: frozenset[str]) -> list[tuple[str, str]]:
    if sites == frozenset(network.counties):
        return [(ALL, "")]
    cells = []
    for county in sorted(set(network.counties.values())):
        own = network.sites_of(county)
        if own <= sites:
            cells.append((COUNTY, county))
        else:
            cells += [(SITE, site) for site in sorted(own & sites)]
    return cells


# --- rows -------------------------------------------------------------------------------


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def _keys(by: str, network: Network, mine: frozenset[str], groups: Mapping[str, list]) -> list[str]:
    return sorted(
        {
            ALL: lambda: {ALL},
            SITE: lambda: set(mine),
            COUNTY: lambda: {network.counties[site] for site in mine},
            MONTH: lambda: set(network.months),
            REASON: lambda: set(groups),
        }[by]()
    )


def _key(fact: Fact, by: str, county_of: Mapping[str, str]) -> str:
    if by == REASON:
        return fact.reason or ""
    return _key_of(by, month_of(fact.day), fact.site, county_of)


def _key_of(by: str, month: str, site: str, county_of: Mapping[str, str]) -> str:
    return {ALL: ALL, COUNTY: county_of[site], SITE: site, MONTH: month}.get(by, "")


def _sum_places(places: Places, by: str, key: str, county_of: Mapping[str, str]) -> int:
    return sum(n for (month, site), n in places.items() if _key_of(by, month, site, county_of) == key)


def _row(kind: str, key: str, facts: list[Fact], places: int) -> Row:
    whole = len(facts)
    if kind == COUNT:
        return Row(key, whole, None, whole)
    if kind == MEDIAN:
        values = [f.value for f in facts if f.value is not None]
        return Row(key, None, len(values), round(median(values), 1) if values else None)
    part, base = (whole, places) if kind == CAPACITY else (sum(f.yes for f in facts), whole)
    return Row(key, part, base, round(part / base, 4) if base else None)
