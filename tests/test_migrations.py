"""Every migration up, down and with data, on both databases; the triggers stand after each, and the last ends at the models."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ost import clock, keys
from ost.db import Database, alembic_config, downgrade, migrate
from ost.models import append_only_tables, metadata
from ost.models.station import identity_evidence
from ost.services import amend
from ost.services.outcome import Ending, end
from ost.services.promise import Identity
from ost.services.verify import verify
from ost.services.work import House
from ost.startup import head_revision, revision
from tests.make import give, make_clinic, make_patient, make_prescription, make_witness
from tests.plugins.databases import KINDS
from tests.touch import enrol, make_station


@pytest.fixture(params=KINDS)
def empty(request, databases):
    with databases.empty(request.param) as url:
        database = Database(url)
        yield database
        database.close()


def revisions(database) -> list[str]:
    """From the first to the last."""
    script = ScriptDirectory.from_config(alembic_config(database))
    return [each.revision for each in reversed(list(script.walk_revisions()))]


def tables(database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}


def protected(database) -> set[str]:
    """Tables with both of their triggers."""
    if database.is_sqlite:
        query = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
        endings = ("_no_update", "_no_delete")
    else:
        query = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
        endings = ("_no_change", "_no_truncate")
    with database.read() as tx:
        found = {tuple(row) for row in tx.execute(sa.text(query))}
    return {table for table, _ in found if all((table, table + ending) in found for ending in endings)}


def a_morning(database) -> House:
    """Rows in many tables, among them a dose that replaces another, a void and an observation."""
    house = House(database, keys.ephemeral(), demo=True)
    clinic = make_clinic(house)
    first = give(house, clinic)
    end(house, clinic.nurse, Ending(first.dose_id, "not_given", disposition="residue"))
    second = give(house, clinic)
    end(house, clinic.nurse, Ending(second.dose_id, "swallowed"))
    amend.observe(house, clinic.nurse, second.dose_id, "vomited")
    token = make_witness(house, clinic.second, second.dose_id)
    amend.void(house, clinic.nurse, second.dose_id, reason="entered_twice", witness=token)
    give(house, clinic)
    assert verify(house).passed
    return house


def test_up_to_each_and_the_triggers_stand(empty):
    before: set[str] = set()
    for each in revisions(empty):
        migrate(empty, each)
        assert revision(empty) == each
        records = set(append_only_tables()) & tables(empty)
        assert records - protected(empty) == set(), f"{each} leaves records without their triggers"
        assert before <= protected(empty), f"{each} took triggers away"
        before = protected(empty)
    assert before == set(append_only_tables())


def test_the_last_ends_at_the_models(empty):
    migrate(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    # SQLite says nothing of the names of some keys; what it does say must be right.
    assert [step for step in found if _matters(step)] == []
    assert tables(empty) == set(metadata.tables)


def _matters(step) -> bool:
    name = step[0] if isinstance(step, tuple) else step[0][0]
    return name in (
        "add_table",
        "remove_table",
        "add_column",
        "remove_column",
        "modify_nullable",
        "add_index",
    )


def test_again_is_harmless_and_keeps_every_row(empty):
    migrate(empty)
    house = a_morning(empty)
    before = verify(house)
    migrate(empty)
    after = verify(house)
    assert after.passed and (after.events, after.rows) == (before.events, before.rows)


def test_down_and_up_again_without_data(empty):
    migrate(empty)
    downgrade(empty, "base")
    assert tables(empty) == set()
    migrate(empty)
    assert protected(empty) == set(append_only_tables())


def test_down_and_up_again_with_data(empty):
    """Step by step, down to nothing: what a migration made it can take away, whatever lies in it."""
    migrate(empty)
    a_morning(empty)
    for each in [*reversed(revisions(empty)[:-1]), "base"]:
        downgrade(empty, each)
    assert tables(empty) == set()
    migrate(empty)
    a_morning(empty)
    assert revision(empty) == head_revision(empty)


def test_a_house_of_the_first_revision_goes_on_under_the_last(empty):
    """Doses, stations and fingers of before the readers of revision 0002: each row holds, and their fingers call them."""
    migrate(empty)
    house = House(empty, keys.ephemeral(), demo=True)
    clinic = make_clinic(house)
    person = make_patient(house)
    make_prescription(house, person, elsewhere_on=clock.now().date() - timedelta(days=1))
    enrol(house, person, 101)
    station = make_station(house)
    before = verify(house)
    downgrade(empty, "0001")  # none of these rows lies in a table of 0002, but for one that is working state
    migrate(empty)
    after = verify(house)
    assert after.passed and (after.events, after.rows) == (before.events, before.rows)
    assert station.touch(101).result == "shown"
    with house.read() as tx:
        seen = tx.execute(sa.select(identity_evidence)).one()
    assert seen.patient == person
    answer = give(house, clinic, patient_id=person, identity=Identity("finger", seen.capture))
    assert answer.state == "promised", answer
    assert verify(house).passed


def test_from_each_with_data_to_the_last(empty):
    """Rows written under an earlier revision are all there, and still hold, under the last."""
    for each in revisions(empty):
        migrate(empty, each)
        if tables(empty) < set(metadata.tables):
            continue  # today's services write only into the tables of today
        house = a_morning(empty)
        migrate(empty)
        assert verify(house).passed
        return
    raise AssertionError("no revision holds the tables of the models")
