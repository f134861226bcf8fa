"""What a log in JSON says, without what may hold any digits by chance: the time, the number of a request, how long it took."""

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

    A short secret ("0912", a PIN) can stand in sixteen random hex digits; looked for in there, it would be found in
    one run of some hundreds. A line that is not JSON, or a value of another shape, is an error.
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
