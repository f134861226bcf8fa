"""A tiny demo, loaded once per kind of database and copied for each test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from ost import keys
from ost.db import Database
from ost.demo import load as loading
from ost.services import credentials
from ost.services.work import House
from tests.plugins.databases import KINDS

PATIENTS, DAYS = 48, 20


@dataclass(frozen=True)
class Demo:
    house: House
    home: Path  # where the secrets file is
    loaded: loading.Loaded


_rings: dict[str, tuple] = {}


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Sixteen people's passwords and PINs, hashed without the slowness that real ones need."""
    monkeypatch.setattr(credentials, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(params=KINDS)
def demo(databases, request, tmp_path_factory) -> Demo:
    """The tiny demo on each kind of database."""
    kind = request.param

    def build(database: Database) -> None:
        home, ring = tmp_path_factory.mktemp(f"demo_{kind}"), keys.ephemeral()
        house = House(database, ring, demo=True)
        _rings[kind] = home, ring, loading.load(house, home, loading.Size(PATIENTS, DAYS))

    databases.template(kind, "demo", build)
    home, ring, loaded = _rings[kind]
    with databases.clone(kind, "demo") as url:
        database = Database(url)
        try:
            yield Demo(House(database, ring, demo=True), home, loaded)
        finally:
            database.close()
