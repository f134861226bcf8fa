"""Minutia Cylinder-Code: describing and comparing minutiae sets.

From R. Cappelli, M. Ferrara, D. Maltoni, "Minutia Cylinder-Code: A New Representation and
Matching Technique for Fingerprint Recognition", IEEE TPAMI 32(12), 2010: the bit-based code
with 16 x 16 x 6 cells, local similarity sorted out by an optimal assignment and relaxed over
all pairs (LSA-R). Parameters and symbols are the paper's table 1; numbers in the comments are
its equations. Scores are fractions in 0..1, symmetric up to rounding.

Does: cylinders from minutiae, and the score of two sets. Does not: search (gallery.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from .extract import Minutiae, minutiae_from

MIN_VALID_CYLINDERS = 12
"""Fewer than this: ask for another touch. Short templates gave false matches up to 0.30."""

RADIUS_PX = 70.0
NS, ND = 16, 6
SIGMA_S_PX = 28.0 / 3.0
SIGMA_D_RAD = 2.0 * math.pi / 9.0
MU_PSI = 0.01
OMEGA_PX = 50.0
MIN_VALID_CELLS = 0.75
MIN_NEIGHBOURS = 2
MIN_COMMON_CELLS = 0.60
DELTA_THETA_RAD = math.pi / 2.0
MU_P, TAU_P, MIN_NP, MAX_NP = 20.0, 2.0 / 5.0, 4, 12
W_R, N_REL = 0.5, 5
MU_1, TAU_1 = 5.0, -8.0 / 5.0
MU_2, TAU_2 = math.pi / 12.0, -30.0
MU_3, TAU_3 = math.pi / 12.0, -30.0

LAYER_WORDS = NS * NS // 64
WORDS = ND * LAYER_WORDS
"""uint64 words of one cylinder: ND layers of NS x NS cells, one bit each."""

_CELL = 2.0 * RADIUS_PX / NS
CIRCLE_CELLS = sum(
    math.hypot(i - (NS - 1) / 2, j - (NS - 1) / 2) * _CELL <= RADIUS_PX for i in range(NS) for j in range(NS)
)
"""Cells of one layer whose centre lies within RADIUS_PX: 208 of the 256."""
_SLICE = 2.0 * math.pi / ND
_TWO_PI = 2.0 * math.pi
_REACH = 3.0 * SIGMA_S_PX


@dataclass(frozen=True, eq=False)
class Cylinders:
    """The valid cylinders of one impression; n of them.

    `bits` uint64 (n, WORDS): the packed cells, those outside the print are 0. `mask` uint64
    (n, LAYER_WORDS): which cells of a layer count (the same for all layers). `place` float32 (n, 3):
    x and y in pixels at 500 dpi, y upwards, and direction in radians.
    """

    bits: np.ndarray
    mask: np.ndarray
    place: np.ndarray

    def __len__(self) -> int:
        return self.bits.shape[0]

    def __repr__(self) -> str:
        return f"<Cylinders {len(self)}>"

    @property
    def enough(self) -> bool:
        """Whether there are at least MIN_VALID_CYLINDERS."""
        return len(self) >= MIN_VALID_CYLINDERS


def cylinders(minutiae: Minutiae) -> Cylinders:
    """The valid cylinders of a set of minutiae; none when there are fewer than three minutiae.

    About 1 ms for forty minutiae. The caller checks `.enough` before it trusts a score.
    """
    x = minutiae.x_px.astype(np.float64)
    y = -minutiae.y_px.astype(np.float64)
    angle = minutiae.angle_rad.astype(np.float64)
    bits, mask, valid = _build(x, y, angle)
    place = np.stack([x, y, angle], axis=1)[valid].astype(np.float32)
    arrays = [np.ascontiguousarray(a) for a in (bits[valid], mask[valid], place)]
    for array in arrays:
        array.flags.writeable = False
    return Cylinders(*arrays)


def match(a: Cylinders, b: Cylinders) -> float:
    """LSA-R score in 0..1 of two impressions; 0 when either has no cylinder. Takes 20 to 80 µs."""
    if not len(a) or not len(b):
        return 0.0
    return float(pair_score(a.bits, a.mask, a.place, b.bits, b.mask, b.place))


@intrinsic
def popcount(typingctx, word):
    """Number of set bits of a uint64, by the processor's own instruction."""

    def emit(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), emit


