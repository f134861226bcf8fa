"""Any reader: which device took what, ways of showing who one is, looking beyond one's own site.

Frozen: this says what was created then, whatever the models say now.
"""

import sqlalchemy as sa
from alembic import op

from ost.db import Instant, protect_sql

revision = "0002"
down_revision = "0001"

APPEND_ONLY = (
    "capture_measure",
    "consent",
    "consent_end",
    "duplicate_case",
    "duplicate_decision",
    "emergency_access",
    "identity_try",
    "quiet_alert",
    "quiet_alert_seen",
    "site_identity_choice",
)


def upgrade():
    op.create_table(
        "site_identity_choice",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_site_identity_choice_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_identity_choice")),
    )
    op.create_index(op.f("ix_site_identity_choice_site"), "site_identity_choice", ["site"], unique=False)
    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_consent_patient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_patient"), "consent", ["patient"], unique=False)
    op.create_table(
        "duplicate_case",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("other", sa.String(length=64), nullable=False),
        sa.Column("pair", sa.String(length=130), nullable=False),
        sa.Column("finger", sa.String(length=40), nullable=False),
        sa.Column("other_finger", sa.String(length=40), nullable=False),
        sa.Column("score_e4", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["other"], ["patient.id"], name=op.f("fk_duplicate_case_other")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_duplicate_case_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_duplicate_case_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_case")),
        sa.UniqueConstraint("pair", name=op.f("uq_duplicate_case_pair")),
    )
    op.create_index(op.f("ix_duplicate_case_other"), "duplicate_case", ["other"], unique=False)
    op.create_index(op.f("ix_duplicate_case_patient"), "duplicate_case", ["patient"], unique=False)
    op.create_table(
        "duress_finger",
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_duress_finger_patient")),
        sa.PrimaryKeyConstraint("patient", name=op.f("pk_duress_finger")),
    )
    op.create_table(
        "emergency_access",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("counter", sa.String(length=64), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("until", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_emergency_access_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_emergency_access_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_access")),
    )
    op.create_index(op.f("ix_emergency_access_patient"), "emergency_access", ["patient"], unique=False)
    op.create_table(
        "reader",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("gives", sa.String(length=40), nullable=False),
        sa.Column("modality", sa.String(length=40), nullable=False),
        sa.Column("dpi", sa.Integer(), nullable=True),
        sa.Column("maker", sa.String(length=80), nullable=True),
        sa.Column("model", sa.String(length=80), nullable=True),
        sa.Column("serial", sa.String(length=80), nullable=True),
        sa.Column("firmware", sa.String(length=80), nullable=True),
        sa.Column("liveness", sa.String(length=80), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=40), nullable=True),
        sa.Column("first_seen_at", Instant(timezone=True), nullable=False),
        sa.Column("seen_at", Instant(timezone=True), nullable=False),
        sa.Column("revoked_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_reader_site")),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_reader_station")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reader")),
        sa.UniqueConstraint("station", "name", name=op.f("uq_reader_station_name")),
    )
    op.create_index(op.f("ix_reader_site"), "reader", ["site"], unique=False)
    op.create_index(op.f("ix_reader_station"), "reader", ["station"], unique=False)
    op.create_table(
        "capture_measure",
        sa.Column("capture", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=True),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("finger", sa.String(length=40), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("touch_ms", sa.Integer(), nullable=True),
        sa.Column("extract_ms", sa.Integer(), nullable=True),
        sa.Column("match_ms", sa.Integer(), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["capture"], ["capture.id"], name=op.f("fk_capture_measure_capture")),
        sa.ForeignKeyConstraint(["reader"], ["reader.id"], name=op.f("fk_capture_measure_reader")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_capture_measure_site")),
        sa.PrimaryKeyConstraint("capture", name=op.f("pk_capture_measure")),
    )
    op.create_index("ix_capture_measure_site_at", "capture_measure", ["site", "at"], unique=False)
    op.create_table(
        "consent_end",
        sa.Column("consent", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["consent"], ["consent.id"], name=op.f("fk_consent_end_consent")),
        sa.PrimaryKeyConstraint("consent", name=op.f("pk_consent_end")),
    )
    op.create_table(
        "duplicate_decision",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("of_case", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(length=40), nullable=False),
        sa.Column("kept", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["of_case"], ["duplicate_case.id"], name=op.f("fk_duplicate_decision_of_case")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_decision")),
    )
    op.create_index(op.f("ix_duplicate_decision_of_case"), "duplicate_decision", ["of_case"], unique=False)
    op.create_table(
        "quiet_alert",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=False),
        sa.Column("told", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["capture"], ["capture.id"], name=op.f("fk_quiet_alert_capture")),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_quiet_alert_patient")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_quiet_alert_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiet_alert")),
        sa.UniqueConstraint("capture", name=op.f("uq_quiet_alert_capture")),
    )
    op.create_index(op.f("ix_quiet_alert_at"), "quiet_alert", ["at"], unique=False)
    op.create_table(
        "reader_fault",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["reader"], ["reader.id"], name=op.f("fk_reader_fault_reader")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reader_fault")),
    )
    op.create_index("ix_reader_fault_reader_at", "reader_fault", ["reader", "at"], unique=False)
    op.create_table(
        "identity_try",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=12), nullable=False),
        sa.Column("counter", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("result", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("document", sa.String(length=40), nullable=True),
        sa.Column("evidence", sa.String(length=64), nullable=True),
        sa.Column("second", sa.String(length=64), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["evidence"], ["identity_evidence.id"], name=op.f("fk_identity_try_evidence")
        ),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_identity_try_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_try")),
        sa.UniqueConstraint("evidence", name=op.f("uq_identity_try_evidence")),
    )
    op.create_index("ix_identity_try_site_at", "identity_try", ["site", "at"], unique=False)
    op.create_table(
        "quiet_alert_seen",
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_quiet_alert_seen")),
    )

    op.create_table(
        "station_task",
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=True),
        sa.Column("finger", sa.String(length=40), nullable=True),
        sa.Column("session", sa.String(length=64), nullable=True),
        sa.Column("said", sa.Text(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", Instant(timezone=True), nullable=False),
        sa.Column("until", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient"], ["patient.id"], name=op.f("fk_station_task_patient")),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_station_task_station")),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_station_task")),
    )

    # An ordinary table and an empty column: nothing has to be copied, no trigger is lost.
    op.add_column("witness_token", sa.Column("act", sa.String(length=40), nullable=True))

    dialect = op.get_bind().dialect.name
    for name in APPEND_ONLY:
        for statement in protect_sql(name, dialect):
            op.execute(statement)


def downgrade():
    op.drop_column("witness_token", "act")
    op.drop_table("station_task")
    op.drop_table("quiet_alert_seen")
    op.drop_index("ix_identity_try_site_at", table_name="identity_try")
    op.drop_table("identity_try")
    op.drop_index("ix_reader_fault_reader_at", table_name="reader_fault")
    op.drop_table("reader_fault")
    op.drop_index(op.f("ix_quiet_alert_at"), table_name="quiet_alert")
    op.drop_table("quiet_alert")
    op.drop_index(op.f("ix_duplicate_decision_of_case"), table_name="duplicate_decision")
    op.drop_table("duplicate_decision")
    op.drop_table("consent_end")
    op.drop_index("ix_capture_measure_site_at", table_name="capture_measure")
    op.drop_table("capture_measure")
    op.drop_index(op.f("ix_reader_station"), table_name="reader")
    op.drop_index(op.f("ix_reader_site"), table_name="reader")
    op.drop_table("reader")
    op.drop_index(op.f("ix_emergency_access_patient"), table_name="emergency_access")
    op.drop_table("emergency_access")
    op.drop_table("duress_finger")
    op.drop_index(op.f("ix_duplicate_case_patient"), table_name="duplicate_case")
    op.drop_index(op.f("ix_duplicate_case_other"), table_name="duplicate_case")
    op.drop_table("duplicate_case")
    op.drop_index(op.f("ix_consent_patient"), table_name="consent")
    op.drop_table("consent")
    op.drop_index(op.f("ix_site_identity_choice_site"), table_name="site_identity_choice")
    op.drop_table("site_identity_choice")
