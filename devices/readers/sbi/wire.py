"""One exchange with a service of the Secure Biometric Interface, and the search over its port range.

Does: HTTP/1.1 with the interface's own verbs, JSON in and out, within a time and a size. Does not:
follow redirects or a service's `callbackId`, use a proxy, or speak to anything but the address it was given.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from .errors import Garbled, Lost, NotThere, Refused, SbiError, Silent

LOOPBACK = "127.0.0.1"
"""The services bind to this address, not to "localhost" (SBI specification, device discovery)."""

PORTS = range(4501, 4601)
"""Where services listen (SBI specification, device discovery)."""

DISCOVER, INFO, REGISTRATION_CAPTURE, AUTH_CAPTURE = "MOSIPDISC", "MOSIPDINFO", "RCAPTURE", "CAPTURE"
PATHS = {DISCOVER: "/device", INFO: "/info", REGISTRATION_CAPTURE: "/capture", AUTH_CAPTURE: "/capture"}

MAX_ANSWER_BYTES = 16_000_000
"""Four uncompressed fingers at 1,000 dpi in base64 within base64 stay below this."""

CONNECT_TIMEOUT_S = 0.3
ANSWER_TIMEOUT_S = 2.0
_CHUNK_BYTES = 65_536


class Exchange:
    """One request and its answer. `abort` from another thread ends it at once with `Lost`."""

    def __init__(self, host: str, port: int):
        self._host, self._port = host, port
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.aborted = False
        self._overdue = False

    def abort(self) -> None:
        with self._lock:
            self.aborted = True
            self._shut()

    def _run_out(self) -> None:
        with self._lock:
            self._overdue = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is down already, which is what was wanted

    def ask(self, verb: str, body: object, timeout_s: float):
        """The JSON of the answer. Raises the errors of errors.py; `Refused` for an HTTP status that is not 200."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        # The clock bounds the whole answer: a service that sends one byte a second would outlive any socket timeout.
        clock = threading.Timer(timeout_s, self._run_out)
        clock.daemon = True
        try:
            self._connect(connection)
            clock.start()
            return self._converse(connection, verb, body, timeout_s)
        finally:
            clock.cancel()
            connection.close()
            with self._lock:
                self._socket = None

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except OSError:
            raise NotThere("nobody listens") from None
        with self._lock:
            if self.aborted:
                raise Lost("aborted")
            self._socket = connection.sock

    def _converse(self, connection, verb: str, body: object, timeout_s: float):
        connection.sock.settimeout(timeout_s)
        text = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "EXT": "OST", "Connection": "close"}
        try:
            connection.request(verb, PATHS[verb], text, headers)
            response = connection.getresponse()
            data = _read(response)
        except TimeoutError:
            raise Silent("no answer in time") from None
        except Lost:
            if self._overdue:
                raise Silent("no answer in time") from None
            raise
        except (http.client.HTTPException, OSError, ValueError) as error:
            if self._overdue:
                raise Silent("no answer in time") from None
            if isinstance(error, (OSError, http.client.IncompleteRead)):
                raise Lost("connection ended") from None
            raise Garbled("no HTTP answer") from None
        if self._overdue:
            raise Silent("no answer in time")
        if self.aborted:
            raise Lost("aborted")
        if response.status != 200:
            raise Refused(f"http {response.status}")
        return parse_json(data)


def _read(response: http.client.HTTPResponse) -> bytes:
    """The whole body, of the length it announced where it announced one."""
    announced = response.length
    if announced is not None and announced > MAX_ANSWER_BYTES:
        raise Garbled("answer too large")
    parts, size = [], 0
    while part := response.read(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise Garbled("answer too large")
    if announced is not None and size != announced:
        raise Lost("connection ended")
    if not size:
        raise Lost("connection ended")
    return b"".join(parts)


def parse_json(data: bytes):
    """JSON in UTF-8 without doubled names, NaN or bottomless nesting. Raises `Garbled` and nothing else."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise Garbled("nested too deeply") from None
    except ValueError:
        raise Garbled("no JSON") from None


def _once(pairs: list[tuple[str, object]]) -> dict:
    # Two readers may take different ones of two equal names: what was verified must be what is used.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(_name: str):
    raise ValueError("not a number")


def search(
    host: str, ports: Iterable[int], wait_s: float = ANSWER_TIMEOUT_S
) -> tuple[dict[int, object], list[int]]:
    """(answer to a discovery of finger devices by port, ports that are open and gave none).

    All ports at once, since a closed port may cost its whole timeout on some systems. Never raises.
    """
    answers: dict[int, object] = {}
    deaf: list[int] = []

    def one(port: int) -> None:
        try:
            answers[port] = Exchange(host, port).ask(DISCOVER, {"type": "Finger"}, wait_s)
        except NotThere:
            return
        except SbiError:
            deaf.append(port)

    ports = list(ports)
    with ThreadPoolExecutor(max_workers=min(50, len(ports) or 1), thread_name_prefix="sbi-search") as pool:
        list(pool.map(one, ports))
    return dict(sorted(answers.items())), sorted(deaf)
