"""Charges from what is on record: a permit, a signature, each guest dose that was swallowed; and their taking back.

Posted afterwards, by the clock, in transactions of their own: never in that of a dose, and a fee that is open or
unpaid is asked for nowhere a dose is decided. A subject is charged once (a key); a void takes its charge back with a
row of its own. The year's subsidy is one locked counter of the person and their home county, whichever site charges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost import clock
from ost.models import dose, fee, guest, site
from ost.rules import fees as rules
from ost.rules.guest import SYSTEM as SYSTEM_ROLE
from ost.services.fees import tariff
from ost.services.fees.quote import class_on
from ost.services.work import SYSTEM, House, Work, new_id

#: How far back permits are looked at: a dose whose outcome is settled late is charged late.
LOOK_BACK = timedelta(days=400)
#: Subjects of one run; the next run takes the rest.
MOST = 2000
#: Outcomes for which a dose was served.
SERVED = ("swallowed", "partly")

_F, _U = fee.fee_charge, fee.subsidy_use
_P, _R, _S = guest.guest_permit, guest.guest_request, guest.guest_countersign
_A, _O, _V = dose.dose_attempt, dose.dose_outcome, dose.dose_void


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to be charged. `day`: in the home site's zone; it decides tariff and year."""

    subject: str
    kind: str  # one of ost.rules.fees.ITEMS
    patient: str
    permit: str
    home_site: str
    site: str
    day: date


def run(house: House) -> tuple[int, int]:
    """Charge what is new and take back what was voided. (charged, taken back)."""
    charged = sum(_charge(house, each) for each in due(house))
    return charged, sum(_reverse(house, each) for each in voided(house))


def due(house: House) -> list[Subject]:
    """What stands on record and was never charged, oldest permit first. Nobody pays for a closure's permit set up."""
    since = house.now().date() - LOOK_BACK
    f, zones = _F.alias("f"), site.site

    def not_charged(subject, kind: str):
        return ~sa.exists().where(f.c.subject == subject, f.c.kind == kind, f.c.reverses.is_(None))

    permits = (
        sa.select(_P.c.id, _P.c.patient, _P.c.home_site, _P.c.site, _P.c.at, zones.c.tz)
        .join_from(_P, _R, _R.c.id == _P.c.request)
        .join(zones, zones.c.id == _P.c.home_site)
        .where(
            _P.c.last_day >= since,
            _R.c.kind == "asked",
            _R.c.by_role != SYSTEM_ROLE,  # brought back after a closure: set up once
            not_charged("permit:" + _P.c.id, rules.SET_UP),
        )
        .order_by(_P.c.at, _P.c.id)
        .limit(MOST)
    )
    signed = (
        sa.select(_S.c.id, _S.c.patient, _P.c.home_site, _S.c.site, _S.c.at, zones.c.tz, _P.c.id.label("permit"))
        .join_from(_S, _P, _P.c.request == _S.c.request)
        .join(_R, _R.c.id == _P.c.request)
        .join(zones, zones.c.id == _P.c.home_site)
        .where(
            _P.c.last_day >= since,
            _P.c.site == _S.c.site,
            # Not what was carried over into a request that was brought back.
            sa.or_(_R.c.by_role != SYSTEM_ROLE, _S.c.at > _R.c.at),
            not_charged("countersign:" + _S.c.id, rules.COUNTERSIGN),
        )
        .order_by(_S.c.at, _S.c.id)
        .limit(MOST)
    )
    doses = (
        sa.select(_A.c.id, _A.c.patient, _A.c.permit, _A.c.home_site, _A.c.site, _A.c.dosing_day)
        .join_from(_P, _A, sa.and_(_A.c.patient == _P.c.patient, _A.c.permit == _P.c.id))
        .join(_O, _O.c.attempt == _A.c.id)
        .join(_V, _V.c.attempt == _A.c.id, isouter=True)
        .where(
            _P.c.last_day >= since,
            _O.c.outcome.in_(SERVED),
            _V.c.attempt.is_(None),
            not_charged("dose:" + _A.c.id, rules.PER_DOSE),
        )
        .order_by(_A.c.dosing_day, _A.c.id)
        .limit(MOST)
    )
    with house.read() as tx:
        found = [
            Subject(f"permit:{r.id}", rules.SET_UP, r.patient, r.id, r.home_site, r.site, clock.dosing_day(r.at, r.tz))
            for r in tx.execute(permits)
        ]
        found += [
            Subject(
                f"countersign:{r.id}",
                rules.COUNTERSIGN,
                r.patient,
                r.permit,
                r.home_site,
                r.site,
                clock.dosing_day(r.at, r.tz),
            )
            for r in tx.execute(signed)
        ]
        found += [
            Subject(f"dose:{r.id}", rules.PER_DOSE, r.patient, r.permit, r.home_site, r.site, r.dosing_day)
            for r in tx.execute(doses)
        ]
    return found


