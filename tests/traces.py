"""Looks for a print where none may be: its bytes, their hex, base64 and Python's way of writing them, at any alignment."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

_LENGTH = 24
_PLACES = 12


@dataclass(frozen=True)
class Traces:
    """`secrets`: {what it is: its bytes}. Needles are pieces of 24 bytes from all over each of them."""

    secrets: dict[str, bytes]

    def needles(self):
        for name, data in self.secrets.items():
            step = max(1, (len(data) - _LENGTH) // _PLACES)
            for at in range(0, max(1, len(data) - _LENGTH), step):
                piece = data[at : at + _LENGTH]
                if len(set(piece)) < 8:
                    continue  # white paper, a row of zeros: that is no print
                yield name, piece
                yield name, piece.hex().encode()
                yield name, piece.hex().upper().encode()
                yield name, repr(piece)[2:-1].encode()
                for shift in range(3):
                    # What base64 writes for these bytes wherever they stand; its ends depend on their neighbours.
                    yield name, base64.b64encode(b"\0" * shift + piece)[4 : (shift + _LENGTH) // 3 * 4]

    def within(self, data: bytes | str) -> set[str]:
        """What of it is in there."""
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        return {name for name, needle in self.needles() if needle in data}

    def in_files(self, *folders: Path) -> dict[str, set[str]]:
        """{file: what is in it} of all files below these folders that hold any."""
        found = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                try:
                    held = self.within(path.read_bytes()) if path.is_file() else set()
                except OSError:
                    continue  # gone again: the watcher looks while others work
                if held:
                    found[str(path.relative_to(folder))] = held
        return found
