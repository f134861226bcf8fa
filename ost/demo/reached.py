"""Where the practice people may be reached: two of three have a telephone, verified, and agreed to messages.

The numbers are invented, and from a demo nothing is sent anywhere: /demo/messages shows it.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from ost import clock
from ost.demo.network import TZ
from ost.models.lookup import consent
from ost.models.patient import patient
from ost.models.portal import patient_contact
from ost.services import consents, sealed
from ost.services.work import Actor, House, new_id

ACTOR = Actor("demo")
#: One of three has no telephone: everything works without one.
WITHOUT_EVERY = 3


def write(house: House) -> int:
    """How many can be reached."""
    query = sa.select(patient.c.id, patient.c.home_site, patient.c.number).order_by(patient.c.number)
    with house.read() as tx:
        people = [row for n, row in enumerate(tx.execute(query).all(), 1) if n % WITHOUT_EVERY]
    until = clock.dosing_day(house.now(), TZ) + timedelta(days=180)
    with house.work(ACTOR, None, "demo.reached") as work:
        given = [
            {
                "id": new_id(),
                "patient": p.id,
                "kind": consents.MESSAGES,
                "until": until,
                "site": p.home_site,
                "by": ACTOR.id,
                "at": work.now,
            }
            for p in people
        ]
        work.add_many(consent, given)
        for n, p in enumerate(people):
            id_, key = new_id(), sealed.person_key(work.tx, work.keys, p.id)
            address = sealed.seal(key, p.id, "patient_contact", f"address:{id_}", f"+886900{n:06}")
            row = {"channel": "sms", "address_sealed": address, "rank": 1, "verified_at": work.now, "at": work.now}
            work.add(patient_contact, id=id_, patient=p.id, **row)
        work.payload["people"] = len(people)
    return len(people)
