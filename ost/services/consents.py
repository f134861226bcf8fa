"""What a patient agreed to and until when: given and taken back at the home site, or by themselves.

Rows are added, never changed: a consent ends by its last day or by a row of its
own, and is asked for anew with every look, so that taking it back works at the
next request of anybody. Each kind stands alone: taking one back never ends
another. What follows is done in the same transaction, and can be seen before
(`consequences`). Decides nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ost import canonical, clock, policies
from ost.errors import Refusal
from ost.models import guest, message, staff
from ost.models import site as sites
from ost.models.lookup import consent, consent_end
from ost.models.patient import fingerprint, patient
from ost.models.portal import consent_scope
from ost.rules import guest as rules
from ost.services import finger_rows
from ost.services.access import require
from ost.services.guest import follow
from ost.services.guest.consent import KIND as GUEST_DOSING
from ost.services.guest.days import live_days
from ost.services.patient_read import readable
from ost.services.work import Actor, House, Work, new_id

#: Other sites of the network may see who I am when I touch or show my card there.
FOUND_ELSEWHERE = "found_elsewhere"
#: My fingers may be kept; taken back, they are wiped. Who was enrolled before this was written down has no row.
FINGERPRINTS = "fingerprints"
#: I may be written to.
MESSAGES = "messages"
KINDS = (FOUND_ELSEWHERE, GUEST_DOSING, FINGERPRINTS, MESSAGES)
#: These end on a day, at the latest after the policy's term; the others stand until they are taken back.
DATED = (FOUND_ELSEWHERE, GUEST_DOSING)

_C, _E, _S = consent, consent_end, consent_scope
_STANDING = (
    sa.select(_C.c.id)
    .join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True)
    .where(
        _C.c.patient == sa.bindparam("patient"),
        _C.c.kind == sa.bindparam("kind"),
        _E.c.consent.is_(None),
        sa.or_(_C.c.until.is_(None), _C.c.until >= sa.bindparam("day")),
    )
    .order_by(_C.c.at.desc(), _C.c.id)
    .limit(1)
)
_ENDED = (
    sa.select(sa.func.count(_C.c.id), sa.func.count(_E.c.consent))
    .join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True)
    .where(_C.c.patient == sa.bindparam("patient"), _C.c.kind == sa.bindparam("kind"))
)


@dataclass(frozen=True, slots=True)
class Consent:
    """`scope`: where a consent to guest dosing reaches, {"sites": [...]}, {"counties": [...]} or {"anywhere": true};
    None = everywhere."""

    id: str
    kind: str
    until: date | None
    at: datetime
    by: str  # display name; "patient:<id>" for the person themselves
    ended_at: datetime | None
    stands: bool
    scope: Mapping | None = None


@dataclass(frozen=True, slots=True)
class Consequence:
    """One thing that follows from taking a consent back. `data`: numbers, codes and days only."""

    code: str  # one of CONSEQUENCES
    data: Mapping = field(default_factory=dict)


CONSEQUENCES = (
    "permit_ends",  # request, site, days: guest days that are no longer there
    "request_ends",  # request, site, days: asked for, not decided
    "site_sees_no_more",  # site: the record is closed to it
    "no_new_requests",
    "not_shown_elsewhere",
    "fingers_wiped",  # count of fingers
    "other_ways_stay",  # card, number and face, paper: each as good
    "no_messages",  # count of those still waiting
    "permits_stay",  # what this does not touch
)


def stands(tx: Connection, person: str, kind: str, day: date) -> str | None:
    """Id of the person's consent of this kind that is in force on `day`, or None."""
    return tx.execute(_STANDING, {"patient": person, "kind": kind, "day": day}).scalar_one_or_none()


def latest_day(house: House, patient_id: str) -> date:
    """The last day a consent given now may have."""
    home = _home(house, patient_id)
    today = clock.dosing_day(house.now(), home.tz)
    return today + timedelta(days=policies.policy(home.policy).int("consent_elsewhere_most_days"))


def taken_back(tx: Connection, person: str, kind: str) -> bool:
    """Whether the person agreed once and every such consent was ended since. Nobody asked: False."""
    given, ended = tx.execute(_ENDED, {"patient": person, "kind": kind}).one()
    return given > 0 and given == ended


