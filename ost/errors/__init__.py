"""Every code a person can meet: what happened, why, and what to do now.

The catalogue is split by subject; each part is a dict of `Message`. Texts are
English msgids with `%(name)s` placeholders, translated when shown, never here.
A test keeps it complete: each code raised exists here, in every language, and
appears on a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module


def N_(text: str) -> str:
    """Mark a text for translation; it is translated when shown."""
    return text


@dataclass(frozen=True, slots=True)
class Message:
    """`title`: what happened. `detail`: why. `action`: what to do now. `status`: HTTP."""

    title: str
    detail: str
    action: str
    status: int = 409


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A service says no. Carries a code of the catalogue and placeholders.

    Raised only where nothing had to be recorded; what must be kept (a refused
    dose, a wrong PIN) is returned instead, so that it is not rolled back.
    `fields`: {field: [code or text]} for input errors.
    """

    def __init__(self, code: str, *, fields: Mapping | None = None, **data):
        super().__init__(code)
        self.code = code
        self.data = data
        self.fields = dict(fields or {})


@dataclass(frozen=True, slots=True)
class Catalogue:
    messages: dict[str, Message] = field(default_factory=dict)

    def add(self, part: Mapping[str, Message]) -> None:
        twice = self.messages.keys() & part.keys()
        if twice:
            raise ValueError(f"codes defined twice: {sorted(twice)}")
        self.messages.update(part)

    def __getitem__(self, code: str) -> Message:
        return self.messages[code]

    def __contains__(self, code: str) -> bool:
        return code in self.messages

    def __iter__(self):
        return iter(self.messages)


#: One part per subject: a file beside this one with MESSAGES. Add yours here.
PARTS = (
    "general",
    "access",
    "clinical",
    "dosing",
    "biometrics",
    "readers",
    "people",
    "stock",
    "counter",
    "enrolling",
    "devices",
    "identity",
    "evaluation",
    "lookup",
    "portal",
    "guest",
    "guest_pass",
    "guest_counter",
    "guest_desk",
    "messages",
    "closures",
    "fees",
)


def _load() -> Catalogue:
    catalogue = Catalogue()
    for part in PARTS:
        catalogue.add(import_module(f"ost.errors.{part}").MESSAGES)
    return catalogue


_catalogue: Catalogue | None = None


def catalogue() -> Catalogue:
    """The whole catalogue, built once."""
    global _catalogue
    if _catalogue is None:
        _catalogue = _load()
    return _catalogue
