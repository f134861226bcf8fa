"""Read once what a look at a guest request needs, into frozen `GuestFacts`. Under the patient's lock where a write
follows; the guest site's lock makes its free places true as well. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import policies
from ost.errors import Refusal
from ost.models import guest, opening, prescription
from ost.models import site as sites
from ost.rules.facts import OrderFacts
from ost.rules.geo import Point, distance_m
from ost.rules.guest_checks import GuestFacts, OpenThere
from ost.rules.policy import Policy
from ost.services.gather import _order, gather
from ost.services.guest import calendar, consent
from ost.services.work import loads

_S, _G, _P = sites.site, opening.guest_site, guest.guest_place
_O, _E = prescription.prescription, prescription.prescription_end

_SITES = (
    sa.select(
        _S.c.id,
        _S.c.county,
        _S.c.tz,
        _S.c.policy,
        _S.c.active,
        _S.c.medicines,
        _G.c.listed,
        _G.c.lat_e6,
        _G.c.lon_e6,
        _G.c.policy_countersign,
    )
    .join_from(_S, _G, _G.c.site == _S.c.id, isouter=True)
    .where(_S.c.id.in_(sa.bindparam("sites", expanding=True)))
)
_ORDERS = (
    sa.select(_O, _E.c.at.label("stopped_at"))
    .join_from(_O, _E, _E.c.prescription == _O.c.id, isouter=True)
    .where(_O.c.patient == sa.bindparam("patient"), _E.c.prescription.is_(None))
    .order_by(_O.c.slot, _O.c.starts_on, _O.c.id)
)
_OWN = sa.select(_P.c.day, _P.c.site, _P.c.request, _P.c.second).where(
    _P.c.patient == sa.bindparam("patient"),
    _P.c.day >= sa.bindparam("first"),
    _P.c.day <= sa.bindparam("last"),
)
#: How far a stay is followed before and after the days asked for.
_REACH = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Place:
    """A site as a request sees it."""

    id: str
    county: str
    tz: str
    policy: str
    point: Point | None
    countersign: bool  # the site's own stricter choice


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts, and what the writer needs beside them."""

    facts: GuestFacts
    packs: tuple[Policy, ...]  # home's first; the stricter wins
    home: Place
    there: Place
    now: datetime
    opened: dict[tuple[str, date], calendar.OpenDay]  # of the guest site, as read with the facts

    @property
    def distance_m(self) -> int | None:
        if self.home.point is None or self.there.point is None:
            return None
        return distance_m(self.home.point, self.there.point)


def orders_of(tx: Connection, person: sa.Row) -> tuple[OrderFacts, ...]:
    """Every order of the person that was not stopped, by slot and first day."""
    return tuple(_order(row, person) for row in tx.execute(_ORDERS, {"patient": person.id}))


def gather_guest(
    tx: Connection,
    person: sa.Row,
    *,
    site: str,
    days: Iterable[date],
    now: datetime,
    request: str | None = None,
    replaces: str | None = None,
    consent_id: str | None = None,
    given: consent.NewConsent | None = None,
    holds_places: bool = False,
) -> Seen:
    """Facts of `person` (a patient row) wanting `site` on `days`.

    `request`: whose own places do not stand against it; `replaces`: nor do those of the request it changes.
    `given`: a consent about to be written; else the one named, or the one in force that lasts longest.
    Refusal("site_unknown").
    """
    wanted = tuple(sorted(set(days)))
    rows = {row.id: row for row in tx.execute(_SITES, {"sites": sorted({site, person.home_site})})}
    if site not in rows:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    home, there = rows[person.home_site], rows[site]
    orders = orders_of(tx, person)
    slot = min((o.slot for o in orders), default=1)
    dose = gather(tx, person, site_id=person.home_site, slot=slot, bottle=None, now=now).facts
    own = tx.execute(_OWN, {"patient": person.id, "first": wanted[0] - _REACH, "last": wanted[-1] + _REACH}).all()
    others = [row for row in own if row.request not in (request, replaces)]
    held = {row.day for row in own if row.request == request and row.site == site}
    open_ = calendar.open_days(tx, [site], wanted)
    days_there = tuple(
        OpenThere(o.day, o.opens, o.last_dose, o.closes, o.places, o.free, o.at_once)
        for o in (open_.get((site, day)) for day in wanted)
        if o is not None
    )
    local = now.astimezone(ZoneInfo(there.tz))
    if given is not None:
        reaches = consent.reaches(given.scope(site), site, there.county)
        agreed = (None, given.until) if reaches else None
    else:
        agreed = consent.standing(tx, person.id, site, there.county, dose.day, consent_id)
    facts = GuestFacts(
        dose=dose,
        orders=orders,
        days=wanted,
        site=site,
        site_listed=bool(there.active and there.listed),
        site_medicines=tuple(loads(there.medicines)),
        there_today=local.date(),
        there_now=f"{local:%H:%M}",
        first_opens_at=_opens_at(days_there, wanted[0], there.tz),
        open_there=days_there,
        other_places=tuple((row.day, row.site) for row in others if row.day in wanted),
        stay_days=_stay(wanted, {row.day for row in own if row.site == site}),
        holds_places=holds_places,
        lost_places=tuple(day for day in wanted if day not in held) if holds_places else (),
        consent=agreed[0] if agreed else None,
        consent_until=agreed[1] if agreed else None,
    )
    packs = tuple(policies.policy(name) for name in dict.fromkeys((home.policy, there.policy)))
    return Seen(facts, packs, _place(home), _place(there), now, open_)


def _place(row) -> Place:
    point = None if row.lat_e6 is None else (row.lat_e6, row.lon_e6)
    return Place(row.id, row.county, row.tz, row.policy, point, bool(row.policy_countersign))


def _opens_at(there: tuple[OpenThere, ...], first: date, tz: str) -> datetime | None:
    for each in there:
        if each.day == first:
            return datetime.combine(first, time.fromisoformat(each.opens), ZoneInfo(tz)).astimezone(UTC)
    return None


def _stay(wanted: tuple[date, ...], booked: set[date]) -> int:
    """The longest run of days in a row that holds a day asked for."""
    every, longest = booked | set(wanted), 0
    for day in wanted:
        first = last = day
        while first - timedelta(days=1) in every:
            first -= timedelta(days=1)
        while last + timedelta(days=1) in every:
            last += timedelta(days=1)
        longest = max(longest, (last - first).days + 1)
    return longest

