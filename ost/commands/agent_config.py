"""What `ost agent` serves: from its options, or from a TOML file for several readers and counters.

    server = "https://ost.example"

    [[station]]
    key = "counter-1.json"          # beside this file, unless the path is whole

    [[station.reader]]
    name = "window"
    kind = "zfm"
    options = { port = "/dev/ttyUSB0" }

Unknown words are refused: a misspelt option must not be lost in silence.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from devices import KINDS
from devices.agent import MOST_READERS
from devices.agent_crew import MOST_STATIONS

_LARGEST_BYTES = 262_144
_NAME = 40


class BadConfig(Exception):
    """The text says which line of thought is wrong and what is expected."""


@dataclass(frozen=True, slots=True)
class ReaderPlan:
    name: str
    kind: str
    options: dict = field(default_factory=dict, repr=False)  # may hold a password


@dataclass(frozen=True, slots=True)
class StationPlan:
    key: Path
    readers: tuple[ReaderPlan, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`name`: of the status file."""

    name: str
    server: str
    stations: tuple[StationPlan, ...]


def read(path: Path) -> Plan:
    """Raises BadConfig."""
    try:
        with path.open("rb") as file:
            found = tomllib.loads(file.read(_LARGEST_BYTES).decode())
    except OSError as error:
        raise BadConfig(f"{path.name} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path.name} is no TOML: {error}") from None
    _only(found, {"server", "station"}, path.name)
    stations = _list(found.get("station"), MOST_STATIONS, "[[station]]")
    plans = tuple(_station(one, path.parent) for one in stations)
    if len({plan.key for plan in plans}) != len(plans):
        raise BadConfig("each [[station]] has a key file of its own")
    return Plan(path.stem, _text(found.get("server"), "server"), plans)


def _station(found: dict, beside: Path) -> StationPlan:
    _only(found, {"key", "reader"}, "[[station]]")
    readers = tuple(_reader(one) for one in _list(found.get("reader"), MOST_READERS, "[[station.reader]]"))
    if len({reader.name for reader in readers}) != len(readers):
        raise BadConfig("each [[station.reader]] of a station has a name of its own")
    return StationPlan(beside / _text(found.get("key"), "key"), readers)


def _reader(found: dict) -> ReaderPlan:
    _only(found, {"name", "kind", "options"}, "[[station.reader]]")
    name = _text(found.get("name"), "name")
    if len(name) > _NAME or not name.isascii() or not name.isprintable():
        raise BadConfig(f"a reader's name has 1 to {_NAME} plain letters, digits and signs")
    kind = found.get("kind")
    if kind not in KINDS:
        raise BadConfig(f"the kind of {name} is one of {', '.join(KINDS)}")
    options = found.get("options", {})
    if not isinstance(options, dict):
        raise BadConfig(f"the options of {name} are written {{ name = value }}")
    return ReaderPlan(name, kind, options)


def _only(found: object, words: set[str], where: str) -> None:
    if not isinstance(found, dict):
        raise BadConfig(f"{where} is a table")
    if unknown := set(found) - words:
        raise BadConfig(f"{where} does not know {', '.join(sorted(unknown))}; it knows {', '.join(sorted(words))}")


def _list(found: object, most: int, what: str) -> list[dict]:
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        raise BadConfig(f"{what} stands there 1 to {most} times")
    return found


def _text(found: object, what: str) -> str:
    if not isinstance(found, str) or not found.strip():
        raise BadConfig(f'{what} is missing: {what} = "..."')
    return found.strip()