def give(
    house: House,
    actor: Actor,
    patient_id: str,
    kind: str,
    until: date | None = None,
    *,
    scope: Mapping | None = None,
) -> str:
    """Write down that the patient agrees, until that day included. Returns the consent's id.

    `scope`: of a consent to guest dosing, and needed there. Refusal("consent_given_already") while the same stands;
    "input_invalid" names a day that is past or too late, or a scope that says nothing.
    """
    home = _home(house, patient_id)
    _may(house, actor, patient_id, home.id)
    if kind not in KINDS:
        raise Refusal("input_invalid", fields={"kind": ["not_a_choice"]})
    scope = _scope(kind, scope)
    with house.work(actor, home.id, "consent.given", patient=patient_id) as work:
        row = work.lock_patients([patient_id]).get(patient_id)
        if row is None or not row.active:
            raise Refusal("patient_unknown")
        today = clock.dosing_day(work.now, home.tz)
        most = today + timedelta(days=policies.policy(home.policy).int("consent_elsewhere_most_days"))
        if (until is None and kind in DATED) or (until is not None and not today <= until <= most):
            raise Refusal("input_invalid", fields={"until": ["consent_day_wrong"]})
        if kind != GUEST_DOSING and stands(work.tx, patient_id, kind, today):
            raise Refusal("consent_given_already")
        given = work.add(
            consent, id=new_id(), patient=patient_id, kind=kind, until=until, site=home.id, by=actor.id, at=work.now
        )
        if scope is not None:
            work.add(consent_scope, consent=given["id"], scope=canonical.text(scope))
        work.payload |= {"consent": given["id"], "kind": kind}
        return given["id"]


def end(house: House, actor: Actor, consent_id: str, reason: str | None = None) -> None:
    """The patient takes it back, and what rests on it ends in this transaction. Again: nothing happens.

    Of one kind only: fingers go and permits stay, a permit goes and fingers stay. Refusal("consent_unknown").
    """
    with house.read() as tx:
        row = tx.execute(sa.select(consent).where(consent.c.id == consent_id)).one_or_none()
    if row is None or (actor.id.startswith("patient:") and actor.id != f"patient:{row.patient}"):
        raise Refusal("consent_unknown")
    home = _home(house, row.patient)
    _may(house, actor, row.patient, home.id)
    try:
        with house.work(actor, home.id, "consent.ended", patient=row.patient) as work:
            work.lock_patients([row.patient])
            _end(work, house, row, home.id, reason)
    except IntegrityError:
        return  # taken back already: twice is the same


def end_kind(house: House, actor: Actor, patient_id: str, kind: str, reason: str | None = None) -> int:
    """Every consent of this kind that was not taken back yet; how many there were.

    Fingers go also where nobody ever wrote a consent down.
    """
    home = _home(house, patient_id)
    _may(house, actor, patient_id, home.id)
    if kind not in KINDS:
        raise Refusal("input_invalid", fields={"kind": ["not_a_choice"]})
    with house.work(actor, home.id, "consent.ended", patient=patient_id) as work:
        work.lock_patients([patient_id])
        open_ = sa.select(_C).join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True).order_by(_C.c.at, _C.c.id)
        wanted = open_.where(_C.c.patient == patient_id, _C.c.kind == kind, _E.c.consent.is_(None))
        rows = work.tx.execute(wanted).all()
        for row in rows:
            _end(work, house, row, home.id, reason)
        if kind == FINGERPRINTS and not rows:
            wiped = finger_rows.wipe(work, patient_id)
            work.payload |= {"kind": kind, "impressions": wiped} if wiped else {}
        return len(rows)


def _end(work: Work, house: House, row: sa.Row, home: str, reason: str | None) -> None:
    said = (reason or "").strip()[:40] or None
    work.add(consent_end, consent=row.id, reason=said, site=home, by=work.actor.id, at=work.now)
    work.payload |= {"consent": row.id, "kind": row.kind}
    if row.kind == GUEST_DOSING:
        follow.review(work, house, row.patient, "consent_ended")
    elif row.kind == FINGERPRINTS:
        work.payload |= {"impressions": finger_rows.wipe(work, row.patient)}