@njit(cache=True, nogil=True, inline="always")
def _turn_between(a, b):
    """Directed angle a - b brought into [-π, π) (eq. 3)."""
    d = a - b
    if d < -math.pi:
        d += _TWO_PI
    elif d >= math.pi:
        d -= _TWO_PI
    return d


@njit(cache=True, nogil=True)
def _convex_hull(x, y):
    """Indices of the hull's corners, counter-clockwise (Andrew's monotone chains)."""
    n = x.shape[0]
    by_y = np.argsort(y, kind="mergesort")
    order = by_y[np.argsort(x[by_y], kind="mergesort")]
    hull = np.empty(2 * n, np.int64)
    size = 0
    for chain in range(2):
        first = size
        for step in range(n):
            i = order[step] if chain == 0 else order[n - 1 - step]
            while size - first >= 2:
                p, q = hull[size - 2], hull[size - 1]
                if (x[q] - x[p]) * (y[i] - y[p]) - (y[q] - y[p]) * (x[i] - x[p]) > 0.0:
                    break
                size -= 1
            hull[size] = i
            size += 1
        size -= 1  # the last corner of one chain is the first of the other
    return hull[: max(size, 1)]


@njit(cache=True, nogil=True)
def _near_hull(px, py, hx, hy):
    """Whether a point lies inside a counter-clockwise polygon or within OMEGA_PX of it."""
    n = hx.shape[0]
    inside = n > 2
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        ex, ey = hx[j] - hx[i], hy[j] - hy[i]
        dx, dy = px - hx[i], py - hy[i]
        if ex * dy - ey * dx < 0.0:
            inside = False
        length2 = ex * ex + ey * ey
        t = 0.0
        if length2 > 0.0:
            t = min(1.0, max(0.0, (dx * ex + dy * ey) / length2))
        gx, gy = dx - t * ex, dy - t * ey
        if gx * gx + gy * gy <= OMEGA_PX * OMEGA_PX:
            return True
    return inside


@njit(cache=True, nogil=True)
def _build(x, y, angle):
    """Cylinders of all n minutiae: bits (n, WORDS), mask (n, LAYER_WORDS), valid bool (n,)."""
    n = x.shape[0]
    bits = np.zeros((n, WORDS), np.uint64)
    mask = np.zeros((n, LAYER_WORDS), np.uint64)
    valid = np.zeros(n, np.bool_)
    if n < MIN_NEIGHBOURS + 1:
        return bits, mask, valid
    hull = _convex_hull(x, y)
    hx, hy = x[hull], y[hull]
    near = np.empty(n, np.int64)
    directional = np.empty((n, ND))
    value = np.empty(ND)
    one = np.uint64(1)
    for m in range(n):
        count = 0
        for t in range(n):
            dx, dy = x[t] - x[m], y[t] - y[m]
            if t == m or dx * dx + dy * dy > (RADIUS_PX + _REACH) ** 2:
                continue
            near[count] = t
            turn = _turn_between(angle[m], angle[t])
            for k in range(ND):
                # Gaussian of the turn, integrated over the slice around the layer's angle (eq. 9-12).
                d = _turn_between(-math.pi + (k + 0.5) * _SLICE, turn)
                scale = 1.0 / (SIGMA_D_RAD * math.sqrt(2.0))
                directional[count, k] = 0.5 * (
                    math.erf((d + _SLICE / 2.0) * scale) - math.erf((d - _SLICE / 2.0) * scale)
                )
            count += 1
        if count < MIN_NEIGHBOURS:
            continue
        c, s = math.cos(angle[m]), math.sin(angle[m])
        cells = 0
        for i in range(NS):
            for j in range(NS):
                u, v = (i - (NS - 1) / 2.0) * _CELL, (j - (NS - 1) / 2.0) * _CELL
                if u * u + v * v > RADIUS_PX * RADIUS_PX:
                    continue
                px, py = x[m] + c * u - s * v, y[m] + s * u + c * v
                if not _near_hull(px, py, hx, hy):
                    continue
                cells += 1
                at = i * NS + j
                mask[m, at >> 6] |= one << np.uint64(at & 63)
                value[:] = 0.0
                for q in range(count):
                    t = near[q]
                    d2 = (x[t] - px) ** 2 + (y[t] - py) ** 2
                    if d2 > _REACH * _REACH:
                        continue
                    spatial = math.exp(-d2 / (2.0 * SIGMA_S_PX * SIGMA_S_PX)) / (
                        SIGMA_S_PX * math.sqrt(_TWO_PI)
                    )
                    for k in range(ND):
                        value[k] += spatial * directional[q, k]
                for k in range(ND):
                    if value[k] >= MU_PSI:
                        bits[m, k * LAYER_WORDS + (at >> 6)] |= one << np.uint64(at & 63)
        valid[m] = cells >= MIN_VALID_CELLS * CIRCLE_CELLS
    return bits, mask, valid


