"""Drawn faces are plain shapes: well-formed, without script, style, link or text; and people differ."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date

import pytest

from ost.demo.faces import face
from ost.demo.people import people

ELEMENTS = {"svg", "rect", "path", "circle", "ellipse"}
ATTRIBUTES = {
    "viewBox", "width", "height", "x", "y", "rx", "ry", "cx", "cy", "r", "d",
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-linecap",
}  # fmt: skip
COLOUR = re.compile(r"#[0-9a-f]{6}([0-9a-f]{2})?|none")


@pytest.mark.parametrize("seed", range(120))
def test_a_face_is_safe_and_plain(seed):
    drawn = face(seed, ("female", "male")[seed % 2], 22 + seed % 55)
    assert len(drawn) < 8000
    assert b"<!" not in drawn
    assert b"<?" not in drawn
    root = ET.fromstring(drawn)
    for element in root.iter():
        space, _, name = element.tag.rpartition("}")
        assert space == "{http://www.w3.org/2000/svg"
        assert name in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
        assert not (element.text or "").strip()
        for key in ("fill", "stroke"):
            if key in element.attrib:
                assert COLOUR.fullmatch(element.attrib[key])


def test_the_same_seed_draws_the_same_face_and_others_differ():
    assert face(3, "male", 40) == face(3, "male", 40)
    assert len({face(n, "male", 40) for n in range(100)}) > 95


def test_people_are_the_same_each_time_and_differ_from_each_other():
    day = date(2026, 3, 10)
    made = people(300, 7, day)
    assert made == people(300, 7, day)
    assert len({p.national_id for p in made}) == 300
    assert len({p.name for p in made}) > 250
    assert all(18 <= (day - p.birth_date).days // 365 <= 82 for p in made)
