"""All enrolled prints in memory, kept as fresh as the database.

Loaded once, then before each search whatever has a newer `change_no`; a hit is
checked again in the database by whoever uses it. While the first load runs in
the background, the people in question are loaded first, so that no counter
waits for the country. At most `max_templates` are held; what found no room is
counted (`left_out`). Knows no names; decides nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices import fingerprints
from devices.fingerprints.cylinders import Cylinders
from devices.fingerprints.errors import BadTemplate
from devices.fingerprints.gallery import Candidate, Gallery, GalleryFull
from ost.keys import SealBroken
from ost.log import log
from ost.models.patient import fingerprint, person_key
from ost.services.templates import open_template
from ost.services.work import House

MAX_TEMPLATES = 200_000
"""About 2 GB in a process; 8,500 people with 2 fingers and 3 impressions are 51,000."""
_CHUNK = 200
_MOST_THREADS = 4

_F = fingerprint
_COLUMNS = sa.select(
    _F.c.id,
    _F.c.patient,
    _F.c.finger,
    _F.c.impression,
    _F.c.algorithm,
    _F.c.template_sealed,
    _F.c.withdrawn_at,
    _F.c.change_no,
    person_key.c.wrapped,
).join_from(_F, person_key, person_key.c.person == _F.c.patient, isouter=True)
_NEWER = (
    _COLUMNS.where(_F.c.change_no > sa.bindparam("newest")).order_by(_F.c.change_no, _F.c.id).limit(_CHUNK)
)
# Rows of one transaction share a change number: all of the last number, or the chunk cuts it in two.
_SAME = _COLUMNS.where(_F.c.change_no == sa.bindparam("number"))
_OF = _COLUMNS.where(_F.c.patient.in_(sa.bindparam("people", expanding=True)), _F.c.withdrawn_at.is_(None))
_STANDS = (
    sa.select(_F.c.id)
    .join_from(_F, person_key, person_key.c.person == _F.c.patient)
    .where(
        _F.c.patient == sa.bindparam("person"),
        _F.c.finger == sa.bindparam("finger"),
        _F.c.withdrawn_at.is_(None),
        person_key.c.wrapped.is_not(None),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int
    ready: bool


class PrintGallery:
    """One per process. Any number of threads may search while one loads."""

    def __init__(self, max_templates: int = MAX_TEMPLATES):
        self._prints = Gallery(max_templates)
        self._lock = threading.RLock()
        self._newest = 0
        self._done = self._total = 0
        self._warming = False
        self._asked_for: set[str] = set()
        self._loaded = threading.Event()
        #: Ids of rows that did not open: moved, altered, or not a template.
        self.broken: set[str] = set()
        #: Prints that found no room: the process needs a larger `max_templates`.
        self.left_out = 0
        #: Told after each change, for the operator's figures.
        self.tell: Callable[[PrintGallery], None] = lambda _gallery: None
        self._pool: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        return len(self._prints)

    @property
    def max_templates(self) -> int:
        return self._prints.max_templates

    @property
    def memory_bytes(self) -> int:
        return self._prints.memory_bytes

    @property
    def progress(self) -> Progress:
        return Progress(self._done, max(self._total, self._done), self._loaded.is_set())

    # --- loading ---------------------------------------------------------------
    def warm_up(self, house: House) -> threading.Thread:
        """Compile the kernels and load everybody, in the background. Call once, at start."""
        self._warming = True
        thread = threading.Thread(target=self._warm_up, args=(house,), name="gallery", daemon=True)
        thread.start()
        return thread

    def _warm_up(self, house: House) -> None:
        try:
            fingerprints.warm_up()
            # Describing a print is compiled code that runs beside others: all cores, this once.
            with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), "gallery") as self._pool:
                self._catch_up(house)
            log.info("gallery_ready", count=len(self))
        finally:
            self._pool = None
            # If it failed, the next search loads in its own time and says why it cannot.
            self._warming = False

    def refresh(self, house: House, people: Iterable[str] = ()) -> None:
        """Be as fresh as the database, for `people` at least: everybody, unless the first load still runs."""
        if self._warming and not self._loaded.is_set():
            self._load_people(house, people)
        else:
            self._catch_up(house)

    def _catch_up(self, house: House) -> None:
        with house.read() as tx:
            if not self._loaded.is_set():
                self._total = tx.execute(
                    sa.select(sa.func.count()).select_from(_F).where(_F.c.withdrawn_at.is_(None))
                ).scalar_one()
            while True:
                with self._lock:
                    rows = tx.execute(_NEWER, {"newest": self._newest}).all()
                    if len(rows) == _CHUNK:
                        last = rows[-1].change_no
                        rows = [r for r in rows if r.change_no != last]
                        rows += tx.execute(_SAME, {"number": last}).all()
                    self._apply(house, rows)
                    if rows:
                        self._newest = max(self._newest, rows[-1].change_no)
                        self.tell(self)
                if len(rows) < _CHUNK:
                    break
        if not self._loaded.is_set():
            self._loaded.set()
            self.tell(self)

    def _load_people(self, house: House, people: Iterable[str]) -> None:
        # Not "has a print loaded": the background load may have brought one impression of three.
        missing = sorted(set(people) - self._asked_for)
        with house.read() as tx:
            for at in range(0, len(missing), _CHUNK):
                some = missing[at : at + _CHUNK]
                with self._lock:
                    self._apply(house, tx.execute(_OF, {"people": some}).all())
                    self._asked_for.update(some)

    def _apply(self, house: House, rows: list[sa.Row]) -> None:
        fresh = []
        for row in rows:
            if row.withdrawn_at is not None or row.wrapped is None:
                self._prints.remove(row.patient, row.finger, row.id)
            elif (row.patient, row.finger, row.id) not in self._prints:
                fresh.append(row)
        spread = self._pool.map if self._pool is not None else map
        for row, template in zip(fresh, spread(_opener(house), fresh), strict=True):
            if isinstance(template, Exception):
                self.broken.add(row.id)
                log.error("template_does_not_open", kind=type(template).__name__)
                continue
            self._take(row, template)
            self._done += 1

    def _take(self, row: sa.Row, template: Cylinders) -> None:
        if not template.enough:
            return
        try:
            self._prints.replace(row.patient, row.finger, row.id, template)
        except GalleryFull:
            # Whoever is left out has a card and a number; those who are in are found as before.
            if not self.left_out:
                log.error("gallery_full", count=len(self))
            self.left_out += 1

    def people(self) -> set[str]:
        """Whoever has a print loaded."""
        return self._prints.persons

    # --- asking ------------------------------------------------------------------
    def search(
        self,
        probe: Cylinders,
        among: Iterable[str] | None = None,
        limit: int = 10,
        besides: Iterable[str] = (),
    ) -> list[Candidate]:
        """As `Gallery.search`. Call `refresh` first; raises TooFewCylinders."""
        return self._prints.search(probe, among, limit, besides)


def _opener(house: House) -> Callable[[sa.Row], Cylinders | SealBroken | BadTemplate]:
    """Opens one row after another, or says why it does not open; each person's key is opened once."""
    keys: dict[str, bytes] = {}

    def opened(row: sa.Row) -> Cylinders | SealBroken | BadTemplate:
        try:
            if row.patient not in keys:
                keys[row.patient] = house.keys.open_person_key(row.patient, row.wrapped)
            return open_template(
                keys[row.patient], row.patient, row.finger, row.algorithm, row.impression, row.template_sealed
            )
        except (SealBroken, BadTemplate) as error:
            return error

    return opened


def stands(tx: Connection, hit: Candidate) -> bool:
    """Whether the finger that was hit is still enrolled and its person not forgotten."""
    return tx.execute(_STANDS, {"person": hit.person, "finger": hit.finger}).first() is not None


def gallery_of(house: House) -> PrintGallery:
    """The process's one gallery for this house."""
    return house.memo.setdefault("gallery", PrintGallery())
