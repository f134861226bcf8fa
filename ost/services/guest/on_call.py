"""Who answers for a home site's prescribers: a stretch of time, for somebody who may approve somewhere.

Being on call is what lets them; the step they take keeps the row's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import guest, staff
from ost.rules.access import permissions_of
from ost.services.access import require
from ost.services.work import Actor, House, new_id

#: One entry covers at most so long; a term of weeks is several.
MOST = timedelta(days=14)
_O = guest.on_call


@dataclass(frozen=True, slots=True)
class OnCall:
    id: str
    site: str
    account: str
    name: str
    from_at: datetime
    until_at: datetime
    ended_at: datetime | None


def put(house: House, actor: Actor, site: str, account: str, from_at: datetime, until_at: datetime) -> str:
    """Somebody answers for the site in that time. Needs guest.settings there. Returns the row's id.

    Refusal("input_invalid") for a time that is past, upside down or too long, or somebody who may approve nowhere.
    """
    require(house, actor, "guest.settings", site)
    with house.work(actor, site, "guest.on_call_put") as work:
        fields = {}
        if not (from_at < until_at and until_at > work.now and until_at - from_at <= MOST):
            fields["until_at"] = ["guest_until_wrong"]
        g, a = staff.role_grant, staff.account
        query = (
            sa.select(g.c.role).join_from(g, a, a.c.id == g.c.account).where(g.c.account == account, a.c.active)
        )
        roles = work.tx.execute(query).scalars()
        if not any("guest.approve" in permissions_of(role) for role in roles):
            fields["account"] = ["guest_on_call_no_prescriber"]
        if fields:
            raise Refusal("input_invalid", fields=fields)
        row = work.add(
            _O,
            id=new_id(),
            site=site,
            account=account,
            from_at=from_at,
            until_at=until_at,
            by=actor.id,
            at=work.now,
        )
        work.payload |= {"on_call": row["id"], "account": account, "until": until_at}
        return row["id"]


def end(house: House, actor: Actor, on_call_id: str) -> None:
    """From now on no more. Again: nothing happens. Refusal("guest_on_call_unknown")."""
    with house.read() as tx:
        site = tx.execute(sa.select(_O.c.site).where(_O.c.id == on_call_id)).scalar_one_or_none()
    if site is None:
        raise Refusal("guest_on_call_unknown")
    require(house, actor, "guest.settings", site)
    with house.work(actor, site, "guest.on_call_ended") as work:
        gone = sa.update(_O).where(_O.c.id == on_call_id, _O.c.ended_at.is_(None)).values(ended_at=work.now)
        if work.tx.execute(gone).rowcount:
            work.payload |= {"on_call": on_call_id}


def of_site(house: House, actor: Actor, site: str) -> list[OnCall]:
    """Who is and will be on call for a site, soonest first; past ones are left out."""
    require(house, actor, "guest.read", site)
    a = staff.account
    query = (
        sa.select(_O, a.c.display_name)
        .join_from(_O, a, a.c.id == _O.c.account)
        .where(_O.c.site == site, _O.c.ended_at.is_(None), _O.c.until_at > house.now())
        .order_by(_O.c.from_at, _O.c.id)
    )
    with house.read() as tx:
        rows = tx.execute(query).all()
    return [OnCall(r.id, r.site, r.account, r.display_name, r.from_at, r.until_at, r.ended_at) for r in rows]


def holds(house: House, account: str, site: str) -> str | None:
    """Id of the row that puts this account on call for the site now, or None."""
    now = house.now()
    query = (
        sa.select(_O.c.id)
        .where(
            _O.c.site == site,
            _O.c.account == account,
            _O.c.from_at <= now,
            _O.c.until_at > now,
            _O.c.ended_at.is_(None),
        )
        .order_by(_O.c.from_at)
        .limit(1)
    )
    with house.read() as tx:
        return tx.execute(query).scalar_one_or_none()


def sites_of(house: House, account: str) -> tuple[str, ...]:
    """Sites this account answers for now."""
    now = house.now()
    live = (_O.c.from_at <= now, _O.c.until_at > now, _O.c.ended_at.is_(None))
    query = sa.select(_O.c.site).where(_O.c.account == account, *live).distinct().order_by(_O.c.site)
    with house.read() as tx:
        return tuple(tx.execute(query).scalars())
