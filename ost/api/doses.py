"""Doses: the decision before, the promise, the outcome, what was seen later."""

from __future__ import annotations

import marshmallow as ma
from flask import jsonify
from flask_smorest import Blueprint

from ost import canonical, wording
from ost.answers import error_body
from ost.api.fields import Moment
from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.rules.facts import OUTCOMES
from ost.services import amend, decision, outcome
from ost.services import promise as promises
from ost.services.register import DISPOSITIONS

blueprint = Blueprint("doses", __name__, description="One dose per person, day and slot, network-wide.")

#: More of anything is a slip or an attack; it also fits every database's integers.
MOST = 10**12
# Without the look ahead, Python's $ lets a line break through.
# What goes into a record table is a code of a list, never free words: a name could not be taken out again.
_CODE = ma.validate.Regexp(r"^[a-z][a-z0-9_]{0,39}\Z", error="Invalid value.")
_ID = ma.validate.Regexp(r"^[A-Za-z0-9_-]{8,64}(?!\n)$")


def _amount(about: str, **kw):
    return ma.fields.Integer(
        strict=True, validate=ma.validate.Range(0, MOST), metadata={"description": about}, **kw
    )


class Seen(Strict):
    dose_ug = _amount("dose the nurse saw, micrograms", required=True)
    volume_ul = _amount("volume the nurse saw, microlitres", required=True)


class IdentityShown(Strict):
    path = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(promises.PATHS),
        metadata={"description": "how the person was recognised"},
    )
    capture = ma.fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "id of the capture or identity evidence; needed with path finger"},
    )
    reason = ma.fields.String(load_default=None, allow_none=True, validate=ma.validate.Length(max=40))

    @ma.post_load
    def build(self, data, **_):
        return promises.Identity(**data)


class DoseWanted(Strict):
    dose_id = ma.fields.String(
        required=True,
        validate=_ID,
        metadata={"description": "made by the caller; again with the same content: same answer"},
    )
    patient_id = ma.fields.String(required=True)
    site = ma.fields.String(required=True)
    bottle = ma.fields.String(required=True)
    slot = ma.fields.Integer(strict=True, load_default=1, validate=ma.validate.Range(1, 9))
    seen = ma.fields.Nested(Seen, required=True)
    identity = ma.fields.Nested(IdentityShown, required=True)
    observations = ma.fields.List(
        ma.fields.String(validate=_CODE),
        load_default=None,
        allow_none=True,
        metadata={
            "description": "signs of intoxication seen; an empty list says none, absent says not checked"
        },
    )
    reasons = ma.fields.Dict(
        keys=ma.fields.String(validate=_CODE),
        values=ma.fields.String(validate=_CODE),
        load_default=dict,
        metadata={"description": "coded answers to reasons of tier “reason”: {reason code: chosen code}"},
    )


class ReasonShown(ma.Schema):
    code = ma.fields.String(required=True)
    tier = ma.fields.String(required=True, validate=ma.validate.OneOf(["stop", "reason", "note"]))
    title = ma.fields.String()
    detail = ma.fields.String()
    action = ma.fields.String()
    data = ma.fields.Dict()
    needs_signoff = ma.fields.Boolean()
    weak_source = ma.fields.Boolean()


class PromisedAnswer(ma.Schema):
    dose_id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    dose_ug = ma.fields.Integer(required=True)
    volume_ul = ma.fields.Integer(required=True)
    bottle = ma.fields.String(required=True)
    register_line = ma.fields.Integer(required=True)
    dosing_day = ma.fields.String(required=True, metadata={"format": "date"})
    reasons = ma.fields.List(ma.fields.Nested(ReasonShown))


class Ended(Strict):
    outcome = ma.fields.String(required=True, validate=ma.validate.OneOf(OUTCOMES))
    swallowed_ug = _amount(
        "swallowed by the person it was for, micrograms", load_default=None, allow_none=True
    )
    disposition = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=ma.validate.OneOf(DISPOSITIONS),
        metadata={"description": "where the rest is"},
    )
    identity = ma.fields.Nested(IdentityShown, load_default=None, allow_none=True)
    reason = ma.fields.String(load_default=None, allow_none=True, validate=ma.validate.Length(max=200))
    witness = ma.fields.String(
        load_default=None, allow_none=True, metadata={"description": "one-use token of the second person"}
    )
    given_at = Moment(load_default=None, allow_none=True)
    drinker = ma.fields.String(
        load_default=None, allow_none=True, metadata={"description": "patient who swallowed it, where known"}
    )


class EndedAnswer(ma.Schema):
    dose_id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    outcome = ma.fields.String(required=True)
    swallowed_ug = ma.fields.Integer(allow_none=True)
    flags = ma.fields.List(ma.fields.String())
    slot_free = ma.fields.Boolean()
    emergency = ma.fields.Boolean(metadata={"description": "show the emergency card"})


class Observed(Strict):
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(amend.OBSERVATIONS))
    minutes_after = ma.fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=ma.validate.Range(0, 2880)
    )
    note = ma.fields.String(load_default=None, allow_none=True, validate=ma.validate.Length(max=200))
    observed_at = Moment(load_default=None, allow_none=True)


class Voided(Strict):
    reason = ma.fields.String(required=True, validate=ma.validate.Length(min=1, max=200))
    witness = ma.fields.String(required=True)
    not_taken = ma.fields.Boolean(load_default=False)
    disposition = ma.fields.String(
        load_default=None, allow_none=True, validate=ma.validate.OneOf(DISPOSITIONS)
    )


