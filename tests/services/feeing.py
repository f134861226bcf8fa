"""A tariff with invented amounts, and subjects to charge without a dose behind each."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from ost.models import fee
from ost.rules.fees import CLASSES, ITEMS, PER_DOSE
from ost.services.fees import charge
from ost.services.work import SYSTEM, House, new_id
from tests.make import make_account

DAY = date(2026, 3, 10)


def network(house: House, *roles: str):
    return make_account(house, *(roles or ("admin",)), scope="*", scope_kind="network")


def make_tariff(house: House, *, percent: int | None = 60, cap: int | None = None, county: str = "HUA", **amounts) -> None:
    """NT$500 to set up, 200 a dose, 300 a signature, unless said otherwise (None: not published)."""
    prices = {"set_up": 500, "per_dose": 200, "countersign": 300} | amounts
    marked = {"source": "invented for a test", "status": "weak", "by": "test"}
    with house.work(SYSTEM, None, "test.tariff") as work:
        for item in ITEMS:
            for patient_class in CLASSES:
                row = {"id": new_id(), "item": item, "patient_class": patient_class, "amount_ntd": prices[item]}
                dated = {"payer_share_percent": percent, "from_day": date(2020, 1, 1), "at": work.now}
                work.add(fee.fee_item, **row, **dated, **marked)
        for year in (2025, 2026, 2027) if cap is not None else ():
            for patient_class in CLASSES:
                named = {"id": new_id(), "county": county, "year": year, "patient_class": patient_class}
                work.add(fee.subsidy_cap, **named, cap_ntd=cap, at=work.now, **marked)


def subject(person: str, *, site: str = "TPE1", day: date = DAY, kind: str = PER_DOSE, home: str = "HUA1"):
    return charge.Subject(f"dose:{new_id()}", kind, person, "permit-1", home, site, day)


def charges(house: House, *order) -> list:
    f = fee.fee_charge
    with house.read() as tx:
        return list(tx.execute(sa.select(f).order_by(*(order or (f.c.day, f.c.at, f.c.id)))))


def used(house: House) -> dict:
    u = fee.subsidy_use
    with house.read() as tx:
        return {(r.county, r.year): r.used_ntd for r in tx.execute(sa.select(u))}
