"""How many people of a site, and of all, have fingers on record: for the demo's progress line. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ost.models.patient import fingerprint, patient
from ost.services.work import House


@dataclass(frozen=True, slots=True)
class EnrolProgress:
    """People, not prints. `site_*`: of one site, 0 of 0 where none was named."""

    enrolled: int
    total: int
    site_enrolled: int
    site_total: int

    @property
    def complete(self) -> bool:
        return self.enrolled >= self.total


def enrol_progress(house: House, site: str | None = None) -> EnrolProgress:
    p, f = patient, fingerprint
    has = sa.exists().where(f.c.patient == p.c.id, f.c.withdrawn_at.is_(None))
    query = (
        sa.select(p.c.home_site, sa.func.count(), sa.func.sum(sa.case((has, 1), else_=0)))
        .where(p.c.active)
        .group_by(p.c.home_site)
    )
    with house.read() as tx:
        counts = {home: (total, int(enrolled)) for home, total, enrolled in tx.execute(query)}
    here = counts.get(site, (0, 0))
    return EnrolProgress(
        enrolled=sum(e for _, e in counts.values()),
        total=sum(t for t, _ in counts.values()),
        site_enrolled=here[1],
        site_total=here[0],
    )
