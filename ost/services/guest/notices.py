"""What a site's desk is told without asking: an unused day, an order given in its place. Written in the transaction of
the news; the same fact once. Codes and ids only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from ost import clock
from ost.errors import Refusal
from ost.models import guest
from ost.models.patient import patient
from ost.models.site import site as sites
from ost.services.access import require
from ost.services.guest import binding
from ost.services.work import Actor, House, Work, new_id

UNUSED_DAY, TAKEN_OVER, CLOSED, GIVEN_UP, ORDER_CHANGED = KINDS = (
    "unused_day",  # home: a guest day passed without a dose
    "taken_over",  # home: a prescriber of the guest site ordered, because nobody answered
    "closed",  # home: the stay is over, its summary is there
    "given_up",  # the other end: a booked day, or all of them, will not be used there
    "order_changed",  # guest: another order from `day` on; it may have to be signed again
)
_N, _R = guest.guest_notice, guest.guest_request


@dataclass(frozen=True, slots=True)
class Notice:
    id: str
    kind: str
    request_id: str
    number: int
    patient_id: str | None  # both None at a guest site that may not read the person (any more)
    patient_number: str | None  # "H-0047", what the home site calls them
    day: date | None
    at: datetime
    seen_at: datetime | None


def tell_site(work: Work, site: str, row: sa.Row, kind: str, *, day: date | None = None) -> str | None:
    """A notice about request `row` for `site`; None where it was told before."""
    fact = f"{kind}:{site}:{row.id}:{day.isoformat() if day else '-'}"
    if work.tx.execute(sa.select(_N.c.id).where(_N.c.fact == fact)).scalar() is not None:
        return None
    values = {"site": site, "request": row.id, "patient": row.patient, "kind": kind, "day": day, "fact": fact}
    return work.add(_N, id=new_id(), at=work.now, **values)["id"]


def of_site(house: House, actor: Actor, site: str, *, unseen: bool = True, most: int = 100) -> list[Notice]:
    """The newest first. Needs guest.read there."""
    require(house, actor, "guest.read", site)
    query = (
        sa.select(_N, _R.c.number, _R.c.home_site, patient.c.number.label("patient_number"))
        .join_from(_N, _R, _R.c.id == _N.c.request)
        .join(patient, patient.c.id == _N.c.patient)
        .where(_N.c.site == site)
        .order_by(_N.c.at.desc(), _N.c.id)
        .limit(most)
    )
    if unseen:
        query = query.where(_N.c.seen_at.is_(None))
    with house.read() as tx:
        tz = tx.execute(sa.select(sites.c.tz).where(sites.c.id == site)).scalar_one_or_none()
        known = binding.people_of(tx, site, clock.dosing_day(house.now(), tz)) if tz else frozenset()
        return [_notice(r, r.home_site == site or r.patient in known) for r in tx.execute(query)]


def _notice(r: sa.Row, named: bool) -> Notice:
    who = (r.patient, r.patient_number) if named else (None, None)
    return Notice(r.id, r.kind, r.request, r.number, *who, r.day, r.at, r.seen_at)


def seen(house: House, actor: Actor, notice_id: str) -> None:
    """Somebody of the site took note. Again: nothing happens. Refusal("guest_notice_unknown")."""
    with house.read() as tx:
        row = tx.execute(sa.select(_N.c.site).where(_N.c.id == notice_id)).one_or_none()
    if row is None:
        raise Refusal("guest_notice_unknown")
    require(house, actor, "guest.read", row.site)
    with house.work(actor, row.site, "guest.notice_seen") as work:
        taken = (
            sa.update(_N)
            .where(_N.c.id == notice_id, _N.c.seen_at.is_(None))
            .values(seen_at=work.now, seen_by=actor.id)
        )
        if work.tx.execute(taken).rowcount:
            work.payload |= {"notice": notice_id}
