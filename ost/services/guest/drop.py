"""A day less: given up by the person, taken back by the home site in one step, or not to be had at the guest site.

The other days stand. With its last day a permit is over.
"""

from __future__ import annotations

from datetime import date

from ost.errors import Refusal
from ost.rules import guest as rules
from ost.services.guest import choices, flow, notices, passes
from ost.services.guest import days as permit_days
from ost.services.guest.act import Moved, acting
from ost.services.work import Actor, House

_BY_ROLE = {
    rules.PATIENT: permit_days.CANCELLED,
    rules.HOME: permit_days.TAKEN_BACK,
    rules.GUEST: permit_days.SITE_CLOSED,
}


def drop_day(house: House, actor: Actor, request_id: str, day: date, *, reason: str | None = None) -> Moved:
    """Refusal("guest_day_not_booked") for a day that is not one of its live days; ("guest_day_used") once a dose was
    prepared on it; ("guest_day_over") for a day that is past."""
    with acting(house, actor, request_id, "drop_day") as step:
        work, head = step.work, step.head
        choices.check(work.tx, "guest_cancel_reasons", head.home_site, reason, needed=False)
        home_today = step.look()[0].facts.today
        if day < home_today:
            raise Refusal("guest_day_over")
        days = permit_days.live_days(work.tx, head.permit)
        if day not in days:
            raise Refusal("guest_day_not_booked")
        if days == (day,) and step.who.role in rules_by("cancel"):
            permit_days.refuse_used(work, head.patient, [day])
            permit_days.end_days(work, head.permit, [day], _BY_ROLE[step.who.role])
            step.take("cancel", reason=reason, data={"days": [day.isoformat()]})
            passes.revoke(work, head.permit)
        else:
            permit_days.leave_days(work, request_id, [day], step.who, _BY_ROLE[step.who.role], {}, reason=reason)
        flow.tell(
            work,
            step.row,
            "guest_day_dropped",
            f"dropped:{request_id}:{day.isoformat()}",
            site=head.site,
            days=[day.isoformat()],
        )
        # The other end is not at this desk: it hears of it.
        other = head.home_site if step.who.role == rules.GUEST else head.site
        notices.tell_site(work, other, step.row, notices.GIVEN_UP, day=day)
        work.payload |= {"request": request_id, "day": day}
        return step.done()


def rules_by(action: str) -> tuple[str, ...]:
    """Who may take this step."""
    return next(t.by for t in rules.TRANSITIONS if t.action == action)
