"""What follows by rule once a request was asked, approved or accepted: a standing authorisation, the guest site's own
rule, a signature given beforehand. Ends, where all of it fits, in a permit with its pass.

Helpers of the verbs beside this file: the person and the guest site are locked, the caller commits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical
from ost.models import guest
from ost.rules import guest as rules
from ost.rules.facts import Reason
from ost.rules.guest_checks import for_a_prescriber, orders_used
from ost.services.guest import book, passes, standing, steps
from ost.services.guest.days import MOVED, leave_days, live_days
from ost.services.guest.facts import Seen
from ost.services.messages import outbox
from ost.services.policy_of import keep_version
from ost.services.work import House, Work, loads, new_id

_R, _H, _P = guest.guest_request, guest.guest_head, guest.guest_place
_C, _D = guest.guest_countersign, guest.permit_day


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a request stands after a step. `days`: those still meant."""

    request_id: str
    number: int
    state: str
    permit: str | None
    days: tuple[date, ...]


def request_row(tx: Connection, request_id: str) -> sa.Row:
    return tx.execute(sa.select(_R).where(_R.c.id == request_id)).one()


def days_of(row: sa.Row) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in loads(row.days))


def order_ids(seen: Seen) -> list[str]:
    """The orders these days rest on, by slot and first day: what is signed and what a permit points to."""
    return [order.id for order in orders_used(seen.facts)]


def tell(work: Work, row: sa.Row, kind: str, dedupe: str, **data) -> None:
    """A message about a request to its patient. `site` and `days` where they are not the request's own."""
    said = {"request": row.number, "site": row.site, "days": loads(row.days)} | data
    outbox.tell(work, row.patient, kind, dedupe, **said)


def stands(tx: Connection, request_id: str) -> Stands:
    row, head = request_row(tx, request_id), tx.execute(sa.select(_H).where(_H.c.request == request_id)).one()
    days = live_days(tx, head.permit) if head.permit else days_of(row)
    return Stands(row.id, row.number, head.state, head.permit, days)


# --- by rule ---------------------------------------------------------------------


def advance(house: House, work: Work, request_id: str, seen: Seen, reasons: Iterable[Reason]) -> str:
    """Take every step the rules take by themselves from here. Returns the state it ends in.

    `reasons`: of this very look; nothing blocks. What a prescriber should weigh is never approved by rule.
    """
    row = request_row(work.tx, request_id)
    _take_again(work, row, seen)
    state = steps.head(work, request_id).state
    if state == rules.ASKED and not for_a_prescriber(reasons):
        allowed = standing.covering(
            work.tx,
            row.patient,
            seen.facts.today,
            seen.there.id,
            seen.there.point,
            seen.home.point,
            seen.facts.days,
        )
        if allowed is not None:
            state = steps.take(work, request_id, "authorise", steps.SYSTEM, data={"standing": allowed})
    if state == rules.APPROVED and taken_at_once(seen):
        state = steps.take(work, request_id, "accept", steps.SYSTEM, data={"rule": "at_once"})
    if state == rules.ACCEPTED:
        signed = countersigned(work.tx, row, seen)
        if signed is not None or not countersign_needed(seen):
            data = {} if signed is None else {"countersign": signed}
            state = confirm(house, work, row, seen, steps.SYSTEM, signed, data)
    return state


def taken_at_once(seen: Seen) -> bool:
    """Whether the guest site's own rule takes the person: among the first so many guests of each day."""
    facts = seen.facts
    own = set(facts.days) - set(facts.lost_places) if facts.holds_places else ()  # counted among the taken ones
    there = {each.day: each for each in facts.open_there}
    return all(
        day in there and there[day].places - there[day].free - (day in own) < there[day].at_once
        for day in facts.days
    )


def countersign_needed(seen: Seen) -> bool:
    """Stricter wins: either site's pack, or the guest site's own choice; not where the orders name the site."""
    first = seen.facts.days[0]
    asked = seen.there.countersign or any(p.bool("guest_countersign_required", first) for p in seen.packs)
    return asked and bool(_to_sign(seen))


