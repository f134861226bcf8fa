"""A patient's own requests as they may see them: where each stands, every step, what was asked, what is offered.

The patient's id comes from their own session. Another person's request and one
that does not exist are the same: Refusal("guest_request_unknown").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import guest
from ost.models import site as sites
from ost.models.patient import patient
from ost.rules import guest as rules
from ost.services import sealed
from ost.services.access import may
from ost.services.work import Actor, House, loads

_R, _S, _H, _N = guest.guest_request, guest.guest_step, guest.guest_head, guest.guest_note
_D, _E, _P, _SITE = guest.permit_day, guest.permit_day_end, guest.guest_place, sites.site


@dataclass(frozen=True, slots=True)
class Line:
    """A request in the list."""

    id: str
    number: int
    state: str
    waits_for: str
    home_site: str
    site: str
    days: tuple[date, ...]  # that still count
    asked_at: datetime
    permit: str | None

    @property
    def over(self) -> bool:
        return self.state in rules.OVER

    @property
    def in_force(self) -> bool:
        return self.state in rules.IN_FORCE


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    action: str
    to_state: str
    by_role: str
    site: str | None
    reason: str | None
    data: dict
    at: datetime
    note: str | None  # words somebody typed, opened


@dataclass(frozen=True, slots=True)
class OwnDay:
    """`ended`: why it was given up; None while it counts."""

    day: date
    ended: str | None


@dataclass(frozen=True, slots=True)
class Stay:
    """One request with everything its person may see of it."""

    line: Line
    kind: str
    reason: str | None
    replaces: str | None
    replaced_by: str | None
    distance_m: int | None
    tz: str  # of the guest site
    all_days: tuple[OwnDay, ...]
    steps: tuple[Step, ...]

    def last(self, *actions: str) -> Step | None:
        """The newest step of one of these actions."""
        return next((s for s in reversed(self.steps) if s.action in actions), None)

    def may(self, action: str) -> bool:
        """Whether the table lets the patient do this now."""
        return action in rules.actions_for(self.line.state, rules.PATIENT)


def of_patient(house: House, patient_id: str) -> tuple[Line, ...]:
    """Every request of the person, newest first."""
    with house.read() as tx:
        rows = tx.execute(_lines(patient_id)).all()
        ended = _ended(tx, [row.permit for row in rows if row.permit])
    return tuple(_line(row, ended.get(row.permit, {})) for row in rows)


def one(house: House, patient_id: str, request_id: str) -> Stay:
    """One of them."""
    with house.read() as tx:
        row = tx.execute(_lines(patient_id).where(_R.c.id == request_id)).one_or_none()
        if row is None:
            raise Refusal("guest_request_unknown")
        ended = _ended(tx, [row.permit] if row.permit else []).get(row.permit, {})
        notes = _notes(house, tx, patient_id, request_id)
        later = sa.select(_R.c.id).where(_R.c.replaces == request_id, _R.c.patient == patient_id)
        steps = tuple(
            Step(s.number, s.action, s.to_state, s.by_role, s.site, s.reason, loads(s.data), s.at, notes.get(s.number))
            for s in tx.execute(sa.select(_S).where(_S.c.request == request_id).order_by(_S.c.number))
        )
        replaced_by = tx.execute(later.order_by(_R.c.at.desc()).limit(1)).scalar()
        tz = tx.execute(sa.select(_SITE.c.tz).where(_SITE.c.id == row.site)).scalar_one()
    days = tuple(OwnDay(day, ended.get(day)) for day in _asked(row))
    return Stay(
        _line(row, ended), row.kind, row.reason, row.replaces, replaced_by, row.distance_m, tz, days, steps
    )


def require_home(house: House, actor: Actor, patient_id: str) -> None:
    """Refusal("patient_unknown") unless the actor may ask for people at this person's home site.

    A guest site that may read the record asks for somebody only where they stand (`walk_in`).
    """
    with house.read() as tx:
        home = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar()
    if home is None or not may(house, actor, "guest.ask", home):
        raise Refusal("patient_unknown")


def patient_for(house: House, actor: Actor, request_id: str) -> str:
    """Whose request it is, for whoever may ask for people at its home site, or asked for it, until it is over.

    Refusal("guest_request_unknown") for everybody else, as for one that does not exist.
    """
    with house.read() as tx:
        query = (
            sa.select(_R.c.patient, _R.c.home_site, _R.c.by, _R.c.site, _H.c.state)
            .join(_H, _H.c.request == _R.c.id)
            .where(_R.c.id == request_id)
        )
        row = tx.execute(query).one_or_none()
    if row is not None and may(house, actor, "guest.ask", row.home_site):
        return row.patient
    mine = row is not None and row.by == actor.id and row.state not in rules.OVER
    if mine and may(house, actor, "guest.ask", row.site):
        return row.patient
    raise Refusal("guest_request_unknown")


def booked(tx: Connection, patient_id: str, first: date, last: date) -> dict[date, str]:
    """{day: site} where the person has a place already: one held for a request, or a permit's day that binds."""
    held = sa.select(_P.c.day, _P.c.site).where(
        _P.c.patient == patient_id, _P.c.day.between(first, last), _P.c.second.is_(False)
    )
    binds = (
        sa.select(_D.c.day, _H.c.site)
        .join(_H, _H.c.permit == _D.c.permit)
        .join(_E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
        .where(
            _H.c.patient == patient_id,
            _H.c.state.in_(rules.IN_FORCE),
            _D.c.day.between(first, last),
            _E.c.day.is_(None),
        )
    )
    return {row.day: row.site for query in (binds, held) for row in tx.execute(query)}


def _lines(patient_id: str) -> sa.Select:
    return (
        sa.select(_R, _H.c.state, _H.c.waits_for, _H.c.site.label("site_now"), _H.c.permit, _H.c.asked_at)
        .join(_H, _H.c.request == _R.c.id)
        .where(_R.c.patient == patient_id)
        .order_by(_R.c.at.desc(), _R.c.number.desc())
    )


def _asked(row) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in loads(row.days))


def _line(row, ended: dict[date, str]) -> Line:
    days = tuple(day for day in _asked(row) if day not in ended)
    return Line(
        row.id, row.number, row.state, row.waits_for, row.home_site, row.site_now, days, row.asked_at, row.permit
    )


def _ended(tx: Connection, permits: list[str]) -> dict[str, dict[date, str]]:
    found: dict[str, dict[date, str]] = {}
    for row in tx.execute(sa.select(_E).where(_E.c.permit.in_(permits))):
        found.setdefault(row.permit, {})[row.day] = row.why
    return found


def _notes(house: House, tx: Connection, patient_id: str, request_id: str) -> dict[int, str]:
    rows = tx.execute(sa.select(_N).where(_N.c.request == request_id, _N.c.patient == patient_id)).all()
    if not rows:
        return {}
    try:
        key = sealed.person_key(tx, house.keys, patient_id)
    except SealBroken:
        return {}
    return {r.step: sealed.unseal_text(key, patient_id, "guest_note", "text", r.text_sealed) for r in rows}
