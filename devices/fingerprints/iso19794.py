"""ISO/IEC 19794-2:2005 finger minutiae records, the `FMR` / ` 20` record format.

Does: bytes to minutiae and back, with every length checked before it is used. Does not: the card
formats of the same standard, other editions, or extended data (skipped after their lengths check).

Layout, big-endian. Record header, 24 bytes: "FMR\\0", " 20\\0", record length (4), capture device
(2: certification bits and id), width (2), height (2), pixels per cm across and down (2 + 2), number
of views (1), reserved (1). Each view: finger position (1), view number and impression type (4 bits
each), finger quality 0-100 (1), number of minutiae (1), then per minutia 6 bytes: type (2 bits) and
x (14 bits), reserved (2 bits) and y (14 bits), angle in 256ths of a turn, quality 0-100 (0: not
given); last the length (2) of the extended data and these.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from .errors import BadTemplate
from .extract import ANGLE_STEPS, BIFURCATION, DPI, ENDING, OTHER, Minutiae, minutiae_from

MAX_TEMPLATE_BYTES = 65_536
MAX_VIEWS = 176

_MAGIC = b"FMR\x00 20\x00"
_HEADER = struct.Struct(">8sIHHHHHBB")
_VIEW = struct.Struct(">BBBB")
_MINUTIA = np.dtype([("x", ">u2"), ("y", ">u2"), ("angle", "u1"), ("quality", "u1")])
_PIXELS_PER_CM_AT_500_DPI = 197
_MIN_PIXELS_PER_CM, _MAX_PIXELS_PER_CM = 98, 520
_MAX_COORDINATE = (1 << 14) - 1
_MAX_FINGER, _MAX_QUALITY = 10, 100


@dataclass(frozen=True)
class FingerView:
    """One view of a record: `finger` 0 unknown, 1-5 right thumb to little finger, 6-10 left.

    `view` counts several views of one finger, `impression` is the standard's type (0 live, plain),
    `quality` 0-100.
    """

    finger: int
    view: int
    impression: int
    quality: int
    minutiae: Minutiae


def decode(data: bytes) -> Minutiae:
    """Minutiae of the record's first view, positions at 500 dpi. Raises `BadTemplate` and nothing else."""
    return decode_views(data)[0].minutiae


