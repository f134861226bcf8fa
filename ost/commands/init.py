"""`ost init`: the home folder, the keys and the newest tables; again is harmless."""

from __future__ import annotations

import click
import sqlalchemy as sa

from ost import keys, startup
from ost.commands.shared import console, finish, json_option, read_settings
from ost.db import Database, migrate
from ost.services.fees import tariff
from ost.services.work import House


@click.command("init")
@json_option
def command(as_json: bool) -> None:
    """Make the home folder and the keys, and bring the database to its newest tables."""
    settings = read_settings()
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.heads.mkdir(exist_ok=True, mode=0o700)
        had_keys = settings.keys.exists()
        database = Database(settings.database_url)
        if not had_keys:
            _refuse_new_keys_for_old_records(database)
        keys.create(settings.keys)
    except keys.KeysMissing as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"OST_HOME cannot be written ({error.strerror}): choose another folder, or make room"
        ) from error
    try:
        before = startup.revision(database)
        migrate(database)
        after = startup.revision(database)
        fees = tariff.load(House(database, keys.load(settings.keys), policy_name=settings.policy))
    except sa.exc.OperationalError as error:
        raise click.ClickException(
            "the database does not answer: start it, or correct OST_DATABASE_URL"
        ) from error
    finally:
        database.close()
    console.print(f"Home     {settings.home}")
    console.print(f"Keys     {'were there' if had_keys else 'made; back them up, away from the database'}")
    was = "" if before == after else f" (was {before or 'empty'})"
    console.print(f"Tables   {after}{was}")
    if fees:
        console.print(f"Fees     {fees} new rows from config/network")
    made = {"home": str(settings.home), "keys_made": not had_keys, "revision": after, "was": before, "fees": fees}
    finish(made, as_json)


def _refuse_new_keys_for_old_records(database: Database) -> None:
    """Records signed with lost keys would all look forged: never quietly make new ones."""
    try:
        used = startup.revision(database) is not None
    except sa.exc.OperationalError:
        return  # no database yet; migrating says so if it stays away
    if used:
        with database.read() as tx:
            used = tx.execute(sa.text("SELECT 1 FROM audit_event LIMIT 1")).scalar() is not None
    if used:
        raise keys.KeysMissing(
            "the database holds records, but their keys are gone: put the keys folder back from the backup"
        )
