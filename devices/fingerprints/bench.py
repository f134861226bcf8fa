"""Measures accuracy and speed on this machine and says what was measured.

Does: error rates on the FVC2002 pictures in a given folder, timings of extraction, matching and
search. Does not: print, keep anything, or tune: every image and every pair counts once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .cylinders import MIN_VALID_CYLINDERS, Cylinders, cylinders
from .cylinders import warm_up as warm_up_matcher
from .decide import IDENTIFY_SITE, VERIFY_1_1, Named, decide_identity
from .errors import BadTemplate
from .extract import Minutiae, extract, load_image
from .gallery import Gallery
from .gallery import warm_up as warm_up_search
from .iso19794 import decode, encode
from .pairs import Compared, all_pairs
from .rates import headline, rates_at
from .synthetic import Finger, impression_of, synthetic_minutiae

DATABASES = {"DB1_B": 500, "DB2_B": 569, "DB3_B": 500}
"""Folders of FVC2002 and their resolution in dpi."""

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what) now and then."""


def fvc2002_folder(data_dir: str | os.PathLike) -> Path:
    """The folder that holds DB1_B..DB3_B, at or below `data_dir`. Raises FileNotFoundError."""
    start = Path(data_dir)
    for folder in (start, start / "fvc2002", start / "fingerprints" / "fvc2002"):
        if all((folder / name).is_dir() for name in DATABASES):
            return folder
    raise FileNotFoundError(f"no FVC2002 pictures (DB1_B, DB2_B, DB3_B) in {start}")


def read_fvc2002(folder: Path) -> list[tuple[str, str, str, Path, int]]:
    """(database, finger, impression, png, dpi) of every picture, in order."""
    return [
        (name, *path.stem.split("_"), path, dpi)
        for name, dpi in DATABASES.items()
        for path in sorted((folder / name).glob("*_*.png"))
    ]


def bench_fingerprints(data_dir: str | os.PathLike, progress: Progress | None = None) -> dict:
    """Accuracy over all pairs within each database, and speed. Takes two to three minutes.

    Genuine: all pairs of impressions of one finger; impostor: all pairs of different fingers.
    `eer` and `fnmr_at_fmr_0_1` are fractions, pooled, of every pair whatever its quality; `gated`
    leaves out pairs with an impression of fewer than MIN_VALID_CYLINDERS. Raises FileNotFoundError.
    """
    progress = progress or (lambda done, total, what: None)
    warm_up_matcher()
    pictures = read_fvc2002(fvc2002_folder(data_dir))
    extract(load_image(pictures[0][3].read_bytes()), pictures[0][4])
    templates: dict[tuple[str, str, str], Minutiae] = {}
    took_ms = []
    for done, (name, finger, impression, path, dpi) in enumerate(pictures):
        image = load_image(path.read_bytes())
        started = time.perf_counter()
        templates[name, finger, impression] = extract(image, dpi)
        took_ms.append(1000 * (time.perf_counter() - started))
        progress(done + 1, len(pictures), "extraction")

    described = {key: cylinders(minutiae) for key, minutiae in templates.items()}
    restored = {key: cylinders(decode(encode(minutiae))) for key, minutiae in templates.items()}
    started = time.perf_counter()
    compared = _within_each(described)
    pairs = sum(map(len, compared.values()))
    per_second = pairs / (time.perf_counter() - started)
    progress(pairs, pairs, "matching")
    change = max(
        float(np.abs(again.scores - compared[name].scores).max())
        for name, again in _within_each(restored).items()
    )
    refused = sum(not c.enough for c in described.values())
    gated = _pooled(compared, gated=True)
    verify_fmr, verify_fnmr = rates_at(*gated, VERIFY_1_1)
    parsed, failures, vendor = _vendor_templates(pictures)
    return {
        **headline(*_pooled(compared)),
        "databases": {name: headline(c.genuine(), c.impostor()) for name, c in compared.items()},
        "gated": {
            **headline(*gated),
            "refused": refused,
            "refused_fraction": refused / len(described),
        },
        "verify_at_0_04": {"fmr": verify_fmr, "fnmr": verify_fnmr},
        "images": len(pictures),
        "genuine_pairs": sum(int(c.same.sum()) for c in compared.values()),
        "impostor_pairs": sum(int((~c.same).sum()) for c in compared.values()),
        "ms_per_extraction": float(np.median(took_ms)),
        "ms_per_extraction_p95": float(np.percentile(took_ms, 95)),
        "matches_per_s": per_second,
        "iso_templates_parsed": parsed,
        "iso_failures": failures,
        "vendor_templates": vendor,
        "codec_max_score_change": change,
    }


def _within_each(templates: dict[tuple[str, str, str], Cylinders]) -> dict[str, Compared]:
    """{database: its own pairs} of templates by (database, finger, impression)."""
    compared = {}
    for name in dict.fromkeys(key[0] for key in templates):
        mine = [key for key in templates if key[0] == name]
        compared[name] = all_pairs([templates[key] for key in mine], [key[1] for key in mine])
    return compared


