"""What a channel promises: one text to one address, and which of three endings it had. Knows nothing of patients."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`key`: a UUID, the same for every try of this message, so that a far end that knows keys takes it once."""

    key: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    language: str  # BCP 47
    at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly not. `error`: a code; `permanent`: this address will not do; `retry_after_s`: what the far end asks."""

    error: str
    permanent: bool = False
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It went out and no answer came that says what became of it."""

    error: str


Ending = Sent | NotSent | Unknown


class Channel(Protocol):
    """`name`: as in a message's tries. `serves`: which kinds of address: "sms", "email", "line".

    `knows_keys`: the far end takes a message with the same key once, so that an unknown ending may be tried again.
    `send` raises nothing that a network or a far end can cause.
    """

    name: str
    serves: tuple[str, ...]
    knows_keys: bool

    def send(self, message: Outgoing) -> Ending: ...


class BadChannel(Exception):  # noqa: N818 - says what is wrong with the settings
    """A channel is set that cannot work; the text says what to do."""
