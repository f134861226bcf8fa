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


def _look(seed: int, impression: int):
    """One impression: (minutiae, cylinders, enough of it)."""
    from devices.fingerprints.cylinders import cylinders
    from devices.fingerprints.drawing import draw
    from devices.fingerprints.extract import extract

    minutiae = extract(draw(seed, impression))
    print_ = cylinders(minutiae)
    return minutiae, print_


def _wake() -> None:
    os.nice(5)
    # Compiled and loaded before the first print is asked for.
    import devices.fingerprints.extract  # noqa: F401


class FirstPrints:
    """Begun as soon as the first people's ids are known; stored once they are in the database."""

    def __init__(self, house: House, people: list[tuple[str, str]]):
        """`people`: (patient id, home site)."""
        self._house = house
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _wake)
        self._asked = [
            (home, person, finger, self._pool.submit(_look, enrol_demo.demo_finger_seed(house, person, finger), n))
            for person, home in people
            for finger in enrol_demo.FINGERS
            for n in enrol_demo.IMPRESSIONS
        ]

    def keep(self, tell: Callable[[int, int], None]) -> int:
        """Wait for them and write them; how many prints were kept. `tell(done, of)`."""
        kept = 0
        with self._pool:
            for done, (home, person, finger, asked) in enumerate(self._asked, 1):
                minutiae, print_ = asked.result()
                if print_.enough:
                    store(
                        self._house,
                        enrol_demo.ENROLLER,
                        home,
                        person,
                        finger,
                        minutiae,
                        print_,
                        None,
                        synthetic=True,
                    )
                    kept += 1
                tell(done, len(self._asked))
        return kept

    def drop(self) -> None:
        """The load failed: nobody needs them."""
        self._pool.shutdown(wait=False, cancel_futures=True)
