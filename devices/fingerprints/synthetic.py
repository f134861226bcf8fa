"""Fingers that belong to nobody: for the simulated reader, demos, tests and load.

Does: images of a synthetic finger and impressions of it, and minutiae sets without an image where
thousands are needed. Does not: support any claim of accuracy; these prints are easier than people's.

The orientation field is the zero-pole model (B. Sherlock, D. Monro, Pattern Recognition 26(7), 1993),
arches by the sine form of SFinGe (R. Cappelli, in "Handbook of Fingerprint Recognition"); ridges grow
from noise by repeated filtering with a bank of oriented Gabor filters. All is determined by seeds.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft, ndimage

from .extract import BIFURCATION, DPI, ENDING, Minutiae, minutiae_from

WIDTH_PX, HEIGHT_PX = 288, 384
"""Size of an impression at 500 dpi: 14.6 x 19.5 mm."""

PATTERNS = ("loop_left", "loop_right", "whorl", "arch")
_PATTERN_SHARES = (0.32, 0.33, 0.28, 0.07)

_MARGIN_PX = 32
_ORIENTATIONS = 16
_ITERATIONS = 9


class _Field:
    """Ridge orientation of one finger as a function of place."""

    def __init__(self, rng: np.random.Generator, width: float, height: float) -> None:
        self.pattern = str(rng.choice(PATTERNS, p=_PATTERN_SHARES))
        self.width, self.height = width, height
        cx, cy = width * (0.5 + rng.normal(0, 0.03)), height * (0.42 + rng.normal(0, 0.03))
        low = cy + height * rng.uniform(0.34, 0.42)
        aside = width * rng.uniform(0.26, 0.36)
        self.arch_height = rng.uniform(1.0, 1.8)
        if self.pattern == "whorl":
            gap = height * rng.uniform(0.04, 0.11)
            self.cores = [complex(cx, cy - gap / 2), complex(cx + rng.normal(0, 4), cy + gap / 2)]
            self.deltas = [complex(cx - aside, low), complex(cx + aside, low + rng.normal(0, 8))]
        elif self.pattern == "arch":
            self.cores, self.deltas = [], []
        else:
            side = 1 if self.pattern == "loop_left" else -1
            self.cores, self.deltas = [complex(cx, cy)], [complex(cx + side * aside, low)]

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Orientation in radians modulo π at pixels x (right) and y (down), counter-clockwise as seen."""
        if self.pattern == "arch":
            rise = np.maximum(0.0, self.arch_height * (1 - 0.9 * np.abs(y / self.height - 0.55)))
            return np.arctan(rise * np.cos(np.pi * np.clip(x / self.width, 0, 1)) * 0.8)
        angle = np.zeros(np.broadcast(x, y).shape)
        for poles, sign in ((self.deltas, -1.0), (self.cores, 1.0)):
            for pole in poles:
                angle += sign * np.arctan2(-(y - pole.imag), x - pole.real)
        return 0.5 * angle


