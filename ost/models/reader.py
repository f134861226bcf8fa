"""Readers: which device hangs at which station, how it fares, and how each touch of it went."""

import sqlalchemy as sa

from ost.models.base import Instant, Word, col, key, opt, record, ref, table

# Known by what the agent says of it; a claim, kept to see a dying or an exchanged device.
reader = table(
    "reader",
    key(),
    ref("station", "station.id", index=True),
    ref("site", "site.id", sa.String(12), index=True),
    col("name", sa.String(40)),  # the agent's own name for it, unique at its station
    col("kind", Word),
    col("simulated", sa.Boolean),
    col("gives", Word),  # "image" | "template" | "own_matching"
    col("modality", Word),
    opt("dpi", sa.Integer),
    opt("maker", sa.String(80)),
    opt("model", sa.String(80)),
    opt("serial", sa.String(80)),
    opt("firmware", sa.String(80)),
    opt("liveness", sa.String(80)),  # as declared; nothing here tests it
    col("state", Word),
    opt("detail", Word),  # a code of the catalogue: why it is not ready
    col("first_seen_at", Instant),
    col("seen_at", Instant),
    opt("revoked_at", Instant),
    sa.UniqueConstraint("station", "name"),
)

# A device stopped being usable: one row each time its state turned away from ready.
reader_fault = table(
    "reader_fault",
    key(),
    ref("reader", "reader.id"),
    col("code", Word),
    col("at", Instant),
    sa.Index("ix_reader_fault_reader_at", "reader", "at"),
)

# Beside each capture: which device, which try, how long it took. No part of the print.
capture_measure = record(
    "capture_measure",
    key("capture"),
    ref("reader", "reader.id", optional=True),
    ref("site", "site.id", sa.String(12)),
    opt("finger", Word),  # of the template that was hit; none when nobody was recognised
    col("tries", sa.Integer),  # 1: the first touch of this approach
    opt("touch_ms", sa.Integer),  # finger laid on to sample, by the agent's clock
    opt("extract_ms", sa.Integer),
    opt("match_ms", sa.Integer),
    col("at", Instant),
    sa.Index("ix_capture_measure_site_at", "site", "at"),
    sa.ForeignKeyConstraint(["capture"], ["capture.id"]),
)

# What the next touches of a station are for, instead of calling a person to the counter: enrolling a
# finger, or a guided evaluation. Working state: gone when done, or after `until`.
station_task = table(
    "station_task",
    key("station"),
    col("kind", Word),  # "enrol" | "evaluate"
    ref("patient", "patient.id", optional=True),
    opt("finger", Word),
    opt("session", sa.String(64)),  # of an evaluation
    opt("said", sa.Text),  # JSON: what the last touch came to, for the page that waits
    col("number", sa.Integer),  # grows with each touch
    col("set_by"),
    col("set_at", Instant),
    col("until", Instant),
    sa.ForeignKeyConstraint(["station"], ["station.id"]),
)
