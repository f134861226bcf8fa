"""A maker's local service, as `http_json` meets it: one device, one touch at a time, and every way to fail.

Its answers have SecuGen's names. Written for the tests; what it knows of the real service is what the
programmer's manual and its sample pages say.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable

#: What the next answer undergoes: takes the whole answer, returns what to send and what then ("close", "stall").
Harm = Callable[[bytes], tuple[bytes, str]]


def cut(at: int) -> Harm:
    """The line is lost after `at` bytes (counted from the end when negative)."""
    return lambda whole: (whole[:at], "close")


def stall(at: int) -> Harm:
    return lambda whole: (whole[:at], "stall")


def flip(at: int) -> Harm:
    """One byte arrives as another."""
    return lambda whole: (whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :], "close")


def instead(raw: bytes) -> Harm:
    return lambda whole: (raw, "close")


def answer(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def picture(data: bytes, width: int, height: int, dpi: int = 500, **more) -> dict:
    """A touch, as the service answers it."""
    return {
        "ErrorCode": 0,
        "Manufacturer": "SecuGen",
        "Model": "HU20",
        "SerialNumber": "H58170600042",
        "ImageWidth": width,
        "ImageHeight": height,
        "ImageDPI": dpi,
        "ImageQuality": 78,
        "NFIQ": 1,
        "BMPBase64": base64.b64encode(data).decode(),
        **more,
    }


def template(data: bytes, **more) -> dict:
    return {
        "ErrorCode": 0,
        "SerialNumber": "H58170600042",
        "TemplateBase64": base64.b64encode(data).decode(),
        **more,
    }


class JsonService:
    """On a free port of 127.0.0.1. `certificate`: (file with certificate, file with key) for https."""

    def __init__(self, certificate: tuple[str, str] | None = None):
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self.port = 0
        self.requests: list[tuple[str, str, dict, dict]] = []
        self.device: dict | None = None
        self._state = threading.Condition()
        self._touches: list[dict] = []
        self._harm: Harm | None = None
        self._waiting = False
        self._listening: socket.socket | None = None
        self._lines: set[socket.socket] = set()
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}/SGIFPCapture"

    # --- what is done to it ------------------------------------------------------
    def touch(self, said: dict) -> None:
        with self._state:
            self._touches.append(said)
            self._state.notify_all()

    def harm(self, harm: Harm) -> None:
        """The next answer is a touch's, and undergoes this."""
        with self._state:
            self._harm = harm

    def says(self, number: int | str | None) -> None:
        """Every answer is this error from now on; None ends it."""
        with self._state:
            self._number = number
            self._state.notify_all()

    _number: int | str | None = None

    def start(self) -> None:
        if self._listening is not None:
            return
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._serve, args=(listening,), daemon=True).start()

    def stop(self) -> None:
        """The service is ended; what was under way ends with it."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        with self._state:
            lines, self._lines = self._lines, set()
            self._state.notify_all()
        for line in lines:
            end(line)

    def mend(self) -> None:
        with self._state:
            self._harm, self._number = None, None
            self._touches.clear()
        self.start()

    # --- what it does -------------------------------------------------------------
    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        with self._state:
            self._lines.add(line)
        try:
            if self._context:
                line = self._context.wrap_socket(line, server_side=True)
                with self._state:
                    self._lines.add(line)
            asked = self._read(line)
            if asked is None:
                return
            whole, then = self._answer(asked)
            line.sendall(whole)
            if then == "stall":
                with self._state:
                    self._state.wait_for(lambda: line not in self._lines, timeout=30)
        except OSError:
            pass  # the other end has gone, or `stop` was called
        finally:
            end(line)
            with self._state:
                self._lines.discard(line)

    def _read(self, line: socket.socket):
        raw = b""
        while b"\r\n\r\n" not in raw:
            part = line.recv(65536)
            if not part:
                return None
            raw += part
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *rows = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        while len(body) < int(headers.get("content-length", 0)):
            part = line.recv(65536)
            if not part:
                return None
            body += part
        method, path, _ = first.split(" ")
        if headers.get("content-type") == "application/json":
            parameters = json.loads(body)
        else:
            parameters = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        with self._state:
            self.requests.append((method, path, headers, parameters))
        return method, parameters

    def _answer(self, asked) -> tuple[bytes, str]:
        method, parameters = asked
        if method == "GET":
            said = {"ErrorCode": "0", "DeviceInfo": self.device} if self.device else {"ErrorCode": "-1307"}
            return answer(json.dumps(said).encode()), "close"
        wait_s = float(parameters.get("Timeout", 1000 * float(parameters.get("TimeOut", 10)))) / 1000
        with self._state:
            if self._waiting:
                return answer(b'{"ErrorCode": 59}'), "close"
            self._waiting = True
            try:
                self._state.wait_for(
                    lambda: self._touches or self._number is not None or self._listening is None,
                    timeout=wait_s,
                )
                if self._number is not None:
                    said = {"ErrorCode": self._number}
                else:
                    said = self._touches.pop(0) if self._touches else {"ErrorCode": 54}
            finally:
                self._waiting = False
            harm, self._harm = self._harm, None
        whole = answer(json.dumps(said).encode())
        return harm(whole) if harm else (whole, "close")


def end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
