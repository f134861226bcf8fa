"""Policy packs: dated values with unit, enforcement, source and status, resolved and immutable.

Takes parsed packs (the TOML is read in `ost.policies`) and gives typed values.
It does not decide; `dosing` and `missed_doses` do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from ost.rules.policy_keys import BOOL, INT, KEYS, LIST, STEPS

ENFORCEMENTS = ("note", "reason", "signoff", "stop")  # from loosest to strictest
STATUSES = ("law", "guideline", "weak", "open")
NEEDS_APPROVAL = ("weak", "open")


class PolicyError(ValueError):
    """A pack that cannot be used. Guards that break stay shut: nothing is decided without a policy."""


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def freeze(value: Any) -> Any:
    """Lists to tuples and tables to read-only mappings, all the way down."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: freeze(value[key]) for key in sorted(value)})
    if isinstance(value, tuple | list):
        return tuple(freeze(item) for item in value)
    return value


def _canonical(data: Any) -> str:
    return json.dumps(_plain(data), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Value:
    """One value in force from `effective_from` to `effective_to`, both included; None = without end."""

    key: str
    value: Any
    unit: str
    enforcement: str  # one of ENFORCEMENTS
    override_by: tuple[str, ...]  # roles whose sign-off lifts it
    source: str
    status: str  # one of STATUSES
    effective_from: date | None = None
    effective_to: date | None = None
    #: What an approval binds: everything above, so that a changed source needs a new approval too.
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", freeze(self.value))
        object.__setattr__(self, "digest", _sha256(self.text))

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def text(self) -> str:
        """One canonical line."""
        names = [n for n in self.__slots__ if n != "digest"]
        return _canonical({name: getattr(self, name) for name in names})

    def in_force(self, on: date) -> bool:
        return (self.effective_from is None or self.effective_from <= on) and (
            self.effective_to is None or on <= self.effective_to
        )

    def overlaps(self, other: Value) -> bool:
        return (self.effective_from or date.min) <= (other.effective_to or date.max) and (
            other.effective_from or date.min
        ) <= (self.effective_to or date.max)

    @property
    def needs_approval(self) -> bool:
        """Weak and open values are shown as "needs local approval" until a named clinician approves the digest."""
        return self.status in NEEDS_APPROVAL


@dataclass(frozen=True)
class Policy:
    """A resolved pack. Equal text, equal digest, equal decisions."""

    name: str
    values: tuple[Value, ...]  # by key, then by date
    text: str = field(init=False)
    digest: str = field(init=False)
    _by_key: Mapping[str, tuple[Value, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.values, key=lambda v: (v.key, v.effective_from or date.min)))
        rows: dict[str, list[Value]] = {}
        for value in ordered:
            rows.setdefault(value.key, []).append(value)
        text = "\n".join([f"policy {self.name}", *(value.text for value in ordered)]) + "\n"
        object.__setattr__(self, "values", ordered)
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "digest", _sha256(text))
        object.__setattr__(self, "_by_key", MappingProxyType({k: tuple(v) for k, v in rows.items()}))

    def __hash__(self) -> int:
        return hash(self.digest)

    def value(self, key: str, on: date | None = None) -> Value:
        """The value in force on dosing day `on`; without a day only for keys that are not dated."""
        if key not in KEYS:
            raise PolicyError(f"undeclared policy key {key!r}")
        if on is None and KEYS[key].dated:
            raise PolicyError(f"{key!r} is dated: ask for a day")
        for value in self._by_key.get(key, ()):
            if on is None or value.in_force(on):
                return value
        raise PolicyError(f"policy {self.name!r} has no {key!r} on {on}")

    def _typed(self, key: str, kind: str, on: date | None) -> Any:
        value = self.value(key, on)
        if KEYS[key].type != kind:
            raise PolicyError(f"{key!r} is {KEYS[key].type}, not {kind}")
        return value.value

    def int(self, key: str, on: date | None = None) -> int:
        return self._typed(key, INT, on)

    def bool(self, key: str, on: date | None = None) -> bool:
        return self._typed(key, BOOL, on)

    def list(self, key: str, on: date | None = None) -> tuple[str, ...]:
        return self._typed(key, LIST, on)

    def steps(self, key: str, on: date | None = None) -> tuple[Mapping[str, Any], ...]:
        """Rows of a missed-days table, by `from_days`."""
        return self._typed(key, STEPS, on)

    def unapproved(self, on: date, approved: frozenset[str] = frozenset()) -> tuple[Value, ...]:
        """Values in force that still need local approval."""
        return tuple(
            v for v in self.values if v.in_force(on) and v.needs_approval and v.digest not in approved
        )


@dataclass(frozen=True, slots=True)
class Difference:
    key: str
    before: tuple[Value, ...]
    after: tuple[Value, ...]


def diff(a: Policy, b: Policy) -> tuple[Difference, ...]:
    """Keys whose values, dates, sources or marks differ, by key."""
    rows = [
        Difference(key, a._by_key.get(key, ()), b._by_key.get(key, ()))
        for key in sorted(a._by_key.keys() | b._by_key.keys())
    ]
    return tuple(row for row in rows if row.before != row.after)


def value_of(key: str, row: Mapping[str, Any]) -> Value:
    return Value(
        key=key,
        value=row["value"],
        unit=row["unit"],
        enforcement=row["enforcement"],
        override_by=tuple(row.get("override_by", ())),
        source=row["source"],
        status=row["status"],
        effective_from=row.get("effective_from"),
        effective_to=row.get("effective_to"),
    )


def rows_of(pack: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(key, row) of a parsed pack: `[values.key]` is one row, `[[values.key]]` several by date."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for key, row in pack.get("values", {}).items():
        rows += [(key, r) for r in ([row] if isinstance(row, Mapping) else row)]
    return rows
