"""The prescriber's answer to one reason, for one person and one day; and the list of what waits for one.

Lifts nothing by itself: the rules read it at the counter, under the same lock,
and never give more than the order says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from ost import clock
from ost.errors import Refusal
from ost.models import dose
from ost.models import site as sites
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end, signoff
from ost.rules.reasons import REASONS
from ost.services.access import require
from ost.services.guest import follow
from ost.services.order_draft import signing_role
from ost.services.work import Actor, House, new_id

#: A sign-off is for today, or for a day that was agreed with the person.
FURTHEST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody was refused a dose today for reasons a prescriber may answer."""

    patient: str
    number: str
    site: str
    day: date
    slot: int
    at: datetime
    reasons: tuple[dict, ...]  # those that need a sign-off and have none
    others: tuple[dict, ...]  # other stops: a sign-off alone will not give the dose
    ordered_ug: int | None


def give(
    house: House,
    actor: Actor,
    patient_id: str,
    code: str,
    day: date,
    *,
    dose_ug: int | None = None,
    note: str | None = None,
) -> str:
    """Answer reason `code` on `day`. `dose_ug`: the dose for that day, at most the order's. Returns its id."""
    return give_all(house, actor, patient_id, [code], day, dose_ug=dose_ug, note=note)[0]


def give_all(
    house: House,
    actor: Actor,
    patient_id: str,
    codes: Sequence[str],
    day: date,
    *,
    dose_ug: int | None = None,
    note: str | None = None,
) -> list[str]:
    """Several reasons in one answer: all of them, or none."""
    with house.read() as tx:
        home = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar_one_or_none()
    if home is None:
        raise Refusal("patient_unknown")
    require(house, actor, "signoff.give", home)
    with house.work(actor, home, "signoff.given", patient=patient_id) as work:
        work.lock_patients([patient_id])
        tz = work.tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == home)).scalar_one()
        today = clock.dosing_day(work.now, tz)
        fields = {}
        if not codes or not set(codes) <= REASONS.keys():
            fields["code"] = ["not_a_choice"]
        if not today <= day <= today + timedelta(days=FURTHEST_DAYS):
            fields["day"] = ["signoff_day"]
        if dose_ug is not None:
            most = _ordered(work.tx, patient_id, day)
            if dose_ug <= 0:
                fields["dose"] = ["amount_positive"]
            elif most is None or dose_ug > most:
                fields["dose"] = ["signoff_above_order"]
        if fields:
            raise Refusal("input_invalid", fields=fields)
        ids = [
            work.add(
                signoff,
                id=new_id(),
                patient=patient_id,
                code=code,
                day=day,
                dose_ug=dose_ug,
                note=(note or "").strip()[:200] or None,
                by=actor.id,
                by_role=signing_role(house, actor, home),
                at=work.now,
            )["id"]
            for code in sorted(set(codes))
        ]
        work.payload |= {"signoffs": ids, "codes": sorted(set(codes)), "dose_ug": dose_ug}
        follow.review(work, house, patient_id, "signed_off")
        return ids


def waiting(house: House, actor: Actor, site_id: str) -> list[Waiting]:
    """People whose home is here and who were refused today, anywhere, for want of a prescriber; newest first."""
    require(house, actor, "signoff.give", site_id)
    r, a = dose.refusal, dose.dose_attempt
    with house.read() as tx:
        tz = tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site_id)).scalar_one()
        day = clock.dosing_day(house.now(), tz)
        refused = tx.execute(
            sa.select(r, patient.c.number)
            .join(patient, patient.c.id == r.c.patient)
            .where(patient.c.home_site == site_id, r.c.day == day)
            .order_by(r.c.at.desc())
        ).all()
        people = {row.patient for row in refused}
        query = sa.select(a.c.patient, a.c.slot).where(a.c.dosing_day == day, a.c.patient.in_(people))
        dosed = {tuple(row) for row in tx.execute(query)}
        s = signoff
        query = sa.select(s.c.patient, s.c.code).where(s.c.day == day, s.c.patient.in_(people))
        answered = {tuple(row) for row in tx.execute(query)}
        found: dict[tuple[str, int], Waiting] = {}
        for row in refused:
            where = (row.patient, row.slot)
            if where in found or where in dosed:
                continue
            stops = [reason for reason in json.loads(row.reasons) if reason["tier"] == "stop"]
            open_ = tuple(s for s in stops if s["needs_signoff"] and (row.patient, s["code"]) not in answered)
            if open_:
                others = tuple(s for s in stops if not s["needs_signoff"])
                ordered = _ordered(tx, row.patient, day, row.slot)
                found[where] = Waiting(
                    row.patient, row.number, row.site, day, row.slot, row.at, open_, others, ordered
                )
    return list(found.values())


def _ordered(tx, patient_id: str, day: date, slot: int | None = None) -> int | None:
    """The largest dose ordered for that day."""
    p = prescription
    query = (
        sa.select(sa.func.max(p.c.dose_ug))
        .join(prescription_end, prescription_end.c.prescription == p.c.id, isouter=True)
        .where(
            p.c.patient == patient_id,
            prescription_end.c.prescription.is_(None),
            p.c.starts_on <= day,
            sa.or_(p.c.ends_on.is_(None), p.c.ends_on >= day),
        )
    )
    if slot is not None:
        query = query.where(p.c.slot == slot)
    return tx.execute(query).scalar()
