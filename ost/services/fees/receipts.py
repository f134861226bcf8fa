"""What a person owes and paid: charges, payments written down at the desk, receipts. Takes no money itself.

A charge is on one receipt at most. A receipt is of one site, which was paid; a charge taken back after it was paid is
paid back with a receipt of its own, in negative numbers. Nothing here is asked for when a dose is decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical
from ost.errors import Refusal
from ost.models import fee
from ost.models.patient import patient
from ost.services.access import require
from ost.services.work import Actor, House, new_id

_F, _R, _U = fee.fee_charge, fee.fee_receipt, fee.subsidy_use
NUMBERS = "receipts"


@dataclass(frozen=True, slots=True)
class Charge:
    """Amounts None: not published. `receipt`: its number, once paid. `reverses`: of a charge taken back."""

    id: str
    kind: str
    day: date
    home_site: str
    site: str
    county: str
    amount_ntd: int | None
    payer_ntd: int | None
    own_ntd: int | None
    reverses: str | None
    receipt: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    number: int
    patient_number: str
    site: str
    lines: tuple[Charge, ...]
    total_ntd: int
    paid_ntd: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """`owed_ntd`: own shares not paid yet, of known amounts; `open_items`: charges nobody can put a sum to."""

    number: str
    charges: tuple[Charge, ...]
    receipts: tuple[Receipt, ...]
    owed_ntd: int
    open_items: int
    used: tuple[tuple[str, int, int], ...]  # county, year, NT$ of the subsidy


def of_patient(house: House, patient_id: str) -> Account:
    """Everything of one person, newest first: for the person's own page, whose session says who it is."""
    with house.read() as tx:
        return _account(tx, patient_id)


def of_patient_at(house: House, actor: Actor, patient_id: str, site_id: str) -> Account:
    """What concerns this site: as home site all of it, as guest site what it did itself.

    Refusal("patient_unknown") for somebody who is nobody's here.
    """
    require(house, actor, "fee.read", site_id)
    with house.read() as tx:
        account = _account(tx, patient_id)
        home = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar()
    if home == site_id:
        return account
    mine = tuple(c for c in account.charges if c.site == site_id)
    if not mine:
        raise Refusal("patient_unknown")
    receipts = tuple(r for r in account.receipts if r.site == site_id)
    return Account(account.number, mine, receipts, *_owed(mine), used=())


