"""A demo for every story: loaded once by the real commands, copied for each, served by a real `ost serve`.

The stories happen on a Tuesday morning of their own, so that no hour and no midnight changes what they find; the
clock goes on from there, and `story.later(seconds=61)` moves it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyotp
import pytest
import sqlalchemy as sa

from ost.bench.served import ROOT, LiveServer, ost_environment
from ost.db import Database
from ost.demo.plan import AT_MAIN
from ost.models.base import metadata
from tests.plugins.nursery import Forked, Nursery

SHIM = Path(__file__).with_name("shifted_clock")
LOADED_AT = datetime(2026, 3, 10, 0, 0, tzinfo=UTC)  # 08:00 in Taipei, a Tuesday
BEGINS_AT = datetime(2026, 3, 10, 0, 10, tzinfo=UTC)
SITE = "HUA1"
COUNTER = "HUA1-1"
#: The fewest people and days with which every person of the main site's list has their story.
PATIENTS, DAYS, FINGERS = 60, 13, 2


def _set_clock(file: Path, at: datetime) -> None:
    seconds = (at - datetime.now(UTC)).total_seconds()
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{seconds:.3f}", encoding="ascii")
    os.replace(fresh, file)


def _settings(clock: Path) -> dict[str, str]:
    return {"STORY_CLOCK": str(clock), "PYTHONPATH": os.pathsep.join((str(SHIM), str(ROOT)))}


def _run(home: Path, *arguments: str, database_url: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ost.cli", *arguments],
        cwd=ROOT,
        env=ost_environment(home, database_url, **_settings(home / "clock")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,  # drawing the prints; only a machine with much else to do comes near
        check=False,
    )


class ForkedServer(LiveServer):
    """`ost serve` out of the nursery."""

    def __init__(self, nursery: Nursery, home: Path, database_url: str, **settings: str):
        super().__init__(home, database_url, **settings)
        self._nursery = nursery

    def _launched(self) -> Forked:
        return self._nursery.start(["serve", "--port", str(self.port)], self._environment, self.log_file)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory) -> Iterator[Nursery]:
    """Where the stories on SQLite get their processes from; one for each worker."""
    home = tmp_path_factory.mktemp("nursery")
    _set_clock(home / "clock", LOADED_AT)
    made = Nursery(ost_environment(home, **_settings(home / "clock")))
    yield made
    made.close()


@pytest.fixture(scope="session")
def loaded_home(tmp_path_factory) -> Path:
    """The demo as `ost init` and `ost demo load` leave it; made by the first worker that needs it."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    home = shared / "story-home"
    with (shared / "story-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "loaded").exists():
            return home
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        _set_clock(home / "clock", LOADED_AT)
        load = ("demo", "load", "--patients", str(PATIENTS), "--days", str(DAYS), "--fingers", str(FINGERS))
        for command in (("init",), load):
            done = _run(home, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        assert not (home / "ost.db-wal").exists()
        (home / "loaded").touch()
    return home


class Story:
    """One story's own network: `.url`, `.rows(sql)`, `.later(seconds=61)`, `.power_cut()`, `.verify()`."""

    def __init__(self, home: Path, database_url: str, nursery: Nursery | None = None):
        self.home, self.database_url, self._nursery = home, database_url, nursery
        self.secrets = json.loads((home / "demo-secrets.json").read_text(encoding="utf-8"))
        self._database = Database(database_url)
        _set_clock(home / "clock", BEGINS_AT)
        settings = _settings(home / "clock")
        made = ForkedServer(nursery, home, database_url, **settings) if nursery else LiveServer(home, database_url, **settings)
        self.server = made.start()

    @property
    def url(self) -> str:
        return self.server.url

    # --- time -----------------------------------------------------------------

    def now(self) -> datetime:
        seconds = float((self.home / "clock").read_text(encoding="ascii"))
        return datetime.now(UTC) + timedelta(seconds=seconds)

    def later(self, **span: float) -> None:
        """Let time pass for the program: `later(minutes=16)`."""
        _set_clock(self.home / "clock", self.now() + timedelta(**span))

    # --- people -----------------------------------------------------------------

    def account(self, username: str) -> SimpleNamespace:
        found = next(a for a in self.secrets["accounts"] if a["username"] == username)
        return SimpleNamespace(**found)

    def code(self, username: str) -> str:
        return pyotp.TOTP(self.account(username).totp).at(self.now())

    def person(self, story: str, nth: int = 0) -> SimpleNamespace:
        """Somebody of the main site with this story of `ost.demo.plan`: id, number, card, pin."""
        place = [i for i, each in enumerate(AT_MAIN) if each == story][nth]
        number = f"H-{place + 1:04d}"
        row = self.row("SELECT id FROM patient WHERE number = :number", number=number)
        card, pin = self.secrets["cards"][number], self.secrets["pins"][number]
        return SimpleNamespace(id=row.id, number=number, card=card, pin=pin)

    def orders(self, person) -> int:
        """The dose that is ordered for this person today, in micrograms."""
        row = self.row(
            "SELECT p.dose_ug FROM prescription p LEFT JOIN prescription_end e ON e.prescription = p.id"
            " WHERE p.patient = :id AND e.prescription IS NULL ORDER BY p.starts_on DESC",
            id=person.id,
        )
        return row.dose_ug

    # --- the record ----------------------------------------------------------------

    def rows(self, text: str, **values: object) -> list[sa.Row]:
        with self._database.read() as tx:
            return list(tx.execute(sa.text(text), values))

    def row(self, text: str, **values: object) -> sa.Row:
        found = self.rows(text, **values)
        assert found, f"nothing for {text} with {values}"
        return found[0]

    def write(self, text: str, **values: object) -> None:
        """For what only time would do."""
        with self._database.begin() as tx:
            tx.execute(sa.text(text), values)

    def doses_today(self, person) -> list[sa.Row]:
        """Promises of today with their endings, in order; `outcome` is None where nobody has said it."""
        return self.rows(
            "SELECT a.*, o.outcome, o.swallowed_ug, o.disposition, o.rest_ul, o.evidence, o.flags, o.witness"
            " FROM dose_attempt a LEFT JOIN dose_outcome o ON o.attempt = a.id"
            " WHERE a.patient = :id AND a.dosing_day = :day ORDER BY a.promised_at",
            id=person.id,
            day=self.today(),
        )

    def today(self) -> str:
        return (self.now() + timedelta(hours=8)).date().isoformat()

    def day(self, ahead: int) -> str:
        """A day from today on, ISO."""
        return (self.now() + timedelta(hours=8, days=ahead)).date().isoformat()

    def lines_of(self, dose_id: str) -> list[sa.Row]:
        return self.rows("SELECT * FROM register_line WHERE dose = :id ORDER BY at, line", id=dose_id)

    def verify(self) -> None:
        """`ost verify` finds nothing wrong."""
        if self._nursery:
            log = self.home / "verify.log"
            log.unlink(missing_ok=True)
            environment = ost_environment(self.home, self.database_url, **_settings(self.home / "clock"))
            code = self._nursery.start(["verify", "--json"], environment, log).wait()
            written = log.read_text(encoding="utf-8")
        else:
            done = _run(self.home, "verify", "--json", database_url=self.database_url)
            code, written = done.returncode, done.stdout
        said = json.loads(written.strip().splitlines()[-1])
        assert code == 0 and said["passed"], said["problems"]

    def the_clock_works(self) -> None:
        """`ost scheduler --once`: everything that runs by the clock runs now."""
        if self._nursery:
            log = self.home / "scheduler.log"
            environment = ost_environment(self.home, self.database_url, **_settings(self.home / "clock"))
            code = self._nursery.start(["scheduler", "--once"], environment, log).wait()
            said = log.read_text(encoding="utf-8")
        else:
            done = _run(self.home, "scheduler", "--once", database_url=self.database_url)
            code, said = done.returncode, done.stdout + done.stderr
        assert code == 0, said
        print(said)

    # --- the machine ------------------------------------------------------------------

    def power_cut(self) -> None:
        self.server.kill()

    def power_back(self) -> None:
        self.server.start()

    def close(self) -> None:
        self.server.stop()
        self._database.close()


@contextmanager
def _told(loaded: Path, home: Path, database_url: str | None, nursery: Nursery | None) -> Iterator[Story]:
    shutil.copytree(loaded, home, ignore=shutil.ignore_patterns(*(("ost.db",) if database_url else ())))
    story = Story(home, database_url or f"sqlite:///{home / 'ost.db'}", nursery)
    try:
        yield story
    finally:
        story.close()


@pytest.fixture
def story(loaded_home, tmp_path, nursery) -> Iterator[Story]:
    """A story on SQLite, the database a newcomer has."""
    with _told(loaded_home, tmp_path / "home", None, nursery) as told:
        yield told


@pytest.fixture
def postgres_story(loaded_home, tmp_path, databases) -> Iterator[Story]:
    """The same people and records on PostgreSQL."""

    def copy(target: Database) -> None:
        source = Database(f"sqlite:///{loaded_home / 'ost.db'}")
        with source.read() as old, target.begin() as new:
            for table in metadata.sorted_tables:
                rows = [dict(r._mapping) for r in old.execute(sa.select(table))]
                if rows and not new.execute(sa.select(sa.func.count()).select_from(table)).scalar():
                    new.execute(sa.insert(table), rows)
        source.close()

    databases.template("postgresql", "story", copy)
    with databases.clone("postgresql", "story") as url, _told(loaded_home, tmp_path / "home", url, None) as told:
        yield told
