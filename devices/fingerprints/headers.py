"""What a compressed picture asks of its decoder, read from its headers before the decoder believes them.

Does: refuses the few hundred bytes that would cost gigabytes or minutes, where Pillow's and its libraries' own
limits let them through: JPEGs of thousands of scans, JPEG 2000 of thousands of tiles, blocks or precincts.
Does not: decide whether a picture is whole; the decoder does.
"""

from __future__ import annotations

import struct

from .errors import BadImage

MOST_JPEG_SCANS = 64
"""A progressive picture has about ten. Each one costs a pass over all pixels, and ten bytes to ask for."""

MOST_TILES, MOST_COMPONENTS = 64, 4
MOST_BLOCKS = 16_384
"""Fingerprint pictures come in one tile with blocks of 64 x 64 or 32 x 32, a few thousand at most; the decoder
keeps some kilobytes for each block and each precinct, used or not."""

_MOST_SEGMENTS = 10_000
_JP2 = b"\x00\x00\x00\x0cjP"
_SOC_SIZ = b"\xff\x4f\xff\x51"
_SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
# All that have a length: CAP, SIZ, COD, COC, TLM, PLM, PLT, CPF, QCD, QCC, RGN, POC, PPM, PPT, CRG, COM, SOT.
_SEGMENTS = frozenset(
    (0xFF50, _SIZ, _COD, _COC, 0xFF55, 0xFF57, 0xFF58, 0xFF59, *range(0xFF5C, 0xFF62), 0xFF63, 0xFF64, _SOT)
)
_SIZ_FIELDS = struct.Struct(">HIIIIIIIIH")


def refuse_costly(data: bytes) -> None:
    """Raises `BadImage` for a JPEG or JPEG 2000 picture whose headers ask for more than any reader's would."""
    if data.startswith(b"\xff\xd8"):
        # A scan's own bytes never contain its marker: it is escaped there.
        if data.count(b"\xff\xda") > MOST_JPEG_SCANS:
            raise BadImage("a JPEG of that many scans is no capture")
        return
    if data.startswith((_SOC_SIZ, _JP2)):
        try:
            at = 0 if data.startswith(_SOC_SIZ) else _stream(data)
            if not data.startswith(_SOC_SIZ, at):
                raise BadImage("not a JPEG 2000 stream")
            _walk(data, at + 2)
        except (struct.error, IndexError):
            raise BadImage("the headers of a JPEG 2000 file end too early") from None


def _stream(data: bytes) -> int:
    """Where the first stream of a JP2 file begins, from box to box."""
    at = 0
    for _ in range(_MOST_SEGMENTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if kind == b"jp2c":
            return at + head
        if length < head:  # also 0, "to the end": nothing follows
            break
        at += length
    raise BadImage("a JP2 file has a stream")


def _walk(data: bytes, at: int) -> None:
    """From the SIZ marker at `at` through the main header, then from tile part to tile part."""
    in_tile, part_at, part_length, size = False, 0, 0, (0, 0, 0)
    for _ in range(_MOST_SEGMENTS):
        if at >= len(data) and in_tile:
            return
        (marker,) = struct.unpack_from(">H", data, at)
        if marker == _EOC:
            return
        if marker == _SOD:
            if part_length == 0:  # the last one: to the end
                return
            at = part_at + part_length
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or marker not in _SEGMENTS:
            # What another reader of these bytes might skip in another way is not read on.
            raise BadImage("not a JPEG 2000 stream")
        if marker == _SIZ:
            size = _check_size(data, at + 4)
        elif marker in (_COD, _COC):
            if in_tile:
                raise BadImage("a capture has no tile with blocks of its own")
            _check_blocks(data[at + 4 : at + 2 + length], marker, size)
        elif marker == _SOT:
            in_tile, part_at = True, at
            (part_length,) = struct.unpack_from(">I", data, at + 6)
            if part_length and part_length < 14:
                raise BadImage("not a JPEG 2000 stream")
        at += 2 + length
    raise BadImage("a JPEG 2000 file of that many parts is no capture")


def _check_size(data: bytes, at: int) -> tuple[int, int, int]:
    """(width, height, components)."""
    _, right, below, left, above, across, down, from_x, from_y, components = _SIZ_FIELDS.unpack_from(data, at)
    if not across or not down or not 1 <= components <= MOST_COMPONENTS:
        raise BadImage("not a grey or coloured JPEG 2000 picture")
    tiles = -(-max(right - from_x, 1) // across) * -(-max(below - from_y, 1) // down)
    if tiles > MOST_TILES:
        raise BadImage("a JPEG 2000 picture of that many tiles is no capture")
    return max(right - left, 1), max(below - above, 1), components


def _check_blocks(segment: bytes, marker: int, size: tuple[int, int, int]) -> None:
    """COD: style, progression, layers (2), transform, then what COC has after component (1) and style: levels,
    width and height of blocks, style, transform, and a byte for each level's precincts where the style says so."""
    style, rest = (segment[0], segment[5:]) if marker == _COD else (segment[1], segment[2:])
    levels, block = rest[0], ((rest[1] & 15) + 2, (rest[2] & 15) + 2)
    if levels > 32 or (style & 1 and len(rest) < 6 + levels):
        raise BadImage("not a JPEG 2000 stream")
    blocks = precincts = 0
    for level in range(levels + 1):
        sides = [_parts(side, levels - level) for side in size[:2]]
        exponents = (rest[5 + level] & 15, rest[5 + level] >> 4) if style & 1 else (15, 15)
        precincts += _parts(sides[0], exponents[0]) * _parts(sides[1], exponents[1])
        # All levels but the lowest are three bands of half the size, with blocks no larger than a precinct's part.
        half = 1 if level else 0
        across, down = (
            _parts(side, half + max(0, min(most, exponent - half)))
            for side, most, exponent in zip(sides, block, exponents, strict=True)
        )
        blocks += (3 if level else 1) * across * down
    if (blocks + precincts) * size[2] > MOST_BLOCKS:
        raise BadImage("a JPEG 2000 picture of that many blocks is no capture")


def _parts(side: int, exponent: int) -> int:
    """How many parts of 2**exponent cover a side."""
    return -(-side // (1 << exponent))
