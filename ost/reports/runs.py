"""An evaluation that takes a minute, beside the pages: one at a time, with its progress in a small file.

Does: runs a job in a thread of this process and writes what it is doing where every process can read it. Does
not: keep a capture: these live in the job's memory only, so that a run that dies with its process is begun anew.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from devices.evaluate import BadCaptures, Kept, SessionError, Store, StoreBroken
from devices.evaluate.store import write_whole
from ost.errors import Refusal
from ost.log import log

RUNNING, DONE, FAILED = "running", "done", "failed"
#: A run that has not been heard of for so long died with its process.
SILENT = timedelta(minutes=3)
KEPT_FOR = timedelta(days=1)

_ID = re.compile(r"[0-9a-f]{16}\Z")
_one_at_a_time = threading.Lock()
#: One at work and two that wait, each with its archive in memory.
MOST = 3
_places = threading.BoundedSemaphore(MOST)

Job = Callable[[Callable[[int, int, str], None]], Kept]


@dataclass(frozen=True, slots=True)
class Run:
    """`state`: running, done or failed; `what`: the step it is at, done of `of`; `code`: why it failed;
    `evaluation`: what came of it."""

    id: str
    state: str
    at: datetime
    what: str = "waiting"
    done: int = 0
    of: int = 0
    code: str | None = None
    data: dict | None = None
    evaluation: str | None = None

    def lost(self, now: datetime) -> bool:
        return self.state == RUNNING and now - self.at > SILENT


def start(store: Store, job: Job, now: Callable[[], datetime]) -> Run:
    """Begin `job` in the background. `now`: the clock, for the progress to carry its time.

    Refusal("evaluation_busy") while as many wait in this process as its memory should hold.
    """
    if not _places.acquire(blocking=False):
        raise Refusal("evaluation_busy")
    try:
        _sweep(store, now())
        run = Run(secrets.token_hex(8), RUNNING, now())
        _write(store, run)
        name = f"evaluation-{run.id}"
        threading.Thread(target=_work, args=(store, run.id, job, now), name=name, daemon=True).start()
    except BaseException:
        _places.release()
        raise
    return run


def find(store: Store, run: str) -> Run | None:
    path = _path(store, run)
    if path is None or not path.is_file():
        return None
    kept = json.loads(path.read_bytes())
    return Run(**{**kept, "at": datetime.fromisoformat(kept["at"])})


def _work(store: Store, run: str, job: Job, now) -> None:
    def progress(done: int, total: int, what: str) -> None:
        _write(store, Run(run, RUNNING, now(), what, done, total))

    try:
        with _one_at_a_time:
            progress(0, 0, "extraction")
            kept = job(progress)
        _write(store, Run(run, DONE, now(), evaluation=kept.id))
    except (BadCaptures, SessionError, StoreBroken) as error:
        _write(store, Run(run, FAILED, now(), code=error.code, data=getattr(error, "data", {})))
    except Exception as error:
        _write(store, Run(run, FAILED, now(), code="internal"))
        log.error("evaluation_failed", kind=type(error).__name__)
        raise
    finally:
        _places.release()


def _write(store: Store, run: Run) -> None:
    path = _path(store, run.id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = {name: getattr(run, name) for name in Run.__dataclass_fields__} | {"at": run.at.isoformat()}
    write_whole(path, json.dumps(kept).encode())


def _path(store: Store, run: str) -> Path | None:
    return store.folder / "runs" / f"{run}.json" if _ID.match(run) else None


def _sweep(store: Store, now: datetime) -> None:
    """Progress of yesterday is of no use."""
    for path in (store.folder / "runs").glob("*.json"):
        found = find(store, path.stem)
        if found is not None and now - found.at > KEPT_FOR:
            path.unlink(missing_ok=True)
