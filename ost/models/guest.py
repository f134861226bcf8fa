"""Guest dosing: requests, every step they took, permits with their numbered days, standing authorisations.

Two promises are keys of `guest_place`, not checks: a site gives away no place
twice, so never more than it has, and a person has one site a day. What happened
to a request stands in `guest_step`, whose rows point each at the one before.
"""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, record, ref, table

guest_request = record(
    "guest_request",
    key(),
    col("number", sa.Integer, unique=True),  # running in the whole network: how the coordination centre names it
    ref("patient", "patient.id", index=True),
    col("home_site", sa.String(12)),
    ref("site", "site.id", sa.String(12)),  # the guest site asked for
    col("kind", Word),  # "asked" | "emergency": under a closure
    col("days", Json),  # ISO days, in order
    col("orders", Json),  # ids of the home orders it rests on, by slot
    opt("reason", Word),
    ref("consent", "consent.id", optional=True),  # none only for an emergency the policy allows
    opt("closure"),
    ref("replaces", "guest_request.id", optional=True),  # the request whose days this one changes
    opt("distance_m", sa.Integer),  # home site to guest site, straight line
    col("content_digest", Digest),  # the same id with other content is refused
    col("by"),  # an account, "patient:<id>" or "system"
    col("by_role", Word),  # "patient" | "home" | "guest" | "centre" | "system"
    col("at", Instant),
    sa.Index("ix_guest_request_at", "at"),
)

