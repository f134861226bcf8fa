"""ISO/IEC 19794-4 records for the tests, written from the standard's table, and where the recorded ones lie."""

from __future__ import annotations

import functools
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.devices.prints import drawn

DATA = Path(__file__).parents[3] / "shared" / "data" / "mosip-sbi"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded conversations are not here: ../shared/data/mosip-sbi"
)

PLAIN, JPEG2000, PNG = 0, 5, 6


def recorded(name: str) -> dict:
    return json.loads((DATA / "recorded" / f"{name}.json").read_text())


def schema(name: str) -> dict:
    """A request schema of the compliance toolkit, for 0.9.5 and 1.0.0."""
    return json.loads((DATA / "schemas" / "0.9.5" / f"{name}.json").read_text())


def compressed(image: np.ndarray, how: int) -> bytes:
    if how == PLAIN:
        return image.tobytes()
    packed = io.BytesIO()
    if how == JPEG2000:
        Image.fromarray(image).save(packed, "JPEG2000", irreversible=False)
    else:
        Image.fromarray(image).save(packed, "PNG", compress_level=1)
    return packed.getvalue()


def representation(image: np.ndarray, position: int = 7, compression: int = JPEG2000, **change) -> bytes:
    """One representation. `change`: other values for the fields of the header, or `data`, `extra`, `length`."""
    f = {
        "when": struct.pack(">HBBBBBH", 2026, 11, 22, 4, 31, 58, 0),
        "qualities": [b"\x2c\x00\x40\x00\x0f"],
        "certifications": None,
        "position": position,
        "unit": 1,
        "scan": (500, 500),
        "rate": (500, 500),
        "depth": 8,
        "compression": compression,
        "impression": 29,
        "width": image.shape[1],
        "height": image.shape[0],
        "data": None,
        "extra": b"",
        "size": None,
        "length": None,
    } | change
    data = compressed(image, compression) if f["data"] is None else f["data"]
    body = f["when"] + struct.pack(">BHHB", 0, 0, 0, len(f["qualities"])) + b"".join(f["qualities"])
    if f["certifications"] is not None:
        body += bytes([len(f["certifications"])]) + b"".join(f["certifications"])
    body += struct.pack(">BBBHHHH", f["position"], 0, f["unit"], *f["scan"], *f["rate"])
    body += struct.pack(">BBBHH", f["depth"], f["compression"], f["impression"], f["width"], f["height"])
    body += struct.pack(">I", len(data) if f["size"] is None else f["size"]) + data + f["extra"]
    return struct.pack(">I", len(body) + 4 if f["length"] is None else f["length"]) + body


def record(
    *representations: bytes, flag: int = 0, positions: int | None = None, count: int | None = None
) -> bytes:
    body = b"".join(representations)
    count = len(representations) if count is None else count
    head = struct.pack(">HBB", count, flag, len(representations) if positions is None else positions)
    return b"FIR\x00020\x00" + struct.pack(">I", 16 + len(body)) + head + body


def one_finger(image: np.ndarray, position: int = 7, compression: int = JPEG2000, **change) -> bytes:
    return record(representation(image, position, compression, **change))


@functools.cache
def drawn_finger(position: int = 7, seed: int = 7, **change) -> bytes:
    """A record of a synthetic print; `change` as for `representation`."""
    return one_finger(drawn(seed, 1), position, **change)


@functools.cache
def small_finger(position: int = 0) -> bytes:
    """A record with a picture too small for anything but the way there."""
    return one_finger(np.full((80, 80), 200, np.uint8), position, PLAIN)
