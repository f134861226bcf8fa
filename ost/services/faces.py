"""A photograph as it comes from a camera or a file, made safe to keep and to show.

What comes in is decoded and encoded anew, so that nothing but pixels is kept:
no position, no camera, no hidden text, no second format. SVG is never accepted
here; the demo draws its own faces and hands them over as `Face`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from ost.errors import Refusal

MOST_BYTES = 4 * 1024 * 1024
MOST_PIXELS = 24_000_000
LEAST_SIDE = 120
KEPT_SIDE = 480  # the counter shows 160 px; three times that for sharp screens
PNG, JPEG, SVG = "image/png", "image/jpeg", "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Face:
    """An image ready to be sealed. Made by `clean_face`, or drawn by the demo."""

    data: bytes
    type: str  # JPEG, or SVG in the demo


def clean_face(data: bytes) -> Face:
    """Refusal("face_too_large" | "face_not_understood" | "face_too_small") for anything but a usable photograph."""
    if len(data) > MOST_BYTES:
        raise _no("face_too_large", most_mb=MOST_BYTES // (1024 * 1024))
    try:
        # The header is read first: a bomb is refused by its claimed size, before a pixel is decoded.
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise _no("face_too_large", most_mb=MOST_BYTES // (1024 * 1024))
            if min(width, height) < LEAST_SIDE:
                raise _no("face_too_small", least=LEAST_SIDE)
            picture.load()
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except Image.DecompressionBombError as error:
        raise _no("face_too_large", most_mb=MOST_BYTES // (1024 * 1024)) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise _no("face_not_understood") from error
    square = ImageOps.fit(upright, (KEPT_SIDE, KEPT_SIDE), centering=(0.5, 0.4))
    out = io.BytesIO()
    square.save(out, "JPEG", quality=85, optimize=True)
    return Face(out.getvalue(), JPEG)


def _no(code: str, **data) -> Refusal:
    return Refusal(code, fields={"face": [code]}, **data)
