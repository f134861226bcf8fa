"""Is it a finger, how good is it, and what should the person do differently?

Does: refuses pictures that are no fingers, gives the NFIQ 2 number (NIST, through nbis-py) and one
piece of advice. Does not: refuse a poor print of a real finger, or detect a fake one.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from .cylinders import MIN_VALID_CYLINDERS, cylinders
from .errors import NotAFingerprint
from .extract import DPI, Minutiae, at_500_dpi
from .segment import BLOCK_PX, foreground

PREFER_NFIQ2 = 40
PREFER_CYLINDERS = 20
"""What enrolment prefers; never a hard stop (DEVICES.md, "Operating points")."""

MIN_AREA_MM2 = 30.0
"""Smallest patch of contrast that may be a finger; a narrow swipe or a fingertip has 40 and more."""

MIN_RIDGE_SHARE = 0.06
MIN_COHERENCE = 0.22
"""Least share of the patch striped at the pitch of ridges, and least median of their parallelism.

The worst of 240 real prints (FVC2002 DB1-3_B) have 0.09 and 0.28; noise, text and flat pictures
lie below one or the other.
"""

SURE_RIDGE_SHARE = 0.3
"""Below this a capture must also have enough valid cylinders to pass for a finger in `assess`."""

ADVICE = ("none", "too_dry", "too_wet", "too_few_minutiae", "off_centre")

_MM2_PER_BLOCK = (BLOCK_PX * 25.4 / DPI) ** 2
_WINDOW_PX = 32
_PITCH_PX = (4.0, 13.0)
_MIN_PEAK = 0.35
_DRY_INK, _WET_INK = 0.25, 0.62
_OFF_CENTRE = 0.20


@dataclass(frozen=True)
class Quality:
    """`nfiq2` 0-100, or None where NFIQ 2 gave no number; `area_mm2` of contact; counts; `advice` code."""

    nfiq2: int | None
    area_mm2: float
    minutiae: int
    valid_cylinders: int
    advice: str


def require_finger(image: np.ndarray, dpi: int = DPI) -> None:
    """Raise `NotAFingerprint` unless a large enough patch of the image is striped like ridges.

    About 20 ms. Also raises `BadImage` as `extract.at_500_dpi` does.
    """
    grey = at_500_dpi(image, dpi)
    mask = foreground(grey)
    if mask.sum() * _MM2_PER_BLOCK < MIN_AREA_MM2:
        raise NotAFingerprint("too little of the picture has the contrast of ridges")
    if ridge_share(grey, mask) < MIN_RIDGE_SHARE or coherence(grey, mask) < MIN_COHERENCE:
        raise NotAFingerprint("the picture is not striped the way ridges are")


def ridge_share(grey: np.ndarray, mask: np.ndarray) -> float:
    """Share, 0..1, of the foreground blocks around which one stripe pitch of 4 to 13 pixels prevails.

    `grey` uint8 at 500 dpi, `mask` from `segment.foreground`. A block counts when the strongest wave
    of its 32 x 32 surroundings and its neighbours in the spectrum hold over a third of the power.
    """
    half = (_WINDOW_PX - BLOCK_PX) // 2
    padded = np.pad(grey.astype(np.float32), half, mode="reflect")
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW_PX, _WINDOW_PX))
    windows = windows[rows * BLOCK_PX, columns * BLOCK_PX]
    taper = np.hanning(_WINDOW_PX).astype(np.float32)
    windows = (windows - windows.mean(axis=(1, 2), keepdims=True)) * np.outer(taper, taper)
    power = np.abs(np.fft.fft2(windows)) ** 2
    near = ndimage.uniform_filter(power, (0, 3, 3), mode="wrap") * 9
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_WINDOW_PX), np.fft.fftfreq(_WINDOW_PX)))
    allowed = (frequency >= 1 / _PITCH_PX[1]) & (frequency <= 1 / _PITCH_PX[0])
    total = power.sum(axis=(1, 2)) + 1e-9
    # A real wave shows twice, at a frequency and its opposite.
    peak = 2 * np.where(allowed, near, 0).max(axis=(1, 2)) / total
    return float(np.mean(peak >= _MIN_PEAK))


def coherence(grey: np.ndarray, mask: np.ndarray) -> float:
    """Median over the foreground blocks of how parallel the gradients around them are, 0..1.

    From the structure tensor over about 16 pixels: 1 for straight stripes, 0 for noise.
    """
    if not mask.any():
        return 0.0
    smooth = ndimage.gaussian_filter(grey.astype(np.float32), 1.5)
    across, down = ndimage.sobel(smooth, 1), ndimage.sobel(smooth, 0)
    products = across * across, down * down, across * down
    xx, yy, xy = (
        ndimage.gaussian_filter(p, BLOCK_PX / 2)[BLOCK_PX // 2 :: BLOCK_PX, BLOCK_PX // 2 :: BLOCK_PX]
        for p in products
    )
    inside = tuple(slice(0, side) for side in mask.shape)
    parallel = np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-9)
    return float(np.median(parallel[inside][mask]))


_nbis_lock = threading.Lock()
_nbis_extractor = None


def nfiq2(image: np.ndarray, dpi: int = DPI) -> int:
    """NFIQ 2 of a grey image, uint8 (height, width): 0 (useless) to 100. About 0.15 s.

    Raises `NotAFingerprint` where NFIQ 2 itself cannot work on the image, `BadImage` as
    `extract.at_500_dpi`. One call at a time runs; others wait.
    """
    global _nbis_extractor
    grey = at_500_dpi(image, dpi)
    packed = io.BytesIO()
    Image.fromarray(grey).save(packed, "PNG", dpi=(DPI, DPI), compress_level=1)
    with _nbis_lock:
        import nbis

        if _nbis_extractor is None:
            settings = nbis.NbisExtractorSettings(
                min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=True, ppi=float(DPI)
            )
            _nbis_extractor = nbis.new_nbis_extractor(settings)
        try:
            score = _nbis_extractor.extract_minutiae(packed.getvalue()).quality().score
        except (nbis.NbisError, nbis.InternalError):
            raise NotAFingerprint("NFIQ 2 found nothing to judge in the picture") from None
    return int(min(100, max(0, score)))


def assess(image: np.ndarray, dpi: int, minutiae: Minutiae) -> Quality:
    """Quality of a capture whose minutiae are known already.

    Raises as `require_finger`, and `NotAFingerprint` also for a picture with doubtful stripes in
    which the network found too few minutiae: photographs with soft shapes end there.
    """
    require_finger(image, dpi)
    grey = at_500_dpi(image, dpi)
    mask = foreground(grey)
    valid = len(cylinders(minutiae))
    if valid < MIN_VALID_CYLINDERS and ridge_share(grey, mask) < SURE_RIDGE_SHARE:
        raise NotAFingerprint("hardly any ridges, and too few minutiae among them")
    try:
        number: int | None = nfiq2(grey, DPI)
    except NotAFingerprint:
        number = None
    return Quality(
        nfiq2=number,
        area_mm2=round(float(mask.sum() * _MM2_PER_BLOCK), 1),
        minutiae=len(minutiae),
        valid_cylinders=valid,
        advice=advise(grey, mask, valid),
    )


def advise(grey: np.ndarray, mask: np.ndarray, valid_cylinders: int) -> str:
    """One of ADVICE for a capture at 500 dpi; "none" whenever there are cylinders enough."""
    if valid_cylinders >= PREFER_CYLINDERS:
        return "none"
    ink = ink_share(grey, mask)
    if ink < _DRY_INK:
        return "too_dry"
    if ink > _WET_INK:
        return "too_wet"
    rows, columns = np.nonzero(mask)
    off = (
        abs(at.mean() / (size - 1) - 0.5) if size > 1 else 0.0
        for at, size in zip((rows, columns), mask.shape, strict=True)
    )
    if max(off) > _OFF_CENTRE:
        return "off_centre"
    return "too_few_minutiae"


def ink_share(grey: np.ndarray, mask: np.ndarray) -> float:
    """How dark the finger is between its own palest and darkest, 0..1: about a half for a good print."""
    inside = np.kron(mask, np.ones((BLOCK_PX, BLOCK_PX), bool))
    values = grey[: inside.shape[0], : inside.shape[1]][inside]
    if not values.size:
        return 0.0
    dark, pale = np.percentile(values, (2, 98))
    return float((pale - values.mean()) / max(pale - dark, 1.0))