# One change of state. (request, previous, from_state) is a key into the step before: no state comes out of nowhere.
guest_step = record(
    "guest_step",
    sa.Column("request", sa.String(64), sa.ForeignKey("guest_request.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    opt("previous", sa.Integer),  # number - 1; empty for the first
    opt("from_state", Word),
    col("action", Word),
    col("to_state", Word),
    col("by"),
    col("by_role", Word),  # one of ost.rules.guest.ROLES
    opt("site", sa.String(12)),  # whose desk it was done at
    opt("reason", Word),  # coded
    col("data", Json),  # codes, ids and numbers only
    col("at", Instant),
    sa.UniqueConstraint("request", "number", "to_state"),
    sa.ForeignKeyConstraint(
        ["request", "previous", "from_state"],
        ["guest_step.request", "guest_step.number", "guest_step.to_state"],
        name="fk_guest_step_previous",
    ),
    sa.CheckConstraint(
        "(number = 1 AND previous IS NULL AND from_state IS NULL)"
        " OR (number > 1 AND previous = number - 1 AND from_state IS NOT NULL)",
        name="steps_follow",
    ),
    sa.Index("ix_guest_step_at", "at"),
)

# Where each request stands now: kept with its newest step, so that desks need not read all steps. Not evidence.
guest_head = table(
    "guest_head",
    sa.Column("request", sa.String(64), sa.ForeignKey("guest_request.id"), primary_key=True),
    ref("patient", "patient.id", index=True),
    col("home_site", sa.String(12), index=True),
    col("site", sa.String(12), index=True),  # the guest site meant now
    col("state", Word, index=True),
    col("waits_for", Word),  # "patient" | "home" | "guest" | "prescriber" | "centre" | "nobody"
    col("step", sa.Integer),
    col("since", Instant),  # of this state
    col("asked_at", Instant),
    col("first_day", sa.Date),
    col("last_day", sa.Date, index=True),
    ref("permit", "guest_permit.id", optional=True),
    ref("consent", "consent.id", optional=True),  # what it rests on now; an offer taken may bring another
)

# Words a person typed (a question, an answer): personal, therefore sealed and in an ordinary table.
guest_note = table(
    "guest_note",
    key("request"),
    key("step", sa.Integer, autoincrement=False),
    ref("patient", "patient.id"),
    col("text_sealed", sa.LargeBinary),
    sa.ForeignKeyConstraint(["request", "step"], ["guest_step.request", "guest_step.number"]),
)

# One site's place on one day. Taken with the request, given back when it ends; past ones stay.
guest_place = table(
    "guest_place",
    key("site", sa.String(12)),
    key("day", sa.Date),
    key("seat", sa.Integer, autoincrement=False),  # 1 .. the places of that day
    ref("request", "guest_request.id", index=True),
    ref("patient", "patient.id"),
    # A second place of the person on that day: offered beside the first, or asked for in its stead. It binds nothing
    # and becomes the first, or goes, in one step.
    col("second", sa.Boolean),
    sa.UniqueConstraint("patient", "day", "second"),
    sa.ForeignKeyConstraint(["site"], ["site.id"]),
)

# The guest site's prescriber takes the home orders as their own for the whole permit. Without a request: beforehand,
# for these very orders and until a day.
guest_countersign = record(
    "guest_countersign",
    key(),
    ref("request", "guest_request.id", optional=True, index=True),
    ref("patient", "patient.id", index=True),
    col("site", sa.String(12)),
    col("orders", Json),  # the very orders; another order needs another signature
    opt("until", sa.Date),  # last day it serves; empty: that of its request
    col("by"),
    col("at", Instant),
)

guest_permit = record(
    "guest_permit",
    key(),
    ref("request", "guest_request.id", unique=True),
    ref("patient", "patient.id", index=True),
    col("home_site", sa.String(12)),
    ref("site", "site.id", sa.String(12), index=True),
    col("orders", Json),  # by reference, never a dose
    ref("countersign", "guest_countersign.id", optional=True),  # at the guest site, where asked for
    col("first_day", sa.Date),
    col("last_day", sa.Date),
    col("policy", Digest),
    col("at", Instant),
)

permit_day = record(
    "permit_day",
    sa.Column("permit", sa.String(64), sa.ForeignKey("guest_permit.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    col("number", sa.Integer),  # 1 .. n
    sa.UniqueConstraint("permit", "number"),
    sa.Index("ix_permit_day_day", "day"),
)

# A day that was given up before it was used.
permit_day_end = record(
    "permit_day_end",
    sa.Column("permit", sa.String(64), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    col("why", Word),  # "taken_back" | "cancelled" | "moved" | "ended" | "site_closed"
    col("by"),
    col("at", Instant),
    sa.ForeignKeyConstraint(["permit", "day"], ["permit_day.permit", "permit_day.day"]),
)

# "This patient may, without asking again": by the home prescriber.
standing_authorisation = record(
    "standing_authorisation",
    key(),
    ref("patient", "patient.id", index=True),
    opt("radius_m", sa.Integer),  # around the home site
    col("sites", Json),  # [] = none named
    opt("corridor_from", sa.String(12)),  # a site at each end of the route
    opt("corridor_to", sa.String(12)),
    opt("corridor_m", sa.Integer),  # how far from the straight line between them
    col("anywhere", sa.Boolean),
    col("days_a_year", sa.Integer),
    col("until", sa.Date),
    col("by"),
    col("site", sa.String(12)),
    col("at", Instant),
)

standing_end = record(
    "standing_end",
    key("standing"),
    ref("patient", "patient.id", index=True),
    col("by"),
    opt("reason", Word),
    col("at", Instant),
    sa.ForeignKeyConstraint(["standing"], ["standing_authorisation.id"]),
)

# What opens a pass: the token on paper or phone holds this id and a MAC; the six digits lie here as a MAC only.
guest_pass = table(
    "guest_pass",
    key(),
    ref("permit", "guest_permit.id", index=True),
    ref("patient", "patient.id"),
    col("site", sa.String(12)),
    col("code_mac", Digest),
    col("code_sealed", sa.LargeBinary),  # with the person's key: shown again to the person only
    col("issued_at", Instant),
    col("last_day", sa.Date),
    opt("revoked_at", Instant),
    sa.UniqueConstraint("site", "code_mac"),
)

# Somebody wanted a place and there was none: one row for each day.
guest_unmet = record(
    "guest_unmet",
    key(),
    ref("patient", "patient.id"),
    col("home_site", sa.String(12)),
    opt("site", sa.String(12)),
    col("county", sa.String(12)),
    col("day", sa.Date),
    col("why", Word),
    opt("request", sa.String(64)),
    col("at", Instant),
    sa.Index("ix_guest_unmet_at", "at"),
)

# Who answers for a home site's prescribers.
on_call = table(
    "on_call",
    key(),
    ref("site", "site.id", sa.String(12), index=True),
    ref("account", "account.id"),
    col("from_at", Instant),
    col("until_at", Instant),
    col("by"),
    col("at", Instant),
    opt("ended_at", Instant),
)

# What a site's desk is told without asking: an unused day, another prescriber's order, a permit that is over.
guest_notice = table(
    "guest_notice",
    key(),
    ref("site", "site.id", sa.String(12), index=True),  # who is told
    ref("request", "guest_request.id", index=True),
    ref("patient", "patient.id"),
    col("kind", Word),  # one of ost.services.guest.notices.KINDS
    opt("day", sa.Date),
    col("fact", sa.String(160), unique=True),  # the same fact is told once
    col("at", Instant),
    opt("seen_at", Instant),
    opt("seen_by"),
)
