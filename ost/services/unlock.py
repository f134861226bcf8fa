"""A colleague lets somebody back in who is locked out after wrong tries.

From their own screen, or with their PIN on the locked counter itself: nobody
stands locked out at 6:55 with a queue. It signs nobody in.
"""

from __future__ import annotations

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import staff, station
from ost.models.site import site as sites
from ost.rules import access as rules
from ost.services import sessions
from ost.services.access import require
from ost.services.sign_in import NOBODY, enrolled_station, plain_name
from ost.services.throttle import Subject, forgive
from ost.services.witness import NoToken, recognise
from ost.services.work import Actor, House, Work

PERMISSION = "counter.unlock"


def unlock(house: House, actor: Actor, username: str, site: str) -> None:
    """`actor`, signed in, takes an account's and the site's stations' wrong tries away.

    Only for accounts that work at that site; Refusal("account_unknown") otherwise.
    """
    require(house, actor, PERMISSION, site)
    with house.work(actor, site, "sign_in.unlocked") as work:
        _forgive(house, work, plain_name(username), site, by=actor.id)


def unlock_at_station(
    house: House, station_id: str | None, device: str, username: str, colleague: str, pin: str
) -> NoToken | None:
    """The same on the locked counter: the colleague's user name and PIN are enough. None when it is done.

    Refusal("not_permitted") anywhere but at an enrolled station; Refusal("account_unknown").
    """
    enrolled = enrolled_station(house, station_id)
    if enrolled is None:
        raise Refusal("not_permitted")
    nobody = Actor(NOBODY.id, device=device)
    second = recognise(house, nobody, enrolled.site, PERMISSION, colleague, pin)
    if isinstance(second, NoToken):
        return second
    with house.work(Actor(second.account, device=device), enrolled.site, "sign_in.unlocked") as work:
        _forgive(house, work, plain_name(username), enrolled.site, by=second.account)
        forgive(work.tx, second.subjects)
    return None


def _forgive(house: House, work: Work, name: str, site: str, by: str) -> None:
    a, g, st = staff.account, staff.role_grant, station.station
    account = work.tx.execute(sa.select(a.c.id).where(a.c.username == name)).scalar()
    grants = work.tx.execute(sa.select(g).where(g.c.account == account)).all()
    county = work.tx.execute(sa.select(sites.c.county).where(sites.c.id == site)).scalar()
    here = any(rules.Grant(r.role, r.scope_kind, r.scope).covers(site, county) for r in grants)
    if account is None or account == by or not here:
        raise Refusal("account_unknown", fields={"username": ["account_unknown"]})
    stations = work.tx.execute(sa.select(st.c.id).where(st.c.site == site)).scalars().all()
    mac = house.keys.search_mac
    subjects = [Subject("account", mac("sign-in", name)), Subject("pin", mac("witness", name))]
    for each in stations:
        subjects.append(Subject("account", mac("sign-in at station", f"{name}\0{each}")))
        subjects.append(Subject("device", mac("station", each)))
    forgive(work.tx, subjects)
    sessions.keep_event(work, account, "unlocked", work.actor.device, site)
