"""What the coordination centre sees: every open request by age, by its number and its need. Never who it is.

No name, no patient number and no id of a person leaves this file; what stands
against somebody is said only where it is about a place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock, policies
from ost.errors import Refusal
from ost.models import closure, guest, opening, prescription, site, staff
from ost.rules import guest as rules
from ost.rules.access import Grant, may
from ost.rules.facts import Reason
from ost.rules.small_cells import LEAST
from ost.services.access import require
from ost.services.guest import alternatives, centre, find_place
from ost.services.guest.act import NotMoved
from ost.services.guest.alternatives import Alternative
from ost.services.work import Actor, House, loads

PERMISSION = "guest.coordinate"
#: Days of free places ahead, and days of unmet demand around today.
AHEAD_DAYS, BACK_DAYS = 7, 7
_R, _H, _S, _P = guest.guest_request, guest.guest_head, guest.guest_step, guest.guest_place
_O, _W, _SITE, _G = prescription.prescription, closure.patient_wish, site.site, opening.guest_site


@dataclass(frozen=True, slots=True)
class Need:
    """`late`: it waits for a desk longer than the policy allows. `offered`: where else, while that is open."""

    number: int
    state: str
    waits_for: str
    home_site: str
    site: str
    county: str  # wanted
    days: tuple[date, ...]
    medicines: tuple[str, ...]
    equipment: tuple[str, ...]
    asked_at: datetime
    since: datetime  # of its state
    waited: timedelta  # in this state, now
    late: bool
    limit_minutes: int
    step: int
    offered: str | None
    signers: int  # accounts that may sign or order at the guest site


@dataclass(frozen=True, slots=True)
class CountyDays:
    """`free`: places left by day; None where no site of the county is open that day. `sites`: that take guests."""

    county: str
    sites: int
    free: tuple[int | None, ...]

    @property
    def today(self) -> int:
        return self.free[0] or 0


@dataclass(frozen=True, slots=True)
class Offered:
    """`reasons`: what stands against it, as far as it is about a place; `person`: something about the person does."""

    done: bool
    reasons: tuple[Reason, ...] = ()
    person: bool = False


def needs(house: House, actor: Actor) -> list[Need]:
    """Every open request of the country, the longest waiting for a desk first. Needs guest.coordinate everywhere."""
    require(house, actor, PERMISSION, None)
    with house.read() as tx:
        return _needs(tx, house.now(), _H.c.state.in_(rules.OPEN))


def need(house: House, actor: Actor, number: int) -> tuple[Need, tuple[Alternative, ...]]:
    """One of them, with the nearest other sites that have room on all its days. Refusal("guest_request_unknown")."""
    require(house, actor, PERMISSION, None)
    now = house.now()
    with house.read() as tx:
        found = _needs(tx, now, _R.c.number == number)
        if not found or found[0].state not in rules.OPEN:
            raise Refusal("guest_request_unknown")
        one = found[0]
        near = find_place.point_of(tx, one.site)
        but = (one.site, one.home_site)
        elsewhere = alternatives.nearest(tx, near, one.days, one.medicines, now, but=but, most=12)
        if one.equipment:
            has = {r.site: set(loads(r.equipment)) for r in tx.execute(sa.select(_G.c.site, _G.c.equipment))}
            elsewhere = tuple(a for a in elsewhere if set(one.equipment) <= has.get(a.site, set()))
    return one, elsewhere


def offer_place(house: House, actor: Actor, number: int, to_site: str, *, seen_step: int | None = None) -> Offered:
    """Hold places at `to_site` beside the first ones and tell the patient."""
    require(house, actor, PERMISSION, None)
    with house.read() as tx:
        request = tx.execute(sa.select(_R.c.id).where(_R.c.number == number)).scalar_one_or_none()
    if request is None:
        raise Refusal("guest_request_unknown")
    done = centre.offer(house, actor, request, to_site, seen_step=seen_step)
    if not isinstance(done, NotMoved):
        return Offered(True)
    return Offered(False, done.reasons, done.person)


def withdraw_offer(house: House, actor: Actor, number: int, *, seen_step: int | None = None) -> None:
    """The first place stands again."""
    require(house, actor, PERMISSION, None)
    with house.read() as tx:
        request = tx.execute(sa.select(_R.c.id).where(_R.c.number == number)).scalar_one_or_none()
    if request is None:
        raise Refusal("guest_request_unknown")
    centre.leave_offer(house, actor, request, seen_step=seen_step)


def free_places(house: House, actor: Actor) -> tuple[tuple[date, ...], list[CountyDays]]:
    """The coming days, and the free places of each county that has sites taking guests."""
    require(house, actor, PERMISSION, None)
    today = _today(house)
    days = tuple(today + timedelta(days=n) for n in range(AHEAD_DAYS))
    with house.read() as tx:
        found = find_place.places(tx, days)
    by_county: dict[str, list] = {}
    for place in found:
        by_county.setdefault(place.county, []).append(place)
    return days, [CountyDays(county, len(places), _free(places)) for county, places in by_county.items()]


def unmet(house: House, actor: Actor) -> tuple[tuple[date, ...], dict[str, dict[date, int | None]]]:
    """Days around today, and for each county how many people wanted a place and had none: None = some, fewer than 5."""
    require(house, actor, PERMISSION, None)
    today = _today(house)
    days = tuple(today + timedelta(days=n) for n in range(-BACK_DAYS, AHEAD_DAYS))
    u = guest.guest_unmet
    wished = sa.select(u.c.county, u.c.day, u.c.patient).where(u.c.day.between(days[0], days[-1])).distinct()
    got = sa.select(_P.c.patient, _P.c.day).where(_P.c.day.between(days[0], days[-1]))
    with house.read() as tx:
        placed = {tuple(row) for row in tx.execute(got)}
        counts = Counter((r.county, r.day) for r in tx.execute(wished) if (r.patient, r.day) not in placed)
    found: dict[str, dict[date, int | None]] = {}
    for (county, day), n in counts.items():
        found.setdefault(county, {})[day] = n if n >= LEAST else None
    return days, found


def running_closures(house: House, actor: Actor) -> list[tuple[int, tuple[str, ...], tuple[date, ...], str]]:
    """(number, sites, days, reason) of closures that are not over and were not undone, soonest first."""
    require(house, actor, PERMISSION, None)
    c, e = closure.closure, closure.closure_end
    query = sa.select(c).join(e, e.c.closure == c.c.id, isouter=True).where(e.c.closure.is_(None))
    today = _today(house)
    with house.read() as tx:
        rows = tx.execute(query).all()
    found = [
        (r.number, tuple(loads(r.sites)), tuple(date.fromisoformat(d) for d in loads(r.days)), r.reason) for r in rows
    ]
    return sorted((f for f in found if f[2][-1] >= today), key=lambda f: (f[2][0], f[0]))


# --- within ---------------------------------------------------------------------------


def _needs(tx: Connection, now: datetime, which) -> list[Need]:
    query = (
        sa.select(_H, _R.c.number, _R.c.days, _R.c.orders, _SITE.c.county, _SITE.c.policy)
        .join_from(_H, _R, _R.c.id == _H.c.request)
        .join(_SITE, _SITE.c.id == _H.c.site)
        .where(which)
    )
    rows = tx.execute(query).all()
    orders = {order for r in rows for order in loads(r.orders)}
    medicine = dict(_in_parts(tx, sa.select(_O.c.id, _O.c.medicine), _O.c.id, orders))
    people = {r.patient for r in rows}
    wished = dict(_in_parts(tx, sa.select(_W.c.patient, _W.c.equipment), _W.c.patient, people))
    offers = _offers(tx, [r.request for r in rows if r.state == rules.OFFERED])
    signers = _signers(tx, {r.site: r.county for r in rows})
    found = []
    for r in rows:
        limit = policies.policy(r.policy).int("guest_take_over_minutes")
        waited = now - r.since
        found.append(
            Need(
                number=r.number,
                state=r.state,
                waits_for=r.waits_for,
                home_site=r.home_site,
                site=r.site,
                county=r.county,
                days=tuple(date.fromisoformat(day) for day in loads(r.days)),
                medicines=tuple(sorted({medicine[order] for order in loads(r.orders)})),
                equipment=tuple(loads(wished.get(r.patient)) or ()),
                asked_at=r.asked_at,
                since=r.since,
                waited=waited,
                # What waits for the patient is nobody's delay.
                late=r.waits_for != rules.PATIENT and waited >= timedelta(minutes=limit),
                limit_minutes=limit,
                step=r.step,
                offered=offers.get(r.request),
                signers=signers[r.site],
            )
        )
    return sorted(found, key=lambda n: (n.waits_for == rules.PATIENT, n.since, n.number))


def _in_parts(tx: Connection, query: sa.Select, column, keys: Iterable[str], size: int = 500):
    wanted = sorted(keys)
    for start in range(0, len(wanted), size):
        yield from (tuple(row) for row in tx.execute(query.where(column.in_(wanted[start : start + size]))))


def _offers(tx: Connection, requests: list[str]) -> dict[str, str]:
    """{request: site offered}, by each one's newest offer."""
    query = (
        sa.select(_S.c.request, _S.c.data)
        .where(_S.c.request.in_(requests), _S.c.action == "offer")
        .order_by(_S.c.request, _S.c.number)
    )
    return {row.request: loads(row.data).get("site") for row in tx.execute(query)}


def _signers(tx: Connection, counties: dict[str, str]) -> dict[str, int]:
    g, a = staff.role_grant, staff.account
    grants: dict[str, list[Grant]] = {}
    query = sa.select(g.c.account, g.c.role, g.c.scope_kind, g.c.scope).join(a, a.c.id == g.c.account).where(a.c.active)
    for row in tx.execute(query):
        grants.setdefault(row.account, []).append(Grant(row.role, row.scope_kind, row.scope))
    return {
        code: sum(may(held, "guest.countersign", code, county) for held in grants.values())
        for code, county in counties.items()
    }


def _free(places: list) -> tuple[int | None, ...]:
    free = []
    for n in range(AHEAD_DAYS):
        open_ = [p.days[n].opening for p in places if p.days[n].opening is not None]
        free.append(sum(o.free for o in open_) if open_ else None)
    return tuple(free)


def _today(house: House) -> date:
    with house.read() as tx:
        zone = tx.execute(sa.select(_SITE.c.tz).order_by(_SITE.c.id).limit(1)).scalar()
    return clock.dosing_day(house.now(), zone or "Asia/Taipei")
