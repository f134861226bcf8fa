"""Ask for guest dosing: one transaction from the wish to a permit, as far as rules allow.

The id comes from the caller: the same again gets the same answer, with other
content it is refused. What stands against it comes back with other places that
have room; that it was wanted and could not be had is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost import canonical, clock, policies
from ost.errors import Refusal
from ost.models import guest
from ost.models import site as sites
from ost.rules import guest as rules
from ost.rules.facts import Reason
from ost.rules.guest_checks import blocking, findings, for_a_prescriber, of_day, orders_used
from ost.rules.guest_reasons import UNMET
from ost.services.access import may, require
from ost.services.consents import FOUND_ELSEWHERE
from ost.services.consents import stands as consent_stands
from ost.services.elsewhere import stood_here
from ost.services.gather import find_patient
from ost.services.guest import book, calendar, consent, flow, standing, steps
from ost.services.guest.alternatives import Alternative, nearest
from ost.services.guest.consent import NewConsent
from ost.services.guest.facts import Seen, gather_guest
from ost.services.work import Actor, House, Work, new_id

#: Days of one request at most; more is several requests, or a transfer.
MOST_DAYS = 62
COUNTER = "guest_request"
#: A guest site asks for somebody who was at its counter so lately.
STOOD_WITHIN = timedelta(hours=2)

_R, _H, _P = guest.guest_request, guest.guest_head, guest.guest_place


@dataclass(frozen=True, slots=True)
class Wanted:
    """`consent`: the id of one that stands, or one to be given in the same step; None: whichever reaches there.

    `by_role`: "patient" (the portal's session), "home" or "guest" (a nurse for somebody without a phone).
    `replaces`: a confirmed request of the same person whose days these take over.
    """

    request_id: str
    patient_id: str
    site: str
    days: tuple[date, ...]
    reason: str | None = None
    consent: str | NewConsent | None = None
    by_role: str = rules.HOME
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    request_id: str
    number: int
    state: str
    permit: str | None
    days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class NotAsked:
    """All reasons at once, blocking ones first; and where else there is room on all the days."""

    reasons: tuple[Reason, ...]
    alternatives: tuple[Alternative, ...]
    state: str = "not_asked"


@dataclass(frozen=True, slots=True)
class Looked:
    """What asking would say now. `instant`: it would be confirmed at once."""

    reasons: tuple[Reason, ...]
    by_day: dict[date, tuple[Reason, ...]]
    possible: bool
    instant: bool
    waits_for: str  # whose answer is needed first, "nobody" where confirmed at once or not possible
    distance_m: int | None
    alternatives: tuple[Alternative, ...]


def ask(house: House, actor: Actor, wanted: Wanted) -> Asked | NotAsked:
    """Refusal: not_permitted, patient_unknown, site_unknown, input_invalid, guest_id_used."""
    wanted = _clean(wanted)
    who = _who(house, actor, wanted)
    digest = canonical.digest(_content(wanted))
    number = _number(house, actor, wanted.request_id)
    try:
        with house.work(actor, who.site, "guest.asked", patient=wanted.patient_id) as work:
            person = work.lock_patients([wanted.patient_id]).get(wanted.patient_id)
            if person is None:
                raise Refusal("patient_unknown")
            again = work.tx.execute(sa.select(_R).where(_R.c.id == wanted.request_id)).one_or_none()
            if again is not None:
                return _again(work, again, wanted, digest)
            return _ask(house, work, person, wanted, who, digest, number)
    except IntegrityError:
        # Somebody else's request took the id in the same moment.
        with house.read() as tx:
            if tx.execute(sa.select(_R.c.id).where(_R.c.id == wanted.request_id)).scalar() is None:
                raise
        raise Refusal("guest_id_used") from None


def look(house: House, actor: Actor, wanted: Wanted) -> Looked:
    """The same checks as asking, with what would follow; nothing is written."""
    wanted = _clean(wanted)
    _who(house, actor, wanted)
    with house.read() as tx:
        seen, reasons = _seen(tx, find_patient(tx, wanted.patient_id), wanted, house.now())
        blocked = blocking(reasons)
        waits = rules.NOBODY
        if not blocked:
            waits = _would_wait_for(tx, wanted, seen, reasons)
        return Looked(
            reasons=reasons,
            by_day={day: of_day(reasons, day) for day in wanted.days},
            possible=not blocked,
            instant=not blocked and waits == rules.NOBODY,
            waits_for=waits,
            distance_m=seen.distance_m,
            alternatives=_elsewhere(tx, seen) if _could_go_elsewhere(blocked) else (),
        )


# --- within ----------------------------------------------------------------------


def _number(house: House, actor: Actor, request_id: str) -> int:
    """The next number of the network, in a transaction of its own: held until the end it would queue the whole
    country behind one request. One that comes to nothing leaves a gap."""
    with house.read() as tx:
        kept = tx.execute(sa.select(_R.c.number).where(_R.c.id == request_id)).scalar_one_or_none()
    if kept is not None:
        return kept  # asked before: the answer is the same
    with house.work(actor, None, "guest.number") as work:
        return work.next_change_no(COUNTER)


def _ask(
    house: House, work: Work, person, wanted: Wanted, who: steps.Who, digest: str, number: int
) -> Asked | NotAsked:
    _lock_place(work, wanted.site)
    seen, reasons = _seen(work.tx, person, wanted, work.now)
    blocked = blocking(reasons)
    if blocked:
        work.kind = "guest.not_asked"
        work.payload |= {"request": wanted.request_id, "codes": sorted({r.code for r in blocked})}
        _keep_unmet(work, person, wanted, seen, blocked)
        return NotAsked(reasons, _elsewhere(work.tx, seen) if _could_go_elsewhere(blocked) else ())
    rests_on = seen.facts.consent
    if isinstance(wanted.consent, NewConsent):
        consent.check_new(wanted.consent, seen.home.policy, seen.facts.today)
        rests_on = consent.write(work, person.id, wanted.consent, wanted.site, person.home_site)
    row = work.add(
        _R,
        id=wanted.request_id,
        number=number,
        patient=person.id,
        home_site=person.home_site,
        site=wanted.site,
        kind="asked",
        days=canonical.text([day.isoformat() for day in wanted.days]),
        orders=canonical.text([order.id for order in orders_used(seen.facts)]),
        reason=wanted.reason,
        consent=rests_on,
        replaces=wanted.replaces,
        distance_m=seen.distance_m,
        content_digest=digest,
        by=who.by,
        by_role=who.role,
        at=work.now,
    )
    steps.begin(
        work,
        request=row["id"],
        patient=person.id,
        home_site=person.home_site,
        site=wanted.site,
        days=wanted.days,
        who=who,
        action="ask",
        consent=rests_on,
    )
    beside = _days_of(work, wanted.replaces, wanted.days)
    book.take_places(
        work,
        request=row["id"],
        patient=person.id,
        site=wanted.site,
        days=wanted.days,
        second=beside,
        known=seen.opened,
    )
    state = flow.advance(house, work, row["id"], seen, reasons)
    if state not in rules.IN_FORCE:
        flow.tell(work, flow.request_row(work.tx, row["id"]), "guest_asked", f"asked:{row['id']}")
    work.payload |= {"request": row["id"], "site": wanted.site, "days": len(wanted.days)}
    said = flow.stands(work.tx, row["id"])
    return Asked(said.request_id, said.number, said.state, said.permit, said.days)


def _again(work: Work, row, wanted: Wanted, digest: str) -> Asked:
    if row.content_digest != digest or row.patient != wanted.patient_id:
        raise Refusal("guest_id_used")
    said = flow.stands(work.tx, row.id)
    return Asked(said.request_id, said.number, said.state, said.permit, said.days)


def _seen(tx, person, wanted: Wanted, now) -> tuple[Seen, tuple[Reason, ...]]:
    if wanted.replaces is not None:
        _may_replace(tx, person, wanted.replaces)
    given = wanted.consent if isinstance(wanted.consent, NewConsent) else None
    seen = gather_guest(
        tx,
        person,
        site=wanted.site,
        days=wanted.days,
        now=now,
        request=wanted.request_id,
        replaces=wanted.replaces,
        consent_id=wanted.consent if given is None else None,
        given=given,
    )
    return seen, findings(seen.facts, seen.packs, now)


def _may_replace(tx, person, request_id: str) -> None:
    """Refusal("guest_request_unknown"), ("guest_step_not_possible"): only a permit in force is changed."""
    head = tx.execute(sa.select(_H).where(_H.c.request == request_id)).one_or_none()
    if head is None or head.patient != person.id:
        raise Refusal("guest_request_unknown")
    if head.state not in rules.IN_FORCE:
        raise Refusal("guest_step_not_possible", state=head.state, action="change")


def _days_of(work: Work, request_id: str | None, days: tuple[date, ...]) -> tuple[date, ...]:
    """Days of the request that is changed: the new place is taken beside the old one until the change is confirmed."""
    if request_id is None:
        return ()
    query = sa.select(_P.c.day).where(_P.c.request == request_id, _P.c.day.in_(days))
    return tuple(work.tx.execute(query).scalars())


def _lock_place(work: Work, site: str) -> None:
    try:
        calendar.lock_sites(work, [site])
    except Refusal as no:
        if no.code != "guest_site_not_listed":
            raise
        # A finding says so, and no place of it can be taken.


def _would_wait_for(tx, wanted: Wanted, seen: Seen, reasons) -> str:
    facts = seen.facts
    asks = for_a_prescriber(reasons) or None
    allowed = standing.covering(
        tx, wanted.patient_id, facts.today, wanted.site, seen.there.point, seen.home.point, facts.days
    )
    if asks or allowed is None:
        return rules.HOME
    if not flow.taken_at_once(seen):
        return rules.GUEST
    if flow.countersign_needed(seen) and flow.signed_beforehand(tx, wanted.patient_id, seen) is None:
        return rules.GUEST_PRESCRIBER
    return rules.NOBODY


def _could_go_elsewhere(blocked) -> bool:
    """Another site helps only where nothing else stands against it."""
    return all(r.code in UNMET for r in blocked)


def _elsewhere(tx, seen: Seen) -> tuple[Alternative, ...]:
    medicines = {order.medicine for order in orders_used(seen.facts)}
    near = seen.there.point or seen.home.point
    return nearest(tx, near, seen.facts.days, medicines, seen.now, but=(seen.there.id, seen.home.id))


def _keep_unmet(work: Work, person, wanted: Wanted, seen: Seen, blocked) -> None:
    """One row a day, once for a request: the same wish sent again is no second demand."""
    u = guest.guest_unmet
    known = set(work.tx.execute(sa.select(u.c.day).where(u.c.request == wanted.request_id)).scalars())
    rows = []
    for day in wanted.days:
        why = [r.code for r in blocked if r.code in UNMET and r.data.get("day") in (None, day.isoformat())]
        if why and day not in known:
            rows.append(
                {
                    "id": new_id(),
                    "patient": person.id,
                    "home_site": person.home_site,
                    "site": wanted.site,
                    "county": seen.there.county,
                    "day": day,
                    "why": why[0],
                    "request": wanted.request_id,
                    "at": work.now,
                }
            )
    work.add_many(u, rows)


def _clean(wanted: Wanted) -> Wanted:
    days = tuple(sorted(set(wanted.days)))
    if not 1 <= len(days) <= MOST_DAYS:
        raise Refusal("input_invalid", fields={"days": ["guest_days_number"]})
    return replace(wanted, days=days)


def _content(wanted: Wanted) -> dict:
    agreed = wanted.consent
    if isinstance(agreed, NewConsent):
        agreed = {"until": agreed.until, "scope": agreed.scope(wanted.site)}
    return {
        "patient": wanted.patient_id,
        "site": wanted.site,
        "days": [day.isoformat() for day in wanted.days],
        "reason": wanted.reason,
        "consent": agreed,
        "replaces": wanted.replaces,
    }


def _who(house: House, actor: Actor, wanted: Wanted) -> steps.Who:
    """Who asks, and at whose desk. Refusal("not_permitted"), ("patient_unknown"), ("input_invalid") for the reason."""
    with house.read() as tx:
        person = find_patient(tx, wanted.patient_id)
        query = sa.select(sites.site.c.policy, sites.site.c.tz).where(sites.site.c.id == person.home_site)
        home = tx.execute(query).one()
        today = clock.dosing_day(house.now(), home.tz)
        found = (
            wanted.by_role == rules.GUEST
            and consent_stands(tx, person.id, FOUND_ELSEWHERE, today)
            # Their consent is to be known where they stand, not to be looked up.
            and stood_here(tx, person.id, wanted.site, house.now() - STOOD_WITHIN)
        )
    if wanted.by_role == rules.PATIENT:
        known, desk = actor.id == f"patient:{person.id}", person.home_site
    elif wanted.by_role == rules.HOME:
        known, desk = may(house, actor, "guest.ask", person.home_site), person.home_site
    elif wanted.by_role == rules.GUEST:
        require(house, actor, "guest.ask", wanted.site)
        known, desk = bool(found), wanted.site
    else:
        raise Refusal("input_invalid", fields={"by_role": ["not_a_choice"]})
    if not known:
        raise Refusal("patient_unknown")  # nobody asks for somebody they may not even see
    reasons = policies.policy(home.policy).list("guest_ask_reasons")
    if wanted.reason is not None and wanted.reason not in reasons:
        raise Refusal("input_invalid", fields={"reason": ["not_a_choice"]})
    return steps.Who(actor.id, wanted.by_role, desk)
