"""A fingerprint module of the ZFM-20 / R503 family on a pseudo-terminal, for tests.

Written from the makers' manuals and apart from the driver: it shares no code with it, and two client libraries that
we did not write drive it in test_zfm_clients.py. It takes pictures of the fingers that a test lays on, matches and
stores templates, paces its bytes like a real line where asked, and fails in the ways a test arranges.
"""

from __future__ import annotations

import contextlib
import os
import pty
import random
import select
import termios
import threading
import time
import tty
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.devices.zfm_commands import GEN_IMG, IMG_2_TZ, UP_IMAGE, Commands
from tests.devices.zfm_fingers import ROUND, WIDE, glass, grainy, packed, template_of

__all__ = ["GEN_IMG", "IMG_2_TZ", "UP_IMAGE", "Fault", "Module"]

PACKETS = (32, 64, 128, 256)


class Cut(Exception):
    """The cable is out."""


@dataclass
class Fault:
    """What goes wrong with the bytes of an answer and the data behind it, counted from its first byte.

    `on`: the command whose answer it is, None for any. `times`: how often it happens before it is over.
    """

    on: int | None = UP_IMAGE
    cut_at: int | None = None  # the cable is pulled after so many bytes
    silent_at: int | None = None  # nothing more is sent
    flips: dict[int, int] = field(default_factory=dict)  # byte number: what it is XORed with
    drop: tuple[int, int] | None = None  # from, how many bytes are lost
    insert: tuple[int, bytes] | None = None  # before that byte, noise
    restart_at: int | None = None  # power fails for a moment: 0x55, and everything in memory is gone
    delay_s: float = 0.0  # before each frame
    pause: tuple[int, float] | None = None  # before that byte, so many seconds
    code: int | None = None  # a confirmation code instead of the work
    resize: int = 0  # so many bytes more or less of picture
    times: int = 1_000_000


@dataclass
class Touch:
    picture: bytes | None  # None: the sensor sees a finger and gets no picture of it
    looks: float  # how many looks the finger stays for


