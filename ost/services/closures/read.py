"""What stands of closures: the list, one with its board by number and count, the people of one's own site. No names.

The coordination centre sees sites, counts and request numbers. Patients' numbers
are shown to whoever may read patients at the site they are of, or go to.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.errors import Refusal
from ost.models import closure, dose, guest, message, opening, patient, prescription
from ost.models import site as sites
from ost.rules.facts import NOT_GIVEN
from ost.services.access import may, require
from ost.services.closures.declare import moved_key
from ost.services.closures.preview import Difference, Preview
from ost.services.closures.wanted import PERMISSION, READ, may_read
from ost.services.guest import calendar
from ost.services.work import Actor, House

_C, _M, _E = closure.closure, closure.closure_move, closure.closure_end
_A, _O, _RL = dose.dose_attempt, dose.dose_outcome, dose.dose_release
_RX, _RXE = prescription.prescription, prescription.prescription_end
_R, _H, _P, _MSG = guest.guest_request, guest.guest_head, patient.patient, message.message

#: How a person and day of a closure stands: dosed where they were sent or elsewhere, there, on the way, not come.
DOSED, UNDER_WAY, ARRIVED, EXPECTED, MISSED, TAKEN_BACK, NOWHERE = STATES = (
    "dosed",
    "under_way",
    "arrived",
    "expected",
    "missed",
    "taken_back",
    "nowhere",
)
SENT, WAITING, FAILED = TOLD = ("told", "being_told", "not_told")


@dataclass(frozen=True, slots=True)
class Head:
    """A closure in the list."""

    id: str
    number: int
    sites: tuple[str, ...]
    county: str | None
    days: tuple[date, ...]
    from_time: str | None
    to_time: str | None
    reason: str
    at: datetime
    ended_at: datetime | None
    end: dict | None  # counts of its undoing (ost.services.closures.undo.Undone)
    may_undo: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One person on one day. `patient_number`: only for whoever may read patients there."""

    patient: str = field(repr=False)
    day: date
    from_site: str
    to_site: str | None
    why: str
    distance_m: int | None
    request_number: int | None
    state: str  # one of STATES
    told: str | None  # one of TOLD
    patient_number: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One receiving site, or None for those with nowhere to go: counts by state and by what they were told."""

    site: str | None
    people: int
    states: dict[str, int]
    told: dict[str, int]


@dataclass(frozen=True, slots=True)
class Board:
    head: Head
    now: datetime
    rows: tuple[Row, ...]
    total: Row
    lines: tuple[Line, ...]
    ongoing: int  # doses promised at a closed site and without an outcome

    @property
    def nowhere(self) -> tuple[Line, ...]:
        return tuple(x for x in self.lines if x.to_site is None)


def closures(house: House, actor: Actor, site: str | None = None) -> list[Head]:
    """Those of, or to, sites that the actor may read of, or of this one; the newest first."""
    if site is not None:
        require(house, actor, READ, site)
    with house.read() as tx:
        rows = tx.execute(_with_end().order_by(_C.c.number.desc()).limit(200)).all()
        to: dict[str, set[str]] = defaultdict(set)
        moves = sa.select(_M.c.closure, _M.c.to_site).where(
            _M.c.to_site.is_not(None), _M.c.closure.in_([r.id for r in rows])
        )
        for r in tx.execute(moves.distinct()):
            to[r.closure].add(r.to_site)
    reached = {row.id: {*json.loads(row.sites), *to[row.id]} for row in rows}
    return [
        _head(house, actor, row)
        for row in rows
        if (site is None or site in reached[row.id]) and may_read(house, actor, reached[row.id])
    ]


def board(house: House, actor: Actor, closure_id: str) -> Board:
    """Refusal("closure_unknown"), also where the actor may not read of it."""
    with house.read() as tx:
        row = tx.execute(_with_end().where(_C.c.id == closure_id)).one_or_none()
        if row is None:
            raise Refusal("closure_unknown")
        moves = tx.execute(
            sa.select(_M, _R.c.number.label("request_number"), _H.c.state, _P.c.number.label("patient_number"))
            .join_from(_M, _R, _R.c.id == _M.c.request, isouter=True)
            .join(_H, _H.c.request == _M.c.request, isouter=True)
            .join(_P, _P.c.id == _M.c.patient)
            .where(_M.c.closure == closure_id)
            .order_by(_M.c.day, _M.c.to_site, _M.c.patient)
        ).all()
        codes = json.loads(row.sites)
        if not may_read(house, actor, {*codes, *(m.to_site for m in moves if m.to_site)}):
            raise Refusal("closure_unknown")
        head, now = _head(house, actor, row), house.now()
        lines = _lines(house, tx, actor, closure_id, moves, now)
        return Board(head, now, _rows(lines), _row(None, lines), lines, _ongoing(tx, codes, head.days))


def _with_end() -> sa.Select:
    return sa.select(_C, _E.c.at.label("ended_at"), _E.c.data).join_from(_C, _E, _E.c.closure == _C.c.id, isouter=True)


def _head(house: House, actor: Actor, row: sa.Row) -> Head:
    codes = tuple(json.loads(row.sites))
    days = tuple(date.fromisoformat(d) for d in json.loads(row.days))
    return Head(
        id=row.id,
        number=row.number,
        sites=codes,
        county=row.county,
        days=days,
        from_time=row.from_time,
        to_time=row.to_time,
        reason=row.reason,
        at=row.at,
        ended_at=row.ended_at,
        end=json.loads(row.data) if row.data else None,
        may_undo=row.ended_at is None and all(may(house, actor, PERMISSION, code) for code in codes),
    )


@dataclass(frozen=True, slots=True)
class End:
    """A site as a roster names it: its names by language, telephone, address, and hours of each day."""

    names: dict[str, str]
    addresses: dict[str, str]
    phone: str
    tz: str
    hours: dict[date, tuple[str, str]]  # opens, last dose


def ends(house: House, codes: Iterable[str], days: Iterable[date]) -> dict[str, End]:
    codes, days = sorted(set(codes)), sorted(set(days))
    s, g = sites.site, opening.guest_site
    with house.read() as tx:
        rows = tx.execute(sa.select(s, g).join_from(s, g, g.c.site == s.c.id, isouter=True).where(s.c.id.in_(codes)))
        open_ = calendar.open_days(tx, codes, days, unlisted=True)
        return {
            r.id: End(
                names={"zh_Hant_TW": r.name_zh_hant, "zh_Hans_CN": r.name_zh_hans, "en": r.name_en},
                addresses={"zh_Hant_TW": r.address_zh_hant, "zh_Hans_CN": r.address_zh_hans, "en": r.address_en},
                phone=r.phone,
                tz=r.tz,
                hours={
                    d: (open_[r.id, d].opens, open_[r.id, d].last_dose) for d in days if (r.id, d) in open_
                },
            )
            for r in rows
        }


def may_open(house: House, actor: Actor, code: str) -> bool:
    """Whether the actor may have a roster of that site's end."""
    return may(house, actor, "patient.read", code)


