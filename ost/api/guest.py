"""Guest requests: ask, look before asking, and every step a site's people or the coordination centre take."""

from __future__ import annotations

import marshmallow as ma
from flask import jsonify
from flask_smorest import Blueprint

from ost import canonical, wording
from ost.answers import error_body
from ost.api.doses import ReasonShown
from ost.api.fields import choice, day, text
from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.rules import guest as rules
from ost.services.guest import answer, ask, cancel, centre, change, countersign, drop, read, take_over
from ost.services.guest.act import NotMoved
from ost.services.guest.consent import NewConsent

blueprint = Blueprint(
    "api_guest", __name__, description="Guest dosing: a place at another site, from asking to the permit."
)

_ID = ma.validate.Regexp(r"^[A-Za-z0-9_-]{8,64}(?!\n)$")
_CODE = ma.validate.Regexp(r"^[a-z][a-z0-9_]{0,39}\Z", error="Invalid value.")
MOST_NAMED = 50


def _site(about: str, **kw) -> ma.fields.String:
    return text(about, 12, 1, **kw)


def _reason(about: str, **kw) -> ma.fields.String:
    return ma.fields.String(validate=_CODE, metadata={"description": about}, **kw)


class ConsentGiven(Strict):
    until = day("last day of the consent", required=True)
    sites = ma.fields.List(_site("a site's code"), load_default=list, validate=ma.validate.Length(max=MOST_NAMED))
    counties = ma.fields.List(
        text("a county's code", 12, 1), load_default=list, validate=ma.validate.Length(max=MOST_NAMED)
    )
    anywhere = ma.fields.Boolean(load_default=False, metadata={"description": "every site of the network"})

    @ma.post_load
    def build(self, data, **_):
        return NewConsent(data["until"], tuple(data["sites"]), tuple(data["counties"]), data["anywhere"])


class GuestWanted(Strict):
    request_id = ma.fields.String(
        required=True,
        validate=_ID,
        metadata={"description": "made by the caller; again with the same content: same answer"},
    )
    patient_id = text("the patient", 64, 1, required=True)
    site = _site("the guest site", required=True)
    days = ma.fields.List(
        day("a day asked for"), required=True, validate=ma.validate.Length(min=1, max=ask.MOST_DAYS)
    )
    reason = _reason("a code of the policy's list", load_default=None, allow_none=True)
    consent_id = text("a consent that stands; else whichever reaches the site", 64, load_default=None, allow_none=True)
    consent = ma.fields.Nested(
        ConsentGiven,
        load_default=None,
        allow_none=True,
        metadata={"description": "given in the same step; nothing named: the site asked for"},
    )
    by_role = choice(
        "at whose desk it is asked: the home site's, or the guest site's for somebody who may be seen there",
        (rules.HOME, rules.GUEST),
        load_default=rules.HOME,
    )

    @ma.post_load
    def build(self, data, **_):
        given, named = data.pop("consent"), data.pop("consent_id")
        return ask.Wanted(**data | {"days": tuple(data["days"]), "consent": given or named})


class ChangeWanted(GuestWanted):
    """A request instead of, or beside, days of one in force."""


class AlternativeShown(ma.Schema):
    site = ma.fields.String(required=True)
    county = ma.fields.String(required=True)
    distance_m = ma.fields.Integer(allow_none=True, metadata={"description": "straight line, metres"})
    at_once = ma.fields.Boolean(metadata={"description": "the site's own rule takes the person without an answer"})


class AskedAnswer(ma.Schema):
    request_id = ma.fields.String(required=True)
    number = ma.fields.Integer(required=True, metadata={"description": "how the whole network names it"})
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(rules.STATES))
    permit = ma.fields.String(required=True, allow_none=True)
    days = ma.fields.List(ma.fields.Date(), required=True)


class RefusedAnswer(AskedAnswer):
    alternatives = ma.fields.List(ma.fields.Nested(AlternativeShown), required=True)


