"""Fee items and yearly caps: loaded from the file of the country, added by people with a source, never changed.

Of rows for the same day the payer's own wins over everywhere's, and the newest over the older.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from config.settings import ROOT
from ost import canonical
from ost.errors import Refusal
from ost.models import fee
from ost.rules import access
from ost.rules.counties import COUNTIES
from ost.rules.fees import CLASSES, ITEMS
from ost.services.work import SYSTEM, Actor, House, Work

FILES = {"tw": ROOT / "config" / "network" / "fees_tw.toml"}
STATUSES = ("law", "guideline", "weak", "open")
MOST_NTD = 1_000_000
LOADED = "file"

_I, _C = fee.fee_item, fee.subsidy_cap
_SPACE = uuid.UUID("6b7d1c0e-54b1-4c58-9a0a-8a2d3f0f7c11")


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    item: str
    county: str | None
    patient_class: str
    amount_ntd: int | None
    payer_share_percent: int | None
    from_day: date
    to_day: date | None
    source: str
    status: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Cap:
    id: str
    county: str
    year: int
    patient_class: str
    cap_ntd: int | None
    source: str
    status: str
    by: str
    at: datetime


def load(house: House, path: Path | None = None) -> int:
    """Bring in what the country's file holds and is not there yet. How many rows; again: none."""
    path = path or FILES.get(house.policy_name)
    if path is None:
        return 0
    with path.open("rb") as file:
        found = tomllib.load(file)
    try:
        with house.work(SYSTEM, None, "fees.loaded") as work:
            count = _add_new(work, _I, _items_of(found)) + _add_new(work, _C, _caps_of(found))
            if count:
                work.payload["rows"] = count
            return count
    except IntegrityError:
        return 0  # another process loads the very same rows


def add_item(
    house: House,
    actor: Actor,
    *,
    item: str,
    county: str | None,
    patient_class: str,
    amount_ntd: int | None,
    payer_share_percent: int | None,
    from_day: date | None,
    to_day: date | None,
    source: str,
    status: str,
) -> str:
    """A dated row. For a county by whoever settles fees there, for everywhere by whoever does so in the network.

    Refusal("input_invalid") names every wrong field.
    """
    _may(house, actor, county)
    wrong = _wrong(patient_class, county or None, source, status)
    if item not in ITEMS:
        wrong["item"] = ["not_a_choice"]
    if not _amount(amount_ntd):
        wrong["amount_ntd"] = ["fee_amount_wrong"]
    if payer_share_percent is not None and not 0 <= payer_share_percent <= 100:
        wrong["payer_share_percent"] = ["fee_share_wrong"]
    if from_day is None:
        wrong["from_day"] = ["field_needed"]
    elif to_day is not None and to_day < from_day:
        wrong["to_day"] = ["fee_days_wrong"]
    if wrong:
        raise Refusal("input_invalid", fields=wrong)
    row = {
        "item": item,
        "county": county or None,
        "patient_class": patient_class,
        "amount_ntd": amount_ntd,
        "payer_share_percent": payer_share_percent,
        "from_day": from_day,
        "to_day": to_day,
        "source": source.strip(),
        "status": status,
    }
    return _add(house, actor, _I, row)


def add_cap(
    house: House,
    actor: Actor,
    *,
    county: str,
    year: int | None,
    patient_class: str,
    cap_ntd: int | None,
    source: str,
    status: str,
) -> str:
    """A year's cap of one county. Refusal("input_invalid") names every wrong field."""
    _may(house, actor, county or None)
    wrong = _wrong(patient_class, county or "-", source, status)
    if year is None or not 2000 <= year <= 2200:
        wrong["year"] = ["fee_days_wrong"]
    if not _amount(cap_ntd):
        wrong["cap_ntd"] = ["fee_amount_wrong"]
    if wrong:
        raise Refusal("input_invalid", fields=wrong)
    row = {
        "county": county,
        "year": year,
        "patient_class": patient_class,
        "cap_ntd": cap_ntd,
        "source": source.strip(),
        "status": status,
    }
    return _add(house, actor, _C, row)


