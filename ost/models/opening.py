"""Where a site is, when it is open, and how many guests it takes on a day. Its row is also the lock of its places."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, opt, table

guest_site = table(
    "guest_site",
    sa.Column("site", sa.String(12), sa.ForeignKey("site.id"), primary_key=True),
    col("lat_e6", sa.Integer),  # WGS 84, millionths of a degree
    col("lon_e6", sa.Integer),
    col("address_zh_hant", sa.String(120)),
    col("address_zh_hans", sa.String(120)),
    col("address_en", sa.String(120)),
    col("equipment", Json),  # codes: "step_free", "buprenorphine_room", ...
    col("listed", sa.Boolean),  # takes guests at all, and stands on the public page
    opt("policy_countersign", sa.Boolean),  # the site's own stricter choice: True; None = the pack's
    col("version", sa.Integer),
)

# weekday 1..7 (ISO), 8 = public holiday. No row: closed.
site_hours = table(
    "site_hours",
    sa.Column("site", sa.String(12), sa.ForeignKey("site.id"), primary_key=True),
    sa.Column("weekday", sa.Integer, primary_key=True, autoincrement=False),
    col("opens", sa.String(5)),  # "07:00", site's own clock
    col("last_dose", sa.String(5)),
    col("closes", sa.String(5)),
    col("places", sa.Integer),  # guests on such a day
    col("at_once", sa.Integer),  # of these, accepted without asking
)

# One day that is otherwise. Wins over weekday and holiday.
site_day = table(
    "site_day",
    sa.Column("site", sa.String(12), sa.ForeignKey("site.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    col("closed", sa.Boolean),
    opt("opens", sa.String(5)),
    opt("last_dose", sa.String(5)),
    opt("closes", sa.String(5)),
    opt("places", sa.Integer),
    opt("at_once", sa.Integer),
    opt("why", Word),
    opt("closure", sa.String(64)),  # written by a closure, and taken away with its undoing
    col("by"),
    col("at", Instant),
)
