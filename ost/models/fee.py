"""What guest dosing costs and who pays: items with their dates, charges, the yearly subsidy, receipts. In whole NT$."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, key, opt, record, ref, table

# One row an item, county and span of days. An amount nobody has published stays empty.
fee_item = record(
    "fee_item",
    key(),
    col("item", Word),  # "set_up" | "per_dose" | "countersign"
    opt("county", sa.String(12)),  # the payer's; empty = everywhere
    col("patient_class", Word),  # "adult" | "minor"
    opt("amount_ntd", sa.Integer),
    opt("payer_share_percent", sa.Integer),
    col("from_day", sa.Date),
    opt("to_day", sa.Date),
    col("source", sa.String(200)),
    col("status", Word),  # "law" | "guideline" | "weak" | "open"
    col("by"),
    col("at", Instant),
)

subsidy_cap = record(
    "subsidy_cap",
    key(),
    col("county", sa.String(12)),
    col("year", sa.Integer),
    col("patient_class", Word),
    opt("cap_ntd", sa.Integer),  # a person's, for the year; empty = not published
    col("source", sa.String(200)),
    col("status", Word),
    col("by"),
    col("at", Instant),
)

# One shared counter of a person, payer and year, whichever site charges: locked while it is counted up.
subsidy_use = table(
    "subsidy_use",
    sa.Column("patient", sa.String(64), sa.ForeignKey("patient.id"), primary_key=True),
    sa.Column("county", sa.String(12), primary_key=True),
    sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
    col("used_ntd", sa.Integer),
)

fee_charge = record(
    "fee_charge",
    key(),
    col("subject", sa.String(80)),  # "dose:<id>" | "permit:<id>" | "countersign:<id>"
    ref("item", "fee_item.id", optional=True),  # empty: no published amount; the charge is open
    col("kind", Word),
    ref("patient", "patient.id", index=True),
    opt("permit", sa.String(64)),
    col("home_site", sa.String(12)),
    col("site", sa.String(12)),  # who did the work and is paid
    col("county", sa.String(12)),  # whose subsidy
    col("patient_class", Word),
    col("day", sa.Date),
    opt("amount_ntd", sa.Integer),
    opt("payer_ntd", sa.Integer),
    opt("own_ntd", sa.Integer),
    opt("reverses", sa.String(64), unique=True),  # a charge taken back: the same amounts, negative
    col("at", Instant),
    sa.Index("ix_fee_charge_site_day", "site", "day"),
    sa.Index(
        "one_charge_a_subject",
        "subject",
        "kind",
        unique=True,
        sqlite_where=sa.text("reverses IS NULL"),
        postgresql_where=sa.text("reverses IS NULL"),
    ),
)

fee_receipt = record(
    "fee_receipt",
    key(),
    col("number", sa.Integer, unique=True),
    ref("patient", "patient.id", index=True),
    col("site", sa.String(12)),
    col("charges", Json),
    col("total_ntd", sa.Integer),
    col("paid_ntd", sa.Integer),
    col("by"),
    col("at", Instant),
)

settlement = record(
    "settlement",
    key(),
    col("month", sa.String(7)),  # "2026-11"
    col("home_site", sa.String(12)),
    col("site", sa.String(12)),
    col("doses", sa.Integer),
    col("amount_ntd", sa.Integer),
    col("open_items", sa.Integer),  # charges without a published amount
    col("charges_digest", sa.String(64)),
    col("by"),
    col("at", Instant),
    sa.UniqueConstraint("month", "home_site", "site"),
)

# Which charges a settlement counted: each once, whatever comes late.
settlement_charge = record(
    "settlement_charge",
    sa.Column("charge", sa.String(64), sa.ForeignKey("fee_charge.id"), primary_key=True),
    ref("settlement", "settlement.id", index=True),
)
