"""The finger that calls for help without a word, and the one clinician it tells.

Everybody who enrols has a sealed answer of one length, "none" until they say
otherwise, and every touch that names somebody leaves one `quiet_alert` row: the
database shows neither who chose a finger, nor which touch was one. Only the MAC
in `told` knows, and only its clinician is shown it (`ost.services.alerts`).
Nothing here is logged, and nothing of it reaches a payload.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.keys import KeyRing, SealBroken
from ost.models import audit, staff
from ost.models.identity import duress_finger, quiet_alert
from ost.models.patient import fingerprint, patient
from ost.rules import access
from ost.services import sealed
from ost.services.access import county_of, require
from ost.services.work import Actor, House, Work, new_id

#: Who may set it with the patient, and who may be chosen.
PERMISSION = "alert.read"
_LENGTH = 160  # of every answer, before it is sealed

_ROW = sa.select(duress_finger.c.sealed).where(duress_finger.c.patient == sa.bindparam("patient"))


@dataclass(frozen=True, slots=True)
class Answer:
    """Empty: no finger was chosen."""

    finger: str = ""
    clinician: str = ""


NONE = Answer()
#: What may be chosen instead of a finger: as it was, whatever that is; or none from now on.
AS_IT_IS, NO_FINGER = "", "none"


# --- a touch -----------------------------------------------------------------------


def note_touch(work: Work, person: str, finger: str | None, capture: str) -> None:
    """One row for a touch that named `person` with `finger`; the same steps whichever finger it was."""
    answer = _answer(work.tx, work.keys, person)
    is_it = bool(answer.clinician) and finger == answer.finger
    row = new_id()
    work.add(
        quiet_alert,
        id=row,
        patient=person,
        site=work.site,
        capture=capture,
        told=told(work.keys, row, answer.clinician if is_it else ""),
        at=work.now,
    )


def after_tap(work: Work, notice: str | None, person: str) -> None:
    """The touch fitted several people; a tap on the face said who it was."""
    said = json.loads(notice) if notice else {}
    if said.get("capture"):
        note_touch(work, person, (said.get("fingers") or {}).get(person), said["capture"])


def told(keys: KeyRing, row: str, clinician: str) -> str:
    """What the row says to `clinician` ("" = nobody): it differs for every row, so that two tell nothing."""
    return keys.search_mac("quiet alert", f"{row}|{clinician}")


# --- the person's answer --------------------------------------------------------------


def answer_none(work: Work, person: str, key: bytes) -> None:
    """At the first finger: the sealed answer is there from then on, and says "none"."""
    if work.tx.execute(_ROW, {"patient": person}).one_or_none() is None:
        work.add(duress_finger, patient=person, sealed=_seal(key, person, NONE))


def clinicians(house: House, actor: Actor, patient_id: str) -> list[tuple[str, str]]:
    """(account, display name) of those who can be chosen: clinicians of the home site, by name."""
    home = _home(house, patient_id)
    require(house, actor, PERMISSION, home)
    a, g = staff.account, staff.role_grant
    county = county_of(house, home)
    with house.read() as tx:
        rows = tx.execute(
            sa.select(a.c.id, a.c.display_name, g.c.role, g.c.scope_kind, g.c.scope)
            .join(g, g.c.account == a.c.id)
            .where(a.c.active)
        ).all()
    found = {
        r.id: r.display_name
        for r in rows
        if access.may([access.Grant(r.role, r.scope_kind, r.scope)], PERMISSION, home, county)
    }
    return sorted(found.items(), key=lambda each: (each[1], each[0]))


def fingers(house: House, actor: Actor, patient_id: str) -> tuple[str, ...]:
    """The fingers that can be chosen: those with a template in use."""
    require(house, actor, PERMISSION, _home(house, patient_id))
    f = fingerprint
    query = (
        sa.select(f.c.finger)
        .where(f.c.patient == patient_id, f.c.withdrawn_at.is_(None))
        .distinct()
        .order_by(f.c.finger)
    )
    with house.read() as tx:
        return tuple(tx.execute(query).scalars())


def set_answer(house: House, actor: Actor, patient_id: str, finger: str, clinician: str) -> None:
    """What the patient chose, together with the clinician at the screen. `finger`: one that is enrolled,
    NO_FINGER, or AS_IT_IS: who cannot see the answer must not wipe it by saving an empty form.

    The record says that it was asked, never what was answered: rows and event are the same either way.
    Refusal("input_invalid") names the fields; "duress_needs_two_fingers" where no everyday finger would be left.
    """
    home = _home(house, patient_id)
    enrolled, known = fingers(house, actor, patient_id), dict(clinicians(house, actor, patient_id))
    fields = {}
    if finger not in (AS_IT_IS, NO_FINGER):
        if finger not in enrolled:
            fields["finger"] = ["finger_not_enrolled"]
        elif len(enrolled) < 2:
            fields["finger"] = ["duress_needs_two_fingers"]
        if clinician not in known:
            fields["clinician"] = ["not_a_choice" if clinician else "field_needed"]
    elif clinician:
        fields["finger"] = ["field_needed"]
    if fields:
        raise Refusal("input_invalid", fields=fields)
    with house.work(actor, home, "patient.changed", patient=patient_id) as work:
        work.lock_patients([patient_id])
        _fill(work, home)
        key = sealed.person_key(work.tx, work.keys, patient_id)
        before = _answer(work.tx, work.keys, patient_id)
        answer = {AS_IT_IS: before, NO_FINGER: NONE}.get(finger, Answer(finger, clinician))
        value = _seal(key, patient_id, answer)
        changed = work.tx.execute(
            sa.update(duress_finger).where(duress_finger.c.patient == patient_id).values(sealed=value)
        )
        if not changed.rowcount:
            work.add(duress_finger, patient=patient_id, sealed=value)
        work.add(
            audit.record_access,
            id=new_id(),
            patient=patient_id,
            account=actor.id,
            site=home,
            what="edit",
            page="patient.update",
            why=None,
            at=work.now,
        )
        work.payload["changed"] = ["safety"]


def mine(house: House, actor: Actor, patient_id: str) -> Answer:
    """The answer, to the one clinician it names; to everybody else it looks like none."""
    require(house, actor, PERMISSION, _home(house, patient_id))
    with house.read() as tx:
        answer = _answer(tx, house.keys, patient_id)
    return answer if answer.clinician == actor.id else NONE


# --- within ----------------------------------------------------------------------------


def _fill(work: Work, home: str) -> None:
    """People of this site who enrolled before there was such an answer get theirs, "none", in one go:
    else the first row of all would say whose it is."""
    d, p, f = duress_finger, patient, fingerprint
    missing = work.tx.execute(
        sa.select(p.c.id)
        .join(d, d.c.patient == p.c.id, isouter=True)
        .where(p.c.home_site == home, d.c.patient.is_(None), sa.exists().where(f.c.patient == p.c.id))
    ).scalars()
    for person in missing.all():
        try:
            key = sealed.person_key(work.tx, work.keys, person)
        except SealBroken:
            continue  # forgotten
        work.add(d, patient=person, sealed=_seal(key, person, NONE))


def _seal(key: bytes, person: str, answer: Answer) -> bytes:
    text = json.dumps([answer.finger, answer.clinician]).ljust(_LENGTH)
    return sealed.seal(key, person, "duress_finger", "sealed", text)


def _answer(tx: Connection, keys: KeyRing, person: str) -> Answer:
    """NONE also for a person who has no answer yet, or is forgotten."""
    try:
        key = sealed.person_key(tx, keys, person)
        row = tx.execute(_ROW, {"patient": person}).scalar_one_or_none()
        text = sealed.unseal_text(key, person, "duress_finger", "sealed", row)
    except SealBroken:
        return NONE
    return Answer(*json.loads(text)) if text else NONE


def _home(house: House, patient_id: str) -> str:
    with house.read() as tx:
        query = sa.select(patient.c.home_site).where(patient.c.id == patient_id, patient.c.active)
        home = tx.execute(query).scalar_one_or_none()
    if home is None:
        raise Refusal("patient_unknown")
    return home
