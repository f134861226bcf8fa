"""What docs/operations.md tells an administrator to type works as it stands there."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from ost import keys
from ost.db import Database
from ost.services.outcome import Ending, end
from ost.services.verify import verify
from ost.services.work import House
from tests.documents import ROOT
from tests.make import give, make_account, make_bottle, make_clinic

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return found[0]


def test_a_site_written_by_hand_gives_a_dose(house):
    with house.db.begin() as tx:
        for statement in filter(str.strip, block("sql").split(";")):
            tx.execute(sa.text(statement.replace("AAA1-1", "AAA1-9")))
    bottle = make_bottle(house, "AAA1")
    clinic = make_clinic(house, sites=("HUA1", "AAA1"))
    nurse = make_account(house, "nurse", scope="AAA1")
    given = give(house, clinic, actor=nurse, site="AAA1", bottle=bottle, counter="AAA1-9")
    assert given.state == "promised", given


@pytest.fixture
def old_house(sqlite_database):
    house = House(sqlite_database, keys.ephemeral(), demo=True)
    clinic = make_clinic(house)
    given = give(house, clinic)
    end(house, clinic.nurse, Ending(given.dose_id, "not_given", disposition="residue"))
    again = give(house, clinic)
    end(house, clinic.nurse, Ending(again.dose_id, "swallowed"))
    return house, clinic


def test_a_house_moves_from_sqlite_to_postgresql_whole(old_house, postgres_url, monkeypatch):
    house, clinic = old_house
    before = verify(house)
    assert before.passed
    monkeypatch.setenv("OLD_DATABASE", house.db.url.render_as_string(hide_password=False))
    monkeypatch.setenv("NEW_DATABASE", postgres_url)
    exec(compile(block("python"), "docs/operations.md", "exec"), {})
    moved = House(Database(postgres_url), house.keys, demo=True)
    try:
        after = verify(moved)
        assert after.passed
        assert (after.events, after.rows, after.lines) == (before.events, before.rows, before.lines)
        assert "already_dosed_today" in {r["code"] for r in give(moved, clinic).reasons}
        with pytest.raises(sa.exc.DBAPIError, match="is a record"), moved.db.begin() as tx:
            tx.execute(sa.text("DELETE FROM dose_attempt"))
    finally:
        moved.db.close()
