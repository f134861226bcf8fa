"""Showing who one is without a finger: a card's code, a number with the face, a tap on an offered face.

Of equal standing with a touch, and recorded in the same place. While the counter's
dose has no outcome each of them only confirms, or does not confirm, the person that
dose is for. Which ways are open, at the call and at hand-over, the site's policy says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from ost import canonical, clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.dose import dose_attempt
from ost.models.patient import patient
from ost.models.station import identity_evidence
from ost.rules.policy import Policy
from ost.services.access import require
from ost.services.arrive import arrive
from ost.services.known_here import known_here
from ost.services.stranger import answer_about
from ost.services.touched import (
    ARRIVAL,
    CONFIRMED,
    HAND_OVER,
    SHOWN,
    STOPPED,
    UNKNOWN_PERSON,
    owner_of_open_dose,
)
from ost.services.work import Actor, House, Work, new_id

CARD, NUMBER_FACE = "card", "number_face"
_KEYS = {ARRIVAL: "identity_paths", HAND_OVER: "handover_identity_paths"}
OFFERED = "offered_after_touch"  # the reason of a tap on a face that a touch had offered


@dataclass(frozen=True, slots=True)
class Shown:
    """`result`: "shown", "confirmed", "stopped" or "nobody"; `patient` only when shown or confirmed.

    `dosed_today`: all that is said of a person who is not expected here.
    """

    result: str
    code: str | None = None
    patient: str | None = None
    evidence: str | None = None
    arrival_number: int | None = None
    dosed_today: bool | None = None


def by_card(house: House, actor: Actor, counter_id: str, card: str, reason: str | None = None) -> Shown:
    """A scanned card or QR. Refusal("card_unknown") for a code that is nobody's."""
    mac = house.keys.search_mac("card", card.strip())
    person = _one(house, patient.c.card_mac == mac)
    return _present(house, actor, counter_id, person, CARD, reason, unknown="card_unknown")


def by_number(house: House, actor: Actor, counter_id: str, number: str, reason: str | None) -> Shown:
    """A said and typed number; the nurse compares the face. Refusal("number_unknown")."""
    person = _one(house, patient.c.number == number.strip().upper())
    return _present(house, actor, counter_id, person, NUMBER_FACE, reason, unknown="number_unknown")


def by_face(house: House, actor: Actor, counter_id: str, patient_id: str, reason: str | None = None) -> Shown:
    """A tap on a face: one of those a touch offered (no reason asked), or one of today's list."""
    person = _one(house, patient.c.id == patient_id)
    return _present(house, actor, counter_id, person, NUMBER_FACE, reason, unknown="patient_unknown")


def confirm_by_card(house: House, actor: Actor, counter_id: str, dose_id: str, card: str) -> Shown:
    """Hand-over: the card of the person this dose is for."""
    _require_dose(house, counter_id, dose_id)
    return by_card(house, actor, counter_id, card)


def confirm_by_face(house: House, actor: Actor, counter_id: str, dose_id: str, reason: str | None) -> Shown:
    """Hand-over: the nurse compared the face on the card with the person, and says so."""
    owner = _require_dose(house, counter_id, dose_id)
    return _present(house, actor, counter_id, owner, NUMBER_FACE, reason, unknown="patient_unknown")


def allowed_paths(policy: Policy, purpose: str) -> tuple[str, ...]:
    """ "finger", "card", "number_face": those the policy opens for "arrival" or "hand_over"."""
    allowed = policy.list(_KEYS[purpose])
    return tuple(p for p in ("finger", CARD, NUMBER_FACE) if p in allowed)


def close_card(house: House, actor: Actor, counter_id: str) -> None:
    """The person stepped aside before a dose was prepared: the counter waits for the next."""
    where = _counter(house, counter_id)
    require(house, actor, "counter.use", where.site)
    c = sites.counter
    with house.work(actor, where.site, "counter.card_closed") as work:
        now = work.tx.execute(sa.select(c).where(c.c.id == counter_id).with_for_update()).one()
        if owner_of_open_dose(work.tx, now.dose) is not None:
            raise Refusal("counter_holds_other_dose")
        if now.patient is None and now.notice is None:
            return
        work.tx.execute(
            sa.update(c)
            .where(c.c.id == counter_id)
            .values(patient=None, dose=None, shown_at=None, notice=None, version=c.c.version + 1)
        )
        work.payload = {"counter": counter_id}


# --- within ----------------------------------------------------------------------


