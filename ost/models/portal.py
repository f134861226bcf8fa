"""The patients' own door: sessions, second factors, where messages go, what a consent reaches."""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, record, ref, table

portal_session = table(
    "portal_session",
    key(type_=Digest),  # SHA-256 of the token; the token itself is only in the cookie
    ref("patient", "patient.id", index=True),
    col("kind", Word),  # "half": PIN right, code awaited | "whole"
    col("device", sa.String(80)),
    opt("label", sa.String(80)),  # "Android, Chrome": for the person's list of sessions
    col("created_at", Instant),
    col("seen_at", Instant),
    col("expires_at", Instant),
    opt("ended_at", Instant),
)

portal_factor = table(
    "portal_factor",
    sa.Column("patient", sa.String(64), sa.ForeignKey("patient.id"), primary_key=True),
    opt("totp_sealed", sa.LargeBinary),
    opt("totp_confirmed_at", Instant),
    col("totp_last_step", sa.BigInteger),
    col("sms", sa.Boolean),  # codes by text message to the verified telephone
    col("changed_at", Instant),
)

# A one-time code by message. Counted tries, one use.
portal_code = table(
    "portal_code",
    key(),
    ref("patient", "patient.id", index=True),
    col("purpose", Word),  # "sign_in" | "contact"
    col("code_mac", Digest),
    col("tries", sa.Integer),
    col("created_at", Instant),
    col("expires_at", Instant),
    opt("used_at", Instant),
)

patient_contact = table(
    "patient_contact",
    key(),
    ref("patient", "patient.id", index=True),
    col("channel", Word),  # "sms" | "email" | "line"
    col("address_sealed", sa.LargeBinary),  # with the person's key
    col("rank", sa.Integer),  # 1 is tried first
    opt("verified_at", Instant),
    opt("ended_at", Instant),
    col("at", Instant),
)

# What happened at the door, and what a patient did to their own record there.
portal_event = record(
    "portal_event",
    key(),
    opt("patient", sa.String(64), index=True),
    col("what", Word),  # "signed_in" | "wrong" | "code_sent" | "code_wrong" | "ended" | "downloaded" | ...
    col("device", sa.String(80)),
    opt("by"),  # an account, where a nurse did it for somebody
    col("at", Instant),
    sa.Index("ix_portal_event_at", "at"),
)

# What a consent reaches, beside its kind and last day: {"sites": [...], "counties": [...]}, [] = everywhere.
consent_scope = record(
    "consent_scope",
    sa.Column("consent", sa.String(64), sa.ForeignKey("consent.id"), primary_key=True),
    col("scope", Json),
)
