"""A real `ost agent` at a counter of a story: its station is made and enrolled, and the program runs beside `ost serve`.

    with agent_at(story, "HUA1-1", "libfprint", virtual=socket) as agent:
        ...                      # lay fingers on the device; agent.log() is what the program said

The counter's practice station is set aside by it, as an administrator would who puts a new reader there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ost import keys
from ost.bench.served import ROOT, ost_environment
from ost.db import Database
from ost.services import stations
from ost.services.work import SYSTEM, House

PATIENCE_S = 60.0  # a program starts, a device opens, on a busy machine


@dataclass
class RunningAgent:
    """`station`: its id at the server. `device`: the counterpart behind its driver is the test's own business."""

    story: object
    station: str
    process: subprocess.Popen
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def is_ready(self) -> None:
        """Its heartbeat has said that the reader is ready."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            row = self.story.row("SELECT reader_state FROM station WHERE id = :id", id=self.station)
            if row.reader_state == "ready":
                return
            assert self.process.poll() is None, f"the agent ended: {self.log()}"
            time.sleep(0.1)
        raise AssertionError(f"no reader became ready: {self.log()}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the agent did not end when asked: {self.log()}") from None


def new_station(story, counter: str) -> stations.NewStation:
    """A station at this counter and its one-time code, as the administrator's page makes them."""
    database = Database(story.database_url)
    try:
        house = House(database, keys.load(story.home / "keys"), demo=True, now=story.now)
        return stations.create(house, SYSTEM, counter.partition("-")[0], "reader", counter)
    finally:
        database.close()


@contextmanager
def agent_at(story, counter: str, kind: str, **options: object) -> Iterator[RunningAgent]:
    """`ost agent --enrol CODE --reader KIND --option NAME=VALUE ...`, ready for touches; stopped at the end."""
    made = new_station(story, counter)
    home = story.home / f"agent-{made.id[:8]}"
    home.mkdir()
    log_file = home / "agent.log"
    command = [sys.executable, "-m", "ost.cli", "agent", "--server", story.url, "--enrol", made.code]
    command += ["--key", str(home / "station.json"), "--reader", kind]
    for name, value in options.items():
        command += ["--option", f"{name}={value}"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=ost_environment(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    agent = RunningAgent(story, made.id, process, log_file)
    try:
        agent.is_ready()
        yield agent
    finally:
        agent.stop()
