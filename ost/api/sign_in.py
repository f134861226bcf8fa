"""Sign in by program: user name, password and code become a bearer token."""

from __future__ import annotations

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from ost import metrics
from ost.api.schemas import Strict
from ost.errors import Refusal
from ost.http import actor, allow, device, even_locked, house, open_route, session, signed_in
from ost.services import sessions
from ost.services import sign_in as service
from ost.services.unlock import unlock

blueprint = Blueprint("api_sign_in", __name__, description="Sign in and out")


class SignIn(Strict):
    username = fields.String(required=True, validate=validate.Length(1, 100))
    password = fields.String(required=True, load_only=True, validate=validate.Length(1, 200))
    totp = fields.String(required=True, load_only=True, validate=validate.Length(1, 20))


class Account(Strict):
    id = fields.String(required=True)
    username = fields.String(required=True)
    display_name = fields.String(required=True)
    language = fields.String(required=True)


class SignedIn(Strict):
    token = fields.String(required=True, metadata={"description": "send as Authorization: Bearer"})
    expires_at = fields.AwareDateTime(required=True)
    account = fields.Nested(Account, required=True)


class Unlock(Strict):
    username = fields.String(required=True, validate=validate.Length(1, 100))
    site = fields.String(required=True, validate=validate.Length(1, 12))


@blueprint.route("/sign-in")
class SignInView(MethodView):
    @open_route
    @blueprint.doc(security=[])
    @blueprint.arguments(SignIn)
    @blueprint.response(200, SignedIn)
    def post(self, given):
        """Sign in. A code works once; wrong tries slow down, then lock (429 with Retry-After)."""
        place = service.Place(device())
        done = service.sign_in(
            house(), given["username"], given["password"], given["totp"], place, sessions.API
        )
        if isinstance(done, service.NotSignedIn):
            metrics.sign_ins.labels(done.code).inc()
            raise Refusal(done.code, **({"seconds": done.seconds} if done.seconds else {}))
        metrics.sign_ins.labels("signed_in").inc()
        account = {
            "id": done.account,
            "username": done.username,
            "display_name": done.display_name,
            "language": done.language,
        }
        return {"token": done.token, "expires_at": done.expires_at, "account": account}


@blueprint.route("/sign-out")
class SignOutView(MethodView):
    @signed_in
    @even_locked
    @blueprint.response(204)
    def post(self):
        """End this session; its token opens nothing any more."""
        sessions.end(house(), session())


@blueprint.route("/unlock")
class UnlockView(MethodView):
    @allow("counter.unlock")
    @blueprint.arguments(Unlock)
    @blueprint.response(204)
    def post(self, given):
        """Take a locked-out colleague's wrong tries away (permission counter.unlock at the site)."""
        unlock(house(), actor(), given["username"], given["site"])
