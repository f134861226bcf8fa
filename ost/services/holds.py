"""Place a hold, release it. A hold says when to come back and whom to call.

Which reasons there are, and which of them never hold a dose (an unpaid fee), is
the policy's. Under the patient's lock, so that no dose slips past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models import staff
from ost.models.prescription import hold, hold_release
from ost.services.access import require
from ost.services.gather import find_patient
from ost.services.guest import follow
from ost.services.patient_read import readable
from ost.services.work import Actor, House, new_id

CLINICAL, ADMINISTRATIVE = KINDS = ("clinical", "administrative")


@dataclass(frozen=True, slots=True)
class Hold:
    id: str
    patient: str
    site: str
    kind: str
    reason_code: str
    blocks: bool
    since: date
    come_back_on: date | None
    call: str | None
    by: str  # display name
    at: datetime
    released_at: datetime | None


def place(
    house: House,
    actor: Actor,
    patient_id: str,
    *,
    site_id: str,
    kind: str,
    reason_code: str,
    come_back_on: date | None = None,
    call: str | None = None,
) -> str:
    """Returns the hold's id. A blocking hold needs a day to come back; without `call` the site's own number is shown.

    Refusal("input_invalid") names what is missing; Refusal("patient_unknown") also for a person the actor's
    sites have nothing to do with: nobody holds a stranger's dose.
    """
    require(house, actor, "hold.place", site_id)
    readable(house, actor, patient_id, "hold.place")
    with house.work(actor, site_id, "hold.placed", patient=patient_id) as work:
        if patient_id not in work.lock_patients([patient_id]):
            raise Refusal("patient_unknown")
        s = sites.site
        place_ = work.tx.execute(sa.select(s.c.tz, s.c.policy, s.c.phone).where(s.c.id == site_id)).one_or_none()
        if place_ is None:
            raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
        today = clock.dosing_day(work.now, place_.tz)
        policy = policies.policy(place_.policy)
        fields = {}
        if kind not in KINDS:
            fields["kind"] = ["not_a_choice"]
        elif reason_code not in policy.list(f"hold_reasons_{kind}", today):
            fields["reason_code"] = ["not_a_choice"]
        blocks = reason_code not in policy.list("hold_reasons_never_blocking", today)
        if blocks and come_back_on is None:
            fields["come_back_on"] = ["hold_needs_day"]
        elif come_back_on is not None and come_back_on < today:
            fields["come_back_on"] = ["hold_day_in_past"]
        if fields:
            raise Refusal("input_invalid", fields=fields)
        row = work.add(
            hold,
            id=new_id(),
            patient=patient_id,
            site=site_id,
            kind=kind,
            reason_code=reason_code,
            blocks=blocks,
            since=today,
            come_back_on=come_back_on,
            call=(call or "").strip()[:80] or place_.phone[:80],
            by=actor.id,
            at=work.now,
        )
        work.payload |= {"hold": row["id"], "reason": reason_code, "blocks": blocks}
        follow.review(work, house, patient_id, "hold_placed")
        return row["id"]


def release(house: House, actor: Actor, hold_id: str, reason: str | None = None) -> None:
    """Lift a hold. Refusal("hold_released_already") the second time."""
    with house.read() as tx:
        row = tx.execute(sa.select(hold).where(hold.c.id == hold_id)).one_or_none()
        if row is None:
            raise Refusal("hold_unknown")
        home = find_patient(tx, row.patient).home_site
    # The site that placed it may lift it, and so may the home site.
    try:
        require(house, actor, "hold.release", row.site)
    except Refusal:
        require(house, actor, "hold.release", home)
    try:
        with house.work(actor, row.site, "hold.released", patient=row.patient) as work:
            work.lock_patients([row.patient])
            work.add(
                hold_release,
                hold=hold_id,
                patient=row.patient,
                by=actor.id,
                reason=(reason or "").strip()[:200] or None,
                at=work.now,
            )
            work.payload |= {"hold": hold_id}
            follow.review(work, house, row.patient, "hold_released")
    except IntegrityError:
        raise Refusal("hold_released_already") from None


_HOLDS = (
    sa.select(hold, hold_release.c.at.label("released_at"), staff.account.c.display_name)
    .join(hold_release, hold_release.c.hold == hold.c.id, isouter=True)
    .join(staff.account, staff.account.c.id == hold.c.by, isouter=True)
    .order_by(hold.c.at.desc())
)


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Hold]:
    """Every hold of a person, newest first, released ones too."""
    readable(house, actor, patient_id, "hold.read")
    with house.read() as tx:
        return list_of(tx, patient_id)


def list_of(tx: Connection, patient_id: str) -> list[Hold]:
    """`of_patient`, for a caller who may: the person's own pages."""
    return [_hold(row) for row in tx.execute(_HOLDS.where(hold.c.patient == patient_id))]


def open_at(house: House, actor: Actor, site_id: str) -> list[Hold]:
    """Holds not yet released, placed at this site."""
    require(house, actor, "hold.read", site_id)
    query = _HOLDS.where(hold.c.site == site_id, hold_release.c.hold.is_(None))
    with house.read() as tx:
        return [_hold(row) for row in tx.execute(query)]


def _hold(row) -> Hold:
    return Hold(
        row.id,
        row.patient,
        row.site,
        row.kind,
        row.reason_code,
        row.blocks,
        row.since,
        row.come_back_on,
        row.call,
        row.display_name or row.by,
        row.at,
        row.released_at,
    )
