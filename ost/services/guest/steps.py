"""One step of a request: the only writer of `guest_step` and `guest_head`.

The person's row is locked before; the table in `ost.rules.guest` says whether
the step may be taken; the database's keys say that it follows the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models import guest
from ost.rules import guest as rules
from ost.services.work import Work

_H, _S, _P = guest.guest_head, guest.guest_step, guest.guest_place
_HEAD = sa.select(_H).where(_H.c.request == sa.bindparam("request")).with_for_update()


@dataclass(frozen=True, slots=True)
class Who:
    """`by`: an account's id, "patient:<id>" or "system"; `role`: one of ost.rules.guest.ROLES."""

    by: str
    role: str
    site: str | None = None


SYSTEM = Who("system", rules.SYSTEM)


def begin(
    work: Work,
    *,
    request: str,
    patient: str,
    home_site: str,
    site: str,
    days: tuple[date, ...],
    who: Who,
    action: str,
    consent: str | None = None,
) -> str:
    """The first step of a request just written, and its head. Returns the state. `consent`: else the request's."""
    state = _next(None, action, who)
    if consent is None:
        asked = guest.guest_request
        consent = work.tx.execute(sa.select(asked.c.consent).where(asked.c.id == request)).scalar_one()
    work.add(
        guest.guest_head,
        request=request,
        patient=patient,
        home_site=home_site,
        site=site,
        state=state,
        waits_for=rules.waits_for(state),
        step=1,
        since=work.now,
        asked_at=work.now,
        first_day=min(days),
        last_day=max(days),
        consent=consent,
    )
    _add(work, request, 1, None, action, state, who, None, {})
    return state


@dataclass(frozen=True, slots=True)
class First:
    """A request just written, with the permit it begins with."""

    request: str
    patient: str
    home_site: str
    site: str
    days: tuple[date, ...]
    permit: str
    consent: str | None = None


def begin_with_permits(work: Work, firsts: Iterable[First], who: Who, action: str, reason: str) -> None:
    """The first step of many requests at once, each with its permit (written before): a closure's."""
    state = _next(None, action, who)
    firsts = tuple(firsts)
    work.add_many(
        guest.guest_head,
        [
            {
                "request": f.request,
                "patient": f.patient,
                "home_site": f.home_site,
                "site": f.site,
                "state": state,
                "waits_for": rules.waits_for(state),
                "step": 1,
                "since": work.now,
                "asked_at": work.now,
                "first_day": min(f.days),
                "last_day": max(f.days),
                "permit": f.permit,
                "consent": f.consent,
            }
            for f in firsts
        ],
    )
    rows = [_row(work, f.request, 1, None, action, state, who, reason, {"permit": f.permit}) for f in firsts]
    work.add_many(_S, rows)


def head(work: Work, request: str) -> sa.Row:
    """The request's head, locked. Refusal("guest_request_unknown")."""
    row = work.tx.execute(_HEAD, {"request": request}).one_or_none()
    if row is None:
        raise Refusal("guest_request_unknown")
    return row


def take(
    work: Work,
    request: str,
    action: str,
    who: Who,
    *,
    reason: str | None = None,
    data: dict | None = None,
    site: str | None = None,
    permit: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    consent: str | None = None,
) -> str:
    """Take one step; the patient must be locked. `site`, `permit`, the days and `consent`: the head's new ones.

    Returns the new state.

    A step into an ending gives back every place that lies on or after `data["from_day"]` (ISO), or all of them.
    Refusal("guest_step_not_possible") where the table has no such step from here; ("not_permitted") for the role.
    """
    now = head(work, request)
    state = _next(now.state, action, who)
    number = now.step + 1
    _add(work, request, number, now.state, action, state, who, reason, data or {})
    values = {"state": state, "waits_for": rules.waits_for(state), "step": number}
    if state != now.state:
        values["since"] = work.now
    new = {"site": site, "permit": permit, "first_day": first_day, "last_day": last_day, "consent": consent}
    values |= {name: value for name, value in new.items() if value is not None}
    work.tx.execute(sa.update(_H).where(_H.c.request == request).values(**values))
    if state in rules.OVER:
        free_places(work, request, from_day=(data or {}).get("from_day"))
    work.payload.setdefault("steps", []).append([request, number, action, state])
    return state


def possible(state: str | None, action: str, who: Who) -> str:
    """Where `action` would lead, or the Refusal that taking it would meet."""
    return _next(state, action, who)


def free_places(
    work: Work,
    request: str,
    *,
    from_day: str | None = None,
    days: tuple[date, ...] | None = None,
    site: str | None = None,
) -> int:
    """Give places back: of `days`, or from a day on, or all; at `site` alone, or wherever. Returns how many."""
    gone = sa.delete(_P).where(_P.c.request == request)
    if site is not None:
        gone = gone.where(_P.c.site == site)
    if days is not None:
        gone = gone.where(_P.c.day.in_(days))
    elif from_day is not None:
        gone = gone.where(_P.c.day >= date.fromisoformat(from_day))
    return work.tx.execute(gone).rowcount


def _next(state: str | None, action: str, who: Who) -> str:
    try:
        return rules.next_state(state, action, who.role)
    except rules.NotListed as no:
        if no.why == "role":
            raise Refusal("not_permitted") from None
        raise Refusal("guest_step_not_possible", state=state or "-", action=action) from None


def _add(work: Work, request, number, from_state, action, to_state, who: Who, reason, data) -> None:
    work.add(_S, **_row(work, request, number, from_state, action, to_state, who, reason, data))


def _row(work: Work, request, number, from_state, action, to_state, who: Who, reason, data) -> dict:
    return {
        "request": request,
        "number": number,
        "previous": number - 1 if number > 1 else None,
        "from_state": from_state,
        "action": action,
        "to_state": to_state,
        "by": who.by,
        "by_role": who.role,
        "site": who.site,
        "reason": reason,
        "data": canonical.text(data),
        "at": work.now,
    }
