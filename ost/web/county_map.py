"""The map of counties as shapes for a template: drawn on the server, a link where there is somewhere to go.

The shapes are made by `make assets` (config.maps). Where they are missing there is no map; the table beside it
says the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "static" / "build" / "counties.json"


@dataclass(frozen=True, slots=True)
class Shape:
    """One county: its outline as an SVG path, where its number stands, what it counts, where it leads."""

    code: str
    d: str
    x: int
    y: int
    count: int
    url: str  # "" = nowhere to go


@dataclass(frozen=True, slots=True)
class Map:
    box: str  # viewBox
    frames: str  # around the islands that are shown beside
    shapes: tuple[Shape, ...]


@cache
def _drawn() -> dict | None:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else None


def draw(counts: Mapping[str, int], urls: Mapping[str, str]) -> Map | None:
    """The map with `counts` per county (ISO code) and the address each leads to; None where it was not made."""
    found = _drawn()
    if found is None:
        return None
    shapes = tuple(
        Shape(code, county["d"], *county["at"], counts.get(code, 0), urls.get(code, ""))
        for code, county in found["counties"].items()
    )
    return Map(" ".join(map(str, found["box"])), found["frames"], shapes)
