"""A patient's fingers: enrol, list, withdraw. No template ever leaves."""

from __future__ import annotations

import marshmallow as ma
from flask.views import MethodView
from flask_smorest import Blueprint

from ost.api.identify import dpi_field, image_field
from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.services import fingerprints as service
from ost.services.gallery import gallery_of
from ost.services.templates import FINGERS

blueprint = Blueprint("fingerprints", __name__, description="Three impressions of at least two fingers.")


class FingerWanted(Strict):
    finger = ma.fields.String(
        required=True,
        validate=ma.validate.Length(1, 40),
        metadata={"description": "hand and finger", "enum": list(FINGERS)},
    )
    dpi = dpi_field()
    image = image_field()


class DuplicateShown(Strict):
    patient_id = ma.fields.String(required=True, allow_none=True)
    finger = ma.fields.String(required=True, allow_none=True)
    score = ma.fields.Float(required=True)


class FingerEnrolled(Strict):
    id = ma.fields.String(required=True)
    patient_id = ma.fields.String(required=True)
    finger = ma.fields.String(required=True)
    impression = ma.fields.Integer(required=True)
    impressions = ma.fields.Integer(required=True, metadata={"description": "of this finger so far"})
    impressions_wanted = ma.fields.Integer(required=True)
    fingers = ma.fields.Integer(required=True, metadata={"description": "of this person so far"})
    fingers_wanted = ma.fields.Integer(required=True)
    quality = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "NFIQ 2, 0 to 100; 40 and more is good"}
    )
    cylinders = ma.fields.Integer(
        required=True, metadata={"description": "at least 12; 20 and more is good"}
    )
    advice = ma.fields.String(required=True)
    agrees = ma.fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "like this finger's earlier impressions; null for the first"},
    )
    duplicates = ma.fields.List(
        ma.fields.Nested(DuplicateShown),
        required=True,
        metadata={"description": "other people's prints that are alike, for a person to look at"},
    )


class FingerShown(Strict):
    finger = ma.fields.String(required=True)
    impressions = ma.fields.Integer(required=True)
    best_quality = ma.fields.Integer(required=True, allow_none=True)
    least_cylinders = ma.fields.Integer(required=True)
    synthetic = ma.fields.Boolean(required=True)
    enrolled_at = ma.fields.AwareDateTime(required=True)


class Withdrawn(Strict):
    impressions = ma.fields.Integer(required=True, metadata={"description": "how many were withdrawn"})


@blueprint.route("/patients/<string:patient_id>/fingerprints")
class FingerprintsView(MethodView):
    @allow("patient.read")
    @blueprint.response(200, FingerShown(many=True))
    def get(self, patient_id):
        """Which fingers are enrolled."""
        return service.fingers_of(house(), actor(), patient_id)

    @allow("patient.enrol_finger")
    @blueprint.arguments(FingerWanted)
    @blueprint.response(201, FingerEnrolled)
    def post(self, given, patient_id):
        """Enrol one impression. A print that shows too little is refused and nothing is kept."""
        here = house()
        kept = service.enrol_finger(
            here, gallery_of(here), actor(), patient_id, given["finger"], given["dpi"], given["image"]
        )
        return {
            "id": kept.id,
            "patient_id": kept.patient,
            "finger": kept.finger,
            "impression": kept.impression,
            "impressions": kept.impressions,
            "impressions_wanted": kept.impressions_wanted,
            "fingers": kept.fingers,
            "fingers_wanted": kept.fingers_wanted,
            "quality": kept.quality,
            "cylinders": kept.cylinders,
            "advice": kept.advice,
            "agrees": kept.agrees,
            "duplicates": [
                {"patient_id": d.patient, "finger": d.finger, "score": round(d.score, 4)}
                for d in kept.duplicates
            ],
        }


@blueprint.route("/patients/<string:patient_id>/fingerprints/<string:finger>")
class FingerprintView(MethodView):
    @allow("patient.enrol_finger")
    @blueprint.response(200, Withdrawn)
    def delete(self, patient_id, finger):
        """Withdraw one finger, or "all": it matches nowhere from now on, and its templates are wiped."""
        here = house()
        count = service.withdraw(
            here, gallery_of(here), actor(), patient_id, None if finger == "all" else finger
        )
        return {"impressions": count}
