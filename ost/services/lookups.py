"""Emergency looks at a site's patients from elsewhere, for the home site's staff and on the person's own page.

A look is marked where its account has looked at more strangers that day than the
policy calls often: it is shown, never refused. Reads only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ost import clock, policies
from ost.models import audit, staff
from ost.models import site as sites
from ost.models.lookup import emergency_access
from ost.models.patient import patient
from ost.services.access import require
from ost.services.patient_read import readable
from ost.services.work import Actor, House

DAYS_SHOWN = 90
MOST = 500

_A, _L = emergency_access, audit.record_access


@dataclass(frozen=True, slots=True)
class Look:
    """`how`: "touch", "card" or another path of identity. `often`: how many strangers its account
    looked at that day, where that is more than the policy calls often; else None."""

    id: str
    patient: str
    number: str
    at: datetime
    until: datetime
    who: str  # display name
    site: str
    counter: str | None
    how: str
    reason: str
    often: int | None


_LOOKS = (
    sa.select(_A, patient.c.number, staff.account.c.display_name, _L.c.page)
    .join_from(_A, patient, patient.c.id == _A.c.patient)
    .join(staff.account, staff.account.c.id == _A.c.account, isouter=True)
    .join(_L, _L.c.id == _A.c.id, isouter=True)
    .order_by(_A.c.at.desc(), _A.c.id)
    .limit(MOST)
)


def of_site(house: House, actor: Actor, site_id: str) -> list[Look]:
    """Emergency looks of the last DAYS_SHOWN days at patients whose home is this site, newest first."""
    require(house, actor, "patient.read", site_id)
    since = house.now() - timedelta(days=DAYS_SHOWN)
    return _looks(house, site_id, _LOOKS.where(patient.c.home_site == site_id, _A.c.at >= since))


def of_patient(house: House, actor: Actor, patient_id: str) -> list[Look]:
    """Every emergency look at one person, newest first."""
    row = readable(house, actor, patient_id, "patient.read")
    return _looks(house, row.home_site, _LOOKS.where(_A.c.patient == patient_id))


def _looks(house: House, home: str, query: sa.Select) -> list[Look]:
    s = sites.site
    with house.read() as tx:
        rows = tx.execute(query).all()
        place = tx.execute(sa.select(s.c.tz, s.c.policy).where(s.c.id == home)).one()
        accounts = {r.account for r in rows}
        # Wherever they looked: an account that asks a little at many sites asks a lot.
        first = min((r.at for r in rows), default=house.now()) - timedelta(days=1)
        every = tx.execute(
            sa.select(_A.c.account, _A.c.at).where(_A.c.account.in_(accounts), _A.c.at >= first)
        ).all()
    count = Counter((r.account, clock.dosing_day(r.at, place.tz)) for r in every)
    often = policies.policy(place.policy).int("emergency_access_often")
    found = []
    for r in rows:
        that_day = count[r.account, clock.dosing_day(r.at, place.tz)]
        found.append(
            Look(
                r.id,
                r.patient,
                r.number,
                r.at,
                r.until,
                r.display_name or r.account,
                r.site,
                r.counter,
                (r.page or "").removeprefix("counter."),
                r.reason,
                that_day if that_day > often else None,
            )
        )
    return found
