"""What a site takes in an emergency beyond its published places, and what a person wishes when theirs is closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models import closure, opening
from ost.models.patient import patient
from ost.models.site import site as site_
from ost.services.access import may, require
from ost.services.guest.settings import EQUIPMENT
from ost.services.work import Actor, House, loads

MOST_PERCENT = 300
_ROOM, _WISH = closure.closure_room, closure.patient_wish


@dataclass(frozen=True, slots=True)
class Wish:
    site: str | None
    equipment: tuple[str, ...]


def extra_percent(house: House, actor: Actor, site: str) -> int | None:
    """A site's own figure; None: the policy's."""
    require(house, actor, "guest.settings", site)
    with house.read() as tx:
        return tx.execute(sa.select(_ROOM.c.extra_percent).where(_ROOM.c.site == site)).scalar()


def set_extra_percent(house: House, actor: Actor, site: str, percent: int | None) -> None:
    """Needs guest.settings there. Refusal("input_invalid") names extra_percent."""
    require(house, actor, "guest.settings", site)
    if percent is not None and not 0 <= percent <= MOST_PERCENT:
        raise Refusal("input_invalid", fields={"extra_percent": ["closure_percent_wrong"]})
    with house.work(actor, site, "closure.room") as work:
        work.tx.execute(sa.delete(_ROOM).where(_ROOM.c.site == site))
        if percent is not None:
            work.add(_ROOM, site=site, extra_percent=percent, by=actor.id, at=work.now)
        work.payload = {"site": site, "extra_percent": percent}


def wish_of(house: House, actor: Actor, patient_id: str) -> Wish | None:
    """Needs guest.ask at the person's site. Refusal("patient_unknown")."""
    _home(house, actor, patient_id)
    with house.read() as tx:
        row = tx.execute(sa.select(_WISH).where(_WISH.c.patient == patient_id)).one_or_none()
    return None if row is None else Wish(row.site, tuple(loads(row.equipment)))


def set_wish(house: House, actor: Actor, patient_id: str, site: str | None, equipment: Iterable[str] = ()) -> None:
    """Where they would rather go, and what they need there; neither: no wish. Needs guest.ask at the person's site.

    Refusal: patient_unknown, input_invalid (fields site, equipment).
    """
    home = _home(house, actor, patient_id)
    chosen = sorted(set(equipment))
    fields = {} if set(chosen) <= set(EQUIPMENT) else {"equipment": ["not_a_choice"]}
    with house.work(actor, home, "closure.wish", patient=patient_id) as work:
        work.lock_patients([patient_id])
        g = opening.guest_site
        listed = sa.select(g.c.site).where(g.c.site == site, g.c.listed)
        if site is not None and work.tx.execute(listed).scalar() is None:
            fields["site"] = ["guest_site_not_listed"]
        if fields:
            raise Refusal("input_invalid", fields=fields)
        work.tx.execute(sa.delete(_WISH).where(_WISH.c.patient == patient_id))
        if site is not None or chosen:
            row = {"patient": patient_id, "site": site, "equipment": canonical.text(chosen), "by": actor.id}
            work.add(_WISH, **row, at=work.now)
        work.payload = {"site": site, "equipment": chosen}


def sites_to_wish_for(house: House) -> list[str]:
    """Codes of the active sites that take guests, by county."""
    g, s = opening.guest_site, site_
    query = sa.select(s.c.id).join(g, g.c.site == s.c.id).where(s.c.active, g.c.listed).order_by(s.c.county, s.c.id)
    with house.read() as tx:
        return list(tx.execute(query).scalars())


def _home(house: House, actor: Actor, patient_id: str) -> str:
    with house.read() as tx:
        home = tx.execute(sa.select(patient.c.home_site).where(patient.c.id == patient_id)).scalar()
    if home is None or not may(house, actor, "guest.ask", home):
        raise Refusal("patient_unknown")
    return home
