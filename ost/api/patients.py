"""Register a patient and read one, by program."""

from __future__ import annotations

import base64
import binascii

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint

from ost.api.fields import choice, optional_text, text
from ost.api.schemas import Strict
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.rules.schedule import format_both
from ost.services import faces, patient_read, patients

blueprint = Blueprint("api_patients", __name__, description="Patients: who they are. Everything personal is sealed.")


class PatientToRegister(Strict):
    site = text("home site's code", 12, 1, required=True)
    name = text("full name, as on the person's papers", 80, 1, required=True)
    national_id = text("Taiwan national ID or resident number; its check digit is checked", 20, 1, required=True)
    birth_date = text("ISO (1979-05-03) or ROC (68/5/3, 0680503, 民國68年5月3日)", 30, 1, required=True)
    sex = choice("sex on the papers", patients.SEXES, required=True)
    phone = optional_text("telephone number", 30)
    language = choice("language of messages and screens", patients.LANGUAGES, load_default=patients.LANGUAGES[0])
    priority = ma.fields.List(
        choice("a reason for the priority lane", patients.PRIORITIES),
        load_default=list,
        metadata={"description": "reasons for the priority lane"},
    )
    low_tolerance = ma.fields.Boolean(
        load_default=False, metadata={"description": "older, ill or on sedatives: lower first-dose ceilings"}
    )
    pin = ma.fields.String(
        load_default=None,
        allow_none=True,
        load_only=True,
        validate=ma.validate.Length(max=8),
        metadata={"description": "4 to 8 digits, for the path without biometrics"},
    )
    face = ma.fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "photograph, PNG or JPEG, base64; kept as pixels only"},
    )


class PatientRegistered(ma.Schema):
    id = ma.fields.String(required=True, metadata={"description": "opaque; use it everywhere else"})
    number = ma.fields.String(required=True, metadata={"description": "called and typed at the counter"})
    birth_date = ma.fields.Date(required=True)
    birth_date_shown = ma.fields.String(required=True, metadata={"description": "both calendars, to be read back"})
    card = ma.fields.String(
        required=True, metadata={"description": "the card's code, told this once: print it as a QR code now"}
    )


class PatientShown(ma.Schema):
    id = ma.fields.String(required=True)
    number = ma.fields.String(required=True)
    home_site = ma.fields.String(required=True)
    active = ma.fields.Boolean(required=True)
    forgotten = ma.fields.Boolean(required=True, metadata={"description": "key destroyed: personal fields are null"})
    name = ma.fields.String(allow_none=True)
    national_id = ma.fields.String(allow_none=True)
    birth_date = ma.fields.Date(allow_none=True)
    birth_date_shown = ma.fields.String(allow_none=True)
    sex = ma.fields.String()
    phone = ma.fields.String(allow_none=True)
    language = ma.fields.String()
    priority = ma.fields.List(ma.fields.String())
    low_tolerance = ma.fields.Boolean()
    episode_started_on = ma.fields.Date(allow_none=True)
    registered_at = ma.fields.AwareDateTime()
    has_card = ma.fields.Boolean()
    has_pin = ma.fields.Boolean()
    has_face = ma.fields.Boolean()
    fingers = ma.fields.List(ma.fields.String())


class WhyRead(Strict):
    why = optional_text("why the record is read; the patient can see it", 80)


@blueprint.post("/patients")
@allow("patient.register")
@blueprint.arguments(PatientToRegister)
@blueprint.response(201, PatientRegistered)
@blueprint.alt_response(409, description="already registered in the network")
@blueprint.alt_response(422, description="one or more fields are wrong; nothing was saved")
def post_patient(given):
    """Register a patient at their home site; the same national ID twice is refused network-wide."""
    face = faces.clean_face(_decoded(given.pop("face"))) if given.get("face") else given.pop("face", None)
    return patients.register(house(), actor(), site_id=given.pop("site"), face=face, **given)


@blueprint.get("/patients/<patient_id>")
@allow("patient.read")
@blueprint.arguments(WhyRead, location="query")
@blueprint.response(200, PatientShown)
@blueprint.alt_response(404, description="no such patient, or not for you to see")
def get_patient(asked, patient_id):
    """One patient's record. Who read it, when and why is kept, and the patient may see it."""
    record = patient_read.read(house(), actor(), patient_id, page="api.patients", why=asked["why"])
    shown = {name: getattr(record, name) for name in PatientShown().fields if hasattr(record, name)}
    return shown | {"birth_date_shown": format_both(record.birth_date) if record.birth_date else None}


@blueprint.get("/patients/<patient_id>/face")
@allow("patient.read")
@blueprint.response(200, content_type="image/jpeg", description="the photograph")
def get_face(patient_id):
    """The person's photograph."""
    image, kind = patient_read.face(house(), actor(), patient_id)
    return Response(image, content_type=kind, headers={"Cache-Control": "private, no-store"})


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("face_not_understood", fields={"face": ["face_not_understood"]}) from None
