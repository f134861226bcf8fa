"""What is kept: one noun per file, SQLAlchemy Core tables.

Core and not mapped classes: rows are read once into the rules' frozen facts
and written once as values; there is no object to keep in step with them, and
the dose path pays for nothing else.
"""

from ost.models import (
    audit,
    closure,
    dose,
    fee,
    guest,
    identity,
    lookup,
    message,
    opening,
    patient,
    portal,
    prescription,
    reader,
    site,
    staff,
    station,
    stock,
)
from ost.models.base import metadata, record_tables

__all__ = [
    "append_only_tables",
    "audit",
    "closure",
    "dose",
    "fee",
    "guest",
    "identity",
    "lookup",
    "message",
    "metadata",
    "opening",
    "patient",
    "portal",
    "prescription",
    "reader",
    "record_tables",
    "site",
    "staff",
    "station",
    "stock",
]


def append_only_tables() -> list[str]:
    """Names of all tables that refuse UPDATE and DELETE."""
    return [t.name for t in record_tables()] + [audit.audit_event.name]
