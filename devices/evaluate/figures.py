"""Error rates with their uncertainty, and whether the sample was large enough to state them.

Does: EER, FNMR at FMR points, the DET curve and its band, rates at an operating point, in the terms of
ISO/IEC 19795-1. Does not: score (fingerprints/pairs.py) or judge (verdict.py).

Confidence. The comparisons of one person hang together, so that the usual binomial interval is too
narrow; ISO/IEC 19795-1 asks for this to be respected. Persons are drawn with replacement (the subsets
bootstrap; Bolle, Ratha and Pankanti 2004), 1,000 times (fewer in a very large sample) from a fixed seed;
an impostor comparison counts as often as both its persons were drawn. The interval given is never narrower
than Clopper and Pearson's for as many independent comparisons, because a bootstrap of no errors at all
knows no doubt.

Size. Rule of 3 (ISO/IEC 19795-1; Mansfield and Wayman, "Best Practices in Testing and Reporting Performance
of Biometric Devices", NPL Report CMSC 14/02, 2002): with N comparisons and no error, a rate below 3/N is not
established at 95 %. An FMR point is "enough" from 3/FMR impostor comparisons on. Rule of 30 (Doddington, there
too): 30 errors make it 90 % certain that the true rate lies within 30 % of the one observed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from devices.fingerprints.pairs import Compared
from devices.fingerprints.rates import curve, eer, fnmr_at_fmr, rates_at

FMR_POINTS = (0.01, 0.001, 0.0001)
CONFIDENCE = 0.95
REPLICATES = 1000
RULE_OF_30 = 30
DET_POINTS = 120
HISTOGRAM_BINS = 50
HISTOGRAM_TOP = 0.5
"""Scores run from 0 to 1; genuine ones of flat prints hardly ever pass a half. The last bin holds the rest."""

_SEED = 19795
_MOST_WEIGHED = 400_000_000
"""Comparisons times replicates; a larger sample is drawn fewer times, and needs it less."""


def needed_for(fmr: float) -> int:
    """Impostor comparisons from which on a false match rate of `fmr` can be established (rule of 3)."""
    return math.ceil(round(3 / fmr, 6))


def replicates_for(comparisons: int) -> int:
    """How many samples of persons are drawn for so many comparisons."""
    return max(100, min(REPLICATES, _MOST_WEIGHED // max(1, comparisons)))


def clopper_pearson(errors: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact two-sided interval of a rate, for independent comparisons. (0, 1) for none."""
    if n == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if errors == 0 else float(beta.ppf(tail, errors, n - errors + 1))
    high = 1.0 if errors == n else float(beta.ppf(1 - tail, errors + 1, n - errors))
    return low, high


@dataclass(frozen=True)
class Sample:
    """Comparisons that are counted together. `person_a`, `person_b`: int64, whose the two sides are."""

    scores: np.ndarray
    same: np.ndarray
    person_a: np.ndarray
    person_b: np.ndarray

    @classmethod
    def of(cls, compared: Compared, persons_a: Sequence, persons_b: Sequence | None = None, where=None) -> Sample:
        """`persons_a`, `persons_b`: whose each impression is. `where`: which comparisons to count."""
        persons_b = persons_a if persons_b is None else persons_b
        number = {person: n for n, person in enumerate(sorted({*persons_a, *persons_b}))}
        a, b = (np.array([number[p] for p in side], np.int64) for side in (persons_a, persons_b))
        where = np.ones(len(compared), bool) if where is None else where
        return cls(
            compared.scores[where],
            compared.same[where],
            a[compared.first[where]] if len(compared) else np.zeros(0, np.int64),
            b[compared.second[where]] if len(compared) else np.zeros(0, np.int64),
        )

    @property
    def genuine(self) -> np.ndarray:
        return self.scores[self.same]

    @property
    def impostor(self) -> np.ndarray:
        return self.scores[~self.same]

    @property
    def complete(self) -> bool:
        """Whether error rates exist at all."""
        return bool(self.same.any()) and not bool(self.same.all())


