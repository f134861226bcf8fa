"""The database itself refuses to change a record, on both engines; the register cannot be written wrong."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from ost import models
from ost.models import base
from ost.models.stock import bottle, register_line
from tests.make import make_bottle, make_clinic, make_site

RECORDS = sorted(models.append_only_tables())


def first_row(database, table):
    with database.read() as tx:
        return tx.execute(sa.select(table).limit(1)).first()


@pytest.fixture
def anything(house):
    """One row in each record table, whatever it says: foreign keys off, as a thief with the file would have it."""
    make_clinic(house)
    sqlite = house.db.is_sqlite
    with house.db.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        if sqlite:
            raw.execute("PRAGMA foreign_keys=OFF")  # before the transaction: within one it does nothing
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for name in RECORDS:
            table = base.metadata.tables[name]
            if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0:
                connection.execute(sa.insert(table), {c.name: _some(c) for c in table.columns})
        connection.commit()
        if sqlite:
            raw.execute("PRAGMA foreign_keys=ON")
    return house.db


def _some(column):
    from ost.db import Instant

    if column.nullable:
        return None
    if isinstance(column.type, Instant):
        from ost import clock

        return clock.now()
    kind = column.type.python_type
    return {str: "x", int: 1, bool: True, date: date(2026, 1, 1), bytes: b"x"}[kind]


def test_every_record_table_refuses_update_and_delete(anything):
    for name in RECORDS:
        refuses_every_change(anything, name)


def refuses_every_change(anything, name):
    table = base.metadata.tables[name]
    before = first_row(anything, table)
    assert before is not None
    column = next(c for c in table.columns if not c.primary_key)
    tries = [
        sa.update(table).values({column.name: getattr(before, column.name)}),  # even to the same value
        sa.delete(table),
    ]
    if anything.is_sqlite:
        keys = ", ".join(c.name for c in table.columns)
        tries.append(sa.text(f"INSERT OR REPLACE INTO {name} ({keys}) SELECT {keys} FROM {name}"))
    else:
        tries.append(sa.text(f"TRUNCATE {name} CASCADE"))
    for statement in tries:
        with pytest.raises(DBAPIError, match="is a record: rows are added, never changed"), anything.begin() as tx:
            tx.execute(statement)
    assert first_row(anything, table) == before


def test_every_table_that_says_record_is_on_the_list():
    told = {
        t.name for t in base.metadata.tables.values() if t.info.get("record") or t.info.get("append_only")
    }
    assert told == set(RECORDS)
    assert {"register_line", "dose_attempt", "dose_outcome", "audit_event", "record_access"} <= told


# --- the register, written by hand -------------------------------------------------


def line(number: int, change: int, balance: int, previous: int | None, **values) -> dict:
    from ost import clock

    return {
        "bottle": "M-1",
        "line": number,
        "previous_line": None if number == 1 else number - 1,
        "previous_balance_ul": previous,
        "change_ul": change,
        "balance_ul": balance,
        "kind": "dispensed",
        "site": "HUA1",
        "day": date(2026, 3, 10),
        "by": "somebody",
        "at": clock.now(),
        **values,
    }


WRONG = {
    "a gap": line(4, -10, 80, 90),
    "a wrong sum": line(3, -10, 90, 90),
    "a balance out of thin air": line(3, 0, 500, 500),
    "the line before with another balance": line(3, -10, 90, 100),
    "a second first line": line(1, 500, 500, None),
    "a first line in the middle": line(3, 500, 500, None, previous_line=None),
    "a fork": line(2, -20, 80, 100),
    "pointing at itself": line(3, 0, 90, 90, previous_line=3),
    "pointing back": line(3, -10, 90, 100, previous_line=1),
    "another bottle's line": line(3, -10, 80, 90, bottle="M-2"),
    "below zero": line(3, -91, -1, 90),
    "no bottle": line(1, 5, 5, None, bottle="M-9"),
}


@pytest.fixture
def book(house):
    """M-1: received 100, dispensed 10."""
    make_site(house)
    make_bottle(house, bottle_id="M-1", volume_ul=100)
    make_bottle(house, bottle_id="M-2", volume_ul=100)
    with house.db.begin() as tx:
        tx.execute(sa.insert(register_line), line(2, -10, 90, 100))
    return house.db


@pytest.mark.parametrize("name", WRONG)
def test_a_register_cannot_be_written_wrong(book, name):
    with pytest.raises(IntegrityError), book.begin() as tx:
        tx.execute(sa.insert(register_line), WRONG[name])
    with book.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(register_line)).scalar() == 3


def test_the_right_line_can_be_written(book):
    with book.begin() as tx:
        tx.execute(sa.insert(register_line), line(3, -90, 0, 90))


def test_a_head_cannot_fall_below_zero(book):
    with pytest.raises(IntegrityError), book.begin() as tx:
        tx.execute(sa.update(bottle).where(bottle.c.id == "M-1").values(balance_ul=-1))
