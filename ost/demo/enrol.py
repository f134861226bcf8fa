"""The rest of the demo's people get their fingers, beside the server and in nobody's way.

A process of its own at the lowest priority: it stops when the server that
started it is gone, and goes on where it stopped at the next start.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from ost.demo.network import MAIN, SITES
from ost.models import patient
from ost.services.enrol_demo import enrol_synthetic
from ost.services.work import House

_LOCK = "demo-enrol.lock"


def waiting(house: House) -> list[str]:
    """People of the practice network without a finger yet; the main sites' first."""
    order = [*MAIN, *(s.id for s in SITES if s.id not in MAIN)]
    p, f = patient.patient, patient.fingerprint
    has = sa.exists().where(f.c.patient == p.c.id)
    query = (
        sa.select(p.c.id, p.c.home_site)
        .where(p.c.active, p.c.home_site.in_(order), ~has)
        .order_by(p.c.number)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
    return [r.id for r in sorted(rows, key=lambda r: order.index(r.home_site))]


def enrol_rest(
    house: House, home: Path, go_on: Callable[[], bool], tell: Callable[[int, int], None] = lambda *_: None
) -> int:
    """Enrol everybody who waits, while `go_on()`; how many were. Two at once do nothing twice."""
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        people, done = waiting(house), 0
        for person in people:
            if not go_on():
                break
            done += enrol_synthetic(house, None, [person])
            tell(done, len(people))
        return done


def start_beside(*words: str) -> subprocess.Popen:
    """A command of ours for as long as this process lives: the enrolling one, where nothing else is said."""
    # Its own words would come between the lines of whoever reads the server's.
    return subprocess.Popen(
        [sys.executable, "-m", "ost.cli", *(words or ("demo", "enrol"))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OST_DEMO_BESIDE": str(os.getpid())},
    )
