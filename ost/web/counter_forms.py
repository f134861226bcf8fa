"""The counter's dialogs: how a dose ended otherwise, what happened to one left open, a hold, what was seen later.

HTTP only; each form goes to one service, and comes back with what was typed
when the service says no.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Response, request

from ost import clock, policies, wording
from ost.answers import field_texts, say
from ost.errors import Refusal
from ost.http import actor, allow, holds, house
from ost.rules.amounts import AmountError, parse_mg
from ost.rules.facts import BY_OTHER, NOT_GIVEN, OUTCOMES, PARTLY, SPAT_OUT, SWALLOWED, TOO_MUCH
from ost.rules.schedule import DateError, parse_date
from ost.services import amend, counter_page, decision, outcome, witness
from ost.services import holds as hold_service
from ost.services.register import BACK, DISPOSITIONS
from ost.web import counter_view as cv
from ost.web.counter_desk import answer, blueprint, desk, here, keep, refused
from ost.web.counter_words import capital, choices
from ost.web.formats import own_calendar

OUTCOME, AFTER, HOLD = (f"counter/_dialog_{name}.html" for name in ("outcome", "after", "hold"))
#: Where something may be left over, and what may have become of it.
_REST = {
    PARTLY: tuple(d for d in DISPOSITIONS if d != BACK),
    SPAT_OUT: tuple(d for d in DISPOSITIONS if d != BACK),
    NOT_GIVEN: DISPOSITIONS,
}
#: Fields of the services' refusals, and their names in the forms.
_FIELDS = {"swallowed_ug": "swallowed_mg"} | {
    name: name for name in ("disposition", "given_at", "drinker", "witness", "reason")
}


#: From then on "just now" is no longer meant by an outcome without a time.
LATE = timedelta(hours=1)


# --- how it ended -------------------------------------------------------------------------


@blueprint.get("/counter/<counter_id>/outcome/<kind>")
@allow("dose.give")
def outcome_form(counter_id: str, kind: str):
    pulse = here(counter_id)
    held = counter_page.in_hand(house(), pulse.dose) if pulse.dose else None
    if held is None or kind not in OUTCOMES:
        return answer(counter_id)
    return answer(counter_id, dialog=OUTCOME, d=_form(pulse, held, kind))


@blueprint.get("/counter/<counter_id>/resolve/<dose_id>")
@allow("dose.resolve")
def resolve_form(counter_id: str, dose_id: str):
    pulse = here(counter_id)
    held = counter_page.in_hand(house(), dose_id)
    if held is None or held.site != pulse.site:
        return answer(counter_id, screen=cv.OPEN_DOSES)
    return answer(counter_id, screen=cv.OPEN_DOSES, dialog=OUTCOME, d=_form(pulse, held, "", resolve=True))


def _form(pulse, held: counter_page.InHand, kind: str, *, resolve: bool = False) -> cv.OutcomeForm:
    policy = policies.policy(pulse.policy)
    minutes = policy.int("outcome_witness_after_minutes")
    late = (pulse.now - held.promised_at).total_seconds() > minutes * 60
    rest = DISPOSITIONS if resolve else _REST.get(kind, ())
    return cv.OutcomeForm(
        kind=kind,
        dose_id=held.id,
        number=held.number,
        medicine=capital(wording.word(held.medicine)),
        dose_ug=held.dose_ug,
        volume_ul=held.volume_ul,
        unit=held.unit,
        resolve=resolve,
        witness_needed=late or resolve,
        kinds=choices(OUTCOMES) if resolve else (),
        dispositions=choices(rest),
        promised_at=held.promised_at,
    )


@blueprint.post("/counter/<counter_id>/outcome", endpoint="outcome")
@allow("dose.give")
def ended(counter_id: str):
    """The swallow, or another outcome from its dialog. The same again gets the same answer."""
    return _end(counter_id, "")


@blueprint.post("/counter/<counter_id>/resolve")
@allow("dose.resolve")
def resolve(counter_id: str):
    """A dose left without an outcome: somebody who knows says it, with a second person."""
    return _end(counter_id, cv.OPEN_DOSES)


def _end(counter_id: str, screen: str) -> Response:
    pulse = here(counter_id)
    typed = {
        k: v.strip()[:200]
        for k, v in request.form.items()
        if k not in ("csrf_token", "witness_pin", "signature")
    }
    dose_id = typed.get("dose_id", "")
    held = counter_page.in_hand(house(), dose_id)
    try:
        ending = _ending(pulse, held, typed)
        if held and request.form.get("signature") and not held.signed:
            amend.sign(house(), actor(), dose_id, request.form["signature"].encode())
        done = outcome.end(house(), actor(), ending)
    except Refusal as refusal:
        if held is None or (not screen and typed.get("from") != "dialog"):
            return _told(pulse, held, refusal, screen)
        return _again(pulse, held, typed, refusal, screen)
    _remember(pulse, held, ending, done)
    return answer(counter_id, screen=screen if not done.emergency else "")


def _told(pulse, held, refusal: Refusal, screen: str) -> Response:
    """The one-tap outcome was refused: with a witness it can be said in the dialog."""
    if refusal.code == "witness_needed" and held is not None:
        form = replace(_form(pulse, held, SWALLOWED), witness_needed=True)
        return answer(pulse.id, screen=screen, dialog=OUTCOME, d=form)
    return refused(pulse.id, refusal, screen)


def _ending(pulse, held, typed: dict[str, str]) -> outcome.Ending:
    what = typed.get("outcome", "")
    ending = outcome.Ending(
        dose_id=typed.get("dose_id", ""),
        outcome=what,
        swallowed_ug=_ug(typed.get("swallowed_mg", "")),
        disposition=typed.get("disposition") or None,
        reason=typed.get("reason") or None,
        given_at=_given_at(pulse, held, typed.get("given_at", "")),
        drinker=_drinker(pulse, typed.get("drinker", "")) if what == BY_OTHER else None,
        counter=pulse.id,
    )
    if what in (SWALLOWED, NOT_GIVEN):
        ending = replace(ending, swallowed_ug=None)
    if what in (SWALLOWED, TOO_MUCH):
        ending = replace(ending, disposition=None)
    if what == NOT_GIVEN:
        ending = replace(ending, given_at=None)
    if held is not None:
        # Before the second person's PIN is asked for: a token is used up only by a step that can be taken.
        outcome.amounts(held, ending)
    if typed.get("witness_username"):
        ending = replace(ending, witness=_token(ending.dose_id, typed["witness_username"], witness.OUTCOME))
    return ending


def _ug(text: str) -> int | None:
    try:
        return parse_mg(text) if text else None
    except AmountError as error:
        raise Refusal("input_invalid", fields={"swallowed_ug": [error.code]}, **error.data) from error


def _given_at(pulse, held, text: str) -> datetime | None:
    if held is None:
        return None
    if not text:
        # An old dose was swallowed when it was prepared, as far as anybody says; a present one just now.
        old = pulse.now - held.promised_at
        return held.promised_at if LATE < old < timedelta(days=house().backdate_days) else None
    try:
        at = time.fromisoformat(text)
    except ValueError:
        raise Refusal("input_invalid", fields={"given_at": ["given_at_impossible"]}) from None
    zone = ZoneInfo(pulse.tz)
    return datetime.combine(clock.dosing_day(held.promised_at, pulse.tz), at, zone)


def _drinker(pulse, text: str) -> str | None:
    if not text:
        return None
    found = counter_page.by_number(house(), pulse.site, counter_page.whole_number(pulse.number_prefix, text))
    if found is None:
        raise Refusal("input_invalid", fields={"drinker": ["number_unknown"]})
    return found


def _token(dose_id: str, username: str, act: str) -> str:
    pin = request.form.get("witness_pin", "")[:40]
    answered = witness.witness_dose(house(), actor(), dose_id, username, pin, act)
    if isinstance(answered, witness.NoToken):
        raise Refusal(answered.code, fields={"witness": [answered.code]}, seconds=answered.seconds)
    return answered.token


def _again(pulse, held, typed: dict[str, str], refusal: Refusal, screen: str) -> Response:
    """The form, with what was typed and what is wrong with it."""
    form = _form(pulse, held, "" if screen else typed.get("outcome", ""), resolve=bool(screen))
    errors = {_FIELDS[k]: field_texts(v) for k, v in refusal.fields.items() if k in _FIELDS}
    texts = say(refusal.code, refusal.data)
    told = (
        None
        if errors
        else cv.ReasonView(refusal.code, cv.REASON, texts["title"], texts["detail"], texts["action"])
    )
    form = replace(
        form,
        values=typed,
        errors=errors,
        refused=told,
        witness_needed=form.witness_needed or refusal.code == "witness_needed",
    )
    return answer(pulse.id, screen=screen, dialog=OUTCOME, d=form)


def _remember(pulse, held, ending: outcome.Ending, done: outcome.Ended) -> None:
    """For the line under the idle page, and the emergency card that stays until it is put away."""
    mine = desk()
    mine.about, mine.signs, mine.refused = "", [], []
    number = held.number if held else ""
    dose_ug = done.swallowed_ug or (held.dose_ug if held else 0)
    if held:
        mine.last = {
            "dose": done.dose_id,
            "number": number,
            "dose_ug": dose_ug,
            "at": pulse.now.isoformat(),
            "outcome": done.outcome,
        }
    if done.emergency:
        drank = number
        if done.outcome == BY_OTHER:
            drank = next((n for _i, n, _f in counter_page.faces(house(), [ending.drinker or ""])), "")
        mine.emergency = {
            "kind": "other_persons_dose" if done.outcome == BY_OTHER else "more_than_ordered",
            "number": drank,
            "amount_ug": ending.swallowed_ug or (held.dose_ug if held else None),
            "at": pulse.now.isoformat(),
        }
    keep(mine)


# --- afterwards --------------------------------------------------------------------------------


@blueprint.get("/counter/<counter_id>/after/<dose_id>")
@allow("dose.read")
def after_form(counter_id: str, dose_id: str):
    pulse = here(counter_id)
    try:
        return answer(counter_id, dialog=AFTER, d=_after(pulse, dose_id))
    except Refusal as refusal:
        return refused(counter_id, refusal)


def _after(pulse, dose_id: str, values=None, errors=None) -> cv.AfterForm:
    told = decision.story(house(), actor(), dose_id)
    found = counter_page.faces(house(), [told["patient_id"]])
    ended_as = told["outcome"] or {}
    return cv.AfterForm(
        dose_id=dose_id,
        number=found[0][1] if found else "",
        medicine=capital(wording.word(told.get("medicine"))),
        dose_ug=told.get("dose_ug", 0),
        volume_ul=told.get("volume_ul", 0),
        unit="ul",
        outcome=ended_as.get("outcome", "not_known"),
        given_at=ended_as.get("given_at"),
        observations=() if ended_as.get("outcome") == NOT_GIVEN else choices(amend.OBSERVATIONS),
        seen=tuple(capital(wording.word(o["kind"])) for o in told["observations"]),
        may_void=holds("dose.void") and bool(ended_as) and told["site"] == pulse.site,
        voided=told["void"] is not None,
        reasons=choices(policies.policy(pulse.policy).list("reasons_for_void")),
        dispositions=choices(tuple(d for d in DISPOSITIONS)),
        values=values or {},
        errors=errors or {},
    )


@blueprint.post("/counter/<counter_id>/observe")
@allow("dose.observe")
def observe(counter_id: str):
    """Vomited, drowsy and the like; the form stays, with the new line in it."""
    pulse = here(counter_id)
    dose_id = request.form.get("dose_id", "")[:64]
    try:
        amend.observe(house(), actor(), dose_id, request.form.get("kind", ""))
        return answer(counter_id, dialog=AFTER, d=_after(pulse, dose_id))
    except Refusal as refusal:
        return refused(counter_id, refusal)


@blueprint.post("/counter/<counter_id>/void")
@allow("dose.void")
def void(counter_id: str):
    """Strike a record through, with a second person; it stays in sight."""
    pulse = here(counter_id)
    typed = {k: v[:200] for k, v in request.form.items() if k not in ("csrf_token", "witness_pin")}
    dose_id = typed.get("dose_id", "")
    try:
        if not typed.get("reason"):
            raise Refusal("reason_needed", fields={"reason": ["reason_needed"]})
        token = _token(dose_id, typed.get("witness_username", ""), witness.VOID)
        amend.void(
            house(),
            actor(),
            dose_id,
            reason=typed["reason"],
            witness=token,
            not_taken=typed.get("not_taken") == "yes",
            disposition=typed.get("disposition") or None,
        )
    except Refusal as refusal:
        errors = {_FIELDS[k]: field_texts(v) for k, v in refusal.fields.items() if k in _FIELDS}
        if not errors:
            return refused(counter_id, refusal)
        return answer(counter_id, dialog=AFTER, d=_after(pulse, dose_id, typed, errors))
    mine = desk()
    mine.last = None
    keep(mine)
    return answer(counter_id)


# --- hold ------------------------------------------------------------------------------------------


@blueprint.get("/counter/<counter_id>/hold/<patient_id>")
@allow("hold.place")
def hold_form(counter_id: str, patient_id: str):
    pulse = here(counter_id)
    return answer(counter_id, dialog=HOLD, d=_hold(pulse, patient_id))


def _hold(pulse, patient_id: str, values=None, errors=None) -> cv.HoldForm:
    policy, today = policies.policy(pulse.policy), clock.dosing_day(pulse.now, pulse.tz)
    found = counter_page.faces(house(), [patient_id])
    codes = [(kind, c) for kind in hold_service.KINDS for c in policy.list(f"hold_reasons_{kind}", today)]
    return cv.HoldForm(
        patient_id=patient_id,
        number=found[0][1] if found else "",
        reasons=tuple(cv.Choice(f"{kind}.{c}", capital(wording.word(c))) for kind, c in codes),
        values=values or {"come_back_on": own_calendar(today + timedelta(days=1))},
        errors=errors or {},
    )


@blueprint.post("/counter/<counter_id>/hold")
@allow("hold.place")
def hold(counter_id: str):
    """Hold the dose: when to come back and whom to call belong to it."""
    pulse = here(counter_id)
    typed = {k: v.strip()[:80] for k, v in request.form.items() if k != "csrf_token"}
    kind, _dot, reason = typed.get("reason", "").partition(".")
    try:
        back = parse_date(typed["come_back_on"]) if typed.get("come_back_on") else None
        hold_service.place(
            house(),
            actor(),
            typed.get("patient_id", ""),
            site_id=pulse.site,
            kind=kind,
            reason_code=reason,
            come_back_on=back,
            call=typed.get("call"),
        )
    except DateError as error:
        errors = {"come_back_on": field_texts([error.code])}
        return answer(counter_id, dialog=HOLD, d=_hold(pulse, typed.get("patient_id", ""), typed, errors))
    except Refusal as refusal:
        empty = ["field_needed"] if not typed.get("reason") else None
        errors = {
            ("reason" if k in ("kind", "reason_code") else k): field_texts(
                empty if empty and k in ("kind", "reason_code") else v
            )
            for k, v in refusal.fields.items()
        }
        if not errors:
            return refused(counter_id, refusal)
        return answer(counter_id, dialog=HOLD, d=_hold(pulse, typed.get("patient_id", ""), typed, errors))
    return answer(counter_id)
