"""The first people's fingers, drawn and extracted in a second process while the history is being written.

What comes back is stored by the same service as at an enrolment desk. The rest
are enrolled in the background (`ost.demo.enrol`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from ost.services import enrol_demo
from ost.services.fingerprints import store
from ost.services.work import House


def _look(seed: int, impressions: tuple[int, ...]) -> list:
    """(minutiae, cylinders) of each impression of one finger."""
    from devices.fingerprints.cylinders import cylinders
    from devices.fingerprints.drawing import draw
    from devices.fingerprints.extract import extract

    seen = [extract(draw(seed, n)) for n in impressions]
    return [(minutiae, cylinders(minutiae)) for minutiae in seen]


def _wake() -> None:
    # The history goes first where both want the same core.
    os.nice(5)


class FirstPrints:
    """Begun as soon as the first people's ids are known; stored once they are in the database."""

    def __init__(self, house: House, people: list[tuple[str, str]]):
        """`people`: (patient id, home site)."""
        self._house = house
        workers = max(1, min(4, os.cpu_count() or 1))
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _wake)
        self._asked = []
        for person, home in people:
            for finger in enrol_demo.FINGERS:
                seed = enrol_demo.demo_finger_seed(house, person, finger)
                asked = self._pool.submit(_look, seed, enrol_demo.IMPRESSIONS)
                self._asked.append((home, person, finger, asked))

    def keep(self, tell: Callable[[int, int], None]) -> int:
        """Wait for them and write them; how many prints were kept. `tell(done, of)` counts prints."""
        kept, of = 0, len(self._asked) * len(enrol_demo.IMPRESSIONS)
        with self._pool:
            for n, (home, person, finger, asked) in enumerate(self._asked, 1):
                for minutiae, print_ in asked.result():
                    if print_.enough:
                        self._store(home, person, finger, minutiae, print_)
                        kept += 1
                tell(n * len(enrol_demo.IMPRESSIONS), of)
        return kept

    def _store(self, home: str, person: str, finger: str, minutiae, print_) -> None:
        store(self._house, enrol_demo.ENROLLER, home, person, finger, minutiae, print_, None, synthetic=True)

    def drop(self) -> None:
        """The load failed: nobody needs them."""
        self._pool.shutdown(wait=False, cancel_futures=True)
