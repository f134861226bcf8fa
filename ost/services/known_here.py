"""Whose record a site may show after a touch, a card or a number.

Those expected there, the active patients whose home it is (a home patient whose
order has run out must not look like a stranger to the people who can have it
renewed), and whoever has a guest permit there, also for another day: a traveller
who comes a day early is told so.
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models.patient import patient
from ost.services.expected import expected_patients
from ost.services.guest import binding

_HOME = sa.select(patient.c.id).where(patient.c.home_site == sa.bindparam("site"), patient.c.active)


def known_here(tx: Connection, site: str, day: date) -> frozenset[str]:
    at_home = frozenset(tx.execute(_HOME, {"site": site}).scalars())
    return expected_patients(tx, site, day) | at_home | binding.people_of(tx, site, day)
