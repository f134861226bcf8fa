"""Engine, transactions, the instant type and append-only tables.

`Database.begin()` is one write transaction: BEGIN IMMEDIATE on SQLite, READ
COMMITTED on PostgreSQL. Leaving normally keeps everything, leaving by an
exception keeps nothing; nobody below it commits. `read()` never writes.
What a table holds is said in `ost.models`; nothing of it is known here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.types import TypeDecorator

ROOT = Path(__file__).resolve().parent.parent
BUSY_TIMEOUT_MS = 10_000


class Instant(TypeDecorator):
    """Aware UTC in, aware UTC out, on both databases.

    SQLite drops offsets silently, so a naive value is refused here rather
    than guessed at later.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect):
        if dialect.name == "sqlite":
            # Fixed-width ISO text: it sorts as time does.
            return dialect.type_descriptor(sa.String(27))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value, dialect):
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        value = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
        return value

    def process_result_value(self, value, dialect):
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        return value.astimezone(UTC)


class Database:
    """One engine and its two kinds of transaction.

    `url`: SQLAlchemy URL; `sqlite:///path` or `postgresql+psycopg://...`.
    """

    def __init__(self, url: str, pool_size: int = 10):
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = sa.create_engine(
                self.url,
                connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
                pool_size=pool_size,
                max_overflow=20,
            )
            _prepare_sqlite(self.engine)
        else:
            self.engine = sa.create_engine(
                self.url,
                isolation_level="READ COMMITTED",
                pool_size=pool_size,
                max_overflow=20,
                pool_pre_ping=False,
                pool_recycle=1800,
                # Times are compared and stored in UTC whatever the server's zone is.
                connect_args={"options": "-c timezone=UTC"},
            )
        self._writer = self.engine.execution_options(ost_write=True)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction. On SQLite it takes the write lock at once."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def begin_lightly(self) -> Iterator[Connection]:
        """As `begin`, for working state only: the commit does not wait for the disk.

        What a power cut takes is said again within the second (a heartbeat). Nothing that is evidence.
        """
        if not self.is_sqlite:
            with self.begin() as connection:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection
            return
        with self._writer.connect() as connection:
            own = connection.connection.dbapi_connection
            own.execute("PRAGMA synchronous=NORMAL")
            try:
                with connection.begin():
                    yield connection
            finally:
                own.execute("PRAGMA synchronous=FULL")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction; anything written in it is rolled back."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read transaction in which every statement sees the same moment."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect().execution_options(**options) as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(dbapi, _record):
        # The driver must not open transactions by itself: we say BEGIN IMMEDIATE.
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # Without this INSERT OR REPLACE deletes a row without its DELETE trigger.
        cursor.execute("PRAGMA recursive_triggers=ON")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection):
        write = connection.get_execution_options().get("ost_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


# --- append-only tables -----------------------------------------------------


def protect_sql(table: str, dialect: str) -> list[str]:
    """Statements that make `table` refuse UPDATE, DELETE (and TRUNCATE)."""
    message = f"{table} is a record: rows are added, never changed"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION ost_refuse_change()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION ost_refuse_change()",
    ]


def unprotect_sql(table: str, dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [f"DROP TRIGGER {table}_no_{verb}" for verb in ("update", "delete")]
    return [f"DROP TRIGGER {table}_no_{verb} ON {table}" for verb in ("change", "truncate")]


REFUSE_FUNCTION_PG = """
CREATE OR REPLACE FUNCTION ost_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is a record: rows are added, never changed', TG_TABLE_NAME;
END $$
"""


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the database to `revision` ("head", "base", or a number)."""
    from alembic import command

    config = alembic_config(database)
    if revision == "base" or revision.startswith("-"):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    from alembic import command

    command.downgrade(alembic_config(database), revision)


def alembic_config(database: Database):
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", os.fspath(ROOT / "migrations"))
    config.attributes["database"] = database
    return config
