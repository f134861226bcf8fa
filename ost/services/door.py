"""The stations' door: is this a station of ours, and did it say this, just now?

Nothing is believed before the signature is checked. Each refusal has a name and
is kept in the audit chain; what anybody on the network can provoke without a
key is kept once in ten seconds, so that a flood fills no chain.
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

_KEPT_ONCE_IN = timedelta(seconds=10)
_KEYLESS = ("station_unknown", "station_revoked", "signature_wrong", "challenge_wrong", "enrol_code_wrong")

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
        return Entered(row.id, row.site, row.tz, row.policy, None, True)
    known = challenges.check(house.keys, row.id, challenge)
    if known is None:
        return turn_away(house, "challenge_wrong", row.id, row.site)
    good_for_s = policies.policy(row.policy).int("capture_challenge_s")
    return Entered(row.id, row.site, row.tz, row.policy, known, known.fresh(house.now(), good_for_s))


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
    if _keep(house, code, station_id):
        actor = Actor(f"station:{station_id or 'unknown'}")
        with house.work(actor, site, "station.turned_away") as work:
            work.payload = {"code": code, "station": station_id, **facts}
    return TurnedAway(code)


def _keep(house: House, code: str, station_id: str | None) -> bool:
    if code not in _KEYLESS:
        return True
    key = ("turned_away", code, station_id)
    last: datetime | None = house.memo.get(key)
    now = house.now()
    if last is not None and timedelta(0) <= now - last < _KEPT_ONCE_IN:
        return False
    house.memo[key] = now
    return True