def _present(
    house: House,
    actor: Actor,
    counter_id: str,
    person: str | None,
    path: str,
    reason: str | None,
    *,
    unknown: str,
) -> Shown:
    where = _counter(house, counter_id)
    require(house, actor, "identify.capture", where.site)
    if person is None:
        raise Refusal(unknown)
    policy = policies.policy(where.policy)
    c = sites.counter
    with house.work(actor, where.site, "identity.shown") as work:
        work.lock_patients([person])
        now = work.tx.execute(sa.select(c).where(c.c.id == counter_id).with_for_update()).one()
        owner = owner_of_open_dose(work.tx, now.dose)
        purpose = HAND_OVER if owner is not None else ARRIVAL
        reason = _checked(policy, path, purpose, reason, now, person)
        if purpose == HAND_OVER:
            shown = _at_hand_over(work, now, owner, person, path, reason)
        else:
            shown = _at_arrival(work, where, now, person, path, reason)
        work.patient = shown.patient
        work.payload = {
            "counter": counter_id,
            "path": path,
            "purpose": purpose,
            "reason": reason,
            "result": shown.result,
            "code": shown.code,
            "evidence": shown.evidence,
        }
        return shown


def _checked(policy: Policy, path: str, purpose: str, reason: str | None, counter, person: str) -> str | None:
    allowed = allowed_paths(policy, purpose)
    if path not in allowed:
        raise Refusal("identity_path_not_allowed", allowed=", ".join(allowed))
    if path != NUMBER_FACE:
        known = reason is None or reason in policy.list("reasons_for_identity_fallback")
        return reason if known else _no_reason()
    notice = json.loads(counter.notice) if counter.notice else {}
    if reason is None and person in notice.get("candidates", ()):
        return OFFERED
    if reason not in policy.list("reasons_for_identity_fallback"):
        _no_reason()
    return reason


def _no_reason():
    raise Refusal("identity_reason_needed", fields={"reason": ["identity_reason_needed"]})


def _at_hand_over(work: Work, counter, owner: str, person: str, path: str, reason: str | None) -> Shown:
    if owner != person:
        _say(work, counter, {"code": "another_persons_card", "at": work.now, "patient": None})
        return Shown(STOPPED, "another_persons_card")
    kept = _evidence(work, counter, person, HAND_OVER, path, reason, counter.dose)
    _say(work, counter, None)
    return Shown(CONFIRMED, patient=person, evidence=kept)


def _at_arrival(work: Work, where, counter, person: str, path: str, reason: str | None) -> Shown:
    day = clock.dosing_day(work.now, where.tz)
    if person not in known_here(work.tx, where.site, day):
        dosed = answer_about(work, person, f"counter.{path}")
        notice = {"code": "known_elsewhere", "at": work.now, "dosed_today": dosed}
        _say(work, counter, notice, patient=None, dose=None, shown_at=None)
        return Shown(UNKNOWN_PERSON, "known_elsewhere", dosed_today=dosed)
    kept = _evidence(work, counter, person, ARRIVAL, path, reason, None)
    number = arrive(work, where.site, day, person)
    _say(work, counter, None, patient=person, dose=None, shown_at=work.now)
    return Shown(SHOWN, patient=person, evidence=kept, arrival_number=number)


def _evidence(work: Work, counter, person, purpose, path, reason, dose) -> str:
    row = work.add(
        identity_evidence,
        id=new_id(),
        patient=person,
        site=counter.site,
        purpose=purpose,
        path=path,
        capture=None,
        dose=dose,
        station=None,
        account=work.actor.id,
        reason=reason,
        at=work.now,
    )
    return row["id"]


def _say(work: Work, counter, notice: dict | None, **values) -> None:
    c = sites.counter
    work.tx.execute(
        sa.update(c)
        .where(c.c.id == counter.id)
        .values(notice=canonical.text(notice) if notice else None, version=c.c.version + 1, **values)
    )


def _counter(house: House, counter_id: str) -> sa.Row:
    """The counter's site, its zone and its policy."""
    c, s = sites.counter, sites.site
    with house.read() as tx:
        row = tx.execute(
            sa.select(c.c.site, c.c.dose, s.c.tz, s.c.policy)
            .join(s, s.c.id == c.c.site)
            .where(c.c.id == counter_id)
        ).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    return row


def _require_dose(house: House, counter_id: str, dose_id: str) -> str:
    """The person that dose is for; Refusal when the counter is not locked to exactly this dose."""
    if _counter(house, counter_id).dose != dose_id:
        raise Refusal("counter_holds_other_dose")
    with house.read() as tx:
        return tx.execute(sa.select(dose_attempt.c.patient).where(dose_attempt.c.id == dose_id)).scalar_one()


def _one(house: House, condition) -> str | None:
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.id).where(condition, patient.c.active)).scalar_one_or_none()
