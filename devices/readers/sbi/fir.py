"""ISO/IEC 19794-4:2011 finger image records, `FIR` / `020`, and the picture in one.

Does: read the record with every length checked before it is used; decode the picture (uncompressed,
WSQ, JPEG, JPEG 2000, PNG) and refuse it where it is not what the record says. Does not: other editions,
bit-packed pictures, depths other than 8 bits, prints that are not live, several fingers in one picture.

Layout, big-endian. Record: "FIR\\0", "020\\0", length (4), representations (2), certification flag (1),
finger positions (1). Each representation: length (4), date and time (9), capture technology (1), vendor (2),
type (2), quality blocks (1, then 5 bytes each), with the flag certification blocks (1, then 3 bytes each),
position (1), number (1), unit of scale (1: per inch, 2: per cm), sampling rate of the scan across and down
(2 + 2) and of the image (2 + 2), bit depth (1), compression (1), impression type (1), width (2), height (2),
length of the image (4), the image, then extended data (code 2, length 2 with these four bytes, data).
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from devices.fingerprints.extract import MAX_DPI, MAX_IMAGE_PIXELS, MIN_DPI, MIN_SIDE_PX
from devices.fingerprints.headers import refuse_costly
from devices.fingerprints.ridges import estimate_dpi

from .errors import Rejected

MAX_RECORD_BYTES = 8_000_000
MAX_REPRESENTATIONS = 10

PLAIN, WSQ, JPEG, JPEG2000_LOSSY, JPEG2000, PNG = 0, 2, 3, 4, 5, 6
_PILLOW = {JPEG: "JPEG", JPEG2000_LOSSY: "JPEG2000", JPEG2000: "JPEG2000", PNG: "PNG"}
COMPRESSIONS = (PLAIN, WSQ, *_PILLOW)

LIVE_IMPRESSIONS = (0, 1, 8, 9, 24, 28, 29)
"""Plain, rolled, swiped, vertically rolled, contactless; 28 and 29 are "other" and "unknown"."""

UNKNOWN_POSITION, MAX_SINGLE_POSITION = 0, 10

_MAGIC = b"FIR\x00020\x00"
_RECORD = struct.Struct(">8sIHBB")
_HEAD = struct.Struct(">I9sBHHB")
_BODY = struct.Struct(">BBBHHHHBBBHHI")
_EXTENDED = struct.Struct(">HH")
_QUALITY_BYTES, _CERTIFICATION_BYTES = 5, 3
_PER_INCH, _PER_CM = 1, 2
_CM_PER_INCH = 2.54
_WSQ_WAIT_S = 10.0
_PPI_SLACK = 0.02

RIDGE_SLACK = 1.15
"""How far a declared resolution may lie beyond what the ridges of any adult would make of the picture
(devices/fingerprints/ridges.py): enough for the rare finger outside, not for half or twice the truth. Of the 240
pictures of FVC2002 DB1-3_B none is refused, and of the 236 with enough ridges all are at twice or half."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One picture of a record. `position`: ISO's number of the finger, 0 unknown; `dpi`: pixels per inch."""

    position: int
    width: int
    height: int
    dpi: int
    compression: int
    data: bytes

    def __repr__(self) -> str:
        return f"<Representation {self.width}x{self.height} {self.dpi} dpi {len(self.data)} bytes>"


def read(record: bytes) -> tuple[Representation, ...]:
    """All representations of a record, at least one. Raises `Rejected` and nothing else."""
    if not _RECORD.size <= len(record) <= MAX_RECORD_BYTES:
        raise Rejected("no finger image record")
    magic, length, count, flag, positions = _RECORD.unpack_from(record)
    if magic != _MAGIC:
        raise Rejected("no finger image record")
    if length != len(record):
        raise Rejected("record of another length")
    if not 1 <= count <= MAX_REPRESENTATIONS or flag not in (0, 1):
        raise Rejected("record header out of range")
    found, at = [], _RECORD.size
    for _ in range(count):
        one, at = _representation(record, at, bool(flag))
        found.append(one)
    if at != len(record):
        raise Rejected("bytes left over in the record")
    if len({r.position for r in found}) != positions:
        raise Rejected("another number of fingers")
    return tuple(found)


def _representation(record: bytes, start: int, certified: bool) -> tuple[Representation, int]:
    """The representation at `start` and the offset behind it."""
    if start + _HEAD.size > len(record):
        raise Rejected("record too short")
    length, _when, _technology, _vendor, _type, qualities = _HEAD.unpack_from(record, start)
    end = start + length
    if length < _HEAD.size + _BODY.size or end > len(record):
        raise Rejected("representation of another length")
    at = start + _HEAD.size + qualities * _QUALITY_BYTES
    if certified:
        if at >= end:
            raise Rejected("representation too short")
        at += 1 + record[at] * _CERTIFICATION_BYTES
    if at + _BODY.size > end:
        raise Rejected("representation too short")
    (
        position, _number, unit, scan_x, scan_y, image_x, image_y,
        depth, compression, impression, width, height, size,
    ) = _BODY.unpack_from(record, at)  # fmt: skip
    at += _BODY.size
    if at + size > end or not size:
        raise Rejected("image of another length")
    dpi = _dpi(unit, (scan_x, scan_y), (image_x, image_y))
    if position > MAX_SINGLE_POSITION:
        raise Rejected("several fingers in one picture")
    if depth != 8 or compression not in COMPRESSIONS:
        raise Rejected("bit depth or compression that is not read")
    if impression not in LIVE_IMPRESSIONS:
        raise Rejected("not a live finger")
    if min(width, height) < MIN_SIDE_PX or width * height > MAX_IMAGE_PIXELS:
        raise Rejected("image size out of range")
    _skip_extended(record, at + size, end)
    return Representation(position, width, height, dpi, compression, record[at : at + size]), end