def countersigned(tx: Connection, row: sa.Row, seen: Seen) -> str | None:
    """Id of a signature at this site, of this request or given beforehand, where every order is signed."""
    return _signature(tx, row.patient, seen, _C.c.request == row.id)


def signed_beforehand(tx: Connection, patient: str, seen: Seen) -> str | None:
    """Id of a signature given without a request, for these very orders and until the last of these days or longer."""
    return _signature(tx, patient, seen, sa.false())


def _signature(tx: Connection, patient: str, seen: Seen, own: sa.ColumnElement) -> str | None:
    """The newest of the signatures that together hold every order these days need; None where one is not signed."""
    before = sa.and_(_C.c.request.is_(None), _C.c.until >= seen.facts.days[-1])
    query = (
        sa.select(_C.c.id, _C.c.orders)
        .where(_C.c.patient == patient, _C.c.site == seen.there.id, sa.or_(own, before))
        .order_by(_C.c.at.desc(), _C.c.id)
    )
    needed, found = _to_sign(seen), []
    for row in tx.execute(query):
        if needed & set(loads(row.orders)):
            found.append(row.id)
            needed -= set(loads(row.orders))
    return found[0] if found and not needed else None


def _to_sign(seen: Seen) -> set[str]:
    """Orders that do not name the guest site themselves."""
    return {order.id for order in orders_used(seen.facts) if seen.there.id not in order.sites}


def confirm(
    house: House, work: Work, row: sa.Row, seen: Seen, who: steps.Who, signed: str | None, data: dict
) -> str:
    """The permit: its numbered days, bound to the orders by reference, its pass, and the person told."""
    if row.replaces is not None:
        _move(work, row)
    _take_again(work, row, seen)
    permit = write_permit(work, house, row, seen, signed)
    state = steps.take(work, row.id, "confirm", who, data=data | {"permit": permit}, permit=permit)
    passes.issue(house, work, permit)
    tell(work, row, "guest_confirmed", f"confirmed:{row.id}", site=seen.there.id)
    return state


def write_permit(work: Work, house: House, row: sa.Row, seen: Seen, signed: str | None) -> str:
    """The rows of a permit; whoever writes it takes the step and issues the pass."""
    policy = seen.packs[0]
    keep_version(house, work, policy)
    days = seen.facts.days
    permit = work.add(
        guest.guest_permit,
        id=new_id(),
        request=row.id,
        patient=row.patient,
        home_site=row.home_site,
        site=seen.there.id,
        orders=canonical.text(order_ids(seen)),
        countersign=signed,
        first_day=days[0],
        last_day=days[-1],
        policy=policy.digest,
        at=work.now,
    )["id"]
    numbered = [{"permit": permit, "day": day, "number": number} for number, day in enumerate(days, 1)]
    work.add_many(_D, numbered)
    work.payload |= {"permit": permit}
    return permit


def _take_again(work: Work, row: sa.Row, seen: Seen) -> None:
    """Places that a closure took and that are free again: nobody is confirmed without one on every day.

    Refusal("guest_place_gone") where somebody else was quicker.
    """
    if not seen.facts.lost_places:
        return
    query = sa.select(_P.c.day).where(_P.c.request == row.id, _P.c.site == seen.there.id)
    held = set(work.tx.execute(query).scalars())
    missing = [day for day in seen.facts.days if day not in held]
    book.take_places(work, request=row.id, patient=row.patient, site=seen.there.id, days=missing)


def _move(work: Work, row: sa.Row) -> None:
    """The request changes another: the days it takes over leave that one, and its places become the first ones."""
    own = sa.select(_P.c.day).where(_P.c.request == row.id, _P.c.second)
    days = tuple(sorted(work.tx.execute(own).scalars()))
    if not days:
        return
    if steps.head(work, row.replaces).state in rules.IN_FORCE:
        leave_days(work, row.replaces, days, steps.SYSTEM, MOVED, {"to": row.id})
    work.tx.execute(sa.update(_P).where(_P.c.request == row.id, _P.c.second).values(second=False))
