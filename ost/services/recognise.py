"""Whose finger is this: first among the people known at the site, then in the network.

Answers with opaque ids and writes nothing. A stranger comes back as an id for
the one bit that may be said of them, never for showing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from devices.fingerprints.cylinders import Cylinders
from devices.fingerprints.decide import (
    IDENTIFY_NETWORK,
    IDENTIFY_SIMULATED,
    IDENTIFY_SITE,
    Ambiguous,
    Named,
    decide_identity,
    verify,
)
from devices.fingerprints.gallery import Candidate
from ost import clock
from ost.models import site as sites
from ost.services.gallery import PrintGallery, stands
from ost.services.known_here import known_here
from ost.services.work import House

#: Enough for the best, the second, and faces to offer, should one of them have been withdrawn.
_NEAREST = 6

PERSON, SEVERAL, STRANGER, NOBODY = "person", "several", "stranger", "nobody"


@dataclass(frozen=True, slots=True)
class Recognised:
    """`candidates`: people known at the site, best first: one for PERSON, up to three for SEVERAL."""

    kind: str
    candidates: tuple[Candidate, ...] = ()
    stranger: str | None = field(default=None, repr=False)
    score: float = 0.0
    complete: bool = True  # False: the network's prints were not all loaded yet

    @property
    def person(self) -> str | None:
        return self.candidates[0].person if self.kind == PERSON else None


def recognise(
    house: House, gallery: PrintGallery, site: str, probe: Cylinders, simulated: bool = False
) -> Recognised:
    """Raises TooFewCylinders: "touch again", never a mismatch."""
    here = _known(house, site)
    gallery.refresh(house, here)
    point = IDENTIFY_SIMULATED if simulated else IDENTIFY_SITE
    found = _standing(house, gallery.search(probe, among=here, limit=_NEAREST))
    match decide_identity(found, point):
        case Named(candidate):
            return Recognised(PERSON, (candidate,), score=candidate.score)
        case Ambiguous(candidates):
            return Recognised(SEVERAL, candidates, score=candidates[0].score)
    complete = gallery.progress.ready
    beyond = gallery.search(probe, besides=here, limit=_NEAREST)
    point = IDENTIFY_SIMULATED if simulated else IDENTIFY_NETWORK
    match decide_identity(_standing(house, beyond), point):
        case Named(candidate):
            return Recognised(STRANGER, stranger=candidate.person, score=candidate.score, complete=complete)
    return Recognised(NOBODY, score=found[0].score if found else 0.0, complete=complete)


def confirms(
    house: House, gallery: PrintGallery, person: str, probe: Cylinders, simulated: bool = False
) -> tuple[bool, float, str | None]:
    """1:1: whether the print is this person's, the score, and the finger it is nearest to. Raises TooFewCylinders."""
    gallery.refresh(house, [person])
    found = _standing(house, gallery.search(probe, among=[person], limit=1))
    score = found[0].score if found else 0.0
    return verify(score, simulated), score, found[0].finger if found else None


def another_too(
    house: House, gallery: PrintGallery, site: str, person: str, probe: Cylinders, simulated: bool = False
) -> bool:
    """Whether the print would confirm somebody else known at the site as well: a finger kept under two people."""
    here = _known(house, site)
    gallery.refresh(house, here)
    found = _standing(house, gallery.search(probe, among=here, limit=_NEAREST, besides=[person]))
    return bool(found) and verify(found[0].score, simulated)


def _known(house: House, site: str) -> frozenset[str]:
    with house.read() as tx:
        tz = tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site)).scalar_one()
        return known_here(tx, site, clock.dosing_day(house.now(), tz))


def _standing(house: House, found: list[Candidate]) -> list[Candidate]:
    """Without those withdrawn since: a hit is checked again in the database."""
    if not found:
        return found
    with house.read() as tx:
        return [c for c in found if stands(tx, c)]
