"""A confirmed permit in one line: `permit = make_permit(house, clinic.patient, "TPE1", days)`. Through the same steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from ost import canonical, clock
from ost.models import guest, lookup, portal
from ost.models.patient import patient
from ost.models.prescription import prescription, prescription_end
from ost.models.site import site as sites
from ost.services.guest import passes, steps
from ost.services.work import SYSTEM, House, new_id

PRESCRIBER, GUEST = steps.Who("test", "prescriber"), steps.Who("test", "guest_prescriber")


@dataclass(frozen=True)
class Permit:
    id: str
    request: str
    number: int
    site: str
    days: tuple[date, ...]
    consent: str | None
    pass_id: str


def today_of(house: House, site_id: str) -> date:
    with house.read() as tx:
        tz = tx.execute(sa.select(sites.c.tz).where(sites.c.id == site_id)).scalar_one()
    return clock.dosing_day(house.now(), tz)


def days_from(house: House, site_id: str, *offsets: int) -> tuple[date, ...]:
    """Dosing days counted from today: 0 is today."""
    today = today_of(house, site_id)
    return tuple(today + timedelta(days=n) for n in offsets)


def make_permit(
    house: House,
    patient_id: str,
    site_id: str,
    days: tuple[date, ...],
    *,
    signed: bool = True,
    kind: str = "asked",
    until: date | None = None,
    orders: tuple[str, ...] | None = None,
) -> Permit:
    """Asked, approved, accepted and confirmed now. `signed`: countersigned for every order there is."""
    days = tuple(sorted(days))
    with house.work(SYSTEM, site_id, "made.permit", patient=patient_id) as work:
        work.lock_patients([patient_id])
        home = work.tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar_one()
        if orders is None:
            query = (
                sa.select(prescription.c.id)
                .join(prescription_end, prescription_end.c.prescription == prescription.c.id, isouter=True)
                .where(prescription.c.patient == patient_id, prescription_end.c.prescription.is_(None))
                .order_by(prescription.c.id)
            )
            orders = tuple(work.tx.execute(query).scalars())
        rests_on = None
        if kind == "asked":
            rests_on = new_id()
            values = {"patient": patient_id, "kind": "guest_dosing", "site": home, "by": "test", "at": work.now}
            work.add(lookup.consent, id=rests_on, until=until or days[-1] + timedelta(days=30), **values)
            work.add(portal.consent_scope, consent=rests_on, scope=canonical.text({"sites": [site_id]}))
        request, permit = new_id(), new_id()
        number = work.next_change_no("guest_request")
        work.add(
            guest.guest_request,
            id=request,
            number=number,
            patient=patient_id,
            home_site=home,
            site=site_id,
            kind=kind,
            days=canonical.text([d.isoformat() for d in days]),
            orders=canonical.text(list(orders)),
            consent=rests_on,
            content_digest="0" * 64,
            by="test",
            by_role="home",
            at=work.now,
        )
        begun = {"request": request, "patient": patient_id, "home_site": home, "site": site_id, "days": days}
        if kind == "asked":
            steps.begin(work, **begun, who=steps.Who("test", "home"), action="ask", consent=rests_on)
            steps.take(work, request, "approve", PRESCRIBER)
            steps.take(work, request, "accept", steps.SYSTEM)
        if signed:
            row = {"request": request, "patient": patient_id, "site": site_id, "by": "test", "at": work.now}
            work.add(guest.guest_countersign, id=new_id(), orders=canonical.text(list(orders)), **row)
        if kind != "asked":
            steps.begin(work, **begun, who=steps.SYSTEM, action="declare")
        work.add(
            guest.guest_permit,
            id=permit,
            request=request,
            patient=patient_id,
            home_site=home,
            site=site_id,
            orders=canonical.text(list(orders)),
            first_day=days[0],
            last_day=days[-1],
            policy="0" * 64,
            at=work.now,
        )
        numbered = [{"permit": permit, "day": day, "number": n} for n, day in enumerate(days, start=1)]
        work.add_many(guest.permit_day, numbered)
        if kind == "asked":
            steps.take(work, request, "confirm", GUEST, permit=permit)
        else:
            head = guest.guest_head
            work.tx.execute(sa.update(head).where(head.c.request == request).values(permit=permit))
        made = passes.issue(house, work, permit)
    return Permit(permit, request, number, site_id, days, rests_on, made)


def state_of(house: House, request: str) -> str:
    with house.read() as tx:
        head = guest.guest_head
        return tx.execute(sa.select(head.c.state).where(head.c.request == request)).scalar_one()


def steps_of(house: House, request: str) -> list[tuple[str, str | None]]:
    """(action, reason) of each step, in order."""
    s = guest.guest_step
    with house.read() as tx:
        query = sa.select(s.c.action, s.c.reason).where(s.c.request == request).order_by(s.c.number)
        return [tuple(row) for row in tx.execute(query)]
