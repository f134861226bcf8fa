"""Reading a request's JSON so that it can mean one thing only.

A name given twice, NaN, a number of four thousand digits, a NUL or half a
surrogate pair in a text: each is read differently by different programs, so
none of them is read here. What the fields mean is the schemas' business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from webargs.core import is_json, missing
from webargs.flaskparser import FlaskParser

from ost.errors import Refusal


class NotReadable(ValueError):
    """Well-formed perhaps, but with more than one meaning or with none."""


def read_json(data: bytes):
    """The value; json.JSONDecodeError for whatever is not one plain JSON text in UTF-8."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # UnicodeDecodeError, NotReadable, too many digits for int()
        raise json.JSONDecodeError(type(error).__name__, doc="-", pos=0) from error


def _once(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotReadable("a name twice in one object")
    return found


def _no_number(name: str):
    raise NotReadable(name)


def unstorable(value, where: str = "") -> Iterator[str]:
    """Paths of the texts no database keeps as they are: with a NUL, or with half a character."""
    if isinstance(value, str):
        if "\0" in value or not _encodes(value):
            yield where or "_"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from unstorable(name, where)
            yield from unstorable(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from unstorable(inner, f"{where}.{number}" if where else str(number))


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Parser(FlaskParser):
    """What every schema of the API is fed by."""

    def _raw_load_json(self, req):
        if not is_json(req.mimetype):
            return missing
        value = read_json(req.get_data(cache=True))
        wrong = sorted(set(unstorable(value)))
        if wrong:
            named = {name if _encodes(name) else "_": ["Not a valid string."] for name in wrong}
            raise Refusal("input_invalid", fields=named)
        return value
