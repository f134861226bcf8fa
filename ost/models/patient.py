"""Patients, their sealed personal data and their fingers.

Names, IDs, telephone numbers, faces and templates are sealed with a key of the
person's own; forgetting a person is destroying that key. The patient row is
also the lock under which doses, orders, holds, outcomes and voids are decided.
"""

import sqlalchemy as sa

from ost.models.base import Digest, Instant, Json, Word, col, key, opt, ref, table

patient = table(
    "patient",
    key(),
    ref("home_site", "site.id", sa.String(12), index=True),
    col("number", sa.String(12), unique=True),  # "H-0047", what is called and typed
    col("sex", Word),
    col("active", sa.Boolean),
    col("low_tolerance", sa.Boolean),
    col("language", sa.String(12)),
    col("priority", Json),  # ["pregnant", "work", ...]
    opt("episode_started_on", sa.Date),
    col("national_id_mac", Digest, unique=True),  # HMAC: equality only
    opt("card_mac", Digest, unique=True),
    opt("pin_hash", sa.String(200)),
    col("name_sealed", sa.LargeBinary),
    col("national_id_sealed", sa.LargeBinary),
    col("birth_date_sealed", sa.LargeBinary),
    opt("phone_sealed", sa.LargeBinary),
    opt("face_sealed", sa.LargeBinary),  # an image, SVG in the demo
    opt("face_type", sa.String(40)),
    col("registered_at", Instant),
    col("registered_by"),
    col("change_no", sa.BigInteger, index=True),
    # Newest dosing day with a confirmed swallow on the tolerance clock; kept under the lock.
)

person_key = table(
    "person_key",
    key("person"),
    opt("wrapped", sa.LargeBinary),  # empty: forgotten
    opt("destroyed_at", Instant),
)

fingerprint = table(
    "fingerprint",
    key(),
    ref("patient", "patient.id", index=True),
    col("finger", Word),  # "right_index", ...
    col("impression", sa.Integer),  # 1..3
    col("algorithm", sa.String(40)),
    col("template_sealed", sa.LargeBinary),  # ISO/IEC 19794-2:2005
    opt("nfiq2", sa.Integer),
    col("cylinders", sa.Integer),
    opt("capture", sa.String(64)),
    col("synthetic", sa.Boolean),
    col("enrolled_at", Instant),
    col("enrolled_by"),
    opt("withdrawn_at", Instant),
    col("change_no", sa.BigInteger, index=True),
)

# Sequences commit out of order; a counter row locked in the writer's transaction does not.
change_counter = table(
    "change_counter",
    key("name", sa.String(20)),
    col("value", sa.BigInteger),
)
