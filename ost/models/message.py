"""The outbox: what is to be told to whom, and every try to tell it."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, key, opt, record, ref, table

message = table(
    "message",
    key(),
    ref("patient", "patient.id", optional=True, index=True),
    ref("account", "account.id", optional=True),
    col("kind", Word),  # one of ost.services.messages.kinds.KINDS
    col("language", sa.String(12)),
    col("data", Json),  # what the text needs: codes, ids, days; never a name, a dose or the treatment
    opt("secret_sealed", sa.LargeBinary),  # a one-time code, with the person's key; emptied when sent
    col("dedupe", sa.String(120), unique=True),  # the same fact is told once
    opt("channel", Word),  # chosen when it is sent
    col("state", Word, index=True),  # "waiting" | "sending" | "sent" | "given_up" | "unknown" | "nowhere"
    col("tries", sa.Integer),
    col("tries_before", sa.Integer),  # of these, before a person last had it sent again
    col("next_at", Instant, index=True),  # while it is being sent: when whoever took it is given up
    opt("error", Word),  # coded
    col("created_at", Instant),
    opt("done_at", Instant),
)

message_try = record(
    "message_try",
    key(),
    ref("message", "message.id", index=True),
    col("number", sa.Integer),
    col("channel", Word),
    col("result", Word),  # "sent" | "refused" | "failed" | "unknown"
    opt("error", Word),
    opt("provider_id", sa.String(120)),
    col("at", Instant),
    sa.UniqueConstraint("message", "number"),
)