def numbers(house: House, actor: Actor, found: Preview, others: Iterable[Difference] = ()) -> dict[str, str]:
    """{patient: number} of those the actor may read of at a site that closes; for the centre nobody."""
    people = {m.patient for m in found.moves if may(house, actor, "patient.read", m.from_site)}
    if all(may(house, actor, "patient.read", code) for code in found.wanted.sites):
        people |= {d.patient for d in others}
    with house.read() as tx:
        query = sa.select(_P.c.id, _P.c.number).where(_P.c.id.in_(people))
        return dict(tx.execute(query).all())


# --- lines ------------------------------------------------------------------------


def _lines(
    house: House, tx: Connection, actor: Actor, closure_id: str, moves: list[sa.Row], now: datetime
) -> tuple[Line, ...]:
    people, days = {m.patient for m in moves}, {m.day for m in moves}
    doses, due = slots_used(tx, people, days), ordered(tx, people, days)
    a = sites.arrival
    here = {
        (r.site, r.day, r.patient)
        for r in tx.execute(sa.select(a.c.site, a.c.day, a.c.patient).where(a.c.day.in_(days), a.c.patient.in_(people)))
    }
    told = _told(tx, closure_id, moves)
    codes = {m.to_site for m in moves if m.to_site}
    open_ = calendar.open_days(tx, codes, days, unlisted=True)
    where = {r.id: r for r in tx.execute(sa.select(sites.site).where(sites.site.c.id.in_(codes)))}
    reads = {code: may(house, actor, "patient.read", code) for code in {*codes, *(m.from_site for m in moves)}}
    binding = _binding(tx, closure_id)
    found = []
    for m in moves:
        state = _state(m, doses, due, here, open_, where, binding, now)
        shown = reads[m.from_site] or (m.to_site is not None and reads[m.to_site])
        number = m.patient_number if shown else None
        said = told.get((m.patient, m.to_site))
        found.append(
            Line(
                m.patient, m.day, m.from_site, m.to_site, m.why, m.distance_m, m.request_number, state, said, number
            )
        )
    return tuple(found)


