"""Register a patient, and change what is known of them: everything personal is sealed.

Reading is in `patient_read`, finding in `patient_search`. Decides nothing about
doses. Names, numbers of identity papers and telephones never reach a record
table, an audit payload or an error: they hold the opaque id only.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import argon2
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost import canonical, clock, policies
from ost.errors import Refusal
from ost.keys import SealBroken
from ost.models import audit, site
from ost.models.patient import fingerprint, patient, person_key
from ost.rules.identity import IdentityError, parse_national_id
from ost.rules.pins import pin_problem
from ost.rules.schedule import DateError, format_both, parse_date
from ost.services import sealed
from ost.services.access import may, require
from ost.services.faces import Face
from ost.services.guest import follow
from ost.services.portal import sessions as portal_sessions
from ost.services.work import Actor, House, Work, new_id

SEXES = ("female", "male", "other")
LANGUAGES = ("zh_Hant_TW", "zh_Hans_CN", "en")
PREGNANT, WORK = PRIORITIES = ("pregnant", "work")
OLDEST_YEARS = 120

_HASHER = argon2.PasswordHasher()
#: What a PIN is compared with where there is nobody, or nobody with one: it costs the same and fits nothing.
NO_PIN = _HASHER.hash(secrets.token_hex(32))


@dataclass(frozen=True, slots=True)
class Registered:
    id: str
    number: str  # "H-0047"
    birth_date: date
    birth_date_shown: str  # both calendars
    card: str = field(repr=False)  # the card's code, to be printed now: it is not kept in clear


def register(
    house: House,
    actor: Actor,
    *,
    site_id: str,
    name: str,
    national_id: str,
    birth_date: str,
    sex: str,
    phone: str | None = None,
    language: str = LANGUAGES[0],
    priority: Iterable[str] = (),
    low_tolerance: bool = False,
    pin: str | None = None,
    face: Face | None = None,
) -> Registered:
    """A new patient at home site `site_id`, with a card.

    Refusal("input_invalid") names every wrong field at once;
    Refusal("patient_already_registered") says no more than that, except to
    somebody who may read patients at the home site in question.
    """
    require(house, actor, "patient.register", site_id)
    person = _checked(house, name, national_id, birth_date, sex, phone, language, priority, pin)
    mac = house.keys.search_mac("national_id", person["national_id"])
    pin_hash = _HASHER.hash(pin) if pin else None
    patient_id, card = new_id(), new_card()
    _refuse_twice(house, actor, mac, site_id)
    try:
        with house.work(actor, site_id, "patient.registered", patient=patient_id) as work:
            number = _next_number(work, site_id)
            key = sealed.make_person_key(work, patient_id)
            work.add(
                patient,
                id=patient_id,
                home_site=site_id,
                number=number,
                sex=sex,
                active=True,
                low_tolerance=low_tolerance,
                language=language,
                priority=canonical.text(person["priority"]),
                episode_started_on=None,
                national_id_mac=mac,
                card_mac=house.keys.search_mac("card", card),
                pin_hash=pin_hash,
                registered_at=work.now,
                registered_by=actor.id,
                change_no=work.next_change_no("patients"),
                **_sealed(key, patient_id, person),
                **_sealed_face(key, patient_id, face),
            )
            work.payload |= {"patient": patient_id, "number": number, "face": face is not None}
    except IntegrityError:
        # Two desks registered the same person at the same moment: the key in the database chose one.
        _refuse_twice(house, actor, mac, site_id)
        raise
    return Registered(patient_id, number, person["birth_date"], format_both(person["birth_date"]), card)


def check(house: House, *, priority: Iterable[str] = (), pin: str | None = None, **fields) -> dict:
    """The fields of a registration in their normal form, nothing saved: to be read back to the person.

    Refusal("input_invalid") names every wrong field.
    """
    names = ("name", "national_id", "birth_date", "sex", "phone", "language")
    return _checked(house, *(fields.get(name) or "" for name in names), priority, pin) | {
        "low_tolerance": bool(fields.get("low_tolerance"))
    }


def update(house: House, actor: Actor, patient_id: str, **changes) -> None:
    """Correct personal data: name, birth_date, sex, phone, language, priority, low_tolerance.

    The national ID is not among them: a wrong one is another person's, or another registration.
    """
    unknown = changes.keys() - {"name", "birth_date", "sex", "phone", "language", "priority", "low_tolerance"}
    if unknown:
        raise ValueError(f"not a patient's field: {sorted(unknown)}")
    site_id = _home_site(house, patient_id)
    require(house, actor, "patient.register", site_id)
    values = _checked_changes(house, changes)
    with house.work(actor, site_id, "patient.changed", patient=patient_id) as work:
        _lock(work, patient_id)
        row = {k: v for k, v in values.items() if k in ("sex", "language", "low_tolerance")}
        if "priority" in values:
            row["priority"] = canonical.text(values["priority"])
        to_seal = {k: v for k, v in values.items() if k in ("name", "birth_date", "phone")}
        if to_seal:
            key = sealed.person_key(work.tx, work.keys, patient_id)
            row |= {
                f"{name}_sealed": sealed.seal(key, patient_id, "patient", name, value)
                for name, value in to_seal.items()
            }
        _change(work, patient_id, **row)
        work.add(audit.record_access, **_access(work, patient_id, "edit", "patient.update"))
        work.payload["changed"] = sorted(values)


def set_face(house: House, actor: Actor, patient_id: str, face: Face) -> None:
    site_id = _home_site(house, patient_id)
    require(house, actor, "patient.register", site_id)
    with house.work(actor, site_id, "patient.face", patient=patient_id) as work:
        _lock(work, patient_id)
        key = sealed.person_key(work.tx, work.keys, patient_id)
        _change(work, patient_id, **_sealed_face(key, patient_id, face))
        work.payload["face"] = face.type


def reissue_card(house: House, actor: Actor, patient_id: str) -> str:
    """A new card's code; the old card is dead from now on."""
    site_id = _home_site(house, patient_id)
    require(house, actor, "patient.register", site_id)
    card = new_card()
    with house.work(actor, site_id, "patient.card_reissued", patient=patient_id) as work:
        _lock(work, patient_id)
        _change(work, patient_id, card_mac=work.keys.search_mac("card", card))
        work.payload["card"] = "reissued"
    return card


