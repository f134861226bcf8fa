"""Take a closure back: every day that was not used yet goes back to where it was, once.

What was dosed meanwhile stays and is counted, as do days that are past. A
guest's day that the closure ended cannot be opened again, for records are never
edited: it comes back as a new request that says which one it replaces, with a
permit of its own, if its site still has a place.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical, clock
from ost.errors import Refusal
from ost.models import closure, guest, opening
from ost.models.site import site
from ost.rules import closure as rules
from ost.rules import guest as states
from ost.services.access import require
from ost.services.closures import day as days_of_sites
from ost.services.closures import restore
from ost.services.closures.wanted import PERMISSION
from ost.services.guest import passes, steps
from ost.services.messages import outbox
from ost.services.work import Actor, House, Work

UNDONE = "closure_undone"
_C, _M, _CD, _CE = closure.closure, closure.closure_move, closure.closure_day, closure.closure_end
_R, _P, _D, _E, _H = (
    guest.guest_request,
    guest.guest_permit,
    guest.permit_day,
    guest.permit_day_end,
    guest.guest_head,
)


@dataclass(frozen=True, slots=True)
class Undone:
    """Counts of people and days. `taken_back`: emergency days given back; `used`: dosed or under way elsewhere, stay;
    `past`: gone by unused; `restored`: guests' days that came back; `not_restored`: guests who keep their emergency
    place; `asked_again`: places of undecided requests that came back; `still_closed`: sites' days that another
    closure keeps shut.
    """

    number: int
    taken_back: int = 0
    used: int = 0
    past: int = 0
    restored: int = 0
    not_restored: int = 0
    asked_again: int = 0
    still_closed: int = 0
    again: bool = False


@dataclass(slots=True)
class _Counts:
    taken_back: int = 0
    used: int = 0
    past: int = 0
    restored: int = 0
    not_restored: int = 0
    asked_again: int = 0
    still_closed: int = 0
    #: (person, the place that is open again) -> days
    told: dict[tuple[str, str], list[date]] = field(default_factory=lambda: defaultdict(list))


def undo(house: House, actor: Actor, closure_id: str, *, at: str | None = None) -> Undone:
    """Refusal: closure_unknown, not_permitted, closure_over (its last day is past)."""
    with house.read() as tx:
        row = _closure(tx, closure_id)
        people = _people(tx, closure_id)
    for code in json.loads(row.sites):
        require(house, actor, PERMISSION, code)
    with house.work(actor, at, "closure.undone") as work:
        work.lock_patients(people)
        _lock_sites(work, closure_id, row)
        ended = work.tx.execute(sa.select(_CE.c.data).where(_CE.c.closure == closure_id)).scalar()
        if ended is not None:
            return Undone(row.number, **json.loads(ended), again=True)
        if _people(work.tx, closure_id) - people:
            raise Refusal("closure_moving")  # somebody was written into it meanwhile: nothing is half undone
        return _undo(house, work, row)


def _undo(house: House, work: Work, row: sa.Row) -> Undone:
    codes = json.loads(row.sites)
    tz = work.tx.execute(sa.select(site.c.tz).where(site.c.id.in_(codes)).order_by(site.c.id).limit(1)).scalar_one()
    today = clock.dosing_day(work.now, tz)
    if max(map(date.fromisoformat, json.loads(row.days))) < today:
        raise Refusal("closure_over", number=row.number)
    counts = _Counts()
    end = {"closure": row.id, "by": work.actor.id, "at": work.now}
    # The site opens first: guests' days go back to it. Another closure of the same day keeps it shut.
    open_again = _open_days(work, row, counts)
    seats = restore.seats(work.tx, row.id, today, open_again)
    _take_back(work, row, today, open_again, set(seats), counts)
    for person, day, code in restore.guests(house, work, row.id, seats):
        counts.told[person, code].append(day)
        counts.restored += 1
    counts.asked_again = restore.asked(work, open_again, today)
    _tell(work, row, counts, today, open_again)
    names = [n for n in Undone.__slots__ if n not in ("number", "again")]
    data = {n: getattr(counts, n) for n in names}
    work.add(_CE, **end, data=canonical.text(data))
    work.payload = {"closure": row.id, "number": row.number, **data}
    return Undone(row.number, **data)


# --- reading and locking --------------------------------------------------------------


def _closure(tx: Connection, closure_id: str) -> sa.Row:
    row = tx.execute(sa.select(_C).where(_C.c.id == closure_id)).one_or_none()
    if row is None:
        raise Refusal("closure_unknown")
    return row


def _people(tx: Connection, closure_id: str) -> set[str]:
    moved = sa.select(_M.c.patient).where(_M.c.closure == closure_id)
    asked = sa.select(_H.c.patient).join_from(_H, _R, _R.c.id == _H.c.request).where(_R.c.closure == closure_id)
    waiting = (
        sa.select(_H.c.patient)
        .join_from(_H, _CD, sa.and_(_CD.c.site == _H.c.site, _CD.c.closure == closure_id))
        .where(_H.c.state.in_(states.OPEN))
    )
    return set(tx.execute(sa.union(moved, asked, waiting)).scalars())


def _lock_sites(work: Work, closure_id: str, row: sa.Row) -> None:
    """The closed sites and those that gave places, in order of id."""
    g, moves = opening.guest_site, sa.select(_M.c.to_site).where(_M.c.closure == closure_id, _M.c.to_site.is_not(None))
    which = sa.or_(g.c.site.in_(json.loads(row.sites)), g.c.site.in_(moves))
    work.tx.execute(sa.select(g.c.site).where(which).order_by(g.c.site).with_for_update()).all()


# --- the sites ------------------------------------------------------------------------


def _open_days(work: Work, row: sa.Row, counts: _Counts) -> set[tuple[str, date]]:
    """Rewrites the calendar without this closure; answers the days that are open again."""
    query = sa.select(_CD.c.site, _CD.c.day, _CD.c.before).where(_CD.c.closure == row.id)
    keys = {(r.site, r.day): r.before for r in work.tx.execute(query)}
    free = set(days_of_sites.rewrite(work, keys, but=row.id))
    counts.still_closed = len(keys) - len(free)
    return free


# --- emergency permits ----------------------------------------------------------------


def _take_back(
    work: Work, row: sa.Row, today: date, open_again: set, seats: set[tuple[str, date]], counts: _Counts
) -> None:
    """End every emergency day of this closure that is neither used nor past, and give its place back.

    A guest keeps theirs where the site they came from has no place for them any more (not in `seats`). Whom an earlier
    closure had sent there goes home, if that one is over: what was between was never theirs.
    """
    query = (
        sa.select(
            _P.c.id, _P.c.request, _P.c.patient, _P.c.home_site, _D.c.day, _M.c.from_site, _M.c.from_permit
        )
        .join_from(_R, _P, _P.c.request == _R.c.id)
        .join(_H, _H.c.request == _R.c.id)
        .join(_D, _D.c.permit == _P.c.id)
        .join(_E, sa.and_(_E.c.permit == _D.c.permit, _E.c.day == _D.c.day), isouter=True)
        .join(_M, sa.and_(_M.c.closure == row.id, _M.c.patient == _P.c.patient, _M.c.day == _D.c.day), isouter=True)
        .where(_R.c.closure == row.id, _H.c.state.in_(states.IN_FORCE), _E.c.permit.is_(None))
        .order_by(_P.c.patient, _P.c.id, _D.c.day)
    )
    rows = work.tx.execute(query).all()
    used = restore.used(work.tx, {r.patient for r in rows}, {r.day for r in rows})
    homeward = restore.sent_by_closures_over(work.tx, row.id)
    shut = days_of_sites.shut(work.tx, {r.day for r in rows}, but=row.id)
    back: dict[tuple[str, str], list[date]] = defaultdict(list)
    left: dict[str, list[date]] = defaultdict(list)
    for r in rows:
        if (r.patient, r.day) in used:
            counts.used += 1
            left[r.id].append(r.day)
        elif r.day < today:
            counts.past += 1
            left[r.id].append(r.day)
        elif r.from_permit in homeward and (r.home_site, r.day) not in shut:
            back[r.request, r.id].append(r.day)
            counts.told[r.patient, r.home_site].append(r.day)
            counts.taken_back += 1
        elif r.from_site is not None and (r.from_site, r.day) not in open_again:
            left[r.id].append(r.day)  # still shut by another closure: the person keeps the place
        elif r.from_permit is not None and (r.patient, r.day) not in seats:
            counts.not_restored += 1
            left[r.id].append(r.day)
        else:
            back[r.request, r.id].append(r.day)
            # A guest who comes back is told by `restore.guests`, where the day stands again.
            if r.from_permit is None:
                counts.told[r.patient, r.from_site or r.home_site].append(r.day)
            counts.taken_back += 1
    _give_back(work, back, left)


def _give_back(work: Work, back: dict[tuple[str, str], list[date]], left: dict[str, list[date]]) -> None:
    work.add_many(
        _E,
        [
            {"permit": permit, "day": d, "why": "taken_back", "by": work.actor.id, "at": work.now}
            for (_, permit), days in back.items()
            for d in days
        ],
    )
    for (request, permit), days in back.items():
        steps.free_places(work, request, days=tuple(days))
        data = {"days": [d.isoformat() for d in days]}
        if permit in left:
            first, last = min(left[permit]), max(left[permit])
            steps.take(
                work, request, "drop_day", steps.SYSTEM, reason=UNDONE, data=data, first_day=first, last_day=last
            )
        else:
            data["from_day"] = min(days).isoformat()
            steps.take(work, request, "end", steps.SYSTEM, reason=UNDONE, data=data)
            passes.revoke(work, permit)


def _tell(work: Work, row: sa.Row, counts: _Counts, today: date, open_again: set[tuple[str, date]]) -> None:
    """Whoever was sent away, or told that there is no place, hears that the site is open after all: that one, and only
    where no other closure keeps it shut."""
    query = sa.select(_M.c.patient, _M.c.day, _M.c.from_site).where(
        _M.c.closure == row.id,
        _M.c.day >= today,
        # A guest who went home is told where their day stands again.
        sa.or_(
            _M.c.to_site.is_(None),
            _M.c.to_site == _M.c.from_site,
            sa.and_(_M.c.why == rules.HOME, _M.c.from_permit.is_(None)),
        ),
    )
    for m in work.tx.execute(query):
        if (m.from_site, m.day) in open_again:
            counts.told[m.patient, m.from_site].append(m.day)
    news = [
        outbox.News(
            person,
            UNDONE,
            f"{UNDONE}:{row.id}:{person}:{code}",
            {"site": code, "days": sorted({d.isoformat() for d in days})},
        )
        for (person, code), days in sorted(counts.told.items())
    ]
    outbox.tell_many(work, news)
