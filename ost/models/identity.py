"""Ways of showing who one is beside the finger: what a site allows, how each way went, and the finger under duress."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, key, opt, record, ref, table

# Which of the pack's ways this site uses; the newest row counts.
site_identity_choice = record(
    "site_identity_choice",
    key(),
    ref("site", "site.id", sa.String(12), index=True),
    col("paths", Json),  # ["finger", "card", ...]
    col("alone", sa.Boolean),  # one nurse works here alone: a document is enough
    col("at", Instant),
    col("by"),
)

# One try of a way that is no finger (those are `capture`), whether it worked or not. Names nobody:
# whom it showed stands in `identity_evidence`.
identity_try = record(
    "identity_try",
    key(),
    ref("site", "site.id", sa.String(12)),
    col("counter"),
    col("path", Word),  # "card" | "number_face" | "document"
    col("purpose", Word),  # "arrival" | "hand_over"
    col("result", Word),  # "shown" | "confirmed" | "stopped" | "nobody" | "refused"
    opt("code", Word),
    opt("reason", Word),  # coded reason why not by finger
    opt("document", Word),  # kind of document that was seen
    ref("evidence", "identity_evidence.id", optional=True, unique=True),
    opt("second"),  # account of the second member of staff
    col("account"),
    col("at", Instant),
    sa.Index("ix_identity_try_site_at", "site", "at"),
)

# The finger a patient chose to call for help without a word, and whom it tells. Sealed with the
# person's key: the database does not say which finger, nor that the row is not empty.
duress_finger = table(
    "duress_finger",
    key("patient"),
    col("sealed", sa.LargeBinary),
    col("set_at", Instant),
    col("set_by"),
    sa.ForeignKeyConstraint(["patient"], ["patient.id"]),
)

# A touch of that finger. Only the chosen clinician sees it; nothing at the counter differs.
quiet_alert = record(
    "quiet_alert",
    key(),
    ref("patient", "patient.id"),
    col("clinician", index=True),
    ref("site", "site.id", sa.String(12)),
    ref("capture", "capture.id", unique=True),
    col("at", Instant),
)

quiet_alert_seen = record(
    "quiet_alert_seen",
    key("alert"),
    col("by"),
    col("at", Instant),
    sa.ForeignKeyConstraint(["alert"], ["quiet_alert.id"]),
)