class Finger:
    """A synthetic finger. The same seed gives the same ridges; about 0.5 s to grow."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([0xF1, seed])
        self.seed = seed
        width, height = WIDTH_PX + 2 * _MARGIN_PX, HEIGHT_PX + 2 * _MARGIN_PX
        y, x = np.mgrid[0:height, 0:width].astype(np.float64)
        field = _Field(rng, width, height)
        self.pattern = field.pattern
        self._ridges = _grow(rng, field(x, y), period_px=rng.uniform(8.2, 10.2))

    def impression(
        self,
        seed: int,
        *,
        wet: float | None = None,
        rotation_deg: float | None = None,
        shift_px: tuple[float, float] | None = None,
        area: float | None = None,
        noise: float | None = None,
    ) -> np.ndarray:
        """One touch: uint8 of shape (HEIGHT_PX, WIDTH_PX), 500 dpi, dark ridges. About 0.1 s.

        `wet` from -1 (dry, thin and broken ridges) to 1 (wet, ridges run together); `rotation_deg`
        counter-clockwise; `shift_px` to the right and down; `area` 0..1, the share of the plane that
        touches; `noise` 0..1. What is left out is drawn from the seed as people do it.
        """
        rng = np.random.default_rng([0x1A, self.seed, seed])
        drawn = (
            rng.normal(0, 0.3),
            rng.normal(0, 6.0),
            rng.normal(0, 8.0, 2),
            rng.uniform(0.7, 1.0),
            rng.uniform(0.1, 0.4),
        )
        wet = float(np.clip(drawn[0] if wet is None else wet, -1, 1))
        turn = math.radians(drawn[1] if rotation_deg is None else rotation_deg)
        right, down = drawn[2] if shift_px is None else shift_px
        area = float(np.clip(drawn[3] if area is None else area, 0.05, 1))
        noise = float(np.clip(drawn[4] if noise is None else noise, 0, 1))

        y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float64)
        u, v = x - WIDTH_PX / 2 - right, y - HEIGHT_PX / 2 - down
        from_x = math.cos(turn) * u - math.sin(turn) * v
        from_y = math.sin(turn) * u + math.cos(turn) * v
        stretch = [_smooth_noise(rng, u.shape, 60.0) * 2.5 for _ in range(2)]
        at = [
            from_y + stretch[0] + HEIGHT_PX / 2 + _MARGIN_PX,
            from_x + stretch[1] + WIDTH_PX / 2 + _MARGIN_PX,
        ]
        ridges = ndimage.map_coordinates(self._ridges, at, order=1, mode="reflect")
        grain = _smooth_noise(rng, u.shape, 1.3)
        patches = _smooth_noise(rng, u.shape, 14.0)
        dry = max(0.0, -wet)
        level = (
            ridges
            + 0.75 * wet
            + (0.25 + 0.35 * dry) * noise * 2 * grain
            - 0.35 * dry * np.maximum(patches, 0)
        )
        ink = 1.0 / (1.0 + np.exp(-6.0 * level))
        reach = math.sqrt(area)
        edge = (u / (0.5 * WIDTH_PX * reach)) ** 2 + (v / (0.5 * HEIGHT_PX * reach)) ** 2
        touching = 1.0 / (1.0 + np.exp(14.0 * (edge - 0.95 + 0.10 * _smooth_noise(rng, u.shape, 20.0))))
        pressure = 0.80 + 0.12 * wet + 0.06 * patches
        grey = 242.0 - 205.0 * ink * touching * pressure + (2.0 + 8.0 * noise) * grain
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _grow(rng: np.random.Generator, orientation: np.ndarray, period_px: float) -> np.ndarray:
    """Ridges, float32 in -1..1, from noise by nine passes of an oriented Gabor bank."""
    shape = [fft.next_fast_len(side, real=True) for side in orientation.shape]
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    spread = 1.0 / (2 * math.pi * 0.62 * period_px)
    steps = np.mod(orientation, math.pi) / math.pi * _ORIENTATIONS
    lower = np.floor(steps).astype(np.int64) % _ORIENTATIONS
    share = (steps - np.floor(steps)).astype(np.float32)
    bank = []
    for k in range(_ORIENTATIONS):
        ridge_angle = math.pi * k / _ORIENTATIONS
        # Across the ridges; image rows run downwards, angles count upwards.
        nx, ny = math.sin(ridge_angle) / period_px, math.cos(ridge_angle) / period_px
        both = sum(np.exp(-((fx - s * nx) ** 2 + (fy - s * ny) ** 2) / (2 * spread**2)) for s in (1.0, -1.0))
        weight = np.where(lower == k, 1 - share, 0) + np.where((lower + 1) % _ORIENTATIONS == k, share, 0)
        bank.append((both.astype(np.float32), weight.astype(np.float32)))
    rows, columns = orientation.shape
    image = rng.normal(0, 1, orientation.shape).astype(np.float32)
    for _ in range(_ITERATIONS):
        spectrum = fft.rfft2(image, shape)
        grown = np.zeros_like(image)
        for response, weight in bank:
            grown += weight * fft.irfft2(spectrum * response, shape)[:rows, :columns]
        image = np.tanh(2.2 * grown / (grown.std() + 1e-9)).astype(np.float32)
    return image


def _smooth_noise(rng: np.random.Generator, shape, scale_px: float) -> np.ndarray:
    """Gaussian noise of unit deviation that varies over `scale_px`; coarse scales on a coarse grid."""
    step = max(1, int(scale_px / 3))
    coarse = rng.normal(0, 1, (shape[0] // step + 3, shape[1] // step + 3))
    coarse = ndimage.gaussian_filter(coarse, scale_px / step, mode="wrap")
    coarse /= coarse.std() + 1e-12
    if step == 1:
        return coarse[: shape[0], : shape[1]]
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / step
    return ndimage.map_coordinates(coarse, [y, x], order=1, mode="nearest")


def synthetic_minutiae(seed: int) -> Minutiae:
    """The minutiae of a whole synthetic finger, 45 to 75, without an image. About 1 ms.

    They keep their distance as real ones do, and follow the finger's ridge orientation.
    """
    rng = np.random.default_rng([0x2B, seed])
    field = _Field(rng, WIDTH_PX, HEIGHT_PX)
    wanted, apart = int(rng.integers(45, 76)), 11.0
    places: list[tuple[float, float]] = []
    for x, y in rng.uniform((6, 6), (WIDTH_PX - 6, HEIGHT_PX - 6), (2000, 2)):
        inside = ((x / WIDTH_PX - 0.5) / 0.5) ** 2 + ((y / HEIGHT_PX - 0.5) / 0.5) ** 2 < 1
        if inside and all((x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in places):
            places.append((x, y))
            if len(places) == wanted:
                break
    x, y = np.array(places).T
    n = len(x)
    angle = field(x, y) + math.pi * rng.integers(0, 2, n) + rng.normal(0, 0.12, n)
    kind = np.where(rng.random(n) < 0.55, ENDING, BIFURCATION)
    return minutiae_from(x, y, angle, kind, rng.uniform(0.6, 1.0, n), WIDTH_PX, HEIGHT_PX)


def impression_of(minutiae: Minutiae, seed: int, area: float | None = None) -> Minutiae:
    """What one touch shows of a finger's minutiae: moved, stretched, some lost, some false.

    `area` 0..1 is the share of the finger that touches; left out, it is drawn (0.55 to 0.95).
    Positions are whole pixels and angles 256ths of a turn, as extraction delivers.
    """
    rng = np.random.default_rng([0x3C, seed])
    area = float(rng.uniform(0.55, 0.95) if area is None else area)
    x, y = minutiae.x_px.astype(np.float64), minutiae.y_px.astype(np.float64)
    angle, kind = minutiae.angle_rad.astype(np.float64), minutiae.kind
    width, height = minutiae.width, minutiae.height
    cx, cy = width / 2 + rng.normal(0, 8), height / 2 + rng.normal(0, 8)
    reach = math.sqrt(area)
    touching = ((x - cx) / (0.5 * width * reach)) ** 2 + ((y - cy) / (0.5 * height * reach)) ** 2 < 1
    seen = touching & (rng.random(len(minutiae)) > 0.12)
    false = rng.poisson(0.08 * seen.sum())
    spread = rng.uniform(0, 2 * math.pi, false), np.sqrt(rng.uniform(0, 1, false)) * reach
    x = np.append(x[seen], cx + 0.5 * width * spread[1] * np.cos(spread[0]))
    y = np.append(y[seen], cy + 0.5 * height * spread[1] * np.sin(spread[0]))
    angle = np.append(angle[seen], rng.uniform(0, 2 * math.pi, false))
    kind = np.append(kind[seen], np.full(false, ENDING, np.uint8))
    n = len(x)
    # Skin stretches smoothly: a few slow waves of one to three pixels.
    for _ in range(3):
        wave, phase = rng.normal(0, 1 / 60, 2), rng.uniform(0, 2 * math.pi)
        pull = np.sin(x * wave[0] + y * wave[1] + phase)
        push = rng.normal(0, 1.6, 2)
        x, y = x + push[0] * pull, y + push[1] * pull
    turn = rng.normal(0, math.radians(8))
    u, v = x - cx, y - cy
    x = cx + math.cos(turn) * u + math.sin(turn) * v + rng.normal(0, 10) + rng.normal(0, 1.2, n)
    y = cy - math.sin(turn) * u + math.cos(turn) * v + rng.normal(0, 10) + rng.normal(0, 1.2, n)
    step = 2 * math.pi / 256
    angle = np.rint((angle + turn + rng.normal(0, 0.10, n)) / step) * step
    x, y = np.rint(x), np.rint(y)
    kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    quality = rng.uniform(0.6, 1.0, n)
    return minutiae_from(x[kept], y[kept], angle[kept], kind[kept], quality[kept], width, height)


__all__ = ["DPI", "HEIGHT_PX", "PATTERNS", "WIDTH_PX", "Finger", "impression_of", "synthetic_minutiae"]
