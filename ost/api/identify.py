"""Whose finger is on a picture."""

from __future__ import annotations

import marshmallow as ma
from flask.views import MethodView
from flask_smorest import Blueprint

from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.services import identify as service
from ost.services.gallery import gallery_of

blueprint = Blueprint(
    "identify", __name__, description="An upload is never evidence that anybody stood at a counter."
)


def dpi_field():
    return ma.fields.Integer(
        required=True,
        strict=True,
        validate=ma.validate.Range(1, 10_000),
        metadata={"description": "resolution of the picture, pixels per inch"},
    )


def image_field():
    return ma.fields.String(
        required=True,
        load_only=True,
        validate=ma.validate.Length(min=1),
        metadata={"description": "picture of one finger, base64 of PNG (or BMP, JPEG, JPEG 2000)"},
    )


class IdentifyWanted(Strict):
    site = ma.fields.String(required=True, validate=ma.validate.Length(1, 12))
    dpi = dpi_field()
    image = image_field()


class CandidateShown(Strict):
    patient_id = ma.fields.String(required=True)
    finger = ma.fields.String(required=True)
    score = ma.fields.Float(required=True, metadata={"description": "0 to 1; above 0.04 is a match"})


class Identified(Strict):
    candidates = ma.fields.List(
        ma.fields.Nested(CandidateShown),
        required=True,
        metadata={"description": "people known at this site, best first; up to three when not decided"},
    )
    decided = ma.fields.Boolean(required=True, metadata={"description": "one person stands out"})
    quality = ma.fields.Integer(required=True, metadata={"description": "valid cylinders; at least 12"})
    complete = ma.fields.Boolean(
        required=True, metadata={"description": "false while the network's prints are still loading"}
    )
    dosed_today = ma.fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "all that is said of somebody who is enrolled elsewhere"},
    )


@blueprint.route("/identify")
class IdentifyView(MethodView):
    @allow("identify.capture")
    @blueprint.arguments(IdentifyWanted)
    @blueprint.response(200, Identified)
    def post(self, given):
        """Search a print among the people known at a site. Who was found can see that it was asked."""
        here = house()
        found = service.identify(here, gallery_of(here), actor(), given["site"], given["dpi"], given["image"])
        return {
            "candidates": [
                {"patient_id": c.person, "finger": c.finger, "score": round(c.score, 4)} for c in found.candidates
            ],
            "decided": found.decided,
            "quality": found.cylinders,
            "complete": found.complete,
            "dosed_today": found.dosed_today,
        }
