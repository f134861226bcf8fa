"""Readers behind MOSIP's Secure Biometric Interface (SBI), the one vendor-neutral secure standard.

Does: find a finger device over the port range of 127.0.0.1, verify who it is against certificates set
as trusted, take one finger by RCAPTURE (devices for registration) or by CAPTURE (devices for
authentication, which encrypt to our certificate), in version 0.9.5 or 1.0, and verify all of the answer:
signatures, identity, transaction, times, chain of hashes, picture. Does not: STREAM (the live preview),
iris and face, the later draft that speaks POST instead of the interface's verbs, slaps as such: of a
slap scanner's fingers only the one that was asked for is taken and the others are dropped at once.

MOSIPDINFO carries nothing of ours, so an old answer could be played again there. It buys nothing: each
capture is bound to its own transaction id by the key of the device that the identity names.
"""

from __future__ import annotations

import ipaddress
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from devices.clock import now
from devices.interface import (
    CLOSED,
    FINGER,
    GIVES_IMAGE,
    READY,
    UNPLUGGED,
    About,
    Capture,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    ReaderUnusable,
    Sample,
    Unknown,
)
from devices.readers.sbi import fir, messages, wire
from devices.readers.sbi.blocks import EMPTY_HASH, Block, Partner, verify_blocks
from devices.readers.sbi.device import Device, device
from devices.readers.sbi.errors import (
    Garbled,
    Lost,
    NotThere,
    Refused,
    Rejected,
    SbiError,
    Silent,
    Untrusted,
)
from devices.readers.sbi.messages import (
    AUTH,
    FINGERS,
    REGISTRATION,
    SEGMENTS,
    SLAP,
    UNKNOWN_FINGER,
    Request,
    short,
)
from devices.readers.sbi.search import KIND, find
from devices.readers.sbi.trust import Trust

__all__ = ["MosipSbiReader", "find"]

NO_SUB_ID = "0"
_SLAP_DEFAULT = "Right IndexFinger"
_TIMED_OUT_FROM = 0.9
"""A device that saw nothing says so with one code, early or late; from this share of the wait on, it was the wait."""