class ReplacementOrdered(Strict):
    reason = ma.fields.String(required=True, validate=ma.validate.Length(min=1, max=200))
    dose_ug = _amount(
        "what to give in its place, at most the order; absent: the order", load_default=None, allow_none=True
    )


class DecisionAsked(Strict):
    site = ma.fields.String(required=True)
    slot = ma.fields.Integer(load_default=1, validate=ma.validate.Range(1, 9))
    bottle = ma.fields.String(load_default=None)


class DecisionAnswer(ma.Schema):
    verdict = ma.fields.String(required=True, validate=ma.validate.OneOf(["give", "refuse"]))
    dose_ug = ma.fields.Integer(allow_none=True)
    volume_ul = ma.fields.Integer(allow_none=True)
    ordered_ug = ma.fields.Integer(allow_none=True)
    bottle = ma.fields.String(allow_none=True)
    reasons = ma.fields.List(ma.fields.Nested(ReasonShown))
    policy = ma.fields.String(metadata={"description": "digest of the policy pack that decided"})
    dosing_day = ma.fields.Date()


@blueprint.get("/patients/<patient_id>/decision")
@allow("dose.read")
@blueprint.arguments(DecisionAsked, location="query")
@blueprint.response(200, DecisionAnswer)
def get_decision(asked, patient_id):
    """What would be given to this person at this site now, and every reason."""
    shown = decision.preview(
        house(), actor(), patient_id, asked["site"], slot=asked["slot"], bottle=asked["bottle"]
    )
    return {
        "verdict": shown.verdict,
        "dose_ug": shown.dose_ug,
        "volume_ul": shown.volume_ul,
        "ordered_ug": shown.ordered_ug,
        "bottle": shown.bottle,
        "reasons": [wording.reason(r) for r in shown.reasons],
        "policy": shown.policy,
        "dosing_day": shown.facts.day,
    }


@blueprint.post("/doses")
@allow("dose.give")
@blueprint.arguments(DoseWanted)
@blueprint.response(201, PromisedAnswer)
@blueprint.alt_response(409, description="refused, with every reason under `reasons`")
def post_dose(wanted):
    """Promise a dose before it is poured; 409 with all reasons where it must not be given."""
    answer = promises.promise(
        house(),
        actor(),
        promises.DoseRequest(
            dose_id=wanted["dose_id"],
            patient_id=wanted["patient_id"],
            site=wanted["site"],
            bottle=wanted["bottle"],
            slot=wanted["slot"],
            seen_dose_ug=wanted["seen"]["dose_ug"],
            seen_volume_ul=wanted["seen"]["volume_ul"],
            identity=wanted["identity"],
            intoxication=None if wanted["observations"] is None else tuple(wanted["observations"]),
            coded_reasons=tuple(sorted(wanted["reasons"].items())),
        ),
    )
    reasons = [wording.reason(r) for r in answer.reasons]
    if isinstance(answer, promises.Refused):
        body = error_body("dose_refused", {"count": len(reasons)})
        return jsonify(body | {"state": "refused", "dose_id": answer.dose_id, "reasons": reasons}), 409
    return {
        "dose_id": answer.dose_id,
        "state": "promised",
        "dose_ug": answer.dose_ug,
        "volume_ul": answer.volume_ul,
        "bottle": answer.bottle,
        "register_line": answer.register_line,
        "dosing_day": answer.dosing_day,
        "reasons": reasons,
    }


@blueprint.get("/doses/<dose_id>")
@allow("dose.read")
@blueprint.response(200, description="everything recorded about this dose")
def get_dose(dose_id):
    """The whole story of one dose id."""
    return jsonify(canonical.plain(decision.story(house(), actor(), dose_id)))


@blueprint.post("/doses/<dose_id>/outcome")
@allow("dose.give")
@blueprint.arguments(Ended)
@blueprint.response(200, EndedAnswer)
def post_outcome(said, dose_id):
    """How the dose ended: once. The same again gets the same answer."""
    return outcome.end(house(), actor(), outcome.Ending(dose_id=dose_id, **said))


@blueprint.post("/doses/<dose_id>/observations")
@allow("dose.observe")
@blueprint.arguments(Observed)
@blueprint.response(201)
def post_observation(seen, dose_id):
    """Vomited, drowsy and the like, after the swallow."""
    return jsonify({"id": amend.observe(house(), actor(), dose_id, seen.pop("kind"), **seen)}), 201


@blueprint.post("/doses/<dose_id>/void")
@allow("dose.void")
@blueprint.arguments(Voided)
@blueprint.response(201)
def post_void(said, dose_id):
    """Strike a recorded dose through, with a second person; it stays to be seen."""
    amend.void(house(), actor(), dose_id, **said)
    return jsonify({"dose_id": dose_id, "void": True}), 201


@blueprint.post("/doses/<dose_id>/replacement")
@allow("dose.replace")
@blueprint.arguments(ReplacementOrdered)
@blueprint.response(201)
def post_replacement(said, dose_id):
    """A prescriber orders another dose in place of one that was lost."""
    amend.order_replacement(house(), actor(), dose_id, **said)
    return jsonify({"dose_id": dose_id, "replacement_ordered": True}), 201
