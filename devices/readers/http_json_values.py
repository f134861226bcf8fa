"""What the fields of a service's JSON can hold: each value is read within bounds, or refused.

Knows nothing of the meaning of a field. No error carries what was read.
"""

from __future__ import annotations

import base64
import binascii
import json

from devices.interface import MAX_SAMPLE_BYTES
from devices.readers.http_line import GarbledAnswer
from devices.readers.pictures import Rejected


def object_of(raw: bytes) -> dict:
    """Raises GarbledAnswer for all that is no JSON object."""
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        raise GarbledAnswer("json") from None
    if not isinstance(said, dict):
        raise GarbledAnswer("object")
    return said


def text_of(value) -> str | None:
    """A short text or number as text, printable; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).strip() if not isinstance(value, int) or abs(value) < 10**12 else ""
    return text if 0 < len(text) <= 80 and text.isprintable() else None


def number_of(value) -> int | None:
    """A whole number, also written as text; None where there is none. Raises Rejected for what is no such number."""
    if value is None:
        return None
    text = text_of(value) or ""
    if not text.removesuffix(".0").isdecimal() or len(text) > 8:
        raise Rejected("number")
    return int(text.removesuffix(".0"))


def bytes_of(value) -> bytes | None:
    """The bytes of a base64 text, with or without "data:...;base64," before it. Raises GarbledAnswer."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_SAMPLE_BYTES * 4 // 3 + 100:
        raise GarbledAnswer("base64")
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise GarbledAnswer("base64") from None
