"""Where a permit binds: one person's for one decision, a site's guests of a day, everybody's who is away. Reads only.

A day binds while its permit is in force and the day was not given back
(`ost.rules.guest`). Consent is asked for with every look: taken back, the next
look of anybody finds nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import guest, lookup, opening, portal
from ost.models.site import site as sites
from ost.rules.facts import GuestFacts
from ost.rules.guest import IN_FORCE
from ost.services.guest.consent import reaches
from ost.services.work import loads

EMERGENCY = "emergency"
#: So long after its last day a permit is still named as the reason at its own site.
NAMED_DAYS = 14

_R, _H, _S = guest.guest_request, guest.guest_head, guest.guest_step
_G, _D, _E, _SIGN = guest.guest_permit, guest.permit_day, guest.permit_day_end, guest.guest_countersign
_C, _CE, _CS, _GS = lookup.consent, lookup.consent_end, portal.consent_scope, opening.guest_site

_day = sa.bindparam("day")
_ALL_DAYS = (
    sa.select(sa.func.count()).where(_D.c.permit == _G.c.id).correlate(_G).scalar_subquery().label("all_days")
)


def with_consent(query: sa.Select, site: sa.Column = _G.c.site) -> sa.Select:
    """Joined with the guest site and with what the request rests on; read by `consent_stands`."""
    return (
        query.join(sites, sites.c.id == site)
        .join(_C, _C.c.id == _H.c.consent, isouter=True)
        .join(_CE, _CE.c.consent == _H.c.consent, isouter=True)
        .join(_CS, _CS.c.consent == _H.c.consent, isouter=True)
    )


CONSENT = (
    _R.c.kind,
    _H.c.consent,
    _C.c.until.label("consent_until"),
    _CE.c.consent.label("consent_ended"),
    _CS.c.scope.label("consent_scope"),
    sites.c.county,
)


def consent_stands(row: sa.Row, site: str, day: date) -> bool:
    """Whether what a request rests on reaches `site` and stands on `day`. None is asked for under a closure."""
    if row.consent is None:
        return row.kind == EMERGENCY
    if row.consent_ended is not None or (row.consent_until is not None and row.consent_until < day):
        return False
    return reaches(loads(row.consent_scope), site, row.county)


# --- one person, for one decision --------------------------------------------------

_PERMITS = with_consent(
    sa.select(
        _G.c.id,
        _G.c.request,
        _G.c.site,
        _G.c.home_site,
        _G.c.orders,
        _G.c.first_day,
        _G.c.last_day,
        _H.c.state,
        _D.c.number,
        _E.c.day.label("given_back"),
        _GS.c.listed,
        _GS.c.policy_countersign,
        _ALL_DAYS,
        *CONSENT,
    )
    .join_from(_G, _H, _H.c.request == _G.c.request)
    .join(_R, _R.c.id == _G.c.request)
    .join(_D, sa.and_(_D.c.permit == _G.c.id, _D.c.day == _day), isouter=True)
    .join(_E, sa.and_(_E.c.permit == _G.c.id, _E.c.day == _day), isouter=True)
    .join(_GS, _GS.c.site == _G.c.site, isouter=True)
).where(_G.c.patient == sa.bindparam("patient"), _G.c.last_day >= sa.bindparam("since"))


# For this request; or beforehand, for these orders wherever they are needed until a day.
_SIGNED = sa.select(_SIGN.c.orders).where(
    _SIGN.c.patient == sa.bindparam("patient"),
    _SIGN.c.site == sa.bindparam("site"),
    sa.or_(
        _SIGN.c.request == sa.bindparam("request"),
        sa.and_(_SIGN.c.request.is_(None), _SIGN.c.until >= sa.bindparam("day")),
    ),
)
_PAUSED_FOR = (
    sa.select(_S.c.reason)
    .where(_S.c.request == sa.bindparam("request"), _S.c.action == "pause")
    .order_by(_S.c.number.desc())
    .limit(1)
)


def facts(tx: Connection, patient: str, site: str, day: date, orders: Iterable[sa.Row], order: sa.Row | None):
    """GuestFacts | None for a decision at `site` on `day`. `orders`: the person's of this slot; `order`: in force."""
    since = day - timedelta(days=NAMED_DAYS)
    rows = tx.execute(_PERMITS, {"patient": patient, "day": day, "since": since}).all()
    if not rows:
        return None
    bound = [r for r in rows if binds(r)]
    # Two places on one day cannot be written; were they, the other site's would stop this one, at both.
    row = min(bound, key=lambda r: (r.site == site, r.id), default=None)
    if row is None:
        here = [r for r in rows if r.site == site]
        row = max(here, key=lambda r: (r.state in IN_FORCE, r.last_day, r.id), default=None)
    if row is None:
        return None
    common = {
        "permit": row.id,
        "request": row.request,
        "site": row.site,
        "home_site": row.home_site,
        "state": row.state,
        "first_day": row.first_day,
        "last_day": row.last_day,
        "number": row.number if row.given_back is None else None,
        "days": row.all_days,
        "emergency": row.kind == EMERGENCY,
    }
    if row.site != site:
        return GuestFacts(**common)
    known = {r.id: r for r in orders}
    return GuestFacts(
        **common,
        consent=consent_stands(row, site, day),
        listed=bool(row.listed),
        covers_order=order is not None and came_of(order.id, json.loads(row.orders), known),
        site_asks_countersign=bool(row.policy_countersign),
        countersigned=order is not None and is_signed(order, signed_orders(tx, row.request, patient, site, day), known),
        paused_for=paused_for(tx, row.request) if row.state == "paused" else None,
    )


