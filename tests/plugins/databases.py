"""A fresh, migrated database for each test, cheaply: a copy of a template that each worker makes once.

Most tests take `database`, which runs them on SQLite and on PostgreSQL. A module with an expensive start makes its
own template once: `databases.template(kind, "clinic", build)` and then `databases.clone(kind, "clinic")`.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from ost.bench.cluster import ThrowawayPostgres
from ost.db import Database, migrate

KINDS = ("sqlite", "postgresql")
MIGRATED = "migrated"


class Databases:
    """Templates and their copies. A template is built when first asked for and closed before it is copied."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._templates: set[tuple[str, str]] = set()
        self._numbers = itertools.count(1)
        self._server: ThrowawayPostgres | None = None
        self._admin = None

    def template(self, kind: str, name: str = MIGRATED, build: Callable[[Database], None] | None = None) -> None:
        """Make the template `name` unless it is there: the migrated schema, and then whatever `build` writes."""
        if (kind, name) in self._templates:
            return
        if name == MIGRATED:
            url, build = self._create(kind, name), migrate
        else:
            self.template(kind)
            url = self._copy(kind, MIGRATED, name)
        database = Database(url)
        try:
            build(database)
        except BaseException:
            self._drop(url)
            raise
        finally:
            database.close()
        self._templates.add((kind, name))

    @contextmanager
    def empty(self, kind: str) -> Iterator[str]:
        """The URL of a database without any table, for the migrations' own tests."""
        url = self._create(kind, f"empty_{next(self._numbers)}")
        try:
            yield url
        finally:
            self._drop(url)

    @contextmanager
    def clone(self, kind: str, template: str = MIGRATED) -> Iterator[str]:
        """The URL of a fresh copy of a template, thrown away at the end."""
        self.template(kind, template)
        url = self._copy(kind, template, f"copy_{next(self._numbers)}")
        try:
            yield url
        finally:
            self._drop(url)

    @property
    def postgres(self) -> ThrowawayPostgres:
        if self._server is None:
            server = ThrowawayPostgres(durable=False)
            server.start()
            self._server, self._admin = server, server.connect()
        return self._server

    def close(self) -> None:
        if self._server is not None:
            self._admin.close()
            self._server.stop()

    def _create(self, kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{self.folder / name}.sqlite3"
        url = self.postgres.url_of(name)
        self._admin.execute(f'CREATE DATABASE "{name}"')
        return url

    def _copy(self, kind: str, template: str, name: str) -> str:
        if kind == "postgresql":
            url = self.postgres.url_of(name)
            self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
            return url
        source, target = (self.folder / f"{each}.sqlite3" for each in (template, name))
        assert not source.with_name(source.name + "-wal").exists(), "a template is closed before it is copied"
        shutil.copyfile(source, target)
        return f"sqlite:///{target}"

    def _drop(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            self._admin.execute(f'DROP DATABASE IF EXISTS "{parsed.database}" WITH (FORCE)')
            return
        for suffix in ("", "-wal", "-shm"):
            Path(parsed.database + suffix).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def databases(tmp_path_factory) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def database_url(request, databases) -> Iterator[str]:
    """A migrated database of each kind in turn, not yet opened: for tests that hand it to another process."""
    with databases.clone(request.param) as url:
        yield url


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    """A migrated, empty `ost.db.Database`; the test runs once on SQLite and once on PostgreSQL."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(databases) -> Iterator[str]:
    with databases.clone("sqlite") as url:
        yield url


@pytest.fixture
def sqlite_database(sqlite_url) -> Iterator[Database]:
    """For what only SQLite does, and for pages, whose rules do not depend on the database."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def postgres_url(databases) -> Iterator[str]:
    with databases.clone("postgresql") as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url) -> Iterator[Database]:
    """For what only PostgreSQL does."""
    opened = Database(postgres_url)
    yield opened
    opened.close()