def _pooled(compared: dict[str, Compared], gated: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Genuine and impostor scores of all databases; `gated`: only where both sides have cylinders enough."""
    where = [c.enough if gated else slice(None) for c in compared.values()]
    sides = zip(where, compared.values(), strict=True)
    genuine, impostor = zip(*((c.genuine(w), c.impostor(w)) for w, c in sides), strict=True)
    return np.concatenate(genuine), np.concatenate(impostor)


def _vendor_templates(pictures) -> tuple[int, int, dict[str, float]]:
    """How many `.iso` files beside the pictures parse and do not, and the rates among themselves."""
    templates: dict[tuple[str, str, str], Cylinders] = {}
    failures = 0
    for name, finger, impression, path, _ in pictures:
        record = path.with_suffix(".iso")
        if record.is_file():
            try:
                templates[name, finger, impression] = cylinders(decode(record.read_bytes()))
            except BadTemplate:
                failures += 1
    genuine, impostor = _pooled(_within_each(templates)) if templates else ((), ())
    if not len(genuine) or not len(impostor):
        return len(templates), failures, {}
    return len(templates), failures, headline(genuine, impostor)


def fill_with_synthetic(
    gallery: Gallery, people: int, fingers: int = 2, impressions: int = 3, first: int = 0
) -> None:
    """Enrol `people` synthetic persons, ids ("synthetic", n), as minutiae sets. About 1 ms a template."""
    for n in range(first, first + people):
        for finger in range(fingers):
            whole = synthetic_minutiae(100 * n + finger)
            wanted, seed = impressions, 0
            while wanted:
                template = cylinders(impression_of(whole, 1000 * n + 100 * finger + seed))
                seed += 1
                if template.enough:
                    gallery.replace(("synthetic", n), finger, seed, template)
                    wanted -= 1


def bench_identify_matching(
    data_dir: str | os.PathLike | None = None,
    people: int = 500,
    searches: int = 200,
    progress: Progress | None = None,
) -> dict:
    """Identification among `people` x 2 fingers x 3 impressions: times in ms and who was found.

    With FVC2002 in `data_dir` its 30 fingers are real persons among them: impressions 1-3 enrolled,
    4-8 the probes. Without, ten synthetic fingers with images take that part. Extraction and search
    are timed apart and together, by the clock and (`cpu`) by what one core spent, which is the figure to
    compare where other programs run beside it; a probe with too few cylinders counts under `refused`.
    """
    progress = progress or (lambda done, total, what: None)
    warm_up_matcher()
    warm_up_search()
    enrolled, probes = _real_or_drawn(data_dir)
    gallery = Gallery()
    extract(next(iter(probes))[1], next(iter(probes))[2])
    for person, impression, image, dpi in enrolled:
        template = cylinders(extract(image, dpi))
        if template.enough:
            gallery.replace(person, 0, impression, template)
    progress(0, searches, "gallery")
    fill_with_synthetic(gallery, people - len(gallery.persons))
    extraction_ms, search_ms, both_ms, extraction_cpu_ms, search_cpu_ms = [], [], [], [], []
    named = wrong = first = refused = 0
    for done in range(searches):
        person, image, dpi = probes[done % len(probes)]
        started, started_cpu = time.perf_counter(), time.thread_time()
        probe = cylinders(extract(image, dpi))
        extracted, extracted_cpu = time.perf_counter(), time.thread_time()
        extraction_cpu_ms.append(1000 * (extracted_cpu - started_cpu))
        extraction_ms.append(1000 * (extracted - started))
        progress(done + 1, searches, "search")
        if len(probe) < MIN_VALID_CYLINDERS:
            refused += 1
            continue
        found = gallery.search(probe)
        decision = decide_identity(found, IDENTIFY_SITE)
        ended = time.perf_counter()
        search_cpu_ms.append(1000 * (time.thread_time() - extracted_cpu))
        search_ms.append(1000 * (ended - extracted))
        both_ms.append(1000 * (ended - started))
        first += bool(found) and found[0].person == person
        if isinstance(decision, Named):
            named += decision.candidate.person == person
            wrong += decision.candidate.person != person
    return {
        "templates": len(gallery),
        "people": len(gallery.persons),
        "searches": searches,
        "refused": refused,
        "first_rank": first,
        "named": named,
        "named_wrongly": wrong,
        "extraction": {**_p50_p95(extraction_ms), "cpu": _p50_p95(extraction_cpu_ms)},
        "search": {**_p50_p95(search_ms), "cpu": _p50_p95(search_cpu_ms)},
        **_p50_p95(both_ms),
    }


def _p50_p95(values) -> dict[str, float]:
    return {"p50_ms": float(np.percentile(values, 50)), "p95_ms": float(np.percentile(values, 95))}


def _real_or_drawn(data_dir):
    """Enrolled (person, impression, image, dpi) and probes (person, image, dpi)."""
    enrolled, probes = [], []
    if data_dir is not None:
        for name, finger, impression, path, dpi in read_fvc2002(fvc2002_folder(data_dir)):
            image, person = load_image(path.read_bytes()), ("real", name, finger)
            if int(impression) <= 3:
                enrolled.append((person, impression, image, dpi))
            else:
                probes.append((person, image, dpi))
    else:
        for seed in range(10):
            finger, person = Finger(seed), ("drawn", seed)
            enrolled += [(person, i, finger.impression(i), 500) for i in range(3)]
            probes += [(person, finger.impression(i), 500) for i in range(3, 8)]
    # Shuffled, always alike, so that a short run sees many persons.
    order = np.random.default_rng(0).permutation(len(probes))
    return enrolled, [probes[i] for i in order]