def binds(row) -> bool:
    return row.number is not None and row.given_back is None and row.state in IN_FORCE


def came_of(order: str, named: Iterable[str], known: Mapping[str, sa.Row]) -> bool:
    """Whether `order` is one of `named`, or replaced one of them, however often."""
    named = set(named)
    seen: set[str] = set()
    while order is not None and order not in seen:
        if order in named:
            return True
        seen.add(order)
        order = known[order].replaces if order in known else None
    return False


def is_signed(order: sa.Row, signed: frozenset[str], known: Mapping[str, sa.Row]) -> bool:
    """Whether the guest site's prescriber took this very order, or the one whose unchanged rest it is."""
    if order.id in signed:
        return True
    before = known.get(order.replaces)
    same = ("medicine", "product", "phase", "slot", "dose_ug", "starts_on", "days", "shortest_gap_h")
    return before is not None and before.id in signed and all(getattr(order, n) == getattr(before, n) for n in same)


def signed_orders(tx: Connection, request: str, patient: str, site: str, day: date) -> frozenset[str]:
    """Ids of the orders that are countersigned at this site for this request on `day`."""
    rows = tx.execute(_SIGNED, {"request": request, "patient": patient, "site": site, "day": day}).scalars()
    return frozenset(order for orders in rows for order in json.loads(orders))


def paused_for(tx: Connection, request: str) -> str | None:
    return tx.execute(_PAUSED_FOR, {"request": request}).scalar()


# --- everybody of one day ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GuestDay:
    """One person's day at a guest site. `closes`: "HH:MM" on that site's clock, in `tz`."""

    patient: str
    permit: str
    request: str
    site: str
    home_site: str
    number: int
    days: int
    state: str  # one of IN_FORCE
    orders: tuple[str, ...]
    consent: bool
    emergency: bool
    closes: str
    tz: str


_DAYS = with_consent(
    sa.select(
        _G.c.patient,
        _G.c.id,
        _G.c.request,
        _G.c.site,
        _G.c.home_site,
        _G.c.orders,
        _D.c.number,
        _H.c.state,
        sites.c.closes,
        sites.c.tz,
        _ALL_DAYS,
        *CONSENT,
    )
    .join_from(_D, _G, _G.c.id == _D.c.permit)
    .join(_H, _H.c.request == _G.c.request)
    .join(_R, _R.c.id == _G.c.request)
    .join(_E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
).where(_D.c.day == _day, _E.c.day.is_(None), _H.c.state.in_(IN_FORCE))
_DAYS_AT = _DAYS.where(_G.c.site == sa.bindparam("site"))
_DAYS_FOR = _DAYS.where(
    sa.or_(
        _G.c.site == sa.bindparam("site"),
        _G.c.home_site == sa.bindparam("site"),
        _G.c.patient.in_(sa.bindparam("others", expanding=True)),
    )
)


def days_on(tx: Connection, day: date) -> tuple[GuestDay, ...]:
    """Every permit day of the network that binds on `day`."""
    return tuple(_guest_day(row, day) for row in tx.execute(_DAYS, {"day": day}))


def days_for(tx: Connection, site: str, day: date, others: Iterable[str] = ()) -> tuple[GuestDay, ...]:
    """Permit days that bind on `day`: of guests of `site`, of people whose home it is, and of `others`."""
    wanted = {"day": day, "site": site, "others": sorted(others)}
    return tuple(_guest_day(row, day) for row in tx.execute(_DAYS_FOR, wanted))


def guests_at(tx: Connection, site: str, day: date) -> tuple[GuestDay, ...]:
    """The guests of `site` on `day`, by consent that stands; a paused permit's too."""
    rows = tx.execute(_DAYS_AT, {"day": day, "site": site})
    return tuple(found for row in rows if (found := _guest_day(row, day)).consent)


def _guest_day(row: sa.Row, day: date) -> GuestDay:
    return GuestDay(
        patient=row.patient,
        permit=row.id,
        request=row.request,
        site=row.site,
        home_site=row.home_site,
        number=row.number,
        days=row.all_days,
        state=row.state,
        orders=tuple(json.loads(row.orders)),
        consent=consent_stands(row, row.site, day),
        emergency=row.kind == EMERGENCY,
        closes=row.closes,
        tz=row.tz,
    )


# --- whose record a guest site may open ------------------------------------------------

_OPEN_TO = with_consent(
    sa.select(_G.c.patient, _G.c.site, *CONSENT)
    .join_from(_H, _G, _G.c.id == _H.c.permit)
    .join(_R, _R.c.id == _G.c.request)
).where(_H.c.state.in_(IN_FORCE), _H.c.last_day >= _day)
_OPEN_TO_OF = _OPEN_TO.where(_H.c.patient == sa.bindparam("patient"))
_OPEN_TO_AT = _OPEN_TO.where(_H.c.site == sa.bindparam("site"))


def sites_of(tx: Connection, patient: str, day: date) -> frozenset[str]:
    """Guest sites that may read this person: a permit in force, not yet over, on a consent that stands."""
    rows = tx.execute(_OPEN_TO_OF, {"patient": patient, "day": day})
    return frozenset(r.site for r in rows if consent_stands(r, r.site, day))


def people_of(tx: Connection, site: str, day: date) -> frozenset[str]:
    """Everybody with such a permit at `site`, of today or another day."""
    rows = tx.execute(_OPEN_TO_AT, {"site": site, "day": day})
    return frozenset(r.patient for r in rows if consent_stands(r, site, day))
