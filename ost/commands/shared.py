"""What commands share: settings and house with one clear sentence when they are not there, and the last line."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from config.settings import BadSettings, Settings, load_settings
from ost import keys
from ost.db import Database
from ost.services.work import House

#: For people: on standard error, so that standard output holds the answer only.
console = Console(stderr=True, highlight=False)


def json_option(command: Callable) -> Callable:
    """`--json`: one JSON object, last on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")(command)


def finish(result: dict, as_json: bool, *, passed: bool = True) -> None:
    """The end of a command: its JSON if asked for, and the exit code."""
    if as_json:
        click.echo(jsonlib.dumps(result, ensure_ascii=False, default=str))
    if not passed:
        raise SystemExit(1)


def read_settings() -> Settings:
    try:
        return load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from error


def house_of(settings: Settings, database: Database) -> House:
    try:
        keyring = keys.load(settings.keys)
    except keys.KeysMissing as error:
        raise click.ClickException(str(error)) from error
    return House(
        database,
        keyring,
        policy_name=settings.policy,
        demo=settings.demo,
        backdate_days=settings.backdate_days,
    )


@contextmanager
def open_house(settings: Settings | None = None) -> Iterator[House]:
    """The house of this machine's settings; closed at the end. The database must stand at its newest migration."""
    from ost import startup

    settings = settings or read_settings()
    if settings.database_url.startswith("sqlite") and not settings.home.exists():
        raise click.ClickException("there is nothing here yet: run ost init")
    database = Database(settings.database_url)
    try:
        house = house_of(settings, database)
        for check in (startup.database_answers, startup.migrations_at_head):
            finding = check(settings, house)
            if not finding.ok:
                raise click.ClickException(f"{finding.text}: {finding.todo}")
        yield house
    finally:
        database.close()
