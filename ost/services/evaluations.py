"""Evaluations of devices as people at a desk see them: who made one is in the audit chain, and so is who took one away.

The documents name nobody and are no patient's record; they lie in the home folder, signed (devices.evaluate).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from devices.evaluate import Kept, Store, StoreBroken
from devices.evaluate.store import canonical
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.station import station
from ost.services.access import require
from ost.services.work import Actor, House

EVALUATE = "device.evaluate"


@dataclass(frozen=True, slots=True)
class StationHere:
    """A counter of the site with an enrolled station; `kind` and `state` of its reader as last heard."""

    counter: str
    label: str
    station: str
    kind: str | None
    state: str | None


def kept(store: Store) -> tuple[list[Kept], list[str]]:
    """(all that are whole, newest first; ids of those that were altered)."""
    try:
        return store.inspect()
    except StoreBroken as error:
        raise Refusal(error.code) from error


def one(store: Store, evaluation: str) -> Kept:
    try:
        return store.read(evaluation)
    except KeyError:
        raise Refusal("evaluation_unknown") from None
    except StoreBroken as error:
        raise Refusal(error.code) from error


def record(house: House, actor: Actor, site: str, made: Kept) -> None:
    """An evaluation was made: its id and the digest of what was signed."""
    with house.work(actor, site, "evaluation.made") as work:
        work.payload = {
            "evaluation": made.id,
            "digest": hashlib.sha256(canonical(made.document)).hexdigest(),
            "simulated": made.document["device"]["simulated"],
        }


def forget(house: House, actor: Actor, site: str, store: Store, evaluation: str) -> None:
    """Delete what an evaluation keeps of fingers; its report stays. One made at a site is that site's to forget."""
    require(house, actor, EVALUATE, site)
    require(house, actor, EVALUATE, one(store, evaluation).document.get("site") or site)
    with house.work(actor, site, "evaluation.minutiae_forgotten") as work:
        work.payload = {"evaluation": evaluation}
    store.forget(evaluation)


def stations_here(house: House, site: str) -> list[StationHere]:
    c, s = sites.counter, station
    with house.read() as tx:
        rows = tx.execute(
            sa.select(c.c.id, c.c.label, c.c.station, s.c.reader_kind, s.c.reader_state)
            .join(s, s.c.id == c.c.station)
            .where(c.c.site == site, s.c.public_key.is_not(None), s.c.revoked_at.is_(None))
            .order_by(c.c.label)
        ).all()
    return [StationHere(row.id, row.label, row.station, row.reader_kind, row.reader_state) for row in rows]


def station_of(house: House, site: str, counter: str) -> StationHere:
    found = next((each for each in stations_here(house, site) if each.counter == counter), None)
    if found is None:
        raise Refusal("counter_without_reader")
    return found
