"""Images in, minutiae out; what is no image, too large, or no finger is refused with its own error."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices import fingerprints
from devices.fingerprints import (
    ADVICE,
    BadImage,
    NotAFingerprint,
    assess,
    load_image,
    match,
    nfiq2,
    require_finger,
)
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.extract import MAX_IMAGE_PIXELS, MIN_CONFIDENCE, extract
from tests.devices.prints import drawn, extracted, png


def test_a_synthetic_finger_matches_itself_and_no_other():
    described = {(f, i): cylinders(extracted(f, i)) for f in range(4) for i in range(2)}
    genuine = [match(described[f, 0], described[f, 1]) for f in range(4)]
    impostor = [match(described[f, 0], described[g, 1]) for f in range(4) for g in range(4) if f != g]
    assert min(genuine) >= 0.10
    assert max(impostor) < 0.06


def test_the_same_seed_draws_the_same_print_and_another_seed_does_not():
    assert np.array_equal(drawn(0, 0), drawn.__wrapped__(0, 0))
    assert not np.array_equal(drawn(0, 0), drawn(0, 1))
    assert not np.array_equal(drawn(0, 0), drawn(1, 0))


def test_minutiae_keep_their_promised_shapes_and_ranges():
    minutiae = extracted(0, 0)
    assert len(minutiae) >= 20
    assert {a.shape for a in (minutiae.x_px, minutiae.y_px, minutiae.angle_rad, minutiae.kind)} == {
        (len(minutiae),)
    }
    assert minutiae.x_px.min() >= 0
    assert minutiae.x_px.max() < minutiae.width
    assert minutiae.y_px.min() >= 0
    assert minutiae.y_px.max() < minutiae.height
    assert minutiae.angle_rad.min() >= 0
    assert minutiae.angle_rad.max() < 2 * np.pi
    assert minutiae.quality.min() >= MIN_CONFIDENCE
    assert not minutiae.x_px.flags.writeable


def test_minutiae_are_not_printed():
    assert repr(extracted(0, 0)) == f"<Minutiae {len(extracted(0, 0))}>"
    assert "array" not in repr(cylinders(extracted(0, 0)))


def test_a_reader_of_another_resolution_gives_the_same_finger():
    image = drawn(0, 0)
    finer = np.asarray(Image.fromarray(image).resize((image.shape[1] * 7 // 5, image.shape[0] * 7 // 5)))
    minutiae = extract(finer, 700)
    assert abs(minutiae.width - image.shape[1]) <= 2
    assert match(cylinders(minutiae), cylinders(extracted(0, 1))) >= 0.10


def test_png_bytes_become_the_same_pixels():
    assert np.array_equal(load_image(png(drawn(0, 0))), drawn(0, 0))


def test_transparent_parts_count_as_paper():
    pixels = np.zeros((80, 80, 4), np.uint8)
    assert load_image(png(pixels)).min() == 255


def test_sixteen_bit_grey_keeps_its_upper_bits():
    pixels = np.full((80, 80), 0x8000, np.uint16)
    assert load_image(png(pixels)).max() == 128


def bomb(width: int, height: int) -> bytes:
    """A few hundred bytes that claim a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (12_000, 12_000), (2001, 2000), (4, 4)])
def test_an_image_bomb_is_refused_by_its_header(size):
    with pytest.raises(BadImage):
        load_image(bomb(*size))


