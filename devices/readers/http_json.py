"""Readers whose maker runs a small service on the counter's machine: one POST, and JSON comes back.

The shape is SecuGen's WebAPI, which other makers share under other names; every name can be set. Takes the
picture where the service sends one and the ISO template otherwise. Not verified with hardware: tested
against a service of our own with real prints and templates as payload.

The three endings: a request that did not get through whole is certainly nothing; one that did, and whose
answer was lost, is not known; an answer is what it says, if it keeps to what it declares.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlencode

from devices.discover import Found
from devices.interface import (
    CLOSED,
    FINGER,
    GIVES_IMAGE,
    GIVES_TEMPLATE,
    ISO_TEMPLATE,
    NOT_CAPTURED_CODES,
    READY,
    UNPLUGGED,
    About,
    Capture,
    Captured,
    NotCaptured,
    ReaderError,
    ReaderUnplugged,
    ReaderUnusable,
    Sample,
    Unknown,
)
from devices.readers import pictures
from devices.readers.http_json_profiles import MEANINGS, PROFILES, Profile
from devices.readers.http_json_values import bytes_of, number_of, object_of, text_of
from devices.readers.http_line import (
    Abandoned,
    Address,
    ExchangeError,
    GarbledAnswer,
    Line,
    Lost,
    NotSent,
    Silent,
    Trust,
)

GRACE_S = 1.5
"""How long after its own time a service may take to say that nobody touched, or to bring the picture over."""

ASK_S = 0.5
"""How long a service is told to wait where only the state of its device is wanted."""

BODIES = ("form", "json")
_ENDS = {Lost: ("vanished", "reader_unplugged"), Silent: ("silent", "reader_not_answering")}
_GARBLED = ("garbled", "reader_not_answering")


class HttpJsonReader:
    """`profile`: one of PROFILES; the rest changes it: `url`, `body` ("form" or "json"), `fields` {meaning: name, or
    names with commas}, `parameters` {name: value} (a licence is `parameters.licstr`), `codes` {number: one of
    NOT_CAPTURED_CODES}, `info` a path or None. A service that numbers no errors has `fields.code` empty.

    `dpi`: what the pictures have; needed where the service does not say, else compared. `certificate`, `ca`: as
    `http_line.Trust`; without either, an authority of the system must vouch for the service. `anywhere`: the
    service may be on another machine, by https. Raises ValueError for options that cannot be.
    """

    kind = "http_json"
    modality = FINGER
    simulated = False

    def __init__(
        self,
        url: str | None = None,
        profile: str = "secugen",
        body: str | None = None,
        fields: Mapping[str, str] | None = None,
        parameters: Mapping | None = None,
        codes: Mapping[str, str] | None = None,
        info: str | None = "",
        dpi: int | None = None,
        certificate: str | None = None,
        ca: str | None = None,
        anywhere: bool = False,
        grace_s: float = GRACE_S,
    ):
        self._profile = _changed(profile, body, fields, parameters, codes, info, dpi)
        self._address = Address.of(url or self._profile.url, anywhere is True)
        if self._address.scheme == "http" and (certificate is not None or ca is not None):
            raise ValueError("certificate and ca go with https")
        self._trust = Trust(certificate, ca)
        self._grace_s = float(grace_s)
        self._about = About(
            self.kind, GIVES_IMAGE, dpi=self._profile.dpi, liveness=_asked_liveness(self._profile)
        )
        self._lock = threading.Lock()
        self._open = False
        self._line: Line | None = None
        self._trouble: str | None = None
        self._doubted = False

    # --- what it promises ------------------------------------------------------
    def open(self) -> None:
        """Reaches the service and proves it. Asks the device behind it where the service can describe it, or where
        it said last that the device cannot be used: a touch in that half second is not taken."""
        if self.state() == READY:
            return
        try:
            Line(self._address, self._trust).knock()
            if self._profile.info:
                self._describe()
            elif self._doubted:
                self._ask_device()
        except ReaderError as error:
            with self._lock:
                self._trouble = error.code
            raise
        with self._lock:
            self._open, self._trouble, self._doubted = True, None, False

    def close(self) -> None:
        with self._lock:
            self._open = False
            line = self._line
        if line is not None:
            line.abandon()

    def state(self) -> str:
        if self._trouble in ("reader_unplugged", "reader_not_answering"):
            return UNPLUGGED
        return READY if self._open and self._trouble is None else CLOSED

    def trouble(self) -> str | None:
        return self._trouble

    def about(self) -> About:
        return self._about

    def capture(self, timeout_s: float) -> Capture:
        with self._lock:
            if not self._open:
                return NotCaptured("closed")
            line = self._line = Line(self._address, self._trust)
        try:
            said = self._said(*self._post(line, timeout_s))
        except NotSent as error:
            ended = "rejected" if error.reader.code == "reader_not_trusted" else "unplugged"
            self._note(error.reader.code)
            return NotCaptured(ended)
        except Abandoned:
            return NotCaptured("closed")
        except ExchangeError as error:
            code, trouble = _ENDS.get(type(error), _GARBLED)
            self._note(trouble)
            return Unknown(code)
        except _Told as told:
            self._note(told.trouble, doubted=told.trouble is not None)
            return NotCaptured(told.code)
        return self._taken(said)

    # --- one exchange --------------------------------------------------------------
    def _note(self, trouble: str | None, doubted: bool = False) -> None:
        with self._lock:
            self._trouble = trouble
            self._doubted = self._doubted or doubted

    def _post(self, line: Line, timeout_s: float) -> tuple[int, bytes]:
        name, unit_ms = self._profile.timeout
        parameters = {**self._profile.parameters, name: max(1, math.ceil(timeout_s * 1000 / unit_ms))}
        waits_s = parameters[name] * unit_ms / 1000
        if self._profile.body == "json":
            body, kind = json.dumps(parameters).encode(), "application/json"
        else:
            body, kind = urlencode(parameters).encode(), "application/x-www-form-urlencoded"
        headers = {**self._profile.headers, "Content-Type": kind, "Accept": "application/json"}
        return line.ask("POST", self._address.path, body, headers, waits_s + self._grace_s)

    def _said(self, status: int, raw: bytes) -> dict:
        """The answer's object, which says that a print was taken. Raises _Told where it says another thing."""
        if status != 200:
            # The service itself says that it does not do this: nothing was captured.
            raise _Told("device_error", "reader_misconfigured" if status < 500 else "reader_not_ready")
        said = object_of(raw)
        number = text_of(self._find(said, "code")) if self._profile.fields["code"] else "0"
        if number is None:
            raise GarbledAnswer("no code")
        self._learn(said)
        if number.lstrip("0"):
            raise _Told(*self._profile.codes.get(number, ("device_error", "reader_not_ready")))
        return said

    def _taken(self, said: dict) -> Capture:
        try:
            taken = self._take(said)
        except (pictures.Garbled, GarbledAnswer):
            self._note(_GARBLED[1])
            return Unknown(_GARBLED[0])
        self._note(None)
        if taken is None:
            return NotCaptured("rejected")
        gives = GIVES_TEMPLATE if taken.format == ISO_TEMPLATE else GIVES_IMAGE
        self._about = replace(self._about, gives=gives, dpi=taken.dpi)
        declared = dict(self._about.declared())
        declared |= {each: text for each in ("nfiq", "quality") if (text := text_of(self._find(said, each)))}
        return Captured(Sample(FINGER, taken.format, taken.data, taken.dpi, MappingProxyType(declared)))

    def _take(self, said: dict) -> pictures.Taken | None:
        """What the answer carries: the picture where there is one, also if a template lies beside it; None for a
        picture that is not what the answer says of it."""
        try:
            return self._carried(said)
        except pictures.Rejected:
            return None

    def _carried(self, said: dict) -> pictures.Taken:
        image = bytes_of(self._find(said, "image"))
        if image is None:
            template = bytes_of(self._find(said, "template"))
            if template is None:
                raise GarbledAnswer("neither picture nor template")
            return pictures.take_template(template)
        stated = number_of(self._find(said, "dpi"))
        if stated is not None and self._profile.dpi is not None and stated != self._profile.dpi:
            raise pictures.Rejected("resolution")
        return pictures.take(
            image,
            dpi=self._profile.dpi if stated is None else stated,
            width=number_of(self._find(said, "width")),
            height=number_of(self._find(said, "height")),
            raw=True,
        )

    # --- the device behind the service ---------------------------------------------
    def _describe(self) -> None:
        """Asks the service what its device is. Raises ReaderUnplugged or ReaderUnusable."""
        try:
            status, raw = Line(self._address, self._trust).ask(
                "GET", self._profile.info, None, dict(self._profile.headers), ASK_S + self._grace_s
            )
            self._said(status, raw)
        except NotSent as error:
            raise error.reader from None
        except ExchangeError:
            raise ReaderUnusable("reader_not_answering", "no description") from None
        except _Told as told:
            raise _as_error(told.trouble) from None

    def _ask_device(self) -> None:
        """Asks for a touch in the next half second and drops it: the answer's number tells how the device is."""
        try:
            self._said(*self._post(Line(self._address, self._trust), ASK_S))
        except NotSent as error:
            raise error.reader from None
        except ExchangeError:
            raise ReaderUnusable("reader_not_answering", "no answer") from None
        except _Told as told:
            if told.trouble:
                raise _as_error(told.trouble) from None

    def _learn(self, said: dict) -> None:
        """What the device says of itself, kept for `about`; what it leaves out stays as it was."""
        new = {
            each: text_of(self._find(said, each))
            for each in ("maker", "model", "serial", "firmware", "liveness")
        }
        self._about = replace(self._about, **{name: text[:80] for name, text in new.items() if text})

    def _find(self, said: dict, meaning: str):
        """The first value that a field of this meaning has; None without."""
        for name in self._profile.fields.get(meaning, ()):
            value = said
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None and value != "":
                return value
        return None


