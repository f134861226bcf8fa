"""The one MetaData, and the short words the tables are written in."""

from __future__ import annotations

import sqlalchemy as sa

from ost.db import Instant

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: An opaque id: a UUID as text, or the id the caller brought.
Id = sa.String(64)
#: A word from a closed list kept by the rules or the policy.
Word = sa.String(40)
#: Canonical JSON: text, so that its bytes, and so its digest, stay the same on both databases.
Json = sa.Text
Digest = sa.String(64)


def key(name: str = "id", type_=Id, **kw) -> sa.Column:
    return sa.Column(name, type_, primary_key=True, **kw)


def col(name: str, type_=Id, **kw) -> sa.Column:
    """A required column."""
    return sa.Column(name, type_, nullable=False, **kw)


def opt(name: str, type_=Id, **kw) -> sa.Column:
    """A column that may be empty."""
    return sa.Column(name, type_, nullable=True, **kw)


def ref(name: str, target: str, type_=Id, *, optional: bool = False, **kw) -> sa.Column:
    return sa.Column(name, type_, sa.ForeignKey(target), nullable=optional, **kw)


def record(name: str, *args) -> sa.Table:
    """A table whose rows are evidence: the database refuses UPDATE and DELETE,
    and every row's digest stands in the audit event of its transaction."""
    return sa.Table(name, metadata, *args, info={"record": True})


def table(name: str, *args) -> sa.Table:
    return sa.Table(name, metadata, *args)


def record_tables() -> list[sa.Table]:
    return [t for t in metadata.tables.values() if t.info.get("record")]


__all__ = [
    "Digest",
    "Id",
    "Instant",
    "Json",
    "Word",
    "col",
    "key",
    "metadata",
    "opt",
    "record",
    "ref",
    "table",
]
