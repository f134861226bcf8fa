"""Prints of real fingers for the tests of drivers, or drawn ones where the shared data is absent.

The pictures are research data and stay outside the repository; see ../shared/data/README.md.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from devices.fingerprints.drawing import draw

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "fingerprints" / "fvc2002"
REAL = (DATA / "DB1_B" / "101_1.png").is_file()
DPI = 500


@functools.cache
def print_of(finger: int, impression: int, database: str = "DB1_B") -> np.ndarray:
    """Grey picture, uint8 (height, width), 500 dpi. `finger`: 0 to 9; `impression`: 1 to 8."""
    path = DATA / database / f"{101 + finger}_{impression}.png"
    if not path.is_file():
        return draw(7000 + finger, impression)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))
