"""What a device says of itself in MOSIPDINFO, once its signatures are verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .errors import Garbled, Refused, Rejected, Untrusted
from .messages import (
    AUTH,
    ENVIRONMENTS,
    MAX_DEVICES,
    REGISTRATION,
    STATUS_NOT_REGISTERED,
    VERSIONS,
    error_code,
    short,
)
from .trust import Signed, Trust, unpack, verify
from .wire import parse_json

HOST_SIGNED = ("L0", "SBI 1.0")
"""Certification levels whose digital identity is signed by the device's own key (1.0 calls L0 "SBI 1.0");
from L1 on it is signed by the trust module's."""

LEVELS = (*HOST_SIGNED, "L1", "SBI 2.0")


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified digital identity: who made which device. Equal ones are one device."""

    make: str
    model: str
    serial: str
    type: str
    sub_type: str
    provider: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class Device:
    """A verified finger device. `level`: its certification, "L0" to "SBI 2.0"; `code`: 0.9.5 only, else ""."""

    identity: Identity
    device_id: str
    sub_ids: tuple[str, ...]
    code: str
    status: str
    env: str
    purpose: str
    versions: tuple[str, ...]
    firmware: str
    level: str

    def version(self) -> str | None:
        """The version to speak with it, in its own spelling; None where there is none in common."""
        return next((v for v in VERSIONS if v in self.versions), None)


def identity(token: object, trust: Trust, at: datetime) -> tuple[Identity, Signed]:
    """Raises `Rejected` or `Untrusted`."""
    signed = verify(token, trust, at)
    claims = _claims(signed)
    names = ("make", "model", "serialNo", "type", "deviceSubType", "deviceProvider", "deviceProviderId")
    return Identity(*(_text(claims, name) for name in names)), signed


def device(answer: object, device_id: str, trust: Trust, at: datetime) -> Device:
    """The finger device with that id in the answer to MOSIPDINFO.

    Raises `Untrusted`, `Rejected`, `Garbled`, and `Refused`: "106" where it is not in the list, else the
    code the device gives for itself and does not sign.
    """
    if isinstance(answer, dict):
        _refuse(answer.get("error"))
        raise Garbled("no list of devices")
    if not isinstance(answer, list) or len(answer) > MAX_DEVICES:
        raise Garbled("no list of devices")
    for entry in answer:
        if not isinstance(entry, dict):
            raise Garbled("no device in the list")
        token = entry.get("deviceInfo")
        if _says(token).get("deviceId") != device_id:
            if not token:
                _refuse(entry.get("error"))
            continue
        if _says(token).get("deviceStatus") == STATUS_NOT_REGISTERED:
            raise Untrusted("not registered")
        return _verified(token, trust, at)
    raise Refused("106")


def _refuse(error: object) -> None:
    code = error_code(error)
    if code != "0":
        raise Refused(code)


def _says(token: object) -> Mapping:
    """What a token says, verified or not: to find the right one, which is then verified."""
    if not isinstance(token, str):
        return {}
    try:
        parts = token.split(".")
        found = parse_json(unpack(parts[1] if len(parts) == 3 else token, padding=True))
    except (Rejected, Garbled):
        return {}
    return found if isinstance(found, dict) else {}


def _verified(token: object, trust: Trust, at: datetime) -> Device:
    signed = verify(token, trust, at)
    claims = _claims(signed)
    who, by = identity(claims.get("digitalId"), trust, at)
    if who.type != "Finger":
        raise Rejected("no finger device")
    level = _text(claims, "certification")
    if level not in LEVELS:
        raise Rejected("unknown certification level")
    same_key(level, signed, by)
    purpose, env = _text(claims, "purpose"), _text(claims, "env")
    if purpose not in (REGISTRATION, AUTH) or env not in ENVIRONMENTS:
        raise Rejected("unknown purpose or environment")
    return Device(
        who,
        _text(claims, "deviceId"),
        _texts(claims, "deviceSubId"),
        short(claims.get("deviceCode")),
        _text(claims, "deviceStatus"),
        env,
        purpose,
        _texts(claims, "specVersion"),
        short(claims.get("firmware")),
        level,
    )


def same_key(level: str, data: Signed, by: Signed) -> None:
    """At the levels without a trust module one key signs both the data and the identity. Raises `Rejected`."""
    if level in HOST_SIGNED and data.leaf != by.leaf:
        raise Rejected("identity of another device")


def _claims(signed: Signed) -> Mapping:
    try:
        return signed.claims()
    except Garbled:
        raise Rejected("signed, but no object") from None


def _text(claims: Mapping, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > 200:
        raise Rejected(f"no {name}")
    return value


def _texts(claims: Mapping, name: str) -> tuple[str, ...]:
    values = claims.get(name)
    if not isinstance(values, list) or not 1 <= len(values) <= 16:
        raise Rejected(f"no {name}")
    if not all(isinstance(v, str) and len(v) <= 40 for v in values):
        raise Rejected(f"no {name}")
    return tuple(values)
