"""Put a message into the outbox, in the transaction of what it tells. The same fact is told once."""

from __future__ import annotations

import sqlalchemy as sa

from ost import canonical
from ost.models import message
from ost.models.patient import patient
from ost.services.work import Work, new_id

_M = message.message
WAITING = "waiting"


def tell(work: Work, patient_id: str, kind: str, dedupe: str, **data) -> str | None:
    """Tell a patient `kind` (ost.services.messages.kinds), in their language. `data`: codes, ids and days only.

    `dedupe` names the fact ("confirmed:<request>"): a second message about it is not written, and None returned.
    """
    if work.tx.execute(sa.select(_M.c.id).where(_M.c.dedupe == dedupe)).scalar() is not None:
        return None
    language = work.tx.execute(sa.select(patient.c.language).where(patient.c.id == patient_id)).scalar_one()
    row = work.add(
        _M,
        id=new_id(),
        patient=patient_id,
        kind=kind,
        language=language,
        data=canonical.text(data),
        dedupe=dedupe,
        state=WAITING,
        tries=0,
        next_at=work.now,
        created_at=work.now,
    )
    return row["id"]
