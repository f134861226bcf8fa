"""The audit chain per site, who read what, and policy versions in use."""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, record, ref, table

policy_version = record(
    "policy_version",
    key("digest", Digest),
    col("name", sa.String(40)),
    col("text", sa.Text),
    col("first_used_at", Instant),
)

policy_approval = record(
    "policy_approval",
    key(),
    col("value_digest", Digest, index=True),
    col("key", sa.String(80)),
    ref("site", "site.id", sa.String(12)),
    col("by"),
    col("at", Instant),
)

# Head of each chain: mutable, locked last in every transaction.
chain_head = table(
    "chain_head",
    key("site", sa.String(12)),
    col("number", sa.BigInteger),
    col("mac", Digest),
)

# Not a record() table itself: its own rows are the evidence for all others; it refuses changes too.
audit_event = sa.Table(
    "audit_event",
    chain_head.metadata,
    key("site", sa.String(12)),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    col("at", Instant),
    col("actor"),
    col("kind", Word),
    opt("patient", sa.String(64), index=True),
    col("payload", Json),  # opaque ids and codes only, never a name
    col("rows", Json),  # [[table, key, digest], ...] of every record row of this transaction
    col("previous_mac", Digest),
    col("mac", Digest),
    info={"append_only": True},
)

# Who opened whose record and why; the patient can read it.
record_access = record(
    "record_access",
    key(),
    ref("patient", "patient.id", index=True),
    col("account"),
    col("site", sa.String(12)),
    col("what", Word),  # "read" | "copy" | "edit"
    col("page", sa.String(60)),
    opt("why", sa.String(80)),
    col("at", Instant),
)

job_run = table(
    "job_run",
    key("name", sa.String(40)),
    key("business_date", sa.Date),
    key("site", sa.String(12)),
    col("started_at", Instant),
    opt("finished_at", Instant),
    opt("result", sa.Text),
)
