"""What is wrong with a policy pack. Says where; repairs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from ost.rules import policy_keys as k
from ost.rules.access import ROLES
from ost.rules.policy import ENFORCEMENTS, STATUSES, Policy, Value, rows_of, value_of
from ost.rules.policy_keys import KEYS, Key

PACK_FIELDS = {"name", "title", "extends", "values"}
ROW_FIELDS = {
    "value",
    "unit",
    "enforcement",
    "override_by",
    "source",
    "status",
    "effective_from",
    "effective_to",
}
STEP_FIELDS = {"from_days", "act", "enforcement", "cap_ug"}

#: From this many missed days on every guideline stops automatic dosing (DOMAIN.md section 4).
NO_AUTOMATIC_DOSE_FROM = 3


@dataclass(frozen=True, slots=True)
class Problem:
    pack: str
    key: str
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.key or self.pack}: {self.text} [{self.code}]"


def lint(pack: Mapping[str, Any], parent: Policy | None = None) -> list[Problem]:
    """Every problem of a parsed pack, in order of keys; `parent` is the resolved pack it extends."""
    name = str(pack.get("name", "?"))
    found: list[tuple[str, str, str]] = [*_pack_problems(pack, parent)]
    rows: dict[str, list[Value]] = {}
    for key, row in rows_of(pack):
        problems = list(_row_problems(key, row))
        found += [(key, *problem) for problem in problems]
        if not problems:
            rows.setdefault(key, []).append(value_of(key, row))
    for key, values in rows.items():
        found += [(key, *problem) for problem in _date_problems(key, values)]
        found += [(key, *problem) for problem in _law_problems(key, values, parent)]
    return [Problem(name, *problem) for problem in sorted(found)]


def _pack_problems(pack: Mapping[str, Any], parent: Policy | None) -> Iterator[tuple[str, str, str]]:
    for unknown in pack.keys() - PACK_FIELDS:
        yield "", "unknown_field", f"unknown field {unknown!r}"
    if not pack.get("name"):
        yield "", "missing_name", "the pack has no name"
    if not isinstance(pack.get("values"), Mapping):
        yield "", "missing_values", "the pack has no table of values"
        return
    if parent is not None and pack.get("extends") != parent.name:
        yield "", "wrong_parent", f"extends {pack.get('extends')!r}, compared with {parent.name!r}"
    if parent is None and not pack.get("extends"):
        for key in KEYS.keys() - pack["values"].keys():
            yield key, "missing_key", "a pack that extends none must hold every key"


def _row_problems(key: str, row: Any) -> Iterator[tuple[str, str]]:
    if key not in KEYS:
        yield "unknown_key", "no part of the program reads this key"
        return
    if not isinstance(row, Mapping):
        yield "not_a_table", "must be a table with value, unit, enforcement, source, status"
        return
    for unknown in row.keys() - ROW_FIELDS:
        yield "unknown_field", f"unknown field {unknown!r}"
    if not str(row.get("source", "")).strip():
        yield "missing_source", "a value without a source is a defect"
    if not row.get("unit"):
        yield "missing_unit", f"has no unit; the program reads {KEYS[key].unit!r}"
    elif row["unit"] != KEYS[key].unit:
        yield "wrong_unit", f"unit {row['unit']!r}; the program reads {KEYS[key].unit!r}"
    if row.get("enforcement") not in ENFORCEMENTS:
        yield "unknown_enforcement", f"enforcement {row.get('enforcement')!r} is none of {ENFORCEMENTS}"
    if row.get("status") not in STATUSES:
        yield "unknown_status", f"status {row.get('status')!r} is none of {STATUSES}"
    overriders = row.get("override_by", ())
    if not isinstance(overriders, list | tuple) or set(overriders) - ROLES.keys():
        yield "unknown_role", f"override_by {overriders!r} names a role that does not exist"
    elif row.get("enforcement") == "signoff" and not overriders:
        yield "nobody_can_sign_off", "asks for a sign-off and names nobody who may give it"
    for end in ("effective_from", "effective_to"):
        if end in row and type(row[end]) is not date:
            yield "wrong_date", f"{end} is not a date"
    if "value" not in row:
        yield "missing_value", "has no value"
    else:
        yield from _TYPE_CHECKS[KEYS[key].type](row["value"])


def _int_problems(value: Any) -> Iterator[tuple[str, str]]:
    # type(), not isinstance(): True is an int to Python, and a float is never a quantity here.
    if type(value) is not int or value < 0:
        yield "wrong_type", f"{value!r} is not a whole number of zero or more"


def _bool_problems(value: Any) -> Iterator[tuple[str, str]]:
    if type(value) is not bool:
        yield "wrong_type", f"{value!r} is neither true nor false"


def _list_problems(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
        yield "wrong_type", f"{value!r} is not a list of codes"
    elif len(set(value)) != len(value):
        yield "listed_twice", "a code is listed twice"


def _step_problems(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(r, Mapping) for r in value):
        yield "wrong_type", "is not a table of steps"
        return
    days = [row.get("from_days") for row in value]
    if not all(type(d) is int for d in days) or days != sorted(set(days)) or days[0] != 1:
        yield "steps_out_of_order", "from_days must begin at 1 and grow"
        return
    for row in value:
        act, enforcement, cap = row.get("act"), row.get("enforcement"), row.get("cap_ug")
        where = f"step from {row['from_days']} days"
        if row.keys() - STEP_FIELDS:
            yield "unknown_field", f"{where}: unknown field {sorted(row.keys() - STEP_FIELDS)}"
        if act not in k.ACTS:
            yield "unknown_act", f"{where}: act {act!r} is none of {k.ACTS}"
        if enforcement not in ENFORCEMENTS:
            yield "unknown_enforcement", f"{where}: enforcement {enforcement!r} is none of {ENFORCEMENTS}"
        if (act == k.HALF_CAPPED) != (type(cap) is int and cap > 0):
            yield "wrong_cap", f"{where}: half_capped, and only it, has a cap_ug"
        needs_person = act in (k.HALF, k.HALF_CAPPED, k.PRESCRIBER)
        if needs_person and enforcement not in ("signoff", "stop"):
            yield "step_not_safe", f"{where}: {act} needs a prescriber (signoff)"
        if act == k.NEW_INDUCTION and enforcement != "stop":
            yield "step_not_safe", f"{where}: new_induction is a stop"
        if row["from_days"] >= NO_AUTOMATIC_DOSE_FROM and act in (k.NO_CHANGE, k.NOTE):
            yield (
                "step_not_safe",
                f"{where}: no automatic dosing from {NO_AUTOMATIC_DOSE_FROM} missed days on",
            )
    if days[-1] < NO_AUTOMATIC_DOSE_FROM and value[-1].get("act") in (k.NO_CHANGE, k.NOTE):
        yield "step_not_safe", f"no automatic dosing from {NO_AUTOMATIC_DOSE_FROM} missed days on"


_TYPE_CHECKS: Mapping[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    k.INT: _int_problems,
    k.BOOL: _bool_problems,
    k.LIST: _list_problems,
    k.STEPS: _step_problems,
}


def _date_problems(key: str, values: list[Value]) -> Iterator[tuple[str, str]]:
    """A key has one value on every day: no day with two, no day with none."""
    dated = [v for v in values if v.effective_from or v.effective_to]
    if not KEYS[key].dated and (dated or len(values) > 1):
        yield "dated_setting", "is a setting of the program and has no dates"
        return
    if any(v.effective_from and v.effective_to and v.effective_to < v.effective_from for v in values):
        yield "ends_before_it_begins", "effective_to lies before effective_from"
        return
    rows = sorted(values, key=lambda v: v.effective_from or date.min)
    if rows[0].effective_from is not None or rows[-1].effective_to is not None:
        yield "gap_in_dates", "the first row must have no effective_from and the last no effective_to"
    for earlier, later in pairwise(rows):
        if earlier.overlaps(later):
            yield "overlapping_dates", f"two values on {later.effective_from or 'all days'}"
        elif earlier.effective_to and earlier.effective_to + timedelta(days=1) != later.effective_from:
            yield "gap_in_dates", f"no value from {earlier.effective_to} to {later.effective_from}"


def looser(key: Key, value: Value, than: Value) -> bool:
    """Whether `value` lets more happen than `than`, by size or by enforcement."""
    if ENFORCEMENTS.index(value.enforcement) < ENFORCEMENTS.index(than.enforcement):
        return True
    match key.stricter:
        case "lower":
            return value.value > than.value
        case "higher":
            return value.value < than.value
        case "true":
            return than.value and not value.value
        case "false":
            return value.value and not than.value
        case "fewer":
            return bool(set(value.value) - set(than.value))
    return False


def _law_problems(key: str, values: list[Value], parent: Policy | None) -> Iterator[tuple[str, str]]:
    """A law is a floor: no pack loosens one, and no "law" is a licence to loosen what it extends."""
    if parent is None:
        return
    for base in parent.values:
        for value in values:
            if base.key != key or not value.overlaps(base) or not looser(KEYS[key], value, base):
                continue
            if base.status == "law":
                yield "looser_than_law", f"looser than the law in {parent.name!r}: {base.source}"
            elif value.status == "law":
                yield "law_looser_than_base", f"marked law, and looser than {parent.name!r}: check the text"
