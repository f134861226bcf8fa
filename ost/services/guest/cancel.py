"""Not wanted any more: by the patient, or by the home site for them. Days that were used stay.

The centre may end what should not go on; what the facts end is `ost.services.guest.follow`'s.
"""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from ost.models import dose
from ost.rules import guest as rules
from ost.services.guest import choices, flow, notices, passes
from ost.services.guest.act import Acting, Moved, acting
from ost.services.guest.days import CANCELLED, ENDED, end_days, live_days
from ost.services.work import Actor, House

_A, _REL = dose.dose_attempt, dose.dose_release


def cancel(
    house: House, actor: Actor, request_id: str, *, reason: str | None = None, seen_step: int | None = None
) -> Moved:
    """Every day from today on is given back; today too, unless a dose was prepared."""
    with acting(house, actor, request_id, "cancel", seen_step=seen_step) as step:
        choices.check(step.work.tx, "guest_cancel_reasons", step.head.home_site, reason, needed=False)
        return _over(step, "cancel", reason, CANCELLED)


def end(house: House, actor: Actor, request_id: str, *, seen_step: int | None = None) -> Moved:
    """The coordination centre takes it off the network's desks: nobody could be found, or a site fell away."""
    with acting(house, actor, request_id, "end", seen_step=seen_step) as step:
        return _over(step, "end", "by_centre", ENDED)


def _over(step: Acting, action: str, reason: str | None, why: str) -> Moved:
    work, head = step.work, step.head
    first = first_free_day(step)
    gone: tuple[date, ...] = ()
    if head.permit is not None:
        gone = tuple(day for day in live_days(work.tx, head.permit) if day >= first)
        end_days(work, head.permit, gone, why)
        passes.revoke(work, head.permit)
    step.take(action, reason=reason, data={"from_day": first.isoformat()})
    if head.permit is not None and gone:
        notices.tell_site(work, head.site, step.row, notices.GIVEN_UP)
    if step.who.role != rules.PATIENT:
        # The patient knows what they did themselves.
        flow.tell(work, step.row, "guest_ended", f"{action}:{step.row.id}", site=head.site)
    work.payload |= {"request": step.row.id}
    return step.done()


def first_free_day(step: Acting) -> date:
    """Today at home; tomorrow once a dose was prepared today."""
    seen, _ = step.look()
    today = seen.facts.today
    query = (
        sa.select(_A.c.id)
        .join_from(_A, _REL, _REL.c.attempt == _A.c.id, isouter=True)
        .where(_A.c.patient == step.person.id, _A.c.dosing_day == today, _REL.c.attempt.is_(None))
    )
    used = step.work.tx.execute(query.limit(1)).scalar() is not None
    return today + timedelta(days=1) if used else today
