"""Which readers hang at a station and how they are, as its agent says.

Working state: written without an audit event, and without waiting for the disk.
A claim throughout: what a device says of itself is kept to see a dying or an
exchanged one, and decides nothing, except that a revoked reader stays revoked
under another name at its station as long as it says the same serial number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from devices.interface import (
    GIVES_IMAGE,
    GIVES_TEMPLATE,
    IMAGE_FORMATS,
    READY,
    UNPLUGGED,
    Touch,
    printable,
    readers_digest,
)
from ost.log import log
from ost.models.reader import reader, reader_fault
from ost.models.station import station
from ost.services.door import Entered
from ost.services.work import House, new_id

#: Of one station: in one heartbeat, and ever. More names would only be a way to fill the table.
MOST_AT_ONCE, MOST_EVER = 8, 16
#: States of `reader.state` beside the interface's: not in the agent's list any more.
GONE = "gone"
#: States of `station.reader_state` beside the interface's: some readers are ready, some are not.
PARTLY, REVOKED = "partly", "revoked"
#: A reader that turns away from ready again and again: one fault is kept in so long.
FAULT_AGAIN = timedelta(seconds=30)
#: An unchanged reader's `seen_at` is written this often.
_SEEN_S = 60
_CLAIMS = ("kind", "simulated", "gives", "modality", "dpi", "maker", "model", "serial", "firmware", "liveness")


@dataclass(frozen=True, slots=True)
class ReaderHere:
    """One reader of a station, for the counter's page."""

    name: str
    kind: str
    state: str
    trouble: str | None
    revoked: bool
    simulated: bool


def short_of(digest: str, now: datetime) -> str:
    """What a heartbeat said, and about when: unchanged, nothing but the time is written."""
    return f"{digest}:{int(now.timestamp()) // _SEEN_S}"


def known(entered: Entered, digest: str, now: datetime) -> bool:
    """Whether the station's readers are kept already as this digest of them says."""
    return entered.readers is not None and entered.readers.rpartition("|")[0] == short_of(digest, now)


def still_there(house: House, entered: Entered, now: datetime) -> None:
    """The station lives; nothing else is new."""
    with house.db.begin_lightly() as tx:
        tx.execute(_SEEN, {"id_": entered.id, "now": now})


_SEEN = sa.update(station).where(station.c.id == sa.bindparam("id_")).values(seen_at=sa.bindparam("now"))


def keep(house: House, entered: Entered, said: list[dict], now: datetime) -> bool:
    """Write how the readers are. False: some are left out, the station has had too many."""
    with house.db.begin_lightly() as tx:
        # This row first: two heartbeats of one station wait for each other here.
        tx.execute(_SEEN, {"id_": entered.id, "now": now})
        rows = {row.name: row for row in tx.execute(_OF_STATION, {"station": entered.id})}
        whole = _write(tx, entered, said, rows, now)
        values = _summary(tx, entered, said, short_of(readers_digest(said), now))
        tx.execute(sa.update(station).where(station.c.id == entered.id).values(**values))
    return whole


_OF_STATION = sa.select(reader).where(reader.c.station == sa.bindparam("station")).order_by(reader.c.name)


def _write(tx: Connection, entered: Entered, said: list[dict], rows: dict[str, sa.Row], now: datetime) -> bool:
    whole = True
    for one in said:
        row = rows.get(one["name"])
        claims = {name: one[name] for name in _CLAIMS}
        values = claims | {"state": one["state"], "detail": one["trouble"], "seen_at": now}
        if row is None:
            if len(rows) >= MOST_EVER:
                whole = False
                continue
            rows[one["name"]] = None
            _insert(tx, entered, one["name"], now, values)
            continue
        if row.revoked_at is None and claims["serial"] and claims["serial"] != row.serial:
            values["revoked_at"] = _revoked_before(tx, entered, claims)
        tx.execute(sa.update(reader).where(reader.c.id == row.id).values(**values))
        if row.state == READY and one["state"] != READY and (one["trouble"] or one["state"] == UNPLUGGED):
            fault(tx, row.id, one["trouble"] or "reader_unplugged", now)
    here = [one["name"] for one in said]
    tx.execute(
        sa.update(reader)
        .where(reader.c.station == entered.id, reader.c.name.not_in(here), reader.c.state != GONE)
        .values(state=GONE, detail=None)
    )
    return whole


