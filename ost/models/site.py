"""Sites, their counters, and the sessions in which a counter works."""

import sqlalchemy as sa

from ost.models.base import Instant, Json, Word, col, key, opt, ref, table

site = table(
    "site",
    key(type_=sa.String(12)),  # short code, e.g. "HUA1"
    col("county", sa.String(12)),
    col("name_zh_hant", sa.String(80)),
    col("name_zh_hans", sa.String(80)),
    col("name_en", sa.String(80)),
    col("phone", sa.String(40)),
    col("tz", sa.String(40)),
    col("medicines", Json),  # what the site is designated for: a list of medicines
    col("policy", sa.String(40)),  # name of its policy pack
    col("number_prefix", sa.String(4), unique=True),  # "H" in "H-0047"
    col("next_number", sa.Integer),
    col("opens", sa.String(5)),  # "07:00", site's own clock
    col("closes", sa.String(5)),
    col("active", sa.Boolean),
)

counter = table(
    "counter",
    key(type_=sa.String(20)),  # e.g. "HUA1-2"
    ref("site", "site.id", sa.String(12)),
    col("label", sa.String(20)),
    ref("station", "station.id", optional=True),
    # Mutable working state of the page; nothing here is evidence.
    opt("session", sa.String(64)),  # the browser session that works this counter
    ref("account", "account.id", optional=True),
    opt("patient", sa.String(64)),  # the card on the screen
    opt("dose", sa.String(64)),  # the attempt it is locked to
    opt("shown_at", Instant),
    opt("notice", Json),  # the last touch that named nobody, or the wrong one
    col("version", sa.BigInteger),  # grows with each change, so that the page refreshes itself
)

counter_session = table(
    "counter_session",
    key(),
    ref("site", "site.id", sa.String(12), index=True),
    ref("counter", "counter.id", sa.String(20)),
    ref("account", "account.id"),
    col("day", sa.Date),
    col("opened_at", Instant),
    opt("closed_at", Instant),
)

arrival = table(
    "arrival",
    key("site", sa.String(12)),
    key("day", sa.Date),
    key("patient"),
    col("number", sa.Integer),  # order of arrival that day at that site
    col("lane", Word),  # "normal" | "priority"
    col("at", Instant),
    sa.UniqueConstraint("site", "day", "number"),
)
