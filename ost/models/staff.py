"""People who work with the system: accounts, roles, sign-in, sessions, witnesses."""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Word, col, key, opt, record, ref, table

account = table(
    "account",
    key(),
    col("username", sa.String(60), unique=True),
    col("display_name", sa.String(80)),
    col("password_hash", sa.String(200)),
    col("pin_hash", sa.String(200)),
    col("totp_sealed", sa.LargeBinary),  # the shared secret, sealed under the system key
    col("totp_last_step", sa.BigInteger),  # the highest time step used: no code works twice
    col("language", sa.String(12)),
    col("active", sa.Boolean),
    col("created_at", Instant),
)

role_grant = table(
    "role_grant",
    key(),
    ref("account", "account.id", index=True),
    col("role", Word),
    col("scope_kind", Word),  # "site" | "county" | "network"
    col("scope", sa.String(12)),  # site code, county code, or "*"
    sa.UniqueConstraint("account", "role", "scope_kind", "scope"),
)

# Wrong tries, per account and per device; counted here because a limiter whose
# store is down must stay shut, and this store is the one the dose needs anyway.
sign_in_failure = table(
    "sign_in_failure",
    key("subject_kind", Word),  # "account" | "device" | "pin"
    key("subject", sa.String(80)),
    col("count", sa.Integer),
    col("last_at", Instant),
    opt("locked_until", Instant),
)

web_session = table(
    "web_session",
    key(type_=Digest),  # SHA-256 of the token; the token itself is only in the cookie
    ref("account", "account.id", index=True),
    col("kind", Word),  # "page" | "api"
    col("device", sa.String(80)),
    opt("site", sa.String(12)),
    opt("counter", sa.String(20)),
    opt("station", sa.String(64)),
    col("created_at", Instant),
    col("seen_at", Instant),
    col("expires_at", Instant),
    col("locked", sa.Boolean),
    opt("ended_at", Instant),
)

witness_token = table(
    "witness_token",
    key(type_=Digest),
    ref("account", "account.id"),
    col("dose", sa.String(64)),  # or another subject of two persons: "destroy:...", a person at a counter
    opt("act", Word),  # the one step it is for; empty: any step on this subject
    col("created_at", Instant),
    col("expires_at", Instant),
    opt("used_at", Instant),
)

# A sign-in that succeeded or failed, kept as evidence.
sign_in_event = record(
    "sign_in_event",
    key(),
    opt("account", sa.String(64)),
    col("what", Word),  # "signed_in" | "wrong" | "locked" | "unlocked" | "pin_wrong" | "pin_return" | ...
    col("device", sa.String(80)),
    opt("site", sa.String(12)),
    col("at", Instant),
)
