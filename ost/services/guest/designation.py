"""Whether a site may take guests at all: listed, active, designated for which medicines.

Taking one of these away reaches every open request and permit there in the same
transaction: the people are locked first, then the site, then each is looked at
again. Whoever asks meanwhile waits for the site's row and finds it gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models import guest, opening, site
from ost.rules import guest as rules
from ost.rules.medicines import FAMILY_OF
from ost.services.access import require
from ost.services.guest import follow
from ost.services.work import Actor, House, Work, loads

_G, _H, _S, _O = opening.guest_site, guest.guest_head, site.site, opening.site_hours
BECAUSE_LISTED, BECAUSE_DESIGNATION = "site_not_listed", "designation_revoked"


@dataclass(frozen=True, slots=True)
class Reached:
    """How many people had an open request or a permit there and were looked at again."""

    people: int


def set_listed(house: House, actor: Actor, code: str, listed: bool, version: int) -> Reached:
    """Take guests, or take none any more. Needs guest.settings.

    Refusal: guest_settings_changed, guest_site_incomplete (listing it), guest_people_moved.
    """
    require(house, actor, "guest.settings", code)
    with house.work(actor, code, "guest.listed") as work:
        people = _lock(work, code, version)
        if listed and work.tx.execute(sa.select(_O.c.site).where(_O.c.site == code).limit(1)).first() is None:
            raise Refusal("guest_site_incomplete")
        work.tx.execute(sa.update(_G).where(_G.c.site == code).values(listed=listed, version=version + 1))
        work.payload |= {"listed": listed, "people": len(people)}
        if not listed:
            _review(work, house, people, BECAUSE_LISTED)
        return Reached(0 if listed else len(people))


def set_designation(
    house: House, actor: Actor, code: str, *, medicines: Iterable[str], active: bool, version: int
) -> Reached:
    """What the site is designated for, and whether it works at all. Needs site.manage.

    Refusal("input_invalid") names medicines; ("guest_settings_changed"); ("guest_people_moved").
    """
    require(house, actor, "site.manage", code)
    chosen = sorted(set(medicines))
    if not set(chosen) <= set(FAMILY_OF):
        raise Refusal("input_invalid", fields={"medicines": ["not_a_choice"]})
    with house.work(actor, code, "site.designation") as work:
        people = _lock(work, code, version)
        before = work.tx.execute(sa.select(_S.c.medicines, _S.c.active).where(_S.c.id == code)).one()
        work.tx.execute(sa.update(_S).where(_S.c.id == code).values(medicines=canonical.text(chosen), active=active))
        work.tx.execute(sa.update(_G).where(_G.c.site == code).values(version=version + 1))
        work.payload |= {"medicines": chosen, "active": active, "before": [before.active, loads(before.medicines)]}
        less = (before.active and not active) or set(loads(before.medicines)) - set(chosen)
        if less:
            _review(work, house, people, BECAUSE_DESIGNATION)
        return Reached(len(people) if less else 0)


def _lock(work: Work, code: str, version: int) -> list[str]:
    """The people with something open there and then the site, locked. Whoever came in between is waited for no
    longer than this: the transaction is given up and nothing is written."""
    people = _people(work, code)
    work.lock_patients(people)
    row = work.tx.execute(sa.select(_G.c.version).where(_G.c.site == code).with_for_update()).one_or_none()
    if row is None:
        raise Refusal("guest_site_not_listed", site=code)
    if row.version != version:
        raise Refusal("guest_settings_changed")
    if set(_people(work, code)) - set(people):
        raise Refusal("guest_people_moved")
    return people


def _people(work: Work, code: str) -> list[str]:
    open_ = (*rules.OPEN, *rules.IN_FORCE)
    query = sa.select(_H.c.patient).where(_H.c.site == code, _H.c.state.in_(open_)).distinct()
    return sorted(work.tx.execute(query).scalars())


def _review(work: Work, house: House, people: list[str], because: str) -> None:
    for person in people:
        follow.review(work, house, person, because)
