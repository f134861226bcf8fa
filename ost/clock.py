"""The only reader of the time.

Services take `now` from here once and hand it down; rules get it as an
argument. `dosing_day` is the calendar day at a site, which is what a dose is
for; it is never derived from a stored instant later.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The present instant, aware, in UTC, whole microseconds."""
    return datetime.now(UTC)


def dosing_day(at: datetime, tz: str) -> date:
    """The calendar day of instant `at` in zone `tz` (IANA name)."""
    return at.astimezone(ZoneInfo(tz)).date()


def local(at: datetime, tz: str) -> datetime:
    """The same instant as a wall clock at the site shows it."""
    return at.astimezone(ZoneInfo(tz))
