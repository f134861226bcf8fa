"""What is over at the patients' door goes: sessions that ended or ran out, codes of earlier days.

The record of the door (`portal_event`) stays; it is what the person and an auditor look at.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ost.models.portal import portal_code, portal_session
from ost.services.work import House

#: Codes are counted over a day; two leave room for any clock.
CODES_KEPT = timedelta(days=2)
_S, _C = portal_session, portal_code


def tidy(house: House) -> int:
    """Rows taken away. Ordinary tables, and none of them opens anything any more: no event."""
    now = house.now()
    with house.db.begin() as tx:
        over = sa.or_(_S.c.ended_at.is_not(None), _S.c.expires_at <= now)
        gone = tx.execute(sa.delete(_S).where(over)).rowcount
        return gone + tx.execute(sa.delete(_C).where(_C.c.created_at <= now - CODES_KEPT)).rowcount
