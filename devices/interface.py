"""What a reader promises, and what a touch looks like on its way to the server.

A reader is one plain class with the methods of `Reader`. Its commands state an
end ("be open"), so that repeating them is safe. A capture ends in one of three
ways: `Captured`, `NotCaptured` (certainly nothing) or `Unknown` (the device was
lost on the way). Knows nothing of people, of matching or of the network.

No `repr` here shows a sample's data: tracebacks and logs print objects.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

FINGER = "finger"
MODALITIES = (FINGER, "face", "iris", "palm_vein", "finger_vein")

#: Formats a sample may come in. An image is always preferred: it is extracted here,
#: and mixing extractors costs 3 to 15 times the error rate (DEVICES.md).
IMAGE_FORMATS = ("image/png", "image/bmp", "image/jpeg", "image/jp2", "image/x-portable-graymap")
ISO_TEMPLATE = "iso19794-2:2005"
FORMATS = (*IMAGE_FORMATS, ISO_TEMPLATE, "vendor")

MAX_SAMPLE_BYTES = 8_000_000

CAPTURED, NOT_CAPTURED, UNKNOWN = ENDINGS = ("captured", "not_captured", "unknown")

#: Why certainly nothing was captured. "rejected": the device gave something that is not what it
#: says it gives (size, resolution, signature); "busy": another program holds it; "device_error": it said so itself.
NOT_CAPTURED_CODES = (
    "timed_out",
    "too_wet",
    "no_finger",
    "cancelled",
    "unplugged",
    "closed",
    "busy",
    "rejected",
    "device_error",
)
#: Why nobody knows whether something was: it left, it spoke nonsense, it fell silent halfway.
UNKNOWN_CODES = ("vanished", "garbled", "silent")

#: What a device can give. Only the first is first class: the picture is extracted here.
GIVES_IMAGE, GIVES_TEMPLATE, GIVES_OWN_MATCHING = GIVES = ("image", "template", "own_matching")

#: Why a device cannot be used now: codes of ReaderError, of a heartbeat and of `ost devices probe`.
TROUBLES = (
    "reader_unplugged",
    "reader_package_missing",
    "reader_permission_denied",
    "reader_port_taken",
    "reader_not_answering",
    "reader_not_ready",
    "reader_not_trusted",
    "reader_refused_password",
    "reader_misconfigured",
    "reader_matches_only_itself",
)

READY, CLOSED, UNPLUGGED = STATES = ("ready", "closed", "unplugged")


class ReaderError(Exception):
    """Anything a reader refuses; `code` names it. Never carries sample data."""

    code = "reader_error"


class ReaderUnplugged(ReaderError):
    """The device is not there. Plug it in; opening again is safe."""

    code = "reader_unplugged"


class ReaderUnusable(ReaderError):
    """The device may be there but cannot be used; `code` is one of TROUBLES. Opening again is safe.

    `about`: a short technical word for the operator (a package's name, a port), never sample data.
    """

    def __init__(self, code: str, about: str = ""):
        super().__init__(about or code)
        self.code = code
        self.about = about


class ReaderRefused(ReaderError):
    """A device that works said no to something other than a capture; the text says what, in a few words."""


class ReaderUnknown(ReaderError):
    """No driver of that kind."""

    code = "reader_unknown"


class SimulatedReaderRefused(ReaderError):
    """A simulated reader was asked for where only real ones may act."""

    code = "simulated_reader_refused"


class BadTouch(ReaderError):
    """What came over the wire is no touch. The text names the field, never its content."""

    code = "bad_touch"

    def __init__(self, what: str):
        super().__init__(what)
        self.field = what


@dataclass(frozen=True, slots=True, repr=False)
class Sample:
    """What a reader took. `data`: bytes in `format`; `dpi`: pixels per inch of an image.

    `declared`: what the device says of itself (maker, model, liveness) as short text;
    recorded as a claim, never trusted.
    """

    modality: str
    format: str
    data: bytes
    dpi: int | None = None
    declared: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        dpi = f" {self.dpi} dpi" if self.dpi else ""
        return f"<Sample {self.modality} {self.format}{dpi} {len(self.data)} bytes>"


@dataclass(frozen=True, slots=True)
class Captured:
    """`touch_ms`: from the finger being there to the sample, where the driver can tell; None where it cannot."""

    sample: Sample
    touch_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """Certainly nothing: `code` is one of NOT_CAPTURED_CODES."""

    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The device was lost on the way: `code` is one of UNKNOWN_CODES."""

    code: str


Capture = Captured | NotCaptured | Unknown


@dataclass(frozen=True, slots=True)
class About:
    """What a device says of itself: claims, recorded and never trusted.

    `gives`: one of GIVES. `dpi`: of its pictures, None where it gives none or does not say.
    `liveness`: its declared level of presentation attack detection in its own words, "none" where it
    declares none; nothing here tests it.
    """

    kind: str
    gives: str
    modality: str = FINGER
    simulated: bool = False
    dpi: int | None = None
    maker: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    liveness: str = "none"

    def declared(self) -> Mapping[str, str]:
        """The part that travels with each sample."""
        said = {"maker": self.maker, "model": self.model, "serial": self.serial, "firmware": self.firmware}
        return MappingProxyType({k: v[:80] for k, v in said.items() if v} | {"liveness": self.liveness[:80]})


@runtime_checkable
class Reader(Protocol):
    """One device. `simulated` readers announce themselves by it, and nothing can unsay it."""

    kind: str
    modality: str
    simulated: bool

    def open(self) -> None:
        """Be open. Raises ReaderUnplugged when there is no device, ReaderUnusable with the reason otherwise."""

    def close(self) -> None:
        """Be closed. Never raises; a waiting `capture` ends with NotCaptured("closed")."""

    def state(self) -> str:
        """One of STATES; never raises and never waits for the device."""

    def trouble(self) -> str | None:
        """While the state is not "ready", the last reason, one of TROUBLES; None when there is none. Never waits."""

    def about(self) -> About:
        """What is known of the device so far; fuller once it was open. Never raises and never waits."""

    def capture(self, timeout_s: float) -> Capture:
        """Wait for a touch, at most `timeout_s` seconds. Never raises for what a device or a finger does."""


# --- a touch on its way -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Touch:
    """One capture as it travels from the agent to the server's door.

    `ending` is one of ENDINGS, `code` why there is no sample (None with one). `reader`: the agent's
    own name for the device; `touch_ms`: from the finger to the sample, by the agent's clock. The digest
    covers every field, so that a signature over it binds them all.
    """

    reader_kind: str
    simulated: bool
    ending: str
    code: str | None = None
    sample: Sample | None = None
    reader: str = "reader"
    touch_ms: int | None = None

    @classmethod
    def of(cls, reader: Reader, capture: Capture, name: str = "reader", touch_ms: int | None = None) -> Touch:
        match capture:
            case Captured(sample, seen_ms):
                known_ms = touch_ms if seen_ms is None else seen_ms
                return cls(reader.kind, reader.simulated, CAPTURED, None, sample, name, known_ms)
            case NotCaptured(code):
                return cls(reader.kind, reader.simulated, NOT_CAPTURED, code, None, name, touch_ms)
            case Unknown(code):
                return cls(reader.kind, reader.simulated, UNKNOWN, code, None, name, touch_ms)

    def _head(self) -> dict:
        head = {
            "reader_kind": self.reader_kind,
            "simulated": self.simulated,
            "ending": self.ending,
            "code": self.code,
            "reader": self.reader,
            "touch_ms": self.touch_ms,
            "sample": None,
        }
        if self.sample is not None:
            head["sample"] = {
                "modality": self.sample.modality,
                "format": self.sample.format,
                "dpi": self.sample.dpi,
                "declared": dict(self.sample.declared),
            }
        return head

    def digest(self) -> str:
        """SHA-256, hex, over the fields and the sample's data."""
        head = json.dumps(self._head(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        total = hashlib.sha256(head.encode() + b"\0")
        total.update(self.sample.data if self.sample is not None else b"")
        return total.hexdigest()

    def to_wire(self) -> dict:
        wire = self._head()
        if self.sample is not None:
            wire["sample"]["data"] = base64.b64encode(self.sample.data).decode()
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping) -> Touch:
        """The touch in a JSON object. Raises BadTouch with the name of the first wrong field."""
        if not isinstance(wire, Mapping):
            raise BadTouch("touch")
        unknown = set(wire) - {
            "reader_kind",
            "simulated",
            "ending",
            "code",
            "sample",
            "reader",
            "touch_ms",
        }
        if unknown:
            raise BadTouch("unknown field")
        _need(isinstance(wire.get("simulated"), bool), "simulated")
        _need(_word(wire.get("reader_kind")), "reader_kind")
        _need(_word(wire.get("reader")), "reader")
        touch_ms = wire.get("touch_ms")
        _need(touch_ms is None or (type(touch_ms) is int and 0 <= touch_ms < 3_600_000), "touch_ms")
        ending, code, raw = wire.get("ending"), wire.get("code"), wire.get("sample")
        _need(ending in ENDINGS, "ending")
        _need(code is None if ending == CAPTURED else _word(code), "code")
        _need((raw is not None) == (ending == CAPTURED), "sample")
        sample = None if raw is None else _sample_from(raw)
        return cls(wire["reader_kind"], wire["simulated"], ending, code, sample, wire["reader"], touch_ms)


def printable(text: str | None) -> str | None:
    """What a device says of itself, as people are shown it: at most 80 characters, none that moves others about."""
    if text is None:
        return None
    return "".join(c if c.isprintable() else "?" for c in str(text))[:80] or None


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise BadTouch(what)


def _word(value) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 40 and value.isascii() and value.isprintable()


def _sample_from(raw) -> Sample:
    _need(isinstance(raw, Mapping), "sample")
    _need(set(raw) <= {"modality", "format", "dpi", "declared", "data"}, "unknown field")
    _need(raw.get("modality") in MODALITIES, "modality")
    _need(raw.get("format") in FORMATS, "format")
    dpi = raw.get("dpi")
    _need(dpi is None or (type(dpi) is int and 0 < dpi <= 10_000), "dpi")
    declared = raw.get("declared") or {}
    _need(
        isinstance(declared, Mapping)
        and len(declared) <= 12
        and all(_word(k) and isinstance(v, str) and len(v) <= 80 for k, v in declared.items()),
        "declared",
    )
    text = raw.get("data")
    _need(isinstance(text, str) and 0 < len(text) <= MAX_SAMPLE_BYTES * 4 // 3 + 4, "data")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadTouch("data") from None
    return Sample(raw["modality"], raw["format"], data, dpi, MappingProxyType(dict(declared)))


def signed_bytes(purpose: str, station: str, challenge: str, digest: str) -> bytes:
    """What a station signs. `purpose` ("capture", "heartbeat", ...) keeps one from standing in for another."""
    return f"ost-station-1\n{purpose}\n{station}\n{challenge}\n{digest}".encode()


def readers_digest(readers: Sequence[Mapping]) -> str:
    """32 hex digits: what a heartbeat says of its readers, in short. Unchanged, it goes without the whole."""
    return body_digest({"readers": list(readers)})[:32]


def body_digest(body: Mapping) -> str:
    """SHA-256, hex, of a small JSON object, for signing what is not a touch."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
