"""What must hold at every moment of the drill, read from the tables alone.

Nothing here asks the services: a mistake they make must not be made twice. Each
check returns what it found wrong, as short texts with opaque ids.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import dose, guest, lookup, opening, patient, prescription, site, stock
from ost.rules import guest as rules

_H, _S, _P, _D, _E = (
    guest.guest_head,
    guest.guest_step,
    guest.guest_permit,
    guest.permit_day,
    guest.permit_day_end,
)
_A, _O, _R = dose.dose_attempt, dose.dose_outcome, dose.dose_release

#: Days that bind: the permit's request is in force and the day was not given up.
BINDING = (
    sa.select(
        _D.c.permit,
        _D.c.day,
        _P.c.patient,
        _P.c.site,
        _P.c.home_site,
        _P.c.orders,
        _P.c.request,
        _H.c.state,
    )
    .join_from(_D, _P, _P.c.id == _D.c.permit)
    .join(_H, _H.c.request == _P.c.request)
    .join(_E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
    .where(_H.c.state.in_(rules.IN_FORCE), _E.c.permit.is_(None))
)


def two_permits(tx: Connection, today: date) -> list[str]:
    """One person, one day, one site."""
    seen = Counter((row.patient, row.day) for row in tx.execute(BINDING.where(_D.c.day >= today)))
    return [f"{person} is bound twice on {day}" for (person, day), n in seen.items() if n > 1]


def outlived(tx: Connection, today: date) -> list[str]:
    """A confirmed permit with days to come whose facts are gone: order, consent, hold, person, site."""
    rows = tx.execute(BINDING.where(_D.c.day >= today, _H.c.state == rules.CONFIRMED)).all()
    if not rows:
        return []
    people = {row.patient for row in rows}
    ordered = _ordered(tx, people)
    held = _held(tx, people)
    active = dict(tx.execute(sa.select(patient.patient.c.id, patient.patient.c.active)).all())
    sites = {s.id: s for s in tx.execute(sa.select(site.site))}
    listed = dict(tx.execute(sa.select(opening.guest_site.c.site, opening.guest_site.c.listed)).all())
    consents = _consents(tx)
    wrong = []
    for row in rows:
        medicines = ordered.get((row.patient, row.day), set())
        if not medicines:
            wrong.append(f"permit {row.permit}: no order covers {row.day}")
        if not active[row.patient]:
            wrong.append(f"permit {row.permit}: the person is not in treatment")
        if row.patient in held:
            wrong.append(f"permit {row.permit}: confirmed under a clinical hold")
        here = sites[row.site]
        if not here.active or not listed.get(row.site) or not medicines <= set(json.loads(here.medicines)):
            wrong.append(f"permit {row.permit}: {row.site} does not give this any more")
        if row.request in consents and not consents[row.request] >= row.day:
            wrong.append(f"permit {row.permit}: no consent stands")
    return wrong


def _ordered(tx: Connection, people: set[str]) -> dict[tuple[str, date], set[str]]:
    """(patient, day) -> medicines, for the days of binding permits from the orders that stand."""
    p, e = prescription.prescription, prescription.prescription_end
    orders = tx.execute(
        sa.select(p.c.patient, p.c.starts_on, p.c.ends_on, p.c.medicine)
        .join_from(p, e, e.c.prescription == p.c.id, isouter=True)
        .where(e.c.prescription.is_(None), p.c.patient.in_(people))
    ).all()
    days = {row.day for row in tx.execute(BINDING)}
    found: dict[tuple[str, date], set[str]] = {}
    for order in orders:
        for day in days:
            if order.starts_on <= day and (order.ends_on is None or day <= order.ends_on):
                found.setdefault((order.patient, day), set()).add(order.medicine)
    return found


def _held(tx: Connection, people: set[str]) -> set[str]:
    h, r = prescription.hold, prescription.hold_release
    query = (
        sa.select(h.c.patient)
        .join_from(h, r, r.c.hold == h.c.id, isouter=True)
        .where(r.c.hold.is_(None), h.c.kind == "clinical", h.c.blocks, h.c.patient.in_(people))
    )
    return set(tx.execute(query).scalars())


def _consents(tx: Connection) -> dict[str, date]:
    """Request -> last day of the consent it rests on, `date.min` where that was taken back; emergencies have none."""
    c, e, r = lookup.consent, lookup.consent_end, guest.guest_request
    query = (
        sa.select(r.c.id, c.c.until, e.c.consent)
        .join_from(r, c, c.c.id == r.c.consent, isouter=True)
        .join(e, e.c.consent == c.c.id, isouter=True)
        .where(r.c.kind != "emergency")
    )
    return {
        row.id: date.min if row.consent is not None else row.until or date.max for row in tx.execute(query)
    }


def over_capacity(tx: Connection, places: Callable[[str, date], int], today: date) -> list[str]:
    """Places taken against what the drill's own book says the site has that day."""
    p = guest.guest_place
    count = tx.execute(
        sa.select(p.c.site, p.c.day, sa.func.count()).where(p.c.day >= today).group_by(p.c.site, p.c.day)
    )
    return [f"{code} on {day}: {n} of {places(code, day)}" for code, day, n in count if n > places(code, day)]


