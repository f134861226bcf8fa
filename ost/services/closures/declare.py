"""Declare a closure: what was previewed and nothing else, in one transaction.

All people are locked in order of id, then the sites; then the plan is made
again. If it is not the one that was shown, nothing is written and the
difference comes back. So nobody ever stands between two sites, or at two, and a
crash leaves everything as it was. Nothing is asked of the closed site's
computers: its counters may be off.

A dose that is promised there and has no outcome is left alone: its slot is shut
everywhere until somebody says what happened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from ost import canonical, policies
from ost.errors import Refusal
from ost.models import closure, guest, opening
from ost.models.patient import change_counter
from ost.models.site import site
from ost.rules import closure as rules
from ost.services.closures import day as days_of_sites
from ost.services.closures.preview import Difference, Preview, compute, differences
from ost.services.closures.wanted import Wanted, checked
from ost.services.guest import days as permit_days
from ost.services.guest import passes, steps
from ost.services.guest.days import SITE_CLOSED
from ost.services.messages import outbox
from ost.services.policy_of import keep_version
from ost.services.work import NETWORK, Actor, House, Work, new_id

COUNTER = "closure"
_REQUESTS = "guest_request"
#: Why a request ended that got what it asked for.
CLOSURE = "closure"

_C, _M, _CD = closure.closure, closure.closure_move, closure.closure_day
_R, _P, _D, _PLACE = guest.guest_request, guest.guest_permit, guest.permit_day, guest.guest_place


@dataclass(frozen=True, slots=True)
class Declared:
    """`moved`, `nowhere`: people and days; `permits`: how many were written; `again`: it stood already."""

    id: str
    number: int
    moved: int
    nowhere: int
    permits: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """Nothing was written. `preview`: how it stands now, with a digest to confirm; `differences`: what is otherwise."""

    preview: Preview
    differences: tuple[Difference, ...]


def declare(
    house: House, actor: Actor, wanted: Wanted, digest: str, *, at: str | None = None
) -> Declared | Changed:
    """Confirm what `preview` showed as `digest`. `at`: the site whose computer it is, any or none.

    Confirmed twice it is one closure. Refusal: not_permitted, input_invalid (fields of `wanted`, at).
    """
    _known(house, at)
    with house.work(actor, at, "closure.declared") as work:
        wanted = checked(house, work.tx, actor, wanted)
        found = compute(house, work.tx, wanted, work.now)
        work.lock_patients(_people(found))
        _lock_sites(work, found)
        standing = _standing(work, digest)
        if standing is not None:
            return standing
        found = compute(house, work.tx, wanted, work.now)
        if found.digest != digest:
            return Changed(found, differences(work.tx, digest, found))
        return _write(house, work, found, at)


def _known(house: House, at: str | None) -> None:
    """A chain of events belongs to a site there is."""
    if at is None:
        return
    with house.read() as tx:
        if tx.execute(sa.select(site.c.id).where(site.c.id == at)).scalar() is None:
            raise Refusal("input_invalid", fields={"at": ["site_unknown"]})


# --- locks ------------------------------------------------------------------------


def _people(found: Preview) -> set[str]:
    people = {m.patient for m in found.moves} | {b.patient for b in found.booked}
    return people | {u.patient for u in found.gone} | {person for person, _, _ in found.ongoing}


def _lock_sites(work: Work, found: Preview) -> None:
    """Every site that closes or gets somebody, in order of id; one that takes no guests has no row to lock."""
    codes = {*found.wanted.sites, *(r.site for r in found.receiving)}
    g = opening.guest_site
    work.tx.execute(sa.select(g.c.site).where(g.c.site.in_(codes)).order_by(g.c.site).with_for_update()).all()


def _standing(work: Work, digest: str) -> Declared | None:
    """The closure that this very preview became, if it was confirmed a moment ago and stands."""
    e = closure.closure_end
    row = work.tx.execute(
        sa.select(_C.c.id, _C.c.number)
        .join_from(_C, e, e.c.closure == _C.c.id, isouter=True)
        .where(_C.c.preview_digest == digest, e.c.closure.is_(None))
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    moves = work.tx.execute(sa.select(_M.c.to_site, _M.c.request, _M.c.why).where(_M.c.closure == row.id)).all()
    requests = {m.request for m in moves if m.request}
    moved = sum(1 for m in moves if m.to_site is not None and m.why != rules.STAYS)
    return Declared(row.id, row.number, moved, sum(1 for m in moves if m.to_site is None), len(requests), True)


# --- what is written --------------------------------------------------------------


def _write(house: House, work: Work, found: Preview, at: str | None) -> Declared:
    wanted, made = found.wanted, new_id()
    number = work.next_change_no(COUNTER)
    work.add(
        _C,
        id=made,
        number=number,
        sites=canonical.text(wanted.sites),
        county=wanted.county,
        days=canonical.text(wanted.days),
        from_time=wanted.from_time,
        to_time=wanted.to_time,
        reason=wanted.reason,
        preview_digest=found.digest,
        by=work.actor.id,
        by_role="centre" if any(g.role == "coordinator" for g in work.actor.grants) else "home",
        site=at or NETWORK,
        at=work.now,
    )
    _close_days(work, made, wanted)
    requests = _requests(found)
    numbers = _numbers(work, len(requests))
    _end_booked(work, found)
    _write_requests(house, work, made, found, requests, numbers)
    for u in found.gone:
        steps.free_places(work, u.request, days=(u.day,), site=u.site)  # before anybody gets a place that day
    _seat(work, found, requests)
    _end_undecided(work, made, found)
    _write_moves(work, made, found, requests)
    passes.issue_many(house, work, [r.permit for r in requests])
    _tell(work, made, found, requests, numbers)
    moved, nowhere = found.moved, len(found.nowhere)
    work.payload = {
        "closure": made,
        "number": number,
        "sites": list(wanted.sites),
        "days": [d.isoformat() for d in wanted.days],
        "moved": moved,
        "nowhere": nowhere,
        "permits": len(requests),
        "ongoing": len(found.ongoing),
    }
    return Declared(made, number, moved, nowhere, len(requests))


def _close_days(work: Work, made: str, wanted: Wanted) -> None:
    keys = [(code, day) for code in wanted.sites for day in wanted.days]
    before = days_of_sites.before(work.tx, keys)
    rows = [{"closure": made, "site": code, "day": day, "before": before[code, day]} for code, day in keys]
    work.add_many(_CD, rows)
    days_of_sites.rewrite(work, before)


@dataclass(frozen=True, slots=True)
class _Request:
    """One person's days at one site that is not their own."""

    id: str
    permit: str
    patient: str
    home_site: str
    from_site: str
    site: str
    days: tuple[date, ...]
    orders: tuple[str, ...]
    distance_m: int | None


