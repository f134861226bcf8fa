"""The second step at the patients' door: an authenticator or a code by text message, switched on by the person.

Nobody has to have a telephone: who has neither signs in with number and PIN alone. What
is on is always asked for. Secrets are sealed with the person's own key; every change
asks for the PIN (see `pin.require`).
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.models.portal import portal_factor
from ost.services import credentials, sealed
from ost.services.messages import contacts
from ost.services.portal import pin, sessions
from ost.services.work import House, Work

TOTP, SMS = KINDS = ("totp", "sms")
_F = portal_factor
_OF = sa.select(_F).where(_F.c.patient == sa.bindparam("patient"))


@dataclass(frozen=True, slots=True)
class Factors:
    """What is asked for at sign-in. `contact`: where a code by message goes."""

    totp: bool
    sms: bool
    contact: contacts.Contact | None = None

    @property
    def any(self) -> bool:
        return self.totp or self.sms

    @property
    def first(self) -> str | None:
        return TOTP if self.totp else SMS if self.sms else None


def of(tx: Connection, house: House, patient_id: str) -> Factors:
    """By message only while a telephone stands that was found to be theirs."""
    row = tx.execute(_OF, {"patient": patient_id}).one_or_none()
    if row is None:
        return Factors(False, False)
    phone = None
    if row.sms:
        reach = contacts.reachable(tx, house, patient_id)
        phone = next((c for c in reach if c.channel == contacts.SMS), None)
    return Factors(row.totp_confirmed_at is not None, phone is not None, phone)


def asked(house: House, patient_id: str) -> Factors:
    with house.read() as tx:
        return of(tx, house, patient_id)


def begin_totp(house: House, session: sessions.PortalSession, typed_pin: str) -> str:
    """A new secret (base32) for an authenticator, to be shown once and confirmed by `confirm_totp`.

    Until then nothing is asked for. Refusal("portal_pin_wrong"), Refusal("portal_wait").
    """
    pin.require(house, session, typed_pin)
    secret = credentials.new_totp()
    with house.work(session.actor(), session.home_site, "portal.factor", patient=session.patient) as work:
        work.lock_patients([session.patient])
        _keep(work, session.patient, totp_sealed=_seal(work, session.patient, secret), totp_confirmed_at=None)
        work.payload |= {"factor": TOTP, "step": "begun"}
    return secret


def pending_totp(house: House, session: sessions.PortalSession) -> str | None:
    """The secret that waits to be confirmed; None when none does."""
    with house.read() as tx:
        row = tx.execute(_OF, {"patient": session.patient}).one_or_none()
        if row is None or row.totp_sealed is None or row.totp_confirmed_at is not None:
            return None
        return _open(tx, house, session.patient, row.totp_sealed)


def confirm_totp(house: House, session: sessions.PortalSession, code: str) -> bool:
    """The authenticator shows the right code: from the next sign-in on it is asked for. Ends the other sessions."""
    with house.work(session.actor(), session.home_site, "portal.factor", patient=session.patient) as work:
        work.lock_patients([session.patient])
        row = work.tx.execute(_OF, {"patient": session.patient}).one_or_none()
        if row is None or row.totp_sealed is None or row.totp_confirmed_at is not None:
            raise Refusal("portal_nothing_to_confirm")
        step = credentials.totp_step(_open(work.tx, house, session.patient, row.totp_sealed), code[:20], work.now)
        if step is None:
            return False
        _keep(work, session.patient, totp_confirmed_at=work.now, totp_last_step=step)
        sessions.end_all(work, session.patient, but=session.id)
        sessions.keep_event(work, session.patient, "totp_on", session.device)
    return True


def end_totp(house: House, session: sessions.PortalSession, typed_pin: str) -> None:
    pin.require(house, session, typed_pin)
    with house.work(session.actor(), session.home_site, "portal.factor", patient=session.patient) as work:
        work.lock_patients([session.patient])
        _keep(work, session.patient, totp_sealed=None, totp_confirmed_at=None)
        sessions.keep_event(work, session.patient, "totp_off", session.device)


def set_sms(house: House, session: sessions.PortalSession, on: bool, typed_pin: str) -> None:
    """Ask for a code by text message at sign-in. Refusal("portal_no_telephone") while none was found to be theirs."""
    pin.require(house, session, typed_pin)
    with house.work(session.actor(), session.home_site, "portal.factor", patient=session.patient) as work:
        work.lock_patients([session.patient])
        reach = contacts.reachable(work.tx, house, session.patient)
        if on and not any(c.channel == contacts.SMS for c in reach):
            raise Refusal("portal_no_telephone")
        _keep(work, session.patient, sms=on)
        if on:
            sessions.end_all(work, session.patient, but=session.id)
        sessions.keep_event(work, session.patient, "sms_on" if on else "sms_off", session.device)


def take_away(work: Work, patient_id: str) -> None:
    """At the clinic, the person known: the telephone is lost, the next sign-in asks for number and PIN alone."""
    _keep(work, patient_id, totp_sealed=None, totp_confirmed_at=None, sms=False)


def right_totp(house: House, work: Work, patient_id: str, code: str) -> bool:
    """Whether the authenticator shows this code now; each works once. The caller holds the person's lock."""
    row = work.tx.execute(_OF, {"patient": patient_id}).one_or_none()
    usable = row is not None and row.totp_confirmed_at is not None
    secret = _open(work.tx, house, patient_id, row.totp_sealed) if usable else None
    step = credentials.totp_step(secret, code, work.now)
    if step is None or step <= row.totp_last_step:
        return False
    _keep(work, patient_id, totp_last_step=step)
    return True


# --- within ------------------------------------------------------------------


def _keep(work: Work, patient_id: str, **values) -> None:
    """The caller holds the patient's lock: two first rows cannot meet."""
    values |= {"changed_at": work.now}
    change = sa.update(_F).where(_F.c.patient == patient_id).values(**values)
    if not work.tx.execute(change).rowcount:
        work.add(_F, **{"patient": patient_id, "totp_last_step": 0, "sms": False, **values})


def _seal(work: Work, patient_id: str, secret: str) -> bytes:
    key = sealed.person_key(work.tx, work.keys, patient_id)
    return sealed.seal(key, patient_id, "portal_factor", "totp", secret)


def _open(tx: Connection, house: House, patient_id: str, shut: bytes) -> str:
    key = sealed.person_key(tx, house.keys, patient_id)
    return sealed.unseal_text(key, patient_id, "portal_factor", "totp", shut)