def set_pin(house: House, actor: Actor, patient_id: str, pin: str) -> None:
    site_id = _home_site(house, patient_id)
    require(house, actor, "patient.register", site_id)
    if problem := pin_problem(pin, born(house, patient_id)):
        raise Refusal("input_invalid", fields={"pin": [problem]})
    hashed = hash_pin(pin)
    with house.work(actor, site_id, "patient.pin_set", patient=patient_id) as work:
        _lock(work, patient_id)
        keep_pin(work, patient_id, hashed)
        work.payload["pin"] = "set"


def hash_pin(pin: str) -> str:
    return _HASHER.hash(pin)


def keep_pin(work: Work, patient_id: str, hashed: str) -> None:
    """Write a PIN's hash down. Where the person is signed in at their own pages, they are no longer."""
    _change(work, patient_id, pin_hash=hashed)
    portal_sessions.end_all(work, patient_id)


def born(house: House, patient_id: str) -> date | None:
    with house.read() as tx:
        try:
            key = sealed.person_key(tx, house.keys, patient_id)
        except SealBroken:
            return None  # forgotten: refused in a moment
        row = tx.execute(sa.select(patient.c.birth_date_sealed).where(patient.c.id == patient_id)).scalar_one()
    return date.fromisoformat(sealed.unseal_text(key, patient_id, "patient", "birth_date", row))


