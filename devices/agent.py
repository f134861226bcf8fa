"""The program at the counter: a finger in, a signed capture out.

Captures whenever a finger touches, signs station + challenge + digest with the
station's key, posts, and forgets. A sample is never written to disk; a touch
the server could not be told within a few seconds is dropped, because the person
has been seen to in another way by then. Its own clock is only used to count
seconds. It knows nothing of patients and hears of none.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.interface import CLOSED, READY, Reader, ReaderError, Touch, body_digest, signed_bytes

log = logging.getLogger("ost.agent")

#: Challenges are good for 60 s by the server's clock; ours are thrown away earlier.
CHALLENGE_AGE_S = 50.0
CHALLENGES_HELD = 2
#: A touch older than this is dropped.
TOUCH_AGE_S = 10.0
HEARTBEAT_S = 20.0
RETRY_S = 0.5
CAPTURE_WAIT_S = 5.0
MAX_ANSWER_BYTES = 65_536


class Unreachable(Exception):
    """The server did not answer, or not with sense; trying again is safe."""


class Refused(Exception):
    """The server said no; `code` is its word for why."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


class KeyFileUnsafe(Exception):
    """The key file may be read by others, or is no key file."""


@dataclass(frozen=True, slots=True)
class StationKey:
    """The station's id and its private key."""

    station: str
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def new(cls, station: str = "") -> StationKey:
        return cls(station, Ed25519PrivateKey.generate())

    @property
    def public(self) -> str:
        """The public key, hex."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, purpose: str, challenge: str, digest: str) -> str:
        """Hex signature over what `signed_bytes` says."""
        return self._private.sign(signed_bytes(purpose, self.station, challenge, digest)).hex()

    def named(self, station: str) -> StationKey:
        return StationKey(station, self._private)

    def save(self, path: Path) -> None:
        """Write it where only its owner can read; an existing file is never replaced."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"station": self.station, "key": self._private.private_bytes_raw().hex()}, file)

    @classmethod
    def load(cls, path: Path) -> StationKey:
        """Raises FileNotFoundError, or KeyFileUnsafe when others may read the file or it is damaged."""
        with path.open() as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise KeyFileUnsafe(
                    f"{path.name} may be read by others: chmod 600 it, and enrol this station anew"
                )
            try:
                kept = json.load(file)
                return cls(kept["station"], Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept["key"])))
            except (ValueError, KeyError, TypeError):
                raise KeyFileUnsafe(f"{path.name} is damaged: enrol this station anew") from None


class Door(Protocol):
    """The server as the agent sees it. Each method may raise Unreachable or Refused."""

    def enrol(self, body: dict) -> dict: ...

    def challenges(self, body: dict) -> dict: ...

    def captures(self, body: dict) -> dict: ...

    def heartbeat(self, body: dict) -> dict: ...