class _Told(Exception):
    """The service said itself that there is no print: how the capture ends, and the reader's trouble."""

    def __init__(self, code: str, trouble: str | None):
        super().__init__(code)
        self.code = code
        self.trouble = trouble


def _as_error(trouble: str | None) -> ReaderError:
    if trouble in (None, "reader_unplugged"):
        return ReaderUnplugged("the service has no device")
    return ReaderUnusable(trouble, "the service said so")


# --- options ---------------------------------------------------------------------------


def _changed(name, body, fields, parameters, codes, info, dpi) -> Profile:
    """The profile with the options' changes. Raises ValueError."""
    if name not in PROFILES:
        raise ValueError(f"profile is one of {', '.join(PROFILES)}")
    known = PROFILES[name]
    body = body or known.body
    if body not in BODIES:
        raise ValueError(f"body is one of {', '.join(BODIES)}")
    names = {meaning: tuple(filter(None, str(n).split(","))) for meaning, n in (fields or {}).items()}
    if not names.keys() <= set(MEANINGS):
        raise ValueError(f"fields have one of these meanings: {', '.join(MEANINGS)}")
    ends = {str(number): (code, None) for number, code in (codes or {}).items()}
    if not all(code in NOT_CAPTURED_CODES for code, _ in ends.values()):
        raise ValueError(f"codes lead to one of {', '.join(NOT_CAPTURED_CODES)}")
    if dpi is not None and (type(dpi) is not int or not 250 <= dpi <= 1300):
        raise ValueError("dpi is a whole number from 250 to 1300")
    return replace(
        known,
        body=body,
        fields={**known.fields, **names},
        parameters={**known.parameters, **(parameters or {})},
        codes={**known.codes, **ends},
        info=known.info if info == "" else info,
        dpi=dpi or known.dpi,
    )


def _asked_liveness(profile: Profile) -> str:
    level = profile.parameters.get(profile.liveness) if profile.liveness else None
    return f"{profile.liveness} {level}" if level else "none"


# --- finding -----------------------------------------------------------------------------


def find() -> list[Found]:
    """The services that listen at their makers' ports of this machine; what they show for a certificate, unjudged."""
    from devices.readers.http_json_find import find_services

    return find_services()
