"""A month between sites: the home site passes the payer's share on to the site that did the work.

A settlement is written once and never changed. It counts what was charged for days up to the end of its month and
counted by none before, so that what comes late goes into the next. Names nobody: ids of doses and permits.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical, clock
from ost.errors import Refusal
from ost.models import fee, site
from ost.rules import access
from ost.rules.fees import PER_DOSE
from ost.rules.small_cells import LEAST
from ost.services.access import may, require, sites_with
from ost.services.work import SYSTEM, Actor, House, Work, new_id

TZ = "Asia/Taipei"
LOCK = "settlements"

_F, _S, _C = fee.fee_charge, fee.settlement, fee.settlement_charge


@dataclass(frozen=True, slots=True)
class Settlement:
    """`home_site` owes `site` `amount_ntd`. `doses`: net of those taken back; `open_items`: without an amount, net."""

    id: str
    month: str  # "2026-11"
    home_site: str
    site: str
    doses: int
    amount_ntd: int
    open_items: int
    digest: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One charge of a settlement. `subject`: "dose:<id>", "permit:<id>", "countersign:<id>"."""

    subject: str
    kind: str
    day: date
    permit: str | None
    amount_ntd: int | None
    payer_ntd: int | None
    own_ntd: int | None
    taken_back: bool


def month_of(day: date) -> str:
    return f"{day.year:04}-{day.month:02}"


def month_before(day: date) -> str:
    return month_of(day.replace(day=1) - timedelta(days=1))


def settle(house: House, actor: Actor, month: str) -> list[Settlement]:
    """Settle a month that is over, for every pair of sites at once; settled before: what was written then.

    Refusal("not_permitted") for less than the whole network, ("fee_month_not_over"), ("input_invalid").
    """
    if actor is not SYSTEM and not access.may(actor.grants, "fee.settle", None):
        raise Refusal("not_permitted", permission="fee.settle")
    last = _last_day(month)
    with house.work(actor, None, "fee.settled") as work:
        work.next_change_no(LOCK)  # one at a time
        if clock.dosing_day(work.now, TZ) <= last:
            raise Refusal("fee_month_not_over")
        if not _settled_until(work.tx, month):
            _write(work, month, last)
        return _of_month(work.tx, month)


def run(house: House) -> int:
    """Settle the month before, once. How many pairs of sites."""
    today = clock.dosing_day(house.now(), TZ)
    return len(settle(house, SYSTEM, month_before(today)))


def of_sites(house: House, actor: Actor) -> list[Settlement]:
    """Those in which a site of the actor's owes or is owed, newest month first."""
    mine = set(sites_with(house, actor, "fee.read")) | set(sites_with(house, actor, "fee.settle"))
    query = sa.select(_S).where(sa.or_(_S.c.home_site.in_(mine), _S.c.site.in_(mine)))
    with house.read() as tx:
        rows = tx.execute(query.order_by(_S.c.month.desc(), _S.c.home_site, _S.c.site))
        return [_settlement(r) for r in rows]


def one(house: House, actor: Actor, settlement_id: str) -> tuple[Settlement, list[Line]]:
    """A settlement with its lines, for either of its sites. Refusal("settlement_unknown")."""
    with house.read() as tx:
        row = tx.execute(sa.select(_S).where(_S.c.id == settlement_id)).one_or_none()
        if row is None or not any(
            may(house, actor, permission, code)
            for permission in ("fee.read", "fee.settle")
            for code in (row.home_site, row.site)
        ):
            raise Refusal("settlement_unknown")
        return _settlement(row), _lines(tx, settlement_id)


def not_settled(house: House, actor: Actor, site_id: str) -> list[tuple[str, str, int, int, int]]:
    """What this site's next settlements hold so far: (home site, site, doses, NT$, open items)."""
    require(house, actor, "fee.read", site_id)
    query = _open_charges().where(sa.or_(_F.c.home_site == site_id, _F.c.site == site_id))
    with house.read() as tx:
        pairs = _pairs(tx.execute(query).all())
    return [(home, there, *_sums(rows)) for (home, there), rows in sorted(pairs.items())]


@dataclass(frozen=True, slots=True)
class Sums:
    """A month and the payer's county. All None where fewer than LEAST doses would tell of somebody, and while the month
    runs: a sum read twice a day tells of the one between."""

    month: str
    county: str
    doses: int | None
    amount_ntd: int | None
    payer_ntd: int | None
    open_items: int | None


