"""Whether an actor may do something at a site. The rule is `ost.rules.access`;
here only the site's county is looked up."""

from __future__ import annotations

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import site as sites
from ost.rules import access
from ost.services.work import SYSTEM, Actor, House


def county_of(house: House, site: str | None) -> str | None:
    """The county a site lies in; None for the network or a site that does not exist."""
    if site is None:
        return None
    key = ("county", site)
    if key not in house.memo:
        with house.read() as tx:
            county = tx.execute(sa.select(sites.site.c.county).where(sites.site.c.id == site)).scalar()
        if county is None:
            return None  # not kept: the site may be made in a minute
        house.memo[key] = county
    return house.memo[key]


def may(house: House, actor: Actor, permission: str, site: str | None) -> bool:
    """Whether `actor` holds `permission` at `site` (None: in the whole network)."""
    if actor is SYSTEM:
        # The program's own jobs. Identity, not equality: no request can bring this object.
        return True
    return access.may(actor.grants, permission, site, county_of(house, site))


def require(house: House, actor: Actor, permission: str, site: str | None) -> None:
    """Refusal("not_permitted") unless `actor` holds `permission` at `site`."""
    if not may(house, actor, permission, site):
        raise Refusal("not_permitted", permission=permission)


def sites_with(house: House, actor: Actor, permission: str) -> tuple[str, ...]:
    """Codes of the active sites where `actor` holds `permission`, in order."""
    s = sites.site
    with house.read() as tx:
        rows = tx.execute(sa.select(s.c.id, s.c.county).where(s.c.active).order_by(s.c.id)).all()
    return tuple(row.id for row in rows if access.may(actor.grants, permission, row.id, row.county))
