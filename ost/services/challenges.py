"""Challenges for stations: the server's MAC over station, time and nonce.

Nothing is stored until one is used; then its nonce is the unique key of the
capture. Good for a minute by the server's own clock.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from ost import canonical
from ost.keys import KeyRing

GOOD_FOR_S = 60
MOST_AT_ONCE = 4
#: Two serving processes on two machines may differ by this much.
_SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Challenge:
    nonce: str
    issued_at_ms: int

    def fresh(self, now: datetime, good_for_s: int = GOOD_FOR_S) -> bool:
        age = timedelta(milliseconds=int(now.timestamp() * 1000) - self.issued_at_ms)
        return -_SKEW <= age <= timedelta(seconds=good_for_s)


def issue(keys: KeyRing, station: str, now: datetime, count: int = 1) -> list[str]:
    """Fresh challenges for one station, at most MOST_AT_ONCE."""
    at = int(now.timestamp() * 1000)
    made = []
    for _ in range(max(1, min(count, MOST_AT_ONCE))):
        nonce = secrets.token_hex(16)
        made.append(f"{at:x}.{nonce}.{_mac(keys, station, at, nonce)}")
    return made


def check(keys: KeyRing, station: str, text: str) -> Challenge | None:
    """The challenge, if this server made it for this station; how old it is, is another question."""
    parts = text.split(".") if isinstance(text, str) and len(text) <= 200 and text.isascii() else ()
    if len(parts) != 3 or len(parts[1]) != 32:
        return None
    try:
        at = int(parts[0], 16)
    except ValueError:
        return None
    if not hmac.compare_digest(parts[2], _mac(keys, station, at, parts[1])):
        return None
    return Challenge(parts[1], at)


def _mac(keys: KeyRing, station: str, at: int, nonce: str) -> str:
    return keys.challenge_mac(canonical.text({"station": station, "at": at, "nonce": nonce}))
