"""Error rates of a matcher from its scores. A comparison matches when its score is at or above the threshold.

Definitions as in ISO/IEC 19795-1 (FMR, FNMR) and FVC2002 (equal error rate of a finite set).
"""

from __future__ import annotations

import numpy as np


def curve(genuine, impostor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds (ascending), FMR and FNMR at each, all float64 of one length.

    Every score that occurs is a threshold, and one above all of them, so that the curve
    runs from "everything matches" to "nothing does". Raises ValueError on an empty set.
    """
    genuine = np.sort(np.asarray(genuine, np.float64).ravel())
    impostor = np.sort(np.asarray(impostor, np.float64).ravel())
    if not genuine.size or not impostor.size:
        raise ValueError("error rates need at least one genuine and one impostor score")
    thresholds = np.unique(np.concatenate([genuine, impostor]))
    thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    fmr = 1.0 - np.searchsorted(impostor, thresholds, "left") / impostor.size
    fnmr = np.searchsorted(genuine, thresholds, "left") / genuine.size
    return thresholds, fmr, fnmr


def eer(genuine, impostor) -> float:
    """Equal error rate, a fraction: the middle of FMR and FNMR where they lie closest together."""
    _, fmr, fnmr = curve(genuine, impostor)
    nearest = np.argmin(np.abs(fmr - fnmr))
    return float((fmr[nearest] + fnmr[nearest]) / 2)


def fnmr_at_fmr(genuine, impostor, fmr: float) -> float:
    """Lowest FNMR, a fraction, at any threshold whose FMR is at most `fmr` (a fraction: 0.001 is 0.1 %)."""
    _, fmrs, fnmrs = curve(genuine, impostor)
    return float(fnmrs[fmrs <= fmr].min())


def rates_at(genuine, impostor, threshold: float) -> tuple[float, float]:
    """(FMR, FNMR), fractions, when a score of at least `threshold` counts as a match."""
    return (
        float(np.mean(np.asarray(impostor, np.float64) >= threshold)),
        float(np.mean(np.asarray(genuine, np.float64) < threshold)),
    )


def headline(genuine, impostor) -> dict[str, float]:
    """The two figures every measurement here gives: `eer` and `fnmr_at_fmr_0_1`, fractions."""
    return {"eer": eer(genuine, impostor), "fnmr_at_fmr_0_1": fnmr_at_fmr(genuine, impostor, 0.001)}
