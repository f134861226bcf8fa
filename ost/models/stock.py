"""Products, bottles and the controlled-drug register.

A register line names the line before it *and that line's balance* as a foreign
key, so a gap, a fork or a wrong sum cannot be written. A residue jar is a
bottle of kind "residue" with a register of its own.
"""

import sqlalchemy as sa

from ost.models.base import Instant, Word, col, key, opt, record, ref, table

product = table(
    "product",
    key(type_=sa.String(40)),  # "methadone-10"
    col("medicine", Word),
    col("unit", Word),  # "ul" | "tablet"
    col("strength_ug_per_ml", sa.BigInteger),  # ug per tablet where unit is tablet
    col("halves", sa.Boolean),  # tablets of it may be halved
    col("name_zh_hant", sa.String(80)),
    col("name_zh_hans", sa.String(80)),
    col("name_en", sa.String(80)),
)

bottle = table(
    "bottle",
    key(type_=sa.String(40)),  # the label's number, "M-2231"
    ref("site", "site.id", sa.String(12), index=True),
    ref("product", "product.id", sa.String(40)),
    col("kind", Word),  # "stock" | "residue"
    col("lot", sa.String(40)),
    col("expires_on", sa.Date),
    col("state", Word),  # "sealed" | "open" | "closed"
    opt("opened_at", Instant),
    opt("counter", sa.String(20)),
    col("scan_mac", sa.String(64)),  # what its label's code says, by HMAC
    # Head of its register: the row that is locked; the lines are the evidence.
    col("line", sa.Integer),
    col("balance_ul", sa.BigInteger),
    sa.CheckConstraint("balance_ul >= 0", name="balance"),
)

register_line = record(
    "register_line",
    sa.Column("bottle", sa.String(40), sa.ForeignKey("bottle.id"), primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    opt("previous_line", sa.Integer),
    opt("previous_balance_ul", sa.BigInteger),
    col("change_ul", sa.BigInteger),
    col("balance_ul", sa.BigInteger),
    # received dispensed returned spilled to_residue residue_in counted destroyed lost closed
    col("kind", Word),
    opt("dose", sa.String(64), index=True),
    opt("reference", sa.String(80)),  # delivery note, certificate number, the line it corrects
    opt("reason", sa.String(200)),
    opt("counted_ul", sa.BigInteger),
    ref("site", "site.id", sa.String(12)),
    col("day", sa.Date, index=True),
    col("by"),
    opt("second"),
    col("at", Instant),
    sa.UniqueConstraint("bottle", "line", "balance_ul"),
    sa.ForeignKeyConstraint(
        ["bottle", "previous_line", "previous_balance_ul"],
        ["register_line.bottle", "register_line.line", "register_line.balance_ul"],
        name="fk_register_line_previous",
    ),
    sa.CheckConstraint("balance_ul >= 0", name="never_below_zero"),
    sa.CheckConstraint(
        "(line = 1 AND previous_line IS NULL AND previous_balance_ul IS NULL AND balance_ul = change_ul)"
        " OR (line > 1 AND previous_line = line - 1 AND previous_balance_ul IS NOT NULL"
        " AND balance_ul = previous_balance_ul + change_ul)",
        name="adds_up",
    ),
)
