"""What the figures come to at a counter: three impressions enrolled, then one touch, or up to three.

Does: counts false rejections, and whether a search names the right person, the way decide.py decides.
Does not: extrapolate to more people than were captured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import comb

import numpy as np

from devices.fingerprints.decide import IDENTIFY_SITE, VERIFY_1_1, Ambiguous, Named, decide_identity
from devices.fingerprints.gallery import Candidate
from devices.fingerprints.pairs import Compared

from .captures import Label
from .figures import rate_of

ENROLLED = 3
"""Impressions of a finger that enrolment takes (DEVICES.md, "Operating points")."""


def practise(labels: Sequence[Label], acquired: np.ndarray, compared: Compared) -> dict | None:
    """{enrolled, one_touch, three_touches, identify} or None where no finger was captured twice.

    `compared`: all pairs of `labels`; `acquired` bool, which of them would have been taken. The first
    ENROLLED acquired impressions of a finger are enrolled, or the first alone where nobody gave more than
    that; the others are touches. `one_touch`: rejected although the right person. `three_touches`: the
    chance that three touches in a row are. `identify`: named right, named wrong, offered among faces,
    nobody, of all touches.
    """
    fingers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for n, label in enumerate(labels):
        if acquired[n]:
            fingers[label.whose].append(n)
    enrolled = ENROLLED if any(len(of) > ENROLLED for of in fingers.values()) else 1
    kept = {whose: of[:enrolled] for whose, of in fingers.items() if len(of) > enrolled}
    if not kept:
        return None
    score = np.zeros((len(labels), len(labels)))
    score[compared.first, compared.second] = score[compared.second, compared.first] = compared.scores
    touches = rejected = 0
    three = []
    found = dict.fromkeys(("named_right", "named_wrong", "offered", "nobody"), 0)
    for whose in kept:
        probes = fingers[whose][enrolled:]
        failed = 0
        for probe in probes:
            failed += bool(max(score[probe, n] for n in kept[whose]) < VERIFY_1_1)
            found[_searched(score[probe], kept, whose[0])] += 1
        touches, rejected = touches + len(probes), rejected + failed
        if len(probes) >= 3:
            three.append(comb(failed, 3) / comb(len(probes), 3))
    return {
        "enrolled": enrolled,
        "one_touch": rate_of(rejected, touches),
        "three_touches": {"value": float(np.mean(three)), "fingers": len(three)} if three else None,
        "identify": {
            "people": len({person for person, _ in kept}),
            **{name: rate_of(count, touches) for name, count in found.items()},
        },
    }


def _searched(scores: np.ndarray, kept: dict, person: str) -> str:
    """How a search of one touch among all enrolled fingers ends."""
    candidates = [Candidate(*whose, float(scores[n])) for whose, of in kept.items() for n in of]
    match decide_identity(candidates, IDENTIFY_SITE):
        case Named(candidate):
            return "named_right" if candidate.person == person else "named_wrong"
        case Ambiguous(offered):
            return "offered" if any(c.person == person for c in offered) else "nobody"
    return "nobody"
