"""One against many: a gallery of cylinders in memory, keyed by opaque ids.

Does: holds, replaces and forgets impressions, finds the persons nearest to a probe. Does not: know
who anyone is, persist anything, or decide (decide.py).

Below PREFILTER_FROM templates every one is scored exactly. From there on a cheap pass ranks them
first (Hamming distance of the packed cylinders without their masks, directions within 60 degrees,
mean of the eight best), and only the most alike are scored exactly. From COARSE_FROM on a pass with
half the probe's cylinders comes before that one, over everybody, and the full cheap pass sees only
the tenth that is most alike: most of the time goes into reading the templates once.

Threads: many may search while others write. A search takes the arrays as they are at its start under
the lock and computes without it and without the interpreter's lock. Rows are only ever appended, and
what is forgotten is wiped only when the last search that can see it has ended, so such a view stays
whole: whoever is enrolled all the while is found, also while their own print is replaced. What was
removed meanwhile is dropped from the answer, again under the lock, where no change is half done.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .cylinders import LAYER_WORDS, WORDS, Cylinders
from .errors import FingerprintError, TooFewCylinders
from .likeness import exact_scores, nearness, set_bits

PREFILTER_FROM = 1000
"""Templates from which on the cheap pass comes first: 3,000 exact comparisons take 0.14 s or more."""

PREFILTER_PROBE = 32
"""Cylinders of the probe, its most confident first, that the cheap pass looks at; more only cost time."""

COARSE_FROM = 10_000
COARSE_PROBE = 16
COARSE_SHARE = 0.10
"""Among 100,000 templates, 30 real fingers with 3 impressions each: of 220 enrolled impressions that match
a real probe at all, the worst came 23rd in the coarse pass, where the first 10,000 go on."""

RESCORED_SHARE = 0.05
RESCORED_MIN, RESCORED_MAX = 150, 1000

_FIRST_CAPACITY = 4096
_COMPACT_FROM = 4096
_GROW_GENTLY_FROM_BYTES = 64_000_000


class GalleryFull(FingerprintError):
    """The gallery holds `max_templates` already; raise the limit or split the gallery."""

    code = "gallery_full"


@dataclass(frozen=True)
class Candidate:
    """A person, the finger that scored best, and that LSA-R score (0..1)."""

    person: Hashable
    finger: Hashable
    score: float


Key = tuple[Hashable, Hashable, Hashable]
"""(person, finger, impression), opaque to the gallery."""


class Gallery:
    """Templates by (person, finger, impression). 7 to 11 kB each; at most `max_templates`."""

    def __init__(self, max_templates: int = 200_000) -> None:
        self._max_templates = max_templates
        self._lock = threading.Lock()
        self._row_of: dict[Key, int] = {}
        self._rows_of: dict[Hashable, set[int]] = {}
        self._searches = 0
        self._running: set[int] = set()
        # (number of the last search that may read it, arrays, where), oldest first.
        self._unwiped: deque[tuple[int, tuple[np.ndarray, ...], slice]] = deque()
        self._empty_arrays(_FIRST_CAPACITY)

    def __len__(self) -> int:
        with self._lock:
            return len(self._row_of)

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._row_of

    def __repr__(self) -> str:
        return f"<Gallery of {len(self)} templates>"

    @property
    def persons(self) -> set[Hashable]:
        """The persons with at least one template, a copy."""
        with self._lock:
            return set(self._rows_of)

    def add(self, person: Hashable, finger: Hashable, impression: Hashable, template: Cylinders) -> None:
        """Add one impression. Raises KeyError if the key is taken, TooFewCylinders, GalleryFull."""
        key = (person, finger, impression)
        _require_enough(template)
        with self._lock:
            if key in self._row_of:
                raise KeyError("this impression is in the gallery already")
            self._append(key, template)

    def add_many(self, templates: Iterable[tuple[Key, Cylinders]]) -> int:
        """Add or replace many, skipping those with too few cylinders; how many were taken."""
        taken = 0
        for key, template in templates:
            if template.enough:
                self.replace(*key, template)
                taken += 1
        return taken

    def replace(self, person: Hashable, finger: Hashable, impression: Hashable, template: Cylinders) -> None:
        """Add one impression, or put it in the place of the one with the same key. Raises as `add`."""
        key = (person, finger, impression)
        _require_enough(template)
        with self._lock:
            if key in self._row_of:
                self._kill(key)
                self._compact_if_hollow()
            self._append(key, template)

    def remove(self, person: Hashable, finger: Hashable = None, impression: Hashable = None) -> int:
        """Forget a person, one finger, or one impression; how many templates went.

        No search that begins now sees them. Their cells are zeroed: now, or with the end of the last search
        that had begun before.
        """
        with self._lock:
            keys = [self._keys[row] for row in self._rows_of.get(person, ())]
            keys = [
                key
                for key in keys
                if (finger is None or key[1] == finger) and (impression is None or key[2] == impression)
            ]
            for key in keys:
                self._kill(key)
            self._compact_if_hollow()
            return len(keys)

    @property
    def max_templates(self) -> int:
        return self._max_templates

    @property
    def memory_bytes(self) -> int:
        """What the arrays take, room for growth included."""
        with self._lock:
            arrays = (self._bits, self._mask, self._place, self._ones, self._start, self._count)
            return sum(array.nbytes for array in arrays)

    def search(
        self,
        probe: Cylinders,
        among: Iterable[Hashable] | None = None,
        limit: int = 10,
        besides: Iterable[Hashable] = (),
    ) -> list[Candidate]:
        """The persons nearest to the probe, best first, each once with the best of their templates.

        `among` limits the search to these persons, `besides` leaves these out. Raises TooFewCylinders,
        which means "touch again".
        """
        _require_enough(probe)
        with self._seen(among, besides) as (rows, view, ones, keys):
            if not rows.size or limit < 1:
                return []
            if rows.size >= PREFILTER_FROM:
                keep = int(min(max(RESCORED_MIN, RESCORED_SHARE * rows.size), RESCORED_MAX))
                if rows.size >= COARSE_FROM:
                    rows = _nearest(view, ones, rows, probe, COARSE_PROBE, int(COARSE_SHARE * rows.size))
                rows = _nearest(view, ones, rows, probe, PREFILTER_PROBE, keep)
            scores = exact_scores(*view, rows, probe.bits, probe.mask, probe.place)
        best_first = np.argsort(-scores, kind="stable")
        with self._lock:
            return self._best_per_person(best_first, rows, scores, keys, limit)

    @contextmanager
    def _seen(self, among, besides) -> Iterator[tuple]:
        """The wanted rows, the arrays and the keys as they are now; they stay so until the block ends."""
        with self._lock:
            rows = self._wanted(among, besides)
            # Read-only views: nothing can be written by mistake, and one compiled form serves all.
            view = tuple(map(_read_only, (self._bits, self._mask, self._place, self._start, self._count)))
            ones, keys = _read_only(self._ones), self._keys
            self._searches += 1
            mine = self._searches
            self._running.add(mine)
        try:
            yield rows, view, ones, keys
        finally:
            with self._lock:
                self._running.discard(mine)
                self._wipe()

    # Below here the caller holds the lock.

    def _wanted(self, among: Iterable[Hashable] | None, besides: Iterable[Hashable]) -> np.ndarray:
        if among is not None:
            return self._rows_of_all(set(among) - set(besides))
        if self._alive is None:
            self._alive = np.fromiter(self._row_of.values(), np.int64, len(self._row_of))
        without = self._rows_of_all(besides)
        if not len(without):
            return self._alive
        wanted = np.ones(len(self._keys), np.bool_)
        wanted[without] = False
        return self._alive[wanted[self._alive]]

    def _best_per_person(self, best_first, rows, scores, keys, limit) -> list[Candidate]:
        found: dict[Hashable, Candidate] = {}
        for at in best_first:
            key = keys[rows[at]]
            if key[0] not in found and key in self._row_of:
                found[key[0]] = Candidate(key[0], key[1], float(scores[at]))
                if len(found) == limit:
                    break
        return list(found.values())

    def _rows_of_all(self, persons: Iterable[Hashable]) -> np.ndarray:
        nested = (self._rows_of.get(person, ()) for person in set(persons))
        return np.fromiter((row for some in nested for row in some), np.int64)

    def _empty_arrays(self, capacity: int) -> None:
        self._bits = np.zeros((capacity, WORDS), np.uint64)
        self._mask = np.zeros((capacity, LAYER_WORDS), np.uint64)
        self._place = np.zeros((capacity, 3), np.float32)
        self._ones = np.zeros(capacity, np.float32)
        self._start = np.zeros(256, np.int64)
        self._count = np.zeros(256, np.int64)
        self._keys: list[Key] = []
        self._used = self._dead = 0
        self._alive: np.ndarray | None = None

    def _append(self, key: Key, template: Cylinders) -> None:
        if len(self._row_of) >= self._max_templates:
            raise GalleryFull(f"the gallery holds its {self._max_templates} templates already")
        row, n = len(self._keys), len(template)
        if row == self._start.shape[0]:
            room = _room(self._start, row + 1)
            self._start, self._count = _grown(self._start, room), _grown(self._count, room)
        if self._used + n > self._bits.shape[0]:
            room = _room(self._bits, self._used + n)
            old = self._cells()
            for name in ("_bits", "_mask", "_place", "_ones"):
                setattr(self, name, _grown(getattr(self, name), room))
            for _, arrays, here in self._unwiped:
                if arrays[0] is old[0]:
                    _zero(self._cells(), here)  # nobody reads the copy yet
        here = slice(self._used, self._used + n)
        self._bits[here], self._mask[here], self._place[here] = template.bits, template.mask, template.place
        self._ones[here] = set_bits(template.bits)
        self._start[row], self._count[row] = self._used, n
        self._used += n
        self._keys.append(key)
        self._row_of[key] = row
        self._rows_of.setdefault(key[0], set()).add(row)
        self._alive = None

    def _kill(self, key: Key) -> None:
        row = self._row_of.pop(key)
        rows = self._rows_of[key[0]]
        rows.discard(row)
        if not rows:
            del self._rows_of[key[0]]
        here = slice(self._start[row], self._start[row] + self._count[row])
        self._unwiped.append((self._searches, self._cells(), here))
        self._wipe()
        self._dead += int(self._count[row])
        self._alive = None

    def _cells(self) -> tuple[np.ndarray, ...]:
        return self._bits, self._mask, self._place, self._ones

    def _wipe(self) -> None:
        """Zero what was forgotten, except where a search that began before still reads."""
        oldest = min(self._running, default=self._searches + 1)
        while self._unwiped and self._unwiped[0][0] < oldest:
            _, arrays, here = self._unwiped.popleft()
            _zero(arrays, here)

    def _compact_if_hollow(self) -> None:
        """Give the memory of forgotten templates back once they are the greater part."""
        if self._dead < _COMPACT_FROM or 2 * self._dead < self._used:
            return
        kept = []
        for key, row in self._row_of.items():
            here = slice(self._start[row], self._start[row] + self._count[row])
            kept.append((key, Cylinders(self._bits[here], self._mask[here], self._place[here])))
        self._row_of, self._rows_of = {}, {}
        self._empty_arrays(max(_FIRST_CAPACITY, self._used - self._dead))
        for key, template in kept:
            self._append(key, template)


def _require_enough(template: Cylinders) -> None:
    if not template.enough:
        raise TooFewCylinders("too little of the finger: please touch again")


def _zero(arrays: tuple[np.ndarray, ...], here: slice) -> None:
    for array in arrays:
        array[here] = 0


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _nearest(view, ones, rows: np.ndarray, probe: Cylinders, cylinders_used: int, keep: int) -> np.ndarray:
    """The `keep` of `rows` nearest to the probe by its `cylinders_used` most confident cylinders."""
    bits, _, place, start, count = view
    some, where = probe.bits[:cylinders_used], probe.place[:cylinders_used]
    near = nearness(bits, ones, place, start, count, rows, some, _read_only(set_bits(some)), where)
    return rows[np.argpartition(-near, keep)[:keep]]


def _room(array: np.ndarray, needed: int) -> int:
    """Rows to make room for: half as many again, and an eighth more once copies cost less than idle memory."""
    more = array.shape[0] // (8 if array.nbytes >= _GROW_GENTLY_FROM_BYTES else 2)
    return max(needed, array.shape[0] + more)


def _grown(array: np.ndarray, room: int) -> np.ndarray:
    """A copy with `room` rows; who still reads the old one is not disturbed."""
    larger = np.zeros((room, *array.shape[1:]), array.dtype)
    larger[: array.shape[0]] = array
    return larger


def warm_up() -> None:
    """Compile the kernels of both passes on a gallery of noise."""
    rng = np.random.default_rng(0)
    noise = Cylinders(
        rng.integers(0, 2**63, (16, WORDS), np.uint64),
        rng.integers(0, 2**63, (16, LAYER_WORDS), np.uint64),
        rng.uniform(0, 3, (16, 3)).astype(np.float32),
    )
    noise = Cylinders(*map(_read_only, (noise.bits, noise.mask, noise.place)))
    gallery = Gallery()
    gallery.add_many(((i, 0, 0), noise) for i in range(PREFILTER_FROM))
    gallery.search(noise)