def by_month(house: House, actor: Actor) -> list[Sums]:
    """Sums of the counties somebody reads figures for, newest first; of a site, its own patients'. Names nobody."""
    counties = {c for (c,) in _counties(house) if access.may(actor.grants, "indicator.read", None, c)}
    own = set(sites_with(house, actor, "indicator.read"))
    with house.read() as tx:
        rows = tx.execute(sa.select(_F).where(sa.or_(_F.c.county.in_(counties), _F.c.home_site.in_(own)))).all()
    groups: dict = defaultdict(list)
    for r in rows:
        groups[month_of(r.day), r.county].append(r)
    running = month_of(clock.dosing_day(house.now(), TZ))
    found = []
    for (month, county), charges in sorted(groups.items(), key=lambda g: (g[0][0], g[0][1]), reverse=True):
        doses, payer, open_ = _sums(charges)
        if county in counties and (doses < LEAST or month >= running):
            found.append(Sums(month, county, None, None, None, None))
        else:
            found.append(Sums(month, county, doses, sum(c.amount_ntd or 0 for c in charges), payer, open_))
    return found


# --- within ------------------------------------------------------------------


def _last_day(month: str) -> date:
    try:
        first = date.fromisoformat(f"{month}-01")
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    except ValueError:
        raise Refusal("input_invalid", fields={"month": ["date_not_understood"]}) from None


def _settled_until(tx: Connection, month: str) -> bool:
    """Whether this month, or a later one, was settled: then nothing is added to it any more."""
    return tx.execute(sa.select(_S.c.id).where(_S.c.month >= month).limit(1)).scalar() is not None


def _open_charges() -> sa.Select:
    """Charged between two different sites and counted by no settlement."""
    return (
        sa.select(_F)
        .join_from(_F, _C, _C.c.charge == _F.c.id, isouter=True)
        .where(_C.c.charge.is_(None), _F.c.home_site != _F.c.site)
        .order_by(_F.c.day, _F.c.id)
    )


def _write(work: Work, month: str, last: date) -> None:
    rows = work.tx.execute(_open_charges().where(_F.c.day <= last)).all()
    for (home, there), charges in sorted(_pairs(rows).items()):
        doses, amount, open_ = _sums(charges)
        written = work.add(
            _S,
            id=new_id(),
            month=month,
            home_site=home,
            site=there,
            doses=doses,
            amount_ntd=amount,
            open_items=open_,
            charges_digest=canonical.digest([[c.id, c.amount_ntd, c.payer_ntd, c.own_ntd] for c in charges]),
            by=work.actor.id,
            at=work.now,
        )
        work.add_many(_C, [{"charge": c.id, "settlement": written["id"]} for c in charges])
    work.payload |= {"month": month}


def _pairs(rows) -> dict[tuple[str, str], list]:
    pairs: dict = defaultdict(list)
    for r in rows:
        pairs[r.home_site, r.site].append(r)
    return pairs


def _sums(charges) -> tuple[int, int, int]:
    """(doses, the payer's NT$, open items), what was taken back counted against."""

    def sign(c) -> int:
        return -1 if c.reverses else 1

    doses = sum(sign(c) for c in charges if c.kind == PER_DOSE)
    return doses, sum(c.payer_ntd or 0 for c in charges), sum(sign(c) for c in charges if c.payer_ntd is None)


def _of_month(tx: Connection, month: str) -> list[Settlement]:
    query = sa.select(_S).where(_S.c.month == month).order_by(_S.c.home_site, _S.c.site)
    return [_settlement(r) for r in tx.execute(query)]


def _settlement(r) -> Settlement:
    return Settlement(
        r.id, r.month, r.home_site, r.site, r.doses, r.amount_ntd, r.open_items, r.charges_digest, r.by, r.at
    )


def _lines(tx: Connection, settlement_id: str) -> list[Line]:
    query = (
        sa.select(_F)
        .join_from(_F, _C, _C.c.charge == _F.c.id)
        .where(_C.c.settlement == settlement_id)
        .order_by(_F.c.day, _F.c.id)
    )
    return [
        Line(r.subject, r.kind, r.day, r.permit, r.amount_ntd, r.payer_ntd, r.own_ntd, r.reverses is not None)
        for r in tx.execute(query)
    ]


def _counties(house: House):
    with house.read() as tx:
        return tx.execute(sa.select(site.site.c.county).distinct()).all()
