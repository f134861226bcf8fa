"""Real `ost` processes for tests: commands run to their end, and servers on a free loopback port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ost.bench.served import ROOT, LiveServer, free_port, ost_environment, serve

__all__ = ["LiveServer", "free_port", "ost_environment", "serve"]


@pytest.fixture
def live_server(tmp_path):
    """`server = live_server(database_url, home=...)`: a running `ost serve`, stopped when the test ends."""
    running: list[LiveServer] = []

    def start(database_url: str, home: Path | None = None, **settings: str) -> LiveServer:
        server = LiveServer(home or tmp_path, database_url, **settings)
        running.append(server)
        return server.start()

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def ost(tmp_path):
    """`done = ost("verify", "--json", database_url=...)`: runs a command to its end as a person would."""

    def run(
        *arguments: str, database_url: str | None = None, home: Path | None = None, timeout: float = 300, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ost.cli", *arguments],
            cwd=ROOT,
            env=ost_environment(home or tmp_path, database_url, **settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
