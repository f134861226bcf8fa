"""`--option NAME=VALUE`: how a reader's options are typed, the same in every command that takes a reader."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)?\Z")
_WORDS = {"true": True, "yes": True, "false": False, "no": False, "none": None}
_LONGEST_NUMBER = 9
_LARGEST_FILE = 65_536


class BadOption(ValueError):
    """What was typed is no option; the text says which and why, and never repeats a value."""


def parse_options(pairs: Iterable[str]) -> dict:
    """{name: value} from "NAME=VALUE"s. Raises BadOption.

    Whole numbers become int, decimals float, true/false/yes/no bool, none None; a value in double
    quotes stays text, as does a number with leading zeros or more than nine digits (serial numbers,
    fingerprints of certificates). "NAME=@FILE": the file's first line as text, so that a password shows
    in no list of processes. "NAME.KEY=VALUE": one entry of an option that is a mapping.
    """
    options: dict = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not _NAME.match(name):
            raise BadOption("an option is written NAME=VALUE, as port=/dev/ttyUSB0")
        name, _, key = name.partition(".")
        within = options.setdefault(name, {}) if key else options
        if not isinstance(within, dict) or (key or name) in within:
            raise BadOption(f"the option {name} is given twice")
        within[key or name] = _value(name, text)
    return options


def typed_options(options: Mapping) -> str:
    """What to type in a shell so that `parse_options` gives these options again."""
    return " ".join(f"--option {shlex.quote(f'{name}={_typed(value)}')}" for name, value in options.items())


def _typed(value) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    alike = not isinstance(value, str) or (not text.startswith("@") and _value("", text) == text)
    return text if alike else f'"{text}"'


def _value(name: str, text: str):
    if text.startswith("@"):
        return _first_line(name, Path(text[1:]))
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if re.fullmatch(r"-?(0|[1-9]\d*)", text) and len(text) <= _LONGEST_NUMBER:
        return int(text)
    if re.fullmatch(r"-?(0|[1-9]\d*)\.\d+", text) and len(text) <= _LONGEST_NUMBER:
        return float(text)
    return text


def _first_line(name: str, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LARGEST_FILE).partition("\n")[0].strip()
    except (OSError, ValueError):
        raise BadOption(f"the file of the option {name} cannot be read") from None


def reader_options(command: Callable) -> Callable:
    """`--option NAME=VALUE`, any number of times; the command gets `options`, a dict."""

    def parsed(_ctx, _param, pairs: tuple[str, ...]) -> dict:
        try:
            return parse_options(pairs)
        except BadOption as error:
            raise click.BadParameter(str(error)) from None

    return click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        callback=parsed,
        help="An option of the reader.",
    )(command)
