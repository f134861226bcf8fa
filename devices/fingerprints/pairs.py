"""Scores of many impressions against each other: the one place where error rates get their comparisons from.

Does: every comparison a measurement asks for, each once, in order. Does not: choose among them, or judge scores.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .cylinders import Cylinders, match

Progress = Callable[[int, int], None]
"""Called with (comparisons done, in all) now and then."""

_AT_ONCE = 2000


@dataclass(frozen=True)
class Compared:
    """n comparisons. `first`, `second`: int64 (n,), positions in the sequences that were given;
    `same` bool (n,): of one finger; `enough` bool (n,): both sides have cylinders enough; `scores`
    float64 (n,), LSA-R."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    enough: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return self.scores.shape[0]

    def genuine(self, where: np.ndarray | slice = slice(None)) -> np.ndarray:
        return self.scores[where][self.same[where]]

    def impostor(self, where: np.ndarray | slice = slice(None)) -> np.ndarray:
        return self.scores[where][~self.same[where]]


def all_pairs(
    templates: Sequence[Cylinders], fingers: Sequence[Hashable], progress: Progress | None = None
) -> Compared:
    """Each impression with each later one. `fingers`: what is equal for impressions of one finger."""
    first, second = np.triu_indices(len(templates), 1)
    return _compare(templates, fingers, templates, fingers, first, second, progress)


def cross_pairs(
    enrolled: Sequence[Cylinders],
    enrolled_fingers: Sequence[Hashable],
    verified: Sequence[Cylinders],
    verified_fingers: Sequence[Hashable],
    wanted: Callable[[int, int], bool] = lambda a, b: True,
    progress: Progress | None = None,
) -> Compared:
    """Each impression of one set with each of another, where `wanted(a, b)` says so of their positions."""
    chosen = np.array([[wanted(a, b) for b in range(len(verified))] for a in range(len(enrolled))], bool)
    first, second = np.nonzero(chosen.reshape(len(enrolled), len(verified)))
    return _compare(enrolled, enrolled_fingers, verified, verified_fingers, first, second, progress)


def _compare(a, fingers_a, b, fingers_b, first, second, progress) -> Compared:
    scores = np.empty(len(first))
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        pairs = zip(first[part].tolist(), second[part].tolist(), strict=True)
        scores[part] = [match(a[i], b[j]) for i, j in pairs]
        if progress:
            progress(min(start + _AT_ONCE, len(first)), len(first))
    number = {finger: n for n, finger in enumerate(dict.fromkeys([*fingers_a, *fingers_b]))}
    whose_a, whose_b = (np.array([number[f] for f in side], np.int64) for side in (fingers_a, fingers_b))
    enough_a, enough_b = (np.array([t.enough for t in side], bool) for side in (a, b))
    return Compared(
        first, second, whose_a[first] == whose_b[second], enough_a[first] & enough_b[second], scores
    )
