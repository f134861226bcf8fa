"""What the demo drew for itself: sign-in secrets and cards, in one file only its owner can read.

Kept so that the terminal can show them again; a real system keeps none of this.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

NAME = "demo-secrets.json"


class SecretsMissing(Exception):
    """The demo is loaded but its secrets file is gone: nobody could sign in."""


def path(home: Path) -> Path:
    return home / NAME


def write(home: Path, secrets: Mapping) -> None:
    """Replace the file in one step; readable by its owner alone from its first byte on."""
    home.mkdir(parents=True, exist_ok=True)
    part = path(home).with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(secrets, file, ensure_ascii=False, indent=1)
    part.replace(path(home))


def read(home: Path) -> dict:
    try:
        return json.loads(path(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SecretsMissing(
            f"{NAME} is gone, and with it the demo's passwords: remove the demo's folder and load it anew"
        ) from None