class HttpDoor:
    """The door over HTTP. `server`: "https://..."; plain http only to this machine itself."""

    def __init__(self, server: str, timeout_s: float = 8.0):
        parts = urllib.parse.urlsplit(server)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("the server's address starts with https:// (http:// only on this machine)")
        self._base = server.rstrip("/") + "/api/v1/agent/"
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    def enrol(self, body: dict) -> dict:
        return self._post("enrol", body)

    def challenges(self, body: dict) -> dict:
        return self._post("challenges", body)

    def captures(self, body: dict) -> dict:
        return self._post("captures", body)

    def heartbeat(self, body: dict) -> dict:
        return self._post("heartbeat", body)

    def _post(self, name: str, body: dict) -> dict:
        request = urllib.request.Request(
            self._base + name,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return _object(answer.read(MAX_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                if error.code >= 500 or error.code == 429:
                    raise Unreachable(f"status {error.code}") from None
                raise Refused(_code(error.read(MAX_ANSWER_BYTES), error.code)) from None
        except (OSError, ValueError) as error:
            raise Unreachable(type(error).__name__) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None  # a signed capture goes where it was meant to go, or nowhere


def _object(raw: bytes) -> dict:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _code(raw: bytes, status: int) -> str:
    try:
        return str(_object(raw)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return f"status_{status}"


def enrol(door: Door, code: str, path: Path) -> StationKey:
    """Trade a one-time code for a place: makes the key, tells the server its public half, keeps it at `path`."""
    if path.exists():
        raise FileExistsError(
            f"{path.name} is there already: this station is enrolled, or remove the file first"
        )
    key = StationKey.new()
    body = {"code": code, "public_key": key.public}
    body["signature"] = key.sign("enrol", code, body_digest({"public_key": key.public}))
    key = key.named(str(door.enrol(body)["station"]))
    key.save(path)
    return key


class Agent:
    """One reader, one station, one server.

    `once()` waits for one touch and brings it to the server; `run()` does so until told
    to stop, with a heartbeat beside it. `now` counts seconds and need not be the time.
    """

    def __init__(
        self, reader: Reader, door: Door, key: StationKey, now: Callable[[], float] = time.monotonic
    ):
        self.reader = reader
        self._door = door
        self._key = key
        self._now = now
        self._held: deque[tuple[str, float]] = deque(maxlen=CHALLENGES_HELD)
        self._lock = threading.Lock()
        self._stop = threading.Event()

    # --- challenges -------------------------------------------------------------
    def _keep(self, answer: dict) -> None:
        with self._lock:
            for challenge in answer.get("challenges", ()):
                self._held.append((str(challenge), self._now()))

    def _missing(self) -> int:
        with self._lock:
            while self._held and self._now() - self._held[0][1] > CHALLENGE_AGE_S:
                self._held.popleft()
            return CHALLENGES_HELD - len(self._held)

    def _challenge(self) -> str:
        """A challenge to use up; asks for more when none is left."""
        for _ in range(2):
            if self._missing() < CHALLENGES_HELD:
                with self._lock:
                    if self._held:
                        return self._held.popleft()[0]
            body = {"station": self._key.station, "count": CHALLENGES_HELD}
            body["signature"] = self._key.sign("challenges", "", body_digest(body))
            self._keep(self._door.challenges(body))
        raise Unreachable("no challenge")

    # --- heartbeat ----------------------------------------------------------------
    def heartbeat(self) -> dict:
        """Say that the station is there, and how its reader is; the answer brings challenges."""
        challenge = self._challenge()
        body = {
            "station": self._key.station,
            "challenge": challenge,
            "reader_kind": self.reader.kind,
            "reader_state": self.reader.state(),
            "simulated": self.reader.simulated,
            "want": max(self._missing(), 1),
        }
        body["signature"] = self._key.sign("heartbeat", challenge, body_digest(body))
        answer = self._door.heartbeat(body)
        self._keep(answer)
        return answer

    # --- one touch -------------------------------------------------------------------
    def once(self, wait_s: float = CAPTURE_WAIT_S) -> dict | None:
        """One touch and the server's answer; None when nobody touched, or the touch grew too old to tell."""
        capture = self.reader.capture(wait_s)
        touch = Touch.of(self.reader, capture)
        if touch.code in ("timed_out", "closed", "cancelled"):
            return None
        return self.tell(touch, self._now())

    def tell(self, touch: Touch, since: float) -> dict | None:
        """Bring a touch to the server. The identical post is repeated while the line is down,
        a stale challenge is replaced; after TOUCH_AGE_S the touch is dropped."""
        body = None
        while self._now() - since <= TOUCH_AGE_S:
            try:
                if body is None:
                    body = self._signed(touch)
                answer = self._door.captures(body)
            except Unreachable as error:
                log.warning("server unreachable: %s", error)
                if self._stop.wait(RETRY_S):
                    break
                continue
            except Refused as error:
                if error.code == "challenge_stale":
                    body = None
                    continue
                log.warning("capture refused: %s", error.code)
                return {"result": "refused", "code": error.code}
            self._keep(answer)
            return answer
        log.warning("touch dropped after %.0f s without an answer", TOUCH_AGE_S)
        return None

    def _signed(self, touch: Touch) -> dict:
        challenge = self._challenge()
        return {
            "station": self._key.station,
            "challenge": challenge,
            "touch": touch.to_wire(),
            "want": max(self._missing(), 1),
            "signature": self._key.sign("capture", challenge, touch.digest()),
        }

    # --- until told to stop ---------------------------------------------------------
    def run(self, on_answer: Callable[[dict], None] = lambda answer: None) -> None:
        """Work until `stop()`. Comes back by itself when the server or the reader does."""
        beat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beat.start()
        while not self._stop.is_set():
            if not self._be_open():
                self._stop.wait(RETRY_S * 4)
                continue
            answer = self.once()
            if answer is not None:
                on_answer(answer)
        self.reader.close()
        beat.join(timeout=RETRY_S * 4)

    def _be_open(self) -> bool:
        if self.reader.state() == READY:
            return True
        try:
            self.reader.open()
        except ReaderError as error:
            log.warning("reader: %s", error.code)
            return False
        return True

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                self.heartbeat()
            except Unreachable as error:
                log.warning("server unreachable: %s", error)
            except Refused as error:
                log.error("heartbeat refused: %s", error.code)
            self._stop.wait(HEARTBEAT_S)

    def stop(self) -> None:
        self._stop.set()
        if self.reader.state() != CLOSED:
            self.reader.close()