def measure(sample: Sample, threshold: float) -> dict:
    """All figures of a sample as plain data; rates are fractions, None where there is nothing to count.

    {eer, fnmr_at_fmr_0_1, genuine, impostor, fnmr_at: {"0.01": {...}}, at_threshold: {...}, det, det_band,
    histogram}
    """
    genuine, impostor = sample.genuine, sample.impostor
    if not sample.complete:
        return {
            "eer": None,
            "fnmr_at_fmr_0_1": None,
            "genuine": len(genuine),
            "impostor": len(impostor),
            "fnmr_at": {_name(fmr): _no_point(fmr, len(impostor)) for fmr in FMR_POINTS},
            "at_threshold": None,
            "det": [],
            "det_band": [],
            "histogram": _histogram(sample),
        }
    grid = np.geomspace(1 / (2 * len(impostor)), 1.0, 24)
    drawn = _bootstrap(sample, grid, threshold)
    value = eer(genuine, impostor)
    fmr_at, fnmr_at = rates_at(genuine, impostor, threshold)
    return {
        "eer": value,
        "eer_interval": _outer(
            _interval(drawn["eer"]), clopper_pearson(round(value * len(genuine)), len(genuine)), value
        ),
        "fnmr_at_fmr_0_1": fnmr_at_fmr(genuine, impostor, 0.001),
        "genuine": len(genuine),
        "impostor": len(impostor),
        "fnmr_at": {
            _name(fmr): _point(genuine, impostor, fmr, drawn["fnmr_at"][:, n])
            for n, fmr in enumerate(FMR_POINTS)
        },
        "at_threshold": {
            "threshold": threshold,
            "fmr": _rate(fmr_at, len(impostor), drawn["fmr"]),
            "fnmr": _rate(fnmr_at, len(genuine), drawn["fnmr"]),
        },
        "det": det(genuine, impostor),
        "det_band": [
            [float(fmr), *_interval(drawn["grid"][:, n])] for n, fmr in enumerate(grid) if fmr * len(impostor) >= 1
        ],
        "histogram": _histogram(sample),
    }


def det(genuine, impostor, points: int = DET_POINTS) -> list[list[float]]:
    """[threshold, FMR, FNMR] along the curve, FMR falling; thinned to about `points`, corners kept."""
    thresholds, fmr, fnmr = curve(genuine, impostor)
    # Of one FMR the lowest threshold has the lowest FNMR: the corner of the stairs.
    corner = np.flatnonzero(np.diff(fmr, prepend=2.0) < 0)
    if corner.size > points:
        # Even steps along the length of the curve, on the scales on which it is drawn.
        floor = 0.5 / max(len(genuine), len(impostor))
        x, y = (np.log10(np.maximum(v[corner], floor)) for v in (fmr, fnmr))
        way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        kept = np.searchsorted(way, np.linspace(0, way[-1], points))
        corner = corner[np.unique(np.clip(kept, 0, corner.size - 1))]
    return [[float(thresholds[n]), float(fmr[n]), float(fnmr[n])] for n in corner]


def rate_of(errors: int, n: int) -> dict:
    """A plain rate of independent events with its exact interval: {value, low, high, errors, n}."""
    low, high = clopper_pearson(errors, n)
    return {"value": errors / n if n else None, "low": low, "high": high, "errors": errors, "n": n}


def _name(fmr: float) -> str:
    return f"{fmr:g}" if fmr >= 0.001 else f"{fmr:.4f}"


def _no_point(fmr: float, impostor: int) -> dict:
    return {
        "value": None,
        "low": None,
        "high": None,
        "enough": False,
        "errors": None,
        "rule_of_30": False,
        "needed": needed_for(fmr),
        "impostor": impostor,
    }


