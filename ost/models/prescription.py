"""Prescriptions (orders), their ends, sign-offs and holds: added to, never edited."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, key, opt, record, ref

prescription = record(
    "prescription",
    key(),
    ref("patient", "patient.id", index=True),
    col("medicine", Word),
    ref("product", "product.id", sa.String(40), optional=True),
    col("phase", Word),
    col("slot", sa.Integer),
    col("dose_ug", sa.BigInteger),
    col("starts_on", sa.Date),
    opt("ends_on", sa.Date),
    col("days", Json),  # ISO weekdays
    col("sites", Json),  # where it may be dispensed, home site first
    opt("shortest_gap_h", sa.Integer),
    ref("replaces", "prescription.id", optional=True, unique=True),
    opt("previous_dose_ug", sa.BigInteger),
    opt("last_increase_on", sa.Date),
    opt("increase_before_on", sa.Date),  # the increase before this order's own
    opt("week_ago_dose_ug", sa.BigInteger),
    opt("episode_started_on", sa.Date),
    opt("previous_days", Json),  # ISO weekdays of the order this one replaced
    # A last dose documented at another place (transfer, hospital): without it a first order is a first dose.
    opt("elsewhere_on", sa.Date),
    opt("elsewhere_dose_ug", sa.BigInteger),
    opt("elsewhere_source", sa.String(120)),
    opt("reason", sa.String(200)),
    col("prescriber"),
    col("site", sa.String(12)),
    col("written_at", Instant),
    sa.CheckConstraint("dose_ug > 0", name="dose_positive"),
)

prescription_end = record(
    "prescription_end",
    sa.Column("prescription", sa.String(64), sa.ForeignKey("prescription.id"), primary_key=True),
    ref("patient", "patient.id", index=True),
    col("why", Word),  # "changed" | "stopped"
    opt("reason", sa.String(200)),
    col("by"),
    col("at", Instant),
)

signoff = record(
    "signoff",
    key(),
    ref("patient", "patient.id", index=True),
    col("code", Word),
    col("day", sa.Date),
    opt("dose_ug", sa.BigInteger),
    opt("note", sa.String(200)),
    col("by"),
    col("by_role", Word),
    col("at", Instant),
)

hold = record(
    "hold",
    key(),
    ref("patient", "patient.id", index=True),
    ref("site", "site.id", sa.String(12)),
    col("kind", Word),  # "clinical" | "administrative"
    col("reason_code", Word),
    col("blocks", sa.Boolean),
    col("since", sa.Date),
    opt("come_back_on", sa.Date),
    opt("call", sa.String(80)),
    col("by"),
    col("at", Instant),
)

hold_release = record(
    "hold_release",
    sa.Column("hold", sa.String(64), sa.ForeignKey("hold.id"), primary_key=True),
    ref("patient", "patient.id", index=True),
    col("by"),
    opt("reason", sa.String(200)),
    col("at", Instant),
)
