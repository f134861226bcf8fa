"""Where the people of a closed site go: what is left of a day's hours, and who gets which place.

The order of who is served when places are short, first to last: pregnant
people; people marked as having priority; all others. Within one of these, by
the patient's id, which is drawn at random: by lot. Nobody placed once loses
the place to somebody later in that order; and as a person may be moved to
another free site to make room for the next, everybody is placed if the places
suffice. Among all ways to place those people, the one that breaks the fewest
wishes, then leaves most people where they were the day before, then has the
shortest ways in sum is taken.

It knows no database: sites, days and people come in as plain data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from heapq import heappop, heappush

from ost.rules.geo import Point, distance_m

# Why a person goes where they go ...
NEAREST, WISH, KEPT, HOME, STAYS = "nearest", "wish", "kept", "home", "stays"
MOVED = (NEAREST, WISH, KEPT)
#: ... or goes nowhere, and is for somebody to look after.
NO_PLACE, NO_MEDICINE, NO_EQUIPMENT, NO_SITE = "no_place", "no_medicine", "no_equipment", "no_site"
HELD, NO_ORDER, NOT_ALLOWED, ASKED = "held", "no_order", "not_allowed", "asked"
NOWHERE = (NO_PLACE, NO_MEDICINE, NO_EQUIPMENT, NO_SITE, HELD, NO_ORDER, NOT_ALLOWED, ASKED)
WHY = (*MOVED, HOME, STAYS, *NOWHERE)

#: What a broken wish and another site than the day before weigh, in metres of way: more than any country is long.
WISH_M, CHANGE_M = 10_000_000, 2_000_000
#: A way nobody can measure, because one end has no coordinates: in the same county, or not.
SAME_COUNTY_M, OTHER_COUNTY_M = 20_000, 120_000

_ANYBODY = 1_000_000  # one's own site needs no place for guests


@dataclass(frozen=True, slots=True)
class Hours:
    """Of one day at one site, "HH:MM" on its clock."""

    opens: str
    last_dose: str
    closes: str


@dataclass(frozen=True, slots=True)
class Need:
    """One person on one day who cannot be dosed where they are due."""

    patient: str
    day: date
    from_site: str
    medicines: frozenset[str]
    products: frozenset[str] = frozenset()  # where an order names the very product
    equipment: frozenset[str] = frozenset()
    rank: int = 2  # 0 pregnant, 1 priority, 2 others
    near: Point | None = None  # from where the way is measured: the wish, else the closed site
    county: str = ""
    wish: str | None = None
    home: str | None = None  # a guest's own site, where it is open that day
    home_m: int | None = None
    why_not: str | None = None  # one of NOWHERE: known before any place is looked for


@dataclass(frozen=True, slots=True)
class Place:
    """A site that doses on a day. `free`: how many more people it takes, an emergency's extra places included."""

    site: str
    day: date
    free: int
    medicines: frozenset[str]
    products: frozenset[str] = frozenset()
    equipment: frozenset[str] = frozenset()
    point: Point | None = None
    county: str = ""
    allowed: bool = True  # its policy takes people of a closed site without their asking


@dataclass(frozen=True, slots=True)
class Move:
    patient: str
    day: date
    from_site: str
    to_site: str | None
    distance_m: int | None
    why: str  # one of WHY


def hours_left(usual: Hours | None, from_time: str | None, to_time: str | None) -> Hours | None:
    """What is left of a day's hours; None = closed. Where a site opens twice that day, the later opening counts."""
    if usual is None or (from_time is None and to_time is None):
        return None
    reopens = to_time is not None and to_time < usual.last_dose
    if reopens:
        return Hours(max(usual.opens, to_time), usual.last_dose, usual.closes)
    if from_time is None or from_time <= usual.opens:
        return None
    return Hours(usual.opens, min(usual.last_dose, from_time), min(usual.closes, from_time))


def opens_again(usual: Hours | None, to_time: str | None, least_minutes: int) -> bool:
    """Whether the site doses again that day for long enough that its people need not go anywhere."""
    return usual is not None and to_time is not None and minutes(usual.last_dose) - minutes(to_time) >= least_minutes


