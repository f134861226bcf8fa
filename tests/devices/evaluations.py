"""Makers for the tests of devices/evaluate: impressions from synthetic minutiae, no picture needed."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from devices.evaluate import Device, Impression, Label, Occasion, build
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.iso19794 import decode, encode
from devices.fingerprints.synthetic import impression_of, synthetic_minutiae

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
FINGERS = ("right_index", "left_index")


@functools.cache
def record(finger: int, impression: int, area: float = 0.9) -> bytes:
    """An ISO template of a synthetic finger."""
    return encode(impression_of(synthetic_minutiae(finger), 1000 * finger + impression, area=area))


@functools.cache
def impression(person: int, finger: int, number: int, device: int = 0, refused: str | None = None) -> Impression:
    """One acquired impression; another `device` touches differently."""
    data = record(10 * person + finger, 100 * device + number)
    found = decode(data)
    return Impression(
        Label(f"P{person:02}", FINGERS[finger], f"{number:02}"),
        data,
        cylinders(found),
        refused,
        nfiq2=60,
        area_mm2=150.0,
        minutiae=len(found),
        advice="none",
        dpi_estimate=500.0,
        extract_ms=400.0,
        picture=True,
    )


def sample(people: int = 4, fingers: int = 2, impressions: int = 4, device: int = 0) -> list[Impression]:
    return [
        impression(person, finger, number, device)
        for person in range(1, people + 1)
        for finger in range(fingers)
        for number in range(1, impressions + 1)
    ]


def occasion(evaluation: str = "20261122-aaaaaaaa", cohort: str = "spring", origin: str = "") -> Occasion:
    return Occasion(evaluation, cohort, origin or evaluation, AT)


def evaluated(name: str = "Reader A", evaluation: str = "20261122-aaaaaaaa", others=(), device: int = 0, **how):
    """(document, sides) of a synthetic device."""
    how.setdefault("people", 4)
    return build(
        occasion(evaluation), Device(name, "folder", dpi=500), sample(device=device, **how), others=others
    )
