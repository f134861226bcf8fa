"""The counter: sites, people, orders, stock, doses and their record.

Frozen: this says what was created then, whatever the models say now.
"""

import sqlalchemy as sa
from alembic import op

from ost.db import REFUSE_FUNCTION_PG, Instant, protect_sql

revision = "0001"
down_revision = None

APPEND_ONLY = (
    "audit_event",
    "capture",
    "decision",
    "dose_attempt",
    "dose_observation",
    "dose_outcome",
    "dose_release",
    "dose_void",
    "exposure",
    "exposure_review",
    "hold",
    "hold_release",
    "identity_evidence",
    "policy_approval",
    "policy_version",
    "prescription",
    "prescription_end",
    "record_access",
    "refusal",
    "register_line",
    "sign_in_event",
    "signoff",
)


def upgrade():

    op.create_table(
        "account",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("display_name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("pin_hash", sa.String(length=200), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("username", name=op.f("uq_account_username")),
    )
    op.create_table(
        "arrival",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("site", "day", "patient", name=op.f("pk_arrival")),
        sa.UniqueConstraint("site", "day", "number", name=op.f("uq_arrival_site_day_number")),
    )
    op.create_table(
        "audit_event",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.Column("previous_mac", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("site", "number", name=op.f("pk_audit_event")),
        info={"append_only": True},
    )
    op.create_index(op.f("ix_audit_event_patient"), "audit_event", ["patient"], unique=False)
    op.create_table(
        "chain_head",
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_chain_head")),
    )
    op.create_table(
        "change_counter",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_change_counter")),
    )
    op.create_table(
        "job_run",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", "business_date", "site", name=op.f("pk_job_run")),
    )
    op.create_table(
        "person_key",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("destroyed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_person_key")),
    )
    op.create_table(
        "policy_version",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_policy_version")),
        info={"record": True},
    )
    op.create_table(
        "product",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("medicine", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.String(length=40), nullable=False),
        sa.Column("strength_ug_per_ml", sa.BigInteger(), nullable=False),
        sa.Column("halves", sa.Boolean(), nullable=False),
        sa.Column("name_zh_hant", sa.String(length=80), nullable=False),
        sa.Column("name_zh_hans", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
    )
    op.create_table(
        "sign_in_event",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_event")),
        info={"record": True},
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("subject_kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("locked_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("subject_kind", "subject", name=op.f("pk_sign_in_failure")),
    )
    op.create_table(
        "site",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("county", sa.String(length=12), nullable=False),
        sa.Column("name_zh_hant", sa.String(length=80), nullable=False),
        sa.Column("name_zh_hans", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("tz", sa.String(length=40), nullable=False),
        sa.Column("medicines", sa.Text(), nullable=False),
        sa.Column("policy", sa.String(length=40), nullable=False),
        sa.Column("number_prefix", sa.String(length=4), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("opens", sa.String(length=5), nullable=False),
        sa.Column("closes", sa.String(length=5), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("number_prefix", name=op.f("uq_site_number_prefix")),
    )
    op.create_table(
        "bottle",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("product", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("lot", sa.String(length=40), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("opened_at", Instant(), nullable=True),
        sa.Column("counter", sa.String(length=20), nullable=True),
        sa.Column("scan_mac", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("balance_ul", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("balance_ul >= 0", name=op.f("ck_bottle_balance")),
        sa.ForeignKeyConstraint(["product"], ["product.id"], name=op.f("fk_bottle_product")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_bottle_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bottle")),
    )
    op.create_index(op.f("ix_bottle_site"), "bottle", ["site"], unique=False)
    op.create_table(
        "patient",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("sex", sa.String(length=40), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("low_tolerance", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("episode_started_on", sa.Date(), nullable=True),
        sa.Column("national_id_mac", sa.String(length=64), nullable=False),
        sa.Column("card_mac", sa.String(length=64), nullable=True),
        sa.Column("pin_hash", sa.String(length=200), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("national_id_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("birth_date_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("face_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("face_type", sa.String(length=40), nullable=True),
        sa.Column("registered_at", Instant(), nullable=False),
        sa.Column("registered_by", sa.String(length=64), nullable=False),
        sa.Column("change_no", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["home_site"], ["site.id"], name=op.f("fk_patient_home_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.UniqueConstraint("card_mac", name=op.f("uq_patient_card_mac")),
        sa.UniqueConstraint("national_id_mac", name=op.f("uq_patient_national_id_mac")),
        sa.UniqueConstraint("number", name=op.f("uq_patient_number")),
    )
    op.create_index(op.f("ix_patient_change_no"), "patient", ["change_no"], unique=False)
    op.create_index(op.f("ix_patient_home_site"), "patient", ["home_site"], unique=False)
    op.create_table(
        "policy_approval",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("value_digest", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_policy_approval_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_approval")),
        info={"record": True},
    )
    op.create_index(
        op.f("ix_policy_approval_value_digest"), "policy_approval", ["value_digest"], unique=False
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("scope_kind", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_role_grant_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint(
            "account", "role", "scope_kind", "scope", name=op.f("uq_role_grant_account_role_scope_kind_scope")
        ),
    )
    op.create_index(op.f("ix_role_grant_account"), "role_grant", ["account"], unique=False)
    op.create_table(
        "station",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=True),
        sa.Column("enrol_code_hash", sa.String(length=64), nullable=True),
        sa.Column("enrol_expires_at", Instant(), nullable=True),
        sa.Column("enrolled_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("seen_at", Instant(), nullable=True),
        sa.Column("reader_kind", sa.String(length=40), nullable=True),
        sa.Column("reader_state", sa.String(length=40), nullable=True),
        sa.Column("reader_detail", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_station_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station")),
    )
    op.create_index(op.f("ix_station_site"), "station", ["site"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=True),
        sa.Column("counter", sa.String(length=20), nullable=True),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_web_session_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
    )
    op.create_index(op.f("ix_web_session_account"), "web_session", ["account"], unique=False)
    op.create_table(
        "witness_token",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("dose", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_witness_token_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_witness_token")),
    )
    op.create_table(
        "capture",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("sample_digest", sa.String(length=64), nullable=False),
        sa.Column("reader_kind", sa.String(length=40), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("ending", sa.String(length=40), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=True),
        sa.Column("score_e4", sa.Integer(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_capture_site")),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_capture_station")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture")),
        sa.UniqueConstraint("nonce", name=op.f("uq_capture_nonce")),
        info={"record": True},
    )
    op.create_index(op.f("ix_capture_station"), "capture", ["station"], unique=False)
    op.create_table(
        "counter",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("label", sa.String(length=20), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("session", sa.String(length=64), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("patient", sa.String(length=64), nullable=True),
        sa.Column("dose", sa.String(length=64), nullable=True),
        sa.Column("shown_at", Instant(), nullable=True),
        sa.Column("notice", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_counter_account")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_counter_site")),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_counter_station")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("facts_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_decision_patient")),
        sa.ForeignKeyConstraint(["policy"], ["policy_version.digest"], name=op.f("fk_decision_policy")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_decision_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        info={"record": True},
    )
    op.create_index(op.f("ix_decision_patient"), "decision", ["patient"], unique=False)
    op.create_table(
        "fingerprint",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("finger", sa.String(length=40), nullable=False),
        sa.Column("impression", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(length=40), nullable=False),
        sa.Column("template_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("nfiq2", sa.Integer(), nullable=True),
        sa.Column("cylinders", sa.Integer(), nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=True),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("enrolled_at", Instant(), nullable=False),
        sa.Column("enrolled_by", sa.String(length=64), nullable=False),
        sa.Column("withdrawn_at", Instant(), nullable=True),
        sa.Column("change_no", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_fingerprint_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fingerprint")),
    )
    op.create_index(op.f("ix_fingerprint_change_no"), "fingerprint", ["change_no"], unique=False)
    op.create_index(op.f("ix_fingerprint_patient"), "fingerprint", ["patient"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reason_code", sa.String(length=40), nullable=False),
        sa.Column("blocks", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("come_back_on", sa.Date(), nullable=True),
        sa.Column("call", sa.String(length=80), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_hold_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_hold_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        info={"record": True},
    )
    op.create_index(op.f("ix_hold_patient"), "hold", ["patient"], unique=False)
    op.create_table(
        "prescription",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("medicine", sa.String(length=40), nullable=False),
        sa.Column("product", sa.String(length=40), nullable=True),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("dose_ug", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("days", sa.Text(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("shortest_gap_h", sa.Integer(), nullable=True),
        sa.Column("replaces", sa.String(length=64), nullable=True),
        sa.Column("previous_dose_ug", sa.BigInteger(), nullable=True),
        sa.Column("last_increase_on", sa.Date(), nullable=True),
        sa.Column("increase_before_on", sa.Date(), nullable=True),
        sa.Column("week_ago_dose_ug", sa.BigInteger(), nullable=True),
        sa.Column("episode_started_on", sa.Date(), nullable=True),
        sa.Column("previous_days", sa.Text(), nullable=True),
        sa.Column("elsewhere_on", sa.Date(), nullable=True),
        sa.Column("elsewhere_dose_ug", sa.BigInteger(), nullable=True),
        sa.Column("elsewhere_source", sa.String(length=120), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("prescriber", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.CheckConstraint("dose_ug > 0", name=op.f("ck_prescription_dose_positive")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_prescription_patient")),
        sa.ForeignKeyConstraint(["product"], ["product.id"], name=op.f("fk_prescription_product")),
        sa.ForeignKeyConstraint(["replaces"], ["prescription.id"], name=op.f("fk_prescription_replaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prescription")),
        sa.UniqueConstraint("replaces", name=op.f("uq_prescription_replaces")),
        info={"record": True},
    )
    op.create_index(op.f("ix_prescription_patient"), "prescription", ["patient"], unique=False)
    op.create_table(
        "record_access",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("page", sa.String(length=60), nullable=False),
        sa.Column("why", sa.String(length=80), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_record_access_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_access")),
        info={"record": True},
    )
    op.create_index(op.f("ix_record_access_patient"), "record_access", ["patient"], unique=False)
    op.create_table(
        "register_line",
        sa.Column("bottle", sa.String(length=40), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous_line", sa.Integer(), nullable=True),
        sa.Column("previous_balance_ul", sa.BigInteger(), nullable=True),
        sa.Column("change_ul", sa.BigInteger(), nullable=False),
        sa.Column("balance_ul", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("dose", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("counted_ul", sa.BigInteger(), nullable=True),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("second", sa.String(length=64), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(line = 1 AND previous_line IS NULL AND previous_balance_ul IS NULL AND balance_ul = change_ul) OR (line > 1 AND previous_line = line - 1 AND previous_balance_ul IS NOT NULL AND balance_ul = previous_balance_ul + change_ul)",
            name=op.f("ck_register_line_adds_up"),
        ),
        sa.CheckConstraint("balance_ul >= 0", name=op.f("ck_register_line_never_below_zero")),
        sa.ForeignKeyConstraint(
            ["bottle", "previous_line", "previous_balance_ul"],
            ["register_line.bottle", "register_line.line", "register_line.balance_ul"],
            name="fk_register_line_previous",
        ),
        sa.ForeignKeyConstraint(["bottle"], ["bottle.id"], name=op.f("fk_register_line_bottle")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_register_line_site")),
        sa.PrimaryKeyConstraint("bottle", "line", name=op.f("pk_register_line")),
        sa.UniqueConstraint(
            "bottle", "line", "balance_ul", name=op.f("uq_register_line_bottle_line_balance_ul")
        ),
        info={"record": True},
    )
    op.create_index(op.f("ix_register_line_day"), "register_line", ["day"], unique=False)
    op.create_index(op.f("ix_register_line_dose"), "register_line", ["dose"], unique=False)
    op.create_table(
        "signoff",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("dose_ug", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("by_role", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_signoff_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signoff")),
        info={"record": True},
    )
    op.create_index(op.f("ix_signoff_patient"), "signoff", ["patient"], unique=False)
    op.create_table(
        "counter_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("counter", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_counter_session_account")),
        sa.ForeignKeyConstraint(["counter"], ["counter.id"], name=op.f("fk_counter_session_counter")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_counter_session_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_session")),
    )
    op.create_index(op.f("ix_counter_session_site"), "counter_session", ["site"], unique=False)
    op.create_table(
        "dose_attempt",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("dosing_day", sa.Date(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("replaces", sa.String(length=64), nullable=True),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("home_site", sa.String(length=12), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("permit", sa.String(length=64), nullable=True),
        sa.Column("prescription", sa.String(length=64), nullable=False),
        sa.Column("medicine", sa.String(length=40), nullable=False),
        sa.Column("product", sa.String(length=40), nullable=False),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("ordered_ug", sa.BigInteger(), nullable=False),
        sa.Column("dose_ug", sa.BigInteger(), nullable=False),
        sa.Column("volume_ul", sa.BigInteger(), nullable=False),
        sa.Column("bottle", sa.String(length=40), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("identity_path", sa.String(length=40), nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=True),
        sa.Column("identity_reason", sa.String(length=40), nullable=True),
        sa.Column("observations", sa.Text(), nullable=False),
        sa.Column("counter", sa.String(length=20), nullable=True),
        sa.Column("decision", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("facts_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("promised_at", Instant(), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "dose_ug > 0 AND dose_ug <= ordered_ug", name=op.f("ck_dose_attempt_never_above_order")
        ),
        sa.ForeignKeyConstraint(
            ["bottle", "line"],
            ["register_line.bottle", "register_line.line"],
            name=op.f("fk_dose_attempt_bottle_line"),
        ),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name=op.f("fk_dose_attempt_decision")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_dose_attempt_patient")),
        sa.ForeignKeyConstraint(
            ["prescription"], ["prescription.id"], name=op.f("fk_dose_attempt_prescription")
        ),
        sa.ForeignKeyConstraint(
            ["replaces", "patient", "dosing_day", "slot"],
            ["dose_release.attempt", "dose_release.patient", "dose_release.dosing_day", "dose_release.slot"],
            name="fk_dose_attempt_replaces_release",
            use_alter=True,
        ),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_dose_attempt_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dose_attempt")),
        sa.UniqueConstraint(
            "id", "patient", "dosing_day", "slot", name=op.f("uq_dose_attempt_id_patient_dosing_day_slot")
        ),
        sa.UniqueConstraint("replaces", name=op.f("uq_dose_attempt_replaces")),
        info={"record": True},
    )
    op.create_index("ix_dose_attempt_site_day", "dose_attempt", ["site", "dosing_day"], unique=False)
    op.create_index(
        "one_dose_per_person_day_slot",
        "dose_attempt",
        ["patient", "dosing_day", "slot"],
        unique=True,
        sqlite_where=sa.text("replaces IS NULL"),
        postgresql_where=sa.text("replaces IS NULL"),
    )
    op.create_table(
        "hold_release",
        sa.Column("hold", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["hold"], ["hold.id"], name=op.f("fk_hold_release_hold")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_hold_release_patient")),
        sa.PrimaryKeyConstraint("hold", name=op.f("pk_hold_release")),
        info={"record": True},
    )
    op.create_index(op.f("ix_hold_release_patient"), "hold_release", ["patient"], unique=False)
    op.create_table(
        "identity_evidence",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("path", sa.String(length=40), nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=True),
        sa.Column("dose", sa.String(length=64), nullable=True),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["capture"], ["capture.id"], name=op.f("fk_identity_evidence_capture")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_identity_evidence_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_identity_evidence_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_evidence")),
        sa.UniqueConstraint("capture", name=op.f("uq_identity_evidence_capture")),
        info={"record": True},
    )
    op.create_index(op.f("ix_identity_evidence_dose"), "identity_evidence", ["dose"], unique=False)
    op.create_index(op.f("ix_identity_evidence_patient"), "identity_evidence", ["patient"], unique=False)
    op.create_table(
        "prescription_end",
        sa.Column("prescription", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_prescription_end_patient")),
        sa.ForeignKeyConstraint(
            ["prescription"], ["prescription.id"], name=op.f("fk_prescription_end_prescription")
        ),
        sa.PrimaryKeyConstraint("prescription", name=op.f("pk_prescription_end")),
        info={"record": True},
    )
    op.create_index(op.f("ix_prescription_end_patient"), "prescription_end", ["patient"], unique=False)
    op.create_table(
        "refusal",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(length=64), nullable=True),
        sa.Column("same_as", sa.String(length=64), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("reasons_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name=op.f("fk_refusal_decision")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_refusal_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_refusal_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
        info={"record": True},
    )
    op.create_index(op.f("ix_refusal_patient"), "refusal", ["patient"], unique=False)
    op.create_table(
        "dose_observation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("minutes_after", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("observed_at", Instant(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["attempt"], ["dose_attempt.id"], name=op.f("fk_dose_observation_attempt")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_dose_observation_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dose_observation")),
        info={"record": True},
    )
    op.create_index(op.f("ix_dose_observation_attempt"), "dose_observation", ["attempt"], unique=False)
    op.create_index(op.f("ix_dose_observation_patient"), "dose_observation", ["patient"], unique=False)
    op.create_table(
        "dose_outcome",
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("swallowed_ug", sa.BigInteger(), nullable=True),
        sa.Column("disposition", sa.String(length=40), nullable=True),
        sa.Column("rest_ul", sa.BigInteger(), nullable=True),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("evidence", sa.String(length=64), nullable=True),
        sa.Column("identity_path", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("drinker", sa.String(length=64), nullable=True),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("witness", sa.String(length=64), nullable=True),
        sa.Column("given_at", Instant(), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["attempt"], ["dose_attempt.id"], name=op.f("fk_dose_outcome_attempt")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_dose_outcome_patient")),
        sa.PrimaryKeyConstraint("attempt", name=op.f("pk_dose_outcome")),
        info={"record": True},
    )
    op.create_index(op.f("ix_dose_outcome_patient"), "dose_outcome", ["patient"], unique=False)
    op.create_table(
        "dose_release",
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("dosing_day", sa.Date(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("dose_ug", sa.BigInteger(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("second", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt", "patient", "dosing_day", "slot"],
            ["dose_attempt.id", "dose_attempt.patient", "dose_attempt.dosing_day", "dose_attempt.slot"],
            name="fk_dose_release_attempt",
        ),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_dose_release_patient")),
        sa.PrimaryKeyConstraint("attempt", name=op.f("pk_dose_release")),
        sa.UniqueConstraint(
            "attempt",
            "patient",
            "dosing_day",
            "slot",
            name=op.f("uq_dose_release_attempt_patient_dosing_day_slot"),
        ),
        info={"record": True},
    )
    op.create_table(
        "dose_void",
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("not_taken", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("second", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["attempt"], ["dose_attempt.id"], name=op.f("fk_dose_void_attempt")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_dose_void_patient")),
        sa.PrimaryKeyConstraint("attempt", name=op.f("pk_dose_void")),
        info={"record": True},
    )
    op.create_index(op.f("ix_dose_void_patient"), "dose_void", ["patient"], unique=False)
    op.create_table(
        "exposure",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount_ug", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["attempt"], ["dose_attempt.id"], name=op.f("fk_exposure_attempt")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_exposure_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exposure")),
        info={"record": True},
    )
    op.create_index(op.f("ix_exposure_patient"), "exposure", ["patient"], unique=False)
    op.create_table(
        "signature",
        sa.Column("attempt", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("strokes_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["attempt"], ["dose_attempt.id"], name=op.f("fk_signature_attempt")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_signature_patient")),
        sa.PrimaryKeyConstraint("attempt", name=op.f("pk_signature")),
    )
    op.create_table(
        "exposure_review",
        sa.Column("exposure", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["exposure"], ["exposure.id"], name=op.f("fk_exposure_review_exposure")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_exposure_review_patient")),
        sa.PrimaryKeyConstraint("exposure", name=op.f("pk_exposure_review")),
        info={"record": True},
    )
    op.create_index(op.f("ix_exposure_review_patient"), "exposure_review", ["patient"], unique=False)

    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.create_foreign_key(
            "fk_dose_attempt_replaces_release",
            "dose_attempt",
            "dose_release",
            ["replaces", "patient", "dosing_day", "slot"],
            ["attempt", "patient", "dosing_day", "slot"],
        )
        op.execute(REFUSE_FUNCTION_PG)
    for table in APPEND_ONLY:
        for statement in protect_sql(table, dialect):
            op.execute(statement)


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_dose_attempt_replaces_release", "dose_attempt")
    else:
        # The two point at each other; both are gone when SQLite looks, at the end of the transaction.
        op.execute("PRAGMA defer_foreign_keys = ON")

    op.drop_index(op.f("ix_exposure_review_patient"), table_name="exposure_review")
    op.drop_table("exposure_review")
    op.drop_table("signature")
    op.drop_index(op.f("ix_exposure_patient"), table_name="exposure")
    op.drop_table("exposure")
    op.drop_index(op.f("ix_dose_void_patient"), table_name="dose_void")
    op.drop_table("dose_void")
    op.drop_table("dose_release")
    op.drop_index(op.f("ix_dose_outcome_patient"), table_name="dose_outcome")
    op.drop_table("dose_outcome")
    op.drop_index(op.f("ix_dose_observation_patient"), table_name="dose_observation")
    op.drop_index(op.f("ix_dose_observation_attempt"), table_name="dose_observation")
    op.drop_table("dose_observation")
    op.drop_index(op.f("ix_refusal_patient"), table_name="refusal")
    op.drop_table("refusal")
    op.drop_index(op.f("ix_prescription_end_patient"), table_name="prescription_end")
    op.drop_table("prescription_end")
    op.drop_index(op.f("ix_identity_evidence_patient"), table_name="identity_evidence")
    op.drop_index(op.f("ix_identity_evidence_dose"), table_name="identity_evidence")
    op.drop_table("identity_evidence")
    op.drop_index(op.f("ix_hold_release_patient"), table_name="hold_release")
    op.drop_table("hold_release")
    op.drop_index(
        "one_dose_per_person_day_slot",
        table_name="dose_attempt",
        sqlite_where=sa.text("replaces IS NULL"),
        postgresql_where=sa.text("replaces IS NULL"),
    )
    op.drop_index("ix_dose_attempt_site_day", table_name="dose_attempt")
    op.drop_table("dose_attempt")
    op.drop_index(op.f("ix_counter_session_site"), table_name="counter_session")
    op.drop_table("counter_session")
    op.drop_index(op.f("ix_signoff_patient"), table_name="signoff")
    op.drop_table("signoff")
    op.drop_index(op.f("ix_register_line_dose"), table_name="register_line")
    op.drop_index(op.f("ix_register_line_day"), table_name="register_line")
    op.drop_table("register_line")
    op.drop_index(op.f("ix_record_access_patient"), table_name="record_access")
    op.drop_table("record_access")
    op.drop_index(op.f("ix_prescription_patient"), table_name="prescription")
    op.drop_table("prescription")
    op.drop_index(op.f("ix_hold_patient"), table_name="hold")
    op.drop_table("hold")
    op.drop_index(op.f("ix_fingerprint_patient"), table_name="fingerprint")
    op.drop_index(op.f("ix_fingerprint_change_no"), table_name="fingerprint")
    op.drop_table("fingerprint")
    op.drop_index(op.f("ix_decision_patient"), table_name="decision")
    op.drop_table("decision")
    op.drop_table("counter")
    op.drop_index(op.f("ix_capture_station"), table_name="capture")
    op.drop_table("capture")
    op.drop_table("witness_token")
    op.drop_index(op.f("ix_web_session_account"), table_name="web_session")
    op.drop_table("web_session")
    op.drop_index(op.f("ix_station_site"), table_name="station")
    op.drop_table("station")
    op.drop_index(op.f("ix_role_grant_account"), table_name="role_grant")
    op.drop_table("role_grant")
    op.drop_index(op.f("ix_policy_approval_value_digest"), table_name="policy_approval")
    op.drop_table("policy_approval")
    op.drop_index(op.f("ix_patient_home_site"), table_name="patient")
    op.drop_index(op.f("ix_patient_change_no"), table_name="patient")
    op.drop_table("patient")
    op.drop_index(op.f("ix_bottle_site"), table_name="bottle")
    op.drop_table("bottle")
    op.drop_table("site")
    op.drop_table("sign_in_failure")
    op.drop_table("sign_in_event")
    op.drop_table("product")
    op.drop_table("policy_version")
    op.drop_table("person_key")
    op.drop_table("job_run")
    op.drop_table("change_counter")
    op.drop_table("chain_head")
    op.drop_index(op.f("ix_audit_event_patient"), table_name="audit_event")
    op.drop_table("audit_event")
    op.drop_table("arrival")
    op.drop_table("account")

    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ost_refuse_change()")
