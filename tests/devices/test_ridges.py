"""What the ridges say about the resolution: gross lies show on one print, small ones on none."""

import numpy as np
import pytest
from PIL import Image

from devices.fingerprints import load_image
from devices.fingerprints.ridges import estimate_dpi, pooled_dpi, ridge_period_px
from tests.devices.prints import drawn

DATABASES = (("DB1_B", 500), ("DB2_B", 569), ("DB3_B", 500))


def scaled(image, factor):
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def stripes(period_px, turn=0.6, side=320):
    y, x = np.mgrid[0:side, 0:side].astype(float)
    wave = np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / period_px)
    return np.clip(128 + 90 * wave, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("period_px", [4.5, 7, 9, 13, 18, 22])
@pytest.mark.parametrize("turn", [0.0, 0.6, 1.5])
def test_a_known_period_is_found(period_px, turn):
    assert ridge_period_px(stripes(period_px, turn)) == pytest.approx(period_px, rel=0.04)


def test_light_ridges_count_as_dark_ones_do():
    image = drawn(0, 0)
    assert ridge_period_px(255 - image) == pytest.approx(ridge_period_px(image), rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_scaled_print_is_seen_to_be(factor):
    before, _, _ = estimate_dpi(drawn(0, 0))
    dpi, low, high = estimate_dpi(scaled(drawn(0, 0), factor))
    assert dpi == pytest.approx(before * factor, rel=0.12)
    assert not low <= before <= high


@pytest.mark.parametrize(
    "image",
    [
        np.full((300, 300), 128, np.uint8),
        np.zeros((64, 64), np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
        stripes(40),
    ],
)
def test_where_no_ridges_are_nothing_is_said(image):
    assert estimate_dpi(image) is None


def test_many_people_narrow_it_and_many_prints_of_one_do_not():
    values = np.random.default_rng(1).normal(500, 40, 200)
    one, many = pooled_dpi(values, 1), pooled_dpi(values, 100)
    assert one[0] == many[0]
    assert many[2] - many[1] < (one[2] - one[1]) / 1.5
    assert many[1] < 500 < many[2]
    assert pooled_dpi([], 3) is None
    assert pooled_dpi([500.0], 1)[1] < 400


def test_real_prints_say_250_500_or_1000_and_their_medians_more(shared_data):
    """What it can and cannot tell. One finger of thirty has ridges finer than nearly all adults have."""
    medians, outside = {}, set()
    for database, dpi in DATABASES:
        estimates = []
        for path in sorted((shared_data / "fingerprints" / "fvc2002" / database).glob("*_[12].png")):
            image = load_image(path.read_bytes())
            said = estimate_dpi(image)
            if said is None:
                continue
            estimates.append(said[0])
            if not said[1] <= dpi <= said[2]:
                outside.add((database, path.stem.split("_")[0]))
            if path.stem.endswith("_1"):
                for factor in (0.5, 2.0):
                    other = estimate_dpi(scaled(image, factor))
                    assert other is None or not other[1] <= dpi <= other[2], (database, path.stem, factor)
        medians[database] = float(np.median(estimates))
        low, high = pooled_dpi(estimates, 10)[1:]
        assert low <= dpi <= high
        assert len(estimates) >= 19
        # One print cannot tell 500 from 569.
        assert min(estimates) < 500 < max(estimates)
    assert outside <= {("DB3_B", "108")}
    assert medians["DB1_B"] == pytest.approx(500, rel=0.06)
    assert medians["DB2_B"] == pytest.approx(569, rel=0.06)
    assert medians["DB3_B"] == pytest.approx(500, rel=0.06)
