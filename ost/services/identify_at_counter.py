"""Showing who one is without a finger: card and PIN, number and face with a second person, a photo document.

Of equal standing with a touch. While the counter's dose has no outcome each of them
only confirms, or does not confirm, the person that dose is for: there the card or a
tap on the face is enough, by policy. Calling a person asks for what the pack and the
site's choice ask for. Every try is kept (`identity_try`), also one that failed; a
failed one names nobody. What the PIN is checked against is in `ost.services.card_pin`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.dose import dose_attempt
from ost.models.patient import patient
from ost.rules.policy import Policy
from ost.rules.schedule import DateError, parse_date
from ost.services import duress, identity_choice, identity_rows, second_at_counter, witness
from ost.services.access import require
from ost.services.arrive import arrive
from ost.services.guest import binding, passes
from ost.services.identity_choice import CARD, DOCUMENT, NUMBER_FACE, Choice
from ost.services.identity_rows import OFFERED, PIN_WANTED, say
from ost.services.known_here import known_here
from ost.services.stranger import tell_about
from ost.services.throttle import Subject, count_try, forgive
from ost.services.touched import (
    ARRIVAL,
    CONFIRMED,
    HAND_OVER,
    SHOWN,
    STOPPED,
    UNKNOWN_PERSON,
    owner_of_open_dose,
)
from ost.services.work import Actor, House, Work

#: Why a "card" was no card: a guest's pass, scanned or said.
PASS_SCANNED, PASS_SPOKEN = PASSES = ("guest_pass", "guest_pass_digits")
REFUSED = "refused"  # kept as a try that failed
WANTS_PIN = "pin"  # the card was read; the person's PIN is asked for
_KEYS = {ARRIVAL: "identity_paths", HAND_OVER: "handover_identity_paths"}


@dataclass(frozen=True, slots=True)
class Shown:
    """`result`: "shown", "confirmed", "stopped", "nobody", "refused" or "pin"; `patient` only when shown or confirmed.

    `dosed_today`: all that is said of a person who is not expected here. `data`: placeholders of `code`.
    """

    result: str
    code: str | None = None
    patient: str | None = None
    evidence: str | None = None
    arrival_number: int | None = None
    dosed_today: bool | None = None
    data: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """What stands beside a card or a number when a person is called."""

    pin_hash: str | None = field(default=None, repr=False)  # the one that the typed PIN fits
    tries: tuple[Subject, ...] = ()  # wrong tries that go when it worked
    token: str | None = field(default=None, repr=False)  # the second person's
    document: str | None = None  # kind of paper that was seen
    born: object = field(default=None, repr=False)  # the birth date on it


@dataclass(frozen=True, slots=True)
class Second:
    """The second member of staff, at this counter."""

    username: str
    pin: str = field(repr=False)


def by_card(house: House, actor: Actor, counter_id: str, card: str, reason: str | None = None) -> Shown:
    """A scanned card or QR: "pin" when a person is called and the policy wants their PIN too."""
    mac = house.keys.search_mac("card", card.strip())
    person = _one(house, patient.c.card_mac == mac)
    return present(house, actor, counter_id, person, CARD, reason, unknown="card_unknown")


def by_pass(house: House, actor: Actor, counter_id: str, text: str) -> Shown:
    """A guest's pass, scanned or its six digits: good at this site, today, while the permit is in force.

    It names the person and proves nothing: their PIN is asked for, whatever the pack says of a card's; who has none
    shows who they are in another way. At hand-over it confirms nobody. Refusal("counter_holds_other_dose").
    """
    where = counter_row(house, counter_id)
    require(house, actor, "identify.capture", where.site)
    with house.read() as tx:
        if owner_of_open_dose(tx, where.dose) is not None:
            raise Refusal("counter_holds_other_dose")
    if passes.is_token(text):
        with house.read() as tx:
            found, wait_s = passes.read(house, tx, where.site, text), 0
    else:
        guessed = passes.guess(house, actor, where.site, text)
        found, wait_s = guessed.found, guessed.wait_s
    if found is None:
        code = "pass_wait" if wait_s else "pass_unknown"
        return failed(house, actor, where, CARD, code, data={"seconds": wait_s} if wait_s else None)
    if not _is_today(house, where.site, found):
        return failed(house, actor, where, CARD, "pass_not_today")
    how = PASS_SCANNED if found.by == passes.TOKEN else PASS_SPOKEN
    return present(house, actor, counter_id, found.patient, CARD, how, unknown="pass_unknown")


def _is_today(house: House, site: str, found: passes.PassFound) -> bool:
    """Whether one of the permit's days is today, by the home site's calendar."""
    p, s = patient, sites.site
    with house.read() as tx:
        home = sa.select(s.c.tz).join(p, p.c.home_site == s.c.id).where(p.c.id == found.patient)
        day = clock.dosing_day(house.now(), tx.execute(home).scalar_one())
        return any(g.permit == found.permit for g in binding.guests_at(tx, site, day))


def by_number(
    house: House,
    actor: Actor,
    counter_id: str,
    number: str,
    reason: str | None,
    second: Second | None = None,
) -> Shown:
    """A said and typed number; two members of staff compare the face."""
    person = _one(house, patient.c.number == number.strip().upper())
    return _by_face(house, actor, counter_id, person, reason, second, "number_unknown")


def by_face(
    house: House,
    actor: Actor,
    counter_id: str,
    patient_id: str,
    reason: str | None = None,
    second: Second | None = None,
) -> Shown:
    """A tap on a face: one of those a touch offered (nothing more is asked), or one of today's list."""
    person = _one(house, patient.c.id == patient_id)
    return _by_face(house, actor, counter_id, person, reason, second, "patient_unknown")


