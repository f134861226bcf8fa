"""From what arrived to something that can be searched: picture or ISO template to cylinders.

Raises the errors of `devices.fingerprints.errors`; their `code` is in the
catalogue, their text holds nothing of the print.
"""

from __future__ import annotations

import base64
import binascii
import re

import numpy as np

from devices.fingerprints import iso19794
from devices.fingerprints.cylinders import MIN_VALID_CYLINDERS, Cylinders, cylinders
from devices.fingerprints.errors import BadImage, FingerprintError, TooFewCylinders
from devices.fingerprints.extract import MAX_IMAGE_BYTES, Minutiae, extract, load_image
from devices.fingerprints.quality import require_finger
from devices.interface import FINGER, IMAGE_FORMATS, ISO_TEMPLATE, Sample
from ost.errors import Refusal


def probe_of(sample: Sample) -> Cylinders:
    """Cylinders of a captured sample, at least as many as the gate asks for. About 0.3 s for a picture."""
    if sample.modality != FINGER:
        raise BadImage("only fingers can be searched")
    if sample.format == ISO_TEMPLATE:
        return enough(cylinders(iso19794.decode(sample.data)))
    if sample.format not in IMAGE_FORMATS or sample.dpi is None:
        raise BadImage("a picture with its resolution, or an ISO template, is needed")
    image = load_image(sample.data)
    return enough(cylinders(minutiae_of(image, sample.dpi)))


def minutiae_of(image: np.ndarray, dpi: int) -> Minutiae:
    require_finger(image, dpi)
    return extract(image, dpi)


def enough(found: Cylinders) -> Cylinders:
    """Too few is "touch again", never a mismatch: short templates match strangers."""
    if not found.enough:
        raise TooFewCylinders("too little of the finger: please touch again")
    return found


def uploaded_image(text: str) -> np.ndarray:
    """The grey picture in a base64 field of a request. Refusal names the field and the fault."""
    if not isinstance(text, str) or len(text) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise Refusal("bad_image", fields={"image": ["bad_image"]})
    try:
        data = base64.b64decode(re.sub(r"\s+", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("image_encoding_wrong", fields={"image": ["image_encoding_wrong"]}) from None
    try:
        return load_image(data)
    except FingerprintError as error:
        raise refusal_of(error) from None


def refusal_of(error: FingerprintError, found: int | None = None) -> Refusal:
    """The same fault as an answer to a request."""
    if error.code == "too_few_cylinders":
        return Refusal(
            "too_few_cylinders",
            fields={"image": ["too_few_cylinders"]},
            cylinders=found if found is not None else 0,
            needed=MIN_VALID_CYLINDERS,
        )
    return Refusal(error.code, fields={"image": [error.code]})
