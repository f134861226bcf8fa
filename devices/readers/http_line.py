"""One HTTP exchange with a service on this machine, whose end is always known.

Does: connects, proves the service by a certificate or refuses it, sends one request, reads one answer of bounded
size within a bounded time, and can be abandoned from another thread. Says exactly how far it came: not sent
(the service never had the request), or sent and then lost, silent or garbled. Does not: follow a redirection,
reuse a connection, or ever skip the check of a certificate.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from devices.interface import ReaderError, ReaderUnplugged, ReaderUnusable

CONNECT_S = 2.0
MAX_ANSWER_BYTES = 12_000_000
"""A picture of 8 MB in base64, and some JSON around it."""

LOCAL = ("localhost", "127.0.0.1", "::1")


class ExchangeError(Exception):
    """A request that came to no answer. Never carries what was sent or read."""


class NotSent(ExchangeError):
    """The service has not had the whole request: certainly nothing happened. `reader`: why."""

    def __init__(self, reader: ReaderError):
        super().__init__(reader.code)
        self.reader = reader


class Lost(ExchangeError):
    """Sent; then the connection ended before the whole answer had come."""


class Silent(ExchangeError):
    """Sent; the answer, or its end, did not come in time."""


class GarbledAnswer(ExchangeError):
    """Sent; what came is no HTTP, or more than anybody needs."""


class Abandoned(ExchangeError):
    """Somebody called `abandon`."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is. Raises ValueError for what is no address, or is not on this machine."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str, anywhere: bool = False) -> Address:
        """`anywhere`: also other machines, then with https only."""
        parts = urlsplit(str(url))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("url is http:// or https:// with a host, a port and a path")
        if not _local(parts.hostname) and not (anywhere and parts.scheme == "https"):
            raise ValueError("url is on this machine; another one needs https and the option anywhere")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or not path.isprintable() or " " in path:
            raise ValueError("url has a path of plain letters")
        return cls(parts.scheme, parts.hostname, port, path)

    @property
    def local(self) -> bool:
        return _local(self.host)


def _local(host: str) -> bool:
    try:
        return host in LOCAL or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Trust:
    """By what a service is believed: a pinned certificate, a given authority, or those of the system.

    `certificate`: SHA-256 of the service's own certificate, 64 hex digits with or without colons; names and
    dates of a certificate pinned like this do not matter. `ca`: a file with the authority's certificate.
    Raises ValueError.
    """

    def __init__(self, certificate: str | None = None, ca: str | None = None):
        self._pin = None
        if certificate is not None:
            text = str(certificate).lower().removeprefix("sha256:").replace(":", "")
            try:
                self._pin = bytes.fromhex(text)
            except ValueError:
                self._pin = b""
            if len(self._pin) != 32:
                raise ValueError("certificate is the SHA-256 of one, 64 hex digits")
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # The pin below takes the place of names and authorities; nothing is sent before it fits.
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
            return
        try:
            self._context = ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError):
            raise ValueError("ca is a file with certificates") from None

    def wrap(self, plain: socket.socket, host: str) -> ssl.SSLSocket:
        """The socket with TLS around it, not yet greeted: `prove` does that, and can be ended meanwhile."""
        return self._context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)

    def prove(self, wrapped: ssl.SSLSocket) -> None:
        """Raises ReaderUnusable("reader_not_trusted"), or OSError where no TLS came about."""
        try:
            wrapped.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise ReaderUnusable("reader_not_trusted", error.verify_message[:60]) from None
        if self._pin is not None:
            shown = hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").digest()
            if not hmac.compare_digest(shown, self._pin):
                raise ReaderUnusable("reader_not_trusted", f"certificate sha256:{shown.hex()}")


class Line:
    """One exchange with a service. `abandon` ends it from any thread, also before it began."""

    def __init__(self, address: Address, trust: Trust, connect_s: float = CONNECT_S):
        self._connect_s = connect_s
        self.address = address
        self._trust = trust
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._over: type[ExchangeError] | None = None

    def knock(self) -> None:
        """The service is there and is the right one; nothing is asked. Raises ReaderUnplugged or ReaderUnusable."""
        self._connect().close()

    def ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], within_s: float
    ) -> tuple[int, bytes]:
        """(status, body) of the answer, which has come whole within `within_s`. Raises ExchangeError."""
        try:
            connected = self._connect()
        except ReaderError as error:
            self._said_over()
            raise NotSent(error) from None
        watch = threading.Timer(within_s, self._end, (Silent,))
        watch.daemon = True
        watch.start()
        try:
            return self._talk(connected, method, path, body, headers)
        finally:
            watch.cancel()
            with self._lock:
                self._socket = None
            connected.close()

    def abandon(self) -> None:
        self._end(Abandoned)

    def _end(self, why: type[ExchangeError]) -> None:
        with self._lock:
            self._over = self._over or why
            if self._socket is not None:
                _shut(self._socket)

    def _hold(self, held: socket.socket) -> None:
        """From now on `_end` ends this one."""
        with self._lock:
            self._socket = held
            if self._over is not None:
                _shut(held)

    def _connect(self) -> socket.socket:
        where = self.address
        try:
            plain = socket.create_connection((where.host, where.port), timeout=self._connect_s)
        except TimeoutError:
            raise ReaderUnusable("reader_not_answering", f"port {where.port}") from None
        except OSError:
            raise ReaderUnplugged(f"nothing listens on port {where.port}") from None
        made = plain
        self._hold(made)
        try:
            if where.local and not ipaddress.ip_address(plain.getpeername()[0].partition("%")[0]).is_loopback:
                raise ReaderUnusable("reader_misconfigured", "url leads to another machine")
            if where.scheme == "https":
                made = self._trust.wrap(plain, where.host)
                self._hold(made)
                self._trust.prove(made)
        except ReaderError:
            made.close()
            raise
        except OSError:
            made.close()
            raise ReaderUnusable("reader_not_answering", f"no TLS on port {where.port}") from None
        made.settimeout(None)  # the watch ends it, however slowly it drips
        return made

    def _talk(self, connected, method, path, body, headers) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address.host, self.address.port)
        connection.auto_open = 0
        connection.sock = connected
        answer = None
        try:
            try:
                connection.request(method, path, body, {**headers, "Connection": "close"})
            except (OSError, http.client.HTTPException):
                self._said_over(before=True)
                raise NotSent(ReaderUnplugged("the connection ended")) from None
            try:
                answer = connection.getresponse()
                read = answer.read(MAX_ANSWER_BYTES + 1)
            except (OSError, http.client.IncompleteRead):
                self._said_over()
                raise Lost("connection") from None
            except (http.client.HTTPException, ValueError):
                self._said_over()
                raise GarbledAnswer("http") from None
            # An end that we made ourselves reads like an answer's own.
            self._said_over()
            if len(read) > MAX_ANSWER_BYTES:
                raise GarbledAnswer("size")
            if answer.length:
                # `read(n)` returns what there is, without a word, where a promised length does not come.
                raise Lost("connection")
            return answer.status, read
        finally:
            if answer is not None:
                answer.close()

    def _said_over(self, before: bool = False) -> None:
        """Raise why it was ended from here, if it was."""
        with self._lock:
            over = self._over
        if over is Abandoned:
            raise Abandoned("closed")
        if over is Silent:
            if before:
                raise NotSent(ReaderUnusable("reader_not_answering", "it takes no request"))
            raise Silent("time")


def _shut(held: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is over already, which is what is wanted
        # The plain socket's own: that of a TLS socket drops its state under the reading thread.
        socket.socket.shutdown(held, socket.SHUT_RDWR)