class Module(Commands):
    """One module. `link`: a path that leads to its port while it is plugged in. What is in its flash survives that.

    `old`: a ZFM-20, which does not know ReadProdInfo; else an R503. `paced`: bytes as slow as the line's speed. `matches`:
    its own templates are going to be asked for.
    """

    def __init__(
        self,
        link: Path,
        old: bool = True,
        paced: bool = False,
        baud: int = 57_600,
        password: int = 0,
        matches: bool = False,
    ):
        self.link, self.old, self.paced, self.baud, self.password = link, old, paced, baud, password
        self.matches = matches
        self.address = 0xFFFFFFFF
        self.hears_any_address = False
        self.capacity = 1000 if old else 200
        self.size = WIDE if old else ROUND
        self.packet_code = 2
        self.security = 3
        self.quiet_on_unknown = False
        self.claims_size: tuple[int, int] | None = None
        self.flash: dict[int, bytes] = {}
        self.touches: deque[Touch] = deque()
        self.faults: list[Fault] = []
        self.asked: list[int] = []
        self.picture: bytes = b""
        self._noise = random.Random(20)
        self._away = 0
        self._plugged = self._cut = False
        self._fault: Fault | None = None
        self._sent = 0
        self._restart()

    # --- hands ------------------------------------------------------------------------
    def touch(self, image: np.ndarray | None, looks: float = 1) -> None:
        """A finger (grey, 500 dpi) is laid on for so many looks of the module, then lifted for three."""
        picture = None if image is None else packed(grainy(glass(image, self.size), self._noise))
        if picture and self.matches:
            template_of(picture, self.size)  # it keeps what it found: a real module needs less than a second
        self.touches.append(Touch(picture, looks))

    def rest(self, image: np.ndarray) -> None:
        """A finger is laid on and stays."""
        self.touch(image, float("inf"))

    def lift(self) -> None:
        self.touches.clear()
        self._away = 3

    def fail(self, **how) -> None:
        self.faults.append(Fault(**how))

    def plug_in(self) -> None:
        """There, whole, with nothing on the glass."""
        self.faults = []
        self.lift()
        if self._plugged and not self._cut:
            return
        self.unplug()
        self._restart()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        attributes = termios.tcgetattr(self._slave)
        attributes[4] = attributes[5] = termios.B57600
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)
        os.set_blocking(self._master, False)
        self._out, self._in = os.pipe()
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))
        self._plugged, self._cut = True, False
        self._thread = threading.Thread(target=self._live, name="module", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Gone, and its port with it."""
        if not self._plugged:
            return
        os.write(self._in, b"x")
        self._thread.join()
        for each in (self._out, self._in):
            os.close(each)
        self._plugged = False

    def power_dip(self) -> None:
        """Its power fails for a moment while nobody asks it anything."""
        self._restart()
        os.write(self._master, b"\x55")

    # --- its life ---------------------------------------------------------------------
    def _restart(self) -> None:
        self._kept = bytearray()
        self._verified = self.password == 0
        self.picture = b""
        self._buffers: dict[int, bytes] = {}
        self._awaits: int | None = None  # the buffer that DownChar fills

    def _live(self) -> None:
        try:
            while True:
                self._hear()
                while (frame := self._next()) is not None:
                    self._obey(*frame)
        except Cut:
            self._cut = True
            self.link.unlink(missing_ok=True)
            for each in (self._master, self._slave):
                os.close(each)

    def _hear(self) -> None:
        ready, _, _ = select.select([self._master, self._out], [], [])
        if self._out in ready:
            raise Cut
        heard = os.read(self._master, 4096)
        if termios.tcgetattr(self._master)[5] != getattr(termios, f"B{self.baud}"):
            os.write(self._master, b"\x00")  # at another speed neither understands the other
            return
        self._kept += heard

    def _next(self) -> tuple[int, bytes] | None:
        """(kind, payload) of the next frame to this module."""
        while len(self._kept) >= 12:
            if self._kept[:2] != b"\xef\x01":
                del self._kept[0]
                continue
            size = int.from_bytes(self._kept[7:9])
            if size > 600:
                del self._kept[0]
                continue
            if len(self._kept) < 9 + size:
                return None
            raw = bytes(self._kept[: 9 + size])
            del self._kept[: 9 + size]
            if int.from_bytes(raw[2:6]) != self.address and not self.hears_any_address:
                continue
            if sum(raw[6:-2]) % 65_536 != int.from_bytes(raw[-2:]):
                self._say(0x01)
                continue
            return raw[6], raw[9:-2]
        return None

    def _obey(self, kind: int, payload: bytes) -> None:
        if kind in (0x02, 0x08) and self._awaits is not None:
            self._buffers[self._awaits] = self._buffers.get(self._awaits, b"") + payload
            if kind == 0x08:
                self._awaits = None
            return
        if kind != 0x01 or not payload:
            return
        command, arguments = payload[0], payload[1:]
        self.asked.append(command)
        self._fault = next((f for f in self.faults if f.on in (None, command) and f.times > 0), None)
        self._sent = 0
        if self._fault is not None:
            self._fault.times -= 1
            if self._fault.code is not None:
                return self._say(self._fault.code)
        if command not in (0x13, 0x53) and not self._verified:
            return self._say(0x21)
        work = self.COMMANDS.get(command)
        if work is None or (command == 0x3C and self.old):
            return None if self.quiet_on_unknown else self._say(0x01)
        answer = work(self, arguments)
        if answer is None:
            return None
        code, more, data = (answer, b"", None) if isinstance(answer, int) else (*answer, None)[:3]
        self._say(code, more)
        if data is not None:
            self._send_data(data)

    # --- speaking -----------------------------------------------------------------------
    def _say(self, code: int, more: bytes = b"") -> None:
        self._send(self._frame(0x07, bytes([code]) + more))

    def _send_data(self, data: bytes) -> None:
        step = PACKETS[self.packet_code]
        for at in range(0, len(data), step):
            self._send(self._frame(0x08 if at + step >= len(data) else 0x02, data[at : at + step]))

    def _frame(self, kind: int, payload: bytes) -> bytes:
        body = bytes([kind]) + (len(payload) + 2).to_bytes(2) + payload
        return b"\xef\x01" + self.address.to_bytes(4) + body + (sum(body) % 65_536).to_bytes(2)

    def _send(self, frame: bytes) -> None:
        fault, start = self._fault, self._sent
        self._sent += len(frame)
        if fault is None:
            return self._write(frame)
        if fault.delay_s:
            self._wait(fault.delay_s)
        out = bytearray()
        for number, byte in enumerate(frame, start):
            if number == fault.cut_at:
                self._write(bytes(out))
                self._drained()
                raise Cut
            if fault.pause and number == fault.pause[0]:
                self._write(bytes(out))
                out.clear()
                self._wait(fault.pause[1])
            if fault.silent_at is not None and number >= fault.silent_at:
                break
            if fault.restart_at is not None and number >= fault.restart_at:
                if number == fault.restart_at:
                    self._restart()
                    out.append(0x55)
                break
            if fault.insert and number == fault.insert[0]:
                out += fault.insert[1]
            if fault.drop and fault.drop[0] <= number < sum(fault.drop):
                continue
            out.append(byte ^ fault.flips.get(number, 0))
        return self._write(bytes(out))

    def _write(self, data: bytes) -> None:
        due = time.monotonic()
        step = 24 if self.paced else max(len(data), 1)
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            while piece:
                pulled, ready, _ = select.select([self._out], [self._master], [], 0.5)
                if pulled:
                    raise Cut
                if not ready:
                    return  # nobody listens: on a real line the bytes are lost
                with contextlib.suppress(BlockingIOError):
                    piece = piece[os.write(self._master, piece) :]
            if self.paced:
                due += step * 10 / self.baud
                self._wait(max(0.0, due - time.monotonic()))

    def _drained(self) -> None:
        """What was sent has been read: pulling the plug of a pseudo-terminal would throw it away."""
        until = time.monotonic() + 1
        while time.monotonic() < until and waiting(self._slave):
            self._wait(0.001)

    def _wait(self, seconds: float) -> None:
        if select.select([self._out], [], [], seconds)[0]:
            raise Cut


def waiting(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
