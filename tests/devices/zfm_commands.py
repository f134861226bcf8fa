"""What the emulated module does when it is asked: its buffers, its flash and its own matching (for tests).

Confirmation codes and tables as in the makers' manuals; shares no code with the driver.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from tests.devices.zfm_fingers import SAME_FINGER, score, template_of

GEN_IMG, IMG_2_TZ, UP_IMAGE = 0x01, 0x02, 0x0A


class Commands:
    """The commands of `zfm_module.Module`, which holds what they work on."""

    # Each gives its code, or (code, what comes with it[, data behind it]), or None when it has answered itself.
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
        if touch.picture is None:
            return 0x03
        self.picture = touch.picture
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

    COMMANDS: ClassVar = {
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
        0x3D: _reset,
        0x53: _echo,
    }