def _dpi(unit: int, scan: tuple[int, int], image: tuple[int, int]) -> int:
    if unit not in (_PER_INCH, _PER_CM):
        raise Rejected("unknown unit of scale")
    if image[0] != image[1] or image[0] > scan[0] or image[1] > scan[1]:
        raise Rejected("sampling rates that cannot be")
    dpi = image[0] if unit == _PER_INCH else round(image[0] * _CM_PER_INCH)
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise Rejected("resolution out of range")
    return dpi


def _skip_extended(record: bytes, at: int, end: int) -> None:
    while at < end:
        if at + _EXTENDED.size > end:
            raise Rejected("extended data too short")
        _code, length = _EXTENDED.unpack_from(record, at)
        if length < _EXTENDED.size or at + length > end:
            raise Rejected("extended data of another length")
        at += length


def choose(found: tuple[Representation, ...], position: int) -> Representation:
    """The one of the finger that was asked for; `position` 0 where any single finger will do. Raises `Rejected`."""
    if position != UNKNOWN_POSITION:
        named = [r for r in found if r.position == position]
        if len(named) == 1:
            return named[0]
    if len(found) == 1 and (found[0].position == UNKNOWN_POSITION or position == UNKNOWN_POSITION):
        return found[0]
    raise Rejected("not the one finger that was asked for")


def picture(one: Representation) -> np.ndarray:
    """The picture, uint8 of shape (height, width). Raises `Rejected` where it is not what the record says:
    another size, format or depth, or ridges that no finger has at that resolution."""
    image = _decoded(one)
    estimated = estimate_dpi(image)
    if estimated is not None:
        _, low, high = estimated
        if not low / RIDGE_SLACK <= one.dpi <= high * RIDGE_SLACK:
            raise Rejected("picture of another resolution")
    return image


def _decoded(one: Representation) -> np.ndarray:
    if one.compression == PLAIN:
        if len(one.data) != one.width * one.height:
            raise Rejected("picture of another size")
        return np.frombuffer(one.data, np.uint8).reshape(one.height, one.width)
    if one.compression == WSQ:
        return _from_wsq(one)
    try:
        refuse_costly(one.data)
        with Image.open(io.BytesIO(one.data), formats=(_PILLOW[one.compression],)) as opened:
            if opened.size != (one.width, one.height):
                raise Rejected("picture of another size")
            if opened.mode != "L":
                raise Rejected("not a grey picture of 8 bits")
            # JPEG 2000 may carry a resolution of its own. It is not held against the record: the pictures of
            # MOSIP's own service say 1,000 dpi there and are, by their ridges and their records, 500.
            return np.array(opened)
    except Rejected:
        raise
    except Exception:  # noqa: BLE001
        # Pillow's decoders raise a dozen kinds of error on hostile bytes; all mean the same here.
        raise Rejected("not the picture the record says") from None


def _from_wsq(one: Representation) -> np.ndarray:
    """Decoded in a process of its own: the decoder is C that a hostile file can bring down."""
    _check_wsq(one)
    child = Path(__file__).with_name("wsq_child.py")
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(child)],
            input=one.data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WSQ_WAIT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        raise Rejected("not the picture the record says") from None
    if len(done.stdout) != one.width * one.height:
        raise Rejected("picture of another size")
    return np.frombuffer(done.stdout, np.uint8).reshape(one.height, one.width)


def _check_wsq(one: Representation) -> None:
    """Size and, where the comments give one, resolution are those of the record; read from the segments before
    the first block of pixels. Raises `Rejected`."""
    data, at = one.data, 2
    if data[:2] != b"\xff\xa0":
        raise Rejected("not the picture the record says")
    size = None
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xA3:  # A3: the pixels begin
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        segment = data[at + 4 : at + 2 + length]
        if length < 2 or len(segment) != length - 2:
            break
        if marker == 0xA2 and len(segment) >= 6:
            size = int.from_bytes(segment[4:6]), int.from_bytes(segment[2:4])
        if marker == 0xA8 and segment.startswith(b"NIST_COM"):
            _check_comment(segment, one)
        at += 2 + length
    if size != (one.width, one.height):
        raise Rejected("picture of another size")


def _check_comment(segment: bytes, one: Representation) -> None:
    for line in segment.split(b"\n"):
        name, _, value = line.strip().partition(b" ")
        stated = int(value) if name == b"PPI" and value.isdigit() and len(value) < 6 else 0
        if stated and abs(stated - one.dpi) > one.dpi * _PPI_SLACK:
            raise Rejected("picture of another resolution")


def png(image: np.ndarray, dpi: int) -> bytes:
    """PNG bytes of a grey picture with its resolution."""
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG", dpi=(dpi, dpi), compress_level=1)
    return packed.getvalue()
