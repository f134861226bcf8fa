"""Walk rows, chains, heads and registers, and say where they break.

Every record row must stand, with its digest, in exactly one audit event; every
event must follow the one before it under the chain key; every head must be the
last event and must not lie behind the head that was written outside the
database; every bottle's lines must add up to its balance; every guest request
must have come by listed steps. Changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from ost import canonical
from ost.keys import KeyRing
from ost.models import audit, base, dose, stock
from ost.services.guest import verify as guest_verify
from ost.services.work import GENESIS, House, row_digest

_CHUNK = 2000


@dataclass(slots=True)
class Report:
    events: int = 0
    rows: int = 0
    bottles: int = 0
    lines: int = 0
    problems: list[dict] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problems

    def problem(self, what: str, **where) -> None:
        self.problems.append({"what": what, **where})


def verify(
    house: House, heads: Path | None = None, progress: Callable[[str, int], None] | None = None
) -> Report:
    """`heads`: folder of the signed heads outside the database, None = not looked at."""
    report = Report()
    tell = progress or (lambda *_: None)
    with house.db.snapshot() as tx:
        claimed, last = _chains(tx, house.keys, report, tell)
        if heads is not None:
            _outside_heads(heads, house.keys, last, report)
        _rows(tx, claimed, report, tell)
        _registers(tx, report)
        _doses(tx, report)
        guest_verify.check(tx, house.now(), report.problem)
    return report


def _chains(tx, keys: KeyRing, report: Report, tell) -> tuple[dict, dict]:
    """Every event against the one before; returns {(table, key): digest} and {site: {number: mac}}."""
    e = audit.audit_event
    claimed: dict[tuple[str, str], str] = {}
    macs: dict[str, dict[int, str]] = {}
    previous: dict[str, tuple[int, str]] = {}
    rows = tx.execute(sa.select(e).order_by(e.c.site, e.c.number).execution_options(yield_per=_CHUNK))
    for event in rows:
        report.events += 1
        number, mac = previous.get(event.site, (0, GENESIS))
        if event.number != number + 1:
            report.problem("events are missing", site=event.site, after=number, before=event.number)
        if event.previous_mac != mac:
            report.problem("an event does not follow the one before", site=event.site, number=event.number)
        body = dict(event._mapping)
        if keys.chain_mac(canonical.text({k: body[k] for k in body if k != "mac"})) != event.mac:
            report.problem("an event was changed or forged", site=event.site, number=event.number)
        for table, key, digest in json.loads(event.rows):
            if (table, key) in claimed:
                report.problem("a row is claimed twice", table=table, key=key)
            claimed[table, key] = digest
        previous[event.site] = (event.number, event.mac)
        macs.setdefault(event.site, {})[event.number] = event.mac
        if report.events % _CHUNK == 0:
            tell("events", report.events)
    heads = {h.site: (h.number, h.mac) for h in tx.execute(sa.select(audit.chain_head))}
    for site, head in heads.items():
        if previous.get(site, (0, GENESIS)) != tuple(head):
            report.problem("the chain's tail was cut or its head changed", site=site, head=head[0])
    for site in previous.keys() - heads.keys():
        report.problem("a chain has no head", site=site)
    return claimed, macs


def _outside_heads(folder: Path, keys: KeyRing, macs: dict, report: Report) -> None:
    for file in sorted(folder.glob("*.json")):
        head = json.loads(file.read_text())
        signature = head.pop("signature", "")
        site, number = head.get("site"), head.get("number")
        if keys.chain_mac(canonical.text(head)) != signature:
            report.problem("a head outside the database was changed", file=file.name)
        elif number and macs.get(site, {}).get(number) != head["mac"]:
            report.problem("the database lies behind a head written outside it", site=site, number=number)


def _rows(tx, claimed: dict, report: Report, tell) -> None:
    """Every record row against its digest; what is left over was removed."""
    for table in base.record_tables():
        for row in tx.execute(sa.select(table).execution_options(yield_per=_CHUNK)):
            report.rows += 1
            _, key, digest = row_digest(table, dict(row._mapping))
            said = claimed.pop((table.name, key), None)
            if said is None:
                report.problem("a row was inserted without an event", table=table.name, key=key)
            elif said != digest:
                report.problem("a row was changed", table=table.name, key=key)
            if report.rows % _CHUNK == 0:
                tell("rows", report.rows)
    for table, key in claimed:
        report.problem("a row was removed", table=table, key=key)


def _registers(tx, report: Report) -> None:
    """Each bottle: lines 1..n without a gap, sums right, head equal to the last line."""
    line, bottle = stock.register_line, stock.bottle
    state: dict[str, tuple[int, int]] = {}
    rows = tx.execute(
        sa.select(line.c.bottle, line.c.line, line.c.change_ul, line.c.balance_ul)
        .order_by(line.c.bottle, line.c.line)
        .execution_options(yield_per=_CHUNK)
    )
    for row in rows:
        report.lines += 1
        number, balance = state.get(row.bottle, (0, 0))
        if row.line != number + 1:
            report.problem("a register line is missing", bottle=row.bottle, after=number)
        if row.balance_ul != balance + row.change_ul or row.balance_ul < 0:
            report.problem("a register does not add up", bottle=row.bottle, line=row.line)
        state[row.bottle] = (row.line, row.balance_ul)
    for row in tx.execute(sa.select(bottle.c.id, bottle.c.line, bottle.c.balance_ul)):
        report.bottles += 1
        if state.get(row.id, (0, 0)) != (row.line, row.balance_ul):
            report.problem("a bottle's balance is not its last line's", bottle=row.id)


def _doses(tx, report: Report) -> None:
    """Each attempt's register lines sum to what its outcome says was swallowed."""
    a, o, line = dose.dose_attempt, dose.dose_outcome, stock.register_line
    taken = (
        sa.select(line.c.dose, sa.func.sum(line.c.change_ul).label("ul"))
        .where(line.c.dose.is_not(None), line.c.kind.in_(("dispensed", "returned")))
        .group_by(line.c.dose)
        .subquery()
    )
    v = dose.dose_void
    rows = tx.execute(
        sa.select(a.c.id, a.c.volume_ul, o.c.outcome, o.c.rest_ul, o.c.flags, taken.c.ul, v.c.not_taken)
        .join_from(a, taken, taken.c.dose == a.c.id, isouter=True)
        .join(o, o.c.attempt == a.c.id, isouter=True)
        .join(v, v.c.attempt == a.c.id, isouter=True)
    )
    for row in rows:
        left = -(row.ul or 0)
        if row.not_taken:
            right = left == 0
        elif row.outcome == "too_much":
            right = left > row.volume_ul or "register_below_what_was_given" in (row.flags or "")
        else:
            right = left == row.volume_ul - (row.rest_ul or 0)
        if not right:
            report.problem("a dose and its register lines disagree", dose=row.id)


def write_heads(house: House, folder: Path) -> int:
    """Write every chain's signed head outside the database; a cut tail shows against it."""
    folder.mkdir(parents=True, exist_ok=True)
    with house.read() as tx:
        heads = tx.execute(sa.select(audit.chain_head)).all()
    for head in heads:
        body = {"site": head.site, "number": head.number, "mac": head.mac, "at": canonical.plain(house.now())}
        body["signature"] = house.keys.chain_mac(canonical.text(body))
        target = folder / f"{head.site}.json"
        part = target.with_suffix(".part")
        part.write_text(json.dumps(body))
        part.replace(target)
    return len(heads)
