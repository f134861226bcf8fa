"""A real `ost serve` of one's own, on a free loopback port: for drills, benchmarks and tests.

It can be killed as a power cut would, and started again on the same files.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60


class NotUp(RuntimeError):
    """The server did not come up; the text holds its last words."""


def ost_environment(home: Path, database_url: str | None = None, **settings: str) -> dict[str, str]:
    """The environment of an `ost` process that shares nothing with the developer's own `var/`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OST_")}
    ours = {"OST_HOME": str(home), "OST_MODE": "demo", "PYTHONUNBUFFERED": "1"} | settings
    if database_url:
        ours["OST_DATABASE_URL"] = database_url
    return kept | ours


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LiveServer:
    """One `ost serve`: `.url`, `.process`, `.kill()` (a power cut), `.stop()`, `.log()`."""

    def __init__(self, home: Path, database_url: str, port: int | None = None, **settings: str):
        self.home = home
        self.database_url = database_url
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = home / f"serve-{self.port}.log"
        self._environment = ost_environment(home, database_url, **settings)
        self.process: subprocess.Popen | None = None

    def start(self) -> LiveServer:
        self.process = self._launched()
        self._wait_until_ready()
        return self

    def _launched(self) -> subprocess.Popen:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ost.cli", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """What a power cut does: every process of the server, at once, without a word."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def _signal(self, number: int) -> None:
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
            self.process.wait(timeout=20)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.kill()
        raise NotUp(f"the server did not come up:\n{self.log()[-3000:]}")


@contextmanager
def serve(home: Path, database_url: str, **settings: str) -> Iterator[LiveServer]:
    """`with serve(home, url) as server:`; `home` holds the keys that the database was made with."""
    server = LiveServer(home, database_url, **settings)
    try:
        yield server.start()
    finally:
        server.stop()
