"""The stations' door: is this a station of ours, and did it say this, just now?

Nothing is believed before the signature is checked. Each refusal has a name and
is kept in the audit chain. The same refusal of the same station again and again
is kept ever more rarely, with the number of those in between, so that neither a
flood nor a forgotten station fills a chain; each one is in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from devices.interface import signed_bytes
from ost import policies
from ost.log import log
from ost.models import site as sites
from ost.models.station import station
from ost.services import challenges
from ost.services.work import Actor, House

#: The same refusal again: kept after this long at the earliest, then after twice as long, up to an hour.
_AGAIN, _AGAIN_AT_MOST = timedelta(seconds=10), timedelta(hours=1)

_STATION = (
    sa.select(station, sites.site.c.tz, sites.site.c.policy)
    .join(sites.site, sites.site.c.id == station.c.site)
    .where(station.c.id == sa.bindparam("id"))
)


@dataclass(frozen=True, slots=True)
class Entered:
    """A station that proved itself, and the challenge it answered (None where none was asked)."""

    id: str
    site: str
    tz: str
    policy: str
    challenge: challenges.Challenge | None
    fresh: bool
    seen_at: datetime | None = None
    readers: str | None = None  # what its last heartbeat said of its readers, in short (ost.services.reader_state)

    @property
    def actor(self) -> Actor:
        return Actor(f"station:{self.id}")


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Why not: a code of the catalogue. Already recorded."""

    code: str


def enter(
    house: House, station_id: str, purpose: str, challenge: str | None, digest: str, signature: str
) -> Entered | TurnedAway:
    """Check station, signature and challenge, in this order. `challenge` None: the purpose needs none."""
    with house.read() as tx:
        row = tx.execute(_STATION, {"id": str(station_id)[:64]}).one_or_none()
    if row is None or row.public_key is None:
        return turn_away(house, "station_unknown", None, None)
    if row.revoked_at is not None:
        return turn_away(house, "station_revoked", row.id, row.site)
    if not signed(row.public_key, signed_bytes(purpose, row.id, challenge or "", digest), signature):
        return turn_away(house, "signature_wrong", row.id, row.site)
    if challenge is None:
        return Entered(row.id, row.site, row.tz, row.policy, None, True, row.seen_at, row.reader_detail)
    known = challenges.check(house.keys, row.id, challenge)
    if known is None:
        return turn_away(house, "challenge_wrong", row.id, row.site)
    good_for_s = policies.policy(row.policy).int("capture_challenge_s")
    fresh = known.fresh(house.now(), good_for_s)
    return Entered(row.id, row.site, row.tz, row.policy, known, fresh, row.seen_at, row.reader_detail)


def signed(public_key: str, message: bytes, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
            bytes.fromhex(signature), message
        )
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def turn_away(house: House, code: str, station_id: str | None, site: str | None, **facts) -> TurnedAway:
    """Record a refusal: which station and why, nothing of what it sent."""
    log.warning("station_turned_away", code=code, station=station_id)
    unkept = _due(house, code, station_id)
    if unkept is not None:
        actor = Actor(f"station:{station_id or 'unknown'}")
        with house.work(actor, site, "station.turned_away") as work:
            work.payload = {"code": code, "station": station_id, **facts}
            if unkept:
                work.payload["not_kept_before"] = unkept
    return TurnedAway(code)


def _due(house: House, code: str, station_id: str | None) -> int | None:
    """How many like it were not kept since the last one that was; None: this one is not kept either."""
    key = ("turned_away", code, station_id)
    now = house.now()
    last, wait, unkept = house.memo.get(key, (None, _AGAIN, 0))
    if last is not None and timedelta(0) <= now - last < wait:
        house.memo[key] = (last, wait, unkept + 1)
        return None
    calm = last is None or not timedelta(0) <= now - last < 2 * wait
    house.memo[key] = (now, _AGAIN if calm else min(2 * wait, _AGAIN_AT_MOST), 0)
    return unkept
