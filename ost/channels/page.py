"""The demo's channel: what would have been sent, kept in a file for a page to show. Nothing leaves the machine."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ost.channels.interface import Ending, Outgoing, Sent

NAME = "messages-shown.jsonl"
#: Only the newest are of interest.
MOST = 500


@dataclass(frozen=True, slots=True)
class Shown:
    key: str
    channel: str  # what would have carried it
    to: str
    subject: str
    body: str
    language: str
    at: datetime


class DemoPage:
    """Appends a line for each message to `folder`; a key that is there already is not written again."""

    name = "page"
    serves = ("sms", "email", "line")
    knows_keys = True

    def __init__(self, folder: Path):
        self.path = folder / NAME

    def send(self, message: Outgoing) -> Ending:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            lines = file.readlines()
            if any(json.loads(line)["key"] == message.key for line in lines):
                return Sent("page")
            row = {
                "key": message.key,
                "channel": _carrier(message.to),
                "to": message.to,
                "subject": message.subject,
                "body": message.body,
                "language": message.language,
                "at": message.at.isoformat(),
            }
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
            file.seek(0)
            file.writelines(lines[-MOST:])
            file.truncate()
        return Sent("page")

    def shown(self) -> list[Shown]:
        """What was sent, newest first."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        rows = [json.loads(line) for line in lines]
        return [Shown(**row | {"at": datetime.fromisoformat(row["at"])}) for row in reversed(rows)]


def _carrier(address: str) -> str:
    if "@" in address:
        return "email"
    return "sms" if address.startswith("+") else "line" if address.startswith("U") else "page"
