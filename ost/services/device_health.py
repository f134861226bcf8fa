"""Stations and readers as an administrator sees them, and how each reader has fared day by day.

Counts, times and codes of devices: no person, no finger, no score. A median of
fewer than five touches is left out, because it would be about those few people.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from devices.interface import CAPTURED
from ost import clock
from ost.errors import Refusal
from ost.models import audit
from ost.models import site as sites
from ost.models.reader import capture_measure, reader, reader_fault
from ost.models.station import capture, station
from ost.rules import device_health as rule
from ost.rules.device_health import Finding, percentile
from ost.services.access import require, sites_with
from ost.services.counter_page import SILENT
from ost.services.measures import FOUND
from ost.services.work import Actor, House

SHOWN_DAYS = 14
#: Fewer touches than this make no median.
FEWEST = 5
_DAYS = rule.RECENT_DAYS + rule.NORMAL_DAYS
PERMISSION = "station.manage"


@dataclass(frozen=True, slots=True)
class Day:
    """One reader on one day at its site. `again` (touches in vain) and `faults`: {code: times}; times in ms."""

    day: date
    touches: int = 0  # fingers laid on
    found: int = 0  # of these, somebody was found
    again: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    tries_median: int | None = None
    tries_p90: int | None = None
    match_median_ms: int | None = None
    match_p95_ms: int | None = None

    @property
    def in_vain(self) -> int:
        return self.touches - self.found


@dataclass(frozen=True, slots=True)
class Device:
    """A reader, with its last days (oldest first) and what the rule says of it."""

    row: sa.Row
    days: tuple[Day, ...]
    findings: tuple[Finding, ...]

    @property
    def touches(self) -> int:
        return sum(day.touches for day in self.days)

    @property
    def in_vain(self) -> int:
        return sum(day.in_vain for day in self.days)

    @property
    def faults(self) -> int:
        return sum(sum(day.faults.values()) for day in self.days)


@dataclass(frozen=True, slots=True)
class StationDevices:
    id: str
    label: str
    counter: str | None
    enrolled_at: datetime | None
    revoked_at: datetime | None
    seen_at: datetime | None
    heard: bool
    refused: dict[str, int]  # captures and heartbeats turned away in these days, by code
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class SiteCount:
    site: str
    stations: int
    heard: int
    readers: int


def overview(house: House, actor: Actor) -> tuple[SiteCount, ...]:
    """Every site whose stations the actor manages: how many there are, and how many are heard now."""
    mine = sites_with(house, actor, PERMISSION)
    now = house.now()
    with house.read() as tx:
        found = tx.execute(
            sa.select(station.c.site, station.c.id, station.c.seen_at).where(
                station.c.site.in_(mine), station.c.revoked_at.is_(None), station.c.public_key.is_not(None)
            )
        ).all()
        readers = tx.execute(
            sa.select(reader.c.site, sa.func.count())
            .where(reader.c.site.in_(mine), reader.c.revoked_at.is_(None), reader.c.state != "gone")
            .group_by(reader.c.site)
        ).all()
    stations, heard = Counter(r.site for r in found), Counter(r.site for r in found if _heard(r, now))
    counts = dict(tuple(row) for row in readers)
    return tuple(SiteCount(s, stations[s], heard[s], counts.get(s, 0)) for s in mine)


def at_site(house: House, actor: Actor, site: str) -> tuple[StationDevices, ...]:
    """Stations and readers of a site, with the readers' last two weeks."""
    require(house, actor, PERMISSION, site)
    now = house.now()
    since, today = _span(house, site, now)
    c = sites.counter
    with house.read() as tx:
        rows = tx.execute(
            sa.select(station, c.c.id.label("counter"))
            .join(c, c.c.station == station.c.id, isouter=True)
            .where(station.c.site == site)
            .order_by(station.c.revoked_at.is_not(None), c.c.id, station.c.label, station.c.id)
        ).all()
        readers = tx.execute(sa.select(reader).where(reader.c.site == site).order_by(reader.c.name)).all()
    days = _days(house, site, since, today)
    refused = _refused(house, site, since)
    by_station: dict[str, list[Device]] = defaultdict(list)
    for row in readers:
        by_station[row.station].append(_device(row, days.get(row.id, {}), today))
    return tuple(
        StationDevices(
            id=r.id,
            label=r.label,
            counter=r.counter,
            enrolled_at=r.enrolled_at,
            revoked_at=r.revoked_at,
            seen_at=r.seen_at,
            heard=_heard(r, now),
            refused=dict(refused.get(r.id, {})),
            devices=tuple(by_station[r.id]),
        )
        for r in rows
    )


def one(house: House, actor: Actor, reader_id: str) -> tuple[StationDevices, Device]:
    """A reader and its station. Refusal("reader_unknown_here")."""
    row = _row(house, reader_id)
    for found in at_site(house, actor, row.site):
        for device in found.devices:
            if device.row.id == reader_id:
                return found, device
    raise Refusal("reader_unknown_here")


def revoke(house: House, actor: Actor, reader_id: str) -> None:
    """Nothing this reader takes counts from now on."""
    _set_revoked(house, actor, reader_id, "reader.revoked")


def restore(house: House, actor: Actor, reader_id: str) -> None:
    """A reader that was mended, or revoked by mistake, counts again."""
    _set_revoked(house, actor, reader_id, "reader.restored")


