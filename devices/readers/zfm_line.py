"""One open serial port and the conversation over it: a command, an answer, a train of data.

Does: opens a port for itself alone and says why where it cannot; asks, waits a bounded time, and names every way in
which an answer can fail to come. Does not decide what a failure means for a touch: that is the driver's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from pathlib import Path

import serial

from devices.interface import ReaderUnplugged, ReaderUnusable

from .zfm_frames import (
    ACK,
    COMMAND,
    DATA,
    END_OF_DATA,
    MAX_FRAME_BYTES,
    PACKET_BYTES,
    Frame,
    FrameReader,
    encode,
)

#: How long one look at the port lasts: so soon does a wait notice that it is over.
SLICE_S = 0.02
#: A line that was silent for this part of the time an answer may take has ended what it was saying.
QUIET = 0.1
_READ_BYTES = 4096


class LineError(Exception):
    """No answer, and why. Never carries what was received."""


class Ended(LineError):
    """This program called it off."""


class Gone(LineError):
    """The port is no longer there."""


class Silent(LineError):
    """Nothing came in time."""


class Garbled(LineError):
    """Something came, and it is not what may come here."""


class PoweredUp(LineError):
    """The module says it has just got power: whatever it held is lost."""


class Line:
    """A port that is open. `ending`: set from any thread, it ends a wait within SLICE_S with Ended."""

    def __init__(self, port: str, baud: int, address: int, answer_s: float, ending: threading.Event):
        self.baud = baud
        self.answer_s = answer_s
        self.quiet_s = QUIET * answer_s
        self._address = address
        self._ending = ending
        self._frames = FrameReader(address)
        self._port = _opened(port, baud)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it may be unplugged: the descriptor is freed either way
            self._port.close()

    @property
    def stranger(self) -> int | None:
        """An address other than ours that answered the last command."""
        return self._frames.stranger

    # --- a command and its answer -------------------------------------------------------
    def ask(self, command: int, arguments: bytes = b"", wait_s: float | None = None) -> tuple[int, bytes]:
        """(confirmation code, what came with it). Raises LineError.

        Answers do not say which command they answer: so the line is emptied first, and a late or doubled answer is
        never taken for this one's.
        """
        self._start_over()
        self._write(encode(COMMAND, bytes([command]) + arguments, self._address))
        until = time.monotonic() + (self.answer_s if wait_s is None else wait_s)
        frame = self._frame(until)
        while frame.kind in (
            DATA,
            END_OF_DATA,
        ):  # the rest of an earlier train, which a slow module still sends
            frame = self._frame(until)
        self._frames.count_anew()
        if frame.kind != ACK or not frame.payload:
            raise Garbled
        return frame.payload[0], frame.payload[1:]

    def data(self, most_bytes: int) -> bytes:
        """The data frames that follow an answer, joined. Raises LineError.

        More than `most_bytes` is garbled, as is a frame of another size than those before it: nothing here waits or
        collects without end.
        """
        collected = bytearray()
        size = None
        until = time.monotonic() + 2 * self._seconds(most_bytes * 2) + 2 * self.answer_s
        while True:
            frame = self._frame(min(until, time.monotonic() + self.answer_s + self._seconds(MAX_FRAME_BYTES)))
            if self._frames.damaged:
                raise Garbled
            size = size or len(frame.payload)
            last = frame.kind == END_OF_DATA
            right_size = (
                0 < len(frame.payload) <= size if last else len(frame.payload) == size in PACKET_BYTES
            )
            if frame.kind not in (DATA, END_OF_DATA) or not right_size:
                raise Garbled
            collected += frame.payload
            if len(collected) > most_bytes:
                raise Garbled
            if last:
                return bytes(collected)

    def send_data(self, data: bytes, packet_bytes: int) -> None:
        """Data frames to the module, the last one marked. Raises LineError."""
        for at in range(0, len(data), packet_bytes):
            kind = END_OF_DATA if at + packet_bytes >= len(data) else DATA
            self._write(encode(kind, data[at : at + packet_bytes], self._address))

    def settle(self, most_s: float) -> None:
        """Let whatever is still coming pass by, until the line is quiet or `most_s` are over. Raises LineError."""
        until = time.monotonic() + most_s
        quiet = time.monotonic() + self.quiet_s
        while time.monotonic() < min(until, quiet):
            if self._read():
                quiet = time.monotonic() + self.quiet_s
        self._frames = FrameReader(self._address)

    def pause(self, seconds: float) -> None:
        """Raises Ended when it was called off meanwhile."""
        if self._ending.wait(seconds):
            raise Ended

    def _seconds(self, count: int) -> float:
        """How long so many bytes take on this line: ten bits each."""
        return count * 10 / self.baud

    # --- bytes --------------------------------------------------------------------------
    def _start_over(self) -> None:
        """Forget what came before; but a module that lost power in between says so here. Raises Garbled where it
        never stops."""
        self._frames.count_anew()
        until = time.monotonic() + self.answer_s
        self._pass_over()
        while waiting := self._waiting():
            if time.monotonic() > until:
                raise Garbled
            self._frames.feed(self._read(waiting))
            self._pass_over()
        powered_up = self._frames.powered_up
        self._frames = FrameReader(self._address)
        if powered_up:
            raise PoweredUp

    def _pass_over(self) -> None:
        while self._frames.take():
            continue

    def _frame(self, until: float) -> Frame:
        """The next whole frame before `until`. After a broken one the line need only be quiet to give up."""
        heard_at = time.monotonic()
        while (frame := self._frames.take()) is None:
            if self._frames.powered_up:
                raise PoweredUp
            now = time.monotonic()
            if now >= heard_at + self.quiet_s and (frame := self._frames.rescue()):
                break
            if now >= until or (self._frames.broken and now >= heard_at + self.quiet_s):
                # The beginning of a frame and then nothing is silence: who spoke has gone or lost power.
                raise Garbled if self._frames.damaged else Silent
            if heard := self._read():
                heard_at = time.monotonic()
                self._frames.feed(heard)
        if self._frames.powered_up:
            raise PoweredUp
        return frame

    def _waiting(self) -> int:
        try:
            return min(self._port.in_waiting, _READ_BYTES)
        except (OSError, serial.SerialException):
            raise Gone from None

    def _read(self, count: int = 0) -> bytes:
        """What is there, at most _READ_BYTES; waits SLICE_S for the first byte."""
        if self._ending.is_set():
            raise Ended
        try:
            first = self._port.read(count or 1)
            return first + self._port.read(min(self._port.in_waiting, _READ_BYTES)) if first else first
        except (OSError, serial.SerialException):
            raise Gone from None

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            raise Silent from None
        except (OSError, serial.SerialException):
            raise Gone from None


def _opened(port: str, baud: int) -> serial.Serial:
    try:
        return serial.Serial(port, baud, timeout=SLICE_S, write_timeout=1.0, exclusive=True)
    except (serial.SerialException, OSError) as error:
        raise why_not(port, error) from None
    except (ValueError, OverflowError):
        raise ReaderUnusable("reader_misconfigured", f"{baud} baud") from None


def why_not(port: str, error: Exception) -> ReaderUnplugged | ReaderUnusable:
    """What a failure to open a port means for whoever stands before it."""
    number = getattr(error, "errno", None)
    text = str(error)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO) or "FileNotFoundError" in text:
        return ReaderUnplugged(os.path.basename(port))
    if number in (errno.EBUSY, errno.EAGAIN):
        return ReaderUnusable("reader_port_taken", port)
    if "PermissionError" in text:  # Windows says so, without a number, when another program holds the port
        return ReaderUnusable("reader_port_taken" if os.name == "nt" else "reader_permission_denied", port)
    if number in (errno.EACCES, errno.EPERM):
        return ReaderUnusable("reader_permission_denied", group_of(port))
    if number is None and not os.path.exists(port):
        return ReaderUnplugged(os.path.basename(port))
    return ReaderUnusable("reader_misconfigured", f"{os.path.basename(port)} is no serial port")


def group_of(port: str) -> str:
    """The group that may use the port; on Debian "dialout"."""
    try:
        return Path(port).group()
    except (OSError, KeyError, NotImplementedError):
        return "dialout"
