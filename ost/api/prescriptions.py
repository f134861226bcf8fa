"""Write, change and stop orders; holds and sign-offs, by program."""

from __future__ import annotations

import marshmallow as ma
from flask import jsonify
from flask_smorest import Blueprint

from ost import canonical, wording
from ost.answers import error_body
from ost.api.doses import ReasonShown
from ost.api.fields import choice, day, optional_text, text, thousandths, whole
from ost.api.schemas import Strict
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.rules.facts import PHASES
from ost.services import holds, order_draft, prescription_read, prescriptions, signoffs

blueprint = Blueprint(
    "api_prescriptions", __name__, description="Prescriptions, holds and sign-offs: added to, never edited."
)


class PrescriptionToWrite(Strict):
    patient_id = text("the patient", 64, 1, required=True)
    medicine = text("a medicine of the catalogue, e.g. methadone", 40, 1, required=True)
    product = optional_text("a product of that medicine, where it matters", 40)
    phase = choice("phase of treatment", PHASES, required=True)
    slot = ma.fields.Integer(
        strict=True,
        load_default=1,
        validate=ma.validate.OneOf(order_draft.SLOTS),
        metadata={"description": "which dose of the day; 1 for most people"},
    )
    dose_mg = thousandths("dose in milligrams, as text; or give dose_ug", load_default=None, allow_none=True)
    dose_ug = whole("dose in micrograms; or give dose_mg", load_default=None, allow_none=True)
    starts_on = day("first day; today where absent", load_default=None, allow_none=True)
    ends_on = day("last day; open where absent", load_default=None, allow_none=True)
    days = ma.fields.List(
        ma.fields.Integer(strict=True, validate=ma.validate.Range(1, 7)),
        load_default=list(order_draft.EVERY_DAY),
        metadata={"description": "ISO weekdays it is due on, 1 = Monday"},
    )
    sites = ma.fields.List(
        text("a site's code", 12, 1),
        load_default=list,
        metadata={"description": "where it may be dispensed beside the home site"},
    )
    shortest_gap_h = ma.fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        metadata={"description": "the order's own shortest gap in hours, for split and alternate-day orders"},
    )
    replaces = optional_text("the prescription this one changes", 64)
    reason = optional_text("why, for the record; no names", 200)
    elsewhere_on = day("day of a last dose documented elsewhere (transfer)", load_default=None, allow_none=True)
    elsewhere_dose_ug = whole("that dose, micrograms", load_default=None, allow_none=True)
    elsewhere_source = optional_text("who documents it", 120)
    signed = ma.fields.List(
        text("a reason's code", 40, 1),
        load_default=list,
        metadata={"description": "reasons the prescriber answers for with this order, on its first day"},
    )

    @ma.validates_schema
    def one_dose(self, data, **_):
        if (data.get("dose_mg") is None) == (data.get("dose_ug") is None):
            raise ma.ValidationError("field_needed", "dose_mg")


class PrescriptionWritten(ma.Schema):
    id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    dose_ug = ma.fields.Integer(required=True)
    starts_on = ma.fields.Date(required=True)
    replaces = ma.fields.String(allow_none=True)
    previous_dose_ug = ma.fields.Integer(allow_none=True)
    last_increase_on = ma.fields.Date(allow_none=True)
    week_ago_dose_ug = ma.fields.Integer(allow_none=True)
    episode_started_on = ma.fields.Date(required=True)
    reasons = ma.fields.List(ma.fields.Nested(ReasonShown), metadata={"description": "notes, and what was signed"})


class Why(Strict):
    reason = text("why, for the record", 200, 1, required=True)


class HoldToPlace(Strict):
    patient_id = text("the patient", 64, 1, required=True)
    site = text("where the hold is placed", 12, 1, required=True)
    kind = choice("clinical holds travel with the person, administrative ones do not", holds.KINDS, required=True)
    reason_code = text("a coded reason of the policy", 40, 1, required=True)
    come_back_on = day("when the person should come back", load_default=None, allow_none=True)
    call = optional_text("whom to call, with the number; the site's number where absent", 80)


class HoldToRelease(Strict):
    reason = optional_text("why it is released", 200)


class SignOffToGive(Strict):
    patient_id = text("the patient", 64, 1, required=True)
    code = text("the reason it answers", 40, 1, required=True)
    day = day("the dosing day it is for", required=True)
    dose_mg = thousandths("dose for that day, never above the order", load_default=None, allow_none=True)
    note = optional_text("for the record; no names", 200)