def _set_revoked(house: House, actor: Actor, reader_id: str, kind: str) -> None:
    row = _row(house, reader_id)
    require(house, actor, PERMISSION, row.site)
    with house.work(actor, row.site, kind) as work:
        at = work.now if kind == "reader.revoked" else None
        work.tx.execute(sa.update(reader).where(reader.c.id == reader_id).values(revoked_at=at))
        # The next heartbeat says the readers anew, and the counter sees it.
        work.tx.execute(sa.update(station).where(station.c.id == row.station).values(reader_detail=None))
        work.payload = {"reader": reader_id, "station": row.station}


def _row(house: House, reader_id: str) -> sa.Row:
    with house.read() as tx:
        row = tx.execute(sa.select(reader).where(reader.c.id == reader_id)).one_or_none()
    if row is None:
        raise Refusal("reader_unknown_here")
    return row


def _heard(row: sa.Row, now: datetime) -> bool:
    return row.seen_at is not None and now - row.seen_at < SILENT


def _span(house: House, site: str, now: datetime) -> tuple[datetime, date]:
    """(first instant looked at, today) on the site's calendar."""
    with house.read() as tx:
        tz = tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site)).scalar_one()
    return now - timedelta(days=_DAYS), clock.dosing_day(now, tz)


def _days(house: House, site: str, since: datetime, today: date) -> dict[str, dict[date, Day]]:
    """{reader: {day: Day}}."""
    m, c, f = capture_measure, capture, reader_fault
    with house.read() as tx:
        tz = tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site)).scalar_one()
        touches = tx.execute(
            sa.select(m.c.reader, m.c.at, m.c.tries, m.c.touch_ms, m.c.extract_ms, m.c.match_ms, c.c.answer)
            .join_from(m, c, c.c.id == m.c.capture)
            .where(m.c.site == site, m.c.at >= since, m.c.reader.is_not(None), c.c.ending == CAPTURED)
        ).all()
        faults = tx.execute(
            sa.select(f.c.reader, f.c.at, f.c.code)
            .join(reader, reader.c.id == f.c.reader)
            .where(reader.c.site == site, f.c.at >= since)
        ).all()
    grouped: dict[tuple[str, date], list] = defaultdict(list)
    for row in touches:
        grouped[(row.reader, clock.dosing_day(row.at, tz))].append(row)
    fell: dict[tuple[str, date], Counter] = defaultdict(Counter)
    for row in faults:
        fell[(row.reader, clock.dosing_day(row.at, tz))][row.code] += 1
    found: dict[str, dict[date, Day]] = defaultdict(dict)
    for key in grouped.keys() | fell.keys():
        found[key[0]][key[1]] = _day(key[1], grouped.get(key, []), fell.get(key, Counter()))
    return found


def _day(day: date, rows: list, faults: Counter) -> Day:
    answers = [json.loads(row.answer) for row in rows]
    hits = [row for row, answer in zip(rows, answers, strict=True) if answer["result"] in FOUND]
    again = Counter(a["code"] or a["result"] for a in answers if a["result"] not in FOUND)
    took = [sum(ms or 0 for ms in (row.touch_ms, row.extract_ms, row.match_ms)) for row in hits]
    tries = [row.tries for row in hits]
    enough = len(hits) >= FEWEST
    return Day(
        day=day,
        touches=len(rows),
        found=len(hits),
        again=dict(again.most_common()),
        faults=dict(faults.most_common()),
        tries_median=percentile(tries, 50) if enough else None,
        tries_p90=percentile(tries, 90) if enough else None,
        match_median_ms=percentile(took, 50) if enough else None,
        match_p95_ms=percentile(took, 95) if enough else None,
    )


def _device(row: sa.Row, days: dict[date, Day], today: date) -> Device:
    counts = [rule.DayCount(d.day, d.touches, d.in_vain, sum(d.faults.values())) for d in days.values()]
    shown = [today - timedelta(days=n) for n in reversed(range(SHOWN_DAYS))]
    return Device(
        row=row,
        days=tuple(days.get(day, Day(day)) for day in shown),
        findings=rule.findings(counts, today),
    )


def _refused(house: House, site: str, since: datetime) -> dict[str, Counter]:
    """{station: {code: times}} of what was turned away, from the site's chain."""
    e = audit.audit_event
    found: dict[str, Counter] = defaultdict(Counter)
    with house.read() as tx:
        first = _first_since(tx, site, since)
        rows = tx.execute(
            sa.select(e.c.payload).where(
                e.c.site == site, e.c.number >= first, e.c.at >= since, e.c.kind == "station.turned_away"
            )
        ).scalars()
        for text in rows:
            said = json.loads(text)
            if said.get("station"):
                found[said["station"]][said["code"]] += 1 + said.get("not_kept_before", 0)
    return found


def _first_since(tx, site: str, since: datetime) -> int:
    """About the number of a chain's first event from `since` on: found by halving, because it has no index by time.

    Events before it are not looked at; where a clock was once set back, some after it are older.
    """
    e, head = audit.audit_event, audit.chain_head
    low, high = 1, (tx.execute(sa.select(head.c.number).where(head.c.site == site)).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at = tx.execute(sa.select(e.c.at).where(e.c.site == site, e.c.number == middle)).scalar()
        if at is not None and at < since:
            low = middle + 1
        else:
            high = middle
    return low
