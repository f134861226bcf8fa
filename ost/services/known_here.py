"""Whose record a site may show after a touch, a card or a number.

Those expected there, and the active patients whose home it is: a home patient
whose order has run out must not look like a stranger to the people who can
have it renewed.
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models.patient import patient
from ost.services.expected import expected_patients

_HOME = sa.select(patient.c.id).where(patient.c.home_site == sa.bindparam("site"), patient.c.active)


def known_here(tx: Connection, site: str, day: date) -> frozenset[str]:
    return expected_patients(tx, site, day) | frozenset(tx.execute(_HOME, {"site": site}).scalars())
