"""What a closure would do, shown before it is done: who is due, where each would go, who has nowhere to go.

What is shown is kept by its digest for a day, so that a change between looking
and confirming can be told. Nothing else is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ost import canonical, policies
from ost.models import closure
from ost.rules import closure as rules
from ost.rules.closure import Move
from ost.services.closures.due import Booked, Reached, Undecided, reached
from ost.services.closures.wanted import Wanted, checked
from ost.services.work import Actor, House

#: What was shown and never confirmed is forgotten after this.
KEPT_FOR = timedelta(days=1)
_V = closure.closure_preview


@dataclass(frozen=True, slots=True)
class Receiving:
    """One site on one day: how many would come, of how many places it still has (the emergency's extra included)."""

    site: str
    day: date
    coming: int
    free: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`digest`: hand it to `declare`, which refuses if any of this has changed.

    `moves`: every person and day that is due there, with a place or a reason; `ongoing`: doses promised and without
    an outcome, which are left alone; `booked`: guests' days there that end; `gone`: places asked for there, undecided.
    """

    wanted: Wanted
    digest: str
    moves: tuple[Move, ...]
    receiving: tuple[Receiving, ...]
    ongoing: tuple[tuple[str, str, date], ...]
    booked: tuple[Booked, ...]
    gone: tuple[Undecided, ...]
    kept: dict[tuple[str, date], Undecided]
    dosed: int
    reached: Reached

    @property
    def moved(self) -> int:
        return sum(1 for m in self.moves if m.to_site is not None and m.why != rules.STAYS)

    @property
    def nowhere(self) -> tuple[Move, ...]:
        return tuple(m for m in self.moves if m.to_site is None)


def preview(house: House, actor: Actor, wanted: Wanted) -> Preview:
    """Refusal: not_permitted, input_invalid. Keeps what is shown, by its digest."""
    with house.read() as tx:
        found = compute(house, tx, checked(house, tx, actor, wanted), house.now())
    keep(house, actor, found)
    return found


def compute(house: House, tx: Connection, wanted: Wanted, now: datetime) -> Preview:
    """The plan as things stand at `now`; `wanted` is checked. Equal facts give an equal digest."""
    found = reached(house, tx, wanted, now)
    reach_m = policies.policy(house.policy_name).int("closure_reach_km") * 1000
    to_plan = [n for n in found.needs if (n.patient, n.day) not in found.kept]
    moves = [*rules.plan(to_plan, found.places, reach_m), *_kept(found), *found.stays]
    moves = tuple(sorted(moves, key=lambda m: (m.patient, m.day)))
    return Preview(
        wanted=wanted,
        digest=canonical.digest(_content(wanted, moves, found)),
        moves=moves,
        receiving=_receiving(moves, found),
        ongoing=found.ongoing,
        booked=found.booked,
        gone=found.gone,
        kept=found.kept,
        dosed=found.dosed,
        reached=found,
    )


def _kept(found: Reached) -> list[Move]:
    return [
        Move(n.patient, n.day, n.from_site, found.kept[n.patient, n.day].site, None, rules.KEPT)
        for n in found.needs
        if (n.patient, n.day) in found.kept
    ]


def _receiving(moves: tuple[Move, ...], found: Reached) -> tuple[Receiving, ...]:
    free = {(p.site, p.day): p.free for p in found.places}
    coming: dict[tuple[str, date], int] = {}
    for m in moves:
        if m.to_site is not None and m.why in rules.MOVED:
            coming[m.to_site, m.day] = coming.get((m.to_site, m.day), 0) + 1
    return tuple(Receiving(*key, n, free.get(key, 0)) for key, n in sorted(coming.items()))


def plan_rows(moves: tuple[Move, ...]) -> list[list]:
    """[patient, day, from, to, why]: what a confirmation is held against."""
    return [[m.patient, m.day.isoformat(), m.from_site, m.to_site, m.why] for m in moves]


def _content(wanted: Wanted, moves: tuple[Move, ...], found: Reached) -> dict:
    return {
        "wanted": wanted,
        "moves": plan_rows(moves),
        "ongoing": found.ongoing,
        "booked": [[b.permit, b.day] for b in found.booked],
        "gone": [[u.request, u.day] for u in found.gone],
    }


def keep(house: House, actor: Actor, found: Preview) -> None:
    """So that what changed can be told; the same preview again is one row."""
    with house.db.begin() as tx:
        now = house.now()
        tx.execute(sa.delete(_V).where(_V.c.at < now - KEPT_FOR))
        row = {
            "digest": found.digest,
            "wanted": canonical.text(found.wanted),
            "plan": canonical.text(plan_rows(found.moves)),
            "by": actor.id,
            "at": now,
        }
        insert = (sqlite if tx.dialect.name == "sqlite" else postgresql).insert(_V)
        tx.execute(insert.values(**row).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True)
class Difference:
    """One person and day that was shown otherwise; None: was not there. `*_why`: one of ost.rules.closure.WHY."""

    patient: str
    day: date
    was: str | None
    was_why: str | None
    now: str | None
    now_why: str | None


def differences(tx: Connection, digest: str, found: Preview) -> tuple[Difference, ...]:
    """What is otherwise than the preview `digest` showed; all of it where that is not known any more."""
    text = tx.execute(sa.select(_V.c.plan).where(_V.c.digest == digest)).scalar()
    before = {(p, d): (to, why) for p, d, _from, to, why in json.loads(text)} if text else {}
    after = {(m.patient, m.day.isoformat()): (m.to_site, m.why) for m in found.moves}
    none = (None, None)
    found = []
    for key in sorted(before.keys() | after.keys()):
        was, is_ = before.get(key, none), after.get(key, none)
        if was != is_:
            found.append(Difference(key[0], date.fromisoformat(key[1]), *was, *is_))
    return tuple(found)
