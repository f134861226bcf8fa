"""The bare database's rate for the statements of a dose, measured with pgbench.

The statements are not written by hand: they are recorded while real doses run,
with their values, and pgbench sends the same text in the same transactions to
a copy of the same database. So a check that is dropped from the program drops
out of both sides of the ratio.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import event

from ost.bench.cluster import ThrowawayPostgres
from ost.db import Database

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


@contextmanager
def recorded(database: Database) -> Iterator[list[str]]:
    """The SQL of everything `database` is asked inside, with BEGIN and COMMIT, values written in."""
    statements: list[str] = []
    engine = database.engine

    def execute(_connection, _cursor, statement, parameters, _context, executemany):
        for values in parameters if executemany else [parameters]:
            statements.append(_with_values(statement, values))

    hooks = {
        "before_cursor_execute": execute,
        "begin": lambda _c: statements.append("BEGIN"),
        "commit": lambda _c: statements.append("COMMIT"),
        "rollback": lambda _c: statements.append("ROLLBACK"),
    }
    for name, hook in hooks.items():
        event.listen(engine, name, hook)
    try:
        yield statements
    finally:
        for name, hook in hooks.items():
            event.remove(engine, name, hook)


def _with_values(statement: str, values: dict) -> str:
    text = _PLACEHOLDER.sub(lambda m: "%" if m[0] == "%%" else _literal(values[m[1]]), statement)
    return " ".join(text.split("\n"))


def _literal(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).isoformat()}'::timestamptz"
    if isinstance(value, date):
        return f"'{value.isoformat()}'::date"
    if isinstance(value, bytes | memoryview):
        return f"'\\x{bytes(value).hex()}'::bytea"
    # A colon would be a variable of pgbench; E'' writes it as a code.
    text = str(value).replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3A")
    return f"E'{text}'"


def replay(server: ThrowawayPostgres, database: str, by_client: list[list[list[str]]], folder: Path) -> float:
    """Doses per second of pgbench. `by_client`: for each client its doses, each a list of statements."""
    lines = []
    for number, doses in enumerate(by_client):
        lines.append(f"\\if :client_id = {number}")
        lines += [f"{statement};" for one in doses for statement in one]
        lines.append("\\endif")
    script = folder / "replay.sql"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o644)
    count = len(by_client)
    done = subprocess.run(
        [
            str(server.binaries / "pgbench"),
            *("-h", str(server.folder), "-U", server.user, "-n", "-t", "1"),
            *("-c", str(count), "-j", "1", "-f", str(script), database),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"tps = ([0-9.]+) \(without initial connection time\)", done.stdout)
    if not found or "number of failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench did not finish its transactions:\n{done.stdout}\n{done.stderr}")
    # One pgbench transaction is all doses of one client; all clients run side by side.
    return float(found[1]) * sum(len(doses) for doses in by_client) / count