def test_a_truncated_png_is_refused():
    whole = png(drawn(0, 0))
    for length in (0, 1, 8, 30, len(whole) // 2, len(whole) - 500):
        with pytest.raises(BadImage):
            load_image(whole[:length])


def test_formats_readers_do_not_send_stay_shut():
    import io

    packed = io.BytesIO()
    Image.fromarray(drawn(0, 0)).save(packed, "GIF")
    with pytest.raises(BadImage):
        load_image(packed.getvalue())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_a_bad_image_and_nothing_else(data):
    for prefix in (b"", b"\x89PNG\r\n\x1a\n", b"BM", b"P5 80 80 255\n", b"\xff\xd8\xff"):
        with pytest.raises(BadImage):
            load_image(prefix + data)


@pytest.mark.parametrize(
    ("image", "dpi"),
    [
        (np.zeros((200, 200, 3), np.uint8), 500),
        (np.zeros((200, 200), np.float32), 500),
        (np.zeros((200, 200), np.uint8), 0),
        (np.zeros((200, 200), np.uint8), 100_000),
        (np.zeros((200, 200), np.uint8), None),
        (np.zeros((200, 200), np.uint8), True),
        (np.zeros((20, 20), np.uint8), 500),
        (np.zeros((2000, MAX_IMAGE_PIXELS // 2000), np.uint8), 500),
    ],
)
def test_extraction_refuses_what_cannot_be_a_capture(image, dpi):
    with pytest.raises(BadImage):
        extract(image, dpi)


def pictures_of_no_finger():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:384, 0:288]
    yield "blank", np.full((384, 288), 200, np.uint8)
    yield "black", np.zeros((384, 288), np.uint8)
    yield "noise", rng.integers(0, 256, (384, 288)).astype(np.uint8)
    yield "slope", (x * 255 // 288).astype(np.uint8)
    yield "speck", np.where((abs(x - 100) < 12) & (abs(y - 100) < 12), (x % 9) * 28, 220).astype(np.uint8)


@pytest.mark.parametrize("image", [pytest.param(i, id=name) for name, i in pictures_of_no_finger()])
def test_a_picture_of_no_finger_is_refused(image):
    with pytest.raises(NotAFingerprint):
        require_finger(image, 500)


def test_a_portrait_and_a_pattern_are_no_fingers():
    y, x = np.mgrid[0:384, 0:288].astype(float)
    portrait = np.full((384, 288), 230.0)
    for cx, cy, rx, ry, grey in ((144, 190, 85, 130, 130), (115, 150, 15, 10, 20), (172, 150, 15, 10, 20)):
        portrait[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1] = grey
    squares = (x // 40 + y // 40) % 2 * 255
    for image in (portrait.astype(np.uint8), squares.astype(np.uint8)):
        with pytest.raises(NotAFingerprint):
            assess(image, 500, extract(image, 500))


def test_a_good_print_is_assessed_without_advice():
    quality = assess(drawn(0, 0), 500, extracted(0, 0))
    assert quality.advice == "none"
    assert 30 <= quality.nfiq2 <= 100
    assert quality.area_mm2 > 100
    assert quality.valid_cylinders >= 20


def test_a_corner_of_a_finger_gets_advice():
    image = drawn(1, 0, area=0.15, shift_px=(70, 90), rotation_deg=0, wet=0, noise=0.1)
    quality = assess(image, 500, extract(image, 500))
    assert quality.valid_cylinders < 20
    assert quality.advice in set(ADVICE) - {"none"}


def test_warming_up_runs_every_part_once():
    fingerprints.warm_up()


def test_nfiq2_is_a_number_for_prints_and_an_error_for_blanks():
    assert 0 <= nfiq2(drawn(1, 0), 500) <= 100
    with pytest.raises(NotAFingerprint):
        nfiq2(np.full((384, 288), 200, np.uint8), 500)


def test_real_prints_are_fingers_and_match(shared_data):
    folder = shared_data / "fingerprints" / "fvc2002"
    for database, dpi in (("DB1_B", 500), ("DB2_B", 569), ("DB3_B", 500)):
        described = {}
        for name in ("101_1", "101_2", "105_1"):
            image = load_image((folder / database / f"{name}.png").read_bytes())
            require_finger(image, dpi)
            described[name] = cylinders(extract(image, dpi))
        assert match(described["101_1"], described["101_2"]) >= 0.04, database
        assert match(described["101_1"], described["105_1"]) < 0.04, database
