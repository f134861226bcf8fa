"""What a log or a row says, without what may hold any digits by chance: times, ids, digests, sealed bytes.

Four digits stand in sixteen random hex digits once in some thousands; a test that looks for them there fails once in
some hundreds of runs and says that somebody was told on.
"""

from __future__ import annotations

import json
import re

#: What each of these looks like when it is what it should be: random or a clock's, and nobody's.
BY_CHANCE = {
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"),
    "request_id": re.compile(r"([0-9a-f]{16})?"),
    "ms": re.compile(r"\d{1,6}"),
}


def said_by_log(written: str) -> str:
    """Every line of a JSON log without the values of BY_CHANCE, each of which is checked to be no more than that.

    A line that is not JSON, or a value of another shape, is an error.
    """
    lines = []
    for line in written.splitlines():
        fields = json.loads(line)
        for name, shape in BY_CHANCE.items():
            if name in fields:
                value = fields.pop(name)
                assert shape.fullmatch(str(value)), f"{name} is {value!r}"
        lines.append(json.dumps(fields, ensure_ascii=False))
    return "\n".join(lines)


_ROW_BY_CHANCE = re.compile(
    r"datetime\.datetime\([^)]*\)"  # an instant, as `repr` writes it
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+(Z|\+00:00)?"
    r"|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # an id
    r"|\b(?=[0-9a-f]*[a-f])[0-9a-f]{16,}\b"  # a digest or a MAC
    r"|b'(\\.|[^'\\])*'|b\"(\\.|[^\"\\])*\""  # sealed, as `repr` writes it
    r"|\$argon2id\$[^'\"]+"
)


def said_by_rows(written: str) -> str:
    """`repr` of rows without the instants, ids, digests, hashes and sealed bytes in them; everything else is there."""
    return _ROW_BY_CHANCE.sub("…", written)