class LookedAnswer(ma.Schema):
    possible = ma.fields.Boolean(required=True)
    instant = ma.fields.Boolean(required=True, metadata={"description": "it would be confirmed at once"})
    waits_for = ma.fields.String(required=True)
    distance_m = ma.fields.Integer(allow_none=True)
    reasons = ma.fields.List(ma.fields.Nested(ReasonShown), required=True)
    alternatives = ma.fields.List(ma.fields.Nested(AlternativeShown), required=True)


class Step(Strict):
    seen_step = ma.fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=ma.validate.Range(1, 10_000),
        metadata={"description": "the newest step the reader saw; refused if there is a newer one"},
    )


class WithReason(Step):
    reason = _reason("a code of the policy's list", required=True)


class MaybeReason(Step):
    reason = _reason("a code of the policy's list", load_default=None, allow_none=True)


class WithText(Step):
    text = text("the words; kept sealed with the person's key", answer.MOST, 1, required=True)


class Offered(Step):
    site = _site("where there is room", required=True)


class OfferTaken(Step):
    consent = ma.fields.Nested(ConsentGiven, load_default=None, allow_none=True)


class DayDropped(Strict):
    day = day("the day given up or taken back", required=True)
    reason = _reason("a code of the policy's list", load_default=None, allow_none=True)


class ListAsked(Strict):
    site = _site("requests that come from or go to this site", required=True)
    state = choice("one state only", rules.STATES, load_default=None)


class LineShown(ma.Schema):
    id = ma.fields.String(required=True)
    number = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    waits_for = ma.fields.String(required=True)
    since = ma.fields.AwareDateTime()
    asked_at = ma.fields.AwareDateTime()
    home_site = ma.fields.String()
    site = ma.fields.String()
    county = ma.fields.String()
    first_day = ma.fields.Date()
    last_day = ma.fields.Date()
    days = ma.fields.Integer()
    reason = ma.fields.String(allow_none=True)
    patient_number = ma.fields.String(allow_none=True, metadata={"description": "never shown to the centre"})


class Lines(ma.Schema):
    requests = ma.fields.List(ma.fields.Nested(LineShown), required=True)


def _elsewhere(found) -> list[dict]:
    return [
        {"site": a.site, "county": a.county, "distance_m": a.distance_m, "at_once": a.at_once} for a in found
    ]


def _said(found):
    """A step's answer: where the request stands, or 409 with everything that stands against it."""
    if isinstance(found, NotMoved):
        shown = [wording.reason(canonical.plain(r)) for r in found.reasons]
        count = _blocking(shown) + found.person
        return jsonify(error_body("guest_not_moved", {"count": count}) | {"reasons": shown}), 409
    return found


def _asked(found):
    if isinstance(found, ask.NotAsked):
        shown = [wording.reason(canonical.plain(r)) for r in found.reasons]
        body = error_body("guest_not_asked", {"count": _blocking(shown)})
        return jsonify(body | {"reasons": shown, "alternatives": _elsewhere(found.alternatives)}), 409
    return found


def _blocking(shown: list[dict]) -> int:
    return sum(r["tier"] == "stop" for r in shown)


@blueprint.post("/guest-requests")
@allow("guest.ask")
@blueprint.arguments(GuestWanted)
@blueprint.response(201, AskedAnswer)
@blueprint.alt_response(409, description="every reason under `reasons`, other places under `alternatives`")
def post_request(wanted):
    """Ask for a place; confirmed at once where a standing authorisation, the site's rule and the policy allow."""
    return _asked(ask.ask(house(), actor(), wanted))


@blueprint.post("/guest-requests/look")
@allow("guest.ask")
@blueprint.arguments(GuestWanted)
@blueprint.response(200, LookedAnswer)
def post_look(wanted):
    """What asking would say now; nothing is written."""
    found = ask.look(house(), actor(), wanted)
    return {
        "possible": found.possible,
        "instant": found.instant,
        "waits_for": found.waits_for,
        "distance_m": found.distance_m,
        "reasons": [wording.reason(canonical.plain(r)) for r in found.reasons],
        "alternatives": _elsewhere(found.alternatives),
    }


