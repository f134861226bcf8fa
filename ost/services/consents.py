"""What a patient agreed to and until when: given and taken back at the home site.

Rows are added, never changed: a consent ends by its last day or by a row of its
own, and is asked for anew with every look, so that taking it back works at the
next request of anybody. Decides nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models import staff
from ost.models.lookup import consent, consent_end
from ost.models.patient import patient
from ost.services.access import require
from ost.services.patient_read import readable
from ost.services.work import Actor, House, new_id

#: Other sites of the network may see who I am when I touch or show my card there.
FOUND_ELSEWHERE = "found_elsewhere"
KINDS = (FOUND_ELSEWHERE,)

_C, _E = consent, consent_end
_STANDING = (
    sa.select(_C.c.id)
    .join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True)
    .where(
        _C.c.patient == sa.bindparam("patient"),
        _C.c.kind == sa.bindparam("kind"),
        _E.c.consent.is_(None),
        sa.or_(_C.c.until.is_(None), _C.c.until >= sa.bindparam("day")),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Consent:
    id: str
    kind: str
    until: date | None
    at: datetime
    by: str  # display name
    ended_at: datetime | None
    stands: bool


def stands(tx: Connection, person: str, kind: str, day: date) -> str | None:
    """Id of the person's consent of this kind that is in force on `day`, or None."""
    return tx.execute(_STANDING, {"patient": person, "kind": kind, "day": day}).scalar_one_or_none()


def latest_day(house: House, patient_id: str) -> date:
    """The last day a consent given now may have."""
    home = _home(house, patient_id)
    today = clock.dosing_day(house.now(), home.tz)
    return today + timedelta(days=policies.policy(home.policy).int("consent_elsewhere_most_days"))


def give(house: House, actor: Actor, patient_id: str, kind: str, until: date | None) -> str:
    """Write down that the patient agrees, until that day included. Returns the consent's id.

    Refusal("consent_given_already") while one stands; "input_invalid" names a day that is past or too late.
    """
    home = _home(house, patient_id)
    require(house, actor, "consent.record", home.id)
    if kind not in KINDS:
        raise Refusal("input_invalid", fields={"kind": ["not_a_choice"]})
    with house.work(actor, home.id, "consent.given", patient=patient_id) as work:
        row = work.lock_patients([patient_id]).get(patient_id)
        if row is None or not row.active:
            raise Refusal("patient_unknown")
        today = clock.dosing_day(work.now, home.tz)
        most = today + timedelta(days=policies.policy(home.policy).int("consent_elsewhere_most_days"))
        if until is None or not today <= until <= most:
            raise Refusal("input_invalid", fields={"until": ["consent_day_wrong"]})
        if stands(work.tx, patient_id, kind, today):
            raise Refusal("consent_given_already")
        given = work.add(
            consent, id=new_id(), patient=patient_id, kind=kind, until=until, site=home.id, by=actor.id, at=work.now
        )
        work.payload |= {"consent": given["id"], "kind": kind}
        return given["id"]


def end(house: House, actor: Actor, consent_id: str, reason: str | None = None) -> None:
    """The patient takes it back: from the next request on nobody elsewhere sees them. Again: nothing happens."""
    with house.read() as tx:
        row = tx.execute(sa.select(consent).where(consent.c.id == consent_id)).one_or_none()
    if row is None:
        raise Refusal("consent_unknown")
    home = _home(house, row.patient)
    require(house, actor, "consent.record", home.id)
    try:
        with house.work(actor, home.id, "consent.ended", patient=row.patient) as work:
            work.lock_patients([row.patient])
            work.add(
                consent_end,
                consent=consent_id,
                reason=(reason or "").strip()[:40] or None,
                site=home.id,
                by=actor.id,
                at=work.now,
            )
            work.payload |= {"consent": consent_id}
    except IntegrityError:
        return  # taken back already: twice is the same


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Consent]:
    """Every consent of a person, newest first, ended ones too."""
    readable(house, actor, patient_id, "patient.read")
    today = clock.dosing_day(house.now(), _home(house, patient_id).tz)
    query = (
        sa.select(_C, _E.c.at.label("ended_at"), staff.account.c.display_name)
        .join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True)
        .join(staff.account, staff.account.c.id == _C.c.by, isouter=True)
        .where(_C.c.patient == patient_id)
        .order_by(_C.c.at.desc(), _C.c.id)
    )
    with house.read() as tx:
        return [
            Consent(
                r.id,
                r.kind,
                r.until,
                r.at,
                r.display_name or r.by,
                r.ended_at,
                r.ended_at is None and (r.until is None or r.until >= today),
            )
            for r in tx.execute(query)
        ]


def _home(house: House, patient_id: str) -> sa.Row:
    p, s = patient, sites.site
    with house.read() as tx:
        row = tx.execute(
            sa.select(s.c.id, s.c.tz, s.c.policy)
            .join(p, p.c.home_site == s.c.id)
            .where(p.c.id == patient_id)
        ).one_or_none()
    if row is None:
        raise Refusal("patient_unknown")
    return row
