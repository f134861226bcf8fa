"""Server-side sessions: found by a random token, locked when idle, ended for good.

The token is only in the cookie or in the caller's hand; the database holds its
SHA-256. Roles are read with every request, so a role taken away is gone at
once. It does not sign anybody in; `sign_in` does.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import policies
from ost.models import staff
from ost.rules.access import Grant
from ost.services.work import Actor, House, Work, new_id

PAGE, API = KINDS = ("page", "api")
#: A working day and its overtime; after it password and code again, whatever was going on.
LIFETIME = {PAGE: timedelta(hours=14), API: timedelta(hours=12)}
#: Activity is written down at most this often, so that looking at a page costs no write.
SEEN_EVERY_S = 20


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser or program, as it stands now."""

    id: str
    kind: str
    account: str
    username: str
    display_name: str
    language: str
    device: str
    site: str | None
    counter: str | None
    station: str | None
    locked: bool
    seen_at: datetime
    expires_at: datetime
    grants: tuple[Grant, ...]

    def actor(self) -> Actor:
        return Actor(self.account, self.grants, self.device, self.id)


def token_id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def start(
    work: Work, *, account: str, kind: str, device: str, station: str | None = None
) -> tuple[str, datetime]:
    """(token, expires_at) of a new session, inside the caller's transaction."""
    token = secrets.token_urlsafe(32)
    expires = work.now + LIFETIME[kind]
    work.add(
        staff.web_session,
        id=token_id(token),
        account=account,
        kind=kind,
        device=device,
        station=station,
        created_at=work.now,
        seen_at=work.now,
        expires_at=expires,
        locked=False,
    )
    return token, expires


_S, _A, _G = staff.web_session, staff.account, staff.role_grant
# Asked with every request, so it is built once.
_FIND = (
    sa.select(_S, _A.c.username, _A.c.display_name, _A.c.language, _G.c.role, _G.c.scope_kind, _G.c.scope)
    .join(_A, _A.c.id == _S.c.account)
    .outerjoin(_G, _G.c.account == _A.c.id)
    .where(
        _S.c.id == sa.bindparam("token"),
        _S.c.kind == sa.bindparam("kind_of"),
        _S.c.ended_at.is_(None),
        _A.c.active,
    )
)


def find(house: House, token: str, kind: str) -> Session | None:
    """The live session of a token, or None: unknown, ended, expired, of the other kind, account closed."""
    if not token or len(token) > 200:
        return None
    with house.read() as tx:
        rows = tx.execute(_FIND, {"token": token_id(token), "kind_of": kind}).all()
    now = house.now()
    if not rows or rows[0].expires_at <= now:
        return None
    row = rows[0]
    return Session(
        id=row.id,
        kind=row.kind,
        account=row.account,
        username=row.username,
        display_name=row.display_name,
        language=row.language,
        device=row.device,
        site=row.site,
        counter=row.counter,
        station=row.station,
        locked=kind == PAGE and (row.locked or now - row.seen_at >= idle_limit(house)),
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        grants=tuple(Grant(r.role, r.scope_kind, r.scope) for r in rows if r.role),
    )


def idle_limit(house: House) -> timedelta:
    return timedelta(seconds=policies.policy(house.policy_name).int("idle_lock_s"))


def touch(house: House, session: Session) -> None:
    """Somebody is there. Written at most every SEEN_EVERY_S seconds; never wakes a locked session."""
    now = house.now()
    every = min(timedelta(seconds=SEEN_EVERY_S), idle_limit(house) / 10)
    if session.locked or now - session.seen_at < every:
        return
    s = staff.web_session
    with house.db.begin() as tx:
        tx.execute(
            sa.update(s)
            .where(s.c.id == session.id, s.c.locked.is_(False), s.c.ended_at.is_(None))
            .values(seen_at=now)
        )


def lock(house: House, session: Session) -> None:
    """The person taps "lock"."""
    s = staff.web_session
    with house.db.begin() as tx:
        tx.execute(sa.update(s).where(s.c.id == session.id).values(locked=True))


def place(house: House, session: Session, *, site: str, counter: str | None, station: str | None) -> None:
    """Where this session works; who may do so was asked by the caller."""
    s = staff.web_session
    with house.db.begin() as tx:
        tx.execute(
            sa.update(s).where(s.c.id == session.id).values(site=site, counter=counter, station=station)
        )


def end(house: House, session: Session) -> None:
    """Sign out."""
    with house.work(session.actor(), session.site, "sign_in.ended") as work:
        end_row(work, session.id)
        keep_event(work, session.account, "signed_out", session.device, session.site)


def end_row(work: Work, session_id: str) -> None:
    s = staff.web_session
    work.tx.execute(
        sa.update(s).where(s.c.id == session_id, s.c.ended_at.is_(None)).values(ended_at=work.now)
    )


def end_all(work: Work, account: str) -> int:
    """End every session of an account: its password, code or PIN changed, or it was closed."""
    s = staff.web_session
    ended = work.tx.execute(
        sa.update(s).where(s.c.account == account, s.c.ended_at.is_(None)).values(ended_at=work.now)
    )
    return ended.rowcount


def keep_event(work: Work, account: str | None, what: str, device: str, site: str | None) -> None:
    """The record of a sign-in, a wrong try, a lock: who (if known), what, from which device."""
    work.add(
        staff.sign_in_event,
        id=new_id(),
        account=account,
        what=what,
        device=device,
        site=site,
        at=work.now,
    )
