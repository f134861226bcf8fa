"""Guest dosing: requests and permits, opening hours, the patients' portal, messages, closures, fees.

Frozen: this says what was created then, whatever the models say now.
"""

import sqlalchemy as sa
from alembic import op

from ost.db import Instant, protect_sql

revision = "0003"
down_revision = "0002"

APPEND_ONLY = (
    "closure",
    "closure_day",
    "closure_end",
    "closure_move",
    "closure_roster",
    "consent_scope",
    "fee_charge",
    "fee_item",
    "fee_receipt",
    "guest_countersign",
    "guest_permit",
    "guest_request",
    "guest_step",
    "guest_unmet",
    "message_try",
    "permit_day",
    "permit_day_end",
    "portal_event",
    "settlement",
    "settlement_charge",
    "standing_authorisation",
    "standing_end",
    "subsidy_cap",
)


def upgrade():
    op.create_table(
        "closure",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("county", sa.String(length=12), nullable=True),
        sa.Column("days", sa.Text(), nullable=False),
        sa.Column("from_time", sa.String(length=5), nullable=True),
        sa.Column("to_time", sa.String(length=5), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("preview_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("by_role", sa.String(length=40), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closure")),
        sa.UniqueConstraint("number", name=op.f("uq_closure_number")),
        info={"record": True},
    )
    op.create_table(
        "fee_item",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("county", sa.String(length=12), nullable=True),
        sa.Column("patient_class", sa.String(length=40), nullable=False),
        sa.Column("amount_ntd", sa.Integer(), nullable=True),
        sa.Column("payer_share_percent", sa.Integer(), nullable=True),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_item")),
        info={"record": True},
    )
    op.create_table(
        "portal_event",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=True),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_event")),
        info={"record": True},
    )
    op.create_index("ix_portal_event_at", "portal_event", ["at"], unique=False)
    op.create_index(op.f("ix_portal_event_patient"), "portal_event", ["patient"], unique=False)
    op.create_table(
        "settlement",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("doses", sa.Integer(), nullable=False),
        sa.Column("amount_ntd", sa.Integer(), nullable=False),
        sa.Column("open_items", sa.Integer(), nullable=False),
        sa.Column("charges_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement")),
        sa.UniqueConstraint("month", "home_site", "site", name=op.f("uq_settlement_month_home_site_site")),
        info={"record": True},
    )
    op.create_table(
        "subsidy_cap",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("county", sa.String(length=12), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("patient_class", sa.String(length=40), nullable=False),
        sa.Column("cap_ntd", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subsidy_cap")),
        info={"record": True},
    )
    op.create_table(
        "closure_end",
        sa.Column("closure", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["closure"], ["closure.id"], name=op.f("fk_closure_end_closure")),
        sa.PrimaryKeyConstraint("closure", name=op.f("pk_closure_end")),
        info={"record": True},
    )
    op.create_table(
        "guest_site",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("lat_e6", sa.Integer(), nullable=False),
        sa.Column("lon_e6", sa.Integer(), nullable=False),
        sa.Column("address_zh_hant", sa.String(length=120), nullable=False),
        sa.Column("address_zh_hans", sa.String(length=120), nullable=False),
        sa.Column("address_en", sa.String(length=120), nullable=False),
        sa.Column("equipment", sa.Text(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("policy_countersign", sa.Boolean(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_guest_site_site")),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_guest_site")),
    )
    op.create_table(
        "on_call",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("from_at", Instant(timezone=True), nullable=False),
        sa.Column("until_at", Instant(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("ended_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_on_call_account")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_on_call_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_on_call")),
    )
    op.create_index(op.f("ix_on_call_site"), "on_call", ["site"], unique=False)
    op.create_table(
        "site_day",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("opens", sa.String(length=5), nullable=True),
        sa.Column("last_dose", sa.String(length=5), nullable=True),
        sa.Column("closes", sa.String(length=5), nullable=True),
        sa.Column("places", sa.Integer(), nullable=True),
        sa.Column("at_once", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.Column("closure", sa.String(length=64), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_site_day_site")),
        sa.PrimaryKeyConstraint("site", "day", name=op.f("pk_site_day")),
    )
    op.create_table(
        "site_hours",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("weekday", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opens", sa.String(length=5), nullable=False),
        sa.Column("last_dose", sa.String(length=5), nullable=False),
        sa.Column("closes", sa.String(length=5), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_site_hours_site")),
        sa.PrimaryKeyConstraint("site", "weekday", name=op.f("pk_site_hours")),
    )
    op.create_table(
        "closure_day",
        sa.Column("closure", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["closure"], ["closure.id"], name=op.f("fk_closure_day_closure")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_closure_day_site")),
        sa.PrimaryKeyConstraint("closure", "site", "day", name=op.f("pk_closure_day")),
        info={"record": True},
    )
    op.create_index("ix_closure_day_site_day", "closure_day", ["site", "day"], unique=False)
    op.create_table(
        "closure_preview",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_closure_preview")),
    )
    op.create_table(
        "closure_roster",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("closure", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["closure"], ["closure.id"], name=op.f("fk_closure_roster_closure")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closure_roster")),
        info={"record": True},
    )
    op.create_index(op.f("ix_closure_roster_closure"), "closure_roster", ["closure"], unique=False)
    op.create_table(
        "closure_room",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("extra_percent", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_closure_room_site")),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_closure_room")),
    )
    op.create_table(
        "patient_wish",
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=True),
        sa.Column("equipment", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_patient_wish_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_patient_wish_site")),
        sa.PrimaryKeyConstraint("patient", name=op.f("pk_patient_wish")),
    )
    op.create_table(
        "closure_move",
        sa.Column("closure", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("from_site", sa.String(length=12), nullable=False),
        sa.Column("to_site", sa.String(length=12), nullable=True),
        sa.Column("request", sa.String(length=64), nullable=True),
        sa.Column("distance_m", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("from_permit", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["closure"], ["closure.id"], name=op.f("fk_closure_move_closure")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_closure_move_patient")),
        sa.PrimaryKeyConstraint("closure", "patient", "day", name=op.f("pk_closure_move")),
        info={"record": True},
    )
    op.create_index("ix_closure_move_to", "closure_move", ["to_site", "day"], unique=False)
    op.create_table(
        "fee_charge",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("permit", sa.String(length=64), nullable=True),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("county", sa.String(length=12), nullable=False),
        sa.Column("patient_class", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount_ntd", sa.Integer(), nullable=True),
        sa.Column("payer_ntd", sa.Integer(), nullable=True),
        sa.Column("own_ntd", sa.Integer(), nullable=True),
        sa.Column("reverses", sa.String(length=64), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["fee_item.id"], name=op.f("fk_fee_charge_item")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_fee_charge_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_charge")),
        sa.UniqueConstraint("reverses", name=op.f("uq_fee_charge_reverses")),
        info={"record": True},
    )
    op.create_index(op.f("ix_fee_charge_patient"), "fee_charge", ["patient"], unique=False)
    op.create_index("ix_fee_charge_site_day", "fee_charge", ["site", "day"], unique=False)
    op.create_index(
        "one_charge_a_subject",
        "fee_charge",
        ["subject", "kind"],
        unique=True,
        sqlite_where=sa.text("reverses IS NULL"),
        postgresql_where=sa.text("reverses IS NULL"),
    )
    op.create_table(
        "fee_receipt",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("charges", sa.Text(), nullable=False),
        sa.Column("total_ntd", sa.Integer(), nullable=False),
        sa.Column("paid_ntd", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_fee_receipt_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_receipt")),
        sa.UniqueConstraint("number", name=op.f("uq_fee_receipt_number")),
        info={"record": True},
    )
    op.create_index(op.f("ix_fee_receipt_patient"), "fee_receipt", ["patient"], unique=False)
    op.create_table(
        "guest_unmet",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=True),
        sa.Column("county", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_unmet_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_unmet")),
        info={"record": True},
    )
    op.create_index("ix_guest_unmet_at", "guest_unmet", ["at"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("dedupe", sa.String(length=120), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tries_before", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("done_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_message_account")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_message_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_message_dedupe")),
    )
    op.create_index(op.f("ix_message_next_at"), "message", ["next_at"], unique=False)
    op.create_index(op.f("ix_message_patient"), "message", ["patient"], unique=False)
    op.create_index(op.f("ix_message_state"), "message", ["state"], unique=False)
    op.create_table(
        "patient_contact",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("verified_at", Instant(timezone=True), nullable=True),
        sa.Column("ended_at", Instant(timezone=True), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_patient_contact_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_contact")),
    )
    op.create_index(op.f("ix_patient_contact_patient"), "patient_contact", ["patient"], unique=False)
    op.create_table(
        "portal_code",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("code_mac", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_portal_code_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_code")),
    )
    op.create_index(op.f("ix_portal_code_patient"), "portal_code", ["patient"], unique=False)
    op.create_table(
        "portal_factor",
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed_at", Instant(timezone=True), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_portal_factor_patient")),
        sa.PrimaryKeyConstraint("patient", name=op.f("pk_portal_factor")),
    )
    op.create_table(
        "portal_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("label", sa.String(length=80), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("seen_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("ended_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_portal_session_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_session")),
    )
    op.create_index(op.f("ix_portal_session_patient"), "portal_session", ["patient"], unique=False)
    op.create_table(
        "standing_authorisation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("radius_m", sa.Integer(), nullable=True),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("corridor_from", sa.String(length=12), nullable=True),
        sa.Column("corridor_to", sa.String(length=12), nullable=True),
        sa.Column("corridor_m", sa.Integer(), nullable=True),
        sa.Column("anywhere", sa.Boolean(), nullable=False),
        sa.Column("days_a_year", sa.Integer(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_standing_authorisation_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standing_authorisation")),
        info={"record": True},
    )
    op.create_index(
        op.f("ix_standing_authorisation_patient"), "standing_authorisation", ["patient"], unique=False
    )
    op.create_table(
        "subsidy_use",
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("county", sa.String(length=12), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("used_ntd", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_subsidy_use_patient")),
        sa.PrimaryKeyConstraint("patient", "county", "year", name=op.f("pk_subsidy_use")),
    )
    op.create_table(
        "consent_scope",
        sa.Column("consent", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["consent"], ["consent.id"], name=op.f("fk_consent_scope_consent")),
        sa.PrimaryKeyConstraint("consent", name=op.f("pk_consent_scope")),
        info={"record": True},
    )
    op.create_table(
        "guest_request",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("days", sa.Text(), nullable=False),
        sa.Column("orders", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("consent", sa.String(length=64), nullable=True),
        sa.Column("closure", sa.String(length=64), nullable=True),
        sa.Column("replaces", sa.String(length=64), nullable=True),
        sa.Column("distance_m", sa.Integer(), nullable=True),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("by_role", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["consent"], ["consent.id"], name=op.f("fk_guest_request_consent")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_request_patient")),
        sa.ForeignKeyConstraint(["replaces"], ["guest_request.id"], name=op.f("fk_guest_request_replaces")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_guest_request_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_request")),
        sa.UniqueConstraint("number", name=op.f("uq_guest_request_number")),
        info={"record": True},
    )
    op.create_index("ix_guest_request_at", "guest_request", ["at"], unique=False)
    op.create_index(op.f("ix_guest_request_patient"), "guest_request", ["patient"], unique=False)
    op.create_table(
        "message_try",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("message", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("result", sa.String(length=40), nullable=False),
        sa.Column("error", sa.String(length=40), nullable=True),
        sa.Column("provider_id", sa.String(length=120), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_message_try_message")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_try")),
        sa.UniqueConstraint("message", "number", name=op.f("uq_message_try_message_number")),
        info={"record": True},
    )
    op.create_index(op.f("ix_message_try_message"), "message_try", ["message"], unique=False)
    op.create_table(
        "standing_end",
        sa.Column("standing", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_standing_end_patient")),
        sa.ForeignKeyConstraint(
            ["standing"], ["standing_authorisation.id"], name=op.f("fk_standing_end_standing")
        ),
        sa.PrimaryKeyConstraint("standing", name=op.f("pk_standing_end")),
        info={"record": True},
    )
    op.create_index(op.f("ix_standing_end_patient"), "standing_end", ["patient"], unique=False)
    op.create_table(
        "guest_countersign",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=True),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("orders", sa.Text(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_countersign_patient")),
        sa.ForeignKeyConstraint(["request"], ["guest_request.id"], name=op.f("fk_guest_countersign_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_countersign")),
        info={"record": True},
    )
    op.create_index(op.f("ix_guest_countersign_patient"), "guest_countersign", ["patient"], unique=False)
    op.create_index(op.f("ix_guest_countersign_request"), "guest_countersign", ["request"], unique=False)
    op.create_table(
        "guest_permit",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("orders", sa.Text(), nullable=False),
        sa.Column("countersign", sa.String(length=64), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["countersign"], ["guest_countersign.id"], name=op.f("fk_guest_permit_countersign")
        ),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_permit_patient")),
        sa.ForeignKeyConstraint(["request"], ["guest_request.id"], name=op.f("fk_guest_permit_request")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_guest_permit_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_permit")),
        sa.UniqueConstraint("request", name=op.f("uq_guest_permit_request")),
        info={"record": True},
    )
    op.create_index(op.f("ix_guest_permit_patient"), "guest_permit", ["patient"], unique=False)
    op.create_index(op.f("ix_guest_permit_site"), "guest_permit", ["site"], unique=False)
    op.create_table(
        "guest_place",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seat", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("second", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_place_patient")),
        sa.ForeignKeyConstraint(["request"], ["guest_request.id"], name=op.f("fk_guest_place_request")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_guest_place_site")),
        sa.PrimaryKeyConstraint("site", "day", "seat", name=op.f("pk_guest_place")),
        sa.UniqueConstraint("patient", "day", "second", name=op.f("uq_guest_place_patient_day_second")),
    )
    op.create_index(op.f("ix_guest_place_request"), "guest_place", ["request"], unique=False)
    op.create_table(
        "guest_notice",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("fact", sa.String(length=160), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("seen_at", Instant(timezone=True), nullable=True),
        sa.Column("seen_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_notice_patient")),
        sa.ForeignKeyConstraint(["request"], ["guest_request.id"], name=op.f("fk_guest_notice_request")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_guest_notice_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_notice")),
        sa.UniqueConstraint("fact", name=op.f("uq_guest_notice_fact")),
    )
    op.create_index(op.f("ix_guest_notice_request"), "guest_notice", ["request"], unique=False)
    op.create_index(op.f("ix_guest_notice_site"), "guest_notice", ["site"], unique=False)
    op.create_table(
        "guest_step",
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("from_state", sa.String(length=40), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("to_state", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("by_role", sa.String(length=40), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(number = 1 AND previous IS NULL AND from_state IS NULL) OR (number > 1 AND previous = number - 1 AND from_state IS NOT NULL)",
            name=op.f("ck_guest_step_steps_follow"),
        ),
        sa.ForeignKeyConstraint(
            ["request", "previous", "from_state"],
            ["guest_step.request", "guest_step.number", "guest_step.to_state"],
            name="fk_guest_step_previous",
        ),
        sa.ForeignKeyConstraint(["request"], ["guest_request.id"], name=op.f("fk_guest_step_request")),
        sa.PrimaryKeyConstraint("request", "number", name=op.f("pk_guest_step")),
        sa.UniqueConstraint(
            "request", "number", "to_state", name=op.f("uq_guest_step_request_number_to_state")
        ),
        info={"record": True},
    )
    op.create_index("ix_guest_step_at", "guest_step", ["at"], unique=False)
    op.create_table(
        "guest_head",
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("waits_for", sa.String(length=40), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("since", Instant(timezone=True), nullable=False),
        sa.Column("asked_at", Instant(timezone=True), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("permit", sa.String(length=64), nullable=True),
        sa.Column("consent", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["consent"], ["consent.id"], name=op.f("fk_guest_head_consent")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_head_patient")),
        sa.ForeignKeyConstraint(["permit"], ["guest_permit.id"], name=op.f("fk_guest_head_permit")),
        sa.ForeignKeyConstraint(["request"], ["guest_request.id"], name=op.f("fk_guest_head_request")),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_guest_head")),
    )
    op.create_index(op.f("ix_guest_head_home_site"), "guest_head", ["home_site"], unique=False)
    op.create_index(op.f("ix_guest_head_last_day"), "guest_head", ["last_day"], unique=False)
    op.create_index(op.f("ix_guest_head_patient"), "guest_head", ["patient"], unique=False)
    op.create_index(op.f("ix_guest_head_site"), "guest_head", ["site"], unique=False)
    op.create_index(op.f("ix_guest_head_state"), "guest_head", ["state"], unique=False)
    op.create_table(
        "guest_note",
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_note_patient")),
        sa.ForeignKeyConstraint(
            ["request", "step"],
            ["guest_step.request", "guest_step.number"],
            name=op.f("fk_guest_note_request_step"),
        ),
        sa.PrimaryKeyConstraint("request", "step", name=op.f("pk_guest_note")),
    )
    op.create_table(
        "guest_pass",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("permit", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("code_mac", sa.String(length=64), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", Instant(timezone=True), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("revoked_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_guest_pass_patient")),
        sa.ForeignKeyConstraint(["permit"], ["guest_permit.id"], name=op.f("fk_guest_pass_permit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_pass")),
        sa.UniqueConstraint("site", "code_mac", name=op.f("uq_guest_pass_site_code_mac")),
    )
    op.create_index(op.f("ix_guest_pass_permit"), "guest_pass", ["permit"], unique=False)
    op.create_table(
        "permit_day",
        sa.Column("permit", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["permit"], ["guest_permit.id"], name=op.f("fk_permit_day_permit")),
        sa.PrimaryKeyConstraint("permit", "day", name=op.f("pk_permit_day")),
        sa.UniqueConstraint("permit", "number", name=op.f("uq_permit_day_permit_number")),
        info={"record": True},
    )
    op.create_index("ix_permit_day_day", "permit_day", ["day"], unique=False)
    op.create_table(
        "permit_day_end",
        sa.Column("permit", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["permit", "day"],
            ["permit_day.permit", "permit_day.day"],
            name=op.f("fk_permit_day_end_permit_day"),
        ),
        sa.PrimaryKeyConstraint("permit", "day", name=op.f("pk_permit_day_end")),
        info={"record": True},
    )

    op.create_table(
        "settlement_charge",
        sa.Column("charge", sa.String(length=64), nullable=False),
        sa.Column("settlement", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["charge"], ["fee_charge.id"], name=op.f("fk_settlement_charge_charge")),
        sa.ForeignKeyConstraint(["settlement"], ["settlement.id"], name=op.f("fk_settlement_charge_settlement")),
        sa.PrimaryKeyConstraint("charge", name=op.f("pk_settlement_charge")),
        info={"record": True},
    )
    op.create_index(op.f("ix_settlement_charge_settlement"), "settlement_charge", ["settlement"], unique=False)
    dialect = op.get_bind().dialect.name
    for name in APPEND_ONLY:
        for statement in protect_sql(name, dialect):
            op.execute(statement)


def downgrade():
    op.drop_index(op.f("ix_settlement_charge_settlement"), table_name="settlement_charge")
    op.drop_table("settlement_charge")
    op.drop_index(op.f("ix_guest_notice_site"), table_name="guest_notice")
    op.drop_index(op.f("ix_guest_notice_request"), table_name="guest_notice")
    op.drop_table("guest_notice")
    op.drop_table("permit_day_end")
    op.drop_index("ix_permit_day_day", table_name="permit_day")
    op.drop_table("permit_day")
    op.drop_index(op.f("ix_guest_pass_permit"), table_name="guest_pass")
    op.drop_table("guest_pass")
    op.drop_table("guest_note")
    op.drop_index(op.f("ix_guest_head_state"), table_name="guest_head")
    op.drop_index(op.f("ix_guest_head_site"), table_name="guest_head")
    op.drop_index(op.f("ix_guest_head_patient"), table_name="guest_head")
    op.drop_index(op.f("ix_guest_head_last_day"), table_name="guest_head")
    op.drop_index(op.f("ix_guest_head_home_site"), table_name="guest_head")
    op.drop_table("guest_head")
    op.drop_index("ix_guest_step_at", table_name="guest_step")
    op.drop_table("guest_step")
    op.drop_index(op.f("ix_guest_place_request"), table_name="guest_place")
    op.drop_table("guest_place")
    op.drop_index(op.f("ix_guest_permit_site"), table_name="guest_permit")
    op.drop_index(op.f("ix_guest_permit_patient"), table_name="guest_permit")
    op.drop_table("guest_permit")
    op.drop_index(op.f("ix_guest_countersign_patient"), table_name="guest_countersign")
    op.drop_index(op.f("ix_guest_countersign_request"), table_name="guest_countersign")
    op.drop_table("guest_countersign")
    op.drop_index(op.f("ix_standing_end_patient"), table_name="standing_end")
    op.drop_table("standing_end")
    op.drop_index(op.f("ix_message_try_message"), table_name="message_try")
    op.drop_table("message_try")
    op.drop_index(op.f("ix_guest_request_patient"), table_name="guest_request")
    op.drop_index("ix_guest_request_at", table_name="guest_request")
    op.drop_table("guest_request")
    op.drop_table("consent_scope")
    op.drop_table("subsidy_use")
    op.drop_index(op.f("ix_standing_authorisation_patient"), table_name="standing_authorisation")
    op.drop_table("standing_authorisation")
    op.drop_index(op.f("ix_portal_session_patient"), table_name="portal_session")
    op.drop_table("portal_session")
    op.drop_table("portal_factor")
    op.drop_index(op.f("ix_portal_code_patient"), table_name="portal_code")
    op.drop_table("portal_code")
    op.drop_index(op.f("ix_patient_contact_patient"), table_name="patient_contact")
    op.drop_table("patient_contact")
    op.drop_index(op.f("ix_message_state"), table_name="message")
    op.drop_index(op.f("ix_message_patient"), table_name="message")
    op.drop_index(op.f("ix_message_next_at"), table_name="message")
    op.drop_table("message")
    op.drop_index("ix_guest_unmet_at", table_name="guest_unmet")
    op.drop_table("guest_unmet")
    op.drop_index(op.f("ix_fee_receipt_patient"), table_name="fee_receipt")
    op.drop_table("fee_receipt")
    op.drop_index(
        "one_charge_a_subject",
        table_name="fee_charge",
        sqlite_where=sa.text("reverses IS NULL"),
        postgresql_where=sa.text("reverses IS NULL"),
    )
    op.drop_index("ix_fee_charge_site_day", table_name="fee_charge")
    op.drop_index(op.f("ix_fee_charge_patient"), table_name="fee_charge")
    op.drop_table("fee_charge")
    op.drop_table("patient_wish")
    op.drop_table("closure_room")
    op.drop_index(op.f("ix_closure_roster_closure"), table_name="closure_roster")
    op.drop_table("closure_roster")
    op.drop_table("closure_preview")
    op.drop_index("ix_closure_day_site_day", table_name="closure_day")
    op.drop_table("closure_day")
    op.drop_index("ix_closure_move_to", table_name="closure_move")
    op.drop_table("closure_move")
    op.drop_table("site_hours")
    op.drop_table("site_day")
    op.drop_index(op.f("ix_on_call_site"), table_name="on_call")
    op.drop_table("on_call")
    op.drop_table("guest_site")
    op.drop_table("closure_end")
    op.drop_table("subsidy_cap")
    op.drop_table("settlement")
    op.drop_index(op.f("ix_portal_event_patient"), table_name="portal_event")
    op.drop_index("ix_portal_event_at", table_name="portal_event")
    op.drop_table("portal_event")
    op.drop_table("fee_item")
    op.drop_table("closure")
