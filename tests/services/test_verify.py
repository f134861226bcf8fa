"""Tampering shows: a row changed, removed or inserted behind the program's back is named."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from ost import canonical
from ost.db import protect_sql, unprotect_sql
from ost.models import audit, dose, stock
from ost.services.outcome import Ending, end
from ost.services.verify import verify, write_heads
from ost.services.work import new_id
from tests.make import give, make_clinic


@pytest.fixture
def given(house):
    clinic = make_clinic(house)
    answer = give(house, clinic)
    end(house, clinic.nurse, Ending(answer.dose_id, "swallowed"))
    assert verify(house).passed
    return answer.dose_id


class Intruder:
    """Somebody with the database's own password, who takes the triggers away and puts them back."""

    def __init__(self, house, *tables: str):
        self.house, self.tables = house, tables

    def __enter__(self):
        self.context = self.house.db.begin()
        self.tx = self.context.__enter__()
        for table in self.tables:
            for statement in unprotect_sql(table, self.tx.dialect.name):
                self.tx.execute(sa.text(statement))
        return self.tx

    def __exit__(self, *error):
        for table in self.tables:
            for statement in protect_sql(table, self.tx.dialect.name):
                self.tx.execute(sa.text(statement))
        return self.context.__exit__(*error)


def problems(house, heads=None) -> list[dict]:
    return verify(house, heads).problems


def test_a_changed_row_is_named(house, given):
    with Intruder(house, "dose_outcome") as tx:
        tx.execute(sa.text("UPDATE dose_outcome SET swallowed_ug = 1 WHERE attempt = :id"), {"id": given})
    assert {"what": "a row was changed", "table": "dose_outcome", "key": given} in problems(house)


def test_a_removed_row_is_named(house, given):
    with Intruder(house, "dose_outcome") as tx:
        tx.execute(sa.text("DELETE FROM dose_outcome WHERE attempt = :id"), {"id": given})
    assert {"what": "a row was removed", "table": "dose_outcome", "key": given} in problems(house)


def test_an_inserted_row_is_named(house, given):
    observation = new_id()
    with house.db.begin() as tx:  # adding needs no trigger out of the way
        attempt = tx.execute(sa.select(dose.dose_attempt).where(dose.dose_attempt.c.id == given)).one()
        tx.execute(
            sa.insert(dose.dose_observation),
            {
                "id": observation,
                "attempt": given,
                "patient": attempt.patient,
                "kind": "vomited",
                "by": "nobody",
                "observed_at": attempt.promised_at,
                "at": attempt.promised_at,
            },
        )
    expected = {
        "what": "a row was inserted without an event",
        "table": "dose_observation",
        "key": observation,
    }
    assert expected in problems(house)


def test_an_event_rewritten_to_hide_a_row_is_named(house, given):
    with Intruder(house, "audit_event", "dose_outcome") as tx:
        e = audit.audit_event
        for event in tx.execute(sa.select(e)).all():
            rows = [row for row in json.loads(event.rows) if row[1] != given or row[0] != "dose_outcome"]
            tx.execute(
                sa.update(e)
                .where(e.c.site == event.site, e.c.number == event.number)
                .values(rows=canonical.text(rows))
            )
        tx.execute(sa.text("DELETE FROM dose_outcome WHERE attempt = :id"), {"id": given})
    assert "an event was changed or forged" in {p["what"] for p in problems(house)}


def test_an_event_taken_out_of_the_middle_is_named(house, given):
    with Intruder(house, "audit_event") as tx:
        tx.execute(sa.text("DELETE FROM audit_event WHERE site = 'HUA1' AND number = 2"))
    assert {"what": "events are missing", "site": "HUA1", "after": 1, "before": 3} in problems(house)


def test_a_cut_tail_shows_by_the_head_and_by_the_head_outside(house, given, tmp_path):
    write_heads(house, tmp_path)
    assert verify(house, tmp_path).passed
    with Intruder(house, "audit_event", "dose_outcome") as tx:
        last = tx.execute(sa.text("SELECT max(number) FROM audit_event WHERE site = 'HUA1'")).scalar()
        tx.execute(sa.text("DELETE FROM audit_event WHERE site = 'HUA1' AND number = :n"), {"n": last})
        tx.execute(sa.text("DELETE FROM dose_outcome WHERE attempt = :id"), {"id": given})
    assert "the chain's tail was cut or its head changed" in {p["what"] for p in problems(house)}
    # A careful intruder sets the head back too; the file outside still knows.
    with house.db.begin() as tx:
        before = tx.execute(
            sa.text("SELECT number, mac FROM audit_event WHERE site = 'HUA1' ORDER BY number DESC LIMIT 1")
        ).one()
        tx.execute(
            sa.text("UPDATE chain_head SET number = :n, mac = :m WHERE site = 'HUA1'"),
            {"n": before.number, "m": before.mac},
        )
    assert verify(house).passed
    assert [p["what"] for p in problems(house, tmp_path)] == [
        "the database lies behind a head written outside it"
    ]


def test_a_head_file_that_was_edited_is_named(house, given, tmp_path):
    write_heads(house, tmp_path)
    file = tmp_path / "HUA1.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"number": 1}))
    assert {"what": "a head outside the database was changed", "file": "HUA1.json"} in problems(
        house, tmp_path
    )


def test_a_register_that_does_not_add_up_is_named(house, given):
    with house.db.begin() as tx:
        bottle = tx.execute(sa.select(stock.bottle.c.id)).scalars().first()
        tx.execute(sa.update(stock.bottle).where(stock.bottle.c.id == bottle).values(balance_ul=1))
    assert {"what": "a bottle's balance is not its last line's", "bottle": bottle} in problems(house)


def test_every_record_table_is_under_the_chain_and_the_triggers(house, given):
    """A table that somebody adds to the models without the triggers is found here."""
    from ost.models import append_only_tables

    with house.read() as tx:
        if house.db.is_sqlite:
            found = (
                tx.execute(sa.text("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'"))
                .scalars()
                .all()
            )
        else:
            found = (
                tx.execute(sa.text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"))
                .scalars()
                .all()
            )
    assert sorted(found) == sorted(append_only_tables() * 2)
