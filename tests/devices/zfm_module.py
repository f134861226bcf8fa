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
import struct
import termios
import threading
import time
import tty
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from tests.devices.zfm_fingers import ROUND, SAME_FINGER, WIDE, glass, grainy, packed, score, template_of

GEN_IMG, IMG_2_TZ, UP_IMAGE = 0x01, 0x02, 0x0A
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
    code: int | None = None  # a confirmation code instead of the work
    resize: int = 0  # so many bytes more or less of picture
    times: int = 1_000_000


@dataclass
class Touch:
    image: np.ndarray | None  # None: the sensor sees a finger and gets no picture of it
    looks: float  # how many looks the finger stays for


class Module:
    """One module. `link`: a path that leads to its port while it is plugged in. What is in its flash survives that.

    `old`: a ZFM-20, which does not know ReadProdInfo; else an R503. `paced`: bytes as slow as the line's speed.
    """

    def __init__(self, link: Path, old: bool = True, paced: bool = False, baud: int = 57_600, password: int = 0):
        self.link, self.old, self.paced, self.baud, self.password = link, old, paced, baud, password
        self.address = 0xFFFFFFFF
        self.hears_any_address = False
        self.capacity = 1000 if old else 200
        self.size = WIDE if old else ROUND
        self.packet_code = 2
        self.security = 3
        self.quiet_on_unknown = old
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
        self.touches.append(Touch(None if image is None else glass(image, self.size), looks))

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
        work = self._COMMANDS.get(command)
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

    # --- commands: each gives its code, or (code, what comes with it[, data behind it]) ---------
    def _verify(self, arguments):
        self._verified = int.from_bytes(arguments) == self.password
        return 0x00 if self._verified else 0x13

    def _set_password(self, arguments):
        self.password = int.from_bytes(arguments)
        return 0x00

    def _set_parameter(self, arguments):
        number, value = arguments
        if number == 5 and 1 <= value <= 5:
            self.security = value
        elif number == 6 and value < 4:
            self.packet_code = value
        else:
            return 0x1A
        return 0x00

    def _parameters(self, _):
        words = (0, 9, self.capacity, self.security, self.address, self.packet_code, self.baud // 9600)
        return 0x00, struct.pack(">HHHHIHH", *words)

    def _product(self, _):
        claimed = self.claims_size or self.size
        said = struct.pack(
            ">16s4s8sBB8sHHHH", b"R503", b"2040", b"A1234567", 1, 2, b"FPC1020", *claimed, 1536, self.capacity
        )
        return 0x00, said

    def _look(self, _):
        if self._away:
            self._away -= 1
            return 0x02
        if not self.touches:
            return 0x02
        touch = self.touches[0]
        touch.looks -= 1
        if touch.looks <= 0:
            self.touches.popleft()
            self._away = 3
        if touch.image is None:
            return 0x03
        self.picture = packed(grainy(touch.image, self._noise))
        return 0x00

    def _to_template(self, arguments):
        if not self.picture:
            return 0x15
        template, code = template_of(self.picture, self.size)
        if template is not None:
            self._buffers[arguments[0]] = template
        return code

    def _combine(self, _):
        if not {1, 2} <= set(self._buffers) or score(self._buffers[1], self._buffers[2]) < SAME_FINGER:
            return 0x0A
        self._buffers[2] = self._buffers[1]
        return 0x00

    def _store(self, arguments):
        buffer, slot = struct.unpack(">BH", arguments)
        if slot >= self.capacity:
            return 0x0B
        if buffer not in self._buffers:
            return 0x18
        self.flash[slot] = self._buffers[buffer]
        return 0x00

    def _load(self, arguments):
        buffer, slot = struct.unpack(">BH", arguments)
        if slot >= self.capacity:
            return 0x0B
        if slot not in self.flash:
            return 0x0C
        self._buffers[buffer] = self.flash[slot]
        return 0x00

    def _match(self, _):
        if not {1, 2} <= set(self._buffers):
            return 0x08, b"\0\0"
        found = score(self._buffers[1], self._buffers[2])
        return (0x00 if found >= SAME_FINGER else 0x08), struct.pack(">H", round(found * 1000))

    def _search(self, arguments):
        buffer, first, count = struct.unpack(">BHH", arguments)
        slots = [slot for slot in self.flash if first <= slot < first + count]
        best = max(slots, key=lambda slot: score(self._buffers[buffer], self.flash[slot]), default=None)
        if best is None or (found := score(self._buffers[buffer], self.flash[best])) < SAME_FINGER:
            return 0x09, b"\0\0\0\0"
        return 0x00, struct.pack(">HH", best, round(found * 1000))

    def _up_char(self, arguments):
        template = self._buffers.get(arguments[0])
        return 0x0D if template is None else (0x00, b"", template)

    def _down_char(self, arguments):
        self._awaits = arguments[0]
        self._buffers.pop(self._awaits, None)
        return 0x00

    def _up_image(self, _):
        if not self.picture:
            return 0x0F
        more = self._fault.resize if self._fault else 0
        return 0x00, b"", (self.picture + bytes(max(more, 0)))[: len(self.picture) + more]

    def _delete(self, arguments):
        first, count = struct.unpack(">HH", arguments)
        if first + count > self.capacity:
            return 0x10
        for slot in range(first, first + count):
            self.flash.pop(slot, None)
        return 0x00

    def _empty(self, _):
        self.flash.clear()
        return 0x00

    def _count(self, _):
        return 0x00, struct.pack(">H", len(self.flash))

    def _index(self, arguments):
        page = arguments[0]
        table = sum(1 << (slot - page * 256) for slot in self.flash if slot // 256 == page)
        return 0x00, table.to_bytes(32, "little")

    def _random(self, _):
        return 0x00, self._noise.randbytes(4)

    def _echo(self, _):
        return 0x55

    def _lamp(self, _):
        return 0x00

    def _reset(self, _):
        self._say(0x00)
        self._restart()
        self._write(b"\x55")

    _COMMANDS: ClassVar = {
        0x01: _look,
        0x02: _to_template,
        0x03: _match,
        0x04: _search,
        0x05: _combine,
        0x06: _store,
        0x07: _load,
        0x08: _up_char,
        0x09: _down_char,
        0x0A: _up_image,
        0x0C: _delete,
        0x0D: _empty,
        0x0E: _set_parameter,
        0x0F: _parameters,
        0x12: _set_password,
        0x13: _verify,
        0x14: _random,
        0x1B: _search,
        0x1D: _count,
        0x1F: _index,
        0x35: _lamp,
        0x3C: _product,
        0x53: _echo,
    }


def waiting(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
