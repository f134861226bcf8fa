"""The single facts behind the figures of guest dosing: one request, one day, one wish, read from the record.

Requests count on the day they were asked for, days on the day itself and only
once it is over, at the guest site's own clock. Emergency permits under a closure
are no applications: they take places, and are left out of everything else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.models import dose, guest
from ost.rules import guest as states
from ost.rules.attendance import ATTENDED
from ost.rules.guest_figures import Fact
from ost.services.work import loads

_ASKED_KIND = "asked"
_R, _S, _H, _PE = guest.guest_request, guest.guest_step, guest.guest_head, guest.guest_permit
_D, _DE, _U = guest.permit_day, guest.permit_day_end, guest.guest_unmet
_A, _O, _V = dose.dose_attempt, dose.dose_outcome, dose.dose_void
#: Who waits for whom in these states: the patient's own time is nobody's delay.
_PATIENTS_TIME = (states.QUESTION, states.OFFERED)
_DECIDED = (states.CONFIRMED, states.DECLINED, states.NOT_ACCEPTED)


@dataclass(frozen=True, slots=True)
class Found:
    fact: Fact
    home: str


@dataclass(slots=True)
class Seen:
    """One look at the record: the days asked for, and each site's county, zone and present day."""

    tx: Connection
    now: datetime
    first: date
    last: date
    counties: dict[str, str]
    zones: dict[str, str]

    def day(self, at: datetime, code: str) -> date:
        return clock.dosing_day(at, self.zones[code])

    def over(self, day: date, code: str) -> bool:
        return day < self.day(self.now, code)

    def within(self, day: date) -> bool:
        return self.first <= day <= self.last

    def instants(self) -> tuple[datetime, datetime]:
        """Wide enough for every zone; the day itself is asked afterwards."""
        begin = datetime.combine(self.first, time(), UTC) - timedelta(days=1)
        return begin, datetime.combine(self.last, time(), UTC) + timedelta(days=2)


# --- requests ---------------------------------------------------------------------------


def _requests(seen: Seen) -> list[sa.Row]:
    """What was asked for in these days: id, home and guest site, days, distance."""
    begin, end = seen.instants()
    query = sa.select(_R.c.id, _R.c.home_site, _R.c.site, _R.c.days, _R.c.distance_m, _R.c.at).where(
        _R.c.kind == _ASKED_KIND, _R.c.at >= begin, _R.c.at < end
    )
    return [row for row in seen.tx.execute(query) if seen.within(seen.day(row.at, row.site))]


def _steps(seen: Seen, requests: list[sa.Row]) -> dict[str, list[sa.Row]]:
    found: dict[str, list[sa.Row]] = defaultdict(list)
    ids = [row.id for row in requests]
    for start in range(0, len(ids), 500):
        query = (
            sa.select(_S.c.request, _S.c.number, _S.c.from_state, _S.c.to_state, _S.c.by_role, _S.c.at)
            .where(_S.c.request.in_(ids[start : start + 500]))
            .order_by(_S.c.request, _S.c.number)
        )
        for row in seen.tx.execute(query):
            found[row.request].append(row)
    return found


def asked(seen: Seen) -> Iterator[Found]:
    for row in _requests(seen):
        yield Found(Fact(seen.day(row.at, row.site), row.site), row.home_site)


def confirmed(seen: Seen) -> Iterator[Found]:
    requests = _requests(seen)
    steps = _steps(seen, requests)
    for row in requests:
        yes = any(s.to_state == states.CONFIRMED for s in steps[row.id])
        yield Found(Fact(seen.day(row.at, row.site), row.site, yes), row.home_site)


def lead(seen: Seen) -> Iterator[Found]:
    for row in _requests(seen):
        asked, first = seen.day(row.at, row.site), date.fromisoformat(loads(row.days)[0])
        yield Found(Fact(asked, row.site, value=(first - asked).days), row.home_site)


def distance(seen: Seen) -> Iterator[Found]:
    for row in _requests(seen):
        if row.distance_m is not None:
            yield Found(Fact(seen.day(row.at, row.site), row.site, value=row.distance_m / 1000), row.home_site)


def decision(steps: list) -> tuple[str, float] | None:
    """("instant" | "people", minutes until it was confirmed or refused), without what waited for the patient and
    without the countersignature; None: not decided. `steps`: rows of guest_step, in order."""
    minutes, previous = 0.0, None
    for step in steps:
        if previous is not None and step.from_state not in (*_PATIENTS_TIME, states.ACCEPTED):
            minutes += (step.at - previous.at).total_seconds() / 60
        if step.to_state in _DECIDED:
            machine = all(s.by_role == states.SYSTEM for s in steps[1 : step.number])
            return ("instant" if machine else "people"), minutes
        previous = step
    return None


def decided(which: str) -> Callable[[Seen], Iterator[Found]]:
    def found(seen: Seen) -> Iterator[Found]:
        requests = _requests(seen)
        steps = _steps(seen, requests)
        for row in requests:
            answer = decision(steps[row.id])
            if answer is not None and answer[0] == which:
                yield Found(Fact(seen.day(row.at, row.site), row.site, value=answer[1]), row.home_site)

    return found


def countersign(seen: Seen) -> Iterator[Found]:
    requests = _requests(seen)
    steps = _steps(seen, requests)
    for row in requests:
        own = steps[row.id]
        signed = next(
            (s for s in own if s.to_state == states.CONFIRMED and s.by_role == states.GUEST_PRESCRIBER), None
        )
        if signed is not None:
            before = own[signed.number - 2]
            minutes = (signed.at - before.at).total_seconds() / 60
            yield Found(Fact(seen.day(row.at, row.site), row.site, value=minutes), row.home_site)


