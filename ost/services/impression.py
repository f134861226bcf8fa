"""One impression of a finger, read from a picture or from a reader's sample, ready to be kept.

Raises the errors of `devices.fingerprints.errors`, whose text holds nothing of the print. Of a reader that
gives templates only, nothing is known about the picture: its quality is None and there is no advice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from devices.fingerprints import iso19794
from devices.fingerprints import quality as image_quality
from devices.fingerprints.cylinders import Cylinders, cylinders
from devices.fingerprints.errors import BadImage, TooFewCylinders
from devices.fingerprints.extract import Minutiae, extract, load_image
from devices.interface import FINGER, IMAGE_FORMATS, ISO_TEMPLATE, Sample

NO_ADVICE = "none"


@dataclass(frozen=True, slots=True)
class Impression:
    """`nfiq2`: 0 to 100, None where no picture was seen. `advice`: one of quality.ADVICE."""

    minutiae: Minutiae = field(repr=False)
    cylinders: Cylinders = field(repr=False)
    nfiq2: int | None
    advice: str


class TooFew(TooFewCylinders):
    """Too little of the finger; `found`: how many valid cylinders there were."""

    def __init__(self, found: int):
        super().__init__("too little of the finger: please touch again")
        self.found = found


def of_picture(image: np.ndarray, dpi: int) -> Impression:
    """From a grey picture at `dpi`. About half a second."""
    image_quality.require_finger(image, dpi)
    minutiae = extract(image, dpi)
    found = _enough(cylinders(minutiae))
    judged = image_quality.assess(image, dpi, minutiae)
    return Impression(minutiae, found, judged.nfiq2, judged.advice)


def of_sample(sample: Sample) -> Impression:
    """From what a reader gave: a picture with its resolution, or an ISO template."""
    if sample.modality != FINGER:
        raise BadImage("only fingers can be enrolled")
    if sample.format == ISO_TEMPLATE:
        minutiae = iso19794.decode(sample.data)
        return Impression(minutiae, _enough(cylinders(minutiae)), None, NO_ADVICE)
    if sample.format not in IMAGE_FORMATS or sample.dpi is None:
        raise BadImage("a picture with its resolution, or an ISO template, is needed")
    return of_picture(load_image(sample.data), sample.dpi)


def _enough(found: Cylinders) -> Cylinders:
    """Short templates match strangers."""
    if not found.enough:
        raise TooFew(len(found))
    return found
