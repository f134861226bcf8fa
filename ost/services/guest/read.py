"""One request with the facts side by side, for whoever it concerns; and desks' lists of what waits for them.

Opening a request with its person's facts is a reading of that person's record
and is kept as one. Names stay out of lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, guest, staff
from ost.models import site as sites
from ost.models.patient import patient
from ost.rules import guest as rules
from ost.rules.facts import HoldFacts, OrderFacts, Reason
from ost.rules.guest_checks import findings, orders_used
from ost.services import sealed
from ost.services.access import require, sites_with
from ost.services.gather import find_patient
from ost.services.guest import flow, jobs, on_call
from ost.services.guest.act import head_for
from ost.services.guest.binding import CONSENT, consent_stands, with_consent
from ost.services.guest.days import live_days
from ost.services.guest.facts import Seen, gather_guest
from ost.services.patient_read import name_of
from ost.services.patients import _access
from ost.services.portal.record import share_of
from ost.services.work import Actor, House, loads

#: As which page a reading is kept.
PAGE = "guest_request"
MOST, MOST_OF_ALL = 200, 5000
_H, _R, _S, _N = guest.guest_head, guest.guest_request, guest.guest_step, guest.guest_note
_P, _DE = guest.guest_permit, guest.permit_day_end
_LINE = ("request", "state", "waits_for", "since", "asked_at", "home_site", "site", "first_day", "last_day")
NEWEST = (_H.c.asked_at.desc(), _R.c.number.desc())
PERSONAL = (rules.HOME, rules.PRESCRIBER, rules.GUEST, rules.GUEST_PRESCRIBER)


@dataclass(frozen=True, slots=True)
class StepShown:
    number: int
    action: str
    to_state: str
    by_role: str
    by: str | None  # display name of an account; None for the patient and the program
    site: str | None
    reason: str | None
    data: dict
    at: datetime
    note: str | None = None  # a question or an answer, opened


@dataclass(frozen=True, slots=True)
class DayShown:
    """`ended`: why it was given up; None while it counts."""

    day: date
    ended: str | None


@dataclass(frozen=True, slots=True)
class StayShown:
    """An earlier stay and how it went."""

    request_id: str
    number: int
    site: str
    first_day: date
    last_day: date
    state: str
    found: jobs.Summary


@dataclass(frozen=True, slots=True)
class OrderShown:
    """`since`: first day of this dose; `days_left`: days the order covers after the last day asked for, None = open."""

    order: OrderFacts
    since: date
    days_left: int | None


@dataclass(frozen=True, slots=True)
class PersonShown:
    """What a decision looks at."""

    id: str
    number: str
    name: str | None
    orders: tuple[OrderShown, ...]
    missed_30: int | None  # None: no order yet
    missed_90: int | None
    holds: tuple[HoldFacts, ...]
    last_visit: tuple[date, str] | None  # (dosing day, site) of the newest dose
    last_swallow_on: date | None
    consent_until: date | None
    stays: tuple[StayShown, ...]


@dataclass(frozen=True, slots=True)
class RequestShown:
    id: str
    number: int
    kind: str
    state: str
    waits_for: str
    step: int  # hand it back with an answer: an older one is refused
    since: datetime
    asked_at: datetime
    by_role: str
    home_site: str
    site: str
    county: str  # of the guest site
    days: tuple[DayShown, ...]
    reason: str | None
    distance_m: int | None
    permit: str | None
    replaces: str | None
    offered: str | None  # the site the centre offers, while it does
    steps: tuple[StepShown, ...]
    actions: tuple[str, ...]  # what this reader may do now, by the table
    roles: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()  # what the facts say now; () for the centre and once it is over
    person: PersonShown | None = None  # None for the centre, and at a guest site once it is over or consent is gone
    summary: jobs.Summary | None = None  # of a permit


@dataclass(frozen=True, slots=True)
class Line:
    """A request in a list. `patient_number` is what is called; None where the reader sees no person."""

    id: str
    number: int
    kind: str
    state: str
    waits_for: str
    since: datetime
    asked_at: datetime
    home_site: str
    site: str
    county: str
    first_day: date
    last_day: date
    days: int
    reason: str | None
    patient_number: str | None


def one(house: House, actor: Actor, request_id: str) -> RequestShown:
    """The request as this reader may see it. Refusal("guest_request_unknown")."""
    head, roles = head_for(house, actor, request_id)
    personal = any(role in PERSONAL for role in roles)
    if not personal:
        with house.read() as tx:
            return _shown(house, tx, head, roles, None)
    at = head.home_site if {rules.HOME, rules.PRESCRIBER} & set(roles) else head.site
    with house.work(actor, at, "guest.read", patient=head.patient) as work:
        person = find_patient(work.tx, head.patient)
        own = at == head.home_site
        if own or (head.state not in rules.OVER and _consents(work.tx, head, work.now)):
            work.add(audit.record_access, **_access(work, person.id, "read", PAGE))
            return _shown(house, work.tx, head, roles, person, travels_only=not own)
        return _shown(house, work.tx, head, roles, None)


def waiting(house: House, actor: Actor, site: str) -> dict[str, list[Line]]:
    """{"home" | "guest" | "prescriber": requests of this site that wait for them}, the longest waiting first.

    Needs guest.read there, or being on call for it.
    """
    if site not in on_call.sites_of(house, actor.id):
        require(house, actor, "guest.read", site)
    groups = {
        "home": sa.and_(_H.c.home_site == site, _H.c.waits_for == rules.HOME),
        "guest": sa.and_(_H.c.site == site, _H.c.waits_for == rules.GUEST),
        "prescriber": sa.and_(_H.c.site == site, _H.c.waits_for == rules.GUEST_PRESCRIBER),
    }
    with house.read() as tx:
        return {name: _lines(tx, where, house.now(), at=site) for name, where in groups.items()}


def of_site(house: House, actor: Actor, site: str, state: str | None = None) -> list[Line]:
    """Requests that come from or go to this site, the newest first. Needs guest.read there."""
    require(house, actor, "guest.read", site)
    where = sa.or_(_H.c.home_site == site, _H.c.site == site)
    if state is not None:
        where = sa.and_(where, _H.c.state == state)
    with house.read() as tx:
        return _lines(tx, where, house.now(), at=site, order=NEWEST)


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Line]:
    """A person's requests, the newest first, for their home site. Refusal("patient_unknown")."""
    with house.read() as tx:
        home = find_patient(tx, patient_id).home_site
    try:
        require(house, actor, "guest.read", home)
    except Refusal:
        raise Refusal("patient_unknown") from None
    with house.read() as tx:
        return _lines(tx, _H.c.patient == patient_id, house.now(), at=home, order=NEWEST)


