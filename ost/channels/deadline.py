"""An end to a conversation whose far end drips: time limits of a socket start anew with every byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def deadline(sock: socket.socket, seconds: float) -> Iterator[None]:
    """After `seconds` both directions of `sock` are shut; whoever waits on it gets an OSError or an end."""

    def shut() -> None:
        with suppress(OSError):  # it is closed already: the conversation ended by itself
            # Below TLS: its own shutdown would talk first.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
