"""The rows one try of showing who one is leaves, and the counter's line about it. Decides nothing."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from ost import canonical
from ost.keys import SealBroken
from ost.models import site as sites
from ost.models.identity import identity_try
from ost.models.station import identity_evidence
from ost.services import sealed
from ost.services.work import Work, new_id

OFFERED = "offered_after_touch"  # the reason of a tap on a face that a touch had offered
PIN_WANTED = "pin_wanted"
#: So long a tap on a face that a touch offered stands for itself; later it is a face out of the list, as any other.
OFFERED_FOR = timedelta(minutes=5)


def keep_try(work: Work, counter: str, path: str, purpose: str, shown, *, reason=None, document=None, second=None):
    """One `identity_try`: the path, how it ended, and by whom; whom it showed stands in its evidence alone."""
    work.add(
        identity_try,
        id=new_id(),
        site=work.site,
        counter=counter,
        path=path,
        purpose=purpose,
        result=shown.result,
        code=shown.code,
        reason=reason,
        document=document,
        evidence=shown.evidence,
        second=second,
        account=work.actor.id,
        at=work.now,
    )


def evidence(work: Work, counter, person: str, purpose: str, path: str, reason: str | None, dose) -> str:
    row = work.add(
        identity_evidence,
        id=new_id(),
        patient=person,
        site=counter.site,
        purpose=purpose,
        path=path,
        capture=None,
        dose=dose,
        station=None,
        account=work.actor.id,
        reason=reason,
        at=work.now,
    )
    return row["id"]


def lock_counter(work: Work, counter: str) -> sa.Row:
    c = sites.counter
    return work.tx.execute(sa.select(c).where(c.c.id == counter).with_for_update()).one()


def say(work: Work, counter, notice: dict | None, **values) -> None:
    """What the counter's page reads next."""
    c = sites.counter
    work.tx.execute(
        sa.update(c)
        .where(c.c.id == counter.id)
        .values(notice=canonical.text(notice) if notice else None, version=c.c.version + 1, **values)
    )


def offered(notice: str | None, now: datetime) -> tuple[str, ...]:
    """The people whose faces a touch offered just now."""
    said = json.loads(notice) if notice else {}
    return () if offered_before(said, now) else tuple(said.get("candidates", ()))


def offered_before(said: dict, now: datetime) -> bool:
    """Whether a notice offers faces for a touch of some time ago: whoever touched has long left."""
    return "candidates" in said and now - datetime.fromisoformat(said["at"]) > OFFERED_FOR


def birth_date(work: Work, row: sa.Row) -> date | None:
    """Opened; None for somebody who is forgotten."""
    try:
        key = sealed.person_key(work.tx, work.keys, row.id)
    except SealBroken:
        return None
    born = sealed.unseal_text(key, row.id, "patient", "birth_date", row.birth_date_sealed)
    return date.fromisoformat(born) if born else None
