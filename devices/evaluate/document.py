"""The evaluation itself: from impressions to one document of plain data, ready to be signed.

Does: puts figures, quality, resolution, times, matrix and verdicts together, in the terms of
ISO/IEC 19795-1. Does not: word or draw them, sign or keep them. The document holds no picture, no
minutia and no code of a person.

Two sets of rates. Top level (`eer`, `fnmr_at`, ...): every pair of impressions whatever their quality, as a
matcher is measured. `gated`: without impressions that the counter would have asked for again, which is how
the device would be used; the failure-to-acquire rate says how many these are, and verdicts use these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from devices.fingerprints import ALGORITHM
from devices.fingerprints.decide import VERIFY_1_1
from devices.fingerprints.pairs import all_pairs
from devices.fingerprints.quality import PREFER_NFIQ2
from devices.fingerprints.ridges import pooled_dpi

from .figures import CONFIDENCE, Sample, measure, rate_of, replicates_for
from .matrix import DEVICE_TEMPLATE, PICTURE, Side, cross
from .practice import practise
from .process import Impression
from .verdict import verdicts

FORMAT = "ost-device-evaluation-1"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Device:
    """What is evaluated, and what it says of itself. `gives`: as devices.interface.GIVES. `how`: "folder",
    "live" or "station". `dpi_source`: "device", "option" or "assumed". Claims are recorded, never trusted."""

    name: str
    how: str
    gives: str = "image"
    kind: str | None = None
    maker: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    liveness: str | None = None
    simulated: bool = False
    dpi: int | None = None
    dpi_source: str = "assumed"


@dataclass(frozen=True, slots=True)
class Tries:
    """Of a live session: how each try at the reader ended, by code ("captured" among them); `each`: tries allowed
    for one impression; `timed`: what the times of captures count from, "touch" or "prompt"."""

    endings: dict[str, int]
    each: int
    timed: str | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """Which evaluation: its id, whose fingers (`cohort`: only evaluations of one can be crossed), the touches'
    `origin`, the day, and what else the report says of the sample. `site`: where it was made, if at one."""

    id: str
    cohort: str
    origin: str
    at: datetime
    ignored: int = 0
    one_finger_each: bool = False
    planned: int | None = None
    withdrawn: int = 0
    site: str | None = None


def build(
    occasion: Occasion,
    device: Device,
    impressions: Sequence[Impression],
    own_templates: Sequence[Impression] = (),
    others: Sequence[Side] = (),
    tries: Tries | None = None,
    progress: Progress | None = None,
) -> tuple[dict, list[Side]]:
    """(document, the sides to keep for crossing later devices with this one).

    `impressions`: from the device's pictures, extracted here, or from its templates where it gives no
    picture. `own_templates`: the device's own templates of the same touches, beside its pictures.
    """
    progress = progress or (lambda done, total, what: None)
    mine = _sides(occasion, device, impressions, own_templates)
    usable = mine[0].usable
    labels = [i.label for i in usable]
    compared = all_pairs(
        [i.cylinders for i in usable],
        [label.whose for label in labels],
        lambda done, total: progress(done, total, "matching"),
    )
    persons = [label.person for label in labels]
    every = measure(Sample.of(compared, persons), VERIFY_1_1)
    acquired = np.array([i.acquired for i in usable], bool)
    both = acquired[compared.first] & acquired[compared.second] if len(compared) else np.zeros(0, bool)
    gated = measure(Sample.of(compared, persons, where=both), VERIFY_1_1)
    sides = [*mine, *others]
    document = {
        "format": FORMAT,
        "id": occasion.id,
        "at": occasion.at.isoformat(timespec="seconds"),
        "cohort": occasion.cohort,
        "site": occasion.site,
        "algorithm": ALGORITHM,
        "confidence": CONFIDENCE,
        "bootstrap": replicates_for(len(compared)),
        "device": asdict(device),
        "side": mine[0].key,
        "sample": _sample(occasion, impressions),
        "fta": _fta(impressions, tries),
        "quality": _quality(impressions),
        "dpi_declared": device.dpi,
        "dpi_source": device.dpi_source,
        "dpi_estimated": _resolution(impressions),
        "times": {
            "capture_ms": _spread([i.capture_ms for i in impressions]),
            "capture_from": tries.timed if tries else None,
            "extraction_ms": _spread([i.extract_ms for i in impressions]),
        },
        **every,
        "gated": gated,
        "between_persons": _between_persons(compared, labels),
        "practice": practise(labels, acquired, compared),
        "sides": [
            {
                "key": side.key,
                "device": side.device,
                "source": side.source,
                "evaluation": side.evaluation,
                "simulated": side.simulated,
            }
            for side in sides
        ],
        "matrix": cross(sides, progress),
        "liveness": {"declared": device.liveness, "tested": False},
    }
    document["verdicts"] = {use: found.plain() for use, found in verdicts(document).items()}
    return document, mine


def _sides(occasion: Occasion, device: Device, impressions, own_templates) -> list[Side]:
    source = PICTURE if any(i.picture for i in impressions) or not own_templates else DEVICE_TEMPLATE
    if device.gives == "template":
        source = DEVICE_TEMPLATE
    sides = [
        Side(occasion.id, device.name, source, occasion.origin, tuple(impressions), device.simulated)
    ]
    if own_templates:
        sides.append(
            Side(
                occasion.id,
                device.name,
                DEVICE_TEMPLATE,
                occasion.origin,
                tuple(own_templates),
                device.simulated,
            )
        )
    return sides


def _sample(occasion: Occasion, impressions: Sequence[Impression]) -> dict:
    fingers = {i.label.whose for i in impressions}
    return {
        "people": len({i.label.person for i in impressions}),
        "fingers": len(fingers),
        "impressions": len(impressions),
        "impressions_per_finger": len(impressions) / len(fingers) if fingers else 0.0,
        "planned": occasion.planned,
        "withdrawn": occasion.withdrawn,
        "ignored_files": occasion.ignored,
        "one_finger_each": occasion.one_finger_each,
    }


def _fta(impressions: Sequence[Impression], tries: Tries | None) -> dict:
    """Failure to acquire: of all impressions asked for, those that came to nothing usable."""
    why = Counter(i.refused for i in impressions if i.refused)
    found = {**rate_of(sum(why.values()), len(impressions)), "reasons": dict(sorted(why.items())), "tries": None}
    if tries is not None:
        failed = {code: n for code, n in sorted(tries.endings.items()) if code != "captured"}
        found["tries"] = {
            "allowed": tries.each,
            "failed": rate_of(sum(failed.values()), sum(tries.endings.values())),
            "reasons": failed,
        }
    return found


def _quality(impressions: Sequence[Impression]) -> dict:
    numbers = [i.nfiq2 for i in impressions if i.nfiq2 is not None]
    histogram = np.histogram(np.clip(numbers, 0, 99.9), np.arange(0, 101, 10))[0].tolist()
    return {
        "nfiq2": {
            **(_spread(numbers) or {"n": 0}),
            "histogram": histogram,
            "unknown": len(impressions) - len(numbers),
            "preferred": PREFER_NFIQ2,
            "below_preferred": float(np.mean(np.array(numbers) < PREFER_NFIQ2)) if numbers else None,
        },
        "cylinders": _spread([len(i.cylinders) for i in impressions if i.cylinders is not None]),
        "minutiae": _spread([i.minutiae for i in impressions]),
        "area_mm2": _spread([i.area_mm2 for i in impressions]),
        "advice": dict(sorted(Counter(i.advice for i in impressions if i.advice).items())),
    }


def _resolution(impressions: Sequence[Impression]) -> dict | None:
    """From the ridges of all pictures together: {value, low, high, n}, dpi; None where none shows enough."""
    found = [i.dpi_estimate for i in impressions if i.dpi_estimate is not None]
    pooled = pooled_dpi(found, len({i.label.person for i in impressions}))
    return None if pooled is None else dict(zip(("value", "low", "high"), pooled, strict=True)) | {"n": len(found)}


def _between_persons(compared, labels) -> dict | None:
    """EER where two fingers of one person are no impostors, as ISO/IEC 19795-1 asks; None where nothing changes."""
    person = np.array([label.person for label in labels])
    if not len(compared):
        return None
    own = ~compared.same & (person[compared.first] == person[compared.second])
    if not own.any():
        return None
    persons = [label.person for label in labels]
    kept = measure(Sample.of(compared, persons, where=~own), VERIFY_1_1)
    return {"left_out": int(own.sum()), "impostor": kept["impostor"], "eer": kept["eer"]}


def _spread(values) -> dict | None:
    known = np.array([v for v in values if v is not None], np.float64)
    if not known.size:
        return None
    low, p10, median, p90, high = np.percentile(known, (0, 10, 50, 90, 100))
    return {
        "n": int(known.size),
        "min": float(low),
        "p10": float(p10),
        "median": float(median),
        "p90": float(p90),
        "max": float(high),
        "mean": float(known.mean()),
    }
