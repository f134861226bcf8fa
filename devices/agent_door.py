"""The agent's side of the stations' door: posts over a connection that is kept alive.

One connection per thread, so that a touch waits for no heartbeat. What was put
on a line that then fell silent is given up by the system after LINE_S (Linux),
so that an old touch does not arrive when the line comes back. Redirects are not
followed; answers are bounded.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Protocol

from devices.agent_key import StationKey
from devices.interface import body_digest

MAX_ANSWER_BYTES = 65_536
CONNECT_S = 3.0
#: Sent and not acknowledged for so long: thrown away by the system, never delivered late.
LINE_S = 3.0
HEARTBEAT_WAIT_S = 4.0


class Unreachable(Exception):
    """The server did not answer, or not with sense; trying again is safe."""


class Refused(Exception):
    """The server said no; `code` is its word for why."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


class Door(Protocol):
    """The server as the agent sees it. Each method may raise Unreachable or Refused."""

    def enrol(self, body: dict) -> dict: ...

    def challenges(self, body: dict) -> dict: ...

    def captures(self, body: dict) -> dict: ...

    def heartbeat(self, body: dict) -> dict: ...


class HttpDoor:
    """The door over HTTP. `server`: "https://..."; plain http only to this machine itself.

    `timeout_s`: how long an answer is waited for.
    """

    def __init__(self, server: str, timeout_s: float = 8.0):
        parts = urllib.parse.urlsplit(server)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("the server's address starts with https:// (http:// only on this machine)")
        if not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("the server's address is https://name, with a port or a path where it has them")
        self._parts = parts
        self._path = parts.path.rstrip("/") + "/api/v1/agent/"
        self._timeout_s = timeout_s
        self._kept = threading.local()

    def enrol(self, body: dict) -> dict:
        return self._post("enrol", body, self._timeout_s)

    def challenges(self, body: dict) -> dict:
        return self._post("challenges", body, self._timeout_s)

    def captures(self, body: dict) -> dict:
        return self._post("captures", body, self._timeout_s)

    def heartbeat(self, body: dict) -> dict:
        return self._post("heartbeat", body, min(self._timeout_s, HEARTBEAT_WAIT_S))

    def close(self) -> None:
        """This thread's connection."""
        self._let_go()

    # --- the line -----------------------------------------------------------------
    def _post(self, name: str, body: dict, wait_s: float) -> dict:
        data = json.dumps(body).encode()
        try:
            status, answer = self._exchange(self._path + name, data, wait_s)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(type(error).__name__) from None
        if status >= 500 or status == 429:
            raise Unreachable(f"status {status}")
        if not 200 <= status < 300:
            raise Refused(_code(answer, status))
        try:
            return _object(answer)
        except ValueError:
            raise Unreachable("ValueError") from None

    def _exchange(self, path: str, data: bytes, wait_s: float) -> tuple[int, bytes]:
        kept = getattr(self._kept, "line", None)
        if kept is not None:
            try:
                return self._ask(kept, path, data, wait_s)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # The server closed an idle connection: nothing was wrong, and the identical post is safe to repeat.
                pass
        return self._ask(self._open(), path, data, wait_s)

    def _ask(self, line: http.client.HTTPConnection, path: str, data: bytes, wait_s: float) -> tuple[int, bytes]:
        try:
            line.sock.settimeout(wait_s)
            line.request("POST", path, data, {"Content-Type": "application/json", "Accept": "application/json"})
            answer = line.getresponse()
            text = answer.read(MAX_ANSWER_BYTES + 1)
        except BaseException:
            self._let_go(abandon=True)
            raise
        if len(text) > MAX_ANSWER_BYTES or answer.will_close:
            self._let_go()
        return answer.status, text[:MAX_ANSWER_BYTES]

    def _open(self) -> http.client.HTTPConnection:
        self._let_go()
        secure, host, port = self._parts.scheme == "https", self._parts.hostname, self._parts.port
        proxy = urllib.request.getproxies().get("https") if secure and not urllib.request.proxy_bypass(host) else None
        if proxy:
            through = urllib.parse.urlsplit(proxy)
            line = http.client.HTTPSConnection(through.hostname, through.port or 8080, timeout=CONNECT_S)
            line.set_tunnel(host, port or 443)
        elif secure:
            line = http.client.HTTPSConnection(host, port, timeout=CONNECT_S)
        else:
            line = http.client.HTTPConnection(host, port, timeout=CONNECT_S)
        line.connect()
        line.auto_open = 0
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(LINE_S * 1000))
        self._kept.line = line
        return line

    def _let_go(self, abandon: bool = False) -> None:
        """Close this thread's connection; `abandon`: and what is still on its way with it."""
        line, self._kept.line = getattr(self._kept, "line", None), None
        if line is None:
            return
        if abandon and line.sock is not None:
            with contextlib.suppress(OSError):  # already closed by the other side: nothing is on its way
                line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()


def _object(raw: bytes) -> dict:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _code(raw: bytes, status: int) -> str:
    try:
        return str(_object(raw)["error"]["code"])[:40]
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
