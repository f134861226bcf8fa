"""What is asked of a service of the Secure Biometric Interface, and what its answers mean.

Does: the requests of specification 0.9.5 and 1.0, the list of devices in a discovery, every error code.
Does not: believe anything; what a device says of itself counts once its signature is verified (device.py).

Sources: MOSIP Device Service Specification 0.9.5, Secure Biometric Interface Specification 1.0, the
JSON schemas of MOSIP's compliance toolkit; the codes from 110 on are those of the toolkit and of MOSIP's own service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from .errors import Garbled, Refused, Rejected
from .trust import unpack
from .wire import parse_json

VERSIONS = ("1.0.0", "1.0", "0.9.5")
"""Versions of the specification that are spoken, the one liked best first; a device's own spelling is used."""

REGISTRATION, AUTH = "Registration", "Auth"
ENVIRONMENTS = ("Staging", "Developer", "Pre-Production", "Production")
STATUS_READY, STATUS_BUSY, STATUS_NOT_READY, STATUS_NOT_REGISTERED = (
    "Ready",
    "Busy",
    "Not Ready",
    "Not Registered",
)

UNKNOWN_FINGER = "UNKNOWN"
FINGERS = MappingProxyType(
    {
        "Right Thumb": 1,
        "Right IndexFinger": 2,
        "Right MiddleFinger": 3,
        "Right RingFinger": 4,
        "Right LittleFinger": 5,
        "Left Thumb": 6,
        "Left IndexFinger": 7,
        "Left MiddleFinger": 8,
        "Left RingFinger": 9,
        "Left LittleFinger": 10,
    }
)
"""The interface's names and ISO/IEC 19794's numbers of the same fingers."""

SLAP = "Slap"
_HAND = ("IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger")
SEGMENTS = MappingProxyType(
    {
        "1": tuple(f"Left {f}" for f in _HAND),
        "2": tuple(f"Right {f}" for f in _HAND),
        "3": ("Left Thumb", "Right Thumb"),
    }
)
"""`deviceSubId` of a slap scanner and the fingers it takes together."""

MAX_DEVICES = 32


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error code comes to. `ending`: of NOT_CAPTURED_CODES; `trouble`: of TROUBLES where the
    device can no longer be used as it was opened."""

    ending: str
    trouble: str | None = None


_FAULT = Meaning("device_error")
_TIME = Meaning("timed_out")
_NOBODY = Meaning("no_finger")
_BUSY = Meaning("busy")
_GONE = Meaning("unplugged", "reader_unplugged")
_NOT_READY = Meaning("device_error", "reader_not_ready")
_NOT_TRUSTED = Meaning("device_error", "reader_not_trusted")
_SETTINGS = Meaning("device_error", "reader_misconfigured")

ERRORS: Mapping[str, Meaning] = MappingProxyType(
    {
        "100": _NOT_TRUSTED,  # device not registered: it signs nothing
        "101": _NOBODY,  # unable to detect a biometric object
        "102": _FAULT,  # technical error during extraction
        "103": _NOT_TRUSTED,  # device tamper detected
        "104": _NOT_READY,  # unable to connect to management server
        "105": _FAULT,  # image orientation error
        "106": _GONE,  # device not found
        "107": _NOT_TRUSTED,  # device public key expired
        "108": _SETTINGS,  # domain public key missing: it has no certificate of ours to encrypt to
        "109": _FAULT,  # requested number of biometrics not supported
        "110": _NOT_READY,  # device is not ready
        "111": _BUSY,  # device is busy
        "112": _FAULT,  # invalid transaction id
        "113": _FAULT,  # count does not go with the device type
        "114": _FAULT,  # device type is none of Finger, Iris, Face
        "115": _SETTINGS,  # environment mismatch
        "116": _FAULT,  # count value mismatch
        "117": _FAULT,  # exception value mismatch
        "118": _FAULT,  # exception does not go with the segment
        "119": _FAULT,  # biometric subtype mismatch
        "120": _FAULT,  # device type does not go with the device id
        "121": _SETTINGS,  # purpose mismatch
        "122": _FAULT,  # subtype or exception does not go with the type
        "123": _FAULT,  # the request was not understood
        "202": _GONE,  # no device connected
        "500": _FAULT,  # invalid address
        "501": _FAULT,  # invalid type in a discovery
        "502": _FAULT,  # biometric type mismatch
        "503": _GONE,  # devices are not connected
        "504": _FAULT,
        "505": _FAULT,
        "506": _FAULT,
        "507": _FAULT,
        "551": _FAULT,  # no profile
        "601": _FAULT,
        "604": _FAULT,
        "605": _GONE,
        "606": _FAULT,
        "607": _NOT_READY,
        "608": _FAULT,
        "609": _TIME,
        "610": _FAULT,
        "700": Meaning("cancelled"),  # its live picture was stopped
        "701": _TIME,  # registration capture timed out
        "702": _BUSY,  # another part of the device is streaming
        "703": _BUSY,  # registration capture already in progress
        "704": _FAULT,  # no device id
        "705": _GONE,  # device not connected or not registered
        "706": _NOT_READY,  # not for registration any more: opening again asks what it is for
        "707": _NOBODY,  # nothing for that finger
        "708": _NOBODY,  # nothing at all
        "709": _NOT_READY,  # for authentication only: opening again asks what it is for
        "710": _FAULT,  # unknown error of a registration capture
        "800": _FAULT,  # authentication capture failed
        "801": _TIME,  # authentication capture timed out
        "803": _BUSY,  # authentication capture already in progress
        "804": _FAULT,  # no device id
        "805": _GONE,  # device not connected or not registered
        "806": _NOT_READY,  # not for authentication any more
        "809": _NOT_READY,  # for registration only
        "810": _FAULT,  # unknown error of an authentication capture
        "999": _FAULT,  # unknown error
    }
)


def meaning(code: str) -> Meaning:
    """Of any code; makers may have their own (5xx), and what is not known is the device's own fault."""
    return ERRORS.get(code, _FAULT)


