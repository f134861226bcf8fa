"""A site that cannot dose: what was declared, where each person was sent, and that it was taken back."""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, record, ref, table

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
    col("why", Word),  # one of ost.rules.closure.WHY
    opt("from_permit"),  # a guest's permit whose day there ended with this closure
    sa.Index("ix_closure_move_to", "to_site", "day"),
)

closure_end = record(
    "closure_end",
    sa.Column("closure", sa.String(64), sa.ForeignKey("closure.id"), primary_key=True),
    col("data", Json),  # what could no longer be taken back, by code and count
    col("by"),
    col("at", Instant),
)

# What the closure did to a site's calendar, and what stood there without any closure: what its undoing puts back.
closure_day = record(
    "closure_day",
    sa.Column("closure", sa.String(64), sa.ForeignKey("closure.id"), primary_key=True),
    sa.Column("site", sa.String(12), sa.ForeignKey("site.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    opt("before", Json),  # the site's own row of that day; empty: it had none
    sa.Index("ix_closure_day_site_day", "site", "day"),
)

# What was shown before it was confirmed, so that a change can be told; thrown away after a day. Ids and codes only.
closure_preview = table(
    "closure_preview",
    key("digest", Digest),
    col("wanted", Json),
    col("plan", Json),
    col("by"),
    col("at", Instant),
)

# A roster that was signed and left the building: what it says by ids, so that a paper can be held against it.
closure_roster = record(
    "closure_roster",
    key(),
    ref("closure", "closure.id", index=True),
    col("site", sa.String(12)),
    col("kind", Word),  # "leaving" | "coming"
    col("content", Json),
    col("digest", Digest),
    col("public_key", Digest),
    col("signature", sa.String(128)),
    col("by"),
    col("at", Instant),
)

# Where a person would rather go when their own site cannot dose them, and what they need there.
patient_wish = table(
    "patient_wish",
    sa.Column("patient", sa.String(64), sa.ForeignKey("patient.id"), primary_key=True),
    ref("site", "site.id", sa.String(12), optional=True),
    col("equipment", Json),  # codes of guest_site.equipment
    col("by"),
    col("at", Instant),
)

# How many more than published a site takes in an emergency, by its own word; no row: the policy's figure.
closure_room = table(
    "closure_room",
    sa.Column("site", sa.String(12), sa.ForeignKey("site.id"), primary_key=True),
    col("extra_percent", sa.Integer),
    col("by"),
    col("at", Instant),
)
