"""A clinician's own quiet alerts: a patient used the finger that asks this one person for help.

Found by the MAC of each row, so that nobody else's page, query or copy of the
database says which touches they were. Remembers in the process how far it has
looked. Looking at the list is not written into the patient's list of readers:
there it would be seen by others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost.errors import Refusal
from ost.models.identity import quiet_alert, quiet_alert_seen
from ost.models.patient import patient
from ost.services.access import sites_with
from ost.services.duress import PERMISSION, told
from ost.services.work import Actor, House

KEPT = timedelta(days=30)  # so far back the list goes
_LATE = timedelta(minutes=2)  # a touch that was written before one already seen may commit after it


@dataclass(frozen=True, slots=True)
class Alert:
    id: str
    patient: str
    number: str
    site: str
    at: datetime
    seen: bool


def alerts(house: House, actor: Actor) -> list[Alert]:
    """One's own, newest first."""
    found = _found(house, actor)
    if not found:
        return []
    q, s = quiet_alert, quiet_alert_seen
    marks = {_mark(house, each, actor): each for each in found}
    sites = sites_with(house, actor, PERMISSION)
    with house.read() as tx:
        rows = tx.execute(
            sa.select(q.c.id, q.c.patient, q.c.site, q.c.at, patient.c.number)
            .join(patient, patient.c.id == q.c.patient)
            # What was found in this process before says nothing of what the account may read now.
            .where(q.c.id.in_(found), q.c.at > house.now() - KEPT, patient.c.home_site.in_(sites))
            .order_by(q.c.at.desc(), q.c.id)
        ).all()
        seen = {marks[m] for m in tx.execute(sa.select(s.c.mark).where(s.c.mark.in_(marks))).scalars()}
    return [Alert(r.id, r.patient, r.number, r.site, r.at, r.id in seen) for r in rows]


def unseen(house: House, actor: Actor) -> int:
    return sum(not each.seen for each in alerts(house, actor))


def mark_seen(house: House, actor: Actor, alert_id: str) -> None:
    """Once; again changes nothing. Refusal("alert_unknown") for what is not one's own."""
    mine = {each.id: each for each in alerts(house, actor)}
    if alert_id not in mine:
        raise Refusal("alert_unknown")
    mark = _mark(house, alert_id, actor)
    try:
        with house.work(actor, None, "alert.seen") as work:
            s = quiet_alert_seen
            if work.tx.execute(sa.select(s.c.mark).where(s.c.mark == mark)).first() is None:
                work.add(s, mark=mark, by=actor.id, at=work.now)
    except IntegrityError:
        # Two taps at the same moment: the other one wrote the mark.
        with house.read() as tx:
            if tx.execute(sa.select(quiet_alert_seen.c.mark).where(quiet_alert_seen.c.mark == mark)).first() is None:
                raise


def _found(house: House, actor: Actor) -> frozenset[str]:
    """Ids of one's alerts; only rows newer than the last look are compared."""
    key = ("alerts", actor.id)
    looked, known = house.memo.get(key, (house.now() - KEPT, frozenset()))
    now = house.now()
    sites = sites_with(house, actor, PERMISSION)
    if not sites:
        return frozenset()
    q = quiet_alert
    query = (
        sa.select(q.c.id, q.c.told)
        .join(patient, patient.c.id == q.c.patient)
        .where(q.c.at > looked - _LATE, patient.c.home_site.in_(sites))
    )
    with house.read() as tx:
        fresh = {r.id for r in tx.execute(query) if r.told == told(house.keys, r.id, actor.id)}
    found = known | fresh
    house.memo[key] = (now, found)
    return found


def _mark(house: House, alert: str, actor: Actor) -> str:
    return house.keys.search_mac("quiet alert seen", f"{alert}|{actor.id}")
