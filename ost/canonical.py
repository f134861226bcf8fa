"""One way to write a thing down, so that its digest means something.

Canonical JSON: sorted keys, no spaces, dates and instants as ISO text in UTC,
bytes as hex. The same row gives the same bytes on SQLite and PostgreSQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from operator import attrgetter


def plain(value):
    """`value` as JSON types; frozen dataclasses become dicts."""
    kind = type(value)
    if kind in _AS_IS:
        return value
    how = _HOW.get(kind)
    if how is None:
        how = _HOW[kind] = _way(kind)
    return how(value)


def _instant(value: datetime) -> str:
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")[:-6] + "Z"


def _mapping(value: Mapping) -> dict:
    return {str(k): v if type(v) in _AS_IS else plain(v) for k, v in value.items()}


def _fields(kind: type) -> Callable:
    names = tuple(f.name for f in fields(kind))
    if len(names) < 2:
        return lambda value: {n: plain(getattr(value, n)) for n in names}
    values_of = attrgetter(*names)
    return lambda value: {
        n: v if type(v) in _AS_IS else plain(v) for n, v in zip(names, values_of(value), strict=True)
    }


def _way(kind: type):
    """How values of this type are written. Looked up once per type: every row of a dose passes here."""
    if issubclass(kind, str | int):
        return lambda value: value
    if issubclass(kind, datetime):
        return _instant
    if issubclass(kind, date):
        return date.isoformat
    if issubclass(kind, bytes | memoryview):
        return lambda value: bytes(value).hex()
    if is_dataclass(kind):
        return _fields(kind)
    if issubclass(kind, Mapping):
        return _mapping
    if issubclass(kind, list | tuple):
        return lambda value: [plain(v) for v in value]
    if issubclass(kind, frozenset | set):
        return lambda value: sorted(plain(v) for v in value)
    raise TypeError(f"{kind.__name__} has no canonical form")


_AS_IS = frozenset((type(None), str, int, bool))
_HOW: dict[type, Callable] = {}

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=plain
).encode


def text(value) -> str:
    """Canonical JSON of `value`. A float is refused: no quantity is one."""
    return _encode(plain(value))


def digest(value) -> str:
    """SHA-256, hex, of the canonical JSON of `value`."""
    return digest_of_text(text(value))


def digest_of_text(canonical_text: str) -> str:
    """SHA-256, hex, of text that is canonical already."""
    return hashlib.sha256(canonical_text.encode()).hexdigest()