class MosipSbiReader:
    """One finger device of an SBI service on this machine.

    `trust`: folder of certificates (.pem, .crt, .cer, .der), of authorities or of single devices; without
    one no device is used. `serial`: the only one to be used. `finger`: which is asked for, as "right
    index"; a single-finger device may take any (the default), a slap scanner takes the right index finger
    unless told. `env`: what to ask for in place of the device's own environment. `score`: 0-100 from
    which the device takes its picture by itself. `partner_key`, `partner_certificate`: PEM files, for
    devices for authentication. `domain_uri`: goes with them. `ports`: as "4501-4600". `grace_s`: how long
    an answer may be overdue. `skew_s`: how far the device's clock may be off. `host` other than this
    machine only with `allow_remote`. `allow_untrusted`: take any signer; for a mock service only, and the
    reader then counts as simulated. Raises ValueError for what cannot be.
    """

    kind = KIND
    modality = FINGER

    def __init__(
        self,
        trust: str | None = None,
        serial: str | int | None = None,
        finger: str | None = None,
        env: str | None = None,
        score: int = 40,
        partner_key: str | None = None,
        partner_certificate: str | None = None,
        domain_uri: str = "",
        ports: str | int | Iterable[int] = "4501-4600",
        host: str = wire.LOOPBACK,
        allow_remote: bool = False,
        allow_untrusted: bool = False,
        grace_s: float = 5.0,
        skew_s: float = 300.0,
        clock: Callable[[], datetime] = now,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ):
        if not allow_remote and not ipaddress.ip_address(host).is_loopback:
            raise ValueError("host is not this machine, and allow_remote is not set")
        if env is not None and env not in messages.ENVIRONMENTS:
            raise ValueError("env is one of " + ", ".join(messages.ENVIRONMENTS))
        if type(score) is not int or not 0 <= score <= 100:
            raise ValueError("score is a whole number from 0 to 100")
        if bool(partner_key) != bool(partner_certificate):
            raise ValueError("partner_key and partner_certificate go together")
        self._trust_folder, self._untrusted = trust, bool(allow_untrusted)
        self._serial = None if serial is None else str(serial)
        self._finger = None if finger is None else messages.finger_named(finger)
        self._env, self._score, self._domain_uri = env, score, domain_uri
        self._partner_files = (
            (partner_key, partner_certificate) if partner_key and partner_certificate else None
        )
        self._ports, self._host = _ports(ports), str(ipaddress.ip_address(host))
        self._grace_s, self._skew_s = float(grace_s), float(skew_s)
        self._clock, self._new_id = clock, new_id
        self._lock = threading.Lock()
        self._state, self._trouble = CLOSED, None
        self._device: Device | None = None
        self._port = 0
        self._trust, self._partner = Trust(), None
        self._dpi: int | None = None
        self._exchange: wire.Exchange | None = None

    @property
    def simulated(self) -> bool:
        return self._untrusted

    # --- what it promises ------------------------------------------------------
    def open(self) -> None:
        if self._state == READY:
            return
        try:
            self._open()
        except (ReaderUnplugged, ReaderUnusable) as error:
            gone = isinstance(error, ReaderUnplugged)
            self._state, self._trouble = (UNPLUGGED if gone else CLOSED), error.code
            raise
        self._state, self._trouble = READY, None

    def close(self) -> None:
        with self._lock:
            self._state, self._trouble = CLOSED, None
            exchange = self._exchange
        if exchange is not None:
            exchange.abort()

    def state(self) -> str:
        return self._state

    def trouble(self) -> str | None:
        return None if self._state == READY else self._trouble

    def about(self) -> About:
        device = self._device
        if device is None:
            return About(KIND, GIVES_IMAGE, simulated=self.simulated)
        who = device.identity
        liveness = f"SBI certification {device.level}"
        return About(
            KIND,
            GIVES_IMAGE,
            simulated=self.simulated,
            dpi=self._dpi,
            maker=short(who.make),
            model=short(who.model),
            serial=short(who.serial),
            firmware=device.firmware,
            liveness=f"{liveness}, signer not verified" if self._untrusted else liveness,
        )

    def capture(self, timeout_s: float) -> Capture:
        exchange = wire.Exchange(self._host, self._port)
        with self._lock:
            if self._state != READY or self._device is None:
                return NotCaptured("unplugged" if self._state == UNPLUGGED else "closed")
            if self._exchange is not None:
                return NotCaptured("busy")
            self._exchange = exchange
        started = time.monotonic()
        try:
            ended = self._capture(exchange, self._device, timeout_s)
        except SbiError as error:
            took_s = time.monotonic() - started
            # Closed, and perhaps opened again since: this end says nothing about the device.
            ended = NotCaptured("closed") if exchange.aborted else self._ended(error, took_s, timeout_s)
        finally:
            with self._lock:
                self._exchange = None
        # What came although it was closed is dropped.
        return NotCaptured("closed") if exchange.aborted else ended

    # --- behind it ---------------------------------------------------------------
    def _open(self) -> None:
        self._trust, self._partner = self._load_trust(), self._load_partner()
        found = self._look()
        self._port = found.port
        if not len(self._trust) and not self._trust.anybody:
            raise ReaderUnusable("reader_not_trusted", "trust")
        exchange = wire.Exchange(self._host, found.port)
        try:
            answer = exchange.ask(wire.INFO, {}, wire.ANSWER_TIMEOUT_S)
            self._device = device(answer, found.device_id, self._trust, self._clock())
        except NotThere:
            raise ReaderUnplugged(str(found.port)) from None
        except Untrusted as error:
            raise ReaderUnusable("reader_not_trusted", error.what) from None
        except Rejected as error:
            raise ReaderUnusable("reader_not_trusted", error.what) from None
        except Refused as error:
            raise _unusable(error) from None
        except SbiError as error:
            raise ReaderUnusable("reader_not_answering", f"port {found.port}: {error.what}") from None
        self._check(self._device)

    def _load_trust(self) -> Trust:
        if self._trust_folder is None:
            return Trust(anybody=self._untrusted)
        try:
            return Trust.from_folder(Path(self._trust_folder), anybody=self._untrusted)
        except OSError:
            raise ReaderUnusable("reader_misconfigured", "trust: the folder cannot be read") from None
        except ValueError as error:
            raise ReaderUnusable("reader_misconfigured", f"trust: {error}") from None

    def _load_partner(self) -> Partner | None:
        if self._partner_files is None:
            return None
        try:
            if os.name == "posix" and Path(self._partner_files[0]).stat().st_mode & 0o077:
                raise ReaderUnusable("reader_misconfigured", "partner_key can be read by others: chmod 600")
            key, certificate = (Path(name).read_bytes() for name in self._partner_files)
            return Partner.from_pem(key, certificate, self._clock())
        except OSError:
            raise ReaderUnusable("reader_misconfigured", "a partner's file cannot be read") from None
        except ValueError as error:
            raise ReaderUnusable("reader_misconfigured", str(error)) from None

    def _look(self) -> messages.Listed:
        """The one finger device that is meant."""
        answers, deaf = wire.search(self._host, self._ports)
        found = []
        for port, answer in answers.items():
            try:
                found += messages.listed(port, answer)
            except (Garbled, Refused):
                deaf.append(port)
        if self._serial is not None:
            found = [f for f in found if f.serial == self._serial]
        if len(found) > 1:
            raise ReaderUnusable("reader_misconfigured", f"{len(found)} devices are here: set serial")
        if not found:
            if deaf and not answers:
                raise ReaderUnusable("reader_not_answering", f"port {deaf[0]}")
            raise ReaderUnplugged("no finger device")
        return found[0]

    def _check(self, device: Device) -> None:
        """The verified device is the one that is meant, and can be used now."""
        if self._serial is not None and device.identity.serial != self._serial:
            raise ReaderUnusable("reader_not_trusted", "identity of another device")
        if device.version() is None:
            raise ReaderUnusable("reader_misconfigured", "no version of the interface in common")
        if device.status != messages.STATUS_READY:
            raise ReaderUnusable("reader_not_ready", short(device.status))
        if device.purpose == AUTH and self._partner is None:
            raise ReaderUnusable("reader_misconfigured", "partner_key and partner_certificate are needed")

    def _request(self, device: Device, timeout_s: float) -> Request:
        wanted, sub_id, fingers = _aim(device, self._finger)
        auth = device.purpose == AUTH
        return Request(
            verb=wire.AUTH_CAPTURE if auth else wire.REGISTRATION_CAPTURE,
            purpose=device.purpose,
            version=device.version() or "",
            env=self._env or device.env,
            device_id=device.device_id,
            device_sub_id=sub_id,
            fingers=fingers,
            wanted=wanted,
            score=self._score,
            timeout_ms=max(1, round(timeout_s * 1000)),
            at=self._clock(),
            transaction_id=self._new_id(),
            previous_hash=EMPTY_HASH,
            domain_uri=self._domain_uri if auth else None,
        )

    def _capture(self, exchange: wire.Exchange, device: Device, timeout_s: float) -> Capture:
        request = self._request(device, timeout_s)
        answer = exchange.ask(request.verb, request.body(), timeout_s + self._grace_s)
        raw = messages.blocks(answer, len(request.fingers))
        found = verify_blocks(raw, request, device, self._trust, self._partner, self._clock(), self._skew_s)
        block = _wanted(found, request)
        one = fir.choose(fir.read(block.record), FINGERS.get(block.finger, fir.UNKNOWN_POSITION))
        picture = fir.png(fir.picture(one), one.dpi)
        self._dpi = one.dpi
        declared = {**self.about().declared(), "sbi": f"{request.version} {request.purpose}"}
        return Captured(Sample(FINGER, "image/png", picture, one.dpi, declared))

    def _ended(self, error: SbiError, took_s: float, timeout_s: float) -> Capture:
        match error:
            case NotThere():
                self._out(UNPLUGGED, ReaderUnplugged.code)
                return NotCaptured("unplugged")
            case Lost():
                self._out(UNPLUGGED, ReaderUnplugged.code)
                return Unknown("vanished")
            case Silent():
                return Unknown("silent")
            case Untrusted():
                self._out(CLOSED, "reader_not_trusted")
                return NotCaptured("rejected")
            case Rejected():
                return NotCaptured("rejected")
            case Refused(code=code):
                meaning = messages.meaning(code)
                if meaning.trouble:
                    self._out(UNPLUGGED if meaning.ending == "unplugged" else CLOSED, meaning.trouble)
                if meaning.ending == "no_finger" and took_s >= timeout_s * _TIMED_OUT_FROM:
                    return NotCaptured("timed_out")
                return NotCaptured(meaning.ending)
        return Unknown("garbled")

    def _out(self, state: str, trouble: str) -> None:
        with self._lock:
            if self._state == READY:
                self._state, self._trouble = state, trouble


