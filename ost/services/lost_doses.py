"""Today's doses of which something was lost, for the prescriber to decide whether another is given. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ost import clock
from ost.models import dose, patient, site
from ost.rules.facts import BY_OTHER, PARTLY, SPAT_OUT
from ost.services.access import require
from ost.services.work import Actor, House

_A, _O, _R, _S = dose.dose_attempt, dose.dose_outcome, dose.dose_release, dose.dose_observation
_P = patient.patient

_VOMITED = (
    sa.select(sa.func.min(sa.func.coalesce(_S.c.minutes_after, 0)))
    .where(_S.c.attempt == _A.c.id, _S.c.kind == "vomited")
    .correlate(_A)
    .scalar_subquery()
)
_LOST = (
    sa.select(
        _A.c.id,
        _A.c.patient,
        _P.c.number,
        _A.c.slot,
        _A.c.site,
        _A.c.ordered_ug,
        _A.c.dose_ug,
        _O.c.outcome,
        _O.c.swallowed_ug,
        _O.c.given_at,
        _VOMITED.label("vomited_minutes"),
    )
    .join_from(_A, _O, _O.c.attempt == _A.c.id)
    .join(_P, _P.c.id == _A.c.patient)
    .join(_R, _R.c.attempt == _A.c.id, isouter=True)
    .where(
        _A.c.dosing_day == sa.bindparam("day"),
        # Of a guest both sites' prescribers see it: the order is home's, the person stands before the other.
        sa.or_(_A.c.site == sa.bindparam("site"), _A.c.home_site == sa.bindparam("site")),
        _R.c.attempt.is_(None),
        sa.or_(_O.c.outcome.in_((PARTLY, SPAT_OUT, BY_OTHER)), _VOMITED.is_not(None)),
    )
    .order_by(_O.c.given_at)
)


@dataclass(frozen=True, slots=True)
class Lost:
    """`what`: "vomited" or the outcome; `minutes`: after the swallow, None where it was not vomited."""

    dose_id: str
    patient: str
    number: str
    slot: int
    site: str
    ordered_ug: int
    dose_ug: int
    swallowed_ug: int | None
    what: str
    minutes: int | None
    at: datetime


def lost_doses(house: House, actor: Actor, site_id: str) -> tuple[Lost, ...]:
    """Doses given today at `site_id`, or elsewhere to its own people, that were vomited, spat out, left in part or
    swallowed by another."""
    require(house, actor, "dose.replace", site_id)
    with house.read() as tx:
        tz = tx.execute(sa.select(site.site.c.tz).where(site.site.c.id == site_id)).scalar_one()
        rows = tx.execute(_LOST, {"day": clock.dosing_day(house.now(), tz), "site": site_id}).all()
    return tuple(
        Lost(
            dose_id=r.id,
            patient=r.patient,
            number=r.number,
            slot=r.slot,
            site=r.site,
            ordered_ug=r.ordered_ug,
            dose_ug=r.dose_ug,
            swallowed_ug=r.swallowed_ug,
            what="vomited" if r.vomited_minutes is not None else r.outcome,
            minutes=r.vomited_minutes,
            at=r.given_at,
        )
        for r in rows
    )
