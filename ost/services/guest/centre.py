"""The coordination centre found another place; the patient takes it or leaves it. Both places are held until then."""

from __future__ import annotations

import json

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import guest
from ost.rules import guest as rules
from ost.rules.guest_checks import blocking
from ost.rules.guest_reasons import UNMET
from ost.services.guest import book, consent, flow, steps
from ost.services.guest.act import Acting, Moved, NotMoved, acting
from ost.services.guest.calendar import lock_sites
from ost.services.guest.consent import NewConsent
from ost.services.work import Actor, House

_P, _S = guest.guest_place, guest.guest_step
#: Said again when it is taken: then the patient can give it.
_CONSENT = "guest_consent_missing"


def offer(house: House, actor: Actor, request_id: str, site: str, *, seen_step: int | None = None) -> Moved | NotMoved:
    """Places at `site` on all days are taken beside those the person has.

    NotMoved where something else stands against that site, told as far as it is about a place; a consent that does
    not reach it is asked for when it is taken. Refusal("guest_offer_same_site"), ("guest_day_taken") where a change of
    the same days waits already.
    """
    with acting(house, actor, request_id, "offer", seen_step=seen_step) as step:
        if site in (step.head.site, step.head.home_site):
            raise Refusal("guest_offer_same_site")
        lock_sites(step.work, [site])
        seen, reasons = step.look(site=site)
        against = tuple(r for r in reasons if r.code != _CONSENT)
        if (no := step.blocked(against)) is not None:
            return _of_place(no)
        days = seen.facts.days
        book.take_places(
            step.work, request=request_id, patient=step.person.id, site=site, days=days, second=days
        )
        step.take("offer", data={"site": site})
        number = steps.head(step.work, request_id).step
        flow.tell(step.work, step.row, "guest_offer", f"offer:{request_id}:{number}", site=site)
        step.work.payload |= {"request": request_id, "site": site}
        return step.done()


def take_offer(
    house: House,
    actor: Actor,
    request_id: str,
    *,
    given: str | NewConsent | None = None,
    seen_step: int | None = None,
) -> Moved | NotMoved:
    """The offered place becomes the only one; it is asked for there as any other.

    `given`: a consent that reaches it, by id or given in this step; None: whichever stands and reaches it.
    """
    with acting(house, actor, request_id, "take_offer", seen_step=seen_step) as step:
        site = _offered(step)
        lock_sites(step.work, {site, step.head.site})
        new = given if isinstance(given, NewConsent) else None
        named = None if new else given
        seen, reasons = step.look(site=site, consent_id=named, given=new, holds_places=True)
        if (no := step.blocked(reasons)) is not None:
            return no
        rests_on = seen.facts.consent
        if new is not None:
            consent.check_new(new, seen.home.policy, seen.facts.today)
            rests_on = consent.write(step.work, step.person.id, new, site, step.head.home_site)
        own = _P.c.request == request_id
        step.work.tx.execute(sa.delete(_P).where(own, _P.c.second.is_(False)))
        step.work.tx.execute(sa.update(_P).where(own, _P.c.second).values(second=False))
        step.take("take_offer", data={"site": site, "consent": rests_on}, site=site, consent=rests_on)
        flow.advance(house, step.work, request_id, seen, reasons)
        step.work.payload |= {"request": request_id, "site": site}
        return step.done()


def leave_offer(house: House, actor: Actor, request_id: str, *, seen_step: int | None = None) -> Moved:
    """The first place stands again, and what a prescriber had approved for it."""
    with acting(house, actor, request_id, "leave_offer", seen_step=seen_step) as step:
        lock_sites(step.work, {_offered(step), step.head.site})
        gone = sa.delete(_P).where(_P.c.request == request_id, _P.c.second)
        step.work.tx.execute(gone)
        step.take("leave_offer")
        seen, reasons = step.look()
        if not blocking(reasons):
            approved = _approved_before(step)
            if approved is not None:
                steps.take(step.work, request_id, "authorise", steps.SYSTEM, data={"approved_in": approved})
            flow.advance(house, step.work, request_id, seen, reasons)
        step.work.payload |= {"request": request_id}
        return step.done()


def _of_place(no: NotMoved) -> NotMoved:
    """The centre knows requests by number: what is the matter with the person is not for it to read."""
    told = tuple(r for r in no.reasons if r.code in UNMET)
    return NotMoved(told, person=len(told) < len(blocking(no.reasons)))


def _offered(step: Acting) -> str:
    query = (
        sa.select(_S.c.data)
        .where(_S.c.request == step.row.id, _S.c.action == "offer")
        .order_by(_S.c.number.desc())
        .limit(1)
    )
    return json.loads(step.work.tx.execute(query).scalar_one())["site"]


def _approved_before(step: Acting) -> int | None:
    """The step in which a prescriber, or a standing authorisation, approved this very site."""
    query = (
        sa.select(_S.c.number)
        .where(_S.c.request == step.row.id, _S.c.to_state == rules.APPROVED)
        .order_by(_S.c.number.desc())
        .limit(1)
    )
    approved = step.work.tx.execute(query).scalar_one_or_none()
    moved = sa.select(sa.func.max(_S.c.number)).where(_S.c.request == step.row.id, _S.c.action == "take_offer")
    last_move = step.work.tx.execute(moved).scalar()
    return approved if approved is not None and approved > (last_move or 0) else None
