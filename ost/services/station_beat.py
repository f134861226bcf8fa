"""A station's heartbeat: it is there, and its readers are so.

Almost once a second from each station, so it does as little as it can: one look,
one signature, one row, and the readers only when they changed. Each beat answers
a challenge that was made after the beat before it: a beat somebody recorded
cannot be sent again to make a dead reader look alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.interface import body_digest
from ost.services import challenges, door, reader_state
from ost.services.door import Entered, TurnedAway
from ost.services.work import House

_SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Heard:
    """`challenges`: fresh ones, the first for the next beat. `tell`: the next beat shall say the readers."""

    challenges: list[str]
    tell: bool = False


def heartbeat(house: House, body: dict) -> Heard | TurnedAway:
    """Keep that the station is there, and how its readers are.

    `body`: {"station", "challenge", "said": readers_digest of the readers, "readers": [...] unless the server
    knows them, "want", "signature"}; a reader is {"name", "kind", "simulated", "state", "trouble", "gives",
    "modality", "dpi", "maker", "model", "serial", "firmware", "liveness"}.
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
    # One time for the row and for the challenges: those are never older than this beat.
    now = house.now()
    readers = said.get("readers")
    if not entered.fresh or _said_before(entered, now):
        return door.turn_away(house, "challenge_stale", entered.id, entered.site, what="heartbeat")
    want = said.get("want") or 1
    if readers is None:
        reader_state.still_there(house, entered, now)
        return Heard(
            challenges.issue(house.keys, entered.id, now, want),
            tell=not reader_state.known(entered, str(said.get("said")), now),
        )
    if not house.demo and any(one["simulated"] for one in readers):
        return door.turn_away(house, "simulated_reader_refused", entered.id, entered.site, what="heartbeat")
    whole = len({one["name"] for one in readers}) == len(readers) <= reader_state.MOST_AT_ONCE
    if not whole or not reader_state.keep(house, entered, readers, now):
        return door.turn_away(house, "readers_too_many", entered.id, entered.site, what="heartbeat")
    return Heard(challenges.issue(house.keys, entered.id, now, want))


def _said_before(entered: Entered, now: datetime) -> bool:
    """Whether the challenge is older than the last beat. Not asked after the clock was set back."""
    last = entered.seen_at
    if last is None or last > now + _SKEW:
        return False
    return entered.challenge.issued_at_ms < int(last.timestamp() * 1000)
