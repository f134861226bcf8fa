"""Scores of many impressions against each other: the one place where error rates get their comparisons from.

Does: every comparison a measurement asks for, each once, in order. Does not: choose among them, or judge scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .cylinders import Cylinders, match

Progress = Callable[[int, int], None]
"""Called with (comparisons done, in all) now and then."""

_TELL_EVERY = 2000


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
    pairs = list(itertools.combinations(range(len(templates)), 2))
    return _compare(templates, fingers, templates, fingers, pairs, progress)


def cross_pairs(
    enrolled: Sequence[Cylinders],
    enrolled_fingers: Sequence[Hashable],
    verified: Sequence[Cylinders],
    verified_fingers: Sequence[Hashable],
    wanted: Callable[[int, int], bool] = lambda a, b: True,
    progress: Progress | None = None,
) -> Compared:
    """Each impression of one set with each of another, where `wanted(a, b)` says so of their positions."""
    pairs = [(a, b) for a in range(len(enrolled)) for b in range(len(verified)) if wanted(a, b)]
    return _compare(enrolled, enrolled_fingers, verified, verified_fingers, pairs, progress)


def _compare(a, fingers_a, b, fingers_b, pairs, progress) -> Compared:
    scores = np.empty(len(pairs))
    for n, (i, j) in enumerate(pairs):
        scores[n] = match(a[i], b[j])
        if progress and n % _TELL_EVERY == 0:
            progress(n, len(pairs))
    if progress:
        progress(len(pairs), len(pairs))
    first, second = (
        np.array([pair[side] for pair in pairs], np.int64).reshape(len(pairs)) for side in (0, 1)
    )
    enough_a, enough_b = (np.array([t.enough for t in side], bool) for side in (a, b))
    return Compared(
        first,
        second,
        np.array([fingers_a[i] == fingers_b[j] for i, j in pairs], bool),
        enough_a[first] & enough_b[second] if len(pairs) else np.zeros(0, bool),
        scores,
    )
