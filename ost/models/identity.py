"""Ways of showing who one is beside the finger: what a site allows, how each way went, and the finger under duress."""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, record, ref, table

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

# The finger a patient chose to call for help without a word, and whom it tells. Everybody who enrols
# has a row, of one length, sealed with their own key: the database does not say which finger, nor
# whether there is one. Nor when it was set, nor by whom: that would say it too.
duress_finger = table(
    "duress_finger",
    key("patient"),
    col("sealed", sa.LargeBinary),
    sa.ForeignKeyConstraint(["patient"], ["patient.id"]),
)

# One row for every touch that named somebody, whichever finger it was. `told` is a MAC over this row
# and the clinician it tells, or over this row and nobody: only who holds the search key can say which.
quiet_alert = record(
    "quiet_alert",
    key(),
    ref("patient", "patient.id"),
    ref("site", "site.id", sa.String(12)),
    ref("capture", "capture.id", unique=True),
    col("told", Digest),
    col("at", Instant, index=True),
)

# The clinician has seen it. `mark` is a MAC over the alert and the clinician: it names no touch.
quiet_alert_seen = record(
    "quiet_alert_seen",
    key("mark", Digest),
    col("by"),
    col("at", Instant),
)