def voided(house: House) -> list[sa.Row]:
    """Charges of doses that were voided since, and are not taken back yet."""
    back = _F.alias("back")
    query = (
        sa.select(_F)
        .join_from(_F, _V, _F.c.subject == "dose:" + _V.c.attempt)
        .join(back, back.c.reverses == _F.c.id, isouter=True)
        .where(_F.c.kind == rules.PER_DOSE, _F.c.reverses.is_(None), back.c.id.is_(None))
        .order_by(_F.c.at, _F.c.id)
        .limit(MOST)
    )
    with house.read() as tx:
        return list(tx.execute(query))


def _charge(house: House, due_: Subject) -> int:
    try:
        with house.work(SYSTEM, due_.site, "fee.charged", patient=due_.patient) as work:
            work.lock_patients([due_.patient])
            if _stands(work, due_) or _void_now(work, due_):
                return 0
            _post(house, work, due_)
    except IntegrityError:
        return 0  # another run was quicker: the key chose one
    return 1


def _post(house: House, work: Work, due_: Subject) -> None:
    s = site.site
    home = work.tx.execute(sa.select(s.c.county, s.c.policy).where(s.c.id == due_.home_site)).one()
    found = class_on(house, work.tx, due_.patient, home.policy, due_.day)
    item = tariff.item_in_force(work.tx, due_.kind, home.county, found, due_.day)
    cap = tariff.cap_in_force(work.tx, home.county, due_.day.year, found)
    used = _counter(work, due_.patient, home.county, due_.day.year)
    amount, percent = (item.amount_ntd, item.payer_share_percent) if item else (None, None)
    part = rules.share(amount, percent, cap.cap_ntd if cap else None, used)
    row = work.add(
        _F,
        id=new_id(),
        subject=due_.subject,
        item=item.id if item else None,
        kind=due_.kind,
        patient=due_.patient,
        permit=due_.permit,
        home_site=due_.home_site,
        site=due_.site,
        county=home.county,
        patient_class=found,
        day=due_.day,
        amount_ntd=part.amount_ntd,
        payer_ntd=part.payer_ntd,
        own_ntd=part.own_ntd,
        reverses=None,
        at=work.now,
    )
    _count(work, row, part.payer_ntd or 0)


def _reverse(house: House, charge: sa.Row) -> int:
    """The same amounts, negative; what it took of the year's subsidy is free again."""
    try:
        with house.work(SYSTEM, charge.site, "fee.taken_back", patient=charge.patient) as work:
            work.lock_patients([charge.patient])
            if work.tx.execute(sa.select(_F.c.id).where(_F.c.reverses == charge.id)).scalar():
                return 0
            _counter(work, charge.patient, charge.county, charge.day.year)
            values = dict(charge._mapping)
            for name in ("amount_ntd", "payer_ntd", "own_ntd"):
                values[name] = None if values[name] is None else -values[name]
            row = work.add(_F, **values | {"id": new_id(), "reverses": charge.id, "at": work.now})
            _count(work, row, row["payer_ntd"] or 0)
    except IntegrityError:
        return 0
    return 1


def _stands(work: Work, due_: Subject) -> bool:
    query = sa.select(_F.c.id).where(
        _F.c.subject == due_.subject, _F.c.kind == due_.kind, _F.c.reverses.is_(None)
    )
    return work.tx.execute(query).scalar() is not None


def _void_now(work: Work, due_: Subject) -> bool:
    """Voids take the same lock: between looking and this moment one may have come."""
    if due_.kind != rules.PER_DOSE:
        return False
    attempt = due_.subject.removeprefix("dose:")
    return work.tx.execute(sa.select(_V.c.attempt).where(_V.c.attempt == attempt)).scalar() is not None


_NEW_COUNTER = sa.text(
    "INSERT INTO subsidy_use (patient, county, year, used_ntd) VALUES (:patient, :county, :year, 0)"
    " ON CONFLICT DO NOTHING"
)


def _counter(work: Work, patient_id: str, county: str, year: int) -> int:
    """What is used of the year, its row locked until the end of this transaction."""
    work.tx.execute(_NEW_COUNTER, {"patient": patient_id, "county": county, "year": year})
    where = (_U.c.patient == patient_id, _U.c.county == county, _U.c.year == year)
    return work.tx.execute(sa.select(_U.c.used_ntd).where(*where).with_for_update()).scalar_one()


def _count(work: Work, row: dict, payer_ntd: int) -> None:
    where = (_U.c.patient == row["patient"], _U.c.county == row["county"], _U.c.year == row["day"].year)
    work.tx.execute(sa.update(_U).where(*where).values(used_ntd=_U.c.used_ntd + payer_ntd))
    work.payload |= {"charge": row["id"], "kind": row["kind"]}
