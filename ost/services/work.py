"""One transaction and its audit event.

    with House(db, keys, policies).work(actor, site, "dose.promised") as work:
        work.lock_patients([patient_id])
        work.add(dose.dose_attempt, id=..., ...)

Everything added to a record table is digested; leaving normally writes one
event into the site's chain (locked last) and commits. Leaving by an exception
keeps nothing. Decides nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ost import canonical, clock
from ost.db import Database
from ost.keys import KeyRing
from ost.models import audit, patient

#: Chain of what belongs to no site (sign-in before a site is known, accounts).
NETWORK = "NET"
GENESIS = "0" * 64

# Statements of every transaction, built once: building one costs more than the database's answer.
_LOCK_PATIENTS = (
    sa.select(patient.patient)
    .where(patient.patient.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(patient.patient.c.id)
    .with_for_update()
)
_HEADS = audit.chain_head
_LOCK_HEAD = (
    sa.select(_HEADS.c.number, _HEADS.c.mac).where(_HEADS.c.site == sa.bindparam("head")).with_for_update()
)
_MOVE_HEAD = (
    sa.update(_HEADS)
    .where(_HEADS.c.site == sa.bindparam("head"))
    .values(number=sa.bindparam("new_number"), mac=sa.bindparam("new_mac"))
)


@cache
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


# Two writers may meet a chain or a counter nobody has used yet; both dialects know this form.
_NEW_HEAD = sa.text(
    "INSERT INTO chain_head (site, number, mac) VALUES (:site, 0, :mac) ON CONFLICT DO NOTHING"
)
_NEW_COUNTER = sa.text("INSERT INTO change_counter (name, value) VALUES (:name, 0) ON CONFLICT DO NOTHING")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an account, and the roles it holds where. `id` is opaque."""

    id: str
    grants: tuple = ()  # ost.rules.access.Grant
    device: str = ""
    session: str | None = None


SYSTEM = Actor("system")


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class Work:
    """An open write transaction. `now` is the one time everything in it bears.

    It is read again once the patients are locked: whoever waited for that lock
    must not decide with a time from before what the other one wrote.
    """

    tx: Connection
    keys: KeyRing
    actor: Actor
    site: str
    kind: str
    now: datetime
    patient: str | None = None
    payload: dict = field(default_factory=dict)
    _rows: list = field(default_factory=list)
    _clock: Callable[[], datetime] | None = None

    def lock_patients(self, ids: Iterable[str]) -> dict[str, sa.Row]:
        """Lock patient rows, in order of id. First lock of a transaction."""
        rows = self.tx.execute(_LOCK_PATIENTS, {"ids": sorted(set(ids))}).all()
        if self._clock is not None and not self._rows:
            self.now = self._clock()
        return {row.id: row for row in rows}

    def add(self, table: sa.Table, **values) -> dict:
        """Insert one row; a record row is digested for the event."""
        self.tx.execute(_insert(table), values)
        if table.info.get("record"):
            self._rows.append(row_digest(table, values))
        return values

    def add_unless_there(self, table: sa.Table, values: dict) -> bool:
        """Insert one row unless its key is taken, also by somebody who commits in this moment. Whether it was added."""
        insert = (sqlite if self.tx.dialect.name == "sqlite" else postgresql).insert(table)
        first = table.primary_key.columns.values()[0]
        query = insert.values(**values).on_conflict_do_nothing().returning(first)
        added = self.tx.execute(query).scalar_one_or_none() is not None
        if added and table.info.get("record"):
            self._rows.append(row_digest(table, values))
        return added

    def add_many(self, table: sa.Table, rows: list[dict]) -> None:
        if not rows:
            return
        self.tx.execute(_insert(table), rows)
        if table.info.get("record"):
            self._rows.extend(row_digest(table, values) for values in rows)

    def next_change_no(self, name: str = "gallery") -> int:
        """The next change number; its counter row stays locked until the commit."""
        counters = patient.change_counter
        value = self.tx.execute(
            sa.update(counters)
            .where(counters.c.name == name)
            .values(value=counters.c.value + 1)
            .returning(counters.c.value)
        ).scalar_one_or_none()
        if value is None:
            # First use ever: whoever comes second finds the row and adds to it.
            self.tx.execute(_NEW_COUNTER, {"name": name})
            return self.next_change_no(name)
        return value

    def close(self) -> None:
        """Write the event. Its number is the locked head + 1, never a sequence."""
        head = self.tx.execute(_LOCK_HEAD, {"head": self.site}).one_or_none()
        if head is None:
            self.tx.execute(_NEW_HEAD, {"site": self.site, "mac": GENESIS})
            head = self.tx.execute(_LOCK_HEAD, {"head": self.site}).one()
        number, previous = head
        event = {
            "site": self.site,
            "number": number + 1,
            "at": self.now,
            "actor": self.actor.id,
            "kind": self.kind,
            "patient": self.patient,
            "payload": canonical.text(self.payload),
            "rows": canonical.text(self._rows),
            "previous_mac": previous,
        }
        event["mac"] = self.keys.chain_mac(canonical.text(event))
        self.tx.execute(_insert(audit.audit_event), event)
        self.tx.execute(
            _MOVE_HEAD, {"head": self.site, "new_number": event["number"], "new_mac": event["mac"]}
        )

    @property
    def touched(self) -> bool:
        return bool(self._rows or self.payload)


def row_digest(table: sa.Table, values: dict) -> list:
    """[table, key, digest]: columns left out count as NULL."""
    complete = {c.name: values.get(c.name) for c in table.columns}
    key = "|".join(str(canonical.plain(complete[c.name])) for c in table.primary_key.columns)
    return [table.name, key, canonical.digest(complete)]


@dataclass(slots=True)
class House:
    """What every service needs: database, keys, settings-free policies, a clock."""

    db: Database
    keys: KeyRing
    policy_name: str = "tw"
    demo: bool = False
    backdate_days: int = 3
    now: Callable[[], datetime] = clock.now
    #: Things that never change once true (a policy version that is kept), per process.
    memo: dict = field(default_factory=dict)

    @contextmanager
    def work(
        self, actor: Actor, site: str | None, kind: str, *, patient: str | None = None
    ) -> Iterator[Work]:
        """A write transaction that ends with one audit event at `site`'s chain.

        Nothing recorded and no payload: no event either (nothing happened).
        """
        with self.db.begin() as tx:
            work = Work(
                tx, self.keys, actor, site or NETWORK, kind, self.now(), patient, _clock=self.now
            )
            yield work
            if work.touched:
                work.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.db.read() as tx:
            yield tx


def loads(text: str | None):
    return None if text is None else json.loads(text)
