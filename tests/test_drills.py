"""The double-dose drill, small: it passes on both engines, and it fails when what it watches over is broken."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa

from ost.bench.network import network
from ost.drills import double_dose as drill
from ost.models import base

ENGINES = ("sqlite", "postgresql")
pytestmark = pytest.mark.drill


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize("engine", ENGINES)
def test_the_drill_passes_and_counts_what_it_says(engine):
    done = drill.double_dose((engine,), requests=8, kills=1, tell=quiet, seed=7)
    assert done["passed"] is True, done
    same, last, killed = (done[engine][part] for part in ("same_slot", "last_bottle", "killed"))
    assert (same["promised"], same["refused_with_the_true_reason"], same["attempts_in_database"]) == (1, 7, 1)
    assert (last["promised"], last["refused_for_the_bottle"], last["left_ul"]) == (3, 17, 0)
    assert killed["promises_acknowledged"] > 0
    assert (killed["promises_lost"], killed["outcomes_lost"], killed["dosed_twice"]) == (0, 0, 0)
    assert killed["interrupted_that_block"] == killed["interrupted_not_known"]


@pytest.fixture
def made():
    with network("sqlite", sites=2) as made:
        yield made


def unprotected(made) -> sa.Connection:
    """As somebody with the file in hand: triggers gone, keys off."""
    connection = made.house.db.engine.connect()
    connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
    triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
    for name in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    return connection


def test_a_second_dose_in_one_slot_fails_the_drill(made):
    """A writer that does not look, in a database without its key: the drill sees the second attempt."""
    connection = unprotected(made)
    connection.exec_driver_sql("DROP INDEX one_dose_per_person_day_slot")
    columns = [c.name for c in base.metadata.tables["dose_attempt"].columns]
    listed = ", ".join(columns)
    copied = ", ".join("NEW.id || '-x'" if c == "id" else f"NEW.{c}" for c in columns)
    connection.exec_driver_sql("PRAGMA recursive_triggers=OFF")
    connection.exec_driver_sql(
        "CREATE TRIGGER twice AFTER INSERT ON dose_attempt WHEN NEW.id NOT LIKE '%-x' "
        f"BEGIN INSERT INTO dose_attempt ({listed}) VALUES ({copied}); END"
    )
    connection.commit()
    connection.close()
    done = drill.same_slot(made, 4)
    assert done["passed"] is False
    assert (done["attempts_in_database"], done["verified"]) == (2, False)


def test_a_changed_row_fails_the_drill(made):
    person = made.people(1)[0]
    connection = unprotected(made)
    connection.exec_driver_sql("UPDATE prescription SET dose_ug = dose_ug + 1000 WHERE patient = ?", (person,))
    connection.commit()
    connection.close()
    done = drill.last_bottle(made)
    assert (done["promised"], done["left_ul"]) == (3, 0)
    assert done["verified"] is False
    assert done["passed"] is False


def test_a_lost_promise_fails_the_drill(made, monkeypatch):
    """Between the kill and the count somebody takes an acknowledged dose out of the database."""
    real = drill._after_the_kills

    def after(network, people, tried, acknowledged, ended, kills):
        connection = unprotected(made)
        connection.exec_driver_sql("DELETE FROM dose_attempt WHERE id = ?", (next(iter(acknowledged)),))
        connection.commit()
        connection.close()
        return real(network, people, tried, acknowledged, ended, kills)

    monkeypatch.setattr(drill, "_after_the_kills", after)
    done = drill.killed_and_restarted(made, 1, random.Random(3))
    assert done["promises_lost"] == 1
    assert done["passed"] is False
