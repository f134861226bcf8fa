"""One way to write a thing down, so that its digest means something.

Canonical JSON: sorted keys, no spaces, dates and instants as ISO text in UTC,
bytes as hex. The same row gives the same bytes on SQLite and PostgreSQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime


def plain(value):
    """`value` as JSON types; frozen dataclasses become dicts."""
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, frozenset | set):
        return sorted(plain(v) for v in value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


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
