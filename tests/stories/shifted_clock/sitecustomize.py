"""Loaded by every Python that a story starts: the one clock of `ost` reads a story's day instead of today.

The story writes seconds into a file; the program's time is the machine's time plus that many. Nothing else of the
program is touched, and a program that is started without the file's name in its environment keeps the true time.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

if os.environ.get("STORY_CLOCK"):
    import ost.clock

    _file = Path(os.environ["STORY_CLOCK"])

    def _now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(_file.read_text(encoding="ascii")))

    ost.clock.now = _now
