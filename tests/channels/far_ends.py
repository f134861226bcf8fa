"""Far ends of channels on this machine: gateways that answer, lie, hang, refuse and hang up; mail servers likewise."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ost.channels.interface import Outgoing

KEY = "3f0c9a52-7a51-4b7e-9d57-1d0f7a3c5a11"


def outgoing(to: str = "+886912345678", body: str = "您的預約已確認：115/11/23 (2026)，花蓮縣。", **values) -> Outgoing:
    at = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
    return Outgoing(**{"key": KEY, "to": to, "subject": "您的預約", "body": body, "language": "zh-Hant-TW", "at": at} | values)


@dataclass
class Gateway:
    """`seen`: (path, headers, body) of every request, taken before anything was answered."""

    url: str
    seen: list = field(default_factory=list)


@contextmanager
def gateway(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Gateway]:
    """A gateway that reads each request whole and then does what `answer` does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.seen.append((self.path, dict(self.headers), body))
            answer(self)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Gateway(f"http://127.0.0.1:{server.server_port}/send?x=1")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(status: int, body: dict | bytes | None = None, **headers: str) -> Callable:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    """Takes the whole request and cuts the line."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_an_answer(handler: BaseHTTPRequestHandler) -> None:
    """Not even the status is whole."""
    handler.wfile.write(b"HTTP/1.1 20")
    handler.wfile.flush()
    hangs_up(handler)


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 smtp.example.org ready\r\n\r\n")
    handler.close_connection = True


def silent(release: threading.Event) -> Callable:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        release.wait(30)
        handler.close_connection = True

    return answer


def drips(release: threading.Event) -> Callable:
    """A byte now and then: each one starts a socket's time limit anew."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(b"HTTP/1.1 ")
            while not release.wait(0.05):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:
            pass  # the other side had enough
        handler.close_connection = True

    return answer


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def script(*lines: bytes | None) -> Iterator[int]:
    """A mail server that says these lines, one for each line or text it is sent; None: hangs up. Gives the port."""
    server = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as heard:
            try:
                for n, line in enumerate(lines):
                    if n:
                        if lines[n - 1] is not None and lines[n - 1].startswith(b"354"):
                            while heard.readline() not in (b".\r\n", b""):
                                pass
                        else:
                            heard.readline()
                    if line is None:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    connection.sendall(line + b"\r\n")
                heard.read()
            except OSError:
                return

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(5)
