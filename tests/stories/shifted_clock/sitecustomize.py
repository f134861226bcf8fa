"""Loaded by every Python that a story starts: the one clock of `ost` reads a story's day instead of today.

The story writes seconds into a file; the program's time is the machine's time plus that many. Nothing else of the
program is touched, and a program that is started without the file's name in its environment keeps the true time.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

if os.environ.get("STORY_CLOCK"):
    import ost.clock

    def _now() -> datetime:
        # Asked for each time: one process may be forked from another with a file of its own.
        seconds = Path(os.environ["STORY_CLOCK"]).read_text(encoding="ascii")
        return datetime.now(UTC) + timedelta(seconds=float(seconds))

    ost.clock.now = _now
