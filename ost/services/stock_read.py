"""Read bottles, the register of each, and the sums of a period. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from ost import clock
from ost.errors import Refusal
from ost.models import dose, patient, site, staff
from ost.models.stock import bottle, product, register_line
from ost.services import register
from ost.services.access import may, require
from ost.services.work import Actor, House

#: The words of a period's sums, in the order of the printed book.
SUMS = (
    register.RECEIVED,
    register.DISPENSED,
    register.RETURNED,
    register.SPILLED,
    register.TO_RESIDUE,
    register.RESIDUE_IN,
    register.COUNTED,
    register.DESTROYED,
    register.LOST,
    register.CLOSED,
)


@dataclass(frozen=True, slots=True)
class Bottle:
    id: str
    site: str
    product: str
    medicine: str
    unit: str
    strength_ug_per_ml: int
    names: dict[str, str]  # by language
    kind: str
    lot: str
    expires_on: date
    state: str
    opened_at: datetime | None
    counter: str | None
    line: int
    balance_ul: int


@dataclass(frozen=True, slots=True)
class Line:
    line: int
    day: date
    at: datetime
    kind: str
    change_ul: int
    balance_ul: int
    counted_ul: int | None
    dose: str | None
    patient_number: str | None  # "H-0047", as the law asks for the person of each dispensing
    reference: str | None
    reason: str | None
    by: str  # display name
    second: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """One product of a site from `first` to `last`, both included. Out is negative."""

    product: str
    names: dict[str, str]
    unit: str
    kind: str  # "stock" | "residue"
    opening_ul: int
    sums_ul: dict[str, int] = field(default_factory=dict)
    lines: int = 0
    closing_ul: int = 0

    @property
    def swallowed_ul(self) -> int:
        """What patients swallowed: dispensed, less what came back. Positive."""
        return -(self.sums_ul.get(register.DISPENSED, 0) + self.sums_ul.get(register.RETURNED, 0))


_BOTTLES = (
    sa.select(
        bottle,
        product.c.medicine,
        product.c.unit,
        product.c.strength_ug_per_ml,
        product.c.name_zh_hant,
        product.c.name_zh_hans,
        product.c.name_en,
    )
    .join(product, product.c.id == bottle.c.product)
    .order_by(bottle.c.kind.desc(), bottle.c.state, bottle.c.id)
)


def bottles(house: House, actor: Actor, site_id: str, states: Iterable[str] | None = None) -> list[Bottle]:
    """The site's bottles and its residue jars (always state "open")."""
    require(house, actor, "stock.read", site_id)
    query = _BOTTLES.where(bottle.c.site == site_id)
    if states is not None:
        query = query.where(bottle.c.state.in_(list(states)))
    with house.read() as tx:
        return [_bottle(row) for row in tx.execute(query)]


def one_bottle(house: House, actor: Actor, bottle_id: str) -> Bottle:
    """Refusal("bottle_unknown") for another site's bottle too."""
    with house.read() as tx:
        row = tx.execute(_BOTTLES.where(bottle.c.id == bottle_id)).one_or_none()
    if row is None or not may(house, actor, "stock.read", row.site):
        raise Refusal("bottle_unknown")
    return _bottle(row)


def by_label(house: House, actor: Actor, site_id: str, code: str) -> Bottle:
    """The bottle of this site whose label says `code`."""
    require(house, actor, "stock.read", site_id)
    mac = house.keys.search_mac("bottle", code.strip())
    with house.read() as tx:
        row = tx.execute(_BOTTLES.where(bottle.c.scan_mac == mac, bottle.c.site == site_id)).first()
    if row is None:
        raise Refusal("bottle_unknown")
    return _bottle(row)


def products(house: House) -> list[sa.Row]:
    """The catalogue: no secret of any site."""
    with house.read() as tx:
        return list(tx.execute(sa.select(product).order_by(product.c.medicine, product.c.id)))


