"""A permit's days: which still bind, and ending some of them. Helpers of the verbs; the person is locked.

A day on which a dose was prepared stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.models import dose, guest
from ost.services.guest import passes, steps
from ost.services.work import Work

TAKEN_BACK, CANCELLED, MOVED, ENDED, SITE_CLOSED = WHY = (
    "taken_back",
    "cancelled",
    "moved",
    "ended",
    "site_closed",
)
_A, _REL = dose.dose_attempt, dose.dose_release
_D, _DE = guest.permit_day, guest.permit_day_end


def live_days(tx: Connection, permit: str) -> tuple[date, ...]:
    """The permit's days that were not given up, in order."""
    query = (
        sa.select(_D.c.day)
        .join_from(_D, _DE, sa.and_(_DE.c.permit == _D.c.permit, _DE.c.day == _D.c.day), isouter=True)
        .where(_D.c.permit == permit, _DE.c.permit.is_(None))
        .order_by(_D.c.day)
    )
    return tuple(tx.execute(query).scalars())


def leave_days(
    work: Work,
    request_id: str,
    days: Iterable[date],
    who: steps.Who,
    why: str,
    data: dict,
    *,
    reason: str | None = None,
) -> str:
    """Days leave a request in force: their places are given back, the permit keeps the others. The person is locked.

    Returns the state: "ended" where none is left. Nobody is told here. Refusal("guest_day_used").
    """
    gone = tuple(sorted(days))
    head = steps.head(work, request_id)
    live = live_days(work.tx, head.permit)
    left = [day for day in live if day not in gone]
    gone = tuple(day for day in gone if day in live)
    refuse_used(work, head.patient, gone)
    end_days(work, head.permit, gone, why)
    said = data | {"days": [day.isoformat() for day in gone]}
    if not left:
        passes.revoke(work, head.permit)
        return steps.take(work, request_id, "end", steps.SYSTEM, reason=why, data=said)
    steps.free_places(work, request_id, days=gone)
    return steps.take(
        work, request_id, "drop_day", who, reason=reason, data=said, first_day=left[0], last_day=left[-1]
    )


def end_days(work: Work, permit: str, days: Iterable[date], why: str) -> None:
    """Days of a permit that bind no more."""
    work.add_many(
        _DE,
        [{"permit": permit, "day": day, "why": why, "by": work.actor.id, "at": work.now} for day in sorted(days)],
    )


def refuse_used(work: Work, patient: str, days: Iterable[date]) -> None:
    """Refusal("guest_day_used") where a dose was prepared on one of these days and not released again."""
    query = (
        sa.select(_A.c.dosing_day)
        .join_from(_A, _REL, _REL.c.attempt == _A.c.id, isouter=True)
        .where(_A.c.patient == patient, _A.c.dosing_day.in_(list(days)), _REL.c.attempt.is_(None))
        .limit(1)
    )
    used = work.tx.execute(query).scalar_one_or_none()
    if used is not None:
        raise Refusal("guest_day_used", day=used.isoformat())
