"""What two sites say to a request: home approves, declines or asks back; the guest site accepts or refuses.

Each is a step of its own; what rules do then follows in the same transaction. Words
of a question are sealed with the person's key; a step keeps codes only. All raise
the Refusals of any step: guest_request_unknown, not_permitted,
guest_step_not_possible, guest_changed_since_shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from ost.errors import Refusal
from ost.models import guest
from ost.rules import guest as rules
from ost.rules.guest_checks import orders_used
from ost.services import sealed
from ost.services.access import may
from ost.services.guest import choices, flow, on_call
from ost.services.guest.act import Acting, Moved, NotMoved, acting, head_for
from ost.services.guest.alternatives import Alternative, nearest
from ost.services.guest.calendar import lock_sites
from ost.services.guest.steps import head
from ost.services.work import Actor, House, new_id

#: Characters of a question or an answer.
MOST = 500


@dataclass(frozen=True, slots=True)
class RefusedThere:
    """Where the request stands now, and the nearest sites with a place on all its days."""

    moved: Moved
    alternatives: tuple[Alternative, ...]


# --- the home site -----------------------------------------------------------------


def approve(house: House, actor: Actor, request_id: str, *, seen_step: int | None = None) -> Moved | NotMoved:
    """The prescriber, or the delegate on call, says yes.

    NotMoved with the reasons where something blocks by now: a hold, an order that ended, a day that is past.
    """
    data = _in_whose_place(house, actor, request_id)
    with acting(house, actor, request_id, "approve", seen_step=seen_step) as step:
        lock_sites(step.work, [step.head.site])
        seen, reasons = step.look()
        if (no := step.blocked(reasons)) is not None:
            return no
        step.take("approve", data=data | {"weighed": sorted({r.code for r in reasons})})
        flow.advance(house, step.work, request_id, seen, reasons)
        step.work.payload |= {"request": request_id}
        return step.done()


def decline(
    house: House, actor: Actor, request_id: str, *, reason: str | None, seen_step: int | None = None
) -> Moved:
    """Not approved, with a reason of the policy's list. Refusal: guest_reason_needed, input_invalid."""
    with acting(house, actor, request_id, "decline", seen_step=seen_step) as step:
        choices.check(step.work.tx, "guest_decline_reasons", step.head.home_site, reason, needed=True)
        step.take("decline", reason=reason)
        flow.tell(step.work, step.row, "guest_declined", f"declined:{request_id}", site=step.head.site, reason=reason)
        step.work.payload |= {"request": request_id}
        return step.done()


def question(house: House, actor: Actor, request_id: str, text: str, *, seen_step: int | None = None) -> Moved:
    """The home site asks; the request waits for the patient. Refusal("guest_text_needed")."""
    text = _checked(text)
    with acting(house, actor, request_id, "question", seen_step=seen_step) as step:
        number = _say(step, "question", text)
        flow.tell(step.work, step.row, "guest_question", f"question:{request_id}:{number}", site=step.head.site)
        return step.done()


def answer(house: House, actor: Actor, request_id: str, text: str, *, seen_step: int | None = None) -> Moved:
    """The patient answers, or somebody of the home site for them; it waits for the home site again."""
    text = _checked(text)
    with acting(house, actor, request_id, "answer", seen_step=seen_step) as step:
        _say(step, "answer", text)
        return step.done()


# --- the guest site ----------------------------------------------------------------


def accept(house: House, actor: Actor, request_id: str, *, seen_step: int | None = None) -> Moved | NotMoved:
    """The places were taken with the request; what rules do then follows at once."""
    with acting(house, actor, request_id, "accept", seen_step=seen_step) as step:
        lock_sites(step.work, [step.head.site])
        seen, reasons = step.look()
        if (no := step.blocked(reasons)) is not None:
            return no
        step.take("accept")
        flow.advance(house, step.work, request_id, seen, reasons)
        step.work.payload |= {"request": request_id}
        return step.done()


def refuse(
    house: House, actor: Actor, request_id: str, *, reason: str | None, seen_step: int | None = None
) -> RefusedThere:
    """Its places are given back, the days count as unmet, the patient is told and sees where else there is room."""
    with acting(house, actor, request_id, "refuse", seen_step=seen_step) as step:
        work, row = step.work, step.row
        choices.check(work.tx, "guest_refuse_reasons", step.head.site, reason, needed=True)
        seen, _ = step.look()
        medicines = {order.medicine for order in orders_used(seen.facts)}
        but = (seen.there.id, seen.home.id)
        elsewhere = nearest(
            work.tx, seen.there.point or seen.home.point, seen.facts.days, medicines, work.now, but=but
        )
        step.take("refuse", reason=reason, data={"alternatives": [a.site for a in elsewhere]})
        common = {"patient": row.patient, "home_site": row.home_site, "site": seen.there.id, "request": row.id}
        work.add_many(
            guest.guest_unmet,
            [
                {**common, "id": new_id(), "county": seen.there.county, "day": day, "why": reason, "at": work.now}
                for day in seen.facts.days
            ],
        )
        flow.tell(work, row, "guest_not_accepted", f"refused:{row.id}", site=seen.there.id, reason=reason)
        work.payload |= {"request": request_id}
        return RefusedThere(step.done(), elsewhere)


# --- within ------------------------------------------------------------------------


def _in_whose_place(house: House, actor: Actor, request_id: str) -> dict:
    """Who is on call acts by that row, and the step keeps its id."""
    head, roles = head_for(house, actor, request_id)
    if rules.PRESCRIBER not in roles or may(house, actor, "guest.approve", head.home_site):
        return {}
    return {"on_call": on_call.holds(house, actor.id, head.home_site)}


def _say(step: Acting, action: str, text: str) -> int:
    step.take(action)
    number = head(step.work, step.row.id).step
    key = sealed.person_key(step.work.tx, step.house.keys, step.person.id)
    closed = sealed.seal(key, step.person.id, "guest_note", "text", text)
    step.work.add(guest.guest_note, request=step.row.id, step=number, patient=step.person.id, text_sealed=closed)
    step.work.payload |= {"request": step.row.id}
    return number


def _checked(text: str) -> str:
    said = text.strip()
    if not 1 <= len(said) <= MOST:
        raise Refusal("guest_text_needed", fields={"text": ["guest_text_needed"]})
    return said
