"""What a running agent writes down about itself, and how others read it.

A small file beside the key, replaced as a whole, its owner's only. It holds no
person, no touch and nothing of a print: states, counts and codes. Ages are in
seconds since the machine started, so that no clock is needed to see that a
file is old.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from devices.agent import Agent, seconds

#: The file is written once a second; older than this, nobody writes it any more.
OLD_S = 6.0
SUFFIX = ".status.json"
_LARGEST_BYTES = 262_144


def status_of(agents: tuple[Agent, ...], now: float) -> dict:
    """{"pid", "at_s", "stations": [{"station", "server", "since_s", "last_answer", "readers": [...]}]}."""
    return {"pid": os.getpid(), "at_s": round(now, 3), "stations": [_station(agent) for agent in agents]}


def _station(agent: Agent) -> dict:
    there = {None: "not asked yet", True: "reachable", False: "not reachable"}[agent.reachable]
    return {
        "station": agent.key.station,
        "server": there,
        "since_s": round(agent.since, 3),
        "last_answer": agent.last_answer,
        "readers": [
            hand.look() | {"touches": hand.touches, "refused": hand.refused, "dropped": hand.dropped}
            for hand in agent.hands
        ],
    }


def write(path: Path, status: dict) -> None:
    """Replace the file at once: a reader sees the old one or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_suffix(f".{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        half.unlink()
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(status, file)
    half.replace(path)


def read(path: Path, now: Callable[[], float] = seconds) -> dict | None:
    """The status with "running" and "age_s"; None when there is no such file or it makes no sense."""
    try:
        with path.open() as file:
            status = json.loads(file.read(_LARGEST_BYTES))
        age = now() - float(status["at_s"])
        pid = int(status["pid"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    # Younger than now: written before the machine was started again.
    return status | {"age_s": round(age, 1), "running": 0 <= age <= OLD_S and _lives(pid)}


def _lives(pid: int) -> bool:
    if os.name != "posix" or pid <= 0:
        return pid > 0  # Windows: asking would end it; the file's age decides alone
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def notify(word: str) -> None:
    """Tell systemd, if it started us: "READY=1", "WATCHDOG=1", "STOPPING=1" (sd_notify's protocol)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, contextlib.suppress(OSError):
        line.connect("\0" + address[1:] if address[0] == "@" else address)
        line.send(word.encode())
