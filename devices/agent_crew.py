"""Several counters of a site in one program: each station works by itself, one status file for all.

When a station's thread has ended by itself, the program ends, so that whoever
started it (systemd, the task scheduler) starts it again whole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from devices import agent_status
from devices.agent import Agent, seconds

log = logging.getLogger("ost.agent")

WRITE_S = 1.0
MOST_STATIONS = 16


class Crew:
    """`status`: where to write how things stand; None: nowhere."""

    def __init__(self, agents: Sequence[Agent], status: Path | None = None):
        if not 1 <= len(agents) <= MOST_STATIONS:
            raise ValueError(f"one program serves one to {MOST_STATIONS} stations")
        if len({agent.key.station for agent in agents}) != len(agents):
            raise ValueError("each station has a key of its own")
        self.agents = tuple(agents)
        self._status = status
        self._stop = threading.Event()

    def run(self, on_answer: Callable[[dict], None] = lambda answer: None) -> bool:
        """Until `stop()`: True. False when a station ended by itself."""
        threads = [
            threading.Thread(target=agent.run, args=(on_answer,), name=agent.key.station, daemon=True)
            for agent in self.agents
        ]
        for thread in threads:
            thread.start()
        self._write()
        agent_status.notify("READY=1")
        while not self._stop.wait(WRITE_S) and all(thread.is_alive() for thread in threads):
            self._write()
            agent_status.notify("WATCHDOG=1")
        asked = self._stop.is_set()
        agent_status.notify("STOPPING=1")
        for agent in self.agents:
            agent.stop()
        for thread in threads:
            thread.join(timeout=8)
        if self._status is not None:
            self._status.unlink(missing_ok=True)
        return asked

    def _write(self) -> None:
        if self._status is None:
            return
        try:
            agent_status.write(self._status, agent_status.status_of(self.agents, seconds()))
        except OSError as error:
            log.warning("status file: %s", type(error).__name__)  # a full disk does not stop a counter

    def stop(self) -> None:
        """Safe in a signal's handler."""
        self._stop.set()
