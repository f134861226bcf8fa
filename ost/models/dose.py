"""The dose: attempt, outcome, release, and what was decided.

One dose per person, day and slot, network-wide, is the unique index on
`dose_attempt` below, not a check in the code. Site and permit are not in it.
"""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, record, ref, table

decision = record(
    "decision",
    key(),
    ref("patient", "patient.id", index=True),
    ref("site", "site.id", sa.String(12)),
    col("day", sa.Date),
    col("slot", sa.Integer),
    col("verdict", Word),
    col("reasons", Json),
    ref("policy", "policy_version.digest", Digest),
    col("facts", Json),
    col("facts_digest", Digest),
    col("by"),
    col("at", Instant),
)

dose_attempt = record(
    "dose_attempt",
    key(),  # the dose_id the page made
    ref("patient", "patient.id"),
    col("dosing_day", sa.Date),
    col("slot", sa.Integer),
    opt("replaces"),
    col("content_digest", Digest),  # the same id with other content is refused
    col("home_site", sa.String(12)),
    ref("site", "site.id", sa.String(12)),
    opt("permit"),
    ref("prescription", "prescription.id"),
    col("medicine", Word),
    col("product", sa.String(40)),
    col("phase", Word),
    col("ordered_ug", sa.BigInteger),
    col("dose_ug", sa.BigInteger),  # promised
    col("volume_ul", sa.BigInteger),
    col("bottle", sa.String(40)),
    col("line", sa.Integer),
    col("identity_path", Word),
    opt("capture"),
    opt("identity_reason", Word),
    col("observations", Json),
    opt("counter", sa.String(20)),
    ref("decision", "decision.id"),
    col("policy", Digest),
    col("facts_digest", Digest),
    col("by"),
    col("promised_at", Instant),
    col("entered_at", Instant),
    sa.UniqueConstraint("replaces"),
    sa.UniqueConstraint("id", "patient", "dosing_day", "slot"),
    sa.ForeignKeyConstraint(["bottle", "line"], ["register_line.bottle", "register_line.line"]),
    sa.ForeignKeyConstraint(
        ["replaces", "patient", "dosing_day", "slot"],
        ["dose_release.attempt", "dose_release.patient", "dose_release.dosing_day", "dose_release.slot"],
        name="fk_dose_attempt_replaces_release",
        use_alter=True,  # the two tables point at each other
    ),
    sa.CheckConstraint("dose_ug > 0 AND dose_ug <= ordered_ug", name="never_above_order"),
    sa.Index(
        "one_dose_per_person_day_slot",
        "patient",
        "dosing_day",
        "slot",
        unique=True,
        sqlite_where=sa.text("replaces IS NULL"),
        postgresql_where=sa.text("replaces IS NULL"),
    ),
    sa.Index("ix_dose_attempt_site_day", "site", "dosing_day"),
)

# Frees a slot again: the only way a second attempt can stand in it.
dose_release = record(
    "dose_release",
    key("attempt"),
    ref("patient", "patient.id"),
    col("dosing_day", sa.Date),
    col("slot", sa.Integer),
    col("why", Word),  # "not_given" | "void_not_taken" | "replacement_ordered"
    opt("dose_ug", sa.BigInteger),  # what the prescriber orders in its place, None = the order
    col("by"),
    opt("second"),
    opt("reason", sa.String(200)),
    col("at", Instant),
    sa.UniqueConstraint("attempt", "patient", "dosing_day", "slot"),
    sa.ForeignKeyConstraint(
        ["attempt", "patient", "dosing_day", "slot"],
        ["dose_attempt.id", "dose_attempt.patient", "dose_attempt.dosing_day", "dose_attempt.slot"],
        name="fk_dose_release_attempt",
    ),
)

dose_outcome = record(
    "dose_outcome",
    sa.Column("attempt", sa.String(64), sa.ForeignKey("dose_attempt.id"), primary_key=True),
    ref("patient", "patient.id", index=True),
    col("outcome", Word),
    opt("swallowed_ug", sa.BigInteger),
    opt("disposition", Word),  # "returned" | "spilled" | "residue"
    opt("rest_ul", sa.BigInteger),
    col("content_digest", Digest),
    opt("evidence"),  # identity at hand-over
    opt("identity_path", Word),
    opt("reason", sa.String(200)),
    opt("drinker"),  # when another person swallowed it and is known
    col("flags", Json),  # formalities that were missing: recorded, never a refusal
    col("by"),
    opt("witness"),
    col("given_at", Instant),
    col("entered_at", Instant),
)

dose_observation = record(
    "dose_observation",
    key(),
    ref("attempt", "dose_attempt.id", index=True),
    ref("patient", "patient.id", index=True),
    col("kind", Word),  # "vomited" | "drowsy" | ...
    opt("minutes_after", sa.Integer),
    opt("note", sa.String(200)),
    col("by"),
    col("observed_at", Instant),
    col("at", Instant),
)

dose_void = record(
    "dose_void",
    sa.Column("attempt", sa.String(64), sa.ForeignKey("dose_attempt.id"), primary_key=True),
    ref("patient", "patient.id", index=True),
    col("not_taken", sa.Boolean),  # found not taken: then a release goes with it
    col("reason", sa.String(200)),
    col("by"),
    col("second"),
    col("at", Instant),
)

# Somebody swallowed what was not meant for them, or more than ordered.
exposure = record(
    "exposure",
    key(),
    ref("attempt", "dose_attempt.id"),
    ref("patient", "patient.id", index=True),  # who swallowed it
    col("day", sa.Date),
    opt("amount_ug", sa.BigInteger),
    col("kind", Word),  # "other_persons_dose" | "more_than_ordered"
    col("by"),
    col("at", Instant),
)

exposure_review = record(
    "exposure_review",
    sa.Column("exposure", sa.String(64), sa.ForeignKey("exposure.id"), primary_key=True),
    ref("patient", "patient.id", index=True),
    col("by"),
    opt("note", sa.String(200)),
    col("at", Instant),
)

# A refused dose: its id is used up; the same reasons again that day are kept once.
refusal = record(
    "refusal",
    key(),  # the dose_id
    ref("patient", "patient.id", index=True),
    ref("site", "site.id", sa.String(12)),
    col("day", sa.Date),
    col("slot", sa.Integer),
    col("content_digest", Digest),
    ref("decision", "decision.id", optional=True),
    opt("same_as"),  # an earlier refusal with the same reasons, whose decision stands for this one
    col("reasons", Json),
    col("reasons_digest", Digest),
    col("by"),
    col("at", Instant),
)

# The patient's hand on the pad: personal, therefore sealed and in an ordinary table.
signature = table(
    "signature",
    sa.Column("attempt", sa.String(64), sa.ForeignKey("dose_attempt.id"), primary_key=True),
    ref("patient", "patient.id"),
    col("strokes_sealed", sa.LargeBinary),
    col("at", Instant),
)
