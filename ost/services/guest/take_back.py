"""The home site takes today's guest day back, because the person stands at its own counter.

One transaction under the person's lock, as every dose is: whichever site was first, the other one finds it out
before anything is poured.
"""

from __future__ import annotations

from ost.errors import Refusal
from ost.services.gather import dosing_day_of
from ost.services.guest.act import Moved, head_for
from ost.services.guest.drop import drop_day
from ost.services.work import Actor, House


def take_back_today(house: House, actor: Actor, request_id: str, patient_id: str, site: str) -> Moved:
    """Refusal("guest_request_unknown") for a request of somebody else, or whose home is not `site`; those of
    `drop_day`, "guest_day_used" where the guest site has prepared a dose."""
    head, _roles = head_for(house, actor, request_id)
    if head.patient != patient_id or head.home_site != site:
        raise Refusal("guest_request_unknown")
    with house.read() as tx:
        today = dosing_day_of(tx, head.home_site, house.now())
    return drop_day(house, actor, request_id, today)