def unpaid_at(house: House, actor: Actor, site_id: str) -> list[tuple[str, str, int, int]]:
    """(patient, number, NT$ owed, open items) of everybody with something unpaid at this site, by number."""
    require(house, actor, "fee.read", site_id)
    query = (
        sa.select(_F, patient.c.number)
        .join_from(_F, patient, patient.c.id == _F.c.patient)
        .where(_F.c.site == site_id)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
        paid = _paid(tx, {r.patient for r in rows})
    people: dict[tuple[str, str], list] = {}
    for r in rows:
        if r.id not in paid:
            people.setdefault((r.number, r.patient), []).append(r)
    found = [(person, number, *_owed(charges)) for (number, person), charges in sorted(people.items())]
    return [row for row in found if row[2] or row[3]]


def pay(
    house: House, actor: Actor, patient_id: str, site_id: str, charges: Iterable[str], paid_ntd: int | None
) -> int:
    """Write down that the person paid these charges here, whole. Returns the receipt's number.

    Refusal("fee_charge_not_open") where one is paid, unknown, of another site or without an amount;
    ("fee_paid_differs") where the sum is another. The same charges again: the same receipt.
    """
    require(house, actor, "fee.settle", site_id)
    wanted = sorted(set(charges))
    if not wanted:
        raise Refusal("fee_charge_not_open")
    with house.work(actor, site_id, "fee.paid", patient=patient_id) as work:
        if patient_id not in work.lock_patients([patient_id]):
            raise Refusal("patient_unknown")
        account = _account(work.tx, patient_id)
        known = {c.id: c for c in account.charges if c.site == site_id}
        if not set(wanted) <= known.keys():
            raise Refusal("fee_charge_not_open")
        before = {known[id_].receipt for id_ in wanted}
        if len(before) == 1 and (number := before.pop()) is not None:
            receipt = next(r for r in account.receipts if r.number == number)
            if {c.id for c in receipt.lines} == set(wanted) and receipt.paid_ntd == paid_ntd:
                return number  # the form was sent twice
        if any(known[id_].receipt is not None or known[id_].own_ntd is None for id_ in wanted):
            raise Refusal("fee_charge_not_open")
        total = sum(known[id_].own_ntd for id_ in wanted)
        if paid_ntd != total:
            raise Refusal("fee_paid_differs", total=total)
        number = work.next_change_no(NUMBERS)
        work.add(
            _R,
            id=new_id(),
            number=number,
            patient=patient_id,
            site=site_id,
            charges=canonical.text(wanted),
            total_ntd=total,
            paid_ntd=paid_ntd,
            by=actor.id,
            at=work.now,
        )
        work.payload |= {"receipt": number}
        return number


def receipt(house: House, actor: Actor, number: int, site_id: str) -> Receipt:
    """One receipt of this site. Refusal("fee_receipt_unknown")."""
    require(house, actor, "fee.read", site_id)
    found = _receipt(house, number)
    if found is None or found[1].site != site_id:
        raise Refusal("fee_receipt_unknown")
    return found[1]


def own_receipt(house: House, patient_id: str, number: int) -> Receipt:
    """One of the person's own; of anybody else's it says the same as of none."""
    found = _receipt(house, number)
    if found is None or found[0] != patient_id:
        raise Refusal("fee_receipt_unknown")
    return found[1]


# --- within ------------------------------------------------------------------


def _receipt(house: House, number: int) -> tuple[str, Receipt] | None:
    with house.read() as tx:
        who = tx.execute(sa.select(_R.c.patient).where(_R.c.number == number)).scalar()
        if who is None:
            return None
        return who, next(r for r in _account(tx, who).receipts if r.number == number)


def _account(tx: Connection, patient_id: str) -> Account:
    number = tx.execute(sa.select(patient.c.number).where(patient.c.id == patient_id)).scalar()
    if number is None:
        raise Refusal("patient_unknown")
    paid = _paid(tx, {patient_id})
    rows = tx.execute(
        sa.select(_F).where(_F.c.patient == patient_id).order_by(_F.c.day.desc(), _F.c.at.desc(), _F.c.id)
    )
    charges = tuple(
        Charge(
            r.id,
            r.kind,
            r.day,
            r.home_site,
            r.site,
            r.county,
            r.amount_ntd,
            r.payer_ntd,
            r.own_ntd,
            r.reverses,
            paid.get(r.id),
        )
        for r in rows
    )
    by_id = {c.id: c for c in charges}
    receipts = tuple(
        Receipt(
            r.number,
            number,
            r.site,
            tuple(sorted((by_id[i] for i in json.loads(r.charges)), key=lambda c: (c.day, c.kind, c.id))),
            r.total_ntd,
            r.paid_ntd,
            r.at,
        )
        for r in tx.execute(sa.select(_R).where(_R.c.patient == patient_id).order_by(_R.c.number.desc()))
    )
    use = sa.select(_U.c.county, _U.c.year, _U.c.used_ntd).where(_U.c.patient == patient_id)
    used = tuple(tuple(r) for r in tx.execute(use.order_by(_U.c.year.desc(), _U.c.county)))
    unpaid = [c for c in charges if c.receipt is None]
    return Account(number, charges, receipts, *_owed(unpaid), used=used)


def _paid(tx: Connection, people: set[str]) -> dict[str, int]:
    """{charge: receipt's number}."""
    rows = tx.execute(sa.select(_R.c.number, _R.c.charges).where(_R.c.patient.in_(people)))
    return {charge: r.number for r in rows for charge in json.loads(r.charges)}


def _owed(charges: Iterable) -> tuple[int, int]:
    """(NT$, open items) of charges not paid. A taken-back charge of unknown amount takes its open item back too."""
    unpaid = [c for c in charges if getattr(c, "receipt", None) is None]
    unknown = sum(-1 if c.reverses else 1 for c in unpaid if c.own_ntd is None)
    return sum(c.own_ntd or 0 for c in unpaid), max(0, unknown)
