"""Back to the locked page with a PIN; wrong ones are counted for this session and end it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ost import policies
from ost.models import staff
from ost.services import credentials, sessions
from ost.services.throttle import Subject, count_up, forgive
from ost.services.work import House


@dataclass(frozen=True, slots=True)
class PinAnswer:
    """`left`: tries left; 0 and not ok = the session is ended and a full sign-in is needed."""

    ok: bool
    left: int = 0


def pin_return(house: House, session: sessions.Session, pin: str) -> PinAnswer:
    tries = policies.policy(house.policy_name).int("pin_tries")
    with house.db.begin() as tx:  # counted before it is looked at
        used = count_up(tx, Subject("pin", session.id), house.now())
    if used > tries:
        return _wrong(house, session, 0)
    a, s = staff.account, staff.web_session
    with house.read() as tx:
        stored = tx.execute(sa.select(a.c.pin_hash).where(a.c.id == session.account, a.c.active)).scalar()
    if not credentials.matches(stored, pin):
        return _wrong(house, session, tries - used)
    with house.work(session.actor(), session.site, "sign_in.returned") as work:
        woken = work.tx.execute(
            sa.update(s)
            .where(s.c.id == session.id, s.c.ended_at.is_(None), s.c.expires_at > work.now)
            .values(locked=False, seen_at=work.now)
        )
        if not woken.rowcount:
            return PinAnswer(False)
        forgive(work.tx, [Subject("pin", session.id)])
        sessions.keep_event(work, session.account, "pin_return", session.device, session.site)
    return PinAnswer(True, tries)


def _wrong(house: House, session: sessions.Session, left: int) -> PinAnswer:
    with house.work(session.actor(), session.site, "sign_in.pin_wrong") as work:
        sessions.keep_event(work, session.account, "pin_wrong", session.device, session.site)
        if left <= 0:
            sessions.end_row(work, session.id)
            forgive(work.tx, [Subject("pin", session.id)])
            sessions.keep_event(work, session.account, "pin_used_up", session.device, session.site)
    return PinAnswer(False, max(left, 0))
