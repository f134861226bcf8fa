"""The guest site's prescriber takes the home orders as their own: for one permit, or beforehand for orders that stand.

Another order needs another signature. A permit that waits for one goes on in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical, clock, policies
from ost.errors import Refusal
from ost.models import guest
from ost.models import site as sites
from ost.rules import guest as rules
from ost.rules.guest_checks import orders_on
from ost.services.access import require
from ost.services.guest import consent, flow, follow, steps
from ost.services.guest.act import Acting, Moved, NotMoved, acting, desk_of, head_for
from ost.services.guest.facts import orders_of
from ost.services.work import Actor, House, Work, loads, new_id

#: Signed while it waits for it, or before the site has accepted; a permit gets a new order signed, paused for it or
#: before the day from which it counts.
STATES = (rules.APPROVED, rules.ACCEPTED, *rules.IN_FORCE)


def countersign(house: House, actor: Actor, request_id: str, *, seen_step: int | None = None) -> Moved | NotMoved:
    """Refusal: guest_step_not_possible where nothing waits for a signature, and those of any step."""
    head, roles = head_for(house, actor, request_id)
    if head.state == rules.ACCEPTED:
        with acting(house, actor, request_id, "confirm", seen_step=seen_step) as step:
            seen, reasons = step.look()
            if (no := step.blocked(reasons)) is not None:
                return no
            signed = _sign(step.work, step.row, flow.order_ids(seen), seen.there.id)
            flow.confirm(house, step.work, step.row, seen, step.who, signed, {"countersign": signed})
            step.work.payload |= {"request": request_id}
            return step.done()
    if rules.GUEST_PRESCRIBER not in roles:
        raise Refusal("not_permitted")
    desk = desk_of(rules.GUEST_PRESCRIBER, head)
    with house.work(actor, desk, "guest.countersigned", patient=head.patient) as work:
        person = work.lock_patients([head.patient])[head.patient]
        now = steps.head(work, request_id)
        if now.site != head.site or seen_step not in (None, now.step):
            raise Refusal("guest_changed_since_shown")
        if now.state not in STATES:
            raise Refusal("guest_step_not_possible", state=now.state, action="countersign")
        row = flow.request_row(work.tx, request_id)
        step = Acting(house, work, now, row, person, steps.Who(actor.id, rules.GUEST_PRESCRIBER, desk))
        seen, reasons = step.look()
        if now.state == rules.CONFIRMED and not set(flow.order_ids(seen)) - _signed(work.tx, request_id):
            raise Refusal("guest_step_not_possible", state=now.state, action="countersign")
        # A permit in force has its own reasons to wait; the signature is given all the same.
        if now.state not in rules.IN_FORCE and (no := step.blocked(reasons)) is not None:
            return no
        _sign(work, row, flow.order_ids(seen), seen.there.id)
        follow.review(work, house, person.id, "countersigned")
        work.payload |= {"request": request_id}
        return step.done()


def signed(house: House, request_id: str) -> frozenset[str]:
    """Ids of the orders that were signed for this very request."""
    with house.read() as tx:
        return _signed(tx, request_id)


def _signed(tx: Connection, request_id: str) -> frozenset[str]:
    c = guest.guest_countersign
    rows = tx.execute(sa.select(c.c.orders).where(c.c.request == request_id)).scalars()
    return frozenset(order for orders in rows for order in loads(orders))


def beforehand(house: House, actor: Actor, patient_id: str, site: str, until: date) -> str:
    """Sign the orders that are in force now for this person at this site, until a day. Returns the signature's id.

    Needs guest.countersign there, and the patient's consent that reaches the site: else "patient_unknown".
    Refusal("guest_nothing_to_sign"), ("input_invalid") for the day.
    """
    require(house, actor, "guest.countersign", site)
    with house.work(actor, site, "guest.countersigned", patient=patient_id) as work:
        person = work.lock_patients([patient_id]).get(patient_id)
        if person is None:
            raise Refusal("patient_unknown")
        here, home = _two(work.tx, site, person.home_site)
        today = clock.dosing_day(work.now, home.tz)
        if consent.standing(work.tx, patient_id, site, here.county, today) is None:
            raise Refusal("patient_unknown")
        if not today <= until <= today + timedelta(days=_most_days(here, home)):
            raise Refusal("input_invalid", fields={"until": ["guest_until_wrong"]})
        orders = orders_on(orders_of(work.tx, person), today)
        if not orders:
            raise Refusal("guest_nothing_to_sign")
        ids = [order.id for order in orders]
        signed = _add(work, None, patient_id, site, ids, until)
        follow.review(work, house, patient_id, "countersigned")
        return signed


def latest_day(house: House, site: str, home_site: str) -> date:
    """Until when a signature given today may serve at the most: the stricter of the two sites' packs."""
    with house.read() as tx:
        here, home = _two(tx, site, home_site)
    return clock.dosing_day(house.now(), home.tz) + timedelta(days=_most_days(here, home))


def signed_until(house: House, patient_id: str, site: str, orders: Iterable[str], today: date) -> date | None:
    """The last day until which all these orders are signed there beforehand; None: one of them is not. The caller has
    read the person's record."""
    c = guest.guest_countersign.c
    query = sa.select(c.orders, c.until).where(
        c.patient == patient_id, c.site == site, c.request.is_(None), c.until >= today
    )
    with house.read() as tx:
        found = [(set(loads(row.orders)), row.until) for row in tx.execute(query)]
    last = [max((until for signed, until in found if order in signed), default=None) for order in orders]
    return min(last) if last and None not in last else None


def _two(tx: Connection, site: str, home_site: str) -> tuple[sa.Row, sa.Row]:
    """(the guest site, the home site): id, policy, tz, county."""
    s = sites.site
    query = sa.select(s.c.id, s.c.policy, s.c.tz, s.c.county).where(s.c.id.in_([site, home_site]))
    found = {row.id: row for row in tx.execute(query)}
    return found[site], found[home_site]


def _most_days(*two: sa.Row) -> int:
    return min(policies.policy(each.policy).int("guest_countersign_most_days") for each in two)


def sign_for(work: Work, row: sa.Row, orders: list[str], site: str) -> str:
    """The signature of whoever acts, for a request; a step of another verb goes with it."""
    return _sign(work, row, orders, site)


def _sign(work: Work, row: sa.Row, orders: list[str], site: str) -> str:
    return _add(work, row.id, row.patient, site, orders, None)


def _add(work: Work, request: str | None, patient: str, site: str, orders: list[str], until: date | None) -> str:
    signed = work.add(
        guest.guest_countersign,
        id=new_id(),
        request=request,
        patient=patient,
        site=site,
        orders=canonical.text(orders),
        until=until,
        by=work.actor.id,
        at=work.now,
    )["id"]
    work.payload |= {"countersign": signed}
    return signed