def _requests(found: Preview) -> list[_Request]:
    grouped: dict[tuple[str, str], list[rules.Move]] = defaultdict(list)
    for m in found.moves:
        if m.why in rules.MOVED:
            grouped[m.patient, m.to_site].append(m)
    made = []
    for (person, code), moves in sorted(grouped.items()):
        orders = dict.fromkeys(o for m in moves for o in found.reached.orders[person, m.day])
        days = tuple(m.day for m in moves)
        home = found.reached.homes[person]
        made.append(
            _Request(
                new_id(), new_id(), person, home, moves[0].from_site, code, days, tuple(orders), moves[0].distance_m
            )
        )
    return made


def _numbers(work: Work, count: int) -> list[int]:
    """So many request numbers in a row, under the counter's lock."""
    if count == 0:
        return []
    first = work.next_change_no(_REQUESTS)
    c = change_counter
    if count > 1:
        work.tx.execute(sa.update(c).where(c.c.name == _REQUESTS).values(value=c.c.value + count - 1))
    return list(range(first, first + count))


def _write_requests(
    house: House, work: Work, made: str, found: Preview, requests: list[_Request], numbers: list[int]
) -> None:
    packs = dict(work.tx.execute(sa.select(site.c.id, site.c.policy)).all())
    policy_of = {code: policies.policy(packs[code]) for code in {r.home_site for r in requests}}
    for policy in {p.digest: p for p in policy_of.values()}.values():
        keep_version(house, work, policy)
    common = {"kind": "emergency", "reason": found.wanted.reason, "closure": made, "consent": None, "replaces": None}
    work.add_many(
        _R,
        [
            {
                **common,
                "id": r.id,
                "number": number,
                "patient": r.patient,
                "home_site": r.home_site,
                "site": r.site,
                "days": canonical.text(r.days),
                "orders": canonical.text(r.orders),
                "distance_m": r.distance_m,
                "content_digest": canonical.digest([made, r.patient, r.site, r.days]),
                "by": work.actor.id,
                "by_role": "system",
                "at": work.now,
            }
            for r, number in zip(requests, numbers, strict=True)
        ],
    )
    work.add_many(
        _P,
        [
            {
                "id": r.permit,
                "request": r.id,
                "patient": r.patient,
                "home_site": r.home_site,
                "site": r.site,
                "orders": canonical.text(r.orders),
                "countersign": None,
                "first_day": r.days[0],
                "last_day": r.days[-1],
                "policy": policy_of[r.home_site].digest,
                "at": work.now,
            }
            for r in requests
        ],
    )
    work.add_many(_D, [{"permit": r.permit, "day": d, "number": n} for r in requests for n, d in enumerate(r.days, 1)])
    firsts = (steps.First(r.id, r.patient, r.home_site, r.site, r.days, r.permit) for r in requests)
    steps.begin_with_permits(work, firsts, steps.SYSTEM, "declare", found.wanted.reason)


