"""Who may be put on call for a site: accounts that may approve somewhere, the site's own first. Names of staff only."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ost.models import site as sites
from ost.models import staff
from ost.rules.access import Grant, may, permissions_of
from ost.services.access import require
from ost.services.work import Actor, House

_G, _A, _S = staff.role_grant, staff.account, sites.site


@dataclass(frozen=True, slots=True)
class Prescriber:
    account: str
    name: str
    own: bool  # approves at this site anyway
    county: str | None  # of one of their sites; None: the whole network


def of_country(house: House, actor: Actor, code: str) -> list[Prescriber]:
    """Active accounts with guest.approve anywhere: those of this site, then of its county, then all. Needs
    guest.settings there."""
    require(house, actor, "guest.settings", code)
    with house.read() as tx:
        county_of = {r.id: r.county for r in tx.execute(sa.select(_S.c.id, _S.c.county))}
        rows = tx.execute(
            sa.select(_G, _A.c.display_name).join(_A, _A.c.id == _G.c.account).where(_A.c.active)
        ).all()
    grants: dict[str, list[Grant]] = {}
    names: dict[str, str] = {}
    for r in rows:
        if "guest.approve" in permissions_of(r.role):
            grants.setdefault(r.account, []).append(Grant(r.role, r.scope_kind, r.scope))
            names[r.account] = r.display_name
    here = county_of.get(code)
    found = [
        Prescriber(account, names[account], may(held, "guest.approve", code, here), _county(held, county_of))
        for account, held in grants.items()
    ]
    return sorted(found, key=lambda p: (not p.own, p.county != here, p.county or "", p.name))


def _county(held: list[Grant], county_of: dict[str, str]) -> str | None:
    for g in held:
        if g.scope_kind == "site":
            return county_of.get(g.scope)
        if g.scope_kind == "county":
            return g.scope
    return None
