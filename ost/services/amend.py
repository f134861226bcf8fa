"""After the outcome: what was seen later, a void, a replacement, a review.

Nothing is edited: each is a row of its own beside the attempt, which stays in
sight. Only a release, written by two persons or by a prescriber, frees a slot.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import dose
from ost.models.patient import patient
from ost.rules import facts as f
from ost.rules.missed_doses import kept_ug
from ost.services import register, sealed
from ost.services.access import may, require
from ost.services.gather import PAST_DOSES, past_dose
from ost.services.guest import follow
from ost.services.outcome import _ATTEMPT, _OUTCOME, release
from ost.services.witness import VOID, use_witness
from ost.services.work import Actor, House, Work, new_id

#: A page's clock may run a few seconds ahead of the server's.
CLOCKS_DIFFER = timedelta(seconds=5)
OBSERVATIONS = ("vomited", "drowsy", "unsteady", "kept_in_mouth", "left_early", "other")


def _open(house: House, dose_id: str):
    with house.read() as tx:
        attempt = tx.execute(_ATTEMPT, {"id": dose_id}).one_or_none()
    if attempt is None:
        raise Refusal("dose_unknown")
    return attempt


def _outcome(work: Work, attempt):
    row = work.tx.execute(_OUTCOME, {"id": attempt.id}).one_or_none()
    if row is None:
        raise Refusal("outcome_needed_first")
    return row


def observe(
    house: House,
    actor: Actor,
    dose_id: str,
    kind: str,
    *,
    minutes_after: int | None = None,
    note: str | None = None,
    observed_at: datetime | None = None,
) -> str:
    """Vomiting, drowsiness and the like, seen on a swallowed dose. Returns the row's id."""
    if kind not in OBSERVATIONS:
        raise Refusal("observation_unknown", fields={"kind": ["observation_unknown"]})
    attempt = _open(house, dose_id)
    require(house, actor, "dose.observe", attempt.site)
    with house.work(actor, attempt.site, "dose.observed", patient=attempt.patient) as work:
        work.lock_patients([attempt.patient])
        outcome = _outcome(work, attempt)
        if outcome.outcome == f.NOT_GIVEN:
            raise Refusal("nothing_was_swallowed")
        at = observed_at or work.now
        # Seen before it was prepared, or tomorrow: minutes after the swallow decide the next dose.
        if not attempt.promised_at <= at <= work.now + CLOCKS_DIFFER:
            raise Refusal("given_at_impossible", fields={"observed_at": ["given_at_impossible"]})
        if minutes_after is None:
            minutes_after = max(0, int((at - outcome.given_at).total_seconds() // 60))
        row = work.add(
            dose.dose_observation,
            id=new_id(),
            attempt=attempt.id,
            patient=attempt.patient,
            kind=kind,
            minutes_after=minutes_after,
            note=note,
            by=actor.id,
            observed_at=at,
            at=work.now,
        )
        work.payload = {"dose": attempt.id, "kind": kind}
        return row["id"]


def void(
    house: House,
    actor: Actor,
    dose_id: str,
    *,
    reason: str,
    witness: str,
    not_taken: bool = False,
    disposition: str | None = None,
) -> None:
    """Strike an attempt through; it stays to be seen, with reason and second person.

    Only `not_taken` (two persons found that nobody swallowed it) frees the slot
    and puts the volume somewhere; a plain void changes neither slot nor clocks,
    so that it can never hide a given dose.
    """
    if not reason:
        raise Refusal("reason_needed", fields={"reason": ["reason_needed"]})
    attempt = _open(house, dose_id)
    require(house, actor, "dose.void", attempt.site)
    with house.work(actor, attempt.site, "dose.voided", patient=attempt.patient) as work:
        work.lock_patients([attempt.patient])
        _outcome(work, attempt)
        v = dose.dose_void
        if work.tx.execute(sa.select(v.c.attempt).where(v.c.attempt == attempt.id)).scalar():
            raise Refusal("already_void")
        second = use_witness(work, witness, attempt.id, attempt.site, act=VOID, not_account=actor.id)
        if not_taken:
            _refuse_second_release(work, attempt)
            head = register.lock_bottle(work, attempt.bottle)
            # Asked of the register itself: more than ordered has lines of its own.
            swallowed_ul = register.taken_ul(work, attempt.id)
            if swallowed_ul > 0:
                if disposition not in register.DISPOSITIONS:
                    raise Refusal("disposition_needed", fields={"disposition": ["disposition_needed"]})
                register.put_back(
                    work,
                    head,
                    attempt.id,
                    swallowed_ul,
                    disposition,
                    attempt.dosing_day,
                    reason="void",
                    second=second,
                )
            release(work, attempt, "void_not_taken", reason=reason, second=second)
        work.add(
            v,
            attempt=attempt.id,
            patient=attempt.patient,
            not_taken=not_taken,
            reason=reason,
            by=actor.id,
            second=second,
            at=work.now,
        )
        work.payload = {"dose": attempt.id, "not_taken": not_taken}


def order_replacement(
    house: House, actor: Actor, dose_id: str, *, reason: str, dose_ug: int | None = None
) -> None:
    """A prescriber of the site that gave it, or of the home site, orders another dose in place of one that was lost.

    `dose_ug` None: what is missing to the ordered dose. What was swallowed and kept
    and the replacement together are never more than the order (the rule sees to it
    again at the counter, the database to each single dose).
    """
    attempt = _open(house, dose_id)
    if not may(house, actor, "dose.replace", attempt.home_site):
        require(house, actor, "dose.replace", attempt.site)
    if dose_ug is not None and not 0 < dose_ug <= attempt.ordered_ug:
        raise Refusal("replacement_above_order", fields={"dose_ug": ["replacement_above_order"]})
    with house.work(actor, attempt.site, "dose.replacement_ordered", patient=attempt.patient) as work:
        work.lock_patients([attempt.patient])
        _outcome(work, attempt)
        _refuse_second_release(work, attempt)
        room = attempt.ordered_ug - _kept_ug(work, attempt)
        if room <= 0 or (dose_ug is not None and dose_ug > room):
            raise Refusal("replacement_above_order", fields={"dose_ug": ["replacement_above_order"]})
        if dose_ug is None and room < attempt.ordered_ug:
            dose_ug = room
        release(work, attempt, "replacement_ordered", reason=reason, second=None, dose_ug=dose_ug)
        work.payload = {"dose": attempt.id}


def _kept_ug(work: Work, attempt) -> int:
    """What was swallowed in this slot and not vomited, over all its attempts that are not void."""
    seen = work.tx.execute(
        PAST_DOSES, {"patient": attempt.patient, "since": attempt.dosing_day}
    ).all()
    return sum(
        kept_ug(past_dose(row))
        for row in seen
        if row.dosing_day == attempt.dosing_day
        and row.slot == attempt.slot
        and row.why in (None, "replacement_ordered")
    )


def _refuse_second_release(work: Work, attempt) -> None:
    r = dose.dose_release
    if work.tx.execute(sa.select(r.c.attempt).where(r.c.attempt == attempt.id)).scalar():
        raise Refusal("slot_already_free")


def review_exposure(house: House, actor: Actor, exposure_id: str, *, note: str | None = None) -> None:
    """A prescriber has seen the person who swallowed what was not meant for them."""
    e, r = dose.exposure, dose.exposure_review
    with house.read() as tx:
        row = tx.execute(
            sa.select(e.c.patient, dose.dose_attempt.c.site, patient.c.home_site)
            .join(dose.dose_attempt, dose.dose_attempt.c.id == e.c.attempt)
            .join(patient, patient.c.id == e.c.patient)
            .where(e.c.id == exposure_id)
        ).one_or_none()
    if row is None:
        raise Refusal("exposure_unknown")
    # Who swallowed it may have their home elsewhere: that prescriber must be able to let them dose again.
    if not may(house, actor, "exposure.clear", row.home_site):
        require(house, actor, "exposure.clear", row.site)
    with house.work(actor, row.site, "exposure.reviewed", patient=row.patient) as work:
        work.lock_patients([row.patient])
        if work.tx.execute(sa.select(r.c.exposure).where(r.c.exposure == exposure_id)).scalar():
            return
        work.add(r, exposure=exposure_id, patient=row.patient, by=actor.id, note=note, at=work.now)
        work.payload = {"exposure": exposure_id}
        follow.review(work, house, row.patient, "exposure_reviewed")


def sign(house: House, actor: Actor, dose_id: str, strokes: bytes) -> None:
    """Keep the patient's signature for a dose, sealed. Again: the first one stays."""
    attempt = _open(house, dose_id)
    require(house, actor, "dose.give", attempt.site)
    if not strokes or len(strokes) > 64_000:
        raise Refusal("signature_unreadable", fields={"signature": ["signature_unreadable"]})
    with house.work(actor, attempt.site, "dose.signed", patient=attempt.patient) as work:
        work.lock_patients([attempt.patient])
        s = dose.signature
        if work.tx.execute(sa.select(s.c.attempt).where(s.c.attempt == attempt.id)).scalar():
            return
        key = sealed.person_key(work.tx, work.keys, attempt.patient)
        kept = sealed.seal(key, attempt.patient, "signature", "strokes", strokes)
        work.add(s, attempt=attempt.id, patient=attempt.patient, strokes_sealed=kept, at=work.now)
        work.payload = {"dose": attempt.id}
