"""Stations: made by an administrator, enrolled with a one-time code, revoked at once.

The private key never leaves the station; here is only its public half.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from devices.interface import body_digest, signed_bytes
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.station import station
from ost.services import challenges, door
from ost.services.access import require
from ost.services.door import TurnedAway
from ost.services.station_beat import heartbeat
from ost.services.work import Actor, House, Work, new_id

CODE_GOOD_FOR = timedelta(minutes=30)
#: Without the letters and digits that are taken for one another.
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE_LENGTH = 12  # 59 bits


@dataclass(frozen=True, slots=True)
class NewStation:
    id: str
    code: str = field(repr=False)  # shown once: only its MAC is kept


@dataclass(frozen=True, slots=True)
class StationView:
    id: str
    site: str
    label: str
    counter: str | None
    enrolled: bool
    revoked: bool
    seen_at: object
    reader_kind: str | None
    reader_state: str | None


def create(house: House, actor: Actor, site: str, label: str, counter: str | None = None) -> NewStation:
    """A station at `site`, with a code for enrolling it once within half an hour."""
    require(house, actor, "station.manage", site)
    made = NewStation(new_id(), _new_code())
    with house.work(actor, site, "station.created") as work:
        work.add(
            station,
            id=made.id,
            site=site,
            label=label,
            public_key=None,
            enrol_code_hash=_mac(house, made.code),
            enrol_expires_at=work.now + CODE_GOOD_FOR,
        )
        if counter is not None:
            _put_at(work, site, counter, made.id)
        work.payload = {"station": made.id, "counter": counter}
    return made


def new_code(house: House, actor: Actor, station_id: str) -> NewStation:
    """Another code for a station that lost its key, or was never enrolled. Not for a revoked one."""
    row = _known(house, station_id)
    require(house, actor, "station.manage", row.site)
    if row.revoked_at is not None:
        raise Refusal("station_revoked")
    made = NewStation(station_id, _new_code())
    with house.work(actor, row.site, "station.code_issued") as work:
        work.tx.execute(
            sa.update(station)
            .where(station.c.id == station_id)
            .values(enrol_code_hash=_mac(house, made.code), enrol_expires_at=work.now + CODE_GOOD_FOR)
        )
        work.payload = {"station": station_id}
    return made


def put_at_counter(house: House, actor: Actor, station_id: str, counter: str) -> None:
    """A reader belongs to one counter: the station stands at this one from now on."""
    row = _known(house, station_id)
    require(house, actor, "station.manage", row.site)
    with house.work(actor, row.site, "station.moved") as work:
        _put_at(work, row.site, counter, station_id)
        work.payload = {"station": station_id, "counter": counter}


def enrol(house: House, code: str, public_key: str, signature: str) -> str | TurnedAway:
    """The station's id, if the code is good and the sender holds the private key. A code works once."""
    try:
        usable = len(bytes.fromhex(public_key)) == 32
    except (ValueError, TypeError):
        usable = False
    message = signed_bytes("enrol", "", str(code), body_digest({"public_key": public_key}))
    if not usable or not door.signed(public_key, message, signature):
        return door.turn_away(house, "station_key_wrong", None, None)
    with house.read() as tx:
        row = tx.execute(
            sa.select(station.c.id, station.c.site).where(station.c.enrol_code_hash == _mac(house, code))
        ).one_or_none()
    if row is None:
        return door.turn_away(house, "enrol_code_wrong", None, None)
    with house.work(Actor(f"station:{row.id}"), row.site, "station.enrolled") as work:
        taken = work.tx.execute(
            sa.update(station)
            .where(
                station.c.id == row.id,
                station.c.enrol_code_hash == _mac(house, code),
                station.c.enrol_expires_at >= work.now,
                station.c.revoked_at.is_(None),
                ~sa.exists().where(station.alias("other").c.public_key == public_key),
            )
            .values(public_key=public_key, enrolled_at=work.now, enrol_code_hash=None, enrol_expires_at=None)
        ).rowcount
        work.payload = {"station": row.id}
        if not taken:
            work.kind = "station.turned_away"
            work.payload["code"] = "enrol_code_wrong"
    return row.id if taken else TurnedAway("enrol_code_wrong")


def revoke(house: House, actor: Actor, station_id: str, reason: str = "") -> None:
    """Nothing this station signs counts from now on. For good: a new station is made instead."""
    row = _known(house, station_id)
    require(house, actor, "station.manage", row.site)
    with house.work(actor, row.site, "station.revoked") as work:
        work.tx.execute(
            sa.update(station)
            .where(station.c.id == station_id, station.c.revoked_at.is_(None))
            .values(revoked_at=work.now, enrol_code_hash=None)
        )
        work.payload = {"station": station_id, "reason": reason[:40]}


def ask_challenges(house: House, body: dict) -> list[str] | TurnedAway:
    """Fresh challenges for a station that signs its wish: {"station", "count", "signature"}."""
    signature = body.get("signature", "")
    wish = {k: v for k, v in body.items() if k != "signature"}
    entered = door.enter(house, wish.get("station", ""), "challenges", None, body_digest(wish), signature)
    if isinstance(entered, TurnedAway):
        return entered
    count = wish.get("count")
    return challenges.issue(house.keys, entered.id, house.now(), count if isinstance(count, int) else 1)


def stations(house: House, actor: Actor, site: str) -> list[StationView]:
    require(house, actor, "station.manage", site)
    c = sites.counter
    with house.read() as tx:
        rows = tx.execute(
            sa.select(station, c.c.id.label("counter"))
            .join(c, c.c.station == station.c.id, isouter=True)
            .where(station.c.site == site)
            .order_by(station.c.label, station.c.id)
        ).all()
    return [
        StationView(
            r.id,
            r.site,
            r.label,
            r.counter,
            r.public_key is not None,
            r.revoked_at is not None,
            r.seen_at,
            r.reader_kind,
            r.reader_state,
        )
        for r in rows
    ]


def _put_at(work: Work, site: str, counter: str, station_id: str) -> None:
    c = sites.counter
    work.tx.execute(sa.update(c).where(c.c.station == station_id).values(station=None))
    moved = work.tx.execute(
        sa.update(c)
        .where(c.c.id == counter, c.c.site == site)
        .values(station=station_id, version=c.c.version + 1)
    ).rowcount
    if not moved:
        raise Refusal("counter_unknown")


def _known(house: House, station_id: str) -> sa.Row:
    with house.read() as tx:
        row = tx.execute(sa.select(station).where(station.c.id == station_id)).one_or_none()
    if row is None:
        raise Refusal("station_unknown")
    return row


def _new_code() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))


def _mac(house: House, code: str) -> str:
    return house.keys.search_mac("enrol", "".join(str(code).upper().split()).replace("-", ""))


__all__ = [
    "NewStation",
    "StationView",
    "ask_challenges",
    "create",
    "enrol",
    "heartbeat",
    "new_code",
    "put_at_counter",
    "revoke",
    "stations",
]