def slots_used(tx: Connection, people: set[str], days: set[date]) -> dict[tuple[str, date], dict[int, bool]]:
    """{(patient, day): {slot: whether its outcome is known}}; what was not given uses no slot."""
    query = (
        sa.select(_A.c.patient, _A.c.dosing_day, _A.c.slot, _O.c.outcome)
        .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
        .join(_RL, _RL.c.attempt == _A.c.id, isouter=True)
        .where(_A.c.patient.in_(people), _A.c.dosing_day.in_(days), _RL.c.attempt.is_(None))
    )
    found: dict[tuple[str, date], dict[int, bool]] = {}
    for r in tx.execute(query):
        if r.outcome != NOT_GIVEN:
            found.setdefault((r.patient, r.dosing_day), {})[r.slot] = r.outcome is not None
    return found


def ordered(tx: Connection, people: set[str], days: set[date]) -> dict[tuple[str, date], list]:
    """{(patient, day): [[slot, medicine, dose_ug]]} of the orders in force, by slot."""
    if not people:
        return {}
    query = (
        sa.select(_RX)
        .join_from(_RX, _RXE, _RXE.c.prescription == _RX.c.id, isouter=True)
        .where(_RXE.c.prescription.is_(None), _RX.c.patient.in_(people), _RX.c.starts_on <= max(days))
        .order_by(_RX.c.patient, _RX.c.slot, _RX.c.written_at, _RX.c.id)
    )
    found: dict[tuple[str, date], dict[int, list]] = {}
    for o in tx.execute(query):
        for day in days:
            in_force = o.starts_on <= day and (o.ends_on is None or o.ends_on >= day)
            if in_force and day.isoweekday() in json.loads(o.days):
                found.setdefault((o.patient, day), {})[o.slot] = [o.slot, o.medicine, o.dose_ug]
    return {key: [slots[n] for n in sorted(slots)] for key, slots in found.items()}


def _binding(tx: Connection, closure_id: str) -> set[tuple[str, date]]:
    """(request, day) of this closure's permits that were not given up."""
    g, d, e = guest.guest_permit, guest.permit_day, guest.permit_day_end
    query = (
        sa.select(g.c.request, d.c.day)
        .join_from(g, _R, _R.c.id == g.c.request)
        .join(d, d.c.permit == g.c.id)
        .join(e, sa.and_(e.c.permit == d.c.permit, e.c.day == d.c.day), isouter=True)
        .where(_R.c.closure == closure_id, e.c.permit.is_(None))
    )
    return {tuple(row) for row in tx.execute(query)}


def _state(m: sa.Row, doses, due, here, open_, where, binding, now: datetime) -> str:
    used = doses.get((m.patient, m.day), {})
    if not all(used.values()):
        return UNDER_WAY
    # Of two doses a day the other one may still be due.
    if used and {slot for slot, _, _ in due.get((m.patient, m.day), ())} <= used.keys():
        return DOSED
    if m.to_site is None:
        return NOWHERE
    if m.request is not None and (m.request, m.day) not in binding:
        return TAKEN_BACK
    local = clock.local(now, where[m.to_site].tz)
    hours = open_.get((m.to_site, m.day))
    closes = hours.closes if hours else where[m.to_site].closes
    if m.day < local.date() or (m.day == local.date() and local.time() > time.fromisoformat(closes)):
        return MISSED
    return ARRIVED if (m.to_site, m.day, m.patient) in here else EXPECTED


def _told(tx: Connection, closure_id: str, moves: list[sa.Row]) -> dict[tuple[str, str | None], str]:
    keys = {moved_key(closure_id, m.patient, m.to_site): (m.patient, m.to_site) for m in moves}
    found = {}
    for r in tx.execute(sa.select(_MSG.c.dedupe, _MSG.c.state).where(_MSG.c.dedupe.in_(keys))):
        state = SENT if r.state == "sent" else WAITING if r.state in ("waiting", "sending") else FAILED
        found[keys[r.dedupe]] = state
    return found


def _ongoing(tx: Connection, codes: list[str], days: tuple[date, ...]) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(_A)
        .join(_O, _O.c.attempt == _A.c.id, isouter=True)
        .where(_A.c.site.in_(codes), _A.c.dosing_day.in_(days), _O.c.attempt.is_(None))
    )
    return tx.execute(query).scalar_one()


# --- sums -------------------------------------------------------------------------


def _rows(lines: tuple[Line, ...]) -> tuple[Row, ...]:
    by_site: dict[str | None, list[Line]] = defaultdict(list)
    for line in lines:
        by_site[line.to_site].append(line)
    return tuple(_row(code, by_site[code]) for code in sorted(by_site, key=lambda c: (c is None, c or "")))


def _row(code: str | None, lines) -> Row:
    states, told = Counter(x.state for x in lines), Counter(x.told for x in lines if x.told)
    return Row(code, len(lines), {s: states[s] for s in STATES}, {t: told[t] for t in TOLD})


