"""Promise a dose: the one short transaction before anything is poured.

Lock the patient, gather, decide, write: attempt, register line, decision and
audit together, or a refusal with every reason. The same `dose_id` with the
same content gets the same answer again; with other content it is refused; a
refusal uses up its id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost import canonical, clock
from ost.errors import Refusal
from ost.models import dose, site, station
from ost.rules import checks_guest
from ost.rules.facts import DoseFacts, Give, Reason, Refuse
from ost.services import policy_of, register, rows
from ost.services.access import require
from ost.services.gather import Gathered, gather
from ost.services.work import Actor, House, Work, new_id

PATHS = ("finger", "card", "number_face", "document")
SLOT_TAKEN = ("already_dosed_today", "attempt_unresolved", "slot_used")


@dataclass(frozen=True, slots=True)
class Identity:
    """How the person was recognised: `capture` is a capture's or an evidence's id."""

    path: str
    capture: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DoseRequest:
    """What the page sends. `seen_*`: what the nurse had in front of them."""

    dose_id: str
    patient_id: str
    site: str
    bottle: str
    slot: int
    seen_dose_ug: int
    seen_volume_ul: int
    identity: Identity
    intoxication: tuple[str, ...] | None
    coded_reasons: tuple[tuple[str, str], ...] = ()
    counter: str | None = None

    def content_digest(self) -> str:
        return canonical.digest(self)


@dataclass(frozen=True, slots=True)
class Promised:
    dose_id: str
    patient_id: str
    dose_ug: int
    volume_ul: int
    bottle: str
    register_line: int
    dosing_day: str
    reasons: tuple[dict, ...] = ()
    state: str = "promised"
    again: bool = False  # the same request came before; this is its answer


@dataclass(frozen=True, slots=True)
class Refused:
    dose_id: str
    patient_id: str
    reasons: tuple[dict, ...]
    policy: str | None = None
    dose_ug: int | None = None
    volume_ul: int | None = None
    state: str = "refused"
    again: bool = False


def promise(house: House, actor: Actor, wanted: DoseRequest) -> Promised | Refused:
    """Promise `wanted`, or say every reason why not. Never raises for a reason."""
    require(house, actor, "dose.give", wanted.site)
    if wanted.identity.path not in PATHS:
        raise Refusal("identity_path_unknown", fields={"identity.path": ["identity_path_unknown"]})
    for last_try in (False, True):
        try:
            with house.work(actor, wanted.site, "dose.promised", patient=wanted.patient_id) as work:
                return _promise(house, work, wanted)
        except IntegrityError:
            # Somebody else's transaction used the id or the slot between our look and our
            # insert. The keys held; a second look says which reason is the true one.
            if last_try:
                raise
    raise AssertionError("unreachable")


def _promise(house: House, work: Work, wanted: DoseRequest) -> Promised | Refused:
    person = work.lock_patients([wanted.patient_id]).get(wanted.patient_id)
    if person is None:
        raise Refusal("patient_unknown")
    content = wanted.content_digest()
    known = answer_given(work.tx, wanted.dose_id, content)
    if known is not None:
        return known
    head = _lock_bottle(work, wanted.bottle)
    seen = gather(
        work.tx,
        person,
        site_id=wanted.site,
        slot=wanted.slot,
        bottle=wanted.bottle,
        now=work.now,
        intoxication=wanted.intoxication,
        coded_reasons=dict(wanted.coded_reasons),
    )
    policy, verdict = policy_of.decide(house, work.tx, seen, work.now)
    reasons = list(verdict.reasons)
    reasons += _identity_reasons(work, wanted, seen)
    if isinstance(verdict, Give) and (verdict.dose_ug, verdict.volume_ul) != (
        wanted.seen_dose_ug,
        wanted.seen_volume_ul,
    ):
        reasons.append(
            Reason(
                "changed_since_shown",
                "stop",
                {
                    "seen_dose_ug": wanted.seen_dose_ug,
                    "seen_volume_ul": wanted.seen_volume_ul,
                    "dose_ug": verdict.dose_ug,
                    "volume_ul": verdict.volume_ul,
                },
            )
        )
    reasons = _for_strangers(reasons, seen.facts) if _is_stranger(seen.facts) else reasons
    policy_of.keep_version(house, work, policy)
    if isinstance(verdict, Refuse) or any(r.tier == "stop" for r in reasons) or head is None:
        return _refuse(work, wanted, content, seen, policy, verdict, reasons)
    return _write(house, work, wanted, content, seen, policy, verdict, reasons, head)


class _Free(Exception):
    """Nothing stands against the dose any more."""


def keep_stop(house: House, actor: Actor, shown: DoseRequest) -> Refused | None:
    """Record a stop as soon as the page shows it, before anybody has tapped anything: whom a rule sends away is on
    record, and the prescriber who can answer it sees it while the person still stands there.

    Never promises. None, and nothing written, when the dose may be given by now. `shown.dose_id` names this showing.
    """
    require(house, actor, "dose.give", shown.site)
    try:
        with house.work(actor, shown.site, "dose.refused", patient=shown.patient_id) as work:
            person = work.lock_patients([shown.patient_id]).get(shown.patient_id)
            if person is None:
                raise Refusal("patient_unknown")
            content = shown.content_digest()
            known = answer_given(work.tx, shown.dose_id, content)
            if known is not None:
                return known
            seen = gather(
                work.tx, person, site_id=shown.site, slot=shown.slot, bottle=shown.bottle or None, now=work.now
            )
            policy, verdict = policy_of.decide(house, work.tx, seen, work.now, before_check=True)
            if isinstance(verdict, Give):
                raise _Free
            # Nobody was asked to look yet, so it is no reason of this stop.
            reasons = [r for r in verdict.reasons if r.code != "intoxication_not_checked"]
            reasons = _for_strangers(reasons, seen.facts) if _is_stranger(seen.facts) else reasons
            policy_of.keep_version(house, work, policy)
            return _refuse(work, shown, content, seen, policy, verdict, reasons)
    except _Free:
        return None
    except IntegrityError:
        return None  # another page showed the same at the same moment, and has written it


_COUNTER = (
    sa.select(site.counter.c.site, site.counter.c.dose)
    .where(site.counter.c.id == sa.bindparam("id"))
    .with_for_update()
)
_STILL_OPEN = (
    sa.select(dose.dose_attempt.c.id)
    .join(dose.dose_outcome, dose.dose_outcome.c.attempt == dose.dose_attempt.c.id, isouter=True)
    .where(dose.dose_attempt.c.id == sa.bindparam("id"), dose.dose_outcome.c.attempt.is_(None))
)


def _lock_counter(work: Work, wanted: DoseRequest) -> None:
    """After patient and bottle. While a counter's dose has no outcome, no second cup is poured there:
    a page left open in another window must not take the card from the person whose dose stands on the desk."""
    there = work.tx.execute(_COUNTER, {"id": wanted.counter}).one_or_none()
    if there is None or there.site != wanted.site:
        raise Refusal("counter_unknown", fields={"counter": ["counter_unknown"]})
    if there.dose is not None and work.tx.execute(_STILL_OPEN, {"id": there.dose}).scalar() is not None:
        raise Refusal("counter_holds_other_dose")


def _lock_bottle(work: Work, bottle: str):
    try:
        return register.lock_bottle(work, bottle)
    except Refusal:
        return None  # the rule says what is wrong with the bottle, among all other reasons


def _identity_reasons(work: Work, wanted: DoseRequest, seen: Gathered) -> list[Reason]:
    """A capture that is named must be this person's, here, today. No capture: the
    nurse's own word, by another path; biometrics never are the only way."""
    given = wanted.identity
    if given.capture is None:
        if given.path == "finger":
            return [Reason("identity_capture_missing", "stop")]
        return []
    evidence, capture = station.identity_evidence, station.capture
    found = work.tx.execute(
        sa.select(evidence.c.patient, evidence.c.site, evidence.c.at)
        .where(sa.or_(evidence.c.id == given.capture, evidence.c.capture == given.capture))
        .union_all(
            sa.select(capture.c.patient, capture.c.site, capture.c.at).where(capture.c.id == given.capture)
        )
    ).all()
    named = [r for r in found if r.patient is not None]
    if not named:
        return [Reason("identity_capture_unknown", "stop")]
    if any(r.patient != wanted.patient_id for r in named):
        return [Reason("identity_other_person", "stop")]
    # Of another day it says who stood here then.
    if any(r.site != wanted.site or clock.dosing_day(r.at, seen.tz) != seen.facts.day for r in named):
        return [Reason("identity_capture_unknown", "stop")]
    return []


