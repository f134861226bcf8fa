"""Fingerprints: image to minutiae, matching 1:1 and 1:N, the exchange format, quality, synthetic prints.

Does: everything between a grey image and a scored candidate. Knows nothing of patients, sites or the
web, writes nothing to disk (numba's own cache aside), and puts no biometric data into messages.

    from devices.fingerprints.cylinders import cylinders
    from devices.fingerprints.extract import extract

    probe = cylinders(extract(load_image(png), dpi=500))
    if not probe.enough: ...            # please touch again
    decision = decide_identity(gallery.search(probe, among=expected), IDENTIFY_SITE)

The functions `cylinders` and `extract` are not repeated here: their modules have these names.
Call `warm_up()` once at start: the first use compiles and loads for several seconds.
"""

from .cylinders import MIN_VALID_CYLINDERS, Cylinders, match
from .decide import (
    DUPLICATE,
    IDENTIFY_NETWORK,
    IDENTIFY_SIMULATED,
    IDENTIFY_SITE,
    VERIFY_1_1,
    Ambiguous,
    Named,
    Nobody,
    OperatingPoint,
    decide_identity,
    verify,
)
from .errors import BadImage, BadTemplate, FingerprintError, NotAFingerprint, TooFewCylinders
from .extract import Minutiae, load_image
from .gallery import Candidate, Gallery, GalleryFull
from .iso19794 import decode, encode
from .quality import ADVICE, PREFER_CYLINDERS, PREFER_NFIQ2, Quality, assess, nfiq2, require_finger

ALGORITHM = "leader-0.5+mcc16b-lsar-1"
"""Names extraction and matching together; goes with a stored template, so that a change shows."""

__all__ = [
    "ADVICE",
    "ALGORITHM",
    "DUPLICATE",
    "IDENTIFY_NETWORK",
    "IDENTIFY_SIMULATED",
    "IDENTIFY_SITE",
    "MIN_VALID_CYLINDERS",
    "PREFER_CYLINDERS",
    "PREFER_NFIQ2",
    "VERIFY_1_1",
    "Ambiguous",
    "BadImage",
    "BadTemplate",
    "Candidate",
    "Cylinders",
    "FingerprintError",
    "Gallery",
    "GalleryFull",
    "Minutiae",
    "Named",
    "Nobody",
    "NotAFingerprint",
    "OperatingPoint",
    "Quality",
    "TooFewCylinders",
    "assess",
    "decide_identity",
    "decode",
    "encode",
    "load_image",
    "match",
    "nfiq2",
    "require_finger",
    "verify",
    "warm_up",
]


def warm_up() -> None:
    """Load the network, compile or load the matcher, run each once. Raises what a broken install raises."""
    from .cylinders import warm_up as warm_up_matcher
    from .extract import extract
    from .gallery import warm_up as warm_up_search
    from .synthetic import Finger

    warm_up_matcher()
    warm_up_search()
    image = Finger(0).impression(0)
    extract(image)
    nfiq2(image)