@blueprint.post("/prescriptions")
@allow("prescription.write")
@blueprint.arguments(PrescriptionToWrite)
@blueprint.response(201, PrescriptionWritten)
@blueprint.alt_response(409, description="refused by the rules, with every reason under `reasons`")
def post_prescription(given):
    """Write an order, or change one (`replaces`); 409 with all reasons where the rules are against it."""
    replaces, signed = given.pop("replaces"), given.pop("signed")
    mg, ug = given.pop("dose_mg"), given.pop("dose_ug")
    given["dose_ug"] = mg if ug is None else ug
    given["starts_on"] = given["starts_on"] or order_draft.today_of(house(), given["patient_id"])
    given |= {"days": tuple(given["days"]), "sites": tuple(given["sites"])}
    draft = order_draft.Draft(**given)
    try:
        if replaces is None:
            done = prescriptions.write(house(), actor(), draft, signed=signed)
        else:
            done = prescriptions.change(house(), actor(), replaces, draft, signed=signed)
    except Refusal as refusal:
        raise _by_our_names(refusal, "dose_mg" if ug is None else "dose_ug") from None
    reasons = [wording.reason(r) for r in done.reasons]
    if isinstance(done, prescriptions.NotWritten):
        stops = sum(r["tier"] == "stop" for r in reasons)
        body = error_body("order_not_written", {"count": stops})
        return jsonify(body | {"state": "refused", "reasons": reasons, "signable": list(done.signable)}), 409
    line = done.lineage
    return {
        "id": done.id,
        "state": done.state,
        "dose_ug": draft.dose_ug,
        "starts_on": draft.starts_on,
        "replaces": replaces,
        "previous_dose_ug": line.previous_dose_ug,
        "last_increase_on": line.last_increase_on,
        "week_ago_dose_ug": line.week_ago_dose_ug,
        "episode_started_on": line.episode_started_on,
        "reasons": reasons,
    }


def _by_our_names(refusal: Refusal, dose: str) -> Refusal:
    """What is wrong with a field, under the name it was sent by: the service knows amounts, not their units in JSON."""
    names = {"dose": dose, "elsewhere_dose": "elsewhere_dose_ug"}
    fields = {names.get(name, name): codes for name, codes in refusal.fields.items()}
    return Refusal(refusal.code, fields=fields, **refusal.data)


@blueprint.get("/patients/<patient_id>/prescriptions")
@allow("prescription.read")
@blueprint.response(200, description="every order of the person, those in force first")
def get_prescriptions(patient_id):
    """A person's orders, over and to come included."""
    found = prescription_read.orders(house(), actor(), patient_id)
    return jsonify({"prescriptions": canonical.plain(found)})


@blueprint.post("/prescriptions/<prescription_id>/stop")
@allow("prescription.write")
@blueprint.arguments(Why)
@blueprint.response(200)
def post_stop(given, prescription_id):
    """End an order now; it stays on record."""
    prescriptions.stop(house(), actor(), prescription_id, given["reason"])
    return jsonify({"id": prescription_id, "state": "stopped"})


@blueprint.post("/holds")
@allow("hold.place")
@blueprint.arguments(HoldToPlace)
@blueprint.response(201)
def post_hold(given):
    """Put a person's doses on hold, with a day to come back and a number to call. An unpaid fee never blocks."""
    done = holds.place(house(), actor(), given.pop("patient_id"), site_id=given.pop("site"), **given)
    return jsonify({"id": done, "state": "placed"}), 201


@blueprint.post("/holds/<hold_id>/release")
@allow("hold.release")
@blueprint.arguments(HoldToRelease)
@blueprint.response(200)
def post_release(given, hold_id):
    """Lift a hold; once."""
    holds.release(house(), actor(), hold_id, given["reason"])
    return jsonify({"id": hold_id, "state": "released"})


@blueprint.post("/signoffs")
@allow("signoff.give")
@blueprint.arguments(SignOffToGive)
@blueprint.response(201)
def post_signoff(given):
    """The prescriber's answer to one reason, for one day; it may lower the dose, never raise it."""
    done = signoffs.give(
        house(),
        actor(),
        given["patient_id"],
        given["code"],
        given["day"],
        dose_ug=given["dose_mg"],
        note=given["note"],
    )
    return jsonify({"id": done, "code": given["code"], "day": given["day"].isoformat()}), 201
