"""A person's own key: made once, wrapped, and what is sealed with it.

Associated data is "person|table|field", so that a value moved to another
person, table or column fails to open. Destroying the key forgets the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import keys
from ost.keys import KeyRing
from ost.models import patient
from ost.services.work import Work

_KEY = sa.select(patient.person_key.c.wrapped).where(patient.person_key.c.person == sa.bindparam("person"))


def make_person_key(work: Work, person: str) -> bytes:
    """A new key for `person`, stored wrapped."""
    key, wrapped = work.keys.new_person_key(person)
    work.add(patient.person_key, person=person, wrapped=wrapped, destroyed_at=None)
    return key


def person_key(tx: Connection, ring: KeyRing, person: str) -> bytes:
    """The person's key, opened. `keys.SealBroken` when there is none any more."""
    return ring.open_person_key(person, tx.execute(_KEY, {"person": person}).scalar_one_or_none())


def person_keys(tx: Connection, ring: KeyRing, people: Iterable[str]) -> dict[str, bytes]:
    """The opened keys of many at once; `keys.SealBroken` when one of them has none any more."""
    who, k = set(people), patient.person_key
    wrapped = dict(tx.execute(sa.select(k.c.person, k.c.wrapped).where(k.c.person.in_(who))).all())
    return {person: ring.open_person_key(person, wrapped.get(person)) for person in who}


def seal(key: bytes, person: str, table: str, field: str, value: bytes | str | date | None) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str):
        value = value.encode()
    return keys.seal(key, value, f"{person}|{table}|{field}")


def unseal(key: bytes, person: str, table: str, field: str, sealed: bytes | None) -> bytes | None:
    return None if sealed is None else keys.unseal(key, bytes(sealed), f"{person}|{table}|{field}")


def unseal_text(key: bytes, person: str, table: str, field: str, sealed: bytes | None) -> str | None:
    opened = unseal(key, person, table, field, sealed)
    return None if opened is None else opened.decode()