@blueprint.get("/guest-requests")
@allow("guest.read")
@blueprint.arguments(ListAsked, location="query")
@blueprint.response(200, Lines)
def get_requests(asked):
    """Requests that come from or go to a site, the newest first."""
    return {"requests": read.of_site(house(), actor(), asked["site"], asked["state"])}


@blueprint.get("/guest-requests/everywhere")
@allow("guest.coordinate")
@blueprint.response(200, Lines)
def get_everywhere():
    """Every open request within the coordinator's reach by age: number and need, never whose it is."""
    return {"requests": read.open_everywhere(house(), actor())}


@blueprint.get("/guest-requests/<request_id>")
@allow("guest.read")
@blueprint.response(200, description="the request with its steps, and the facts its reader may see")
def get_request(request_id):
    """One request with the facts side by side; the reading is kept."""
    shown = canonical.plain(read.one(house(), actor(), request_id))
    return jsonify(shown | {"reasons": [wording.reason(r) for r in shown["reasons"]]})


def _step(action: str, permission: str, schema, meaning: str, run, answer_schema=AskedAnswer) -> None:
    """POST /guest-requests/{request_id}/<action>: each with the fields it takes and no others."""

    def view(said, request_id):
        return _said(run(house(), actor(), request_id, **said))

    view.__name__ = f"post_{action}"
    view.__doc__ = meaning
    view = blueprint.response(200, answer_schema)(view)
    view = blueprint.alt_response(409, description="not possible any more, or with the reasons against it")(view)
    view = blueprint.arguments(schema)(view)
    blueprint.post(f"/guest-requests/<request_id>/{action}")(allow(permission)(view))


def _refuse(*who, **said):
    done = answer.refuse(*who, **said)
    moved = done.moved
    return {
        "request_id": moved.request_id,
        "number": moved.number,
        "state": moved.state,
        "permit": moved.permit,
        "days": moved.days,
        "alternatives": _elsewhere(done.alternatives),
    }


def _take_offer(*who, consent, **said):
    return centre.take_offer(*who, given=consent, **said)


_step("approve", "guest.approve", Step, "The home prescriber, or the delegate on call, approves.", answer.approve)
_step("decline", "guest.approve", WithReason, "Not approved, with a reason.", answer.decline)
_step("question", "guest.read", WithText, "The home site asks the patient something.", answer.question)
_step("answer", "guest.ask", WithText, "Answered for a patient without a phone.", answer.answer)
_step("accept", "guest.accept", Step, "The guest site takes the person.", answer.accept)
_step("refuse", "guest.read", WithReason, "The guest site cannot; other places are named.", _refuse, RefusedAnswer)
_step("countersign", "guest.countersign", Step, "The guest prescriber signs the orders.", countersign.countersign)
_step("take_over", "guest.countersign", Step, "Home did not answer: ordered from the record.", take_over.take_over)
_step("offer", "guest.coordinate", Offered, "The centre offers another place.", centre.offer)
_step("withdraw_offer", "guest.coordinate", Step, "The centre takes its offer back.", centre.leave_offer)
_step("take_offer", "guest.ask", OfferTaken, "The other place suits.", _take_offer)
_step("leave_offer", "guest.ask", Step, "It does not: the first place stands again.", centre.leave_offer)
_step("drop_day", "guest.read", DayDropped, "A day less: taken back, given up, not to be had.", drop.drop_day)
_step("cancel", "guest.ask", MaybeReason, "Not wanted any more.", cancel.cancel)
_step("end", "guest.coordinate", Step, "The centre ends what should not go on.", cancel.end)


@blueprint.post("/guest-requests/<request_id>/change")
@allow("guest.ask")
@blueprint.arguments(ChangeWanted)
@blueprint.response(201, AskedAnswer)
@blueprint.alt_response(409, description="every reason under `reasons`, other places under `alternatives`")
def post_change(wanted, request_id):
    """Another site for a day, or a day more, in one step; the old day stands until the new one is confirmed."""
    return _asked(change.change(house(), actor(), request_id, wanted))