def unlisted_steps(tx: Connection) -> list[str]:
    """Every state came by a listed transition, and the head is the last step's."""
    wrong, last = [], {}
    for step in tx.execute(sa.select(_S).order_by(_S.c.request, _S.c.number)):
        before, number = last.get(step.request, (None, 0))
        if step.number != number + 1 or step.from_state != before:
            wrong.append(f"{step.request} step {step.number} does not follow")
        if not rules.listed(step.from_state, step.action, step.to_state, step.by_role):
            wrong.append(f"{step.request}: {step.from_state} --{step.action}--> {step.to_state} by {step.by_role}")
        last[step.request] = (step.to_state, step.number)
    for head in tx.execute(sa.select(_H)):
        if last.get(head.request) != (head.state, head.step):
            wrong.append(f"{head.request}: its head is not its last step")
    return wrong


def guest_doses(tx: Connection) -> list[str]:
    """Each stands on a day of its permit, at its permit's site, once in that site's register and nowhere else."""
    line, bottle = stock.register_line, stock.bottle
    lines: dict[str, list[tuple[str, int]]] = {}
    for dose_id, code, change in tx.execute(
        sa.select(line.c.dose, bottle.c.site, line.c.change_ul)
        .join_from(line, bottle, bottle.c.id == line.c.bottle)
        .where(line.c.dose.is_not(None), line.c.kind == "dispensed")
    ):
        lines.setdefault(dose_id, []).append((code, change))
    permits = {row.id: row for row in tx.execute(sa.select(_P))}
    days = set(tx.execute(sa.select(_D.c.permit, _D.c.day)).all())
    wrong = []
    for row in tx.execute(sa.select(_A).where(_A.c.site != _A.c.home_site)):
        permit = permits.get(row.permit)
        if permit is None:
            wrong.append(f"dose {row.id} at {row.site} has no permit")
        elif (permit.site, permit.patient) != (row.site, row.patient) or (row.permit, row.dosing_day) not in days:
            wrong.append(f"dose {row.id} is not what its permit says")
        if lines.get(row.id) != [(row.site, -row.volume_ul)]:
            wrong.append(f"dose {row.id}: not exactly one line in {row.site}'s register")
    for row in tx.execute(sa.select(_A.c.id, _A.c.permit, _A.c.site).where(_A.c.site == _A.c.home_site)):
        if row.permit is not None:
            wrong.append(f"home dose {row.id} bears a permit")
    return wrong


def dosed_twice(tx: Connection) -> list[str]:
    """Swallowed once a person, day and slot, network-wide."""
    swallowed = Counter(
        tx.execute(
            sa.select(_A.c.patient, _A.c.dosing_day, _A.c.slot)
            .join_from(_A, _O, _O.c.attempt == _A.c.id)
            .join(_R, _R.c.attempt == _A.c.id, isouter=True)
            .where(_O.c.outcome == "swallowed", _R.c.attempt.is_(None))
        )
        .all()
    )
    return [f"{key} swallowed {n} times" for key, n in swallowed.items() if n > 1]


def attended(tx: Connection) -> int:
    """Guest days attended under permits that were asked for, counted here by hand: for the figures to agree with."""
    query = (
        sa.select(_A.c.permit, _A.c.dosing_day)
        .join_from(_A, _O, _O.c.attempt == _A.c.id)
        .join(_P, _P.c.id == _A.c.permit)
        .join(guest.guest_request, guest.guest_request.c.id == _P.c.request)
        .join(_R, _R.c.attempt == _A.c.id, isouter=True)
        .where(guest.guest_request.c.kind == "asked", _O.c.outcome == "swallowed", _R.c.attempt.is_(None))
    )
    return len(set(tx.execute(query).all()))


def all_of(parts: Iterable[list[str]]) -> list[str]:
    return [each for part in parts for each in part]
