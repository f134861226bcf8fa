"""Read one patient's record, and say so: who read it, from where, on which page and why.

The home site reads, and so do the sites its orders name, and a guest site while
a permit for it is in force and the patient's consent stands, or while a dose it
prepared has no outcome yet. For everybody else the
person does not exist. Changes nothing but the access log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import clock
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, site, staff
from ost.models.dose import dose_attempt, dose_outcome
from ost.models.patient import fingerprint, patient
from ost.models.prescription import prescription, prescription_end
from ost.services import sealed
from ost.services.access import may
from ost.services.guest import binding
from ost.services.patients import _access
from ost.services.work import Actor, House

#: A face is an image of its own; looking at the same person again within this time is one reading.
SAME_READING = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class PatientRecord:
    id: str
    number: str
    home_site: str
    active: bool
    forgotten: bool  # the key is destroyed: every personal field below is None
    sex: str
    language: str
    priority: tuple[str, ...]
    low_tolerance: bool
    episode_started_on: date | None
    registered_at: datetime
    has_card: bool
    has_pin: bool
    has_face: bool
    fingers: tuple[str, ...]  # those with a template in use
    name: str | None = field(repr=False)
    national_id: str | None = field(repr=False)
    birth_date: date | None = field(repr=False)
    phone: str | None = field(repr=False)


def read(
    house: House, actor: Actor, patient_id: str, *, page: str, why: str | None = None, at: str | None = None
) -> PatientRecord:
    """The record, opened. `page`: where it is shown; `at`: the reader's site, if not the home site.

    Refusal("patient_unknown") also for somebody who may not read it.
    """
    row = readable(house, actor, patient_id, "patient.read")
    with house.work(actor, at or row.home_site, "patient.read", patient=patient_id) as work:
        work.add(audit.record_access, **_access(work, patient_id, "read", page, why))
        return _open(work.tx, house, row)


def readable(house: House, actor: Actor, patient_id: str, permission: str) -> sa.Row:
    """The patient row, if the actor holds `permission` at the home site, at a site its orders name, or at one where
    they are a guest."""
    with house.read() as tx:
        row = tx.execute(sa.select(patient).where(patient.c.id == patient_id)).one_or_none()
        if row is None:
            raise Refusal("patient_unknown")
        if any(may(house, actor, permission, place) for place in _sites_of(tx, row)):
            return row
        as_guest = binding.sites_of(tx, row.id, today_at_home(house, tx, row))
        # A cup that is poured is brought to its end, whatever was taken back meanwhile.
        as_guest |= frozenset(tx.execute(_IN_HAND, {"patient": row.id}).scalars())
    if not any(may(house, actor, permission, place) for place in as_guest):
        raise Refusal("patient_unknown")
    return row


_IN_HAND = (
    sa.select(dose_attempt.c.site)
    .join(dose_outcome, dose_outcome.c.attempt == dose_attempt.c.id, isouter=True)
    .where(dose_attempt.c.patient == sa.bindparam("patient"), dose_outcome.c.attempt.is_(None))
)


def name_of(tx: Connection, house: House, row: sa.Row) -> str | None:
    """The name alone, for a page whose reading is recorded otherwise; None when forgotten."""
    try:
        key = sealed.person_key(tx, house.keys, row.id)
    except SealBroken:
        return None
    return sealed.unseal_text(key, row.id, "patient", "name", row.name_sealed)


def numbers(house: House, ids: Iterable[str]) -> dict[str, str]:
    """{id: number}, which is what is called aloud: no personal data."""
    with house.read() as tx:
        query = sa.select(patient.c.id, patient.c.number).where(patient.c.id.in_(set(ids)))
        return {row.id: row.number for row in tx.execute(query)}


def face(house: House, actor: Actor, patient_id: str) -> tuple[bytes, str]:
    """(image, media type); a reading of its own unless the actor read this person a moment ago.

    Refusal("face_missing") where there is none.
    """
    row = readable(house, actor, patient_id, "patient.read")
    log = audit.record_access
    with house.read() as tx:
        if row.face_sealed is None:
            raise Refusal("face_missing")
        try:
            key = sealed.person_key(tx, house.keys, patient_id)
        except SealBroken:
            raise Refusal("face_missing") from None
        image = sealed.unseal(key, patient_id, "patient", "face", row.face_sealed)
        recent = tx.execute(
            sa.select(log.c.id)
            .where(
                log.c.patient == patient_id,
                log.c.account == actor.id,
                log.c.at > house.now() - SAME_READING,
            )
            .limit(1)
        ).first()
    if recent is None:
        with house.work(actor, row.home_site, "patient.read", patient=patient_id) as work:
            work.add(audit.record_access, **_access(work, patient_id, "read", "patient.face"))
    return image, row.face_type


@dataclass(frozen=True, slots=True)
class Access:
    at: datetime
    who: str  # display name of the account
    site: str
    what: str
    page: str
    why: str | None


def accesses(house: House, actor: Actor, patient_id: str, limit: int = 50) -> list[Access]:
    """Who opened this record, newest first. The patient has a right to this list."""
    readable(house, actor, patient_id, "patient.read")
    log = audit.record_access
    query = (
        sa.select(log, staff.account.c.display_name)
        .join(staff.account, staff.account.c.id == log.c.account, isouter=True)
        .where(log.c.patient == patient_id)
        .order_by(log.c.at.desc(), log.c.id)
        .limit(limit)
    )
    with house.read() as tx:
        return [
            Access(r.at, r.display_name or r.account, r.site, r.what, r.page, r.why) for r in tx.execute(query)
        ]


def today_at_home(house: House, tx: Connection, row: sa.Row) -> date:
    """The dosing day now, in the home site's zone."""
    tz = tx.execute(sa.select(site.site.c.tz).where(site.site.c.id == row.home_site)).scalar_one()
    return clock.dosing_day(house.now(), tz)


