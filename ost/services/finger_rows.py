"""Withdraw a person's fingers within a transaction: from then on they match nowhere, and the templates are wiped."""

from __future__ import annotations

import sqlalchemy as sa

from ost.models.patient import fingerprint
from ost.services.work import Work


def withdraw(work: Work, patient_id: str, finger: str | None = None) -> int:
    """One finger, or all; how many impressions went. The person is locked. A search finds out by their change number,
    and asks the database again before it names anybody."""
    f = fingerprint
    standing = [f.c.patient == patient_id, f.c.withdrawn_at.is_(None)]
    if finger is not None:
        standing.append(f.c.finger == finger)
    if not work.tx.execute(sa.select(f.c.id).where(*standing).limit(1)).first():
        return 0
    gone = sa.update(f).where(*standing)
    return work.tx.execute(
        gone.values(withdrawn_at=work.now, template_sealed=b"", change_no=work.next_change_no("gallery"))
    ).rowcount


def wipe(work: Work, patient_id: str) -> int:
    """Withdraw all, and wipe also what a closed record's withdrawn fingers still hold; how many were withdrawn."""
    count = withdraw(work, patient_id)
    f = fingerprint
    kept = sa.and_(f.c.patient == patient_id, f.c.template_sealed != b"")
    work.tx.execute(sa.update(f).where(kept).values(template_sealed=b""))
    return count