@njit(cache=True, nogil=True)
def _for_all_layers(mask):
    """The mask of one layer repeated for every layer: uint64 (n, WORDS), so that loops vectorise."""
    n = mask.shape[0]
    wide = np.empty((n, WORDS), np.uint64)
    for i in range(n):
        for w in range(WORDS):
            wide[i, w] = mask[i, w % LAYER_WORDS]
    return wide


@njit(cache=True, nogil=True)
def _similarities(bits_a, mask_a, place_a, bits_b, mask_b, place_b):
    """Likeness of every cylinder of a and of b over the cells valid in both, float64 (na, nb).

    Equation 17 with the bits of section 5.1; 0 where directions differ by more than DELTA_THETA_RAD
    or too few cells are shared.
    """
    na, nb = bits_a.shape[0], bits_b.shape[0]
    wide_a, wide_b = _for_all_layers(mask_a), _for_all_layers(mask_b)
    gain = np.zeros((na, nb))
    similar = np.empty(nb, np.int64)
    for i in range(na):
        # First collect, then compare: a branch in the middle of this loop costs as much as the rest.
        found = 0
        for j in range(nb):
            turn = abs(place_a[i, 2] - place_b[j, 2])
            similar[found] = j
            found += min(turn, np.float32(_TWO_PI) - turn) <= np.float32(DELTA_THETA_RAD)
        for at in range(found):
            j = similar[at]
            shared, in_a, in_b, differ = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
            for w in range(WORDS):
                both = wide_a[i, w] & wide_b[j, w]
                word_a, word_b = bits_a[i, w] & both, bits_b[j, w] & both
                shared += popcount(both)
                in_a += popcount(word_a)
                in_b += popcount(word_b)
                differ += popcount(word_a ^ word_b)
            norms = math.sqrt(np.float64(in_a)) + math.sqrt(np.float64(in_b))
            if norms > 0.0 and shared >= MIN_COMMON_CELLS * CIRCLE_CELLS * ND:
                gain[i, j] = 1.0 - math.sqrt(np.float64(differ)) / norms
    return gain


@njit(cache=True, nogil=True)
def _assign(gain):
    """For each row of a gain matrix with rows <= columns, its column in the assignment of greatest sum.

    Shortest augmenting paths with potentials (Kuhn, Munkres; Jonker and Volgenant).
    """
    rows, columns = gain.shape
    u, v = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.int64)
    way = np.zeros(columns + 1, np.int64)
    slack = np.empty(columns + 1)
    used = np.empty(columns + 1, np.bool_)
    for r in range(1, rows + 1):
        owner[0] = r
        slack[:] = np.inf
        used[:] = False
        j0 = 0
        while True:
            used[j0] = True
            i0 = owner[j0]
            delta = np.inf
            j1 = 0
            for j in range(1, columns + 1):
                if used[j]:
                    continue
                reduced = -gain[i0 - 1, j - 1] - u[i0] - v[j]
                if reduced < slack[j]:
                    slack[j] = reduced
                    way[j] = j0
                if slack[j] < delta:
                    delta = slack[j]
                    j1 = j
            for j in range(columns + 1):
                if used[j]:
                    u[owner[j]] += delta
                    v[j] -= delta
                else:
                    slack[j] -= delta
            j0 = j1
            if owner[j0] == 0:
                break
        while j0:
            owner[j0] = owner[way[j0]]
            j0 = way[j0]
    column_of = np.empty(rows, np.int64)
    for j in range(1, columns + 1):
        if owner[j]:
            column_of[owner[j] - 1] = j - 1
    return column_of


