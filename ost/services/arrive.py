"""A person is here: their place in today's order, given once a day and site."""

from __future__ import annotations

import json
from datetime import date

import sqlalchemy as sa

from ost.models.patient import patient
from ost.models.site import arrival, site
from ost.services.work import Work

NORMAL, PRIORITY = "normal", "priority"


def arrive(work: Work, site_id: str, day: date, person: str) -> int:
    """The person's number of arrival, from 1; the same all day. The caller holds the person's lock."""
    known = work.tx.execute(
        sa.select(arrival.c.number).where(
            arrival.c.site == site_id, arrival.c.day == day, arrival.c.patient == person
        )
    ).scalar_one_or_none()
    if known is not None:
        return known
    # One arrival at a time and site. NO KEY UPDATE: rows that point at the site are not held up by it.
    work.tx.execute(sa.select(site.c.id).where(site.c.id == site_id).with_for_update(key_share=True))
    last = work.tx.execute(
        sa.select(sa.func.max(arrival.c.number)).where(arrival.c.site == site_id, arrival.c.day == day)
    ).scalar()
    wishes = work.tx.execute(sa.select(patient.c.priority).where(patient.c.id == person)).scalar_one()
    number = (last or 0) + 1
    work.add(
        arrival,
        site=site_id,
        day=day,
        patient=person,
        number=number,
        lane=PRIORITY if json.loads(wishes) else NORMAL,
        at=work.now,
    )
    return number