def item_in_force(tx: Connection, item: str, county: str, patient_class: str, day: date) -> Item | None:
    query = (
        sa.select(_I)
        .where(
            _I.c.item == item,
            _I.c.patient_class == patient_class,
            sa.or_(_I.c.county == county, _I.c.county.is_(None)),
            _I.c.from_day <= day,
            sa.or_(_I.c.to_day.is_(None), _I.c.to_day >= day),
        )
        .order_by(_I.c.county.is_(None), _I.c.at.desc(), _I.c.from_day.desc(), _I.c.id)
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return Item(*row) if row else None


def cap_in_force(tx: Connection, county: str, year: int, patient_class: str) -> Cap | None:
    query = (
        sa.select(_C)
        .where(_C.c.county == county, _C.c.year == year, _C.c.patient_class == patient_class)
        .order_by(_C.c.at.desc(), _C.c.id)
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return Cap(*row) if row else None


def all_rows(house: House) -> tuple[list[Item], list[Cap]]:
    with house.read() as tx:
        return items(tx), caps(tx)


def items(tx: Connection) -> list[Item]:
    """Every row, as they apply: newest first within an item."""
    query = sa.select(_I).order_by(_I.c.item, _I.c.county, _I.c.patient_class, _I.c.from_day.desc(), _I.c.at.desc())
    return [Item(*row) for row in tx.execute(query)]


def caps(tx: Connection) -> list[Cap]:
    query = sa.select(_C).order_by(_C.c.year.desc(), _C.c.county, _C.c.patient_class, _C.c.at.desc())
    return [Cap(*row) for row in tx.execute(query)]


# --- within ------------------------------------------------------------------


def _items_of(found: dict) -> Iterator[dict]:
    for each in found.get("items", ()):
        for patient_class in each["classes"]:
            for county in each.get("counties", (None,)):
                yield {
                    "item": each["item"],
                    "county": county,
                    "patient_class": patient_class,
                    "amount_ntd": each.get("amount_ntd"),
                    "payer_share_percent": each.get("payer_share_percent"),
                    "from_day": each["from_day"],
                    "to_day": each.get("to_day"),
                    "source": each["source"],
                    "status": each["status"],
                }


def _caps_of(found: dict) -> Iterator[dict]:
    for each in found.get("caps", ()):
        for county in each["counties"]:
            yield {
                "county": county,
                "year": each["year"],
                "patient_class": each["class"],
                "cap_ntd": each.get("cap_ntd"),
                "source": each["source"],
                "status": each["status"],
            }


def _add_new(work: Work, table: sa.Table, rows: Iterator[dict]) -> int:
    """A row's id is made of what it says: the same again is the same row."""
    fresh = {str(uuid.uuid5(_SPACE, f"{table.name}|{canonical.text(row)}")): row for row in rows}
    known = set(work.tx.execute(sa.select(table.c.id).where(table.c.id.in_(fresh))).scalars())
    rows = [{"id": id_, **row, "by": LOADED, "at": work.now} for id_, row in fresh.items() if id_ not in known]
    work.add_many(table, rows)
    return len(rows)


def _add(house: House, actor: Actor, table: sa.Table, row: dict) -> str:
    with house.work(actor, None, f"{table.name}.added") as work:
        id_ = str(uuid.uuid4())
        work.add(table, id=id_, **row, by=actor.id, at=work.now)
        work.payload |= {"row": id_}
    return id_


def _may(house: House, actor: Actor, county: str | None) -> None:
    if not access.may(actor.grants, "fee.settle", None, county):
        raise Refusal("not_permitted", permission="fee.settle")


def _wrong(patient_class: str, county: str | None, source: str, status: str) -> dict:
    wrong: dict = {}
    if patient_class not in CLASSES:
        wrong["patient_class"] = ["not_a_choice"]
    if county is not None and county not in COUNTIES:
        wrong["county"] = ["not_a_choice"]
    if not source.strip() or len(source.strip()) > 200:
        wrong["source"] = ["fee_source_needed"]
    if status not in STATUSES:
        wrong["status"] = ["not_a_choice"]
    return wrong


def _amount(value: int | None) -> bool:
    return value is None or 0 <= value <= MOST_NTD
