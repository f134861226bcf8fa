"""A patient's sessions: found by a random token, over when idle, ended for good, and listed for the person.

The token is only in the cookie; the database holds its SHA-256. A session is "half"
between the PIN and the one-time code and opens nothing then; the whole one that
follows has a token of its own. It signs nobody in; `sign_in` does.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import policies
from ost.models import site
from ost.models.patient import patient
from ost.models.portal import portal_event, portal_session
from ost.services.work import Actor, House, Work, new_id

HALF, WHOLE = KINDS = ("half", "whole")
#: Activity is written down at most this often, so that looking at a page costs no write.
SEEN_EVERY_S = 20


@dataclass(frozen=True, slots=True)
class PortalSession:
    """One browser of one patient, as it stands now."""

    id: str
    patient: str
    kind: str
    device: str  # opaque
    label: str | None
    language: str
    home_site: str
    tz: str  # of the home site
    created_at: datetime
    seen_at: datetime
    expires_at: datetime

    @property
    def whole(self) -> bool:
        return self.kind == WHOLE

    def actor(self) -> Actor:
        """The patient as services know them: no roles at all."""
        return Actor(f"patient:{self.patient}", (), self.device, self.id)


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of the person's own list. `ref` names it in a form; it is not the token nor opens anything."""

    ref: str
    label: str | None
    created_at: datetime
    seen_at: datetime
    this: bool


_S, _P, _H = portal_session, patient, site.site
# Asked with every request, so it is built once. An ended treatment or a forgotten person has no session.
_FIND = (
    sa.select(_S, _P.c.language, _P.c.home_site, _H.c.tz)
    .join(_P, _P.c.id == _S.c.patient)
    .join(_H, _H.c.id == _P.c.home_site)
    .where(_S.c.id == sa.bindparam("token"), _S.c.ended_at.is_(None), _P.c.active)
)


def token_id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def start(
    house: House, work: Work, patient_id: str, *, kind: str, device: str, label: str | None
) -> str:
    """The token of a new session, inside the caller's transaction."""
    token = secrets.token_urlsafe(32)
    work.add(
        portal_session,
        id=token_id(token),
        patient=patient_id,
        kind=kind,
        device=device,
        label=(label or "")[:80] or None,
        created_at=work.now,
        seen_at=work.now,
        expires_at=work.now + _life(house, kind),
        ended_at=None,
    )
    return token


def find(house: House, token: str) -> PortalSession | None:
    """The live session of a token, or None: unknown, ended, expired, idle too long, treatment ended, forgotten."""
    if not token or len(token) > 200:
        return None
    with house.read() as tx:
        row = tx.execute(_FIND, {"token": token_id(token)}).one_or_none()
    now = house.now()
    if row is None or row.expires_at <= now or now - row.seen_at >= idle_limit(house):
        return None
    return PortalSession(
        id=row.id,
        patient=row.patient,
        kind=row.kind,
        device=row.device,
        label=row.label,
        language=row.language,
        home_site=row.home_site,
        tz=row.tz,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
    )


def idle_limit(house: House) -> timedelta:
    return timedelta(minutes=policies.policy(house.policy_name).int("portal_idle_minutes"))


def touch(house: House, session: PortalSession) -> None:
    """Somebody is there. Written at most every SEEN_EVERY_S seconds; never wakes an ended session."""
    now = house.now()
    if now - session.seen_at < timedelta(seconds=SEEN_EVERY_S):
        return
    with house.db.begin() as tx:
        tx.execute(sa.update(_S).where(_S.c.id == session.id, _S.c.ended_at.is_(None)).values(seen_at=now))


def of_patient(house: House, session: PortalSession) -> list[Seen]:
    """The person's live, complete sessions: this one first, then the last seen."""
    now = house.now()
    query = (
        sa.select(_S)
        .where(
            _S.c.patient == session.patient,
            _S.c.kind == WHOLE,
            _S.c.ended_at.is_(None),
            _S.c.expires_at > now,
            _S.c.seen_at > now - idle_limit(house),
        )
        .order_by(_S.c.seen_at.desc(), _S.c.id)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
    seen = [Seen(_ref(house, r.id), r.label, r.created_at, r.seen_at, r.id == session.id) for r in rows]
    return sorted(seen, key=lambda one: not one.this)


def end(house: House, session: PortalSession) -> None:
    """Sign out, or leave quickly. Again: nothing happens."""
    with house.work(session.actor(), session.home_site, "portal.ended", patient=session.patient) as work:
        if end_row(work, session.id):
            keep_event(work, session.patient, "ended", session.device)


def end_one(house: House, session: PortalSession, ref: str) -> bool:
    """End the session that `ref` names in the person's own list; False when there is none such."""
    with house.read() as tx:
        ids = tx.execute(
            sa.select(_S.c.id).where(_S.c.patient == session.patient, _S.c.ended_at.is_(None))
        ).scalars()
        named = next((i for i in ids if secrets.compare_digest(_ref(house, i), ref[:64])), None)
    if named is None:
        return False
    with house.work(session.actor(), session.home_site, "portal.ended", patient=session.patient) as work:
        if end_row(work, named):
            keep_event(work, session.patient, "ended", session.device)
    return True


def end_others(house: House, session: PortalSession) -> int:
    """End every session of the person but this one; how many ended."""
    with house.work(session.actor(), session.home_site, "portal.ended", patient=session.patient) as work:
        ended = end_all(work, session.patient, but=session.id)
        if ended:
            keep_event(work, session.patient, "ended_others", session.device)
        return ended


def set_language(house: House, session: PortalSession, code: str) -> None:
    """The person's own language: of their pages and of what is sent to them. The caller knows the codes."""
    with house.work(session.actor(), session.home_site, "portal.language", patient=session.patient) as work:
        work.lock_patients([session.patient])
        work.tx.execute(
            sa.update(_P)
            .where(_P.c.id == session.patient)
            .values(language=code, change_no=work.next_change_no("patients"))
        )
        work.payload |= {"language": code}


def end_row(work: Work, session_id: str) -> bool:
    ended = work.tx.execute(
        sa.update(_S).where(_S.c.id == session_id, _S.c.ended_at.is_(None)).values(ended_at=work.now)
    )
    return bool(ended.rowcount)


def end_all(work: Work, patient_id: str, but: str | None = None) -> int:
    """End every session of a person: their PIN changed, their treatment ended, they are forgotten."""
    ended = work.tx.execute(
        sa.update(_S)
        .where(_S.c.patient == patient_id, _S.c.ended_at.is_(None), _S.c.id != (but or ""))
        .values(ended_at=work.now)
    )
    return ended.rowcount


def keep_event(work: Work, patient_id: str | None, what: str, device: str, by: str | None = None) -> None:
    """The record of the door: who (if known), what, from which device; `by`: an account that did it for them."""
    work.add(portal_event, id=new_id(), patient=patient_id, what=what, device=device, by=by, at=work.now)


def _ref(house: House, session_id: str) -> str:
    """A name for a session on its owner's page: the database's own id stays inside."""
    return house.keys.search_mac("portal session", session_id)[:24]


def _life(house: House, kind: str) -> timedelta:
    policy = policies.policy(house.policy_name)
    if kind == HALF:
        # As long as a code may take, twice: the first one may be lost.
        return timedelta(minutes=2 * policy.int("portal_code_minutes"))
    return timedelta(hours=policy.int("portal_session_hours"))