def by_document(
    house: House,
    actor: Actor,
    counter_id: str,
    number: str,
    document: str,
    birth_date: str,
    reason: str | None = None,
) -> Shown:
    """A paper with a photograph: its kind, and the birth date on it, which the program compares."""
    policy = policies.policy(counter_row(house, counter_id).policy)
    fields = {}
    if document not in policy.list("identity_documents"):
        fields["document"] = ["identity_document_needed"]
    born = None
    try:
        born = parse_date(birth_date)
    except DateError as error:
        fields["birth_date"] = [error.code]
    alone = ways_here(house, counter_id).alone
    if reason not in policy.list("reasons_for_identity_fallback") and not (alone and reason is None):
        fields["reason"] = ["identity_reason_needed"]
    if fields:
        raise Refusal("identity_reason_needed" if list(fields) == ["reason"] else "input_invalid", fields=fields)
    person = _one(house, patient.c.number == number.strip().upper())
    proof = Proof(document=document, born=born)
    return present(house, actor, counter_id, person, DOCUMENT, reason, proof, unknown="number_unknown")


def confirm_by_card(house: House, actor: Actor, counter_id: str, dose_id: str, card: str) -> Shown:
    """Hand-over: the card of the person this dose is for."""
    _require_dose(house, counter_id, dose_id)
    return by_card(house, actor, counter_id, card)


def confirm_by_face(house: House, actor: Actor, counter_id: str, dose_id: str, reason: str | None) -> Shown:
    """Hand-over: the nurse compared the face on the card with the person, and says so."""
    owner = _require_dose(house, counter_id, dose_id)
    return present(house, actor, counter_id, owner, NUMBER_FACE, reason, unknown="patient_unknown")


def allowed_paths(policy: Policy, purpose: str) -> tuple[str, ...]:
    """Those the pack opens for "arrival" or "hand_over", in one order."""
    allowed = policy.list(_KEYS[purpose])
    return tuple(p for p in identity_choice.WAYS if p in allowed)


def ways_here(house: House, counter_id: str) -> Choice:
    """How a person can be called to this counter: the pack, narrowed by the site's choice."""
    where = counter_row(house, counter_id)
    with house.read() as tx:
        return identity_choice.choice(tx, where.site, policies.policy(where.policy))


def close_card(house: House, actor: Actor, counter_id: str) -> None:
    """The person stepped aside before a dose was prepared: the counter waits for the next."""
    where = counter_row(house, counter_id)
    require(house, actor, "counter.use", where.site)
    with house.work(actor, where.site, "counter.card_closed") as work:
        now = identity_rows.lock_counter(work, counter_id)
        if owner_of_open_dose(work.tx, now.dose) is not None:
            raise Refusal("counter_holds_other_dose")
        if now.patient is None and now.notice is None:
            return
        say(work, now, None, patient=None, dose=None, shown_at=None)
        work.payload = {"counter": counter_id}


# --- one try -----------------------------------------------------------------------