def decode_views(data: bytes) -> tuple[FingerView, ...]:
    """All views of a record, at least one. Raises `BadTemplate` and nothing else."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise BadTemplate("template bytes expected")
    data = bytes(data)
    if not _HEADER.size <= len(data) <= MAX_TEMPLATE_BYTES:
        raise BadTemplate("a finger minutiae record is longer than its header and at most 64 KiB")
    magic, length, _device, width, height, across, down, count, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise BadTemplate("not an ISO/IEC 19794-2:2005 record")
    if length != len(data):
        raise BadTemplate("the record's length field does not agree with its length")
    if not 0 < width <= _MAX_COORDINATE + 1 or not 0 < height <= _MAX_COORDINATE + 1:
        raise BadTemplate("image size out of range")
    for resolution in (across, down):
        if not _MIN_PIXELS_PER_CM <= resolution <= _MAX_PIXELS_PER_CM:
            raise BadTemplate("resolution out of range")
    if not 1 <= count <= MAX_VIEWS:
        raise BadTemplate("number of views out of range")
    scale = _PIXELS_PER_CM_AT_500_DPI / across, _PIXELS_PER_CM_AT_500_DPI / down
    views, at = [], _HEADER.size
    for _ in range(count):
        view, at = _decode_view(data, at, width, height, scale)
        views.append(view)
    if at != len(data):
        raise BadTemplate("bytes left over after the last view")
    return tuple(views)


def _decode_view(data: bytes, at: int, width: int, height: int, scale) -> tuple[FingerView, int]:
    """The view at offset `at`, and the offset behind it."""
    if at + _VIEW.size > len(data):
        raise BadTemplate("the record ends inside a view's header")
    finger, view_and_type, quality, count = _VIEW.unpack_from(data, at)
    at += _VIEW.size
    if finger > _MAX_FINGER or quality > _MAX_QUALITY:
        raise BadTemplate("finger position or quality out of range")
    if at + count * _MINUTIA.itemsize + 2 > len(data):
        raise BadTemplate("the record ends inside its minutiae")
    rows = np.frombuffer(data, _MINUTIA, count, at)
    at += count * _MINUTIA.itemsize
    (extended,) = struct.unpack_from(">H", data, at)
    at += 2 + extended
    if at > len(data):
        raise BadTemplate("the record ends inside its extended data")
    x, y, kind = rows["x"] & _MAX_COORDINATE, rows["y"] & _MAX_COORDINATE, rows["x"] >> 14
    if (x >= width).any() or (y >= height).any():
        raise BadTemplate("a minutia lies outside the image")
    if (kind > BIFURCATION).any():
        raise BadTemplate("unknown kind of minutia")
    if (rows["quality"] > _MAX_QUALITY).any():
        raise BadTemplate("minutia quality out of range")
    minutiae = minutiae_from(
        x * scale[0],
        y * scale[1],
        rows["angle"].astype(np.float64) * (2 * np.pi / ANGLE_STEPS),
        kind,
        rows["quality"] / _MAX_QUALITY,
        max(1, round(width * scale[0])),
        max(1, round(height * scale[1])),
    )
    return FingerView(finger, view_and_type >> 4, view_and_type & 15, quality, minutiae), at


def encode(minutiae: Minutiae, finger: int = 0, impression: int = 0, quality: int = 0) -> bytes:
    """A record with one view at 197 pixels per cm (500 dpi). Raises `BadTemplate`.

    Positions are rounded to whole pixels and angles to 256ths of a turn, which is what `extract`
    delivers: its minutiae come back with exactly the same positions and angles.
    """
    if not 0 <= finger <= _MAX_FINGER or not 0 <= impression <= 15 or not 0 <= quality <= _MAX_QUALITY:
        raise BadTemplate("finger position, impression type or quality out of range")
    count = len(minutiae)
    if count > 255:
        raise BadTemplate("a view holds at most 255 minutiae")
    if minutiae.dpi != DPI:
        raise BadTemplate("minutiae must be at 500 dpi")
    width, height = minutiae.width, minutiae.height
    if not 0 < width <= _MAX_COORDINATE + 1 or not 0 < height <= _MAX_COORDINATE + 1:
        raise BadTemplate("image size out of range")
    values = (minutiae.x_px, minutiae.y_px, minutiae.angle_rad, minutiae.quality)
    if not all(np.isfinite(v).all() for v in values):
        raise BadTemplate("minutiae must be finite numbers")
    x, y = np.rint(minutiae.x_px).astype(np.int64), np.rint(minutiae.y_px).astype(np.int64)
    # A position may round up to the very edge.
    x, y = np.where(x == width, width - 1, x), np.where(y == height, height - 1, y)
    if ((x < 0) | (x >= width) | (y < 0) | (y >= height)).any():
        raise BadTemplate("a minutia lies outside the image")
    kind = minutiae.kind.astype(np.int64)
    if not np.isin(kind, (OTHER, ENDING, BIFURCATION)).all():
        raise BadTemplate("unknown kind of minutia")
    rows = np.empty(count, _MINUTIA)
    rows["x"], rows["y"] = (kind << 14) | x, y
    rows["angle"] = np.rint(minutiae.angle_rad * (ANGLE_STEPS / (2 * np.pi))).astype(np.int64) % ANGLE_STEPS
    rows["quality"] = np.clip(np.rint(minutiae.quality * _MAX_QUALITY), 0, _MAX_QUALITY).astype(np.int64)
    body = _VIEW.pack(finger, impression, quality, count) + rows.tobytes() + b"\x00\x00"
    resolution = _PIXELS_PER_CM_AT_500_DPI
    length = _HEADER.size + len(body)
    return _HEADER.pack(_MAGIC, length, 0, width, height, resolution, resolution, 1, 0) + body