def open_everywhere(house: House, actor: Actor) -> list[Line]:
    """Every open request within the coordinator's reach by age: number and need, never whose it is."""
    reach = sites_with(house, actor, "guest.coordinate")
    if not reach:
        raise Refusal("not_permitted", permission="guest.coordinate")
    where = sa.and_(_H.c.state.in_(rules.OPEN), sa.or_(_H.c.site.in_(reach), _H.c.home_site.in_(reach)))
    with house.read() as tx:
        return _lines(tx, where, house.now(), order=(_H.c.asked_at, _R.c.number), most=MOST_OF_ALL)


# --- within ------------------------------------------------------------------------


def _lines(
    tx: Connection,
    where,
    now: datetime,
    *,
    at: str | None = None,
    order=(_H.c.since, _R.c.number),
    most: int = MOST,
) -> list[Line]:
    """`at`: the site that reads. Its own people are named to it, guests while their consent stands; None: nobody."""
    query = (
        with_consent(
            sa.select(
                *(_H.c[name] for name in _LINE),
                *(_R.c.number, _R.c.days, _R.c.reason, sites.site.c.tz, patient.c.number.label("patient_number")),
                *CONSENT,
            ).join_from(_H, _R, _R.c.id == _H.c.request),
            site=_H.c.site,
        )
        .join(patient, patient.c.id == _H.c.patient)
        .where(where)
        .order_by(*order)
        .limit(most)
    )
    return [
        Line(
            r.request,
            r.number,
            r.kind,
            r.state,
            r.waits_for,
            r.since,
            r.asked_at,
            r.home_site,
            r.site,
            r.county,
            r.first_day,
            r.last_day,
            len(loads(r.days)),
            r.reason,
            r.patient_number if at is not None and _named(r, at, now) else None,
        )
        for r in tx.execute(query)
    ]


def _named(r, at: str, now: datetime) -> bool:
    """Once a stay is over its guest site keeps the numbers of requests, not of people."""
    here = r.state not in rules.OVER and consent_stands(r, r.site, clock.dosing_day(now, r.tz))
    return r.home_site == at or here


def _shown(house: House, tx: Connection, head, roles, person, *, travels_only: bool = False) -> RequestShown:
    """`travels_only`: for a guest site, which learns of clinical holds and of no other."""
    row = flow.request_row(tx, head.request)
    steps = _steps(house, tx, head, notes=person is not None or rules.PATIENT in roles)
    offered = next((s.data["site"] for s in reversed(steps) if s.action == "offer"), None)
    seen = reasons = None
    if person is not None and head.state not in rules.OVER:
        days = live_days(tx, head.permit) if head.permit else flow.days_of(row)
        seen = gather_guest(
            tx,
            person,
            site=head.site,
            days=days,
            now=house.now(),
            request=row.id,
            replaces=row.replaces,
            consent_id=head.consent,
            holds_places=True,
        )
        reasons = findings(seen.facts, seen.packs, seen.now)
        if travels_only:
            reasons = tuple(r for r in reasons if r.code != "hold_note")
    county = tx.execute(sa.select(sites.site.c.county).where(sites.site.c.id == head.site)).scalar_one()
    return RequestShown(
        id=row.id,
        number=row.number,
        kind=row.kind,
        state=head.state,
        waits_for=head.waits_for,
        step=head.step,
        since=head.since,
        asked_at=head.asked_at,
        by_role=row.by_role,
        home_site=head.home_site,
        site=head.site,
        county=county,
        days=_days(tx, row, head),
        reason=row.reason,
        distance_m=row.distance_m,
        permit=head.permit if person is not None or rules.PATIENT in roles else None,
        replaces=row.replaces,
        offered=offered if head.state == rules.OFFERED else None,
        steps=steps,
        actions=tuple(dict.fromkeys(a for role in roles for a in rules.actions_for(head.state, role))),
        roles=roles,
        reasons=reasons or (),
        person=_person(house, tx, person, head, seen, travels_only) if person is not None else None,
        summary=jobs.summary(tx, head.permit, head.patient, head.site) if head.permit else None,
    )


