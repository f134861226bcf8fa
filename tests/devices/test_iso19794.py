"""The exchange format: what was written comes back, foreign records parse, garbage gives one error."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.fingerprints import BadTemplate, decode, encode, match
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.extract import minutiae_from
from devices.fingerprints.iso19794 import decode_views
from devices.fingerprints.synthetic import impression_of, synthetic_minutiae
from tests.devices.prints import extracted

RECORD = encode(impression_of(synthetic_minutiae(5), 1), finger=7, quality=80)


def test_an_extracted_print_comes_back_exactly():
    before = extracted(0, 0)
    after = decode(encode(before))
    for name in ("x_px", "y_px", "angle_rad", "kind"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), name
    assert (after.width, after.height) == (before.width, before.height)
    assert match(cylinders(after), cylinders(extracted(0, 1))) == match(
        cylinders(before), cylinders(extracted(0, 1))
    )


def test_the_view_says_which_finger():
    (view,) = decode_views(RECORD)
    assert (view.finger, view.view, view.impression, view.quality) == (7, 0, 0, 80)
    assert encode(view.minutiae, finger=7, quality=80) == RECORD


def test_another_resolution_is_brought_to_500_dpi():
    doubled = bytearray(RECORD)
    doubled[18:22] = struct.pack(">HH", 394, 394)
    half, whole = decode(bytes(doubled)), decode(RECORD)
    assert np.allclose(half.x_px * 2, whole.x_px)
    assert half.width == round(whole.width / 2)


def test_a_record_of_two_views_and_extended_data():
    view = RECORD[24:-2]
    body = view + struct.pack(">H4s", 4, b"\x00\x01\x00\x04") + view + b"\0\0"
    record = RECORD[:8] + struct.pack(">I", 24 + len(body)) + RECORD[12:22] + b"\x02\x00" + body
    views = decode_views(record)
    assert len(views) == 2
    assert np.array_equal(views[0].minutiae.x_px, views[1].minutiae.x_px)


def parses(data) -> bool:
    try:
        decode_views(data)
    except BadTemplate:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_a_bad_template_and_nothing_else(data):
    parses(data)
    parses(b"FMR\x00 20\x00" + data)
    parses(b"FMR\x00 20\x00" + struct.pack(">I", 12 + len(data)) + data)
    parses(RECORD[:24] + data)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(RECORD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_record_parses_safely_or_is_a_bad_template(damage):
    record = bytearray(RECORD)
    for at, value in damage:
        record[at] = value
    if parses(bytes(record)):
        cylinders(decode(bytes(record)))


def test_every_truncation_is_a_bad_template():
    for length in range(len(RECORD)):
        assert not parses(RECORD[:length])
    assert not parses(RECORD + b"\0")


@pytest.mark.parametrize("thing", [None, "FMR", 5, b""])
def test_what_is_not_bytes_is_a_bad_template(thing):
    with pytest.raises(BadTemplate):
        decode(thing)


def test_what_no_record_can_hold_is_refused_when_written():
    def one(x, y, kind=1, angle=0.0):
        return minutiae_from([x], [y], [angle], [kind], [1.0], 300, 400)

    many = minutiae_from([1] * 256, [1] * 256, [0] * 256, [1] * 256, [1] * 256, 300, 400)
    for bad in (
        one(-3, 5),
        one(5, 900),
        one(5, 5, kind=3),
        one(float("nan"), 5),
        one(5, 5, angle=np.inf),
        many,
    ):
        with pytest.raises(BadTemplate):
            encode(bad)
    for finger, quality in ((11, 0), (-1, 0), (0, 101)):
        with pytest.raises(BadTemplate):
            encode(one(5, 5), finger=finger, quality=quality)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 299),
            st.integers(0, 399),
            st.integers(0, 255),
            st.integers(0, 2),
            st.integers(0, 100),
        ),
        max_size=255,
    )
)
def test_whatever_is_written_comes_back(rows):
    x, y, angle, kind, quality = np.array(rows).reshape(-1, 5).T
    before = minutiae_from(x, y, angle * (2 * np.pi / 256), kind, quality / 100, 300, 400)
    after = decode(encode(before))
    for name in ("x_px", "y_px", "angle_rad", "kind", "quality"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), name


def test_every_shared_vendor_template_parses_and_none_of_its_truncations(shared_data):
    records = sorted((shared_data / "fingerprints" / "fvc2002").glob("*/*.iso"))
    assert len(records) == 240
    for number, path in enumerate(records):
        data = path.read_bytes()
        first = decode(data)
        assert len(first) > 0
        again = decode(encode(first))
        assert np.array_equal(again.x_px, first.x_px)
        assert np.array_equal(again.angle_rad, first.angle_rad)
        if number % 40 == 0:
            assert not any(parses(data[:length]) for length in range(0, len(data), 7))
