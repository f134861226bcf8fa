"""Look at everybody with an open request or permit: what only time changes (a consent's last day, an order's, missed
days) reaches a permit here; what people change reached it when they did. One short transaction a person."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ost.log import log
from ost.models import guest
from ost.rules import guest as rules
from ost.services.guest import follow
from ost.services.work import SYSTEM, House

_H = guest.guest_head


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`failed`: people who could not be looked at; each is in the log, and the counter asks for the facts itself."""

    people: int
    changed: int
    failed: int = 0


def review_all(house: House) -> Reviewed:
    """Needs no permission: the program's own. The same again changes nothing."""
    open_ = _H.c.state.in_((*rules.OPEN, *rules.IN_FORCE))
    query = sa.select(_H.c.patient, _H.c.home_site).where(open_).distinct().order_by(_H.c.patient)
    with house.read() as tx:
        people = tx.execute(query).all()
    changed = failed = 0
    for person in people:
        try:
            with house.work(SYSTEM, person.home_site, "guest.reviewed", patient=person.patient) as work:
                work.lock_patients([person.patient])
                follow.review(work, house, person.patient, "daily")
                changed += work.touched
        except Exception as failure:  # noqa: BLE001 - one record must not keep the others from being looked at
            log.error("guest_review_failed", patient=person.patient, error=type(failure).__name__)
            failed += 1
    return Reviewed(len(people), changed, failed)