def _insert(tx: Connection, entered: Entered, name: str, now: datetime, values: dict) -> None:
    tx.execute(
        sa.insert(reader).values(
            id=new_id(),
            station=entered.id,
            site=entered.site,
            name=name,
            first_seen_at=now,
            revoked_at=_revoked_before(tx, entered, values),
            **values,
        )
    )


def _revoked_before(tx: Connection, entered: Entered, claims: dict) -> datetime | None:
    """When a device of this kind and serial number was revoked here under another name; None: it was not.

    Not looked for at other stations: cheap devices share one serial number.
    """
    if not claims.get("serial"):
        return None
    return tx.execute(
        sa.select(sa.func.min(reader.c.revoked_at)).where(
            reader.c.station == entered.id,
            reader.c.kind == claims["kind"],
            reader.c.serial == claims["serial"],
            reader.c.revoked_at.is_not(None),
        )
    ).scalar()


def fault(tx: Connection, reader_id: str, code: str, now: datetime) -> None:
    """One row, unless the last like it is a moment old."""
    f = reader_fault
    recent = sa.select(f.c.id).where(f.c.reader == reader_id, f.c.code == code, f.c.at > now - FAULT_AGAIN)
    if tx.execute(recent.limit(1)).first() is None:
        tx.execute(sa.insert(f).values(id=new_id(), reader=reader_id, code=code, at=now))
        log.warning("reader_fault", code=code)


def _summary(tx: Connection, entered: Entered, said: list[dict], short: str) -> dict:
    """The station's own columns: what the counter's page asks for once a second."""
    rows = {row.name: row for row in tx.execute(_OF_STATION, {"station": entered.id})}
    usable = [one for one in said if rows.get(one["name"]) and rows[one["name"]].revoked_at is None]
    ready = [one for one in usable if one["state"] == READY]
    if ready:
        state = READY if len(ready) == len(said) else PARTLY
    else:
        state = usable[0]["state"] if usable else REVOKED
    trouble = next((one["trouble"] for one in usable if one["trouble"]), None)
    shown = next((one for one in said if one["simulated"]), (ready or said)[0])
    return {
        "reader_kind": shown["kind"],
        "reader_state": state,
        "reader_detail": f"{short}|{trouble or ''}",
    }


def of_touch(house: House, entered: Entered, touch: Touch) -> sa.Row | None:
    """The row of the reader a touch names; made when a touch comes before its heartbeat. None: one name too many."""
    query = sa.select(reader.c.id, reader.c.revoked_at).where(
        reader.c.station == entered.id, reader.c.name == touch.reader
    )
    with house.read() as tx:
        row = tx.execute(query).one_or_none()
    if row is not None:
        return row
    now = house.now()
    sample = touch.sample
    gives = GIVES_IMAGE if sample is None or sample.format in IMAGE_FORMATS else GIVES_TEMPLATE
    said = sample.declared if sample else {}
    claims = {name: printable(said.get(name)) for name in ("maker", "model", "serial", "firmware", "liveness")}
    values = {
        "kind": touch.reader_kind,
        "simulated": touch.simulated,
        "gives": gives,
        "modality": sample.modality if sample else "finger",
        "dpi": sample.dpi if sample else None,
        **claims,
        "state": READY,
        "detail": None,
        "seen_at": now,
    }
    with house.db.begin_lightly() as tx:
        # The station's row first, as a heartbeat does: neither makes the same reader twice.
        tx.execute(sa.update(station).where(station.c.id == entered.id).values(reader_detail=None))
        count = sa.select(sa.func.count()).select_from(reader).where(reader.c.station == entered.id)
        row = tx.execute(query).one_or_none()
        if row is None and tx.execute(count).scalar_one() < MOST_EVER:
            _insert(tx, entered, touch.reader, now, values)
            row = tx.execute(query).one()
    return row


def here(house: House, station_id: str) -> tuple[ReaderHere, ...]:
    """The readers a station has now, by name."""
    with house.read() as tx:
        rows = tx.execute(_OF_STATION, {"station": station_id}).all()
    return tuple(
        ReaderHere(r.name, r.kind, r.state, r.detail, r.revoked_at is not None, r.simulated)
        for r in rows
        if r.state != GONE
    )
