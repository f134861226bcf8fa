"""Nobody at home answered in time: a prescriber of the guest site orders from the live record, and home is told.

The home orders are taken as their own in the same step; the step says that it was so.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import audit
from ost.services.guest import flow, notices
from ost.services.guest.act import Acting, Moved, NotMoved, acting
from ost.services.guest.calendar import lock_sites
from ost.services.guest.countersign import sign_for
from ost.services.work import Actor, House

#: The record was opened by this very person so lately: nobody orders for somebody they did not look at.
LOOKED_WITHIN = timedelta(minutes=30)


def take_over(house: House, actor: Actor, request_id: str, *, seen_step: int | None = None) -> Moved | NotMoved:
    """Refusal("guest_too_early") before the policy's minutes are over; ("guest_look_first") without having opened the
    request lately (`read.one`); and those of any step."""
    with acting(house, actor, request_id, "take_over", seen_step=seen_step) as step:
        work = step.work
        lock_sites(work, [step.head.site])
        seen, reasons = step.look()
        minutes = seen.packs[0].int("guest_take_over_minutes")
        if work.now - step.head.since < timedelta(minutes=minutes):
            raise Refusal("guest_too_early", minutes=minutes)
        if not _looked(step):
            raise Refusal("guest_look_first")
        if (no := step.blocked(reasons)) is not None:
            return no
        signed = sign_for(work, step.row, flow.order_ids(seen), seen.there.id)
        weighed = sorted({r.code for r in reasons})
        step.take("take_over", data={"countersign": signed, "weighed": weighed, "minutes": minutes})
        notices.tell_site(work, step.head.home_site, step.row, notices.TAKEN_OVER)
        flow.advance(house, work, request_id, seen, reasons)
        work.payload |= {"request": request_id}
        return step.done()


def _looked(step: Acting) -> bool:
    r = audit.record_access
    query = sa.select(r.c.id).where(
        r.c.patient == step.person.id,
        r.c.account == step.who.by,
        r.c.page == "guest_request",
        r.c.at >= step.work.now - LOOKED_WITHIN,
    )
    return step.work.tx.execute(query.limit(1)).scalar() is not None
