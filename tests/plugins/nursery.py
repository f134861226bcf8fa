"""`ost` processes that have their imports behind them: a process that has done them forks one for whoever asks.

Starting Python, its libraries, the network and the compiled matcher costs five seconds of a core, each time the same.
For stories on SQLite, of which each needs a server and a `verify` of its own. What is started this way is told the
whole of its environment, its command and its files, and from there on is the program as anybody starts it; how it
starts from nothing is proved by the story on PostgreSQL, by tests/test_startup.py and by the drills.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Forked:
    """As much of subprocess.Popen as is asked of a server: `.pid`, `.poll()`, `.wait()`, `.returncode`."""

    def __init__(self, nursery: Nursery, pid: int):
        self._nursery, self.pid = nursery, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.ask(do="poll", pid=self.pid)
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("ost", timeout)
            time.sleep(0.02)
        return self.returncode


class Nursery:
    """`nursery.start(["verify"], environment, log)`: an `ost` process of its own session, both outputs in one file."""

    def __init__(self, environment: dict[str, str]):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.plugins.nursery"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> Forked:
        return Forked(self, self.ask(do="start", arguments=arguments, environment=environment, log=str(log)))

    def ask(self, **question: object) -> int | None:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks the others has ended"
        return json.loads(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()


# --- the other side --------------------------------------------------------------------------


def _prepare() -> None:
    """Whatever `ost serve` and `ost verify` import, and the matcher, loaded and run once."""
    from importlib import import_module

    from devices import fingerprints

    for name in (
        "gunicorn.workers.gthread",
        "ost.app",
        "ost.cli",
        "ost.commands.serve",
        "ost.commands.verify",
        "ost.serve",
    ):
        import_module(name)
    fingerprints.warm_up()
    fingerprints.warm_up = lambda: None  # whoever is forked from here on is warm


def _become(question: dict) -> None:
    """In the fork: the command, and nothing of whoever started it but the imports."""
    code = 70
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(question["environment"])
        sys.argv = ["ost", *question["arguments"]]
        from ost.cli import main

        code = 0
        main(prog_name="ost")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - into its log, as Python does it
        import traceback

        code = 70
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing that is printed here by chance is taken for an answer
    _prepare()
    running: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if question["do"] == "start":
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                answers.close()
                _become(question)
            running.add(pid)
            answer = pid
        else:
            pid, status = os.waitpid(question["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
            running.discard(pid)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    for pid in running:  # whoever asked is gone: so are those it asked for
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
