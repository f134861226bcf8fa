"""What the program refuses to start with, and what it says about its health."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import BadSettings, load_settings
from ost import keys, startup
from ost.app import create_app
from ost.db import Database
from ost.models import station
from ost.services.work import House
from tests import make
from tests.plugins.clients import Api, house_of, make_app
from tests.plugins.servers import ROOT, free_port, ost_environment

SIMULATED = {"id": "st-1", "site": "HUA1", "label": "1", "reader_kind": "simulated"}


@pytest.fixture
def home(tmp_path):
    keys.create(tmp_path / "keys")
    return tmp_path


def settings_of(home: Path, **change):
    return load_settings({"OST_MODE": "demo", "OST_HOME": str(home), "OST_LOG_LEVEL": "CRITICAL"} | change)


def refusal(settings, database=None, keyring=None) -> str:
    with pytest.raises((startup.NotReady, keys.KeysMissing)) as said:
        create_app(settings, database, keyring)
    return str(said.value)


def test_production_refuses_a_simulated_reader(sqlite_database, home):
    ring = keys.ephemeral()
    house = House(sqlite_database, ring)
    make.make_site(house)
    with house.db.begin() as tx:
        tx.execute(sa.insert(station.station), SIMULATED)
    assert "simulated reader" in refusal(settings_of(home, OST_MODE="production"), sqlite_database, ring)
    create_app(settings_of(home), sqlite_database, ring)  # practice may
    with house.db.begin() as tx:
        tx.execute(sa.update(station.station).values(revoked_at=house.now()))
    create_app(settings_of(home, OST_MODE="production"), sqlite_database, ring)


def test_missing_keys(sqlite_url, tmp_path):
    assert "ost init" in refusal(settings_of(tmp_path, OST_DATABASE_URL=sqlite_url))


def test_a_damaged_key(sqlite_database, home):
    (home / "keys" / "chain.key").write_bytes(b"short")
    assert "damaged" in refusal(settings_of(home), sqlite_database)
    (home / "keys" / "chain.key").unlink()
    assert "ost init" in refusal(settings_of(home), sqlite_database)
    with pytest.raises(keys.KeysMissing, match="backup"):
        keys.create(home / "keys")


def test_the_keys_of_another_house(sqlite_database, home):
    make.make_site(House(sqlite_database, keys.ephemeral()))
    assert "do not belong" in refusal(settings_of(home), sqlite_database)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_is_not_migrated(databases, home, kind):
    with databases.empty(kind) as url:
        database = Database(url)
        try:
            assert "ost init" in refusal(settings_of(home), database)
        finally:
            database.close()


def test_a_database_that_does_not_answer(home):
    url = f"postgresql+psycopg://ost@127.0.0.1:{free_port()}/ost"
    assert "does not answer" in refusal(settings_of(home, OST_DATABASE_URL=url))


def test_a_policy_that_does_not_exist(sqlite_database, home):
    assert "policy" in refusal(settings_of(home, OST_POLICY="xx"), sqlite_database)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"OST_MODE": "testing"}, "OST_MODE"),
        ({"OST_MODE": "production", "OST_SECURE_COOKIES": "false"}, "OST_SECURE_COOKIES"),
        ({"OST_DATABASE_URL": "mysql://x"}, "OST_DATABASE_URL"),
        ({"OST_PROCESSES": "2"}, "OST_PROCESSES"),
        ({"OST_THREADS": "0"}, "OST_THREADS"),
    ],
)
def test_settings_that_contradict_themselves(home, change, word):
    with pytest.raises(BadSettings, match=word):
        settings_of(home, **change)


# --- health ------------------------------------------------------------------------------


def test_alive_and_ready(app_on):
    api = Api(app_on)
    assert api.get("/health/live").json == {"live": True}
    ready = api.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json["ready"] is True
    assert set(ready.json["checks"]) == {"database", "migrations", "keys", "policy", "readers", "disk", "prints"}


def test_not_ready_without_its_tables(app_on):
    with house_of(app_on).db.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    ready = Api(app_on).get("/health/ready")
    assert ready.status_code == 503
    assert ready.json["checks"]["migrations"] is False
    assert Api(app_on).get("/health/live").status_code == 200


def test_not_ready_without_its_database(sqlite_url, tmp_path):
    copy = tmp_path / "gone.sqlite3"
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), copy)
    database = Database(f"sqlite:///{copy}")
    app = make_app(database, tmp_path)
    database.close()
    copy.unlink()
    copy.mkdir()
    ready = Api(app).get("/health/ready")
    assert ready.status_code == 503
    assert ready.json["checks"]["database"] is False
    database.close()


def test_a_full_disk_is_said(app, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    ready = Api(app).get("/health/ready")
    assert ready.status_code == 503
    assert [name for name, ok in ready.json["checks"].items() if not ok] == ["disk"]


def test_health_tells_strangers_no_detail(app, tmp_path):
    for path in ("/health/ready", "/health/live"):
        text = Api(app).get(path).get_data(as_text=True)
        assert str(tmp_path) not in text
        assert "sqlite" not in text


# --- commands and the one server ------------------------------------------------------------


def last_json(done: subprocess.CompletedProcess) -> dict:
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_init_serve_and_a_second_server_on_the_same_file(ost, tmp_path, live_server):
    made = ost("init", "--json")
    assert made.returncode == 0, made.stderr
    assert last_json(made)["keys_made"] is True
    again = ost("init", "--json")
    assert again.returncode == 0
    assert last_json(again)["keys_made"] is False
    checked = ost("doctor", "--json")
    assert {c["check"]: c["ok"] for c in last_json(checked)["checks"]}["keys"] is True

    url = f"sqlite:///{tmp_path / 'ost.db'}"
    server = live_server(url)
    second = ost("serve", "--port", str(free_port()), timeout=60)
    assert second.returncode == 1
    assert "another server is already serving" in second.stderr
    assert "Traceback" not in second.stderr
    # Another door to the same house: any WSGI server that loads the application.
    third = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=ROOT,
        env=ost_environment(tmp_path, url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "another server is already serving" in third.stderr
    # Commands may run beside it.
    assert ost("init").returncode == 0
    with urllib.request.urlopen(server.url + "/health/ready", timeout=10) as answer:
        assert answer.status == 200
    # A power cut leaves no lock behind.
    server.kill()
    server.start()


def test_serve_before_init_says_what_to_do(ost):
    done = ost("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "ost init" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(ost):
    assert ost("init").returncode == 0
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = ost("serve", "--port", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert "choose another --port" in done.stderr


def test_several_processes_on_postgresql_show_one_set_of_figures(ost, postgres_url, live_server):
    assert ost("init", database_url=postgres_url).returncode == 0
    server = live_server(postgres_url, OST_PROCESSES="2")
    for _ in range(12):
        with urllib.request.urlopen(server.url + "/sign-in", timeout=20) as answer:
            answer.read()
    with urllib.request.urlopen(server.url + "/metrics", timeout=20) as answer:
        figures = answer.read().decode()
    assert 'ost_requests_total{endpoint="sign_in.form",method="GET",status="200"} 12.0' in figures


def test_init_makes_no_new_keys_for_old_records(ost, tmp_path):
    assert ost("init").returncode == 0
    assert (
        ost("account", "add", "boss", "--name", "B", "--role", "admin", "--scope-kind", "network").returncode
        == 0
    )
    shutil.rmtree(tmp_path / "keys")
    done = ost("init")
    assert done.returncode == 1
    assert "backup" in done.stderr
    assert not (tmp_path / "keys").exists()


def test_the_first_account_is_drawn_and_can_sign_in(ost, tmp_path):
    import pyotp

    assert ost("init").returncode == 0
    done = ost(
        "account", "add", "Boss", "--name", "B", "--role", "admin", "--scope-kind", "network", "--json"
    )
    made = last_json(done)
    database = Database(f"sqlite:///{tmp_path / 'ost.db'}")
    app = create_app(settings_of(tmp_path), database, keys.load(tmp_path / "keys"))
    code = pyotp.parse_uri(made["totp"]).now()
    answer = Api(app).post(
        "/api/v1/sign-in", {"username": "boss", "password": made["password"], "totp": code}
    )
    assert answer.status_code == 200
    database.close()
    again = ost("account", "add", "boss", "--name", "B", "--role", "admin", "--scope-kind", "network")
    assert again.returncode == 1
    assert "taken" in again.stderr


def test_policy_commands(ost):
    assert last_json(ost("policy", "lint", "--json"))["passed"] is True
    shown = last_json(ost("policy", "show", "tw", "--json"))
    assert all(v["source"] and v["unit"] for v in shown["values"])
    assert "undo_s" in {v["key"] for v in shown["values"]}
    assert last_json(ost("policy", "diff", "base", "tw", "--json"))["differences"]
    missing = ost("policy", "show", "xx")
    assert missing.returncode == 1
    assert "xx" in missing.stderr
    assert "Traceback" not in missing.stderr
