"""A station's heartbeat: it is there, and its readers are so.

Once in 0.8 s from each station, so it does as little as it can: one look, one
signature, one row. Each beat answers a challenge that was made after the beat
before it: a beat somebody recorded cannot be sent again to make a dead reader
look alive.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from devices.interface import body_digest
from ost.services import challenges, door, reader_state
from ost.services.door import Entered, TurnedAway
from ost.services.work import House

_SKEW = timedelta(seconds=5)


def heartbeat(house: House, body: dict) -> list[str] | TurnedAway:
    """Keep how the readers are, and answer with challenges; the first is for the next beat.

    `body`: {"station", "challenge", "readers": [...], "want", "signature"}; a reader is {"name", "kind",
    "simulated", "state", "trouble", "gives", "modality", "dpi", "maker", "model", "serial", "firmware", "liveness"}.
    """
    said = {k: v for k, v in body.items() if k != "signature"}
    entered = door.enter(
        house,
        said.get("station", ""),
        "heartbeat",
        str(said.get("challenge", "")),
        body_digest(said),
        body.get("signature", ""),
    )
    if isinstance(entered, TurnedAway):
        return entered
    now = house.now()
    readers = said["readers"]
    if not entered.fresh or _said_before(entered, now):
        return door.turn_away(house, "challenge_stale", entered.id, entered.site, what="heartbeat")
    if not house.demo and any(one["simulated"] for one in readers):
        return door.turn_away(house, "simulated_reader_refused", entered.id, entered.site, what="heartbeat")
    whole = len({one["name"] for one in readers}) == len(readers) <= reader_state.MOST_AT_ONCE
    if not whole or not reader_state.keep(house, entered, readers):
        return door.turn_away(house, "readers_too_many", entered.id, entered.site, what="heartbeat")
    return challenges.issue(house.keys, entered.id, now, said.get("want") or 1)


def _said_before(entered: Entered, now: datetime) -> bool:
    """Whether the challenge is older than the last beat. Not asked after the clock was set back."""
    last = entered.seen_at
    if last is None or last > now + _SKEW:
        return False
    return entered.challenge.issued_at_ms < int(last.timestamp() * 1000)
