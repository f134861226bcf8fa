"""Beside each capture: which device, which try, how long it took. No part of the print.

For seeing a dying reader before the queue does (`ost.services.device_health`),
and for how often each finger works. Written with the capture, in its transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from devices.interface import CAPTURED
from ost.models.reader import capture_measure
from ost.models.station import capture
from ost.services.door import Entered
from ost.services.work import Work

#: Touches at one station belong to one approach while they follow each other this closely, and nobody was found.
#: Chosen here: a person who cannot be read goes on to the card well before that.
APPROACH = timedelta(seconds=60)
#: Results that end an approach: somebody was found.
FOUND = ("shown", "confirmed", "choose", "stopped")
_MOST = 30


@dataclass(frozen=True, slots=True)
class Measure:
    """`reader`: id of the row, None when it has none. Times in ms; None where there was nothing to do."""

    reader: str | None = None
    touch_ms: int | None = None
    extract_ms: int | None = None


def keep(
    work: Work, entered: Entered, measure: Measure, capture_id: str, finger: str | None, match_ms: int | None
) -> None:
    """The row beside a capture that was just written. `finger`: of the template that was hit."""
    work.add(
        capture_measure,
        capture=capture_id,
        reader=measure.reader,
        site=entered.site,
        finger=finger,
        tries=1 + _before(work, entered),
        touch_ms=measure.touch_ms,
        extract_ms=measure.extract_ms,
        match_ms=match_ms,
        at=work.now,
    )


def _before(work: Work, entered: Entered) -> int:
    """Touches of this approach so far: fingers laid on here since somebody was found."""
    m, c = capture_measure, capture
    rows = work.tx.execute(
        sa.select(c.c.answer)
        .join_from(m, c, c.c.id == m.c.capture)
        .where(
            m.c.site == entered.site,
            m.c.at > work.now - APPROACH,
            c.c.station == entered.id,
            c.c.ending == CAPTURED,
        )
        .order_by(m.c.at.desc())
        .limit(_MOST)
    ).scalars()
    count = 0
    for answer in rows:
        if json.loads(answer)["result"] in FOUND:
            break
        count += 1
    return count
