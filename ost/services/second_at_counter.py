"""The second member of staff who compares a face at a counter: signed in with their own PIN, and here.

The token is bound to this counter and this person, and is for nothing else.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ost.models import staff
from ost.services import witness
from ost.services.sign_in import plain_name
from ost.services.work import Actor, House

#: Whoever used a screen at another site so recently does not stand at this counter.
ELSEWHERE = timedelta(minutes=10)


def subject(counter: str, person: str) -> str:
    return f"{counter}|{person}"


def sign(
    house: House, actor: Actor, counter: str, person: str, site: str, username: str, pin: str
) -> witness.Token | witness.NoToken:
    """The token, or why not: as any witness, and "second_not_here" for one who is at work elsewhere."""
    found = witness.witness(house, actor, subject(counter, person), site, username, pin, witness.IDENTITY)
    if isinstance(found, witness.Token) and _elsewhere(house, plain_name(username), site):
        return witness.NoToken("second_not_here")
    return found


def _elsewhere(house: House, username: str, site: str) -> bool:
    s, a, now = staff.web_session, staff.account, house.now()
    query = (
        sa.select(s.c.id)
        .join(a, a.c.id == s.c.account)
        .where(
            a.c.username == username,
            s.c.site != site,
            s.c.ended_at.is_(None),
            s.c.locked.is_(False),
            s.c.expires_at > now,
            s.c.seen_at > now - ELSEWHERE,
        )
        .limit(1)
    )
    with house.read() as tx:
        return tx.execute(query).first() is not None