# --- requests ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """One capture as it is asked for; the answer is held against it.

    `fingers`: all that are asked for; `wanted`: the one that becomes the sample. `score`: 0-100.
    """

    verb: str
    purpose: str
    version: str
    env: str
    device_id: str
    device_sub_id: str
    fingers: tuple[str, ...]
    wanted: str
    score: int
    timeout_ms: int
    at: datetime
    transaction_id: str
    previous_hash: str
    domain_uri: str | None = None

    def body(self) -> dict:
        bio = {
            "type": "Finger",
            "count": str(len(self.fingers)),
            "bioSubType": list(self.fingers),
            "requestedScore": str(self.score),
            "deviceId": self.device_id,
            "deviceSubId": self.device_sub_id,
            "previousHash": self.previous_hash,
        }
        body = {
            "env": self.env,
            "purpose": self.purpose,
            "specVersion": self.version,
            "timeout": str(self.timeout_ms),
            "captureTime": stamp(self.at),
            "transactionId": self.transaction_id,
            "bio": [bio],
            "customOpts": None,
        }
        if self.purpose == AUTH:
            body["domainUri"] = self.domain_uri
        else:
            bio["exception"] = []
        return body


def stamp(at: datetime) -> str:
    """An instant as the interface writes it: UTC, whole seconds, "Z"."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: object) -> datetime:
    """The instant in ISO 8601 with a zone. Raises `Rejected`."""
    if not isinstance(text, str) or not text.isascii() or not 19 <= len(text) <= 40:
        raise Rejected("no time")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Rejected("no time") from None
    if at.tzinfo is None:
        raise Rejected("a time without its zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Rejected("no time") from None


def finger_named(text: object) -> str:
    """The interface's name of a finger, from that or from words as "right index". Raises ValueError."""
    plain = "".join(str(text).lower().split()).replace("finger", "").replace("_", "")
    for name in (*FINGERS, UNKNOWN_FINGER):
        if plain == "".join(name.lower().split()).replace("finger", ""):
            return name
    raise ValueError("finger is one of " + ", ".join(FINGERS))


# --- answers -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A device in a discovery: unsigned, so good for finding it and for the operator's eye only."""

    port: int
    device_id: str
    status: str
    make: str
    model: str
    serial: str


def listed(port: int, answer: object) -> list[Listed]:
    """The finger devices in the answer to a discovery. Raises `Garbled` for no list and `Refused` for an error."""
    if isinstance(answer, dict):
        raise_error(answer.get("error"))
        raise Garbled("no list of devices")
    if not isinstance(answer, list) or len(answer) > MAX_DEVICES:
        raise Garbled("no list of devices")
    found = []
    for entry in answer:
        if not isinstance(entry, dict):
            raise Garbled("no device in the list")
        if not isinstance(entry.get("deviceId"), str):
            raise_error(entry.get("error"))
            raise Garbled("no device in the list")
        if (identity := _unsigned(entry.get("digitalId"))) is None:
            continue
        if identity.get("type") == "Finger":
            words = (identity.get("make"), identity.get("model"), identity.get("serialNo"))
            found.append(
                Listed(port, entry["deviceId"], short(entry.get("deviceStatus")), *(short(w) for w in words))
            )
    return found


def _unsigned(text: object) -> Mapping | None:
    """The digital identity of a discovery, which is not signed. Some services sign it all the same."""
    if isinstance(text, str) and text.count(".") == 2:
        text = text.split(".")[1]
    try:
        found = parse_json(unpack(text, padding=True))
    except (Rejected, Garbled):
        return None
    return found if isinstance(found, dict) else None


def short(value: object) -> str:
    """At most 80 printable characters of a text, for the operator's eye."""
    return "".join(c for c in value[:80] if c.isprintable()) if isinstance(value, str) else ""


def error_code(error: object) -> str:
    """The code of an `error` object, "0" for success; `Garbled` where it is none."""
    if not isinstance(error, dict):
        raise Garbled("no error object")
    code = error.get("errorCode")
    if isinstance(code, int) and not isinstance(code, bool):
        code = str(code)
    if not isinstance(code, str) or not code.isascii() or not code.isdigit() or len(code) > 6:
        raise Garbled("no error code")
    return code


def raise_error(error: object) -> None:
    """Raises `Refused` with the code unless it says success. Raises `Garbled` where there is no code."""
    code = error_code(error)
    if code != "0":
        raise Refused(code)


def blocks(answer: object, most: int) -> list[Mapping]:
    """The biometric blocks of an answer to a capture, none with an error. Raises `Refused`, `Garbled`, `Rejected`.

    While it captures for somebody else, a service may send its device info instead, with the error in it.
    """
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        raise_error(answer[0].get("error"))
        raise Garbled("no capture")
    if not isinstance(answer, dict):
        raise Garbled("no capture")
    found = answer.get("biometrics")
    if not isinstance(found, list):
        raise_error(answer.get("error"))
        raise Garbled("no capture")
    if not found or not all(isinstance(b, dict) for b in found):
        raise Garbled("no capture")
    for block in found:
        raise_error(block.get("error"))
    if len(found) > most:
        raise Rejected("more fingers than were asked for")
    return found
