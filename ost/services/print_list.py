"""Today's people and doses on paper, for the hour the power goes.

Reads the queue, opens the names, and records that it was printed; the sheet
carries a code that the record has too, so that one sheet can be told from another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from ost.models import site, stock
from ost.rules.amounts import AmountError, volume_ul
from ost.services.access import require
from ost.services.counter_page import names
from ost.services.queue import read_queue
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
    rows = tuple(
        PaperRow(
            number=row.due.number,
            name=said.get(row.due.patient, ""),
            medicine=row.due.medicine,
            dose_ug=row.due.dose_ug,
            volume_ul=_volume(row.due.dose_ug, bottles.get(row.due.medicine)),
            unit=bottles[row.due.medicine].unit if row.due.medicine in bottles else "ul",
            state=row.state,
            priority=row.due.priority,
        )
        for row in sorted(queue.rows, key=lambda r: (r.due.number, r.due.slot))
    )
    main = next(iter(bottles.values()), None)
    text = "\n".join(f"{r.number} {r.medicine} {r.dose_ug} {r.volume_ul} {r.state}" for r in rows)
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


def _volume(dose_ug: int, bottle) -> int | None:
    if bottle is None:
        return None
    try:
        return volume_ul(dose_ug, bottle.strength_ug_per_ml, bottle.unit, bool(bottle.halves))
    except AmountError:
        return None  # this bottle cannot measure it: the nurse asks
