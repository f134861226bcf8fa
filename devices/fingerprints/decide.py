"""From scores to what may be shown: the operating points, and one decision that touches nothing.

Scores are LSA-R scores of cylinders.py. The figures behind each point are in DEVICES.md, "Operating
points". A biometric result never refuses a dose, and a name is always confirmed by face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .gallery import Candidate

VERIFY_1_1 = 0.04
"""Lowest score at which one person's own finger is confirmed (no false match in 23,978 pairs)."""

DUPLICATE = 0.04
"""Lowest score at which an enrolment is shown to a human as a possible duplicate; never automatic."""

MOST_OFFERED = 3


@dataclass(frozen=True)
class OperatingPoint:
    """When a search names a person.

    The best person must reach `threshold` and be `ratio` times the second person's best. Persons
    from `offer_from` on may be offered as faces to choose from.
    """

    name: str
    threshold: float
    ratio: float
    offer_from: float


IDENTIFY_SITE = OperatingPoint("site", threshold=0.04, ratio=1.5, offer_from=0.03)
IDENTIFY_NETWORK = OperatingPoint("network", threshold=0.05, ratio=1.5, offer_from=0.05)
"""Nobody below the threshold is offered: these are strangers' faces."""

IDENTIFY_SIMULATED = OperatingPoint("simulated", threshold=0.10, ratio=1.5, offer_from=0.10)
"""The simulated reader's prints resemble each other up to 0.05, real ones do not."""


@dataclass(frozen=True)
class Named:
    """One person stands out."""

    candidate: Candidate


@dataclass(frozen=True)
class Ambiguous:
    """One to three persons, best first, for the nurse to choose from by face; none of them is named."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Nobody:
    """No person in the gallery is near enough to be shown."""


def decide_identity(candidates: Sequence[Candidate], point: OperatingPoint) -> Named | Ambiguous | Nobody:
    """Named, Ambiguous or Nobody from the candidates of a search, in any order, each person once or more."""
    best_of: dict = {}
    for candidate in candidates:
        known = best_of.get(candidate.person)
        if known is None or candidate.score > known.score:
            best_of[candidate.person] = candidate
    ranked = sorted(best_of.values(), key=lambda c: -c.score)
    if ranked and ranked[0].score >= point.threshold:
        second = ranked[1].score if len(ranked) > 1 else 0.0
        if ranked[0].score >= point.ratio * second:
            return Named(ranked[0])
    offered = tuple(c for c in ranked if c.score >= point.offer_from)[:MOST_OFFERED]
    return Ambiguous(offered) if offered else Nobody()


def verify(score: float, simulated: bool = False) -> bool:
    """Whether a 1:1 score confirms the person; a simulated reader has its own, higher point."""
    return score >= (IDENTIFY_SIMULATED.threshold if simulated else VERIFY_1_1)