@njit(cache=True, nogil=True)
def _compatibility(a, b):
    """How well pairs of minutiae agree, float64 (n, n): row t, column k (eq. 29-34).

    `a` and `b` hold x, y, direction, shape (n, 3); row t of one is paired with row t of the other.
    The three agreements are in distance, in relative direction and in radial angle. Below 1e-7 is 0.
    """
    n = a.shape[0]
    rho = np.zeros((n, n))
    for t in range(n):
        for k in range(t):
            ax, ay, bx, by = a[k, 0] - a[t, 0], a[k, 1] - a[t, 1], b[k, 0] - b[t, 0], b[k, 1] - b[t, 1]
            d1 = abs(math.sqrt(ax * ax + ay * ay) - math.sqrt(bx * bx + by * by))
            e1 = -TAU_1 * (d1 - MU_1)
            if e1 > 16.0:
                continue
            d2 = abs(_turn_between(_turn_between(a[t, 2], a[k, 2]), _turn_between(b[t, 2], b[k, 2])))
            e2 = -TAU_2 * (d2 - MU_2)
            if e2 > 16.0:
                continue
            shared = (1.0 + math.exp(e1)) * (1.0 + math.exp(e2))
            towards_a, towards_b = math.atan2(ay, ax), math.atan2(by, bx)
            turned = _turn_between(towards_a, towards_b)
            # Seen from k the other end lies the opposite way in both, which leaves `turned` as it is.
            for seen_from, other in ((t, k), (k, t)):
                d3 = abs(_turn_between(_turn_between(a[seen_from, 2], b[seen_from, 2]), turned))
                rho[seen_from, other] = 1.0 / (shared * (1.0 + math.exp(-TAU_3 * (d3 - MU_3))))
    return rho


@njit(cache=True, nogil=True)
def pair_score(bits_a, mask_a, place_a, bits_b, mask_b, place_b):
    """LSA-R score of two non-empty sets given as their arrays; for loops that are compiled too."""
    if bits_a.shape[0] > bits_b.shape[0]:
        return _lsa_r(bits_b, mask_b, place_b, bits_a, mask_a, place_a)
    return _lsa_r(bits_a, mask_a, place_a, bits_b, mask_b, place_b)


@njit(cache=True, nogil=True)
def _lsa_r(bits_a, mask_a, place_a, bits_b, mask_b, place_b):
    """LSA-R (section 4.3) for a set `a` that is not the larger: assign, relax, average the best pairs.

    The average is over n_P pairs even when there are fewer: a short set cannot score high by chance.
    """
    na = bits_a.shape[0]
    gain = _similarities(bits_a, mask_a, place_a, bits_b, mask_b, place_b)
    column_of = _assign(gain)
    start = np.empty(na)
    for i in range(na):
        start[i] = gain[i, column_of[i]]
    if na == 1:
        return start[0] / MIN_NP
    rho = _compatibility(place_a, place_b[column_of])
    now = start.copy()
    new = np.empty(na)
    for _ in range(N_REL):
        for t in range(na):
            support = 0.0
            for k in range(na):
                support += rho[t, k] * now[k]
            new[t] = W_R * now[t] + (1.0 - W_R) * support / (na - 1)
        now, new = new, now
    efficiency = np.zeros(na)
    for t in range(na):
        if start[t] > 0.0:
            efficiency[t] = now[t] / start[t]
    pairs = MIN_NP + round((MAX_NP - MIN_NP) / (1.0 + math.exp(-TAU_P * (na - MU_P))))
    best = np.argsort(-efficiency)
    total = 0.0
    for t in range(min(pairs, na)):
        total += now[best[t]]
    return total / pairs


def warm_up() -> None:
    """Compile (once per machine; later a load from numba's cache) so that no patient waits for it."""
    grid = np.arange(16.0)
    xs, ys = 100 + 30 * (grid % 4), 100 + 30 * (grid // 4)
    ones = np.ones(16)
    some = cylinders(minutiae_from(xs, ys, grid / 3, ones, ones, 300, 300))
    match(some, some)