def _by_face(house, actor, counter_id, person, reason, second, unknown) -> Shown:
    """Number and face at a call: the second person's PIN becomes a token for this counter and this person."""
    where = counter_row(house, counter_id)
    require(house, actor, "identify.capture", where.site)
    if person is None or not _second_wanted(house, where, person):
        return present(house, actor, counter_id, person, NUMBER_FACE, reason, unknown=unknown)
    policy = policies.policy(where.policy)
    needed = {}
    if reason not in policy.list("reasons_for_identity_fallback"):
        needed["reason"] = ["identity_reason_needed"]
    if second is None or not second.username.strip():
        needed["witness"] = ["identity_second_needed"]
    if needed:
        raise Refusal(next(code for [code] in needed.values()), fields=needed)
    with house.read() as tx:
        open_here = NUMBER_FACE in identity_choice.choice(tx, where.site, policy).paths
    if not open_here:  # nobody is asked for a PIN that cannot help
        return present(house, actor, counter_id, person, NUMBER_FACE, reason, unknown=unknown)
    found = second_at_counter.sign(house, actor, counter_id, person, where.site, second.username, second.pin)
    if isinstance(found, witness.NoToken):
        return failed(house, actor, where, NUMBER_FACE, found.code, reason, {"seconds": found.seconds})
    return present(
        house, actor, counter_id, person, NUMBER_FACE, reason, Proof(token=found.token), unknown=unknown
    )


def _second_wanted(house: House, where, person: str) -> bool:
    if not policies.policy(where.policy).bool("number_face_second_required"):
        return False
    with house.read() as tx:
        if owner_of_open_dose(tx, where.dose) is not None:
            return False  # hand-over: one tap, as the policy says
    return person not in identity_rows.offered(where.notice, house.now())


def present(
    house: House,
    actor: Actor,
    counter_id: str,
    person: str | None,
    path: str,
    reason: str | None,
    proof: Proof = Proof(),
    *,
    unknown: str,
) -> Shown:
    """One try by `path`, kept however it ends. `unknown`: what is said when `person` is None."""
    where = counter_row(house, counter_id)
    require(house, actor, "identify.capture", where.site)
    if person is None:
        return failed(house, actor, where, path, unknown, reason)
    policy = policies.policy(where.policy)
    with house.work(actor, where.site, "identity.shown") as work:
        row = work.lock_patients([person])[person]
        now = identity_rows.lock_counter(work, counter_id)
        owner = owner_of_open_dose(work.tx, now.dose)
        purpose = HAND_OVER if owner is not None else ARRIVAL
        chosen = identity_choice.choice(work.tx, where.site, policy)
        allowed = allowed_paths(policy, HAND_OVER) if purpose == HAND_OVER else chosen.paths
        faces = identity_rows.offered(now.notice, work.now)
        from_touch = purpose == ARRIVAL and path == NUMBER_FACE and person in faces
        second, shown = None, None
        if path not in allowed and not from_touch:
            shown = Shown(REFUSED, "identity_path_not_allowed", data={"allowed": ", ".join(allowed)})
        elif not row.active:
            shown = Shown(REFUSED, unknown)
        else:
            reason = _reason(policy, path, purpose, reason, chosen, from_touch)
            if purpose == ARRIVAL:
                second = _use_second(work, policy, now, person, path, proof, from_touch)
                shown = _wanting(work, policy, now, row, path, reason, proof)
        if shown is None and purpose == HAND_OVER:
            shown = _at_hand_over(work, now, owner, person, path, reason)
        elif shown is None:
            forgive(work.tx, proof.tries)
            shown = _at_arrival(work, where, now, person, path, reason)
            if from_touch and shown.patient:
                duress.after_tap(work, now.notice, person)
        if shown.result == REFUSED:
            work.kind = "identity.refused"
        work.patient = shown.patient
        if shown.result != WANTS_PIN:
            identity_rows.keep_try(
                work, counter_id, path, purpose, shown, reason=reason, document=proof.document, second=second
            )
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


def _reason(policy, path, purpose, reason, chosen: Choice, from_touch: bool) -> str | None:
    """The reason as it is kept; Refusal where one has to be chosen first."""
    known = policy.list("reasons_for_identity_fallback")
    if path == NUMBER_FACE and from_touch and reason is None:
        return OFFERED
    if path == CARD and reason in PASSES:
        return reason
    free = path == CARD or (path == DOCUMENT and purpose == ARRIVAL and chosen.alone)
    if reason not in known and not (free and reason is None):
        _no_reason()
    return reason


def _no_reason():
    raise Refusal("identity_reason_needed", fields={"reason": ["identity_reason_needed"]})


def _use_second(work: Work, policy, counter, person: str, path: str, proof: Proof, from_touch: bool) -> str | None:
    """Burn the second person's token; the account it was of. Refusal without one where it is needed."""
    if path != NUMBER_FACE or from_touch or not policy.bool("number_face_second_required"):
        return None
    subject = second_at_counter.subject(counter.id, person)
    return witness.use_witness(
        work, proof.token or "", subject, counter.site, act=witness.IDENTITY, not_account=work.actor.id
    )


