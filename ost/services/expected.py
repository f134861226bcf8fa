"""Who is expected at a site on a day: an order in force that names the site, or a permit's day.

The queue, the site search of a finger and the printed list all ask here. A
guest's order is the home order, read where it is; nothing of it is copied.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import patient, prescription
from ost.services.guest import binding
from ost.services.guest.binding import GuestDay

_P, _E, _W = prescription.prescription, prescription.prescription_end, patient.patient

_ORDERS = (
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
    )
    .order_by(_W.c.number, _P.c.slot)
)
# The list is JSON text; the quotes keep HUA1 from finding HUA10. Home patients first by index.
_IN_FORCE = _ORDERS.where(_P.c.sites.contains(sa.bindparam("quoted"), autoescape=False))
_OF_GUESTS = _ORDERS.where(_P.c.patient.in_(sa.bindparam("people", expanding=True)))


@dataclass(frozen=True, slots=True)
class Due:
    """One order in force at this site on this day. `due_today`: the weekday is in the order.

    `guest`: the permit's day that binds the person today, at this site or (`away`) at another.
    """

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
    guest: GuestDay | None = None
    away: bool = False


def expected(tx: Connection, site: str, day: date) -> tuple[Due, ...]:
    """Orders in force at `site` on dosing day `day`, its guests' among them, by patient number and slot."""
    rows = {row.id: row for row in tx.execute(_IN_FORCE, {"day": day, "quoted": f'"{site}"'})}
    others = {row.patient for row in rows.values() if row.home_site != site}
    bound = {each.patient: each for each in binding.days_for(tx, site, day, others)}
    guests = sorted(p for p, each in bound.items() if each.site == site and each.consent)
    if guests:
        rows |= {row.id: row for row in tx.execute(_OF_GUESTS, {"day": day, "people": guests})}
    found = [_due(row, site, day, bound.get(row.patient)) for row in rows.values()]
    return tuple(sorted(found, key=lambda d: (d.number, d.slot)))


def _due(row: sa.Row, site: str, day: date, guest: GuestDay | None) -> Due:
    return Due(
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
        guest=guest,
        away=guest is not None and guest.site != site,
    )


#: The same people without their orders: a touch asks for these five hundred times a morning.
_WHO = _IN_FORCE.with_only_columns(_P.c.patient).order_by(None)


def expected_patients(tx: Connection, site: str, day: date) -> frozenset[str]:
    """Ids of everybody a finger at this site may belong to without being a stranger."""
    guests = frozenset(each.patient for each in binding.guests_at(tx, site, day))
    return frozenset(tx.execute(_WHO, {"day": day, "quoted": f'"{site}"'}).scalars()) | guests
