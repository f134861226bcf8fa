"""`ost doctor`: every check before serving, and what to do about each that fails."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import sqlalchemy as sa
from rich.table import Table

from config.settings import Settings
from ost import channels, keys, startup
from ost.commands.shared import console, finish, json_option, read_settings
from ost.db import Database
from ost.services.work import House
from ost.startup import Finding

ROOT = Path(__file__).resolve().parents[2]
_BUILT = (
    ("style sheet", ROOT / "ost" / "static" / "build" / "main.css"),
    ("style sheet of the patients' pages", ROOT / "ost" / "static" / "build" / "me.css"),
    ("htmx", ROOT / "node_modules" / "htmx.org" / "dist" / "htmx.min.js"),
)


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check this machine and say what to do."""
    settings = read_settings()
    found = list(look(settings))
    table = Table(box=None, show_header=False, padding=(0, 1))
    for finding in found:
        mark = "[green]ok[/]" if finding.ok else "[red]no[/]"
        table.add_row(mark, finding.check, finding.text, finding.todo)
    console.print(table)
    passed = all(finding.ok for finding in found)
    checks = [{"check": f.check, "ok": f.ok, "text": f.text, "todo": f.todo} for f in found]
    finish({"passed": passed, "checks": checks}, as_json, passed=passed)


def look(settings: Settings) -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 11), sys.version.split()[0], "use Python 3.11 or newer")
    yield _folder(settings)
    yield _key_files(settings)
    for name, path in _BUILT:
        yield Finding(
            name,
            path.exists(),
            "built" if path.exists() else "missing",
            "" if path.exists() else "run make install",
        )
    for name, ok, text, todo in channels.described(settings):
        yield Finding(f"messages by {name}", ok, text, todo)
    try:
        keyring = keys.load(settings.keys)
    except keys.KeysMissing:
        return  # said above; nothing below can be asked without them
    database = Database(settings.database_url)
    try:
        house = House(database, keyring, policy_name=settings.policy, demo=settings.demo)
        yield from startup.findings(settings, house)
        if not database.is_sqlite:
            yield _server_version(database)
    finally:
        database.close()


def _folder(settings: Settings) -> Finding:
    if not settings.home.is_dir():
        return Finding("home", False, f"{settings.home} is not there", "run ost init")
    return Finding("home", True, str(settings.home))


def _key_files(settings: Settings) -> Finding:
    try:
        keys.load(settings.keys)
    except keys.KeysMissing as error:
        return Finding("key files", False, str(error), "run ost init, or restore them from the backup")
    readable = [
        name for name in keys.NAMES if stat.S_IMODE((settings.keys / f"{name}.key").stat().st_mode) & 0o077
    ]
    if readable:
        return Finding("key files", False, "others can read them", f"chmod 600 {settings.keys}/*.key")
    return Finding("key files", True, f"{len(keys.NAMES)} keys, readable by their owner only")


def _server_version(database: Database) -> Finding:
    try:
        with database.read() as tx:
            number = int(tx.execute(sa.text("SHOW server_version_num")).scalar())
            durable = tx.execute(sa.text("SHOW synchronous_commit")).scalar()
    except sa.exc.SQLAlchemyError:
        return Finding("postgresql", False, "the database does not answer", "start it")
    if number < 150000:
        return Finding("postgresql", False, f"version {number // 10000}", "use PostgreSQL 15 or newer")
    if durable == "off":
        return Finding(
            "postgresql", False, "synchronous_commit is off", "turn it on: a promise must be on disk"
        )
    return Finding("postgresql", True, f"version {number // 10000}")
