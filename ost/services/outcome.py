"""Say how a promised dose ended: once, in one transaction.

What happened is never refused for a missing formality, only flagged; what is
refused is a second, different ending, an impossible amount, and a late ending
without a witness. Knows the register's words for where a rest went; decides
no dose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import canonical, policies
from ost.errors import Refusal
from ost.models import dose, site, station
from ost.rules import facts as f
from ost.services import register, rows
from ost.services.access import require
from ost.services.guest import follow
from ost.services.promise import Identity, hold_counter
from ost.services.witness import OUTCOME, use_witness
from ost.services.work import Actor, House, Work, new_id

#: After this long a hand-over check no longer belongs to the swallow it is shown for.
EVIDENCE_MAX_AGE_S_KEY = "handover_identity_valid_s"


@dataclass(frozen=True, slots=True)
class Ending:
    """What the page says happened. Amounts in ug; `given_at` None: just now."""

    dose_id: str
    outcome: str
    swallowed_ug: int | None = None
    disposition: str | None = None
    identity: Identity | None = None
    reason: str | None = None
    witness: str | None = None  # one-use token of the second person
    given_at: datetime | None = None
    drinker: str | None = None  # patient who swallowed it, if it was another person and is known
    counter: str | None = None

    def content_digest(self) -> str:
        """Without the token (used up by then) and the counter (not content)."""
        return canonical.digest(replace(self, witness=None, counter=None, identity=None))


@dataclass(frozen=True, slots=True)
class Ended:
    dose_id: str
    patient_id: str
    outcome: str
    swallowed_ug: int | None
    flags: tuple[str, ...]
    slot_free: bool
    emergency: bool
    again: bool = False

    @property
    def state(self) -> str:
        return self.outcome


def end(house: House, actor: Actor, said: Ending) -> Ended:
    """Record the one outcome of a dose. Raises Refusal; nothing is written then."""
    with house.work(actor, None, "dose.ended") as work:
        attempt = work.tx.execute(_ATTEMPT, {"id": said.dose_id}).one_or_none()
        if attempt is None:
            raise Refusal("dose_unknown")
        require(house, actor, "dose.give", attempt.site)
        work.site, work.patient = attempt.site, attempt.patient
        _check_drinker(attempt, said)
        locked = work.lock_patients({attempt.patient} | ({said.drinker} if said.drinker else set()))
        if said.drinker and said.drinker not in locked:
            raise Refusal("patient_unknown", fields={"drinker": ["patient_unknown"]})
        return _end(house, work, attempt, said)


# The attempt never changes, so it may be read before the lock; its outcome is read after.
_ATTEMPT = (
    sa.select(dose.dose_attempt, site.site.c.policy.label("site_policy"))
    .join_from(dose.dose_attempt, site.site, site.site.c.id == dose.dose_attempt.c.site)
    .where(dose.dose_attempt.c.id == sa.bindparam("id"))
)
_OUTCOME = sa.select(dose.dose_outcome).where(dose.dose_outcome.c.attempt == sa.bindparam("id"))
_EVIDENCE = (
    sa.select(station.identity_evidence.c.id)
    .where(
        station.identity_evidence.c.dose == sa.bindparam("dose"),
        station.identity_evidence.c.patient == sa.bindparam("patient"),
        station.identity_evidence.c.purpose == "hand_over",
        station.identity_evidence.c.at >= sa.bindparam("since"),
    )
    .order_by(station.identity_evidence.c.at.desc())
    .limit(1)
)
_SIGNED = sa.select(dose.signature.c.attempt).where(dose.signature.c.attempt == sa.bindparam("id"))
_HELD = sa.select(site.counter.c.id).where(site.counter.c.dose == sa.bindparam("dose"))


def _end(house: House, work: Work, attempt, said: Ending) -> Ended:
    content = said.content_digest()
    known = work.tx.execute(_OUTCOME, {"id": attempt.id}).one_or_none()
    if known is not None:
        if known.content_digest != content:
            raise Refusal("outcome_already_recorded", outcome=known.outcome)
        return _answer(attempt, known.outcome, known.swallowed_ug, json.loads(known.flags), again=True)
    policy = policies.policy(attempt.site_policy)
    swallowed_ug, rest_ul = amounts(attempt, said)
    given_at = _given_at(house, work, attempt, said)
    flags: list[str] = []
    witness = _witness(work, policy, attempt, said)
    evidence = _evidence(work, policy, attempt, said, given_at, flags)
    asked = said.outcome == f.SWALLOWED and policy.bool("signature_required", attempt.dosing_day)
    if asked and not _signed(work.tx, attempt.id):
        flags.append("signature_missing")
    _register(work, attempt, said, swallowed_ug, rest_ul, flags)
    work.add(
        dose.dose_outcome,
        **rows.outcome_row(
            attempt=attempt.id,
            patient=attempt.patient,
            outcome=said.outcome,
            swallowed_ug=swallowed_ug,
            disposition=said.disposition,
            rest_ul=rest_ul,
            content_digest=content,
            evidence=evidence,
            identity_path=said.identity.path if said.identity else None,
            reason=said.reason,
            drinker=said.drinker,
            flags=tuple(flags),
            by=work.actor.id,
            witness=witness,
            given_at=given_at,
            entered_at=work.now,
        ),
    )
    if said.outcome == f.NOT_GIVEN:
        release(work, attempt, "not_given", reason=said.reason, second=witness)
    exposed = _exposures(work, attempt, said, swallowed_ug)
    _free_counter(work, attempt)
    work.payload = {"dose": attempt.id, "outcome": said.outcome, "flags": flags}
    if exposed is not None:
        follow.review(work, house, exposed, "exposure")
    return _answer(attempt, said.outcome, swallowed_ug, flags)


def _answer(attempt, outcome: str, swallowed_ug, flags, *, again: bool = False) -> Ended:
    return Ended(
        dose_id=attempt.id,
        patient_id=attempt.patient,
        outcome=outcome,
        swallowed_ug=swallowed_ug,
        flags=tuple(flags),
        slot_free=outcome == f.NOT_GIVEN,
        emergency=outcome in (f.BY_OTHER, f.TOO_MUCH),
        again=again,
    )


def _check_drinker(attempt, said: Ending) -> None:
    """Another person, and only where another person swallowed it: anything else would hide who has it in them."""
    if said.drinker and (said.outcome != f.BY_OTHER or said.drinker == attempt.patient):
        raise Refusal("input_invalid", fields={"drinker": ["not_a_choice"]})


def amounts(attempt, said: Ending) -> tuple[int | None, int]:
    """(swallowed_ug by the person it was for, rest_ul that went somewhere else).

    The rest is rounded up to the next unit of the product, so that the register
    never says more was swallowed than was.
    """
    dose_ug, given = attempt.dose_ug, said.swallowed_ug

    def wrong(code: str):
        return Refusal(code, fields={"swallowed_ug": [code]}, dose_ug=dose_ug)

    match said.outcome:
        case f.SWALLOWED:
            if given not in (None, dose_ug):
                raise wrong("swallowed_is_not_the_dose")
            swallowed, rest = dose_ug, 0
        case f.PARTLY:
            if given is None or not 0 < given < dose_ug:
                raise wrong("partly_needs_amount")
            swallowed = given
            rest = attempt.volume_ul - attempt.volume_ul * given // dose_ug
        case f.NOT_GIVEN:
            if given not in (None, 0):
                raise wrong("not_given_is_nothing")
            swallowed, rest = 0, attempt.volume_ul
        case f.SPAT_OUT:
            if given is not None and not 0 <= given <= dose_ug:
                raise wrong("partly_needs_amount")
            # How much stayed down is seldom known: None weighs as nothing for the next
            # dose's size and as everything for its earliest time.
            swallowed = given
            rest = attempt.volume_ul - attempt.volume_ul * (given or 0) // dose_ug
        case f.BY_OTHER:
            if given is not None and not 0 < given <= dose_ug:
                raise wrong("partly_needs_amount")
            swallowed = 0
            rest = attempt.volume_ul - attempt.volume_ul * (given or dose_ug) // dose_ug
        case f.TOO_MUCH:
            if given is None or given <= dose_ug:
                raise wrong("too_much_needs_amount")
            swallowed, rest = given, 0
        case _:
            raise Refusal("outcome_unknown", fields={"outcome": ["outcome_unknown"]})
    if rest and said.disposition not in register.DISPOSITIONS:
        raise Refusal("disposition_needed", fields={"disposition": ["disposition_needed"]})
    if said.disposition == register.BACK and said.outcome != f.NOT_GIVEN:
        # What has been in a cup does not go back into the bottle.
        raise Refusal("returned_after_pouring", fields={"disposition": ["returned_after_pouring"]})
    if not rest and said.disposition is not None:
        raise Refusal("nothing_left_over", fields={"disposition": ["nothing_left_over"]})
    return swallowed, rest


def _given_at(house: House, work: Work, attempt, said: Ending) -> datetime:
    if said.given_at is None:
        return work.now
    earliest = max(attempt.promised_at, work.now - timedelta(days=house.backdate_days))
    # A page's clock may run a few seconds ahead of the server's.
    if not earliest - timedelta(seconds=5) <= said.given_at <= work.now + timedelta(seconds=5):
        raise Refusal("given_at_impossible", fields={"given_at": ["given_at_impossible"]})
    return min(said.given_at, work.now)


def _witness(work: Work, policy, attempt, said: Ending) -> str | None:
    late = timedelta(minutes=policy.int("outcome_witness_after_minutes"))
    if said.witness:
        return use_witness(work, said.witness, attempt.id, attempt.site, act=OUTCOME, not_account=work.actor.id)
    if work.now - attempt.promised_at > late:
        raise Refusal("witness_needed", minutes=policy.int("outcome_witness_after_minutes"))
    return None


def _evidence(work: Work, policy, attempt, said: Ending, given_at: datetime, flags: list[str]) -> str | None:
    """Identity at hand-over, bound to this dose; its absence is a flag, not a refusal."""
    if said.outcome not in (f.SWALLOWED, f.PARTLY, f.SPAT_OUT, f.TOO_MUCH):
        return None
    e = station.identity_evidence
    valid = timedelta(seconds=policy.int(EVIDENCE_MAX_AGE_S_KEY))
    # Newer than the promise, and at most so old at the swallow.
    since = max(attempt.promised_at, given_at - valid)
    found = work.tx.execute(
        _EVIDENCE, {"dose": attempt.id, "patient": attempt.patient, "since": since}
    ).scalar()
    if found:
        return found
    if said.identity and said.identity.path in ("card", "number_face"):
        # The nurse's own confirmation, made with this tap and recorded as such.
        row = work.add(
            e,
            id=new_id(),
            patient=attempt.patient,
            site=attempt.site,
            purpose="hand_over",
            path=said.identity.path,
            capture=None,
            dose=attempt.id,
            station=None,
            account=work.actor.id,
            reason=said.identity.reason,
            at=work.now,
        )
        return row["id"]
    if policy.bool("handover_identity_required"):
        flags.append("identity_not_confirmed_at_hand_over")
    return None


def _signed(tx, attempt_id: str) -> bool:
    return tx.execute(_SIGNED, {"id": attempt_id}).scalar() is not None


def _register(work: Work, attempt, said: Ending, swallowed_ug, rest_ul: int, flags: list[str]) -> None:
    if not rest_ul and said.outcome != f.TOO_MUCH:
        return
    head = register.lock_bottle(work, attempt.bottle)
    if rest_ul:
        register.put_back(
            work, head, attempt.id, rest_ul, said.disposition, attempt.dosing_day, reason=said.reason
        )
        return
    extra = -(-attempt.volume_ul * (swallowed_ug - attempt.dose_ug) // attempt.dose_ug)
    if extra > head.balance_ul:
        # It happened all the same: the count at close of day will show the difference.
        flags.append("register_below_what_was_given")
        extra = head.balance_ul
    if extra:
        register.append_line(
            work,
            head,
            kind=register.DISPENSED,
            change_ul=-extra,
            day=attempt.dosing_day,
            dose=attempt.id,
            reason="more_than_ordered",
        )


def release(
    work: Work, attempt, why: str, *, reason: str | None, second: str | None, dose_ug: int | None = None
) -> None:
    """Free the slot again. One per attempt: a second is refused by the key."""
    work.add(
        dose.dose_release,
        attempt=attempt.id,
        patient=attempt.patient,
        dosing_day=attempt.dosing_day,
        slot=attempt.slot,
        why=why,
        dose_ug=dose_ug,
        by=work.actor.id,
        second=second,
        reason=reason,
        at=work.now,
    )


def _exposures(work: Work, attempt, said: Ending, swallowed_ug) -> str | None:
    """Who has something in them that was not meant for them, or more than that; kept until a prescriber looks."""
    if said.outcome == f.BY_OTHER and said.drinker:
        who, amount, kind = said.drinker, said.swallowed_ug or attempt.dose_ug, "other_persons_dose"
    elif said.outcome == f.TOO_MUCH:
        who, amount, kind = attempt.patient, swallowed_ug, "more_than_ordered"
    else:
        return None
    work.add(
        dose.exposure,
        id=new_id(),
        attempt=attempt.id,
        patient=who,
        day=attempt.dosing_day,
        amount_ug=amount,
        kind=kind,
        by=work.actor.id,
        at=work.now,
    )
    return who


def _free_counter(work: Work, attempt) -> None:
    """Whatever counter is locked to this dose serves the next person again."""
    for counter in work.tx.execute(_HELD, {"dose": attempt.id}).scalars().all():
        hold_counter(work, counter, None, None)
