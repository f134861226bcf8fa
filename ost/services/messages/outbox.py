"""Put a message into the outbox, in the transaction of what it tells. The same fact is told once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from ost import canonical
from ost.models import message
from ost.models.patient import patient
from ost.services import sealed
from ost.services.messages import kinds
from ost.services.work import Work, new_id

_M = message.message
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class News:
    """What one person is told, as in `tell`."""

    patient: str
    kind: str
    dedupe: str
    data: Mapping


def tell(work: Work, patient_id: str, kind: str, dedupe: str, *, secret: str | None = None, **data) -> str | None:
    """Tell a patient `kind` (ost.services.messages.kinds), in their language. `data`: codes, ids and days only.

    `dedupe` names the fact ("confirmed:<request>"): a second message about it is not written, and None returned.
    `secret`: a one-time code; it is sealed with the person's key and emptied when sent. `contact=<id>` in the data:
    through that contact only, verified or not (to verify it). Days are dates or ISO texts. ValueError for a kind that
    is not listed or data that could be words.
    """
    kinds.check(kind, data)
    if work.tx.execute(sa.select(_M.c.id).where(_M.c.dedupe == dedupe)).scalar() is not None:
        return None
    language = work.tx.execute(sa.select(patient.c.language).where(patient.c.id == patient_id)).scalar_one()
    # News of one transaction has an order too: each is a moment younger than the one before.
    newest = work.tx.execute(sa.select(sa.func.max(_M.c.created_at)).where(_M.c.patient == patient_id)).scalar()
    made_at = work.now if newest is None or newest < work.now else newest + timedelta(microseconds=1)
    id_ = new_id()
    shut = None
    if secret is not None:
        key = sealed.person_key(work.tx, work.keys, patient_id)
        shut = sealed.seal(key, patient_id, "message", f"secret:{id_}", secret)
    work.add(
        _M,
        id=id_,
        patient=patient_id,
        kind=kind,
        language=language,
        data=canonical.text(data),
        secret_sealed=shut,
        dedupe=dedupe,
        state=WAITING,
        tries=0,
        tries_before=0,
        next_at=work.now,
        created_at=made_at,
    )
    return id_


def tell_many(work: Work, news: Iterable[News]) -> int:
    """As `tell` for each, in three statements: a closure tells hundreds. No secrets. Returns how many are told."""
    by_key = {each.dedupe: each for each in news}
    for each in by_key.values():
        kinds.check(each.kind, each.data)
    known = set(work.tx.execute(sa.select(_M.c.dedupe).where(_M.c.dedupe.in_(by_key))).scalars())
    fresh = [each for dedupe, each in by_key.items() if dedupe not in known]
    who = {each.patient for each in fresh}
    query = sa.select(patient.c.id, patient.c.language).where(patient.c.id.in_(who))
    language = dict(work.tx.execute(query).all())
    work.add_many(
        _M,
        [
            {
                "id": new_id(),
                "patient": each.patient,
                "kind": each.kind,
                "language": language[each.patient],
                "data": canonical.text(each.data),
                "secret_sealed": None,
                "dedupe": each.dedupe,
                "state": WAITING,
                "tries": 0,
                "tries_before": 0,
                "next_at": work.now,
                "created_at": work.now,
            }
            for each in fresh
        ],
    )
    return len(fresh)
