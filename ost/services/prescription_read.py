"""Read a person's orders, their recent doses, and the reports that wait for a prescriber. Changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import dose, staff, stock
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end
from ost.services.access import require
from ost.services.patient_read import readable, today_at_home
from ost.services.work import Actor, House

IN_FORCE, TO_COME, OVER = STATES = ("in_force", "to_come", "over")


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    state: str  # one of STATES, on the home site's day
    medicine: str
    product: str | None
    phase: str
    slot: int
    dose_ug: int
    previous_dose_ug: int | None
    starts_on: date
    ends_on: date | None
    days: tuple[int, ...]
    sites: tuple[str, ...]
    shortest_gap_h: int | None
    replaces: str | None
    replaced_by: str | None
    ended_at: datetime | None
    end_why: str | None
    end_reason: str | None
    reason: str | None
    last_increase_on: date | None
    elsewhere_on: date | None
    elsewhere_dose_ug: int | None
    elsewhere_source: str | None
    prescriber: str  # display name
    written_at: datetime

    @property
    def open(self) -> bool:
        """Whether it can be changed or stopped."""
        return self.ended_at is None and self.replaced_by is None and self.state != OVER


@dataclass(frozen=True, slots=True)
class Given:
    """One attempt, as the patient's page lists it."""

    id: str
    day: date
    slot: int
    site: str
    medicine: str
    ordered_ug: int
    dose_ug: int
    outcome: str | None
    swallowed_ug: int | None
    promised_at: datetime
    given_at: datetime | None
    released: str | None
    void: bool


@dataclass(frozen=True, slots=True)
class OpenExposure:
    id: str
    patient: str
    number: str
    day: date
    kind: str
    amount_ug: int | None
    at: datetime


def orders(house: House, actor: Actor, patient_id: str) -> list[Order]:
    """Every order of a person: in force first, then to come, then over; newest first within."""
    row = readable(house, actor, patient_id, "prescription.read")
    with house.read() as tx:
        return orders_of(tx, patient_id, today_at_home(house, tx, row))


def orders_of(tx: Connection, patient_id: str, today: date) -> list[Order]:
    """`orders`, for a caller who may: the person's own pages. `today`: at the home site."""
    p, e = prescription, prescription_end
    query = (
        sa.select(p, e.c.at.label("ended_at"), e.c.why, e.c.reason.label("end_reason"), staff.account.c.display_name)
        .join(e, e.c.prescription == p.c.id, isouter=True)
        .join(staff.account, staff.account.c.id == p.c.prescriber, isouter=True)
        .where(p.c.patient == patient_id)
        .order_by(p.c.written_at.desc(), p.c.starts_on.desc())
    )
    rows = tx.execute(query).all()
    successors = {r.replaces: r.id for r in rows if r.replaces}
    found = [_order(r, today, successors.get(r.id)) for r in rows]
    return sorted(found, key=lambda o: STATES.index(o.state))


def doses(house: House, actor: Actor, patient_id: str, limit: int = 14) -> list[Given]:
    """The latest attempts, newest first, voided and released ones too: nothing is hidden."""
    readable(house, actor, patient_id, "dose.read")
    with house.read() as tx:
        return doses_of(tx, patient_id, limit)


def doses_of(tx: Connection, patient_id: str, limit: int | None, skip: int = 0) -> list[Given]:
    """`doses`, for a caller who may: the person's own pages. `limit` None: all of them."""
    a, o, r, v = dose.dose_attempt, dose.dose_outcome, dose.dose_release, dose.dose_void
    query = (
        sa.select(a, o.c.outcome, o.c.swallowed_ug, o.c.given_at, r.c.why, v.c.attempt.label("void"))
        .join(o, o.c.attempt == a.c.id, isouter=True)
        .join(r, r.c.attempt == a.c.id, isouter=True)
        .join(v, v.c.attempt == a.c.id, isouter=True)
        .where(a.c.patient == patient_id)
        .order_by(a.c.dosing_day.desc(), a.c.promised_at.desc())
        .limit(limit)
        .offset(skip or None)
    )
    return [
        Given(
            row.id,
            row.dosing_day,
            row.slot,
            row.site,
            row.medicine,
            row.ordered_ug,
            row.dose_ug,
            row.outcome,
            row.swallowed_ug,
            row.promised_at,
            row.given_at,
            row.why,
            row.void is not None,
        )
        for row in tx.execute(query)
    ]


def exposures_to_review(house: House, actor: Actor, site_id: str) -> list[OpenExposure]:
    """Reports of a wrong swallow about people whose home is here, not yet reviewed; newest first."""
    require(house, actor, "exposure.clear", site_id)
    x, done = dose.exposure, dose.exposure_review
    query = (
        sa.select(x, patient.c.number)
        .join(patient, patient.c.id == x.c.patient)
        .join(done, done.c.exposure == x.c.id, isouter=True)
        .where(patient.c.home_site == site_id, done.c.exposure.is_(None))
        .order_by(x.c.at.desc())
    )
    with house.read() as tx:
        return [
            OpenExposure(r.id, r.patient, r.number, r.day, r.kind, r.amount_ug, r.at) for r in tx.execute(query)
        ]


def medicines(house: House) -> list[str]:
    """Medicines of the catalogue."""
    query = sa.select(stock.product.c.medicine).distinct().order_by(stock.product.c.medicine)
    with house.read() as tx:
        return list(tx.execute(query).scalars())


def _order(row, today: date, replaced_by: str | None) -> Order:
    if row.ended_at is not None or (row.ends_on is not None and row.ends_on < today):
        state = OVER
    else:
        state = TO_COME if row.starts_on > today else IN_FORCE
    return Order(
        id=row.id,
        state=state,
        medicine=row.medicine,
        product=row.product,
        phase=row.phase,
        slot=row.slot,
        dose_ug=row.dose_ug,
        previous_dose_ug=row.previous_dose_ug,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        days=tuple(json.loads(row.days)),
        sites=tuple(json.loads(row.sites)),
        shortest_gap_h=row.shortest_gap_h,
        replaces=row.replaces,
        replaced_by=replaced_by,
        ended_at=row.ended_at,
        end_why=row.why,
        end_reason=row.end_reason,
        reason=row.reason,
        last_increase_on=row.last_increase_on,
        elsewhere_on=row.elsewhere_on,
        elsewhere_dose_ug=row.elsewhere_dose_ug,
        elsewhere_source=row.elsewhere_source,
        prescriber=row.display_name or row.prescriber,
        written_at=row.written_at,
    )
