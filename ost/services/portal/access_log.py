"""Who opened my record, when and why: every line of the access log, emergency looks and questions from elsewhere too.

Names of staff only where the policy says so; the role is the one held at that site today.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import policies
from ost.models import audit, staff
from ost.models import site as sites
from ost.models.lookup import emergency_access
from ost.services.portal.sessions import PortalSession
from ost.services.work import House

PAGE = 30
_L, _A, _G, _S = audit.record_access, staff.account, staff.role_grant, sites.site


@dataclass(frozen=True, slots=True)
class Opened:
    """`who`: a display name, or None where the policy keeps names back. `page`, `why`: codes of the log.

    `emergency`: the coded reason of an emergency look. `roles`: of that account at that site, now.
    """

    at: datetime
    site: str
    roles: tuple[str, ...]
    who: str | None
    what: str
    page: str
    why: str | None
    emergency: str | None


@dataclass(frozen=True, slots=True)
class Log:
    lines: tuple[Opened, ...]
    page: int
    more: bool
    total: int


def of_patient(house: House, session: PortalSession, page: int = 1) -> Log:
    """Newest first."""
    page = min(max(page, 1), 10_000)
    with house.read() as tx:
        found = lines(house, tx, session.patient, PAGE + 1, (page - 1) * PAGE)
        total = tx.execute(
            sa.select(sa.func.count()).select_from(_L).where(_L.c.patient == session.patient)
        ).scalar_one()
    return Log(tuple(found[:PAGE]), page, len(found) > PAGE, total)


def lines(house: House, tx: Connection, patient_id: str, limit: int | None = None, skip: int = 0) -> list[Opened]:
    names = policies.policy(house.policy_name).bool("portal_names_staff")
    query = (
        sa.select(_L, _A.c.display_name, _S.c.county, emergency_access.c.reason)
        .join_from(_L, _A, _A.c.id == _L.c.account, isouter=True)
        .join(_S, _S.c.id == _L.c.site, isouter=True)
        .join(emergency_access, emergency_access.c.id == _L.c.id, isouter=True)
        .where(_L.c.patient == patient_id)
        .order_by(_L.c.at.desc(), _L.c.id)
        .limit(limit)
        .offset(skip or None)
    )
    rows = tx.execute(query).all()
    held = _roles(tx, {row.account for row in rows})
    return [
        Opened(
            row.at,
            row.site,
            _here(held.get(row.account, ()), row.site, row.county),
            row.display_name if names else None,
            row.what,
            row.page,
            row.why,
            row.reason,
        )
        for row in rows
    ]


def _roles(tx: Connection, accounts: set[str]) -> dict[str, list]:
    held: dict[str, list] = {}
    for row in tx.execute(sa.select(_G).where(_G.c.account.in_(accounts)).order_by(_G.c.role)):
        held.setdefault(row.account, []).append(row)
    return held


def _here(grants, site: str, county: str | None) -> tuple[str, ...]:
    reach = (("site", site), ("county", county), ("network", "*"))
    return tuple(dict.fromkeys(g.role for g in grants if (g.scope_kind, g.scope) in reach))