def stricter(a: Hours | None, b: Hours | None) -> Hours | None:
    """What two closures of one day leave together."""
    if a is None or b is None:
        return None
    both = Hours(max(a.opens, b.opens), min(a.last_dose, b.last_dose), min(a.closes, b.closes))
    return both if both.opens < both.last_dose else None


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def room(places: int, extra_percent: int, taken: int) -> int:
    """How many more guests a site takes in an emergency; rounded down."""
    return max(0, places * (100 + extra_percent) // 100 - taken)


def plan(needs: Iterable[Need], places: Iterable[Place], reach_m: int) -> tuple[Move, ...]:
    """Every need with its place or the reason why there is none, by patient and day."""
    by_day: dict[date, list[Need]] = defaultdict(list)
    for need in needs:
        by_day[need.day].append(need)
    there: dict[date, list[Place]] = defaultdict(list)
    for place in places:
        there[place.day].append(place)
    found: list[Move] = []
    before: dict[str, str] = {}
    for day in sorted(by_day):
        of_day = _plan_day(by_day[day], sorted(there[day], key=lambda p: p.site), reach_m, before)
        found += of_day
        before = before | {m.patient: m.to_site for m in of_day if m.to_site is not None}
    return tuple(sorted(found, key=lambda m: (m.patient, m.day)))


# --- one day ----------------------------------------------------------------------


def _plan_day(needs: list[Need], places: list[Place], reach_m: int, before: Mapping[str, str]) -> list[Move]:
    moves = [Move(n.patient, n.day, n.from_site, None, None, n.why_not) for n in needs if n.why_not]
    waiting = sorted((n for n in needs if not n.why_not), key=lambda n: (n.rank, n.patient))
    # People who are alike for every site are one class: few, however many people.
    classes: dict[tuple, list[Need]] = defaultdict(list)
    for n in waiting:
        classes[_alike(n, before.get(n.patient))].append(n)
    costs = {key: _costs(of[0], places, reach_m, key[-1]) for key, of in classes.items()}
    free = {p.site: p.free for p in places} | {("home", n.home): _ANYBODY for n in waiting if n.home}
    flow = _Flow(costs, free)
    for n in waiting:
        flow.add(_alike(n, before.get(n.patient)))
    for key, of in classes.items():
        # The nearest place of a class goes to whoever comes first in the order.
        seats = [site for site, count in flow.of(key) for _ in range(count)]
        for n, site in zip(of, seats, strict=False):
            moves.append(_move(n, site, {p.site: p for p in places}))
        for n in of[len(seats) :]:
            moves.append(Move(n.patient, n.day, n.from_site, None, None, _why_none(n, places, reach_m)))
    return moves


def _alike(n: Need, before: str | None) -> tuple:
    needs = (n.medicines, n.products, n.equipment)
    return (n.from_site, n.near, n.county, n.wish, n.home, n.home_m, tuple(tuple(sorted(s)) for s in needs), before)


def _way(n: Need, place: Place) -> int | None:
    return None if n.near is None or place.point is None else distance_m(n.near, place.point)


def _costs(n: Need, places: list[Place], reach_m: int, before: str | None) -> dict:
    """{site: what this place weighs for such a person}; a site that cannot have them is not in it."""
    found = {}
    for place in places:
        way = _way(n, place)
        if place.site == n.from_site or not _suits(n, place) or (way is not None and way > reach_m):
            continue
        if way is None:
            way = SAME_COUNTY_M if place.county == n.county else OTHER_COUNTY_M
        if place.site == n.home:
            continue
        found[place.site] = way + _weighs(place.site, n.wish, before)
    if n.home is not None and (n.home_m is None or n.home_m <= reach_m):
        way = OTHER_COUNTY_M if n.home_m is None else n.home_m
        found["home", n.home] = way + _weighs(n.home, n.wish, before)
    return found


def _weighs(site: str, wish: str | None, before: str | None) -> int:
    return WISH_M * (wish is not None and wish != site) + CHANGE_M * (before is not None and before != site)


def _suits(n: Need, place: Place) -> bool:
    return (
        place.allowed
        and n.medicines <= place.medicines
        and n.products <= place.products
        and n.equipment <= place.equipment
    )


def _move(n: Need, site, places: Mapping[str, Place]) -> Move:
    if isinstance(site, tuple):
        return Move(n.patient, n.day, n.from_site, site[1], n.home_m, HOME)
    return Move(n.patient, n.day, n.from_site, site, _way(n, places[site]), WISH if site == n.wish else NEAREST)


def _why_none(n: Need, places: list[Place], reach_m: int) -> str:
    """The first thing that every site in reach lacks."""
    near = [p for p in places if p.site != n.from_site and ((w := _way(n, p)) is None or w <= reach_m)]
    if not near:
        return NO_SITE
    near = [p for p in near if p.allowed]
    if not near:
        return NOT_ALLOWED
    near = [p for p in near if n.medicines <= p.medicines and n.products <= p.products]
    if not near:
        return NO_MEDICINE
    return NO_PLACE if any(n.equipment <= p.equipment for p in near) else NO_EQUIPMENT


class _Flow:
    """Min-cost assignment of people, class by class, to sites with room: shortest augmenting paths with prices.

    Each full site has a price; a class is always at sites of its least cost + price, which makes every search one of
    Dijkstra's over the full sites only (Jonker & Volgenant 1987, with sites of many places).
    """

    def __init__(self, costs: Mapping[tuple, Mapping], free: Mapping):
        self._costs, self._left = costs, dict(free)
        self._price = dict.fromkeys(free, 0)
        self._at: dict = {site: defaultdict(int) for site in free}
        self._full: set[tuple] = set()  # classes no place is left for
        # Sites in one order, so that equal ways give one answer.
        self._name = {site: (isinstance(site, tuple), site) for site in free}

    def add(self, key: tuple) -> bool:
        """One more person of class `key`; False where nobody of it can be placed any more."""
        if key in self._full:
            return False
        path = self._search(key)
        if path is None:
            self._full.add(key)
            return False
        for mover, leaves, enters in path:
            if leaves is not None:
                self._at[leaves][mover] -= 1
            self._at[enters][mover] += 1
        self._left[path[-1][2]] -= 1
        return True

    def of(self, key: tuple) -> list[tuple]:
        """[(site, how many)], nearest first."""
        costs = self._costs[key]
        taken = [(site, self._at[site][key]) for site in costs if self._at[site][key]]
        return sorted(taken, key=lambda pair: (costs[pair[0]], self._name[pair[0]]))

    def _search(self, key: tuple) -> list[tuple] | None:
        """[(class, from site, to site)]: the new person's first, each making room for the one before."""
        reached, came, heap, scanned, seen = {}, {}, [], [], set()

        def look(mover: tuple, leaves, base: int) -> None:
            seen.add(mover)
            costs = self._costs[mover]
            here = costs[leaves] + self._price[leaves] if leaves is not None else 0
            for site, cost in costs.items():
                total = base + cost + self._price[site] - here
                if site not in reached or total < reached[site]:
                    reached[site], came[site] = total, (mover, leaves)
                    heappush(heap, (total, self._name[site], site))

        look(key, None, 0)
        done = set()
        while heap:
            total, _, site = heappop(heap)
            if site in done:
                continue
            done.add(site)
            if self._left[site] > 0:
                for passed in scanned:
                    self._price[passed] += total - reached[passed]
                return self._path(site, came)
            scanned.append(site)
            for mover, count in self._at[site].items():
                # A class that was looked at from a nearer site finds nothing nearer from here.
                if count and mover not in seen:
                    look(mover, site, total)
        return None

    @staticmethod
    def _path(site, came: Mapping) -> list[tuple]:
        path = []
        while site is not None:
            mover, leaves = came[site]
            path.append((mover, leaves, site))
            site = leaves
        return path[::-1]