def forget(house: House, actor: Actor, patient_id: str, reason: str) -> None:
    """Destroy the person's key: name, papers, telephone, face and templates can never be read again.

    The record of doses stays, by opaque id. Refused while a dose is younger
    than the years a medical record is kept.
    """
    from ost.models.dose import dose_attempt

    site_id = _home_site(house, patient_id)
    require(house, actor, "patient.forget", site_id)
    if not reason.strip():
        raise Refusal("input_invalid", fields={"reason": ["field_needed"]})
    with house.work(actor, site_id, "patient.forgotten", patient=patient_id) as work:
        _lock(work, patient_id)
        last = work.tx.execute(
            sa.select(sa.func.max(dose_attempt.c.dosing_day)).where(dose_attempt.c.patient == patient_id)
        ).scalar()
        if last is not None:
            s = site.site
            here = work.tx.execute(sa.select(s.c.tz, s.c.policy).where(s.c.id == site_id)).one()
            today = clock.dosing_day(work.now, here.tz)
            years = policies.policy(here.policy).int("medical_record_years", today)
            kept_until = date(last.year + years, 12, 31)
            if today <= kept_until:
                raise Refusal("patient_kept_by_law", until=format_both(kept_until))
        work.tx.execute(
            sa.update(person_key)
            .where(person_key.c.person == patient_id)
            .values(wrapped=None, destroyed_at=work.now)
        )
        _change(
            work,
            patient_id,
            active=False,
            # A fresh nothing: even the equality with a known number is gone.
            national_id_mac=work.keys.search_mac("forgotten", new_id()),
            card_mac=None,
            pin_hash=None,
            face_sealed=None,
            face_type=None,
        )
        portal_sessions.end_all(work, patient_id)
        follow.review(work, house, patient_id, "patient_forgotten")
        withdrawn = work.tx.execute(
            sa.update(fingerprint)
            .where(fingerprint.c.patient == patient_id, fingerprint.c.withdrawn_at.is_(None))
            .values(withdrawn_at=work.now, change_no=work.next_change_no("gallery"))
        ).rowcount
        work.payload |= {"key": "destroyed", "fingers_withdrawn": withdrawn}


def new_card() -> str:
    """What a card's code says: 128 random bits and a mark, so that a scanner's text is known for a card."""
    return "OST-" + secrets.token_urlsafe(16)


def pin_matches(pin_hash: str | None, pin: str) -> bool:
    """Whether `pin` is the one. Counting wrong tries is the caller's."""
    if not pin_hash:
        return False
    try:
        return _HASHER.verify(pin_hash, pin)
    except argon2.exceptions.VerificationError:
        return False


# --- within ----------------------------------------------------------------------


def _checked(house, name, national_id, birth_date, sex, phone, language, priority, pin) -> dict:
    fields: dict[str, list[str]] = {}
    number = None
    try:
        number = parse_national_id(national_id).number
    except IdentityError as error:
        fields["national_id"] = [error.code]
    if pin and (problem := pin_problem(pin, _day(birth_date))):
        fields["pin"] = [problem]
    changes = {
        "name": name,
        "birth_date": birth_date,
        "sex": sex,
        "phone": phone,
        "language": language,
        "priority": priority,
    }
    try:
        values = _checked_changes(house, changes)
    except Refusal as refusal:
        raise Refusal(refusal.code, fields=fields | refusal.fields) from None
    if fields:
        raise Refusal("input_invalid", fields=fields)
    return values | {"national_id": number}


def _day(text: str) -> date | None:
    try:
        return parse_date(text or "")
    except DateError:
        return None


