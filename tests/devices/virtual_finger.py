"""Hands for libfprint's virtual image device: lay a picture on, lift, ask for another try, pull the cable.

What it understands (libfprint, drivers/virtual-image.c): two native 32-bit integers. Width and height, then the
grey bytes; or -1 and a retry code, -2 and an error code, -3 and whether a picture also means a finger laid on and
lifted, -4 and finger on or off, -5 for unplugged. It looks at its line only while a capture waits.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path

import numpy as np

RETRY, ERROR, BY_ITSELF, FINGER, REMOVED = -1, -2, -3, -4, -5
GENERAL, BUSY, PROTO, DATA_INVALID = 0, 4, 5, 6  # of FPrint.DeviceError
_PATIENCE_S = 10.0


def pair(first: int, second: int) -> bytes:
    return struct.pack("ii", first, second)


def picture(grey: np.ndarray) -> bytes:
    """The bytes of a whole touch."""
    height, width = grey.shape
    return pair(width, height) + np.ascontiguousarray(grey, dtype=np.uint8).tobytes()


class VirtualFinger:
    """One finger at the socket of one virtual device. Each act is a fresh connection."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self._line: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def act(self, *pieces: bytes, pause_s: float = 0.0, hang_up: bool = False) -> None:
        """Send these, one after the other, from a thread: nobody reads while no capture waits."""
        line = self._connect()
        thread = threading.Thread(target=_send, args=(line, pieces, pause_s, hang_up), daemon=True)
        thread.start()
        self._threads.append(thread)

    def lay_on(self, grey: np.ndarray) -> None:
        self.act(picture(grey))

    def lift(self) -> None:
        """Let go of the line, whatever was under way."""
        if self._line is not None:
            # A thread that is sending on it must hear of it too.
            with contextlib.suppress(OSError):  # the other end was quicker
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()
            self._line = None
        for thread in self._threads:
            thread.join(timeout=_PATIENCE_S)
        self._threads.clear()

    def _connect(self) -> socket.socket:
        self.lift()
        until = time.monotonic() + _PATIENCE_S
        while True:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                line.connect(str(self.path))
            except OSError:
                line.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
                continue
            self._line = line
            return line


def _send(line: socket.socket, pieces: tuple[bytes, ...], pause_s: float, hang_up: bool) -> None:
    with contextlib.suppress(OSError):  # the device went away, which is what some tests are about
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(pause_s)
            line.sendall(piece)
        if hang_up:
            line.shutdown(socket.SHUT_WR)
