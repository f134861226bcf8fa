"""`ost demo` and `ost verify` from the terminal."""

from __future__ import annotations

import json
import os

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ost.cli import main
from ost.db import Database, unprotect_sql

SMALL = ["demo", "load", "--days", "2", "--patients", "24", "--fingers", "1", "--json"]


@pytest.fixture
def ost(tmp_path, monkeypatch):
    """Calls `ost` with a home of its own; the answer, its JSON in `.said`."""
    for name in [n for n in os.environ if n.startswith("OST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OST_MODE", "demo")

    def call(*arguments, mode="demo"):
        secure = {"OST_SECURE_COOKIES": "true"} if mode == "production" else {}
        answer = CliRunner().invoke(main, list(arguments), env={"OST_MODE": mode, **secure})
        lines = answer.stdout.strip().splitlines()
        answer.said = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None
        return answer

    call.home = tmp_path / "home"
    return call


def tampered(home, statement: str) -> None:
    database = Database(f"sqlite:///{home / 'ost.db'}")
    with database.begin() as tx:
        for drop in unprotect_sql("dose_outcome", "sqlite"):
            tx.execute(sa.text(drop))
        assert tx.execute(sa.text(statement)).rowcount == 1
    database.close()


def test_a_demo_is_loaded_proved_and_not_loaded_twice(ost):
    assert ost("init").exit_code == 0
    loaded = ost(*SMALL)
    assert loaded.exit_code == 0, loaded.output
    assert loaded.said["patients"] == 24
    assert loaded.said["stations"] == 8
    assert loaded.said["enrolled"] == 1
    assert sorted(p.name for p in (ost.home / "heads").iterdir())
    proved = ost("verify", "--json")
    assert proved.exit_code == 0
    assert proved.said["passed"] is True
    assert proved.said["rows"] > 100

    assert ost(*SMALL, "--if-empty").said == {"scale": "small", "loaded": False}
    twice = ost(*SMALL)
    assert twice.exit_code == 1
    assert "already" in twice.stderr

    who = ost("demo", "codes", "--json").said["accounts"]
    assert all(len(a["code"]) == 6 and a["code"].isdigit() for a in who)
    cards = ost("demo", "cards", "H-0001", "X-9999", "--json").said
    assert list(cards["cards"]) == list(cards["pins"]) == ["H-0001"]
    assert len(cards["pins"]["H-0001"]) == 4

    # A swallow made smaller behind the program's back, where the database no longer refuses it.
    tampered(
        ost.home,
        "UPDATE dose_outcome SET swallowed_ug = 1 WHERE attempt = (SELECT min(attempt) FROM dose_outcome)",
    )
    broken = ost("verify", "--json")
    assert broken.exit_code == 1
    assert [p["table"] for p in broken.said["problems"]] == ["dose_outcome"]
    assert "a row was changed" in broken.stderr


@pytest.mark.parametrize(
    "command", [SMALL, ["demo", "codes"], ["demo", "run"], ["demo", "enrol"], ["demo", "cards"]]
)
def test_nothing_of_it_works_outside_the_demo(ost, command):
    assert ost("init", mode="production").exit_code == 0
    answer = ost(*command, mode="production")
    assert answer.exit_code == 1
    assert "not a demo" in answer.stderr
    assert not (ost.home / "demo-secrets.json").exists()


def test_lost_secrets_are_one_clear_sentence(ost):
    ost("init")
    answer = ost("demo", "codes")
    assert answer.exit_code == 1
    assert "gone" in answer.stderr
    assert "Traceback" not in answer.output
