"""The only reader of the time below `devices`, which knows nothing of `ost`: for what a device dates and signs.

Drivers take it as an argument, so that tests hand in constants.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
