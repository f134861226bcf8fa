"""Who is expected at a site on a day: an order in force that names the site.

The queue, the site search of a finger and the printed list all ask here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import patient, prescription

_P, _E, _W = prescription.prescription, prescription.prescription_end, patient.patient

_IN_FORCE = (
    sa.select(
        _P.c.patient,
        _P.c.id,
        _P.c.slot,
        _P.c.medicine,
        _P.c.phase,
        _P.c.dose_ug,
        _P.c.days,
        _P.c.sites,
        _P.c.starts_on,
        _P.c.ends_on,
        _P.c.previous_dose_ug,
        _W.c.number,
        _W.c.home_site,
        _W.c.priority,
    )
    .join_from(_P, _W, _W.c.id == _P.c.patient)
    .join(_E, _E.c.prescription == _P.c.id, isouter=True)
    .where(
        _E.c.prescription.is_(None),
        _W.c.active,
        _P.c.starts_on <= sa.bindparam("day"),
        sa.or_(_P.c.ends_on.is_(None), _P.c.ends_on >= sa.bindparam("day")),
        # The list is JSON text; the quotes keep HUA1 from finding HUA10. Home patients first by index.
        _P.c.sites.contains(sa.bindparam("quoted"), autoescape=False),
    )
    .order_by(_W.c.number, _P.c.slot)
)


@dataclass(frozen=True, slots=True)
class Due:
    """One order in force at this site on this day. `due_today`: the weekday is in the order."""

    patient: str
    number: str
    home_site: str
    priority: tuple[str, ...]
    prescription: str
    slot: int
    medicine: str
    phase: str
    dose_ug: int
    previous_dose_ug: int | None
    due_today: bool


def expected(tx: Connection, site: str, day: date) -> tuple[Due, ...]:
    """Orders in force at `site` on dosing day `day`, by patient number and slot."""
    return tuple(
        Due(
            patient=row.patient,
            number=row.number,
            home_site=row.home_site,
            priority=tuple(json.loads(row.priority)),
            prescription=row.id,
            slot=row.slot,
            medicine=row.medicine,
            phase=row.phase,
            dose_ug=row.dose_ug,
            previous_dose_ug=row.previous_dose_ug,
            due_today=day.isoweekday() in json.loads(row.days),
        )
        for row in tx.execute(_IN_FORCE, {"day": day, "quoted": f'"{site}"'})
    )


#: The same people without their orders: a touch asks for these five hundred times a morning.
_WHO = _IN_FORCE.with_only_columns(_P.c.patient).order_by(None)


def expected_patients(tx: Connection, site: str, day: date) -> frozenset[str]:
    """Ids of everybody a finger at this site may belong to without being a stranger."""
    return frozenset(tx.execute(_WHO, {"day": day, "quoted": f'"{site}"'}).scalars())