def _checked_changes(house: House, changes: dict) -> dict:
    fields: dict[str, list[str]] = {}
    values = dict(changes)
    if "name" in values:
        values["name"] = " ".join((values["name"] or "").split())
        if not values["name"]:
            fields["name"] = ["field_needed"]
        elif len(values["name"]) > 80 or not values["name"].isprintable():
            fields["name"] = ["name_not_understood"]
    if "birth_date" in values:
        try:
            born = values["birth_date"] = parse_date(values["birth_date"] or "")
            today = house.now().date()
            if not today.year - OLDEST_YEARS <= born.year or born > today:
                fields["birth_date"] = ["birth_date_impossible"]
        except DateError as error:
            fields["birth_date"] = [error.code]
    if "phone" in values:
        values["phone"] = " ".join((values["phone"] or "").split()) or None
        if values["phone"] and (
            len(values["phone"]) > 30 or not set(values["phone"]) <= set("0123456789+-() #")
        ):
            fields["phone"] = ["phone_not_understood"]
    for name, allowed in (("sex", SEXES), ("language", LANGUAGES)):
        if name in values and values[name] not in allowed:
            fields[name] = ["not_a_choice"]
    if "priority" in values:
        values["priority"] = sorted(set(values["priority"] or ()))
        if not set(values["priority"]) <= set(PRIORITIES):
            fields["priority"] = ["not_a_choice"]
    if fields:
        raise Refusal("input_invalid", fields=fields)
    return values


def _refuse_twice(house: House, actor: Actor, mac: str, site_id: str) -> None:
    """Asking whether somebody is registered is itself a disclosure: it is recorded, and answered with one bit."""
    with house.read() as tx:
        found = tx.execute(
            sa.select(patient.c.id, patient.c.home_site, patient.c.number).where(
                patient.c.national_id_mac == mac
            )
        ).one_or_none()
    if found is None:
        return
    with house.work(actor, site_id, "patient.registered_twice", patient=found.id) as work:
        work.add(audit.record_access, **_access(work, found.id, "read", "patient.register", "already_registered"))
        work.payload["refused"] = "patient_already_registered"
    data = {}
    if may(house, actor, "patient.read", found.home_site):
        data = {"home_site": found.home_site, "number": found.number, "patient": found.id}
    fields = {"national_id": ["patient_already_registered"]}
    raise Refusal("patient_already_registered", fields=fields, **data)


def _sealed(key: bytes, patient_id: str, person: dict) -> dict:
    names = ("name", "national_id", "birth_date", "phone")
    return {f"{n}_sealed": sealed.seal(key, patient_id, "patient", n, person[n]) for n in names}


def _sealed_face(key: bytes, patient_id: str, face: Face | None) -> dict:
    if face is None:
        return {"face_sealed": None, "face_type": None}
    return {"face_sealed": sealed.seal(key, patient_id, "patient", "face", face.data), "face_type": face.type}


def _next_number(work: Work, site_id: str) -> str:
    row = work.tx.execute(
        sa.update(site.site)
        .where(site.site.c.id == site_id)
        .values(next_number=site.site.c.next_number + 1)
        .returning(site.site.c.number_prefix, site.site.c.next_number)
    ).one_or_none()
    if row is None:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    return f"{row.number_prefix}-{row.next_number - 1:04d}"


def _home_site(house: House, patient_id: str) -> str:
    with house.read() as tx:
        found = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar_one_or_none()
    if found is None:
        raise Refusal("patient_unknown")
    return found


def _lock(work: Work, patient_id: str) -> sa.Row:
    rows = work.lock_patients([patient_id])
    if patient_id not in rows:
        raise Refusal("patient_unknown")
    return rows[patient_id]


def _change(work: Work, patient_id: str, **values) -> None:
    work.tx.execute(
        sa.update(patient)
        .where(patient.c.id == patient_id)
        .values(change_no=work.next_change_no("patients"), **values)
    )


def _access(work: Work, patient_id: str, what: str, page: str, why: str | None = None) -> dict:
    return {
        "id": new_id(),
        "patient": patient_id,
        "account": work.actor.id,
        "site": work.site,
        "what": what,
        "page": page,
        "why": why,
        "at": work.now,
    }