def _aim(device: Device, finger: str | None) -> tuple[str, str, tuple[str, ...]]:
    """(the finger that becomes the sample, deviceSubId, the fingers to ask for).

    For registration a slap scanner takes a hand or both thumbs at once, and refuses fewer; every other
    device takes one finger, by default whichever is laid on.
    """
    if device.purpose == REGISTRATION and device.identity.sub_type == SLAP:
        wanted = _SLAP_DEFAULT if finger in (None, UNKNOWN_FINGER) else finger
        sub_id = next(s for s, fingers in SEGMENTS.items() if wanted in fingers)
        return wanted, sub_id, SEGMENTS[sub_id]
    wanted = finger or UNKNOWN_FINGER
    # The schema of an authentication capture knows "0" only.
    known = device.purpose == AUTH or NO_SUB_ID in device.sub_ids
    return wanted, NO_SUB_ID if known else device.sub_ids[0], (wanted,)


def _wanted(found: tuple[Block, ...], request: Request) -> Block:
    """Raises `Rejected` where the finger that was asked for is not among them."""
    if request.wanted == UNKNOWN_FINGER:
        return found[0]
    for block in found:
        if block.finger == request.wanted:
            return block
    raise Rejected("not the finger that was asked for")


def _unusable(error: Refused) -> ReaderUnplugged | ReaderUnusable:
    """What a device's error in place of its information comes to."""
    meaning = messages.meaning(error.code)
    if meaning.trouble == ReaderUnplugged.code:
        return ReaderUnplugged(error.what)
    if meaning.ending == "busy":
        return ReaderUnusable("reader_not_ready", error.what)
    return ReaderUnusable(meaning.trouble or "reader_not_answering", error.what)


def _ports(ports: str | int | Iterable[int]) -> tuple[int, ...]:
    """Raises ValueError."""
    if isinstance(ports, int):
        found = (ports,)
    elif isinstance(ports, str):
        first, _, last = ports.partition("-")
        found = tuple(range(int(first), int(last or first) + 1))
    else:
        found = tuple(int(p) for p in ports)
    if not 1 <= len(found) <= 1000 or not all(0 < p < 65_536 for p in found):
        raise ValueError('ports is one port or a range as "4501-4600"')
    return found
