"""Today's people and doses on paper, for the hour the power goes.

Reads the queue, opens the names, and records that it was printed; the sheet
carries a code that the record has too, so that one sheet can be told from another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from ost import canonical
from ost.models import patient, site, stock
from ost.rules.amounts import AmountError, volume_ul
from ost.services import policy_of
from ost.services.access import require
from ost.services.counter_page import names
from ost.services.gather import gather
from ost.services.queue import DONE, UNKNOWN, Row, read_queue
from ost.services.work import Actor, House

_B, _P = stock.bottle, stock.product


@dataclass(frozen=True, slots=True)
class PaperRow:
    number: str
    name: str = field(repr=False)
    medicine: str
    dose_ug: int
    volume_ul: int | None
    unit: str
    state: str
    priority: tuple[str, ...]
    stops: tuple[dict, ...] = ()  # why the rules give nothing now; then no dose is printed


@dataclass(frozen=True, slots=True)
class Paper:
    """`digest`: printed on the sheet and kept in the chain."""

    site: str
    day: date
    now: datetime
    tz: str
    bottle: str | None
    strength_ug_per_ml: int | None
    rows: tuple[PaperRow, ...]
    digest: str


def paper(house: House, actor: Actor, site_id: str) -> Paper:
    """Today's people and doses, for the hour the power goes. Printing it is recorded."""
    require(house, actor, "queue.print", site_id)
    now = house.now()
    with house.read() as tx:
        where = tx.execute(sa.select(site.site).where(site.site.c.id == site_id)).one()
        queue = read_queue(tx, where, now)
        bottles = {
            b.medicine: b
            for b in tx.execute(
                sa.select(
                    _B.c.id, _B.c.opened_at, _P.c.medicine, _P.c.unit, _P.c.halves, _P.c.strength_ug_per_ml
                )
                .join_from(_B, _P, _P.c.id == _B.c.product)
                .where(_B.c.site == site_id, _B.c.state == "open", _B.c.kind == "stock")
                .order_by(_B.c.opened_at)
            )
        }
        said = {person: name for person, _number, name in names(house, tx, site_id, queue.day)}
        p = patient.patient
        wanted = p.c.id.in_({row.due.patient for row in queue.rows})
        people = {person.id: person for person in tx.execute(sa.select(p).where(wanted))}
        rows = tuple(
            _row(house, tx, row, people[row.due.patient], site_id, now, said, bottles)
            for row in sorted(queue.rows, key=lambda r: (r.due.number, r.due.slot))
        )
    main = next(iter(bottles.values()), None)
    text = "\n".join(
        f"{r.number} {r.medicine} {r.dose_ug} {r.volume_ul} {r.state} {[s['code'] for s in r.stops]}"
        for r in rows
    )
    digest = house.keys.search_mac("printed_list", f"{site_id} {now.isoformat()}\n{text}")[:12].upper()
    with house.work(actor, site_id, "queue.printed") as work:
        work.payload = {"people": len(rows), "digest": digest}
    return Paper(
        site=site_id,
        day=queue.day,
        now=now,
        tz=where.tz,
        bottle=main.id if main else None,
        strength_ug_per_ml=main.strength_ug_per_ml if main else None,
        rows=rows,
        digest=digest,
    )


def _row(
    house: House, tx, row: Row, person, site_id: str, now: datetime, said: dict, bottles: dict
) -> PaperRow:
    """The dose as the counter would show it now: what the rules stop is not given by candle-light either."""
    due, bottle = row.due, bottles.get(row.due.medicine)
    dose_ug, stops = due.dose_ug, ()
    if row.state not in (DONE, UNKNOWN):
        seen = gather(tx, person, site_id=site_id, slot=due.slot, bottle=None, now=now)
        _policy, verdict = policy_of.decide(house, tx, seen, now, before_check=True)
        stops = tuple(canonical.plain(r) for r in verdict.reasons if r.tier == "stop")
        dose_ug = verdict.dose_ug or due.dose_ug
    return PaperRow(
        number=due.number,
        name=said.get(due.patient, ""),
        medicine=due.medicine,
        dose_ug=dose_ug,
        volume_ul=_volume(dose_ug, bottle),
        unit=bottle.unit if bottle else "ul",
        state=row.state,
        priority=due.priority,
        stops=stops,
    )


def _volume(dose_ug: int, bottle) -> int | None:
    if bottle is None:
        return None
    try:
        return volume_ul(dose_ug, bottle.strength_ug_per_ml, bottle.unit, bool(bottle.halves))
    except AmountError:
        return None  # this bottle cannot measure it: the nurse asks