def _seat(work: Work, found: Preview, requests: list[_Request]) -> None:
    """A place for each person and day: the one they had asked for before, or the lowest that is free.

    An emergency's extra places are numbered after the published ones. The sites are locked and the plan was made
    under that lock; the keys of guest_place hold all the same.
    """
    codes, days = {r.site for r in requests}, set(found.wanted.days)
    taken: dict[tuple[str, date], set[int]] = defaultdict(set)
    query = sa.select(_PLACE.c.site, _PLACE.c.day, _PLACE.c.seat)
    for row in work.tx.execute(query.where(_PLACE.c.site.in_(codes), _PLACE.c.day.in_(days))):
        taken[row.site, row.day].add(row.seat)
    rows = []
    for r in requests:
        for d in r.days:
            kept = found.kept.get((r.patient, d))
            if kept is not None:
                work.tx.execute(
                    sa.update(_PLACE)
                    .where(_PLACE.c.request == kept.request, _PLACE.c.day == d, _PLACE.c.site == r.site)
                    .values(request=r.id, second=False)
                )
                continue
            seat = _lowest(taken[r.site, d])
            taken[r.site, d].add(seat)
            rows.append(
                {"site": r.site, "day": d, "seat": seat, "request": r.id, "patient": r.patient, "second": False}
            )
    work.add_many(_PLACE, rows)


def _lowest(taken: set[int]) -> int:
    return next(n for n in range(1, len(taken) + 2) if n not in taken)


def _end_booked(work: Work, found: Preview) -> None:
    """Guests of a closed site: their day there ended with it."""
    days: dict[str, list[date]] = defaultdict(list)
    for b in found.booked:
        days[b.request].append(b.day)
    for request, gone in sorted(days.items()):
        permit_days.leave_days(work, request, gone, steps.SYSTEM, SITE_CLOSED, {}, reason=SITE_CLOSED)


def _end_undecided(work: Work, made: str, found: Preview) -> None:
    """What was asked for and not decided: the closed site's places went; a request with no place left ends.

    A place of the same request elsewhere, offered or the first, stays. One whose places became permits ends too: it
    got what it asked for.
    """
    served = {u.request for u in found.kept.values()}
    gone: dict[str, list] = defaultdict(list)
    for u in found.gone:
        gone[u.request].append(u)
    numbers = _request_numbers(work, gone)
    for request, at in sorted(gone.items()):
        if request in served:
            continue
        days = sorted({u.day for u in at})
        left = work.tx.execute(sa.select(_PLACE.c.day).where(_PLACE.c.request == request).limit(1)).first()
        told = {"request": numbers[request], "site": at[0].site, "days": [d.isoformat() for d in days]}
        if left is None:
            steps.take(work, request, "end", steps.SYSTEM, reason=SITE_CLOSED)
        kind = "guest_ended" if left is None else "guest_changed"
        outbox.tell(work, at[0].patient, kind, f"closed:{made}:{request}", reason=SITE_CLOSED, **told)
    for request in sorted(served):
        steps.take(work, request, "end", steps.SYSTEM, reason=CLOSURE)


def _request_numbers(work: Work, ids: Iterable[str]) -> dict[str, int]:
    query = sa.select(_R.c.id, _R.c.number).where(_R.c.id.in_(sorted(ids)))
    return dict(work.tx.execute(query).all())


def _write_moves(work: Work, made: str, found: Preview, requests: list[_Request]) -> None:
    of = {(r.patient, d): r.id for r in requests for d in r.days}
    permits = {(b.patient, b.day): b.permit for b in found.booked}
    work.add_many(
        _M,
        [
            {
                "closure": made,
                "patient": m.patient,
                "day": m.day,
                "from_site": m.from_site,
                "to_site": m.to_site,
                "request": of.get((m.patient, m.day)),
                "distance_m": m.distance_m,
                "why": m.why,
                "from_permit": permits.get((m.patient, m.day)),
            }
            for m in found.moves
        ],
    )


def _tell(work: Work, made: str, found: Preview, requests: list[_Request], numbers: list[int]) -> None:
    news = []
    for r, number in zip(requests, numbers, strict=True):
        days = [d.isoformat() for d in r.days]
        told = {"request": number, "site": r.from_site, "to_site": r.site, "days": days}
        news.append(outbox.News(r.patient, "closure_moved", moved_key(made, r.patient, r.site), told))
    others: dict[tuple[str, str | None], list[rules.Move]] = defaultdict(list)
    for m in found.moves:
        if m.why not in rules.MOVED:
            others[m.patient, m.to_site].append(m)
    for (person, to_site), moves in others.items():
        told = {"site": moves[0].from_site, "days": [m.day.isoformat() for m in moves]}
        kind = "closure_nowhere" if to_site is None else "closure_moved"
        if moves[0].why == rules.STAYS:
            kind = "closure_later"
        told |= {} if to_site is None else {"to_site": to_site}
        news.append(outbox.News(person, kind, moved_key(made, person, to_site), told))
    outbox.tell_many(work, news)


def moved_key(made: str, person: str, to_site: str | None) -> str:
    """What a message about a closure is told once by."""
    return f"closure:{made[:36]}:{person[:64]}:{to_site or '-'}"
