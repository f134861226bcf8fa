"""How alike a probe is to many templates that lie in one set of arrays: the compiled loops of gallery.py.

Row r of the arrays is `start[r]` to `start[r] + count[r]`; see `Cylinders` for bits, mask and place.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .cylinders import WORDS, pair_score, popcount

PREFILTER_ANGLE_RAD = math.pi / 3
PREFILTER_BEST = 8


@njit(cache=True, nogil=True)
def set_bits(bits):
    """Set bits of each packed cylinder, float32 (n,)."""
    out = np.empty(bits.shape[0], np.float32)
    for i in range(bits.shape[0]):
        total = np.uint64(0)
        for w in range(WORDS):
            total += popcount(bits[i, w])
        out[i] = np.float32(total)
    return out


@njit(cache=True, nogil=True)
def exact_scores(bits, mask, place, start, count, rows, probe_bits, probe_mask, probe_place):
    """Exact score of the probe against each of the rows, float64 (len(rows),)."""
    out = np.zeros(rows.shape[0])
    for r in range(rows.shape[0]):
        a, b = start[rows[r]], start[rows[r]] + count[rows[r]]
        out[r] = pair_score(probe_bits, probe_mask, probe_place, bits[a:b], mask[a:b], place[a:b])
    return out


@njit(cache=True, nogil=True)
def nearness(bits, ones, place, start, count, rows, probe_bits, probe_ones, probe_place):
    """Rough likeness of the probe to each of the rows, float32 (len(rows),), for ranking only.

    For each probe cylinder the nearest cylinder of similar direction, by Hamming distance over the
    number of bits set in either; of these the mean of the PREFILTER_BEST nearest.
    """
    n = probe_bits.shape[0]
    out = np.zeros(rows.shape[0], np.float32)
    best = np.empty(n, np.float32)
    similar = np.empty(count.max(), np.int64)
    for r in range(rows.shape[0]):
        first = start[rows[r]]
        last = first + count[rows[r]]
        for i in range(n):
            # First collect, then compare: a branch in the middle of this loop costs as much as the rest.
            found = 0
            for j in range(first, last):
                turn = abs(probe_place[i, 2] - place[j, 2])
                turn = min(turn, np.float32(2 * math.pi) - turn)
                similar[found] = j
                found += turn <= np.float32(PREFILTER_ANGLE_RAD)
            nearest = np.float32(1.0)
            for at in range(found):
                j = similar[at]
                differ = np.uint64(0)
                for w in range(WORDS):
                    differ += popcount(probe_bits[i, w] ^ bits[j, w])
                nearest = min(nearest, np.float32(differ) / max(np.float32(1.0), probe_ones[i] + ones[j]))
            best[i] = nearest
        ordered = np.sort(best)
        taken = min(PREFILTER_BEST, n)
        total = np.float32(0.0)
        for i in range(taken):
            total += np.float32(1.0) - ordered[i]
        out[r] = total / taken
    return out
