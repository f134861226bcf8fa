"""Open and close a counter for a session of work; the close sweeps what is open."""

from __future__ import annotations

import sqlalchemy as sa

from ost import clock
from ost.errors import Refusal
from ost.models import site
from ost.services.access import require
from ost.services.queue import OpenDose, open_doses
from ost.services.work import Actor, House, new_id


def open_session(house: House, actor: Actor, counter_id: str, browser: str) -> str:
    """This browser session works this counter now; the one before it no longer does.

    `browser`: id of the web session. Again by the same browser: the same session.
    """
    with house.read() as tx:
        counter = _counter(tx, counter_id)
    require(house, actor, "counter.use", counter.site)
    c, s = site.counter, site.counter_session
    with house.work(actor, counter.site, "counter.opened") as work:
        locked = work.tx.execute(sa.select(c).where(c.c.id == counter_id).with_for_update()).one()
        day = clock.dosing_day(work.now, _tz(work.tx, counter.site))
        standing = work.tx.execute(
            sa.select(s.c.id).where(
                s.c.counter == counter_id,
                s.c.account == actor.id,
                s.c.day == day,
                s.c.closed_at.is_(None),
            )
        ).scalar()
        if standing and locked.session == browser:
            return standing
        work.tx.execute(
            sa.update(c)
            .where(c.c.id == counter_id)
            .values(session=browser, account=actor.id, version=c.c.version + 1)
        )
        session = standing or new_id()
        if not standing:
            work.add(
                s,
                id=session,
                site=counter.site,
                counter=counter_id,
                account=actor.id,
                day=day,
                opened_at=work.now,
            )
        work.payload = {"counter": counter_id, "session": session}
        return session


def close_session(
    house: House, actor: Actor, counter_id: str, *, leave_unknown: bool = False
) -> tuple[OpenDose, ...]:
    """End the session. Doses of this counter without an outcome are returned and keep it
    open, unless `leave_unknown` says that nobody here knows: they stay "not known",
    block their slots, and the event says who left them."""
    with house.read() as tx:
        counter = _counter(tx, counter_id)
    require(house, actor, "counter.sweep", counter.site)
    c, s = site.counter, site.counter_session
    with house.work(actor, counter.site, "counter.closed") as work:
        work.tx.execute(sa.select(c.c.id).where(c.c.id == counter_id).with_for_update())
        left = tuple(d for d in open_doses(work.tx, counter.site) if d.counter in (counter_id, None))
        if left and not leave_unknown:
            return left
        work.tx.execute(
            sa.update(s).where(s.c.counter == counter_id, s.c.closed_at.is_(None)).values(closed_at=work.now)
        )
        work.tx.execute(
            sa.update(c)
            .where(c.c.id == counter_id)
            .values(session=None, account=None, patient=None, dose=None, notice=None, version=c.c.version + 1)
        )
        work.payload = {"counter": counter_id, "left_unknown": [d.dose_id for d in left]}
        return ()


def _counter(tx, counter_id: str):
    row = tx.execute(sa.select(site.counter).where(site.counter.c.id == counter_id)).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    return row


def _tz(tx, site_id: str) -> str:
    return tx.execute(sa.select(site.site.c.tz).where(site.site.c.id == site_id)).scalar_one()