def _days(tx: Connection, row, head) -> tuple[DayShown, ...]:
    ended = {}
    if head.permit is not None:
        query = sa.select(_DE.c.day, _DE.c.why).where(_DE.c.permit == head.permit)
        ended = {r.day: r.why for r in tx.execute(query)}
    return tuple(DayShown(day, ended.get(day)) for day in flow.days_of(row))


def _steps(house: House, tx: Connection, head, *, notes: bool) -> tuple[StepShown, ...]:
    a = staff.account
    query = (
        sa.select(_S, a.c.display_name)
        .join_from(_S, a, a.c.id == _S.c.by, isouter=True)
        .where(_S.c.request == head.request)
        .order_by(_S.c.number)
    )
    said = _notes(house, tx, head) if notes else {}
    return tuple(
        StepShown(
            r.number,
            r.action,
            r.to_state,
            r.by_role,
            r.display_name,
            r.site,
            r.reason,
            loads(r.data),
            r.at,
            said.get(r.number),
        )
        for r in tx.execute(query)
    )


def _notes(house: House, tx: Connection, head) -> dict[int, str | None]:
    rows = tx.execute(sa.select(_N).where(_N.c.request == head.request)).all()
    if not rows:
        return {}
    try:
        key = sealed.person_key(tx, house.keys, head.patient)
    except SealBroken:
        return {}  # forgotten: the words went with the key
    return {r.step: sealed.unseal_text(key, head.patient, "guest_note", "text", r.text_sealed) for r in rows}


def _person(house: House, tx: Connection, person, head, seen: Seen | None, travels_only: bool) -> PersonShown:
    tz = tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == person.home_site)).scalar_one()
    today = clock.dosing_day(house.now(), tz)
    dose = seen.facts.dose if seen else None
    newest = dose.past[0] if dose and dose.past else None
    return PersonShown(
        id=person.id,
        number=person.number,
        name=name_of(tx, house, person),
        orders=_orders(seen) if seen else (),
        missed_30=_missed(tx, person.id, tz, today, 30),
        missed_90=_missed(tx, person.id, tz, today, 90),
        holds=tuple(h for h in dose.holds if h.kind == "clinical" or not travels_only) if dose else (),
        last_visit=(newest.day, newest.site) if newest else None,
        last_swallow_on=dose.last_swallow_on if dose else None,
        consent_until=seen.facts.consent_until if seen else None,
        stays=_stays(tx, person.id, head.request),
    )


def _orders(seen: Seen) -> tuple[OrderShown, ...]:
    last = seen.facts.days[-1]
    return tuple(
        OrderShown(
            order,
            order.starts_on if order.previous_dose_ug != order.dose_ug else order.last_increase_on or order.starts_on,
            None if order.ends_on is None else (order.ends_on - last).days,
        )
        for order in orders_used(seen.facts)
    )


def _missed(tx: Connection, person: str, tz: str, today: date, days: int) -> int | None:
    """Days of the last `days` before today on which a due dose was neither taken nor is its outcome open."""
    share = share_of(tx, person, tz, today - timedelta(days=days), today - timedelta(days=1))
    return None if share is None else len(share.found.missed_on)


def _stays(tx: Connection, person: str, but: str) -> tuple[StayShown, ...]:
    """The last ten stays with a permit, the newest first."""
    query = (
        sa.select(_H.c.request, _H.c.permit, _H.c.site, _H.c.state, _R.c.number, _P.c.first_day, _P.c.last_day)
        .join_from(_H, _P, _P.c.id == _H.c.permit)
        .join(_R, _R.c.id == _H.c.request)
        .where(_H.c.patient == person, _H.c.request != but)
        .order_by(_P.c.last_day.desc(), _R.c.number.desc())
        .limit(10)
    )
    return tuple(
        StayShown(
            r.request,
            r.number,
            r.site,
            r.first_day,
            r.last_day,
            r.state,
            jobs.summary(tx, r.permit, person, r.site),
        )
        for r in tx.execute(query)
    )


def _consents(tx: Connection, head, now: datetime) -> bool:
    query = with_consent(
        sa.select(*CONSENT, sites.site.c.tz).join_from(_H, _R, _R.c.id == _H.c.request), site=_H.c.site
    ).where(_H.c.request == head.request)
    row = tx.execute(query).one()
    return consent_stands(row, head.site, clock.dosing_day(now, row.tz))

