"""Prints for the tests of devices/fingerprints: all of them synthetic."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image

from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.extract import extract
from devices.fingerprints.synthetic import Finger, impression_of, synthetic_minutiae


@functools.cache
def drawn(finger: int, impression: int, **how) -> np.ndarray:
    """A synthetic impression as an image, 500 dpi."""
    return grown(finger).impression(impression, **how)


@functools.cache
def grown(finger: int) -> Finger:
    return Finger(finger)


@functools.cache
def extracted(finger: int, impression: int):
    """Minutiae of a synthetic impression, through the real extractor."""
    return extract(drawn(finger, impression), 500)


@functools.cache
def template(person: int, impression: int):
    """Cylinders of a minutiae-only synthetic impression."""
    return cylinders(impression_of(synthetic_minutiae(person), 1000 * person + impression, area=0.9))


def png(image: np.ndarray, **how) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG", **how)
    return packed.getvalue()
