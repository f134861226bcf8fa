"""Distances on the Earth, for "the nearest site" and "along the route". Straight lines: nobody here knows the roads.

Degrees come as integers in millionths (WGS 84); answers are whole metres.
"""

from __future__ import annotations

from math import asin, cos, hypot, radians, sin, sqrt

#: Mean radius of the Earth, metres (IUGG).
EARTH_M = 6_371_009

Point = tuple[int, int]  # (lat_e6, lon_e6)


def distance_m(a: Point, b: Point) -> int:
    """Great-circle distance (haversine)."""
    lat_a, lon_a, lat_b, lon_b = (radians(v / 1_000_000) for v in (*a, *b))
    half = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return round(2 * EARTH_M * asin(min(1.0, sqrt(half))))


def off_line_m(p: Point, a: Point, b: Point) -> int:
    """How far `p` lies from the straight way between `a` and `b`; beyond the ends, from the nearer end.

    On a plane around `a`: right to well under 1 % over the length of an island.
    """
    squeeze = cos(radians(a[0] / 1_000_000))

    def plane(q: Point) -> tuple[float, float]:
        per_e6 = radians(1 / 1_000_000) * EARTH_M
        return (q[0] - a[0]) * per_e6, (q[1] - a[1]) * per_e6 * squeeze

    (px, py), (bx, by) = plane(p), plane(b)
    length = bx * bx + by * by
    along = 0.0 if length == 0 else min(1.0, max(0.0, (px * bx + py * by) / length))
    return round(hypot(px - along * bx, py - along * by))