def lines(
    house: House, actor: Actor, bottle_id: str, *, after: int = 0, limit: int = 2000, day: date | None = None
) -> list[Line]:
    """The bottle's register in order, from line `after` + 1."""
    one_bottle(house, actor, bottle_id)
    r, a = register_line, dose.dose_attempt
    second = staff.account.alias("second_account")
    query = (
        sa.select(
            r,
            patient.patient.c.number.label("patient_number"),
            staff.account.c.display_name.label("by_name"),
            second.c.display_name.label("second_name"),
        )
        .join(a, a.c.id == r.c.dose, isouter=True)
        .join(patient.patient, patient.patient.c.id == a.c.patient, isouter=True)
        .join(staff.account, staff.account.c.id == r.c.by, isouter=True)
        .join(second, second.c.id == r.c.second, isouter=True)
        .where(r.c.bottle == bottle_id, r.c.line > after)
        .order_by(r.c.line)
        .limit(limit)
    )
    if day is not None:
        query = query.where(r.c.day == day)
    with house.read() as tx:
        return [
            Line(
                line=row.line,
                day=row.day,
                at=row.at,
                kind=row.kind,
                change_ul=row.change_ul,
                balance_ul=row.balance_ul,
                counted_ul=row.counted_ul,
                dose=row.dose,
                patient_number=row.patient_number,
                reference=row.reference,
                reason=row.reason,
                by=row.by_name or row.by,
                second=row.second_name or row.second,
            )
            for row in tx.execute(query)
        ]


def totals(house: House, actor: Actor, site_id: str, first: date, last: date) -> list[Totals]:
    """Per product and kind of bottle: balance before, sums by kind of line, balance after.

    The sums are taken from the lines alone, never from a bottle's head.
    """
    require(house, actor, "stock.read", site_id)
    r = register_line
    within = sa.and_(r.c.day >= first, r.c.day <= last)
    query = (
        sa.select(
            bottle.c.product,
            bottle.c.kind,
            r.c.kind.label("what"),
            sa.func.coalesce(sa.func.sum(sa.case((r.c.day < first, r.c.change_ul), else_=0)), 0).label("before"),
            sa.func.coalesce(sa.func.sum(sa.case((within, r.c.change_ul), else_=0)), 0).label("inside"),
            sa.func.sum(sa.case((within, 1), else_=0)).label("lines"),
        )
        .join(bottle, bottle.c.id == r.c.bottle)
        .where(r.c.site == site_id, r.c.day <= last)
        .group_by(bottle.c.product, bottle.c.kind, r.c.kind)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
        known = {p.id: p for p in tx.execute(sa.select(product))}
    groups: dict[tuple[str, str], dict] = {}
    for row in rows:
        group = groups.setdefault((row.product, row.kind), {"opening": 0, "sums": {}, "lines": 0})
        group["opening"] += int(row.before)
        if row.lines:
            group["sums"][row.what] = int(row.inside)
            group["lines"] += int(row.lines)
    return [
        Totals(
            product=product_id,
            names=names_of(known[product_id]),
            unit=known[product_id].unit,
            kind=kind,
            opening_ul=group["opening"],
            sums_ul={what: group["sums"][what] for what in SUMS if what in group["sums"]},
            lines=group["lines"],
            closing_ul=group["opening"] + sum(group["sums"].values()),
        )
        for (product_id, kind), group in sorted(groups.items(), key=lambda item: (item[0][1] != "stock", item[0]))
    ]


def day_now(house: House, site_id: str) -> date:
    """The calendar day now at the site."""
    with house.read() as tx:
        tz = tx.execute(sa.select(site.site.c.tz).where(site.site.c.id == site_id)).scalar_one_or_none()
    if tz is None:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    return clock.dosing_day(house.now(), tz)


def names_of(row) -> dict[str, str]:
    return {"zh_Hant": row.name_zh_hant, "zh_Hans": row.name_zh_hans, "en": row.name_en}


def _bottle(row) -> Bottle:
    return Bottle(
        id=row.id,
        site=row.site,
        product=row.product,
        medicine=row.medicine,
        unit=row.unit,
        strength_ug_per_ml=row.strength_ug_per_ml,
        names=names_of(row),
        kind=row.kind,
        lot=row.lot,
        expires_on=row.expires_on,
        state=row.state,
        opened_at=row.opened_at,
        counter=row.counter,
        line=row.line,
        balance_ul=row.balance_ul,
    )