def _wanting(work: Work, policy, counter, row, path: str, reason: str | None, proof: Proof) -> Shown | None:
    """What still has to be shown before the person is called; None when nothing has."""
    if path == CARD and (policy.bool("card_pin_required") or reason in PASSES):
        if row.pin_hash is None:
            return Shown(REFUSED, "card_without_pin")
        if proof.pin_hash is None:
            asked = {"code": PIN_WANTED, "at": work.now, "asked": row.id, "reason": reason}
            say(work, counter, asked, patient=None, dose=None, shown_at=None)
            return Shown(WANTS_PIN, PIN_WANTED)
        if proof.pin_hash != row.pin_hash:
            return Shown(REFUSED, "card_pin_wrong")  # changed between the look and the lock
    if path == DOCUMENT:
        return _birth_date(work, policy, row, proof.born)
    return None


def _birth_date(work: Work, policy, row, born) -> Shown | None:
    """Why the typed birth date does not show who this is. Tries are counted per person in the whole network
    before they are compared, as for a PIN: else it could be found by asking, and with it who was dosed today."""
    tries = (Subject("pin", work.keys.search_mac("patient birth date", row.id)),)
    lock = timedelta(minutes=policy.int("sign_in_lock_minutes"))
    if count_try(work.tx, tries, work.now, policy, lock).wait_s:
        return Shown(REFUSED, "document_use_another_way")
    if identity_rows.birth_date(work, row) != born:
        return Shown(REFUSED, "birth_date_differs")
    forgive(work.tx, tries)
    return None


def _at_hand_over(work: Work, counter, owner: str, person: str, path: str, reason: str | None) -> Shown:
    if owner != person:
        say(work, counter, {"code": "another_persons_card", "at": work.now, "patient": None})
        return Shown(STOPPED, "another_persons_card")
    kept = identity_rows.evidence(work, counter, person, HAND_OVER, path, reason, counter.dose)
    say(work, counter, None)
    return Shown(CONFIRMED, patient=person, evidence=kept)


def _at_arrival(work: Work, where, counter, person: str, path: str, reason: str | None) -> Shown:
    day = clock.dosing_day(work.now, where.tz)
    if person not in known_here(work.tx, where.site, day):
        told = tell_about(work, person, f"counter.{path}")
        notice = {"code": "known_elsewhere", "at": work.now, "dosed_today": told.dosed_today, "line": told.line}
        say(work, counter, notice, patient=None, dose=None, shown_at=None)
        return Shown(UNKNOWN_PERSON, "known_elsewhere", dosed_today=told.dosed_today)
    kept = identity_rows.evidence(work, counter, person, ARRIVAL, path, reason, None)
    number = arrive(work, where.site, day, person)
    say(work, counter, None, patient=person, dose=None, shown_at=work.now)
    return Shown(SHOWN, patient=person, evidence=kept, arrival_number=number)


def failed(house, actor, where, path, code, reason=None, data: dict | None = None, then=None) -> Shown:
    """A try that came to nobody, kept without a name. `then(work)`: what else belongs to it."""
    shown = Shown(REFUSED, code, data=data or {})
    known = policies.policy(where.policy).list("reasons_for_identity_fallback")
    with house.work(actor, where.site, "identity.refused") as work:
        open_dose = owner_of_open_dose(work.tx, where.dose) is not None
        purpose = HAND_OVER if open_dose else ARRIVAL
        reason = reason if reason in known else None
        identity_rows.keep_try(work, where.id, path, purpose, shown, reason=reason)
        work.payload = {"counter": where.id, "path": path, "purpose": purpose, "result": REFUSED, "code": code}
        if then is not None:
            then(work)
    return shown


def counter_row(house: House, counter_id: str) -> sa.Row:
    """The counter as it is, its site, its zone and its policy."""
    c, s = sites.counter, sites.site
    with house.read() as tx:
        row = tx.execute(
            sa.select(c.c.id, c.c.site, c.c.dose, c.c.notice, s.c.tz, s.c.policy)
            .join(s, s.c.id == c.c.site)
            .where(c.c.id == counter_id)
        ).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    return row


def _require_dose(house: House, counter_id: str, dose_id: str) -> str:
    """The person that dose is for; Refusal when the counter is not locked to exactly this dose."""
    if counter_row(house, counter_id).dose != dose_id:
        raise Refusal("counter_holds_other_dose")
    with house.read() as tx:
        return tx.execute(sa.select(dose_attempt.c.patient).where(dose_attempt.c.id == dose_id)).scalar_one()


def _one(house: House, condition) -> str | None:
    with house.read() as tx:
        return tx.execute(sa.select(patient.c.id).where(condition, patient.c.active)).scalar_one_or_none()
