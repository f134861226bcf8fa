"""A person's sign-in, set up at their clinic: a PIN they type themselves, a lost telephone's second step taken away.

Only after somebody saw who they are, and how is recorded. Nothing secret is shown or printed:
the person types the PIN at the counter's keyboard or pad, and nobody can read it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models.portal import portal_event, portal_session
from ost.services import patient_read, patients
from ost.services.access import require
from ost.services.portal import factors, pin, sessions, tries
from ost.services.work import Actor, House, Work

#: How the nurse saw who it is.
SEEN_BY = ("finger", "document", "known_person")


@dataclass(frozen=True, slots=True)
class State:
    """What the clinic may know of a person's sign-in. `open_sessions`: how many, not where."""

    number: str
    has_pin: bool
    factors: factors.Factors
    open_sessions: int
    last_sign_in: datetime | None


def state(house: House, actor: Actor, patient_id: str, at: str) -> State:
    """Recorded as a reading. `at`: the reader's site. Refusal("patient_unknown"), Refusal("not_permitted")."""
    record = patient_read.read(house, actor, patient_id, page="portal.help", at=at)
    require(house, actor, "portal.help", record.home_site)
    s, e = portal_session, portal_event
    now = house.now()
    with house.read() as tx:
        live = sa.select(sa.func.count()).where(
            s.c.patient == patient_id,
            s.c.kind == sessions.WHOLE,
            s.c.ended_at.is_(None),
            s.c.expires_at > now,
            s.c.seen_at > now - sessions.idle_limit(house),
        )
        last = sa.select(sa.func.max(e.c.at)).where(e.c.patient == patient_id, e.c.what == "signed_in")
        return State(
            record.number,
            record.has_pin,
            factors.of(tx, house, patient_id),
            tx.execute(live).scalar_one(),
            tx.execute(last).scalar(),
        )


def give_pin(house: House, actor: Actor, patient_id: str, new: str, again: str, seen_by: str) -> None:
    """A new PIN, for the card at the counter and for their own pages. Ends every session; takes wrong tries away.

    Refusal("input_invalid") names `new`, `again` or `seen_by`.
    """
    home = _allowed(house, actor, patient_id)
    fields = pin.problem(house, patient_id, new, again) | _seen(seen_by)
    if fields:
        raise Refusal("input_invalid", fields=fields)
    hashed = patients.hash_pin(new)
    with house.work(actor, home, "portal.pin_given", patient=patient_id) as work:
        row = _lock(work, patient_id)
        patients.keep_pin(work, patient_id, hashed)
        tries.open_again(house, work.tx, patient_id, row.number)
        sessions.keep_event(work, patient_id, "pin_given", actor.device or "desk", by=actor.id)
        work.payload |= {"seen_by": seen_by}


def take_codes_away(house: House, actor: Actor, patient_id: str, seen_by: str) -> None:
    """The telephone is lost: number and PIN are enough until the person switches a code on again."""
    home = _allowed(house, actor, patient_id)
    if fields := _seen(seen_by):
        raise Refusal("input_invalid", fields=fields)
    with house.work(actor, home, "portal.codes_ended", patient=patient_id) as work:
        row = _lock(work, patient_id)
        factors.take_away(work, patient_id)
        sessions.end_all(work, patient_id)
        tries.open_again(house, work.tx, patient_id, row.number)
        sessions.keep_event(work, patient_id, "codes_taken_away", actor.device or "desk", by=actor.id)
        work.payload |= {"seen_by": seen_by}


def end_sessions(house: House, actor: Actor, patient_id: str) -> int:
    """Sign the person out everywhere, at their wish; how many ended."""
    home = _allowed(house, actor, patient_id)
    with house.work(actor, home, "portal.ended", patient=patient_id) as work:
        _lock(work, patient_id)
        ended = sessions.end_all(work, patient_id)
        sessions.keep_event(work, patient_id, "ended_at_clinic", actor.device or "desk", by=actor.id)
        return ended


def _seen(seen_by: str) -> dict[str, list[str]]:
    return {} if seen_by in SEEN_BY else {"seen_by": ["portal_seen_by_needed"]}


def _allowed(house: House, actor: Actor, patient_id: str) -> str:
    home = patient_read.readable(house, actor, patient_id, "portal.help").home_site
    require(house, actor, "portal.help", home)
    return home


def _lock(work: Work, patient_id: str) -> sa.Row:
    row = work.lock_patients([patient_id]).get(patient_id)
    if row is None or not row.active:
        raise Refusal("patient_unknown")
    return row


