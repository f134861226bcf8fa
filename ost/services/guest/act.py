"""Who somebody is to a request, and the transaction in which they act on it.

Maps permissions and their scopes to the roles of `ost.rules.guest`. For whoever
is nobody to a request it does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import Refusal
from ost.models import guest
from ost.rules import guest as rules
from ost.rules.access import may_somewhere
from ost.rules.facts import Reason
from ost.rules.guest_checks import blocking, findings
from ost.services.access import may
from ost.services.guest import flow, on_call, steps
from ost.services.guest.consent import NewConsent
from ost.services.guest.days import live_days
from ost.services.guest.facts import Seen, gather_guest
from ost.services.guest.flow import Stands
from ost.services.work import NETWORK, SYSTEM, Actor, House, Work

_H = guest.guest_head
#: What the request rests on already.
OWN = "own"


@dataclass(frozen=True, slots=True)
class NotMoved:
    """The step was not taken: what stands against the request by now, blocking reasons first.

    `person`: something about the person does, which this reader may not know.
    """

    reasons: tuple[Reason, ...]
    state: str = "not_moved"
    person: bool = False


Moved = Stands


def may_act(house: House, actor: Actor, head: sa.Row) -> tuple[str, ...]:
    """The roles of `ost.rules.guest.ROLES` the actor has towards this request, in the table's order."""
    if actor is SYSTEM:
        return (rules.SYSTEM,)
    if actor.id == f"patient:{head.patient}":
        return (rules.PATIENT,)
    asked = {
        rules.HOME: ("guest.ask", head.home_site),
        rules.PRESCRIBER: ("guest.approve", head.home_site),
        rules.GUEST: ("guest.accept", head.site),
        rules.GUEST_PRESCRIBER: ("guest.countersign", head.site),
        rules.CENTRE: ("guest.coordinate", head.site),
    }
    found = {role for role, (permission, site) in asked.items() if may(house, actor, permission, site)}
    # A prescriber elsewhere who is on call for the home site answers in its prescribers' place.
    elsewhere = rules.PRESCRIBER not in found and may_somewhere(actor.grants, "guest.approve")
    if elsewhere and on_call.holds(house, actor.id, head.home_site):
        found.add(rules.PRESCRIBER)
    return tuple(role for role in rules.ROLES if role in found)


def head_for(house: House, actor: Actor, request_id: str) -> tuple[sa.Row, tuple[str, ...]]:
    """The head without a lock, and who the actor is to it. Refusal("guest_request_unknown")."""
    with house.read() as tx:
        head = tx.execute(sa.select(_H).where(_H.c.request == request_id)).one_or_none()
    roles = may_act(house, actor, head) if head is not None else ()
    if not roles:
        raise Refusal("guest_request_unknown")
    return head, roles


@dataclass(slots=True)
class Acting:
    """An open step: the person is locked, `head` and `row` were read under that lock."""

    house: House
    work: Work
    head: sa.Row
    row: sa.Row
    person: sa.Row
    who: steps.Who

    def look(
        self,
        *,
        site: str | None = None,
        consent_id: str | None = OWN,
        given: NewConsent | None = None,
        holds_places: bool | None = None,
    ) -> tuple[Seen, tuple[Reason, ...]]:
        """The facts as they are now, and what they say; `site`: another one than the head's.

        `consent_id`: another one than the head's, None: whichever reaches there; `given`: one about to be written.
        """
        days = live_days(self.work.tx, self.head.permit) if self.head.permit else flow.days_of(self.row)
        seen = gather_guest(
            self.work.tx,
            self.person,
            site=site or self.head.site,
            days=days,
            now=self.work.now,
            request=self.row.id,
            replaces=self.row.replaces,
            consent_id=self.head.consent if consent_id is OWN else consent_id,
            given=given,
            holds_places=site is None if holds_places is None else holds_places,
        )
        return seen, findings(seen.facts, seen.packs, self.work.now)

    def blocked(self, reasons: tuple[Reason, ...]) -> NotMoved | None:
        """A step that is not taken, kept in the chain, where something blocks by now."""
        found = blocking(reasons)
        if not found:
            return None
        self.work.kind = "guest.not_moved"
        self.work.payload |= {"request": self.row.id, "codes": sorted({r.code for r in found})}
        return NotMoved(reasons)

    def take(self, action: str, **values) -> str:
        return steps.take(self.work, self.row.id, action, self.who, **values)

    def done(self) -> Moved:
        return flow.stands(self.work.tx, self.row.id)


@contextmanager
def acting(
    house: House, actor: Actor, request_id: str, action: str, *, seen_step: int | None = None
) -> Iterator[Acting]:
    """Do `action` in the role the table gives it to; nothing is kept where the body raises.

    `seen_step`: the number of the newest step the actor saw. Refusal: guest_request_unknown, not_permitted,
    guest_step_not_possible, guest_changed_since_shown.
    """
    head, roles = head_for(house, actor, request_id)
    role = role_for(action, roles)
    desk = desk_of(role, head)
    with house.work(actor, desk or NETWORK, f"guest.{action}", patient=head.patient) as work:
        person = work.lock_patients([head.patient])[head.patient]
        now = steps.head(work, request_id)
        # Who may act hangs on the site as well: it may have moved to another one in the meantime.
        if now.site != head.site or seen_step not in (None, now.step):
            raise Refusal("guest_changed_since_shown")
        who = steps.Who(work.actor.id, role, desk)
        # Said before anything is weighed: what the table does not know is no question of facts.
        steps.possible(now.state, action, who)
        yield Acting(house, work, now, flow.request_row(work.tx, request_id), person, who)


def role_for(action: str, roles: tuple[str, ...]) -> str:
    """In which of their roles somebody does this. Refusal("not_permitted")."""
    listed = next((t.by for t in rules.TRANSITIONS if t.action == action), ())
    role = next((r for r in listed if r in roles), None)
    if role is None:
        raise Refusal("not_permitted")
    return role


def desk_of(role: str, head: sa.Row) -> str | None:
    """The site whose chain keeps the step; None: the network's."""
    if role in (rules.GUEST, rules.GUEST_PRESCRIBER):
        return head.site
    return None if role == rules.CENTRE else head.home_site


def state_of(tx: Connection, request_id: str) -> str | None:
    return tx.execute(sa.select(_H.c.state).where(_H.c.request == request_id)).scalar_one_or_none()
