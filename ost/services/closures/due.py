"""Everybody a closure reaches, and every site that could take them: a fixed number of queries, however many people.

Reads only. Under the locks of `declare` and without them it answers alike.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock, policies
from ost.models import closure, dose, guest, opening, patient, prescription, site, stock
from ost.rules import closure as rules
from ost.rules import guest as states
from ost.rules.checks_guest import CLINICAL
from ost.rules.facts import NOT_GIVEN
from ost.rules.geo import distance_m
from ost.services.closures.wanted import Wanted
from ost.services.guest import calendar
from ost.services.guest.calendar import OpenDay

_S, _GS, _W = site.site, opening.guest_site, patient.patient
_P, _PE = prescription.prescription, prescription.prescription_end
_HO, _HR = prescription.hold, prescription.hold_release
_A, _O, _R = dose.dose_attempt, dose.dose_outcome, dose.dose_release
_PERMIT, _DAY, _END = guest.guest_permit, guest.permit_day, guest.permit_day_end
_HEAD, _PLACE, _REQUEST = guest.guest_head, guest.guest_place, guest.guest_request
_WISH, _ROOM = closure.patient_wish, closure.closure_room
_OF_ORDER = ("id", "patient", "slot", "medicine", "product", "days", "sites", "starts_on", "ends_on")


@dataclass(frozen=True, slots=True)
class Booked:
    """A guest's day at a site that is closed."""

    patient: str
    day: date
    site: str
    permit: str
    request: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """A request nobody has decided yet, and its place on a day: at a site that is closed, or elsewhere.

    `whole`: it asks for no day but those of the closure.
    """

    patient: str
    day: date
    site: str
    request: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """`needs`: who has to go somewhere. `kept`: needs whose place elsewhere was asked for before, for these days only.
    `ongoing`: promised and without an outcome: (patient, site, day), left alone. `dosed`: how many had theirs."""

    needs: tuple[rules.Need, ...]
    places: tuple[rules.Place, ...]
    kept: dict[tuple[str, date], Undecided]
    booked: tuple[Booked, ...]
    gone: tuple[Undecided, ...]  # undecided requests for a closed site on a closed day
    ongoing: tuple[tuple[str, str, date], ...]
    dosed: int
    orders: dict[tuple[str, date], tuple[str, ...]]  # ids of the orders still to be given, by slot
    homes: dict[str, str]  # patient -> home site
    stays: tuple[rules.Move, ...]
    usual: dict[tuple[str, date], rules.Hours | None]
    open_: dict[tuple[str, date], OpenDay]


@dataclass(slots=True)
class _Found:
    """What the queries brought, by person."""

    people: dict[str, sa.Row]
    orders: dict[str, list[sa.Row]]
    booked: list[Booked]
    away: set[tuple[str, date]]
    undecided: list[Undecided]
    doses: dict[tuple[str, date], dict[int, bool]]  # slot -> whether its outcome is known
    held: set[tuple[str, str | None]]  # (patient, where it holds them; None: everywhere)
    wishes: dict[str, sa.Row]


def reached(house, tx: Connection, wanted: Wanted, now: datetime) -> Reached:
    """Everybody due at the closed sites on these days, as things stand."""
    sites = {row.id: row for row in tx.execute(sa.select(_S).where(_S.c.active))}
    points = {row.site: row for row in tx.execute(sa.select(_GS))}
    open_ = calendar.open_days(tx, sites, wanted.days)
    closed = set(wanted.sites)
    least = policies.policy(house.policy_name).int("closure_time_left_minutes")
    keys = [(code, day) for code in sorted(closed) for day in wanted.days]
    usual = {(code, day): _usual(sites[code], points.get(code), open_.get((code, day))) for code, day in keys}
    found = _find(tx, wanted)
    stays_at = {key for key, hours in usual.items() if rules.opens_again(hours, wanted.to_time, least)}
    builder = _Builder(sites, points, wanted, now, found, stays_at, open_, least)
    builder.build()
    return Reached(
        needs=tuple(sorted(builder.needs, key=lambda n: (n.patient, n.day))),
        places=_places(tx, sites, points, open_, closed, now, least, builder.products),
        kept=builder.kept,
        booked=tuple(builder.moved),
        gone=tuple(u for u in found.undecided if u.site in closed and (u.site, u.day) not in stays_at),
        ongoing=tuple(sorted(builder.ongoing)),
        dosed=builder.dosed,
        orders=builder.orders,
        homes={person: row.home_site for person, row in found.people.items()},
        stays=tuple(builder.stays),
        usual=usual,
        open_=open_,
    )


