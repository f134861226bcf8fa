"""What falls on the emulated module's glass, and the templates and scores it makes of it (for tests)."""

from __future__ import annotations

import functools
import random

import numpy as np

from devices.fingerprints import cylinders as matching
from devices.fingerprints import decode, encode, require_finger
from devices.fingerprints.errors import FingerprintError
from devices.fingerprints.extract import extract, minutiae_from

ROUND, WIDE = (192, 192), (256, 288)
SAME_FINGER = 0.04
TEMPLATE_BYTES = 512


def glass(image: np.ndarray, size: tuple[int, int] = WIDE) -> np.ndarray:
    """What of a print at 500 dpi falls on a sensor of `size` (width, height): the middle of the ridges."""
    width, height = size
    rows, columns = np.nonzero(image < 200)
    across, down = (int(np.median(each)) if each.size else 0 for each in (columns, rows))
    wide = np.pad(image, 400, constant_values=255)
    top, left = down + 400 - height // 2, across + 400 - width // 2
    return wide[top : top + height, left : left + width]


def packed(image: np.ndarray) -> bytes:
    """Two 4-bit pixels in a byte, the left one above."""
    four = (image >> 4).reshape(-1, 2)
    return ((four[:, 0] << 4) | four[:, 1]).astype(np.uint8).tobytes()


def unpacked(picture: bytes, size: tuple[int, int] = WIDE) -> np.ndarray:
    """The picture a module holds, as 8-bit grey: the truth that a capture is compared with."""
    pixels = np.frombuffer(picture, np.uint8)
    return (np.stack([pixels >> 4, pixels & 15], 1).astype(np.uint8) * 17).reshape(size[1], size[0])


def grainy(image: np.ndarray, noise: random.Random) -> np.ndarray:
    """No two pictures are the same: a sensor's last bit is noise."""
    grey = image.copy()
    for _ in range(60):
        grey[noise.randrange(grey.shape[0]), noise.randrange(grey.shape[1])] ^= 16
    return grey


@functools.lru_cache(64)
def template_of(picture: bytes, size: tuple[int, int]) -> tuple[bytes | None, int]:
    """(template, 0), or (None, the confirmation code that says why not)."""
    image = unpacked(picture, size)
    try:
        require_finger(image)
        found = extract(image)
    except FingerprintError:
        return None, 0x06
    if not matching.cylinders(found).enough:
        return None, 0x07
    best = np.sort(np.argsort(-found.quality, kind="stable")[:75])
    kept = [
        np.asarray(getattr(found, name))[best] for name in ("x_px", "y_px", "angle_rad", "kind", "quality")
    ]
    return encode(minutiae_from(*kept, found.width, found.height)).ljust(TEMPLATE_BYTES, b"\0"), 0x00


@functools.lru_cache(256)
def score(a: bytes, b: bytes) -> float:
    try:
        one, other = (matching.cylinders(decode(each[: int.from_bytes(each[8:12])])) for each in (a, b))
    except FingerprintError:
        return 0.0
    return float(matching.match(one, other))
