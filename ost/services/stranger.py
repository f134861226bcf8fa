"""All that is said of a person who is not expected here: dosed today, yes or no.

The question itself is written into the person's list of who looked (DESIGN.md,
promise 8), and that line's id is all that a counter keeps of them: what more may
be shown, and to whom, is decided from it (`ost.services.elsewhere`). Shows no
name, no number, no home site.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.models import audit, site
from ost.models.dose import dose_attempt, dose_outcome, dose_release
from ost.models.patient import patient
from ost.services.work import Work, new_id

_A, _O, _R = dose_attempt, dose_outcome, dose_release

_TAKEN = (
    sa.select(_A.c.id)
    .join_from(_A, _R, _R.c.attempt == _A.c.id, isouter=True)
    .join(_O, _O.c.attempt == _A.c.id, isouter=True)
    .where(
        _A.c.patient == sa.bindparam("patient"),
        _A.c.dosing_day == sa.bindparam("day"),
        _R.c.attempt.is_(None),
        # No outcome yet is not known, and counts as taken: the stricter reading.
        sa.or_(_O.c.outcome.is_(None), _O.c.outcome != "not_given"),
    )
    .limit(1)
)


def dosed_today(tx: Connection, person: str, now) -> bool:
    """Whether a slot of today, by the home site's calendar, holds a dose or one not known."""
    tz = tx.execute(
        sa.select(site.site.c.tz)
        .join(patient, patient.c.home_site == site.site.c.id)
        .where(patient.c.id == person)
    ).scalar_one()
    return tx.execute(_TAKEN, {"patient": person, "day": clock.dosing_day(now, tz)}).first() is not None


#: Why of the line that answers with one bit.
DOSED_TODAY = "dosed_today"


@dataclass(frozen=True, slots=True)
class Told:
    """The one bit, and the id of the line in the person's own list of who asked."""

    dosed_today: bool
    line: str


def answer_about(work: Work, person: str, page: str, account: str | None = None) -> bool:
    """The one bit alone, where no counter could be shown more."""
    return tell_about(work, person, page, account).dosed_today


def tell_about(work: Work, person: str, page: str, account: str | None = None) -> Told:
    """The one bit, and the line in the person's own list of who asked."""
    line = work.add(
        audit.record_access,
        id=new_id(),
        patient=person,
        account=account or work.actor.id,
        site=work.site,
        what="read",
        page=page,
        why=DOSED_TODAY,
        at=work.now,
    )
    return Told(dosed_today(work.tx, person, work.now), line["id"])