def _usual(where: sa.Row, known: sa.Row | None, of_day: OpenDay | None) -> rules.Hours | None:
    """A site's hours that day; one that takes no guests has told only when its door is open."""
    if of_day is not None:
        return rules.Hours(of_day.opens, of_day.last_dose, of_day.closes)
    return None if known is not None and known.listed else rules.Hours(where.opens, where.closes, where.closes)


# --- queries ----------------------------------------------------------------------


def _find(tx: Connection, wanted: Wanted) -> _Found:
    closed, days = wanted.sites, wanted.days
    in_force = (
        sa.select(_PERMIT.c.patient, _DAY.c.day, _PERMIT.c.site, _PERMIT.c.id, _PERMIT.c.request)
        .join_from(_DAY, _PERMIT, _PERMIT.c.id == _DAY.c.permit)
        .join(_HEAD, _HEAD.c.request == _PERMIT.c.request)
        .join(_END, sa.and_(_END.c.permit == _DAY.c.permit, _END.c.day == _DAY.c.day), isouter=True)
        .where(_DAY.c.day.in_(days), _END.c.day.is_(None), _HEAD.c.state.in_(states.IN_FORCE))
    )
    home = sa.select(_W.c.id).where(_W.c.home_site.in_(closed), _W.c.active)
    at_closed = [
        Booked(row.patient, row.day, row.site, row.id, row.request)
        for row in tx.execute(in_force.where(_PERMIT.c.site.in_(closed)))
    ]
    guests = sorted({b.patient for b in at_closed})
    elsewhere = in_force.where(_PERMIT.c.site.not_in(closed), _PERMIT.c.patient.in_(home))
    who = sa.or_(_W.c.id.in_(guests), sa.and_(_W.c.home_site.in_(closed), _W.c.active))
    everybody = sa.select(_W.c.id).where(who)
    people = {
        row.id: row
        for row in tx.execute(sa.select(_W.c.id, _W.c.home_site, _W.c.priority, _W.c.number, _W.c.active).where(who))
    }
    orders = defaultdict(list)
    for row in tx.execute(
        sa.select(*(_P.c[n] for n in _OF_ORDER))
        .join_from(_P, _PE, _PE.c.prescription == _P.c.id, isouter=True)
        .where(
            _PE.c.prescription.is_(None),
            _P.c.patient.in_(everybody),
            _P.c.starts_on <= max(days),
            sa.or_(_P.c.ends_on.is_(None), _P.c.ends_on >= min(days)),
        )
        .order_by(_P.c.patient, _P.c.slot, _P.c.written_at, _P.c.id)
    ):
        orders[row.patient].append(row)
    doses: dict = defaultdict(dict)
    for row in tx.execute(
        sa.select(_A.c.patient, _A.c.dosing_day, _A.c.slot, _O.c.outcome)
        .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
        .join(_R, _R.c.attempt == _A.c.id, isouter=True)
        .where(_A.c.dosing_day.in_(days), _A.c.patient.in_(everybody), _R.c.attempt.is_(None))
    ):
        if row.outcome != NOT_GIVEN:
            doses[row.patient, row.dosing_day][row.slot] = row.outcome is not None
    iso = {day.isoformat() for day in days}
    undecided = [
        Undecided(row.patient, row.day, row.site, row.request, set(json.loads(row.days)) <= iso)
        for row in tx.execute(
            sa.select(_PLACE.c.patient, _PLACE.c.day, _PLACE.c.site, _PLACE.c.request, _REQUEST.c.days)
            .join_from(_PLACE, _HEAD, _HEAD.c.request == _PLACE.c.request)
            .join(_REQUEST, _REQUEST.c.id == _PLACE.c.request)
            .where(
                _PLACE.c.day.in_(days),
                _HEAD.c.state.in_(states.OPEN),
                sa.or_(_PLACE.c.site.in_(closed), _PLACE.c.patient.in_(everybody)),
            )
            .order_by(_PLACE.c.request, _PLACE.c.day, _PLACE.c.second)
        )
    ]
    held = sa.select(_HO.c.patient, _HO.c.kind, _HO.c.site).join_from(_HO, _HR, _HR.c.hold == _HO.c.id, isouter=True)
    held = held.where(_HR.c.hold.is_(None), _HO.c.blocks, _HO.c.patient.in_(everybody))
    return _Found(
        people=people,
        orders=orders,
        booked=sorted(at_closed, key=lambda b: (b.patient, b.day)),
        away={(row.patient, row.day) for row in tx.execute(elsewhere)},
        undecided=undecided,
        doses=doses,
        # Only clinical holds travel (`ost.rules.checks_guest.acts_here`).
        held={(row.patient, None if row.kind == CLINICAL else row.site) for row in tx.execute(held)},
        wishes={row.patient: row for row in tx.execute(sa.select(_WISH).where(_WISH.c.patient.in_(everybody)))},
    )