def consequences(house: House, patient_id: str, kind: str, consent_id: str | None = None) -> list[Consequence]:
    """What taking it back would do now, to be seen before. `consent_id`: that one alone; None: all of the kind.

    Asks for no permission: it is shown on pages that have the person's record open, or to the person.
    """
    with house.read() as tx:
        if kind == GUEST_DOSING:
            return _without_guest_dosing(tx, patient_id, consent_id)
        if kind == FINGERPRINTS:
            f = fingerprint
            query = sa.select(sa.func.count(f.c.finger.distinct()))
            count = tx.execute(query.where(f.c.patient == patient_id, f.c.withdrawn_at.is_(None))).scalar_one()
            return [Consequence("fingers_wiped", {"count": count}), Consequence("other_ways_stay"), _STAY]
        if kind == MESSAGES:
            m = message.message
            query = sa.select(sa.func.count(m.c.id)).where(m.c.patient == patient_id, m.c.state == "waiting")
            return [Consequence("no_messages", {"count": tx.execute(query).scalar_one()}), _STAY]
        return [Consequence("not_shown_elsewhere"), _STAY]


_STAY = Consequence("permits_stay")


def _without_guest_dosing(tx: Connection, patient_id: str, consent_id: str | None) -> list[Consequence]:
    h, r = guest.guest_head, guest.guest_request
    query = (
        sa.select(h.c.request, h.c.site, h.c.state, h.c.permit, r.c.number, r.c.days)
        .join(r, r.c.id == h.c.request)
        .where(h.c.patient == patient_id, h.c.state.in_((*rules.OPEN, *rules.IN_FORCE)), h.c.consent.is_not(None))
        .order_by(h.c.first_day, r.c.number)
    )
    if consent_id is not None:
        query = query.where(h.c.consent == consent_id)
    found, seen_by = [], set()
    for row in tx.execute(query):
        days = [d.isoformat() for d in live_days(tx, row.permit)] if row.permit else json.loads(row.days)
        in_force = row.state in rules.IN_FORCE
        data = {"request": row.number, "site": row.site, "days": tuple(days)}
        found.append(Consequence("permit_ends" if in_force else "request_ends", data))
        if in_force:
            seen_by.add(row.site)
    closed = [Consequence("site_sees_no_more", {"site": site}) for site in sorted(seen_by)]
    return [*found, *closed, Consequence("no_new_requests")]


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Consent]:
    """Every consent of a person, newest first, ended ones too."""
    if actor.id != f"patient:{patient_id}":
        readable(house, actor, patient_id, "patient.read")
    today = clock.dosing_day(house.now(), _home(house, patient_id).tz)
    query = (
        sa.select(_C, _E.c.at.label("ended_at"), staff.account.c.display_name, _S.c.scope)
        .join_from(_C, _E, _E.c.consent == _C.c.id, isouter=True)
        .join(_S, _S.c.consent == _C.c.id, isouter=True)
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
                json.loads(r.scope) if r.scope else None,
            )
            for r in tx.execute(query)
        ]


def _may(house: House, actor: Actor, patient_id: str, home: str) -> None:
    """The person themselves, or who records consents at their home site."""
    if actor.id.startswith("patient:"):
        if actor.id != f"patient:{patient_id}":
            raise Refusal("patient_unknown")
        return
    require(house, actor, "consent.record", home)


def _scope(kind: str, scope: Mapping | None) -> dict | None:
    """As it is kept. Refusal where it says nothing, or is said of a kind that has none."""
    if kind != GUEST_DOSING:
        if scope:
            raise Refusal("input_invalid", fields={"scope": ["not_a_choice"]})
        return None
    said = dict(scope or {})
    if said.get("anywhere") is True and set(said) == {"anywhere"}:
        return {"anywhere": True}
    named = {name: sorted(set(said.get(name, ()))) for name in ("sites", "counties")}
    if set(said) - set(named) or not any(named.values()):
        raise Refusal("input_invalid", fields={"scope": ["not_a_choice"]})
    return {name: values for name, values in named.items() if values}


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