def _point(genuine, impostor, fmr: float, drawn: np.ndarray) -> dict:
    value = fnmr_at_fmr(genuine, impostor, fmr)
    errors = round(value * len(genuine))
    low, high = _outer(_interval(drawn), clopper_pearson(errors, len(genuine)), value)
    return {
        "value": value,
        "low": low,
        "high": high,
        "enough": len(impostor) >= needed_for(fmr),
        "errors": errors,
        "rule_of_30": errors >= RULE_OF_30,
        "needed": needed_for(fmr),
        "impostor": len(impostor),
    }


def _rate(value: float, n: int, drawn: np.ndarray) -> dict:
    errors = round(value * n)
    low, high = _outer(_interval(drawn), clopper_pearson(errors, n), value)
    return {"value": value, "low": low, "high": high, "errors": errors, "n": n}


def _interval(drawn: np.ndarray) -> list[float]:
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return [0.0, 1.0]
    tail = 100 * (1 - CONFIDENCE) / 2
    return [float(v) for v in np.percentile(known, (tail, 100 - tail))]


def _outer(one, other, value: float) -> list[float]:
    """The wider of two intervals on each side, and around the value itself."""
    return [min(one[0], other[0], value), max(one[1], other[1], value)]


def _histogram(sample: Sample) -> dict:
    """Counts of scores in HISTOGRAM_BINS bins from 0 to HISTOGRAM_TOP."""
    edges = np.linspace(0, HISTOGRAM_TOP, HISTOGRAM_BINS + 1)

    def counts(scores) -> list[int]:
        return np.histogram(np.clip(scores, 0, HISTOGRAM_TOP), edges)[0].tolist()

    return {"top": HISTOGRAM_TOP, "genuine": counts(sample.genuine), "impostor": counts(sample.impostor)}


def _bootstrap(sample: Sample, grid: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """Figures of REPLICATES samples of persons drawn with replacement; NaN where one had nothing to count."""
    order = np.argsort(sample.scores, kind="stable")
    scores, same = sample.scores[order], sample.same[order]
    a, b = sample.person_a[order], sample.person_b[order]
    persons = int(max(a.max(), b.max())) + 1
    replicates = replicates_for(len(scores))
    # Where a threshold may lie: before each group of equal scores, and above all.
    starts = np.append(np.flatnonzero(np.diff(scores, prepend=-np.inf) > 0), len(scores))
    at = int(np.searchsorted(scores, threshold, "left"))
    random = np.random.default_rng(_SEED)
    drawn = {
        "eer": np.full(replicates, np.nan),
        "fmr": np.full(replicates, np.nan),
        "fnmr": np.full(replicates, np.nan),
        "fnmr_at": np.full((replicates, len(FMR_POINTS)), np.nan),
        "grid": np.full((replicates, len(grid)), np.nan),
    }
    for n in range(replicates):
        times = np.bincount(random.integers(0, persons, persons), minlength=persons).astype(np.float64)
        # A person compared with themself (genuine, or two of their own fingers) was drawn `times`, not its square.
        weight = np.where(a == b, times[a], times[a] * times[b])
        genuine = np.concatenate([[0.0], np.cumsum(np.where(same, weight, 0.0))])
        impostor = np.concatenate([[0.0], np.cumsum(np.where(same, 0.0, weight))])
        # Without two different persons there are no impostors, but the right person may still be rejected.
        if genuine[-1]:
            drawn["fnmr"][n] = genuine[at] / genuine[-1]
        if impostor[-1]:
            drawn["fmr"][n] = 1.0 - impostor[at] / impostor[-1]
        if not genuine[-1] or not impostor[-1]:
            continue
        fnmr = genuine[starts] / genuine[-1]
        fmr = 1.0 - impostor[starts] / impostor[-1]
        nearest = np.argmin(np.abs(fmr - fnmr))
        drawn["eer"][n] = (fmr[nearest] + fnmr[nearest]) / 2
        # FMR falls along the thresholds: the first at or below the point has the lowest FNMR.
        down = -fmr
        drawn["fnmr_at"][n] = fnmr[np.searchsorted(down, -np.array(FMR_POINTS) - 1e-12, "left")]
        drawn["grid"][n] = fnmr[np.searchsorted(down, -grid - 1e-12, "left")]
    return drawn
