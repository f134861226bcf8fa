"""After a closure was taken back: guests' days that it ended, and places of undecided requests, where there is room."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical
from ost.models import closure, dose, guest
from ost.models.patient import change_counter
from ost.models.patient import patient as _PERSON
from ost.rules import guest as states
from ost.rules.facts import NOT_GIVEN
from ost.services.guest import binding, calendar, follow, passes, steps
from ost.services.guest.days import CANCELLED, ENDED, TAKEN_BACK
from ost.services.work import House, Work, new_id

UNDONE = "closure_undone"
_M = closure.closure_move
_R, _P, _D, _E, _H, _PLACE, _SIGN = (
    guest.guest_request,
    guest.guest_permit,
    guest.permit_day,
    guest.permit_day_end,
    guest.guest_head,
    guest.guest_place,
    guest.guest_countersign,
)
_A, _O, _RL = dose.dose_attempt, dose.dose_outcome, dose.dose_release
#: Why an emergency day ended that its person, their site or the facts gave up: nothing takes its place.
_GIVEN_UP = (CANCELLED, TAKEN_BACK, ENDED)
_SAME = ("patient", "home_site", "site", "kind", "orders", "reason", "closure", "distance_m")


def used(tx: Connection, people: set[str], days: set[date]) -> set[tuple[str, date]]:
    """Whoever had a dose that day, anywhere, or has one under way."""
    query = (
        sa.select(_A.c.patient, _A.c.dosing_day)
        .join_from(_A, _O, _O.c.attempt == _A.c.id, isouter=True)
        .join(_RL, _RL.c.attempt == _A.c.id, isouter=True)
        .where(
            _A.c.patient.in_(people),
            _A.c.dosing_day.in_(days),
            _RL.c.attempt.is_(None),
            sa.or_(_O.c.outcome.is_(None), _O.c.outcome != NOT_GIVEN),
        )
    )
    return {tuple(row) for row in tx.execute(query)}


# --- guests whose days ended ------------------------------------------------------------


def seats(tx: Connection, closure_id: str, today: date, open_again: set) -> dict[tuple[str, date], tuple[str, int]]:
    """{(patient, day): (permit it was of, seat)} of the guests who can come back to where the closure met them.

    Not whose consent or record is gone by now, nor whoever gave that day up meanwhile.
    """
    sent = _P.alias("sent")
    query = (
        binding.with_consent(
            sa.select(_M.c.patient, _M.c.day, _M.c.from_site, _M.c.from_permit, *binding.CONSENT)
            .join_from(_M, _P, _P.c.id == _M.c.from_permit)
            .join(_H, _H.c.request == _P.c.request)
            .join(_R, _R.c.id == _P.c.request)
            .join(_PERSON, _PERSON.c.id == _M.c.patient)
            .join(sent, sent.c.request == _M.c.request, isouter=True)
            .join(_E, sa.and_(_E.c.permit == sent.c.id, _E.c.day == _M.c.day), isouter=True),
            site=_M.c.from_site,
        )
        .where(_M.c.closure == closure_id, _M.c.day >= today, _PERSON.c.active)
        .where(sa.or_(_E.c.why.is_(None), _E.c.why.not_in(_GIVEN_UP)))
        .order_by(_M.c.from_permit, _M.c.day)
    )
    void = sent_by_closures_over(tx, closure_id)
    moves = [
        m
        for m in tx.execute(query)
        if m.from_permit not in void
        and (m.from_site, m.day) in open_again
        and binding.consent_stands(m, m.from_site, m.day)
    ]
    room = _room(tx, {(m.from_site, m.day) for m in moves})
    return {
        (m.patient, m.day): (m.from_permit, room[m.from_site, m.day].pop(0))
        for m in moves
        if room[m.from_site, m.day]
    }


def guests(
    house: House, work: Work, closure_id: str, found: dict[tuple[str, date], tuple[str, int]]
) -> list[tuple[str, date, str]]:
    """Write the days of `seats` as new requests and permits; answers whose, when and where, for those that still stand
    on their facts. Only where nothing else binds that day."""
    people, days = {p for p, _ in found}, {d for _, d in found}
    busy = used(work.tx, people, days) | _bound(work.tx, people, days) | _placed(work.tx, people, days)
    wanted: dict[str, list[tuple[date, int]]] = defaultdict(list)
    for (person, day), (permit, seat) in found.items():
        if (person, day) not in busy:
            wanted[permit].append((day, seat))
    of_permit = (_P.c.id.label("permit"), _P.c.policy, _P.c.countersign, _P.c.orders.label("signed_for"))
    query = (
        sa.select(*of_permit, _H.c.consent.label("rests_on"), _R)
        .join_from(_P, _R, _R.c.id == _P.c.request)
        .join(_H, _H.c.request == _R.c.id)
        .where(_P.c.id.in_(wanted))
        .order_by(_R.c.number)
    )
    made = [(old, new_id(), new_id(), tuple(sorted(wanted[old.permit]))) for old in work.tx.execute(query)]
    if made:
        _write(house, work, made)
    for person in sorted({old.patient for old, *_ in made}):
        # Orders and holds may be others than when the day was booked.
        follow.review(work, house, person, UNDONE)
    stands = _bound(work.tx, people, days)
    back = [(old.patient, day, old.site) for old, _, _, got in made for day, _ in got]
    return [each for each in back if each[:2] in stands]


def sent_by_closures_over(tx: Connection, closure_id: str) -> set[str]:
    """Emergency permits this closure ended that rested on another one which is taken back by now: nobody returns to
    those."""
    over = closure.closure_end
    query = (
        sa.select(_M.c.from_permit)
        .join_from(_M, _P, _P.c.id == _M.c.from_permit)
        .join(_R, _R.c.id == _P.c.request)
        .join(over, over.c.closure == _R.c.closure)
        .where(_M.c.closure == closure_id)
    )
    return set(tx.execute(query).scalars())


def _write(house: House, work: Work, made: list[tuple]) -> None:
    first = work.next_change_no("guest_request")
    if len(made) > 1:
        c = change_counter
        grown = sa.update(c).where(c.c.name == "guest_request").values(value=c.c.value + len(made) - 1)
        work.tx.execute(grown)
    requests, permits, firsts = [], [], []
    for number, (old, request, permit, got) in enumerate(made, first):
        days = tuple(d for d, _ in got)
        requests.append(
            {
                **{n: getattr(old, n) for n in _SAME},
                "consent": old.rests_on,
                "id": request,
                "number": number,
                "days": canonical.text(days),
                "replaces": old.id,
                "content_digest": canonical.digest([old.id, days]),
                "by": work.actor.id,
                "by_role": "system",
                "at": work.now,
            }
        )
        permits.append(
            {
                "id": permit,
                "request": request,
                "patient": old.patient,
                "home_site": old.home_site,
                "site": old.site,
                "orders": old.signed_for,
                "countersign": old.countersign,
                "first_day": days[0],
                "last_day": days[-1],
                "policy": old.policy,
                "at": work.now,
            }
        )
        firsts.append(steps.First(request, old.patient, old.home_site, old.site, days, permit, old.rests_on))
    work.add_many(_R, requests)
    work.add_many(_P, permits)
    numbered = [{"permit": p, "day": d, "number": n} for _, _, p, got in made for n, (d, _) in enumerate(got, 1)]
    work.add_many(_D, numbered)
    steps.begin_with_permits(work, firsts, steps.SYSTEM, "declare", UNDONE)
    work.add_many(_PLACE, [_place(old, r, d, seat) for old, r, _, got in made for d, seat in got])
    _copy_signatures(work, {old.id: request for old, request, _, _ in made})
    passes.issue_many(house, work, [p["id"] for p in permits])


def _place(old: sa.Row, request: str, day: date, seat: int) -> dict:
    return {"site": old.site, "day": day, "seat": seat, "request": request, "patient": old.patient, "second": False}


def _copy_signatures(work: Work, of: dict[str, str]) -> None:
    """What the guest site's prescriber signed for the first request holds for its days that came back: same orders."""
    rows = work.tx.execute(sa.select(_SIGN).where(_SIGN.c.request.in_(of)).order_by(_SIGN.c.at, _SIGN.c.id)).all()
    work.add_many(_SIGN, [{**r._mapping, "id": new_id(), "request": of[r.request]} for r in rows])


