"""The wire of the R30x / ZFM-20 / AS608 / R503 family: bytes to frames, and what stands in them.

Does: encodes and finds frames in a stream that may be cut, noisy or hostile, with bounded memory; reads the tables
and pictures a module sends. Does not touch a port or know what was asked. Source: the makers' user manuals
(ZhianTec ZFM-20 V1.4, Grow R503 V1.2.2).

A frame: EF 01, address (4), kind (1), length of the rest (2), payload, 16-bit sum from the kind on. The sum finds
any one altered byte; it cannot tell two bytes changed places, which is why frames are also counted and measured.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = b"\xef\x01"
COMMAND, DATA, ACK, END_OF_DATA = 0x01, 0x02, 0x07, 0x08
KINDS = (COMMAND, DATA, ACK, END_OF_DATA)

#: The largest packet a module can be set to; answers to commands are far shorter.
MAX_PAYLOAD_BYTES = 256
PACKET_BYTES = (32, 64, 128, 256)
HEAD_BYTES = 9
MAX_FRAME_BYTES = HEAD_BYTES + MAX_PAYLOAD_BYTES + 2

#: What newer modules send once they have power: outside of any frame.
POWERED_UP = 0x55

#: Width and height in pixels, and dots per inch, of the pictures of the sensors that say no size themselves:
#: the optical ones (ZFM-20, R30x, AS608) and the round capacitive one (R503).
SENSORS = {(256, 288): 500, (192, 192): 508}
#: Resolution of the capacitive sensors that do say their size, as their manuals state it.
CAPACITIVE_DPI = 508
MAX_IMAGE_BYTES = 256 * 288 // 2
_SIDE_PX = range(64, 513)


class NotThatShape(ValueError):
    """What stands in a frame is not what that frame should hold. Never carries the data."""


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One whole frame whose sum is right. `kind`: one of KINDS, or whatever the device sent."""

    kind: int
    payload: bytes

    def __repr__(self) -> str:
        return f"<Frame kind {self.kind:#04x}, {len(self.payload)} bytes>"


def encode(kind: int, payload: bytes, address: int) -> bytes:
    """One frame for the wire."""
    summed = struct.pack(">BH", kind, len(payload) + 2) + payload
    return HEADER + struct.pack(">I", address) + summed + struct.pack(">H", sum(summed) & 0xFFFF)


class FrameReader:
    """Finds the frames from one address in a stream: `feed` bytes, then `take` frames until None.

    Never raises for what the stream holds. Once `take` gave None, less than MAX_FRAME_BYTES are kept. `skipped`:
    bytes that belonged to no frame; `broken`: frames whose length or sum is wrong; `powered_up`: the first
    thing out of place was 0x55; `stranger`: the last other address that something frame-like carried.
    """

    def __init__(self, address: int):
        self._address = struct.pack(">I", address)
        self._kept = bytearray()
        self.skipped = 0
        self.broken = 0
        self.powered_up = False
        self.stranger: int | None = None

    def feed(self, data: bytes) -> None:
        self._kept += data

    @property
    def kept_bytes(self) -> int:
        return len(self._kept)

    @property
    def damaged(self) -> bool:
        """Something other than whole frames has come, or has begun to come."""
        return bool(self.skipped or self.broken)

    def count_anew(self) -> None:
        """What was out of place so far no longer counts; what is kept stays."""
        self.skipped = self.broken = 0
        self.powered_up = False

    def take(self) -> Frame | None:
        while self._to_header() and len(self._kept) >= HEAD_BYTES:
            address, kind, length = struct.unpack_from(">4sBH", self._kept, 2)
            if address != self._address:
                self.stranger = int.from_bytes(address)
                self._skip(len(HEADER))
                continue
            if not 2 <= length <= MAX_PAYLOAD_BYTES + 2:
                self.broken += 1
                self._skip(len(HEADER))
                continue
            end = HEAD_BYTES + length
            if len(self._kept) < end:
                return None
            summed = bytes(self._kept[6 : end - 2])
            if sum(summed) & 0xFFFF != int.from_bytes(self._kept[end - 2 : end]):
                # Only the header is dropped: a whole frame may have begun inside the broken one.
                self.broken += 1
                self._skip(len(HEADER))
                continue
            del self._kept[:end]
            return Frame(kind, summed[3:])
        return None

    def rescue(self) -> Frame | None:
        """A whole frame inside what looked like the beginning of a longer one; for when nothing more comes."""
        inside = FrameReader(int.from_bytes(self._address))
        inside.feed(self._kept[1:])
        frame = inside.take()
        if frame is not None:
            self.broken += 1
            self._kept = inside._kept
        return frame

    def _to_header(self) -> bool:
        at = self._kept.find(HEADER)
        if at < 0:
            # The last byte may be the first half of a header.
            at = len(self._kept) - self._kept.endswith(HEADER[:1])
            self._skip(at)
            return False
        self._skip(at)
        return True

    def _skip(self, count: int) -> None:
        if count:
            # Only as the first thing out of place: among the remains of a broken frame it is a pixel.
            self.powered_up |= not self.skipped and self._kept[0] == POWERED_UP
            self.skipped += count
            del self._kept[:count]


