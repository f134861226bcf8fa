"""The second person's own sign-in, as a one-use token for one dose."""

from __future__ import annotations

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from ost.api.schemas import Strict
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.services.witness import OF_A_DOSE, NoToken, witness_dose

blueprint = Blueprint("api_witness", __name__, description="A second person signs for one step")


class Witness(Strict):
    dose_id = fields.String(required=True, validate=validate.Length(1, 64))
    act = fields.String(
        load_default=None,
        validate=validate.OneOf(OF_A_DOSE),
        metadata={"description": "the one step it is for; left out, any one step on this dose"},
    )
    username = fields.String(required=True, validate=validate.Length(1, 100))
    pin = fields.String(required=True, load_only=True, validate=validate.Length(1, 40))


class WitnessToken(Strict):
    token = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)


@blueprint.route("/witness")
class WitnessView(MethodView):
    @allow("dose.give")
    @blueprint.arguments(Witness)
    @blueprint.response(201, WitnessToken)
    def post(self, given):
        """A one-use token for `dose_id`; it is short-lived, and the witness is not the person signed in."""
        done = witness_dose(house(), actor(), given["dose_id"], given["username"], given["pin"], given["act"])
        if isinstance(done, NoToken):
            raise Refusal(done.code, **({"seconds": done.seconds} if done.seconds else {}))
        return {"token": done.token, "expires_at": done.expires_at}
