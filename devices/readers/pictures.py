"""Is what a device handed over the picture it says it is?

Does: names the format by the first bytes, decodes it whole within the limits of
devices/fingerprints, and compares size and resolution with what was declared. Does not: judge the print,
or guess a resolution that nobody declared.
"""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from devices.fingerprints import BadImage, BadTemplate, decode, load_image
from devices.fingerprints.extract import IMAGE_FORMATS as PILLOW_FORMATS
from devices.fingerprints.extract import MAX_DPI, MAX_IMAGE_PIXELS, MIN_DPI, MIN_SIDE_PX
from devices.fingerprints.ridges import contradict
from devices.interface import FINGER, IMAGE_FORMATS, ISO_TEMPLATE

PNG, BMP, JPEG, JPEG_2000, PGM = IMAGE_FORMATS
WSQ = "image/x-wsq"

_FIRST_BYTES = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"BM", BMP),
    (b"\xff\xd8\xff", JPEG),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"P5", PGM),
    (b"\xff\xa0\xff", WSQ),
    (b"FMR\x00", ISO_TEMPLATE),
)
#: Formats whose own note of the resolution is kept by those who write them. JPEG 2000 is not among them: pictures
#: of 500 dpi say 1,000 there.
_SAY_DPI = (PNG, BMP, JPEG)
_DPI_SLACK = 0.02
_WSQ_CHILD = Path(__file__).parent / "sbi" / "wsq_child.py"
_WSQ_WAIT_S = 10.0
_MOST_WSQ_BYTES = 2_000_000


class Garbled(Exception):
    """No picture and no template that can be read. Never carries data."""


class Rejected(Exception):
    """A picture, but not the one it was said to be; the text says what differs, in a word."""


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """What goes into a Sample: `format` is one of FORMATS; `dpi` None for a template."""

    format: str
    data: bytes
    dpi: int | None = None
    modality: str = FINGER

    def __repr__(self) -> str:
        return f"<Taken {self.format} {len(self.data)} bytes>"


def format_of(data: bytes) -> str | None:
    """One of IMAGE_FORMATS, WSQ or ISO_TEMPLATE by the first bytes, else None."""
    return next((name for start, name in _FIRST_BYTES if data.startswith(start)), None)


def take(
    data: bytes, *, dpi: int | None, width: int | None = None, height: int | None = None, raw: bool = False
) -> Taken:
    """The picture or template in `data`, whole and as declared. Raises Garbled or Rejected.

    `dpi`: as declared; a picture without a declared resolution is rejected, as nothing can be matched with it.
    `width`, `height`: as declared, None where nobody says. `raw`: bytes of no known format are 8-bit grey
    of that size. WSQ and raw grey come out as PGM, everything else as it came.
    """
    kind = format_of(data)
    if kind == ISO_TEMPLATE:
        return take_template(data)
    if kind == WSQ:
        image = grey_of_wsq(data)
        kind, data = PGM, pgm(image)
    elif kind is None and raw:
        kind, data = PGM, _raw(data, width, height)
        image = _loaded(data)
    elif kind is None:
        raise Garbled("no known format")
    else:
        image = _loaded(data)
    if (width, height) != (None, None) and (height or image.shape[0], width or image.shape[1]) != image.shape:
        raise Rejected("size")
    if dpi is None or not MIN_DPI <= dpi <= MAX_DPI:
        raise Rejected("resolution")
    noted = _noted_dpi(data) if kind in _SAY_DPI else None
    if noted and abs(noted - dpi) > _DPI_SLACK * dpi:
        raise Rejected("resolution")
    if contradict(image, dpi):
        raise Rejected("resolution")
    return Taken(kind, data, dpi)


def take_template(data: bytes) -> Taken:
    try:
        decode(data)
    except BadTemplate:
        raise Garbled("template") from None
    return Taken(ISO_TEMPLATE, data)


def pgm(image: np.ndarray) -> bytes:
    """The simplest file there is of a grey picture, uint8 (height, width)."""
    return b"P5\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes()


def grey_of_wsq(data: bytes) -> np.ndarray:
    """uint8 (height, width). Raises Garbled. Decoded in a process of its own: it is C that a hostile file can crash."""
    width, height = _wsq_size(data)
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_WSQ_CHILD)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WSQ_WAIT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        raise Garbled("wsq") from None
    if len(done.stdout) != width * height:
        raise Garbled("wsq")
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width)


def _wsq_size(data: bytes) -> tuple[int, int]:
    """(width, height) from the frame header, FF A2, within the limits of a picture. Raises Garbled."""
    at = 2
    while len(data) <= _MOST_WSQ_BYTES and at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        segment = data[at + 4 : at + 2 + length]
        if marker == 0xA2 and len(segment) >= 6:
            height, width = int.from_bytes(segment[2:4]), int.from_bytes(segment[4:6])
            if min(width, height) >= MIN_SIDE_PX and width * height <= MAX_IMAGE_PIXELS:
                return width, height
            break
        if length < 2 or marker == 0xA3:  # A3: the pixels begin
            break
        at += 2 + length
    raise Garbled("wsq")


def _raw(data: bytes, width: int | None, height: int | None) -> bytes:
    if not width or not height or len(data) != width * height:
        raise Garbled("no known format")
    return b"P5\n%d %d\n255\n" % (width, height) + data


def _loaded(data: bytes) -> np.ndarray:
    try:
        return load_image(data)
    except BadImage:
        raise Garbled("picture") from None


def _noted_dpi(data: bytes) -> float | None:
    """The resolution that the file itself notes, where it is one a fingerprint can have: many say 72 or 96 and
    mean nothing by it."""
    try:
        with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as picture:
            across = float(picture.info["dpi"][0])
    except Exception:  # noqa: BLE001
        return None  # the pixels were read before; a broken note is no note
    return across if MIN_DPI <= across <= MAX_DPI else None