# --- what stands in the answers -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SystemParameters:
    """ReadSysPara. `capacity`: slots of the library; `packet_bytes` of the data frames; `baud`: the speed it
    says it is set to, bits per second; what it really speaks is known by then."""

    status: int
    system_id: int
    capacity: int
    security: int
    address: int
    packet_bytes: int
    baud: int

    @classmethod
    def read(cls, payload: bytes) -> SystemParameters:
        if len(payload) != 16:
            raise NotThatShape("system parameters have 16 bytes")
        status, system_id, capacity, security, address, packet, baud = struct.unpack(">HHHHIHH", payload)
        if packet >= len(PACKET_BYTES):
            raise NotThatShape("no such packet size")
        return cls(status, system_id, capacity, security, address, PACKET_BYTES[packet], baud * 9600)


@dataclass(frozen=True, slots=True)
class ProductInformation:
    """ReadProdInfo, which only newer modules know: claims in ASCII, and the size of the sensor in pixels."""

    model: str
    batch: str
    serial: str
    hardware: str
    sensor: str
    width: int
    height: int
    capacity: int

    @classmethod
    def read(cls, payload: bytes) -> ProductInformation:
        if len(payload) != 46:
            raise NotThatShape("product information has 46 bytes")
        model, batch, serial, major, minor, sensor, width, height, _, capacity = struct.unpack(
            ">16s4s8sBB8sHHHH", payload
        )
        return cls(
            _text(model),
            _text(batch),
            _text(serial),
            f"{major}.{minor}",
            _text(sensor),
            width,
            height,
            capacity,
        )


def _text(raw: bytes) -> str:
    """The printable ASCII before the first zero."""
    return "".join(chr(byte) for byte in raw.partition(b"\0")[0] if 32 <= byte < 127).strip()


def sensor_size(length_bytes: int, product: ProductInformation | None) -> tuple[int, int, int] | None:
    """(width, height, dpi) of a picture of `length_bytes`, or None where no sensor gives such a picture.

    A module that says the size of its sensor is held to it.
    """
    if product is not None and product.width and product.height:
        size = (product.width, product.height)
        sane = all(side in _SIDE_PX for side in size) and size[0] % 2 == 0
        fits = size[0] * size[1] == 2 * length_bytes
        return (*size, SENSORS.get(size, CAPACITIVE_DPI)) if sane and fits else None
    for size, dpi in SENSORS.items():
        if size[0] * size[1] == 2 * length_bytes:
            return (*size, dpi)
    return None


def grey(packed: bytes) -> bytes:
    """8-bit grey of 4-bit pixels, two in a byte, the left one above: 0..15 becomes 0..255."""
    pixels = bytearray(2 * len(packed))
    pixels[0::2] = packed.translate(_LEFT)
    pixels[1::2] = packed.translate(_RIGHT)
    return bytes(pixels)


_LEFT = bytes((value >> 4) * 17 for value in range(256))
_RIGHT = bytes((value & 15) * 17 for value in range(256))


def used_slots(page: int, payload: bytes) -> list[int]:
    """Numbers of the filled slots in one page (256 slots) of the index table, 32 bytes, lowest bit first."""
    if len(payload) != 32:
        raise NotThatShape("a page of the index table has 32 bytes")
    return [
        page * 256 + 8 * at + bit for at, byte in enumerate(payload) for bit in range(8) if byte & (1 << bit)
    ]
