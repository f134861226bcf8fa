"""A route changes: another site for a day, or a day more, in one step. A new request beside the one in force.

The days it takes over leave the old permit when the new one is confirmed, in that
transaction: at once where rules allow, and nobody stands without a place meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from ost.errors import Refusal
from ost.services.guest.ask import Asked, Looked, NotAsked, Wanted, ask, look
from ost.services.work import Actor, House


def change(house: House, actor: Actor, replaces: str, wanted: Wanted) -> Asked | NotAsked:
    """`wanted.days` at `wanted.site`, instead of or beside those of request `replaces`. As `ask`."""
    return ask(house, actor, _of(replaces, wanted))


def look_at_change(house: House, actor: Actor, replaces: str, wanted: Wanted) -> Looked:
    """What a change would meet; nothing is written."""
    return look(house, actor, _of(replaces, wanted))


def _of(replaces: str, wanted: Wanted) -> Wanted:
    if replaces == wanted.request_id:
        raise Refusal("guest_id_used")
    return replace(wanted, replaces=replaces)
