"""A patient's PIN at their own door: asked for before a change, changed by the person, given by a nurse.

The same PIN and the same hash as at the counter (`services.card_pin`); its wrong tries are
counted apart. A new one has as many digits as a web page needs. A forgotten one is given
anew only at a clinic, after identity.
"""

from __future__ import annotations

import sqlalchemy as sa

from ost import policies
from ost.errors import Refusal
from ost.models.patient import patient
from ost.rules.pins import LONGEST, pin_problem
from ost.services import patients
from ost.services.portal import sessions, tries
from ost.services.work import House


def shortest(house: House) -> int:
    """Digits a new PIN has at least."""
    return min(policies.policy(house.policy_name).int("portal_pin_digits"), LONGEST)


def require(house: House, session: sessions.PortalSession, typed: str) -> str:
    """The PIN they have, before something that matters. Returns the hash it fits.

    Refusal("portal_pin_wrong"); Refusal("portal_wait") after several.
    """
    if wait := tries.count_old_pin(house, session.patient):
        raise Refusal("portal_wait", seconds=wait)
    with house.read() as tx:
        stored = tx.execute(sa.select(patient.c.pin_hash).where(patient.c.id == session.patient)).scalar()
    if not patients.pin_matches(stored or patients.NO_PIN, typed[:40]) or stored is None:
        with house.work(session.actor(), session.home_site, "portal.wrong", patient=session.patient) as work:
            sessions.keep_event(work, session.patient, "wrong", session.device)
        raise Refusal("portal_pin_wrong", fields={"pin": ["portal_pin_wrong"]})
    with house.db.begin() as tx:
        tries.right_old_pin(house, tx, session.patient)
    return stored


def problem(house: House, patient_id: str, new: str, again: str) -> dict[str, list[str]]:
    """What is wrong with a new PIN, by field; {} when nothing."""
    if len(new) < shortest(house) or (found := pin_problem(new, patients.born(house, patient_id))) == "pin_shape":
        return {"new": ["portal_pin_shape"]}
    if found:
        return {"new": [found]}
    return {} if new == again else {"again": ["portal_pin_differs"]}


def change(house: House, session: sessions.PortalSession, old: str, new: str, again: str) -> str:
    """A new PIN; every session ends, this one too. Returns the token of the one that takes its place.

    Refusal("input_invalid") names `new` or `again`; see also `require`.
    """
    if fields := problem(house, session.patient, new, again):
        raise Refusal("input_invalid", fields=fields)
    stored = require(house, session, old)
    hashed = patients.hash_pin(new)
    with house.work(session.actor(), session.home_site, "portal.pin_changed", patient=session.patient) as work:
        row = work.lock_patients([session.patient])[session.patient]
        if row.pin_hash != stored or not row.active:
            raise Refusal("portal_pin_wrong")  # changed meanwhile: what was typed is no longer it
        patients.keep_pin(work, session.patient, hashed)
        sessions.keep_event(work, session.patient, "pin_changed", session.device)
        return sessions.start(
            house, work, session.patient, kind=sessions.WHOLE, device=session.device, label=session.label
        )
