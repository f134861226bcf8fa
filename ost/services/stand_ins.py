"""Which stations work with a stand-in: any driver may have one, and it says so of itself in each heartbeat."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from ost.models.reader import reader

#: How long after it was last heard a simulated reader still makes its banner.
SHOWN_FOR = timedelta(hours=1)


def simulated_lately(station_id: sa.ColumnElement, since: sa.ColumnElement | datetime) -> sa.Exists:
    """Whether one of the station's readers, heard since then, said that it is simulated."""
    r = reader.c
    return sa.exists().where(r.station == station_id, r.simulated, r.revoked_at.is_(None), r.seen_at >= since)
