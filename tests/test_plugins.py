"""The test house itself: databases are fresh and apart, the clock stands, axe sees what it must see."""

import os
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ost.bench.cluster import ThrowawayPostgres
from ost.db import Database

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_fresh_migrated_database(database, turn):
    with database.begin() as connection:
        tables = sa.inspect(connection).get_table_names()
        assert "dose_attempt" in tables
        assert "scribble" not in tables
        connection.execute(sa.text("CREATE TABLE scribble (id INTEGER)"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_template_is_built_once_and_its_copies_stand_apart(databases, kind):
    built = []

    def build(database):
        built.append(1)
        with database.begin() as connection:
            connection.execute(sa.text("CREATE TABLE scribble (id INTEGER)"))

    for _ in range(2):
        databases.template(kind, "scribbled", build)
        with databases.clone(kind, "scribbled") as url:
            database = Database(url)
            with database.begin() as connection:
                assert connection.execute(sa.text("SELECT count(*) FROM scribble")).scalar_one() == 0
                connection.execute(sa.text("INSERT INTO scribble VALUES (1)"))
            database.close()
    assert built == [1]


def test_the_clock_stands_until_it_is_moved(clock):
    start = datetime.now(UTC)
    clock.shift(timedelta(hours=30))
    assert datetime.now(UTC) - start == timedelta(hours=30)


def test_a_durable_server_keeps_what_it_acknowledged_through_a_kill():
    with ThrowawayPostgres(durable=True) as server:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        server.restart_after_kill()
        with server.connect() as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
    assert not server.folder.exists()


PAGE = """<!doctype html><html lang="en"><head><title>A page</title>
<meta http-equiv="Content-Security-Policy" content="script-src 'none'"></head><body><main><h1>A page</h1>%s</main></body></html>"""


@pytest.mark.story
def test_axe_finds_what_is_wrong_in_spite_of_a_strict_policy(page, axe):
    page.route("http://127.0.0.1/**", lambda route: route.fulfill(body=PAGE % "<p>Text</p>", content_type="text/html"))
    page.goto("http://127.0.0.1/good")
    axe(page)
    page.set_content(PAGE % "<img src='data:,'><input>")
    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)


SKIPPING = """
import pytest

def test_one():
    pytest.skip("not today")

@pytest.mark.skip(reason="not today either")
def test_two():
    pass
"""


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 error"), ("", "2 skipped")])
def test_a_skipped_test_fails_where_ci_is_true(tmp_path, ci, outcome):
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    command = [sys.executable, "-m", "pytest", "-p", "tests.plugins.no_skips", "-c", "/dev/null", "--rootdir", tmp_path]
    environment = os.environ | {"CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, tmp_path], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome in done.stdout


def test_a_live_server_answers_and_stops(tmp_path, sqlite_url, ost, live_server):
    assert ost("init", database_url=sqlite_url).returncode == 0
    server = live_server(sqlite_url)
    with urllib.request.urlopen(f"{server.url}/health/live", timeout=5) as answer:
        assert answer.status == 200
    server.kill()
    server.start()
    server.stop()
