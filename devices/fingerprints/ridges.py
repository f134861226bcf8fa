"""How far apart the ridges of a print are, and what resolution that makes likely.

Does: finds the prevailing period of the ridges in a picture, in pixels, whatever its resolution, and from
it an estimate of the true resolution with an interval. Does not: measure. Nobody's ridges are known in
millimetres: one print tells 250 from 500 from 1000 dpi, and never 500 from 569; many fingers of many
people narrow it to about a tenth.

Adults' ridges are 0.47 mm (men) and 0.41 mm (women) apart on average (R. T. Moore, "An analysis of
ridge-to-ridge distance on fingerprints", Journal of Forensic Identification 39 (4), 1989; D. R. Ashbaugh,
Quantitative-Qualitative Friction Ridge Analysis, CRC Press 1999, p. 64). Children's are finer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .segment import BLOCK_PX, foreground

RIDGE_SPACING_MM = 0.44
"""Between the means of men and women."""

WOMEN_MM, MEN_MM = 0.41, 0.47

FINEST_MM, WIDEST_MM = 0.33, 0.56
"""Where the ridges of nearly every single adult print lie: 233 of the 236 pictures of FVC2002 DB1-3_B that show
enough ridges; the other three are of one finger, with ridges 0.32 mm apart."""

SLACK = 1.15
"""How far a resolution may lie beyond `estimate_dpi`'s interval before a touch is refused for it."""

PERIODS_PX = (3.0, 26.0)
"""Ridge periods that are looked for: from 200 dpi with fine ridges to 1300 dpi with wide ones."""

_WINDOW_PX = 64
_PADDED_PX = 128
_MOST_WINDOWS = 120
_FEWEST_WINDOWS = 8
_MIN_PEAK = 0.25
_MM_PER_INCH = 25.4

_DOWN, _ACROSS = np.meshgrid(np.fft.fftfreq(_PADDED_PX), np.fft.rfftfreq(_PADDED_PX), indexing="ij")
_FREQUENCY = np.hypot(_DOWN, _ACROSS).astype(np.float32)
_LOWEST, _HIGHEST = 1 / PERIODS_PX[1], 1 / PERIODS_PX[0]
# Looked at a little beyond, so that a slower wave is seen to be one and not taken for the slowest ridge.
_ALLOWED = (_FREQUENCY >= 0.8 * _LOWEST) & (_FREQUENCY <= 1.1 * _HIGHEST)
_TAPER = np.outer(np.hanning(_WINDOW_PX), np.hanning(_WINDOW_PX)).astype(np.float32)


def estimate_dpi(image: np.ndarray) -> tuple[float, float, float] | None:
    """(dpi, low, high) of one print, or None where it shows too few ridges. About 20 ms.

    `image`: grey, uint8 (height, width), dark ridges or light, any resolution. `low` and `high` are what
    the finest and the widest ridges of an adult would make of it: a declared resolution outside them is
    wrong, or the picture is scaled; one inside them is possible, no more. Over FVC2002 DB1-3_B (500, 569
    and 500 dpi) the medians of 80 prints are 486, 579 and 491, single prints lie between 368 and 702.
    """
    period = ridge_period_px(image)
    if period is None:
        return None
    return tuple(period * _MM_PER_INCH / mm for mm in (RIDGE_SPACING_MM, WIDEST_MM, FINEST_MM))


def contradict(image: np.ndarray, dpi: int) -> bool:
    """Whether the ridges say that `dpi` cannot be: half or twice the truth, never a tenth off.

    SLACK beyond the interval of `estimate_dpi` is still let through, for the rare finger outside it; a
    picture with too few ridges contradicts nothing.
    """
    estimated = estimate_dpi(image)
    return estimated is not None and not estimated[1] / SLACK <= dpi <= estimated[2] * SLACK


def pooled_dpi(estimates: Sequence[float], people: int) -> tuple[float, float, float] | None:
    """(dpi, low, high) from the estimates of many prints of `people` different people; None without any.

    The median; between the means of men and women, as nobody knows who touched, widened by what is left
    to chance between people (95 %). Under about ten people this says hardly more than one print does.
    """
    values = np.asarray(estimates, float)
    if not values.size or people < 1:
        return None
    middle = float(np.median(values))
    # Several prints of one person tell little more than one: people count, not prints.
    spread = float(values.std(ddof=1)) if values.size > 1 else middle * 0.1
    chance = 1.96 * 1.25 * max(spread, 0.07 * middle) / np.sqrt(people)
    low = middle * RIDGE_SPACING_MM / MEN_MM - chance
    high = middle * RIDGE_SPACING_MM / WOMEN_MM + chance
    return middle, max(float(low), 0.0), float(high)


def ridge_period_px(image: np.ndarray) -> float | None:
    """Median distance from ridge to ridge in pixels, or None where too few places are striped clearly enough.

    Windows of 64 x 64 over the finger, at most 120 of them; in each the strongest wave within PERIODS_PX
    counts when it and its neighbours in the spectrum hold a quarter of the power there. The power is
    weighted by the frequency, or uneven pressure, a slow wave, would win over fine ridges.
    """
    windows = _windows(image)
    if windows is None:
        return None
    plain = np.abs(np.fft.rfft2(windows * _TAPER, (_PADDED_PX, _PADDED_PX))) ** 2
    weighted = plain * _FREQUENCY
    count = len(plain)
    near, below = (
        ndimage.uniform_filter(each, (0, 5, 5), mode="wrap").reshape(count, -1) for each in (weighted, plain)
    )
    best, each = np.where(_ALLOWED.ravel(), near, 0).argmax(axis=1), np.arange(count)
    peak = 25 * near[each, best] / ((weighted * _ALLOWED).sum(axis=(1, 2)) + 1e-9)
    # The middle of the peak, of the power as it is.
    frequency = near[each, best] / (below[each, best] + 1e-9)
    sure = (peak >= _MIN_PEAK) & (frequency >= _LOWEST) & (frequency <= _HIGHEST)
    if sure.sum() < _FEWEST_WINDOWS:
        return None
    return float(np.median(1 / frequency[sure]))


def _windows(image: np.ndarray) -> np.ndarray | None:
    """float32 (n, 64, 64) around evenly picked blocks of the finger, each less its mean; None without a finger."""
    rows, columns = np.nonzero(foreground(image))
    if not rows.size:
        return None
    if rows.size > _MOST_WINDOWS:
        picked = np.linspace(0, rows.size - 1, _MOST_WINDOWS).astype(int)
        rows, columns = rows[picked], columns[picked]
    margin = (_WINDOW_PX - BLOCK_PX) // 2
    padded = np.pad(image.astype(np.float32), margin, mode="reflect")
    tops, lefts = rows * BLOCK_PX, columns * BLOCK_PX
    windows = np.stack(
        [
            padded[top : top + _WINDOW_PX, left : left + _WINDOW_PX]
            for top, left in zip(tops, lefts, strict=True)
        ]
    )
    return windows - windows.mean(axis=(1, 2), keepdims=True)
