"""The stations' door: agents at counters, known by their key, not by a sign-in."""

from __future__ import annotations

import marshmallow as ma
from flask.views import MethodView
from flask_smorest import Blueprint

from devices.interface import GIVES, MODALITIES, STATES, TROUBLES, BadTouch, Touch
from ost.api.schemas import Strict
from ost.errors import Refusal
from ost.http import house, station_route
from ost.services import captures, challenges, reader_state, stations
from ost.services.door import TurnedAway
from ost.services.gallery import gallery_of

blueprint = Blueprint(
    "agent",
    __name__,
    url_prefix="/agent",
    description="For the program at a counter. Each body is signed with the station's Ed25519 key.",
)


def _text(longest: int, about: str, **kw):
    return ma.fields.String(
        required=True, validate=ma.validate.Length(1, longest), metadata={"description": about}, **kw
    )


def _signature():
    return _text(200, "Ed25519, hex, over what devices.interface.signed_bytes says")


def _count():
    return ma.fields.Integer(
        strict=True,
        validate=ma.validate.Range(1, challenges.MOST_AT_ONCE),
        metadata={"description": "how many challenges the station can hold"},
    )


class Enrol(Strict):
    code = _text(40, "the administrator's one-time code")
    public_key = _text(64, "Ed25519 public key, hex")
    signature = _signature()


class EnrolDone(Strict):
    station = ma.fields.String(required=True)


class AskChallenges(Strict):
    station = _text(64, "the station's id")
    count = _count()
    signature = _signature()


class Challenges(Strict):
    challenges = ma.fields.List(ma.fields.String(), required=True)


def _printable(text: str | None) -> None:
    if text is not None and not text.isprintable():
        raise ma.ValidationError("Invalid value.")


def _word_of_agent(about: str):
    """As in a touch: printable ASCII."""
    return ma.fields.String(
        required=True,
        validate=[ma.validate.Length(1, 40), ma.validate.Regexp(r"[ -~]+\Z", error="Invalid value.")],
        metadata={"description": about},
    )


def _claim(about: str):
    return ma.fields.String(
        required=True,
        allow_none=True,
        validate=[ma.validate.Length(1, 80), _printable],
        metadata={"description": f"{about}, as the device says; null where it does not"},
    )


def _one_of(words, none: bool = False):
    return ma.fields.String(required=True, allow_none=none, validate=ma.validate.OneOf(words))


class ReaderSaid(Strict):
    """One reader, as the agent sees it now."""

    name = _word_of_agent("the agent's own name for it")
    kind = _word_of_agent("kind of reader")
    simulated = ma.fields.Boolean(required=True, truthy={True}, falsy={False})
    state = _one_of(STATES)
    trouble = _one_of(TROUBLES, none=True)
    gives = _one_of(GIVES)
    modality = _one_of(MODALITIES)
    dpi = ma.fields.Integer(
        required=True, strict=True, allow_none=True, validate=ma.validate.Range(1, 10_000)
    )
    maker = _claim("maker")
    model = _claim("model")
    serial = _claim("serial number")
    firmware = _claim("firmware")
    liveness = _claim("level of presentation attack detection")


class Heartbeat(Strict):
    station = _text(64, "the station's id")
    challenge = _text(200, "made after the heartbeat before this one")
    said = ma.fields.String(
        required=True,
        validate=ma.validate.Regexp(r"[0-9a-f]{32}\Z", error="Invalid value."),
        metadata={"description": "devices.interface.readers_digest of the readers"},
    )
    readers = ma.fields.List(
        ma.fields.Nested(ReaderSaid),
        validate=ma.validate.Length(1, reader_state.MOST_AT_ONCE),
        metadata={"description": "all readers of the station; left out while the server knows them"},
    )
    want = _count()
    signature = _signature()


class HeartbeatDone(Challenges):
    tell = ma.fields.Boolean(required=True, metadata={"description": "say the readers with the next one"})


class CapturePost(Strict):
    station = _text(64, "the station's id")
    challenge = _text(200, "one of the challenges it was given")
    touch = ma.fields.Dict(required=True, metadata={"description": "devices.interface.Touch on the wire"})
    want = _count()
    signature = _signature()


class CaptureDone(Challenges):
    result = ma.fields.String(required=True, metadata={"description": "how it went; never of whom"})
    code = ma.fields.String(required=True, allow_none=True)
    capture = ma.fields.String(required=True, allow_none=True)


def _let_in(answer):
    if isinstance(answer, TurnedAway):
        raise Refusal(answer.code)
    return answer


@blueprint.route("/enrol")
class EnrolView(MethodView):
    @station_route
    @blueprint.doc(security=[])
    @blueprint.arguments(Enrol)
    @blueprint.response(201, EnrolDone)
    def post(self, given):
        """Trade a one-time code for a place as a station."""
        return {"station": _let_in(stations.enrol(house(), **given))}


@blueprint.route("/challenges")
class ChallengesView(MethodView):
    @station_route
    @blueprint.doc(security=[])
    @blueprint.arguments(AskChallenges)
    @blueprint.response(200, Challenges)
    def post(self, given):
        """Fresh challenges, for a station that holds none. Each is good for a minute and for one capture."""
        return {"challenges": _let_in(stations.ask_challenges(house(), given))}


@blueprint.route("/heartbeat")
class HeartbeatView(MethodView):
    @station_route
    @blueprint.doc(security=[])
    @blueprint.arguments(Heartbeat)
    @blueprint.response(200, HeartbeatDone)
    def post(self, given):
        """The station is there, and how its readers are. Once in 0.9 s, and at once when a reader changes."""
        return _let_in(stations.heartbeat(house(), given))


@blueprint.route("/captures")
class CapturesView(MethodView):
    @station_route
    @blueprint.doc(security=[])
    @blueprint.arguments(CapturePost)
    @blueprint.response(200, CaptureDone)
    def post(self, given):
        """One touch. The identical post within half a minute gets the same answer."""
        try:
            touch = Touch.from_wire(given["touch"])
        except BadTouch as error:
            raise Refusal(
                "touch_malformed", fields={f"touch.{error.field}": ["touch_malformed"]}, field=error.field
            ) from None
        here = house()
        answer = captures.receive_capture(
            here, gallery_of(here), given["station"], given["challenge"], touch, given["signature"]
        )
        if answer.refused:
            raise Refusal(answer.code)
        fresh = challenges.issue(here.keys, given["station"], here.now(), given.get("want", 1))
        return {
            "result": answer.result,
            "code": answer.code,
            "capture": answer.capture,
            "challenges": fresh,
        }