def _open(tx: Connection, house: House, row: sa.Row) -> PatientRecord:
    opened: dict = dict.fromkeys(("name", "national_id", "birth_date", "phone"))
    forgotten = False
    try:
        key = sealed.person_key(tx, house.keys, row.id)
    except SealBroken:
        forgotten = True
    else:
        for name in opened:
            opened[name] = sealed.unseal_text(key, row.id, "patient", name, getattr(row, f"{name}_sealed"))
    born = opened.pop("birth_date")
    fingers = tx.execute(
        sa.select(fingerprint.c.finger)
        .where(fingerprint.c.patient == row.id, fingerprint.c.withdrawn_at.is_(None))
        .distinct()
        .order_by(fingerprint.c.finger)
    ).scalars()
    return PatientRecord(
        id=row.id,
        number=row.number,
        home_site=row.home_site,
        active=row.active,
        forgotten=forgotten,
        sex=row.sex,
        language=row.language,
        priority=tuple(json.loads(row.priority)),
        low_tolerance=row.low_tolerance,
        episode_started_on=row.episode_started_on,
        registered_at=row.registered_at,
        has_card=row.card_mac is not None,
        has_pin=row.pin_hash is not None,
        has_face=row.face_sealed is not None and not forgotten,
        fingers=tuple(fingers),
        birth_date=date.fromisoformat(born) if born else None,
        **opened,
    )


def _sites_of(tx: Connection, row: sa.Row) -> list[str]:
    """The home site, and every site that an order not yet ended names."""
    orders = tx.execute(
        sa.select(prescription.c.sites)
        .join(prescription_end, prescription_end.c.prescription == prescription.c.id, isouter=True)
        .where(prescription.c.patient == row.id, prescription_end.c.prescription.is_(None))
    ).scalars()
    named = {code for sites in orders for code in json.loads(sites)}
    return sorted(named | {row.home_site})
