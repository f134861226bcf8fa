"""Enrolled on one device, verified on another: every evaluation of one cohort against every other.

Does: one cell for each two sides, a side being a device and where its minutiae come from (its picture,
extracted here, or its own template). Does not: compare different people's cohorts, or a touch with itself.

Genuine: the same finger in two touches; impostor: different fingers. Two devices were touched apart, so each
touch of one meets each of the other; the matcher does not care which was enrolled, and both directions hold
the same comparisons. Two sources of the same touches: the earlier touch is the enrolled one, the later one is
verified, so that no touch meets itself and the two directions differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devices.fingerprints.decide import IDENTIFY_NETWORK, VERIFY_1_1
from devices.fingerprints.pairs import all_pairs, cross_pairs
from devices.fingerprints.rates import rates_at

from .figures import Sample, measure, rate_of
from .process import Impression

PICTURE, DEVICE_TEMPLATE = SOURCES = ("picture", "device_template")


@dataclass(frozen=True, slots=True, repr=False)
class Side:
    """One device's impressions from one source. `origin`: the same for sides that were made of the same
    touches (a picture and the device's own template of it)."""

    evaluation: str
    device: str
    source: str
    origin: str
    impressions: tuple[Impression, ...]
    simulated: bool = False

    @property
    def key(self) -> str:
        return f"{self.device} / {self.source}"

    @property
    def usable(self) -> list[Impression]:
        return [i for i in self.impressions if i.cylinders is not None]

    def __repr__(self) -> str:
        return f"<Side {self.key} {len(self.impressions)}>"


def cross(sides: Sequence[Side], progress=None) -> list[dict]:
    """A cell for every ordered pair of sides: {enrolled, verified, eer, ...}."""
    progress = progress or (lambda done, total, what: None)
    cells: dict[tuple[int, int], dict] = {}
    done, total = 0, len(sides) * (len(sides) + 1) // 2
    for a in range(len(sides)):
        for b in range(a, len(sides)):
            cells[a, b] = cells[b, a] = cell(sides[a], sides[b])
            if a != b and sides[a].origin == sides[b].origin:
                cells[b, a] = cell(sides[b], sides[a])
            done += 1
            progress(done, total, "crossing")
    return [
        {"enrolled": sides[a].key, "verified": sides[b].key, **cells[a, b]}
        for a in range(len(sides))
        for b in range(len(sides))
    ]


def cell(enrolled: Side, verified: Side) -> dict:
    """Rates of one side against another, fractions; None where there is nothing to count.

    `eer`, `fnmr_at_fmr_0_1` of every pair whatever its quality; the rest leaves out impressions with too
    few cylinders, as a counter would: `gated_eer`, and FNMR and FMR at the operating points for one person
    (`verify`) and for a search in the network (`network`).
    """
    a, b = enrolled.usable, verified.usable
    fingers_a, fingers_b = ([i.label.whose for i in side] for side in (a, b))
    if enrolled is verified:
        compared = all_pairs([i.cylinders for i in a], fingers_a)
    else:
        one_origin = enrolled.origin == verified.origin
        compared = cross_pairs(
            [i.cylinders for i in a],
            fingers_a,
            [i.cylinders for i in b],
            fingers_b,
            lambda n, m: not one_origin or a[n].label < b[m].label,
        )
    persons_a, persons_b = ([i.label.person for i in side] for side in (a, b))
    every = measure(Sample.of(compared, persons_a, persons_b), VERIFY_1_1)
    gated = Sample.of(compared, persons_a, persons_b, compared.enough)
    known = measure(gated, VERIFY_1_1)
    return {
        "eer": every["eer"],
        "eer_interval": every.get("eer_interval"),
        "fnmr_at_fmr_0_1": every["fnmr_at_fmr_0_1"],
        "genuine": every["genuine"],
        "impostor": every["impostor"],
        "gated_eer": known["eer"],
        "verify": known["at_threshold"],
        "network": _at(gated, IDENTIFY_NETWORK.threshold),
    }


def _at(sample: Sample, threshold: float) -> dict | None:
    if not sample.complete:
        return None
    fmr, fnmr = rates_at(sample.genuine, sample.impostor, threshold)
    return {
        "threshold": threshold,
        "fmr": rate_of(round(fmr * len(sample.impostor)), len(sample.impostor)),
        "fnmr": rate_of(round(fnmr * len(sample.genuine)), len(sample.genuine)),
    }