def extra_percent(tx: Connection, sites: dict[str, sa.Row], day: date) -> dict[str, int]:
    """How many more than published each site takes in an emergency: its own word, else its policy's."""
    own = {row.site: row.extra_percent for row in tx.execute(sa.select(_ROOM))}
    return {
        code: own.get(code, policies.policy(row.policy).int("closure_extra_places_percent", day))
        for code, row in sites.items()
    }


def _places(tx, sites, points, open_, closed, now: datetime, least: int, products: frozenset[str]):
    """Every site that doses guests on one of the days and is not closed itself."""
    has: dict[str, set[str]] = defaultdict(set)
    if products:
        b = stock.bottle
        in_stock = sa.select(b.c.site, b.c.product).where(
            b.c.kind == "stock", b.c.state.in_(("open", "sealed")), b.c.product.in_(products)
        )
        for row in tx.execute(in_stock.distinct()):
            has[row.site].add(row.product)
    extra: dict[date, dict[str, int]] = {}
    found = []
    for (code, day), hours in open_.items():
        where, known = sites[code], points[code]
        if code in closed or _too_late(where.tz, day, hours.last_dose, now, least):
            continue
        if day not in extra:
            extra[day] = extra_percent(tx, sites, day)
        found.append(
            rules.Place(
                site=code,
                day=day,
                free=rules.room(hours.places, extra[day][code], hours.taken),
                medicines=frozenset(json.loads(where.medicines)),
                products=frozenset(has[code]),
                equipment=frozenset(json.loads(known.equipment)),
                point=(known.lat_e6, known.lon_e6),
                county=where.county,
                allowed=policies.policy(where.policy).bool("closure_emergency_permits", day),
            )
        )
    return tuple(sorted(found, key=lambda p: (p.day, p.site)))


def _too_late(tz: str, day: date, last_dose: str, now: datetime, least: int) -> bool:
    local = clock.local(now, tz)
    if day != local.date():
        return day < local.date()
    return rules.minutes(last_dose) - (local.hour * 60 + local.minute) < least


# --- one person after the other ------------------------------------------------------