def _is_stranger(facts: DoseFacts) -> bool:
    """Neither the person's home, nor a site that their order names, nor the guest site of a permit in force."""
    return not checks_guest.known_here(facts)


def _for_strangers(reasons: list[Reason], facts: DoseFacts) -> list[Reason]:
    """A stranger's record is shown to nobody: not here, and whether the slot is taken; no more than that.

    A site whose permit has ended hears that it has, without the why.
    """
    taken = [Reason(r.code, r.tier) for r in reasons if r.code in SLOT_TAKEN]
    ended = [Reason(r.code, r.tier) for r in reasons if r.code in checks_guest.SAID_TO_STRANGERS]
    return [*(ended or [Reason("site_not_allowed", "stop", {"site": facts.site})]), *taken]


def _write(
    house: House,
    work: Work,
    wanted: DoseRequest,
    content: str,
    seen: Gathered,
    policy,
    verdict: Give,
    reasons: list[Reason],
    head,
) -> Promised:
    facts = seen.facts
    if wanted.counter:
        _lock_counter(work, wanted)
    shown = [canonical.plain(r) for r in reasons]
    decision = _keep_decision(work, seen, policy, "give", shown)
    line = register.append_line(
        work,
        head,
        kind=register.DISPENSED,
        change_ul=-verdict.volume_ul,
        day=facts.day,
        dose=wanted.dose_id,
    )
    work.add(
        dose.dose_attempt,
        **rows.attempt_row(
            dose_id=wanted.dose_id,
            facts=facts,
            decision=decision,
            dose_ug=verdict.dose_ug,
            volume_ul=verdict.volume_ul,
            bottle=line.bottle,
            product=head.product,
            line=line.line,
            content_digest=content,
            identity_path=wanted.identity.path,
            capture=wanted.identity.capture,
            identity_reason=wanted.identity.reason,
            intoxication=wanted.intoxication or (),
            counter=wanted.counter,
            replaces=seen.replaces,
            permit=facts.guest.permit if checks_guest.is_guest_here(facts) else None,
            at=work.now,
            by=work.actor.id,
        ),
    )
    if wanted.counter:
        hold_counter(work, wanted.counter, wanted.patient_id, wanted.dose_id)
    work.payload = {"dose": wanted.dose_id, "line": line.line, "bottle": line.bottle}
    return Promised(
        dose_id=wanted.dose_id,
        patient_id=wanted.patient_id,
        dose_ug=verdict.dose_ug,
        volume_ul=verdict.volume_ul,
        bottle=line.bottle,
        register_line=line.line,
        dosing_day=facts.day.isoformat(),
        reasons=tuple(shown),
    )


