"""Messages that did not arrive, for whoever can call instead: the home site by number, the centre by request.

Sending one again is a person's decision, and recorded. Sends nothing itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import message, site
from ost.models.patient import patient
from ost.services.access import may, require
from ost.services.messages import kinds
from ost.services.messages.outbox import WAITING
from ost.services.messages.send import GIVEN_UP, NOWHERE, UNKNOWN
from ost.services.work import Actor, House

FAILED = (GIVEN_UP, UNKNOWN, NOWHERE)
DAYS_SHOWN = 14
MOST = 300

_M, _P, _S = message.message, patient, site.site


@dataclass(frozen=True, slots=True)
class Failed:
    """`number`: the person's, for their own site; None for the centre. `error`: a code. `again`: may be sent again."""

    id: str
    kind: str
    request: int | None
    number: str | None
    home_site: str
    state: str
    error: str | None
    channel: str | None
    tries: int
    at: datetime  # when the news was made
    done_at: datetime | None
    again: bool


def of_site(house: House, actor: Actor, site_id: str) -> list[Failed]:
    """Of the people whose home is this site, newest first. Only for whoever may know them: the centre may not."""
    require(house, actor, "message.read", site_id)
    require(house, actor, "patient.read", site_id)
    return _read(house, _query(house).where(_P.c.home_site == site_id), numbers=True)


def of_network(house: House, actor: Actor) -> list[Failed]:
    """Of every site, by request number; what belongs to no request is the home site's business alone."""
    require(house, actor, "message.read", None)
    return [f for f in _read(house, _query(house), numbers=False) if f.request is not None]


def send_again(house: House, actor: Actor, message_id: str) -> None:
    """A person decides that it goes out once more, also where nobody knows whether it arrived.

    Refusal("message_not_to_resend"): it was sent, is on its way, held a code, or would be old news.
    """
    with house.read() as tx:
        row = tx.execute(_one(message_id)).one_or_none()
    # By the person's own site, or by whoever sees the whole network; for anybody else there is no such message.
    if row is None or not (may(house, actor, "message.read", row.home_site) or may(house, actor, "message.read", None)):
        raise Refusal("message_unknown")
    with house.work(actor, row.home_site, "message.again", patient=row.patient) as work:
        row = work.tx.execute(_one(message_id).with_for_update(of=_M)).one()
        if not _again(row, work.now):
            raise Refusal("message_not_to_resend")
        values = {"state": WAITING, "tries_before": row.tries, "next_at": work.now, "done_at": None}
        work.tx.execute(sa.update(_M).where(_M.c.id == message_id).values(**values))
        work.payload |= {"message": message_id, "was": row.state, "error": row.error}


def _one(message_id: str) -> sa.Select:
    return _COLUMNS.where(_M.c.id == message_id)


_COLUMNS = (
    sa.select(_M, _P.c.number, _P.c.home_site, _S.c.tz)
    .join_from(_M, _P, _P.c.id == _M.c.patient)
    .join(_S, _S.c.id == _P.c.home_site)
)


def _query(house: House) -> sa.Select:
    since = house.now() - timedelta(days=DAYS_SHOWN)
    return (
        _COLUMNS.where(_M.c.state.in_(FAILED), _M.c.created_at >= since)
        .order_by(_M.c.created_at.desc(), _M.c.id)
        .limit(MOST)
    )


def _read(house: House, query: sa.Select, *, numbers: bool) -> list[Failed]:
    now = house.now()
    with house.read() as tx:
        rows = tx.execute(query).all()
    return [
        Failed(
            r.id,
            r.kind,
            _request(r.data),
            r.number if numbers else None,
            r.home_site,
            r.state,
            r.error,
            r.channel,
            r.tries,
            r.created_at,
            r.done_at,
            _again(r, now),
        )
        for r in rows
    ]


def _request(data: str) -> int | None:
    number = json.loads(data).get("request")
    return number if isinstance(number, int) else None


def _again(row, now: datetime) -> bool:
    """Old news stays unsent, and a code is gone with the first ending."""
    if row.state not in FAILED or row.kind == kinds.CODE:
        return False
    return now < kinds.good_until(row.kind, json.loads(row.data), row.created_at, row.tz)
