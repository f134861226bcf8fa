"""The bare database's rate for the statements of a dose, measured with pgbench.

The statements are not written by hand: they are recorded while real doses run,
with their values, and pgbench sends the same text in the same transactions to
a copy of the same database. So a check that is dropped from the program drops
out of both sides of the ratio.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
from sqlalchemy import event

from ost.bench.cluster import ThrowawayPostgres
from ost.db import Database

#: The lock at which the clients wait for each other.
_GATE = 1910
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
    """Doses per second of pgbench. `by_client`: for each client its doses, each a list of statements.

    Each client is a pgbench with a script of its own, because the time it takes to read a script grows with the
    square of its length. All wait at one lock until the last has read and connected, and the clock runs from
    there to the end of the slowest.
    """
    running: list[subprocess.Popen] = []
    with server.connect(database) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", [_GATE])
        try:
            for number, doses in enumerate(by_client):
                script = folder / f"replay-{number}.sql"
                lines = [f"SELECT pg_advisory_lock_shared({_GATE})", *(each for one in doses for each in one)]
                script.write_text("".join(f"{line};\n" for line in lines), encoding="utf-8")
                running.append(_pgbench(server, database, script))
            _wait_for_all(gate, running)
            started = time.perf_counter()
            gate.execute("SELECT pg_advisory_unlock(%s)", [_GATE])
            said = [one.communicate() for one in running]
            seconds = time.perf_counter() - started
        finally:
            for one in running:
                if one.poll() is None:
                    one.kill()
                    one.communicate()
    for one, (out, error) in zip(running, said, strict=True):
        if one.returncode or "number of failed transactions: 0 " not in out:
            raise RuntimeError(f"pgbench did not finish its transactions:\n{out}\n{error}")
    return sum(len(doses) for doses in by_client) / seconds


def _pgbench(server: ThrowawayPostgres, database: str, script: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [
            str(server.binaries / "pgbench"),
            *("-h", str(server.folder), "-U", server.user, "-n", "-t", "1", "-c", "1", "-j", "1"),
            *("-f", str(script), database),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_all(gate: psycopg.Connection, running: list[subprocess.Popen]) -> None:
    """Until every client stands at the lock. Raises RuntimeError where one has ended instead."""
    while True:
        waiting = gate.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted",
            [_GATE],
        ).fetchone()[0]
        if waiting == len(running):
            return
        for one in running:
            if one.poll() is not None:
                raise RuntimeError("pgbench ended before it began:\n" + "\n".join(one.communicate()))
        time.sleep(0.05)
