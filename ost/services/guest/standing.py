"""Standing authorisations: the home prescriber allows a patient places elsewhere beforehand. Granted, ended, counted.

Days of a year count when they were confirmed and not given up. Whether one
covers a request is `ost.rules.guest_standing`'s to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ost import canonical, clock, policies
from ost.errors import Refusal
from ost.models import guest, opening, staff
from ost.models import site as sites
from ost.rules import guest as rules
from ost.rules.geo import Point
from ost.rules.guest_standing import Authorisation, covers
from ost.services.access import require
from ost.services.gather import find_patient
from ost.services.patient_read import readable
from ost.services.work import Actor, House, loads, new_id

_A, _E, _G, _S = guest.standing_authorisation, guest.standing_end, opening.guest_site, sites.site
_PERMIT, _D, _DE, _R = guest.guest_permit, guest.permit_day, guest.permit_day_end, guest.guest_request

_IN_FORCE = (
    sa.select(_A)
    .join_from(_A, _E, _E.c.standing == _A.c.id, isouter=True)
    .where(_A.c.patient == sa.bindparam("patient"), _E.c.standing.is_(None), _A.c.until >= sa.bindparam("today"))
    .order_by(_A.c.at, _A.c.id)
)
_CONFIRMED = (
    sa.select(_D.c.day)
    .join_from(_D, _PERMIT, _PERMIT.c.id == _D.c.permit)
    .join(_R, _R.c.id == _PERMIT.c.request)
    .join(_DE, sa.and_(_DE.c.permit == _D.c.permit, _DE.c.day == _D.c.day), isouter=True)
    .where(
        _PERMIT.c.patient == sa.bindparam("patient"),
        _R.c.kind == "asked",
        _DE.c.permit.is_(None),
        _D.c.day >= sa.bindparam("first"),
        _D.c.day <= sa.bindparam("last"),
    )
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a home prescriber grants. Any one way to reach a site is enough; distances in metres."""

    patient_id: str
    days_a_year: int
    until: date
    anywhere: bool = False
    sites: tuple[str, ...] = ()
    radius_m: int | None = None  # around the home site
    corridor_from: str | None = None  # a site at each end of the route
    corridor_to: str | None = None
    corridor_m: int | None = None  # to either side of the straight line between them


@dataclass(frozen=True, slots=True)
class Standing:
    id: str
    allowed: Allowed
    by: str  # display name
    at: datetime
    ended_at: datetime | None
    stands: bool


def grant(house: House, actor: Actor, allowed: Allowed) -> str:
    """Returns its id. Needs guest.approve at the home site.

    Refusal("input_invalid") names a way that is not complete, a site that is not known, a day or a number out of range.
    """
    home = _home_of(house, allowed.patient_id)
    require(house, actor, "guest.approve", home)
    with house.work(actor, home, "guest.standing_granted", patient=allowed.patient_id) as work:
        person = work.lock_patients([allowed.patient_id])[allowed.patient_id]
        if not person.active:
            raise Refusal("patient_unknown")
        row = work.tx.execute(sa.select(_S.c.tz, _S.c.policy).where(_S.c.id == person.home_site)).one()
        _check(work.tx, allowed, clock.dosing_day(work.now, row.tz), policies.policy(row.policy))
        made = work.add(
            _A,
            id=new_id(),
            patient=allowed.patient_id,
            radius_m=allowed.radius_m,
            sites=canonical.text(sorted(set(allowed.sites))),
            corridor_from=allowed.corridor_from,
            corridor_to=allowed.corridor_to,
            corridor_m=allowed.corridor_m,
            anywhere=allowed.anywhere,
            days_a_year=allowed.days_a_year,
            until=allowed.until,
            by=actor.id,
            site=person.home_site,
            at=work.now,
        )
        work.payload |= {"standing": made["id"]}
        return made["id"]


