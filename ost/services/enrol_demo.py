"""Synthetic fingers for the demo's people: really drawn, really extracted, really kept.

Which finger belongs to whom follows from a secret of this house, so that the
demo's reader can lay the same finger on again without anything being stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.drawing import draw
from devices.fingerprints.extract import extract
from devices.fingerprints.quality import nfiq2
from ost.errors import Refusal
from ost.models.patient import fingerprint, patient
from ost.services.fingerprints import store
from ost.services.gallery import PrintGallery
from ost.services.work import Actor, House

FINGERS = ("right_index", "left_index")
IMPRESSIONS = (1, 2, 3)
ENROLLER = Actor("demo")


def demo_finger_seed(house: House, patient_id: str, finger: str) -> int:
    """The seed of this person's synthetic finger: 62 bits that only this house can tell."""
    mac = house.keys.search_mac("demo_finger", f"{patient_id}|{finger}")
    return int(hashlib.sha256(mac.encode()).hexdigest()[:16], 16) >> 2


def enrol_synthetic(
    house: House,
    gallery: PrintGallery | None,
    patient_ids: Iterable[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
    fingers: tuple[str, ...] = FINGERS,
    impressions: tuple[int, ...] = IMPRESSIONS,
    judge: bool = False,
) -> int:
    """Enrol those who have no finger yet; how many people were enrolled. About 3 s a person.

    `progress(done, total)` after each person; `judge` also asks NFIQ 2 (0.15 s a print).
    Only in the demo: Refusal("simulated_reader_refused") otherwise.
    """
    if not house.demo:
        raise Refusal("simulated_reader_refused")
    wanted = list(patient_ids)
    enrolled = 0
    for done, patient_id in enumerate(wanted, 1):
        home = _home_without_fingers(house, patient_id)
        if home is not None:
            for finger in fingers:
                _enrol(house, home, patient_id, finger, impressions, judge)
            enrolled += 1
            if gallery is not None:
                gallery.refresh(house, [patient_id])
        progress(done, len(wanted))
    return enrolled


def _enrol(house: House, home: str, patient_id: str, finger: str, impressions, judge: bool) -> None:
    seed = demo_finger_seed(house, patient_id, finger)
    for impression in impressions:
        image = draw(seed, impression)
        minutiae = extract(image)
        print_ = cylinders(minutiae)
        if not print_.enough:
            continue  # as at a desk: too little of the finger, the next impression counts
        quality = nfiq2(image) if judge else None
        store(house, ENROLLER, home, patient_id, finger, minutiae, print_, quality, synthetic=True)


def _home_without_fingers(house: House, patient_id: str) -> str | None:
    """The home site of a person nobody enrolled yet, else None."""
    f = fingerprint
    with house.read() as tx:
        has = sa.exists().where(f.c.patient == patient_id, f.c.withdrawn_at.is_(None))
        return tx.execute(
            sa.select(patient.c.home_site).where(patient.c.id == patient_id, patient.c.active, ~has)
        ).scalar_one_or_none()
