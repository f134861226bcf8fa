"""One-time codes by text message for signing in: six digits, kept as a MAC, good for minutes, once, for few tries.

A new code kills the one before; how many go out in a day is limited. The words and the
sending are `ost.services.messages`'.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

import sqlalchemy as sa

from ost import policies
from ost.models.portal import portal_code
from ost.services.messages import kinds, outbox
from ost.services.portal import sessions
from ost.services.work import House, Work, new_id

PURPOSE = "sign_in"
DIGITS = 6
_C = portal_code


def send(house: House, work: Work, patient_id: str, contact_id: str, device: str) -> int:
    """A new code to that telephone; seconds to wait where it is too early. The caller holds the lock."""
    policy = policies.policy(house.policy_name)
    mine = (_C.c.patient == patient_id, _C.c.purpose == PURPOSE)
    day = sa.select(_C.c.created_at).where(*mine, _C.c.created_at > work.now - timedelta(days=1))
    sent = work.tx.execute(day.order_by(_C.c.created_at)).scalars().all()
    free = work.now
    if sent:
        free = sent[-1] + timedelta(seconds=policy.int("portal_code_wait_s"))
    if len(sent) >= (most := policy.int("portal_codes_a_day")):
        free = max(free, sent[-most] + timedelta(days=1))
    if free > work.now:
        return max(1, int((free - work.now).total_seconds()))
    minutes = policy.int("portal_code_minutes")
    work.tx.execute(sa.update(_C).where(*mine, _C.c.used_at.is_(None)).values(expires_at=work.now))
    id_, code = new_id(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    work.add(
        _C,
        id=id_,
        patient=patient_id,
        purpose=PURPOSE,
        code_mac=_mac(house, id_, code),
        tries=0,
        created_at=work.now,
        expires_at=work.now + timedelta(minutes=minutes),
    )
    outbox.tell(work, patient_id, kinds.CODE, f"sign_in:{id_}", secret=code, contact=contact_id, minutes=minutes)
    sessions.keep_event(work, patient_id, "code_sent", device)
    return 0


def right(house: House, work: Work, patient_id: str, typed: str) -> bool:
    """Whether it is the newest code, unused and in time; then it is used. The caller holds the person's lock."""
    query = (
        sa.select(_C)
        .where(_C.c.patient == patient_id, _C.c.purpose == PURPOSE)
        .order_by(_C.c.created_at.desc(), _C.c.id)
        .limit(1)
    )
    row = work.tx.execute(query).one_or_none()
    tries = policies.policy(house.policy_name).int("portal_code_tries")
    if row is None or row.used_at is not None or row.expires_at <= work.now or row.tries >= tries:
        return False
    same = secrets.compare_digest(_mac(house, row.id, typed), row.code_mac)
    change = sa.update(_C).where(_C.c.id == row.id)
    work.tx.execute(change.values(tries=row.tries + 1, used_at=work.now if same else None))
    return same


def _mac(house: House, code_id: str, code: str) -> str:
    return house.keys.search_mac("portal code", f"{code_id}|{code}")
