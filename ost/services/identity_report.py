"""How often each way of showing who one is worked and failed: by site, by reader, by finger, over one month.

Counts rows of the record; which of the counts may be shown is `ost.rules.small_cells`.
Worked: a person was called or confirmed. Failed: a try that ended without. A face
tapped after a touch counts for the finger. Names nobody.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ost import clock
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.identity import identity_try
from ost.models.reader import capture_measure, reader
from ost.models.station import capture, identity_evidence
from ost.rules import access
from ost.rules.small_cells import LEAST, Sum, hide
from ost.services.access import sites_with
from ost.services.identity_choice import FINGER, WAYS
from ost.services.identity_rows import OFFERED
from ost.services.work import Actor, House

PERMISSION = "indicator.read"
WORKED, FAILED = "worked", "failed"
UNKNOWN = ""  # no reader, or no finger, stands beside the row
_FAILED_TOUCHES = ("again", "nobody", "stopped")
_MONTHS = 13


@dataclass(frozen=True, slots=True)
class Line:
    """One row: a way at a site, a reader, a finger. `share`: failed of all tries, per cent, when both are shown."""

    worked: int | None
    failed: int | None

    @property
    def share(self) -> float | None:
        if self.worked is None or self.failed is None or not self.worked + self.failed:
            return None
        return 100 * self.failed / (self.worked + self.failed)


@dataclass(frozen=True, slots=True)
class ReaderName:
    site: str
    name: str  # "" = none stands beside the touch
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    month: date
    months: tuple[date, ...]  # that can be asked for, newest first
    until: datetime  # counted up to here
    n: int | None  # rows counted; None when that is too few
    least: int
    ways: tuple[str, ...]
    overall: dict[str, Line]  # by way
    by_site: dict[str, dict[str, Line]]  # site, way
    by_reader: tuple[tuple[ReaderName, Line], ...]
    by_finger: tuple[tuple[str, Line], ...]  # `failed`: touches that were repeated before this finger was known
    hidden: int


@dataclass(slots=True)
class _Counts:
    """(site, way, worked or failed, reader, finger) -> how many."""

    rows: Counter = field(default_factory=Counter)
    retries: Counter = field(default_factory=Counter)  # by finger
    readers: dict = field(default_factory=dict)


def report(house: House, actor: Actor, month: date | None = None) -> Report:
    """Of the sites where the actor reads figures. Refusal("not_permitted") where there is none.

    Who stands outside a site sees whole months only: of a month that still runs,
    two looks could be subtracted from each other.
    """
    mine = sites_with(house, actor, PERMISSION)
    if not mine:
        raise Refusal("not_permitted", permission=PERMISSION)
    now = house.now()
    zone = _zone(house, mine[0])
    months = _months(clock.dosing_day(now, zone), inside=_inside(actor))
    chosen = month if month in months else months[0]
    begin, end = _span(chosen, zone)
    counts = _count(house, mine, begin, min(end, now))
    return _published(counts, mine, chosen, months, min(end, now))


# --- counting -------------------------------------------------------------------------


def _count(house: House, mine: tuple[str, ...], begin: datetime, end: datetime) -> _Counts:
    found = _Counts()
    e, t, c, m, r = identity_evidence, identity_try, capture, capture_measure, reader
    n = sa.func.count()

    def within(table):
        return table.c.site.in_(mine), table.c.at >= begin, table.c.at < end

    touched = sa.case((sa.or_(e.c.path == FINGER, e.c.reason == OFFERED), FINGER), else_=e.c.path)
    with house.read() as tx:
        worked = (
            sa.select(e.c.site, touched.label("way"), m.c.reader, m.c.finger, n, sa.func.sum(m.c.tries - 1))
            .join(m, m.c.capture == e.c.capture, isouter=True)
            .where(*within(e))
            .group_by(e.c.site, touched, m.c.reader, m.c.finger)
        )
        for site, way, device, finger, count, retries in tx.execute(worked):
            touch = way == FINGER
            found.rows[
                site, way, WORKED, (device or UNKNOWN) if touch else None, (finger or UNKNOWN) if touch else None
            ] += count
            if touch and finger:
                found.retries[finger] += int(retries or 0)
        tried = (
            sa.select(t.c.site, t.c.path, n)
            .where(*within(t), t.c.result.not_in(("shown", "confirmed")))
            .group_by(t.c.site, t.c.path)
        )
        for site, way, count in tx.execute(tried):
            found.rows[site, way, FAILED, None, None] += count
        # What was answered is kept as canonical JSON: no blanks, always the same bytes.
        failed_touch = sa.or_(*(c.c.answer.contains(f'"result":"{word}"') for word in _FAILED_TOUCHES))
        touches = (
            sa.select(c.c.site, m.c.reader, n)
            .join(m, m.c.capture == c.c.id, isouter=True)
            .where(*within(c), failed_touch)
            .group_by(c.c.site, m.c.reader)
        )
        for site, device, count in tx.execute(touches):
            found.rows[site, FINGER, FAILED, device or UNKNOWN, None] += count
        for row in tx.execute(sa.select(r.c.id, r.c.site, r.c.name, r.c.kind).where(r.c.site.in_(mine))):
            found.readers[row.id] = ReaderName(row.site, row.name, row.kind)
    return found


# --- what may be shown ------------------------------------------------------------------


def _published(counts: _Counts, mine, month, months, until) -> Report:
    cells: Counter = Counter()
    sums: list[Sum] = []
    parts: dict[str, set[str]] = {}

    def part_of(total: str, part: str) -> None:
        parts.setdefault(total, set()).add(part)

    fingers = {f for (_s, _w, _k, _r, f) in counts.rows if f is not None}
    devices = sorted({(s, r) for (s, _w, _k, r, _f) in counts.rows if r is not None})
    for way in WAYS:
        for kind in (WORKED, FAILED):
            cells[f"all|{way}|{kind}"] += 0
            for site in mine:
                cells[f"{site}|{way}|{kind}"] += 0
                part_of(f"all|{way}|{kind}", f"{site}|{way}|{kind}")
    for site, device in devices:
        for kind in (WORKED, FAILED):
            cells[f"{site}|reader|{device}|{kind}"] += 0
            part_of(f"{site}|{FINGER}|{kind}", f"{site}|reader|{device}|{kind}")
    for finger in fingers:
        cells[f"finger|{finger}|{WORKED}"] += 0
        part_of(f"all|{FINGER}|{WORKED}|by finger", f"finger|{finger}|{WORKED}")
        cells[f"retries|{finger}"] = counts.retries[finger]
    for (site, way, kind, device, finger), count in counts.rows.items():
        cells[f"all|{way}|{kind}"] += count
        cells[f"{site}|{way}|{kind}"] += count
        if device is not None:
            cells[f"{site}|reader|{device}|{kind}"] += count
        if finger is not None:
            cells[f"finger|{finger}|{kind}"] += count
    sums = [(total.removesuffix("|by finger"), tuple(sorted(found))) for total, found in sorted(parts.items())]
    hidden = hide(cells, sums)

    def shown(name: str) -> int | None:
        return None if name in hidden else cells[name]

    def line(name: str) -> Line:
        return Line(shown(f"{name}|{WORKED}"), shown(f"{name}|{FAILED}"))

    total = sum(cells[f"all|{w}|{k}"] for w in WAYS for k in (WORKED, FAILED))
    whole = not any(f"all|{w}|{k}" in hidden for w in WAYS for k in (WORKED, FAILED))
    return Report(
        month=month,
        months=months,
        until=until,
        # The sum of everything is one more sum: it is shown only where all its parts are.
        n=total if whole else None,
        least=LEAST,
        ways=WAYS,
        overall={way: line(f"all|{way}") for way in WAYS},
        by_site={site: {way: line(f"{site}|{way}") for way in WAYS} for site in mine},
        by_reader=tuple(
            (counts.readers.get(device, ReaderName(site, "")), line(f"{site}|reader|{device}"))
            for site, device in devices
        ),
        by_finger=tuple(
            (finger, Line(shown(f"finger|{finger}|{WORKED}"), shown(f"retries|{finger}")))
            for finger in sorted(fingers)
        ),
        hidden=len(hidden),
    )


# --- months -----------------------------------------------------------------------------


def _inside(actor: Actor) -> bool:
    """Whether every reach the actor reads figures by is a site's own."""
    reaches = [g.scope_kind for g in actor.grants if PERMISSION in access.permissions_of(g.role)]
    return bool(reaches) and all(kind == access.SITE for kind in reaches)


def _months(today: date, *, inside: bool) -> tuple[date, ...]:
    first = today.replace(day=1)
    every: list[date] = []
    while len(every) < _MONTHS + (not inside):
        every.append(first)
        first = (first - timedelta(days=1)).replace(day=1)
    return tuple(every if inside else every[1:])


def _span(month: date, zone: str) -> tuple[datetime, datetime]:
    after = (month + timedelta(days=31)).replace(day=1)
    at = ZoneInfo(zone)
    return tuple(datetime(d.year, d.month, 1, tzinfo=at).astimezone(UTC) for d in (month, after))


def _zone(house: House, site: str) -> str:
    with house.read() as tx:
        return tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site)).scalar_one()


def month_of(text: str) -> date | None:
    """"2026-11" as its first day; None for anything else."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