@dataclass(slots=True)
class _Builder:
    sites: dict
    points: dict
    wanted: Wanted
    now: datetime
    found: _Found
    stays_at: set
    open_: dict
    least: int
    needs: list[rules.Need] = field(default_factory=list)
    moved: list[Booked] = field(default_factory=list)
    stays: list[rules.Move] = field(default_factory=list)
    ongoing: list[tuple[str, str, date]] = field(default_factory=list)
    kept: dict[tuple[str, date], Undecided] = field(default_factory=dict)
    orders: dict[tuple[str, date], tuple[str, ...]] = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    dosed: int = 0

    def build(self) -> None:
        closed, found = set(self.wanted.sites), self.found
        booked = {(b.patient, b.day): b for b in found.booked}
        asked = {}
        for u in found.undecided:
            if u.site not in closed:
                asked.setdefault((u.patient, u.day), u)
        at_home = [person for person, row in found.people.items() if row.home_site in closed]
        due = {(person, day) for person in at_home for day in self.wanted.days} - found.away
        for person, day in sorted(due | booked.keys()):
            self._one(found.people[person], day, booked.get((person, day)), asked.get((person, day)))
        self._keep_whole_requests()

    def _keep_whole_requests(self) -> None:
        """A request is kept on all of its days or on none."""
        kept = {(u.request, u.day) for u in self.kept.values()}
        broken = {u.request for u in self.found.undecided if u.whole and (u.request, u.day) not in kept}
        lost = {key for key, u in self.kept.items() if u.request in broken}
        self.kept = {key: u for key, u in self.kept.items() if key not in lost}
        self.needs = [
            replace(n, why_not=rules.ASKED) if (n.patient, n.day) in lost else n for n in self.needs
        ]

    def _one(self, person: sa.Row, day: date, guest_day: Booked | None, asked: Undecided | None) -> None:
        at = guest_day.site if guest_day else person.home_site
        orders = {
            o.slot: o
            for o in self.found.orders[person.id]
            if o.starts_on <= day and (o.ends_on is None or o.ends_on >= day) and day.isoweekday() in json.loads(o.days)
        }
        if guest_day is None and not orders:
            return  # an order that names the day says that the site doses then, whatever its hours for guests say
        slots = self.found.doses.get((person.id, day), {})
        if not all(slots.values()):
            self.ongoing.append((person.id, at, day))
            return
        left = [order for slot, order in orders.items() if slot not in slots]
        if orders and not left:
            self.dosed += 1
            return
        if (at, day) in self.stays_at:
            self.stays.append(rules.Move(person.id, day, at, at, 0, rules.STAYS))
            return
        held = self._held(person.id, at)
        own = None if guest_day is not None or held else self._another_own(day, left)
        if own is not None:
            # Their orders name it: they need no permit there, and one for elsewhere would shut it to them.
            self.stays.append(rules.Move(person.id, day, at, own, self._way(at, own), rules.HOME))
            return
        if guest_day is not None:
            self.moved.append(guest_day)
        need = self._need(person, day, at, left)
        self.orders[person.id, day] = tuple(order.id for order in left)
        self.products |= need.products
        if need.why_not is None and asked is not None:
            # A request that asks for other days as well, or that cannot serve, is not ended over their heads.
            if asked.whole and self._suits(asked, need):
                self.kept[person.id, day] = asked
            else:
                need = replace(need, why_not=rules.ASKED)
        self.needs.append(need)

    def _need(self, person: sa.Row, day: date, at: str, left: list[sa.Row]) -> rules.Need:
        wish = self.found.wishes.get(person.id)
        wished = wish.site if wish is not None and wish.site not in self.wanted.sites else None
        near = self.points.get(wished) or self.points.get(at)
        point = (near.lat_e6, near.lon_e6) if near is not None else None
        marks = json.loads(person.priority)
        home = person.home_site if at != person.home_site else None
        if home is not None and (self._held(person.id, home) or not self._open(home, day)):
            home = None
        return rules.Need(
            patient=person.id,
            day=day,
            from_site=at,
            medicines=frozenset(o.medicine for o in left),
            products=frozenset(o.product for o in left if o.product),
            equipment=frozenset(json.loads(wish.equipment)) if wish is not None else frozenset(),
            rank=0 if "pregnant" in marks else 1 if marks else 2,
            near=point,
            county=self.sites[at].county,
            wish=wished,
            home=home,
            home_m=self._way(at, home),
            why_not=self._why_not(person, day, at, left),
        )

    def _held(self, person: str, at: str) -> bool:
        return not self.found.held.isdisjoint({(person, None), (person, at)})

    def _another_own(self, day: date, left: list[sa.Row]) -> str | None:
        """A site that every order left names, and that doses that day; by code."""
        named = set.intersection(*(set(json.loads(o.sites)) for o in left)) if left else set()
        return next((code for code in sorted(named) if self._open(code, day)), None)

    def _why_not(self, person: sa.Row, day: date, at: str, left: list[sa.Row]) -> str | None:
        if self._held(person.id, at):
            return rules.HELD
        if not left:
            return rules.NO_ORDER
        home = self.sites.get(person.home_site)
        if home is None or not policies.policy(home.policy).bool("closure_emergency_permits", day):
            return rules.NOT_ALLOWED
        return None

    def _suits(self, asked: Undecided, need: rules.Need) -> bool:
        """Whether the place asked for before serves that day: open, designated and still in time."""
        hours, where = self.open_.get((asked.site, asked.day)), self.sites.get(asked.site)
        return (
            hours is not None
            and need.medicines <= set(json.loads(where.medicines))
            and policies.policy(where.policy).bool("closure_emergency_permits", asked.day)
            and not _too_late(where.tz, asked.day, hours.last_dose, self.now, self.least)
        )

    def _open(self, code: str, day: date) -> bool:
        if code in self.wanted.sites or code not in self.sites:
            return False
        hours = _usual(self.sites[code], self.points.get(code), self.open_.get((code, day)))
        return hours is not None and not _too_late(self.sites[code].tz, day, hours.last_dose, self.now, self.least)

    def _way(self, a: str, b: str | None) -> int | None:
        one, other = self.points.get(a), self.points.get(b)
        if one is None or other is None:
            return None
        return distance_m((one.lat_e6, one.lon_e6), (other.lat_e6, other.lon_e6))