# --- undecided requests -----------------------------------------------------------------


def asked(work: Work, open_again: set[tuple[str, date]], today: date) -> int:
    """Places of requests that still wait for an answer, where they are free. How many came back."""
    codes, days = {s for s, _ in open_again}, {d for _, d in open_again if d >= today}
    if not days:
        return 0
    waiting = work.tx.execute(
        sa.select(_H.c.request.label("id"), _H.c.patient, _H.c.site, _R.c.days)
        .join_from(_H, _R, _R.c.id == _H.c.request)
        .where(_H.c.site.in_(codes), _H.c.state.in_(states.OPEN))
        .order_by(_R.c.number)
    ).all()
    people = {w.patient for w in waiting}
    busy = _placed(work.tx, people, days) | used(work.tx, people, days)
    keys = [(w, d) for w in waiting for d in map(date.fromisoformat, json.loads(w.days)) if (w.site, d) in open_again]
    room = _room(work.tx, {(w.site, d) for w, d in keys})
    rows = []
    for w, d in keys:
        if d >= today and (w.patient, d) not in busy and room[w.site, d]:
            rows.append(_place(w, w.id, d, room[w.site, d].pop(0)))
            busy.add((w.patient, d))
    work.add_many(_PLACE, rows)
    return len(rows)


# --- within -----------------------------------------------------------------------------


def _room(tx: Connection, keys: set[tuple[str, date]]) -> dict[tuple[str, date], list[int]]:
    """Free seats, lowest first, of these sites' days."""
    codes, days = {s for s, _ in keys}, {d for _, d in keys}
    taken: dict[tuple[str, date], set[int]] = defaultdict(set)
    query = sa.select(_PLACE.c.site, _PLACE.c.day, _PLACE.c.seat)
    for r in tx.execute(query.where(_PLACE.c.site.in_(codes), _PLACE.c.day.in_(days))):
        taken[r.site, r.day].add(r.seat)
    room: dict[tuple[str, date], list[int]] = defaultdict(list)
    for key, hours in calendar.open_days(tx, codes, days).items():
        room[key] = [n for n in range(1, hours.places + 1) if n not in taken[key]][: hours.free]
    return room


def _bound(tx: Connection, people: Iterable[str], days: Iterable[date]) -> set[tuple[str, date]]:
    query = (
        sa.select(_P.c.patient, _D.c.day)
        .join_from(_D, _P, _P.c.id == _D.c.permit)
        .join(_H, _H.c.request == _P.c.request)
        .join(_E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
        .where(_P.c.patient.in_(people), _D.c.day.in_(days), _E.c.permit.is_(None), _H.c.state.in_(states.IN_FORCE))
    )
    return {tuple(row) for row in tx.execute(query)}


def _placed(tx: Connection, people: Iterable[str], days: Iterable[date]) -> set[tuple[str, date]]:
    query = sa.select(_PLACE.c.patient, _PLACE.c.day).where(_PLACE.c.patient.in_(people), _PLACE.c.day.in_(days))
    return {tuple(row) for row in tx.execute(query)}
