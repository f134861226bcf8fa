"""Logs that cannot tell on anybody.

Only fields of a short list come out as they are; every other field is
blotted, and free text is combed for what looks like a token, a national ID, a
telephone number, an address or a name. A code of the catalogue may look like
a token and is none. Of an error only its kind and the places in the code are
written, never its message: messages quote data.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping

import structlog

from ost.errors import catalogue

BLOT = "[blotted]"

#: Fields with values from closed lists or numbers. Add one only if no person can be read from it.
PLAIN_FIELDS = frozenset(
    {
        "code", "count", "endpoint", "error", "event", "kind", "level", "logger", "method", "ms", "number",
        "path_rule", "port", "processes", "request_id", "site", "station", "status", "threads", "timestamp",
        "version", "where", "job", "mode", "check", "ok",
    }
)  # fmt: skip

_SUSPECT = re.compile(
    "|".join(
        (
            r"[A-Za-z][A-Da-d0-9]\d{8}",  # national ID and resident numbers
            r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{18,}",  # an id of ours
            r"[A-Za-z0-9_\-+/=]{24,}",  # tokens, digests, keys, templates
            r"\+?\d[\d \-()]{6,}\d",  # telephone numbers, and any long number
            r"[^\s@]+@[^\s@]+\.[a-z]+",  # mail addresses
            r"\b\d{1,3}(?:\.\d{1,3}){3}\b",  # network addresses
            r"[\u3400-\u9fff\uf900-\ufaff○]+",  # names; our own texts are English here
            r"(?i:bearer|password|pin|totp|token|secret|cookie)\W+\S+",
        )
    )
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("ost")


def comb(text: str) -> str:
    """`text` without anything that looks like a person, an id or a secret; a code of the catalogue is none."""
    return _SUSPECT.sub(lambda found: found[0] if found[0] in catalogue() else BLOT, text)


def comb_rule(rule: str) -> str:
    """`comb` for the rule of a route, part by part: whole, a longer one looks like a token."""
    return "/".join(comb(part) for part in rule.split("/"))


def places(error: BaseException) -> str:
    """Kind of an error and where it came from: file, line, function; no message, no values."""
    lines = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{_short(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames[-8:]))
        lines.append(f"{type(error).__module__}.{type(error).__name__} at {where or '?'}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " | because ".join(lines[:4])


def _short(filename: str) -> str:
    return "/".join(filename.rsplit("/", 3)[1:])


def redact(_logger, _name, fields: MutableMapping) -> MutableMapping:
    """The processor. Runs before a line leaves our hands, and again before any line is written."""
    for name, value in list(fields.items()):
        if name.startswith("_"):
            continue
        if isinstance(value, BaseException):
            fields[name] = places(value)
        elif name == "exc_info":
            error = sys.exc_info()[1] if value is True else value[1] if isinstance(value, tuple) else value
            del fields[name]
            if isinstance(error, BaseException):
                fields["error"] = places(error)
        elif name in ("timestamp", "request_id"):
            continue  # ours, made by the processor and the gate
        elif name not in PLAIN_FIELDS:
            fields[name] = BLOT
        elif isinstance(value, str):
            fields[name] = comb_rule(value) if name == "path_rule" else comb(value)
        elif not isinstance(value, int | float | bool | type(None)):
            fields[name] = BLOT
    return fields


def _request(_logger, _name, fields: MutableMapping) -> MutableMapping:
    from flask import g, has_request_context

    if has_request_context():
        fields.setdefault("request_id", g.get("request_id", ""))
    return fields


def configure(level: str = "INFO", as_json: bool = False, stream=None) -> None:
    """One way out for our lines and the libraries': standard error, one line each."""
    shared = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _request,
    ]
    structlog.configure(
        processors=[*shared, redact, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, last],
        )
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if getattr(h, "ost", False)]:
        root.removeHandler(old)
    handler.ost = True
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("alembic").setLevel("WARNING")
