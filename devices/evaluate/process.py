"""From one capture to what the measurements need: minutiae, quality, resolution, and why it was refused.

Does: runs a picture or a template through the same extractor, gates and quality as a touch at the
counter. Does not: compare, keep pictures, or raise for a bad capture: that is a result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from devices.fingerprints import ridges
from devices.fingerprints.cylinders import Cylinders, cylinders
from devices.fingerprints.cylinders import warm_up as warm_up_matcher
from devices.fingerprints.errors import BadImage, BadTemplate, NotAFingerprint, TooFewCylinders
from devices.fingerprints.extract import extract, load_image
from devices.fingerprints.iso19794 import decode, encode
from devices.fingerprints.quality import assess

from .captures import Label, RawCapture

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what) now and then."""

REFUSALS = tuple(e.code for e in (BadImage, NotAFingerprint, TooFewCylinders, BadTemplate))
"""Why a capture was not acquired, beside the codes of a reader that gave none."""


@dataclass(frozen=True, slots=True, repr=False)
class Impression:
    """One capture as the measurements see it.

    `record`: the minutiae as an ISO/IEC 19794-2:2005 record, None where there are none. `refused`: one of
    REFUSALS, or a reader's code, where the counter would have said "please touch again"; None when acquired.
    `nfiq2` 0-100, `area_mm2`, `minutiae`, `cylinders`, `advice` as in `quality.Quality`; `dpi_estimate`
    from the ridges; `extract_ms` what one core spent.
    """

    label: Label
    record: bytes | None
    cylinders: Cylinders | None
    refused: str | None
    nfiq2: int | None = None
    area_mm2: float | None = None
    minutiae: int | None = None
    advice: str | None = None
    dpi_estimate: float | None = None
    extract_ms: float | None = None
    capture_ms: float | None = None
    picture: bool = False

    def __repr__(self) -> str:
        return f"<Impression {self.refused or 'acquired'}>"

    @property
    def acquired(self) -> bool:
        return self.refused is None


def from_picture(label: Label, data: bytes, dpi: int, capture_ms: float | None = None) -> Impression:
    """About 0.6 s. What the network finds is kept even where the capture counts as refused, for the
    figures of every pair whatever its quality."""
    try:
        image = load_image(data)
        started = time.thread_time()
        minutiae = extract(image, dpi)
        extract_ms = 1000 * (time.thread_time() - started)
    except BadImage as error:
        return Impression(label, None, None, error.code, capture_ms=capture_ms, picture=True)
    found = cylinders(minutiae)
    refused = None if found.enough else TooFewCylinders.code
    nfiq2 = area = advice = dpi_estimate = None
    try:
        quality = assess(image, dpi, minutiae)
        nfiq2, area, advice = quality.nfiq2, quality.area_mm2, quality.advice
        estimate = ridges.estimate_dpi(image)
        dpi_estimate = estimate[0] if estimate else None
    except NotAFingerprint as error:
        refused = error.code
    return Impression(
        label,
        encode(minutiae),
        found,
        refused,
        nfiq2,
        area,
        len(minutiae),
        advice,
        dpi_estimate,
        extract_ms,
        capture_ms,
        picture=True,
    )


def from_template(label: Label, data: bytes, capture_ms: float | None = None) -> Impression:
    """A template that the device made itself. The record is kept as it came."""
    try:
        minutiae = decode(data)
    except BadTemplate as error:
        return Impression(label, None, None, error.code, capture_ms=capture_ms)
    found = cylinders(minutiae)
    return Impression(
        label,
        bytes(data),
        found,
        None if found.enough else TooFewCylinders.code,
        minutiae=len(minutiae),
        capture_ms=capture_ms,
    )


def process_all(captures: Sequence[RawCapture], dpi: int, progress: Progress | None = None) -> list[Impression]:
    """Every picture of `captures`, in order. On two cores or more two are worked on at once."""
    progress = progress or (lambda done, total, what: None)
    wanted = [c for c in captures if c.picture is not None]
    warm_up_matcher()
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        results = []
        for impression in pool.map(lambda c: from_picture(c.label, c.picture, dpi), wanted):
            results.append(impression)
            progress(len(results), len(wanted), "extraction")
    return results


def templates_of(captures: Sequence[RawCapture]) -> list[Impression]:
    """Every template of `captures`, in order."""
    return [from_template(c.label, c.template) for c in captures if c.template is not None]