def _refuse(work, wanted, content, seen: Gathered, policy, verdict, reasons) -> Refused:
    work.kind = "dose.refused"
    shown = [canonical.plain(r) for r in reasons]
    digest = canonical.digest([[r["code"], r["data"]] for r in shown])
    r = dose.refusal
    same = work.tx.execute(
        sa.select(r.c.id)
        .where(
            r.c.patient == wanted.patient_id,
            r.c.site == wanted.site,
            r.c.day == seen.facts.day,
            r.c.slot == wanted.slot,
            r.c.reasons_digest == digest,
            r.c.same_as.is_(None),
        )
        .limit(1)
    ).scalar()
    decision_id = None
    if same is None:
        decision_id = _keep_decision(work, seen, policy, "refuse", shown)["id"]
    work.add(
        r,
        id=wanted.dose_id,
        patient=wanted.patient_id,
        site=wanted.site,
        day=seen.facts.day,
        slot=wanted.slot,
        content_digest=content,
        decision=decision_id,
        same_as=same,
        reasons=canonical.text(shown),
        reasons_digest=digest,
        by=work.actor.id,
        at=work.now,
    )
    work.payload = {"dose": wanted.dose_id, "codes": [reason["code"] for reason in shown]}
    return Refused(
        dose_id=wanted.dose_id,
        patient_id=wanted.patient_id,
        reasons=tuple(shown),
        policy=policy.digest,
        dose_ug=verdict.dose_ug,
        volume_ul=verdict.volume_ul,
    )


def _keep_decision(work: Work, seen: Gathered, policy, verdict: str, shown: list[dict]) -> dict:
    return work.add(
        dose.decision,
        **rows.decision_row(
            id=new_id(),
            facts=seen.facts,
            policy=policy.digest,
            verdict=verdict,
            reasons=shown,
            by=work.actor.id,
            at=work.now,
        ),
    )


_A, _R = dose.dose_attempt, dose.refusal
# An id stands in one of two tables; one look finds either.
_ANSWER = sa.union_all(
    sa.select(
        _A.c.patient,
        _A.c.content_digest,
        _A.c.dose_ug,
        _A.c.volume_ul,
        _A.c.bottle,
        _A.c.line,
        _A.c.dosing_day,
        sa.null().label("reasons"),
    ).where(_A.c.id == sa.bindparam("id")),
    sa.select(
        _R.c.patient, _R.c.content_digest, sa.null(), sa.null(), sa.null(), sa.null(), _R.c.day, _R.c.reasons
    ).where(_R.c.id == sa.bindparam("id")),
)


def answer_given(tx, dose_id: str, content: str) -> Promised | Refused | None:
    """The answer this id got before; Refusal("dose_id_reused") if it had other content."""
    answers = tx.execute(_ANSWER, {"id": dose_id}).all()
    if not answers:
        return None
    # Two, where one id came for two people at one moment and the one was promised, the other refused.
    row = next((r for r in answers if r.content_digest == content), None)
    if row is None:
        raise Refusal("dose_id_reused")
    if row.reasons is not None:
        return Refused(dose_id, row.patient, tuple(json.loads(row.reasons)), again=True)
    return Promised(
        dose_id=dose_id,
        patient_id=row.patient,
        dose_ug=row.dose_ug,
        volume_ul=row.volume_ul,
        bottle=row.bottle,
        register_line=row.line,
        dosing_day=row.dosing_day.isoformat(),
        again=True,
    )


def hold_counter(work: Work, counter: str, patient_id: str | None, dose_id: str | None) -> None:
    """Lock the counter's card to a dose, or free it (None, None)."""
    c = site.counter
    work.tx.execute(
        sa.update(c)
        .where(c.c.id == counter)
        .values(patient=patient_id, dose=dose_id, notice=None, version=c.c.version + 1)
    )
