"""Load the demo: the whole practice network and its history in one transaction, or nothing of it.

Interrupted, it leaves an empty database behind, and the next start loads again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from time import monotonic
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ost import clock, policies
from ost.demo import guests, network, openings, people, plan, reached, registered, secrets_file, staff
from ost.demo.clinic import TABLES, Clinic
from ost.demo.ledger import Ledger
from ost.demo.network import LIQUID_5, LIQUID_10, MAIN, SITES, TWO_STRENGTHS, TZ
from ost.demo.treated import Treated
from ost.models import audit, patient, site, stock
from ost.services import stock as stock_service
from ost.services.work import NETWORK, Actor, House, Work, new_id

ACTOR = Actor("demo")
SEED = 7


class NotDemo(Exception):
    """Invented people never come into a real system."""


class NotEmpty(Exception):
    """There are sites here already; the demo is loaded into an empty database only."""


@dataclass(frozen=True, slots=True)
class Size:
    patients: int = 300
    days: int = 90
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class Loaded:
    patients: int
    sites: int
    doses: int
    refusals: int
    bottles: int
    days: int
    seconds: float


Tell = Callable[[str, int, int], None]


def is_empty(house: House) -> bool:
    with house.read() as tx:
        return tx.execute(sa.select(site.site.c.id).limit(1)).first() is None


def load(
    house: House,
    home: Path,
    size: Size,
    tell: Tell | None = None,
    known: Callable[[list[tuple[str, str]]], None] | None = None,
) -> Loaded:
    """`home`: folder of the secrets file. Raises NotDemo, NotEmpty, clinic.RulesDisagree.

    `tell(step, done, of)` hears of progress; `known([(patient, home site), ...])`
    of everybody, the main site's stories first, before the long part begins.
    """
    if not house.demo:
        raise NotDemo("the demo loads only where OST_MODE=demo")
    if not is_empty(house):
        raise NotEmpty("there are sites here already")
    tell = tell or (lambda *_: None)
    started, now = monotonic(), house.now()
    today = clock.dosing_day(now, TZ)
    first = today - timedelta(days=size.days)
    begun = datetime.combine(first, time(5), ZoneInfo(TZ))
    members = staff.members()
    hashing = staff.Hashing(members)
    treated = _patients(size, today)
    if known is not None:
        known([(t.id, t.home) for t, _ in treated])
    with house.db.begin() as tx:
        history = _History(house, tx, now)
        with history.event("demo.network", begun, None) as work:
            network.write(work)
            openings.write(work)
        with history.event("demo.policy", begun, None) as work:
            work.add(audit.policy_version, **_policy_row(begun))
        case = {s.id: staff.of_site(members, s.id).case_manager for s in SITES}
        with history.event("demo.patients", begun, None) as work:
            cards, pins = registered.write(work, treated, case, today)
            _next_numbers(work, [t for t, _ in treated])
        clinics = [_clinic(s, members, [t for t, _ in treated if t.home == s.id], size.seed) for s in SITES]
        for n in range(size.days):
            day = first + timedelta(days=n)
            for clinic in clinics:
                history.morning(clinic, day, today)
            tell("history", n + 1, size.days)
        with history.event("demo.staff", now, None) as work:
            staff.write(work, members, hashing.result())
        history.heads(clinics)
        _episodes(tx, [t for t, _ in treated])
        secrets_file.write(home, _secrets(members, cards, pins))
    reached.write(house)
    guests.write(house, members, {t.number: t.id for t, _ in treated})
    return Loaded(
        patients=len(treated),
        sites=len(SITES),
        doses=sum(c.given for c in clinics),
        refusals=sum(c.refused for c in clinics),
        bottles=sum(len(x.bottles) for c in clinics for x in c.ledgers),
        days=size.days,
        seconds=round(monotonic() - started, 1),
    )


class _History:
    """Writes each site's day as one event of that site's chain, all in one transaction."""

    def __init__(self, house: House, tx, now: datetime):
        self.house, self.tx, self.now = house, tx, now
        self._written: set[str] = set()

    def event(self, kind: str, at: datetime, site_id: str | None):
        work = Work(self.tx, self.house.keys, ACTOR, site_id or NETWORK, kind, min(at, self.now))
        return _Closing(work)

    def morning(self, clinic: Clinic, day, today) -> None:
        clinic.morning(day, today)
        with self.event("demo.day", clinic.closed_at, clinic.site) as work:
            self._new_bottles(work, clinic)
            for table in TABLES:
                work.add_many(table, clinic.rows.get(table.name, []))
            work.payload = {"day": day, "doses": len(clinic.rows.get("dose_attempt", []))}

    def _new_bottles(self, work: Work, clinic: Clinic) -> None:
        for ledger in clinic.ledgers:
            for bottle in [*ledger.bottles, ledger.jar]:
                if bottle is not None and bottle.id not in self._written:
                    self._written.add(bottle.id)
                    work.add(stock.bottle, **_bottle_row(work, bottle))

    def heads(self, clinics: list[Clinic]) -> None:
        """Bottles as they stand at the end: state, last line and balance."""
        b = stock.bottle
        rows = [
            {
                "b_id": x.id,
                "b_state": x.state,
                "b_opened_at": x.opened_at,
                "b_line": x.line,
                "b_balance": x.balance_ul,
            }
            for c in clinics
            for ledger in c.ledgers
            for x in [*ledger.bottles, ledger.jar]
            if x is not None
        ]
        names = {"state": "b_state", "opened_at": "b_opened_at", "line": "b_line", "balance_ul": "b_balance"}
        values = {column: sa.bindparam(name) for column, name in names.items()}
        self.tx.execute(sa.update(b).where(b.c.id == sa.bindparam("b_id")).values(**values), rows)


class _Closing:
    """As `House.work`, for several events in one transaction."""

    def __init__(self, work: Work):
        self.work = work

    def __enter__(self) -> Work:
        return self.work

    def __exit__(self, kind, *_):
        if kind is None:
            self.work.close()


def _patients(size: Size, today) -> list[tuple[Treated, people.Person]]:
    invented = iter(people.people(size.patients, size.seed, today))
    rng = Random(f"plans {size.seed}")
    made = []
    for s in SITES:
        for place in range(network.shares(size.patients)[s.id]):
            person = next(invented)
            p = plan.plan(rng, s.id, place, size.days, person.sex, MAIN[0], MAIN[1])
            treated = Treated(
                id=new_id(),
                home=s.id,
                number=f"{s.prefix}-{place + 1:04d}",
                plan=p,
                starts_on=today - timedelta(days=p.starts_before),
                episode_started_on=today - timedelta(days=p.episode_before),
            )
            made.append((treated, person))
    return made


def _clinic(s: network.Site, members, treated: list[Treated], seed: int) -> Clinic:
    rng, who, numbers = Random(f"clinic {seed} {s.id}"), staff.of_site(members, s.id), [0]
    products = [(LIQUID_10, 10_000)] + ([(LIQUID_5, 5_000)] if s.id == TWO_STRENGTHS else [])
    ledgers = [Ledger(s.id, s.prefix, p, strength, rng, who.pharmacist, numbers) for p, strength in products]
    return Clinic(s.id, s.phone, s.counters, who, policies.policy("tw"), rng, ledgers, treated)


def _bottle_row(work: Work, bottle) -> dict:
    label = bottle.id if bottle.kind == "residue" else stock_service.label_code(work, bottle.id)
    return {
        "id": bottle.id,
        "site": bottle.site,
        "product": bottle.product,
        "kind": bottle.kind,
        "lot": bottle.lot,
        "expires_on": bottle.expires_on,
        "state": bottle.state,
        "opened_at": bottle.opened_at,
        "scan_mac": work.keys.search_mac("bottle", label),
        "line": 0,
        "balance_ul": 0,
    }


def _policy_row(at: datetime) -> dict:
    policy = policies.policy("tw")
    return {"digest": policy.digest, "name": policy.name, "text": policy.text, "first_used_at": at}


def _next_numbers(work: Work, treated: list[Treated]) -> None:
    for s in SITES:
        count = sum(t.home == s.id for t in treated)
        work.tx.execute(sa.update(site.site).where(site.site.c.id == s.id).values(next_number=count + 1))


def _episodes(tx, treated: list[Treated]) -> None:
    """A new induction after a long gap began a new episode."""
    p = patient.patient
    rows = [{"p_id": t.id, "p_on": t.episode_started_on} for t in treated]
    tx.execute(
        sa.update(p).where(p.c.id == sa.bindparam("p_id")).values(episode_started_on=sa.bindparam("p_on")),
        rows,
    )


def _secrets(members: list[staff.Member], cards: dict[str, str], pins: dict[str, str]) -> dict:
    return {
        "accounts": [
            {
                "username": m.username,
                "display_name": m.display_name,
                "roles": list(m.roles),
                "sites": ["*"] if m.network else list(m.sites),
                "password": m.password,
                "pin": m.pin,
                "totp": m.totp,
            }
            for m in members
        ],
        "cards": cards,
        "pins": pins,
    }


__all__ = ["Loaded", "NotDemo", "NotEmpty", "Size", "is_empty", "load", "replace"]