def end(house: House, actor: Actor, standing_id: str, reason: str | None = None) -> None:
    """No further request rests on it; permits that were confirmed stay. Again: nothing happens."""
    with house.read() as tx:
        row = tx.execute(sa.select(_A.c.patient).where(_A.c.id == standing_id)).one_or_none()
    if row is None:
        raise Refusal("guest_standing_unknown")
    home = _home_of(house, row.patient)
    require(house, actor, "guest.approve", home)
    try:
        with house.work(actor, home, "guest.standing_ended", patient=row.patient) as work:
            work.lock_patients([row.patient])
            work.add(_E, standing=standing_id, patient=row.patient, by=actor.id, reason=reason, at=work.now)
            work.payload |= {"standing": standing_id}
    except IntegrityError:
        return  # ended already: twice is the same


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Standing]:
    """Every authorisation of a person, newest first, ended ones too. Needs guest.read, or is the person."""
    if actor.id != f"patient:{patient_id}":
        readable(house, actor, patient_id, "guest.read")
    query = (
        sa.select(_A, _E.c.at.label("ended_at"), staff.account.c.display_name, _S.c.tz)
        .join_from(_A, _E, _E.c.standing == _A.c.id, isouter=True)
        .join(_S, _S.c.id == _A.c.site)
        .join(staff.account, staff.account.c.id == _A.c.by, isouter=True)
        .where(_A.c.patient == patient_id)
        .order_by(_A.c.at.desc(), _A.c.id)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
    now = house.now()
    return [
        Standing(
            r.id,
            Allowed(
                r.patient,
                r.days_a_year,
                r.until,
                r.anywhere,
                tuple(loads(r.sites)),
                r.radius_m,
                r.corridor_from,
                r.corridor_to,
                r.corridor_m,
            ),
            r.display_name or r.by,
            r.at,
            r.ended_at,
            r.ended_at is None and r.until >= clock.dosing_day(now, r.tz),
        )
        for r in rows
    ]


def days_used(tx: Connection, patient_id: str, years: Iterable[int]) -> Counter[int]:
    """{year: days confirmed and not given up}; emergency permits do not count."""
    wanted = sorted(set(years))
    if not wanted:
        return Counter()
    span = {"patient": patient_id, "first": date(wanted[0], 1, 1), "last": date(wanted[-1], 12, 31)}
    return Counter(day.year for day in tx.execute(_CONFIRMED, span).scalars())


def covering(
    tx: Connection,
    patient_id: str,
    today: date,
    site: str,
    place: Point | None,
    home: Point | None,
    days: tuple[date, ...],
) -> str | None:
    """Id of an authorisation in force that covers these days at that site, or None."""
    rows = tx.execute(_IN_FORCE, {"patient": patient_id, "today": today}).all()
    if not rows:
        return None
    years = {day.year for day in days}
    used = days_used(tx, patient_id, years) + _under_way(tx, patient_id, years)
    points = _points(tx, {code for r in rows for code in (r.corridor_from, r.corridor_to) if code})
    for r in rows:
        ends = (points.get(r.corridor_from), points.get(r.corridor_to))
        allowed = Authorisation(
            id=r.id,
            until=r.until,
            days_a_year=r.days_a_year,
            anywhere=r.anywhere,
            sites=tuple(loads(r.sites)),
            radius_m=r.radius_m,
            corridor=ends if None not in ends else None,
            corridor_m=r.corridor_m,
        )
        if covers(allowed, site, place, home, days, used):
            return r.id
    return None


def _under_way(tx: Connection, patient_id: str, years: set[int]) -> Counter[int]:
    """{year: days approved and not confirmed yet}: many asked for at once are no more than the year allows."""
    h = guest.guest_head
    query = (
        sa.select(_R.c.days)
        .join_from(h, _R, _R.c.id == h.c.request)
        .where(h.c.patient == patient_id, h.c.state.in_((rules.APPROVED, rules.ACCEPTED)))
    )
    found = (date.fromisoformat(day) for text in tx.execute(query).scalars() for day in loads(text))
    return Counter(day.year for day in found if day.year in years)


def _points(tx: Connection, codes: set[str]) -> dict[str, Point]:
    if not codes:
        return {}
    query = sa.select(_G.c.site, _G.c.lat_e6, _G.c.lon_e6).where(_G.c.site.in_(codes))
    return {row.site: (row.lat_e6, row.lon_e6) for row in tx.execute(query)}


def _check(tx: Connection, allowed: Allowed, today: date, policy) -> None:
    fields: dict[str, list[str]] = {}
    corridor = (allowed.corridor_from, allowed.corridor_to, allowed.corridor_m)
    if not (allowed.anywhere or allowed.sites or allowed.radius_m or any(corridor)):
        fields["sites"] = ["guest_standing_nowhere"]
    if any(corridor) and not all(corridor):
        fields["corridor_m"] = ["field_needed"]
    for name in ("radius_m", "corridor_m"):
        metres = getattr(allowed, name)
        if metres is not None and not 1 <= metres <= 1_000_000:
            fields[name] = ["guest_number_range"]
    if not 1 <= allowed.days_a_year <= 366:
        fields["days_a_year"] = ["guest_number_range"]
    if not today <= allowed.until <= today + timedelta(days=policy.int("guest_standing_most_days")):
        fields["until"] = ["guest_until_wrong"]
    named = {*allowed.sites, *(c for c in corridor[:2] if c)}
    unknown = named - set(tx.execute(sa.select(_G.c.site).where(_G.c.site.in_(named))).scalars())
    if unknown:
        fields["sites"] = ["site_unknown"]
    if fields:
        raise Refusal("input_invalid", fields=fields)


def _home_of(house: House, patient_id: str) -> str:
    with house.read() as tx:
        return find_patient(tx, patient_id).home_site


