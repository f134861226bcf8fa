"""Who stands at a counter of a site they do not belong to, once they may be seen there: to ask for them on the spot.

Nobody is named by a caller: the person is the one whose touch, card or number
stands at that counter now, and whose own consent lets the site see them
(`ost.services.elsewhere`). An emergency look is no such consent.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import site as sites
from ost.services import elsewhere
from ost.services.access import require
from ost.services.work import Actor, House


@dataclass(frozen=True, slots=True)
class WalkIn:
    """`line`: names the question at the counter, so that the next person's form is not the last one's."""

    patient: str
    number: str
    site: str
    home_site: str
    line: str


def person_at(house: House, actor: Actor, counter_id: str, line: str | None = None) -> WalkIn:
    """The person who stands at this counter and may be seen here. `line`: the same as a form was opened for.

    Refusal("stranger_left") when nobody stands there, somebody else does, or nothing of them may be seen.
    """
    with house.read() as tx:
        c = sites.counter
        site = tx.execute(sa.select(c.c.site).where(c.c.id == counter_id)).scalar_one_or_none()
    if site is None:
        raise Refusal("stranger_left")
    require(house, actor, "guest.ask", site)
    found = elsewhere.at_counter(house, actor, counter_id)
    if found is None or found.shown is None or (line is not None and line != found.line):
        raise Refusal("stranger_left")
    patient = elsewhere.agreed_person(house, actor, counter_id, found.line)
    return WalkIn(patient, found.shown.number, site, found.shown.home_site, found.line)
