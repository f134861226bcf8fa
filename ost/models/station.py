"""Stations (the agent at a counter), their signed captures, and identity evidence."""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Word, col, key, opt, record, ref, table

station = table(
    "station",
    key(),
    ref("site", "site.id", sa.String(12), index=True),
    col("label", sa.String(40)),
    opt("public_key", sa.String(64)),  # Ed25519, hex; empty until enrolled
    opt("enrol_code_hash", Digest),
    opt("enrol_expires_at", Instant),
    opt("enrolled_at", Instant),
    opt("revoked_at", Instant),
    opt("seen_at", Instant),
    opt("reader_kind", Word),
    opt("reader_state", Word),
    opt("reader_detail", sa.String(200)),
)

# A capture that came through the door. The nonce is unique: used once, only its use is a row.
capture = record(
    "capture",
    key(),
    ref("station", "station.id", index=True),
    ref("site", "site.id", sa.String(12)),
    col("nonce", sa.String(64), unique=True),
    col("sample_digest", Digest),
    col("reader_kind", Word),
    col("simulated", sa.Boolean),
    col("ending", Word),  # "captured" | "not_captured" | "unknown"
    opt("quality", sa.Integer),  # valid cylinders
    col("answer", sa.Text),  # what was answered, so that the identical post gets it again
    opt("patient", sa.String(64)),  # whom it named, if anybody
    opt("score_e4", sa.Integer),  # match score x 10^4
    col("at", Instant),
)

# What a capture, card or face confirmed, and for which dose. Uploads to /identify never come here.
identity_evidence = record(
    "identity_evidence",
    key(),
    ref("patient", "patient.id", index=True),
    ref("site", "site.id", sa.String(12)),
    col("purpose", Word),  # "arrival" | "hand_over"
    col("path", Word),  # "finger" | "card" | "number_face" | ...
    ref("capture", "capture.id", optional=True, unique=True),
    opt("dose", sa.String(64), index=True),
    opt("station", sa.String(64)),
    opt("account", sa.String(64)),
    opt("reason", Word),  # coded reason when not the first choice
    col("at", Instant),
)
