"""A site that cannot dose: what was declared, where each person was sent, and that it was taken back."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, key, opt, record

closure = record(
    "closure",
    key(),
    col("number", sa.Integer, unique=True),
    col("sites", Json),
    opt("county", sa.String(12)),  # where a whole county was declared
    col("days", Json),  # ISO days
    opt("from_time", sa.String(5)),  # of each day, site's clock; empty = the whole day
    opt("to_time", sa.String(5)),
    col("reason", Word),
    col("preview_digest", sa.String(64)),  # what was confirmed is what was shown
    col("by"),
    col("by_role", Word),
    col("site", sa.String(12)),  # where it was declared; any site, or the centre's
    col("at", Instant),
)

closure_move = record(
    "closure_move",
    sa.Column("closure", sa.String(64), sa.ForeignKey("closure.id"), primary_key=True),
    sa.Column("patient", sa.String(64), sa.ForeignKey("patient.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    col("from_site", sa.String(12)),
    opt("to_site", sa.String(12)),  # empty: nowhere found
    opt("request", sa.String(64)),  # the emergency permit's request
    opt("distance_m", sa.Integer),
    col("why", Word),  # "nearest" | "wish" | "own_permit" | "no_place" | "no_medicine" | "held" | ...
    sa.Index("ix_closure_move_to", "to_site", "day"),
)

closure_end = record(
    "closure_end",
    sa.Column("closure", sa.String(64), sa.ForeignKey("closure.id"), primary_key=True),
    col("data", Json),  # what could no longer be taken back, by code and count
    col("by"),
    col("at", Instant),
)
