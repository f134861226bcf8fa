"""Walk requests, steps, places and permits, and say where they break. Part of `ost verify`; changes nothing.

Every step is a listed transition from the step before; every head is its last
step; places belong to requests that still hold them; no person's day binds twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import guest
from ost.rules import guest as rules

_CHUNK = 2000
_R, _S, _H, _PLACE = guest.guest_request, guest.guest_step, guest.guest_head, guest.guest_place
_P, _D, _DE = guest.guest_permit, guest.permit_day, guest.permit_day_end


def check(tx: Connection, now: datetime, problem: Callable) -> None:
    """`problem(what, **where)` for each; see `ost.services.verify`."""
    last = _steps(tx, problem)
    _heads(tx, last, problem)
    _places(tx, now, problem)
    _permits(tx, problem)


def _steps(tx: Connection, problem: Callable) -> dict[str, sa.Row]:
    """The last step of each request."""
    last: dict[str, sa.Row] = {}
    query = sa.select(_S).order_by(_S.c.request, _S.c.number).execution_options(yield_per=_CHUNK)
    for step in tx.execute(query):
        before = last.get(step.request)
        stood = before.to_state if before is not None else None
        if step.number != (before.number + 1 if before is not None else 1) or step.from_state != stood:
            problem("a request's step does not follow the one before", request=step.request, step=step.number)
        if not rules.listed(step.from_state, step.action, step.to_state, step.by_role):
            problem("a request took a step nobody may take", request=step.request, step=step.number)
        last[step.request] = step
    return last


def _heads(tx: Connection, last: dict[str, sa.Row], problem: Callable) -> None:
    heads = {row.request: row for row in tx.execute(sa.select(_H))}
    for request in tx.execute(sa.select(_R.c.id)).scalars():
        head, step = heads.get(request), last.get(request)
        if head is None or step is None:
            problem("a request has no step or no head", request=request)
        elif (head.state, head.step, head.waits_for) != (step.to_state, step.number, rules.waits_for(step.to_state)):
            problem("a request's head is not its last step", request=request)


def _places(tx: Connection, now: datetime, problem: Callable) -> None:
    """A place of a request that is over lies on a day that is past; one in force lies on a day that binds."""
    # Zones reach a day to either side of UTC.
    past = now.date() + timedelta(days=1)
    query = sa.select(_PLACE.c.site, _PLACE.c.day, _PLACE.c.seat, _H.c.state).join_from(
        _PLACE, _H, _H.c.request == _PLACE.c.request
    )
    for row in tx.execute(query.where(_H.c.state.in_(rules.OVER), _PLACE.c.day > past)):
        problem("a place is held by a request that is over", site=row.site, day=str(row.day), seat=row.seat)
    given_up = (
        sa.select(_PLACE.c.site, _PLACE.c.day, _PLACE.c.seat)
        .join_from(_PLACE, _P, _P.c.request == _PLACE.c.request)
        .join(_DE, sa.and_(_DE.c.permit == _P.c.id, _DE.c.day == _PLACE.c.day))
        .where(_PLACE.c.day > past)
    )
    for row in tx.execute(given_up):
        problem("a place is held for a day that was given up", site=row.site, day=str(row.day), seat=row.seat)


def _permits(tx: Connection, problem: Callable) -> None:
    """No two permits bind the same person and day; every permit is its request's."""
    bound = (
        sa.select(_P.c.patient, _D.c.day, _P.c.id, _P.c.site, _P.c.request)
        .join_from(_D, _P, _P.c.id == _D.c.permit)
        .join(_H, _H.c.request == _P.c.request)
        .join(_DE, sa.and_(_DE.c.permit == _D.c.permit, _DE.c.day == _D.c.day), isouter=True)
        .where(_DE.c.permit.is_(None), _H.c.state.in_(rules.IN_FORCE))
    )
    seen: dict[tuple, str] = {}
    for row in tx.execute(bound.order_by(_P.c.id)):
        other = seen.setdefault((row.patient, row.day), row.id)
        if other != row.id:
            problem("two permits bind the same person and day", permit=row.id, other=other, day=str(row.day))
    headless = (
        sa.select(_P.c.id)
        .join_from(_P, _H, _H.c.request == _P.c.request)
        .where(sa.or_(_H.c.permit.is_(None), _H.c.permit != _P.c.id))
    )
    for permit in tx.execute(headless).scalars():
        problem("a permit is not its request's", permit=permit)