def refusals(seen: Seen) -> Iterator[Found]:
    begin, end = seen.instants()
    query = (
        sa.select(_S.c.at, _S.c.site.label("desk"), _S.c.action, _S.c.reason, _R.c.site, _R.c.home_site)
        .join(_R, _R.c.id == _S.c.request)
        .where(_S.c.action.in_(("decline", "refuse")), _S.c.at >= begin, _S.c.at < end)
    )
    for row in seen.tx.execute(query):
        code = row.desk if row.action == "refuse" and row.desk in seen.counties else row.site
        day = seen.day(row.at, code)
        if seen.within(day):
            yield Found(Fact(day, code, reason=row.reason or "other"), row.home_site)


# --- days -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Day:
    permit: str
    request: str
    patient: str
    site: str
    home: str
    day: date
    kind: str
    attended: bool


def _days(seen: Seen) -> list[_Day]:
    """Guest days that were booked, not given up before, and are over."""
    taken = (
        sa.select(_A.c.permit, _A.c.dosing_day)
        .join(_O, _O.c.attempt == _A.c.id)
        .join(_V, _V.c.attempt == _A.c.id, isouter=True)
        .where(
            _A.c.permit.is_not(None),
            _A.c.dosing_day.between(seen.first, seen.last),
            _O.c.outcome.in_(ATTENDED),
            sa.or_(_V.c.attempt.is_(None), _V.c.not_taken.is_(False)),
        )
    )
    attended = {(row.permit, row.dosing_day) for row in seen.tx.execute(taken)}
    query = (
        sa.select(_D.c.permit, _D.c.day, _PE.c.request, _PE.c.patient, _PE.c.site, _PE.c.home_site, _R.c.kind)
        .join_from(_D, _PE, _PE.c.id == _D.c.permit)
        .join(_R, _R.c.id == _PE.c.request)
        .join(_DE, sa.and_(_DE.c.permit == _D.c.permit, _DE.c.day == _D.c.day), isouter=True)
        .where(_D.c.day.between(seen.first, seen.last), _DE.c.permit.is_(None))
    )
    return [
        _Day(r.permit, r.request, r.patient, r.site, r.home_site, r.day, r.kind, (r.permit, r.day) in attended)
        for r in seen.tx.execute(query)
        if seen.over(r.day, r.site)
    ]


def attended_days(seen: Seen) -> Iterator[Found]:
    for d in _days(seen):
        if d.kind == _ASKED_KIND:
            yield Found(Fact(d.day, d.site, d.attended), d.home)


def no_shows(seen: Seen) -> Iterator[Found]:
    """The other side of attendance, exactly: any finer reason would be a small count of its own."""
    for found in attended_days(seen):
        yield Found(Fact(found.fact.day, found.fact.site, not found.fact.yes), found.home)


def used(seen: Seen) -> Iterator[Found]:
    for d in _days(seen):
        yield Found(Fact(d.day, d.site), d.home)


def applications(seen: Seen) -> Iterator[Found]:
    """Approved ones, on their last day asked for, once that is over."""
    approved = (
        sa.select(_R.c.id, _R.c.home_site, _R.c.site, _R.c.days)
        .join(_H, _H.c.request == _R.c.id)
        .where(
            _R.c.kind == _ASKED_KIND,
            # A day given up shortens what the head says, never what was asked for.
            _H.c.first_day <= seen.last,
            sa.exists().where(_S.c.request == _R.c.id, _S.c.to_state == states.APPROVED),
        )
    )
    ends = sa.select(_PE.c.request, _DE.c.why, sa.func.count()).join(_DE, _DE.c.permit == _PE.c.id)
    moved: dict[str, int] = {
        row[0]: row[2] for row in seen.tx.execute(ends.group_by(_PE.c.request, _DE.c.why)) if row.why == "moved"
    }
    rows = []
    for row in seen.tx.execute(approved):
        days = [date.fromisoformat(text) for text in loads(row.days)]
        # Days that another request took over are that one's.
        if seen.within(days[-1]) and seen.over(days[-1], row.site) and moved.get(row.id, 0) < len(days):
            rows.append((row, days))
    if not rows:
        return
    wide = Seen(seen.tx, seen.now, min(d[0] for _, d in rows), seen.last, seen.counties, seen.zones)
    used = {d.request for d in _days(wide) if d.attended}
    for row, days in rows:
        yield Found(Fact(days[-1], row.site, row.id in used), row.home_site)


def unmet(seen: Seen) -> Iterator[Found]:
    """A person, a county and a day once, however often they tried; not where they got a place that day after all."""
    got = (
        sa.select(_PE.c.patient, _D.c.day)
        .join(_PE, _PE.c.id == _D.c.permit)
        .join(_DE, sa.and_(_DE.c.permit == _D.c.permit, _DE.c.day == _D.c.day), isouter=True)
        .where(_D.c.day.between(seen.first, seen.last), sa.or_(_DE.c.permit.is_(None), _DE.c.why != "moved"))
    )
    had = {tuple(row) for row in seen.tx.execute(got)}
    query = sa.select(_U).where(_U.c.day.between(seen.first, seen.last)).order_by(_U.c.at, _U.c.id)
    once: set[tuple] = set()
    for row in seen.tx.execute(query):
        which = (row.patient, row.county, row.day)
        if which in once or (row.patient, row.day) in had:
            continue
        once.add(which)
        code = row.site or f"?{row.county}"
        seen.counties.setdefault(code, row.county)
        yield Found(Fact(row.day, code, reason=row.why), row.home_site)
