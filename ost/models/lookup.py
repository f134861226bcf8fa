"""Looking beyond one's own site: likenesses at enrolment and who judged them, consents, emergency access."""

import sqlalchemy as sa

from ost.models.base import Instant, Word, col, key, opt, record, ref

# Two persons' prints are alike. Kept once for a pair; a human decides.
duplicate_case = record(
    "duplicate_case",
    key(),
    ref("patient", "patient.id", index=True),  # being enrolled
    ref("other", "patient.id", index=True),
    col("pair", sa.String(130), unique=True),  # both ids in order
    col("finger", Word),
    col("other_finger", Word),
    col("score_e4", sa.Integer),
    ref("site", "site.id", sa.String(12)),
    col("at", Instant),
)

# The newest decision counts.
duplicate_decision = record(
    "duplicate_decision",
    key(),
    ref("of_case", "duplicate_case.id", index=True),
    col("decision", Word),  # "same_person" | "two_persons" | "cannot_tell"
    opt("kept"),  # of one person's two records, the one that stays
    opt("reason", Word),
    col("by"),
    col("at", Instant),
)

consent = record(
    "consent",
    key(),
    ref("patient", "patient.id", index=True),
    col("kind", Word),  # "found_elsewhere": other sites of the network may see who I am
    opt("until", sa.Date),
    col("site", sa.String(12)),
    col("by"),
    col("at", Instant),
)

consent_end = record(
    "consent_end",
    key("consent"),
    opt("reason", Word),
    col("site", sa.String(12)),
    col("by"),
    col("at", Instant),
    sa.ForeignKeyConstraint(["consent"], ["consent.id"]),
)

# Somebody looked at a stranger's record because it could not wait. Its end is `until`.
emergency_access = record(
    "emergency_access",
    key(),
    ref("patient", "patient.id", index=True),
    ref("site", "site.id", sa.String(12)),
    opt("counter"),
    col("account"),
    col("reason", Word),
    opt("capture"),
    col("at", Instant),
    col("until", Instant),
)
