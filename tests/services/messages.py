"""Somebody who can be reached, a channel that does what the test says, and news for them."""

from __future__ import annotations

import threading
from datetime import timedelta

import sqlalchemy as sa

from ost.channels.interface import Ending, Outgoing, Sent
from ost.models import message
from ost.models.lookup import consent
from ost.services.messages import contacts, outbox
from ost.services.work import Actor, House, new_id
from tests.make import make_patient, make_site

SYSTEM = Actor("test")


class FakeChannel:
    """Ends as told, in order, the last answer for ever; keeps what it was handed. `before`: called while sending."""

    def __init__(self, *endings: Ending, name="sms", serves=("sms",), knows_keys=False, before=None):
        self.name, self.serves, self.knows_keys, self.before = name, serves, knows_keys, before
        self.endings = list(endings) or [Sent("p1")]
        self.sent: list[Outgoing] = []
        self._lock = threading.Lock()

    def send(self, outgoing: Outgoing) -> Ending:
        with self._lock:
            self.sent.append(outgoing)
            ending = self.endings.pop(0) if len(self.endings) > 1 else self.endings[0]
        if self.before:
            self.before(outgoing)
        if isinstance(ending, Exception):
            raise ending
        return ending


def patient_actor(person: str) -> Actor:
    return Actor(f"patient:{person}")


def agree(house: House, person: str, site: str = "HUA1") -> str:
    id_ = new_id()
    with house.work(SYSTEM, site, "test.consent", patient=person) as work:
        work.add(
            consent, id=id_, patient=person, kind="messages", until=None, site=site, by=SYSTEM.id, at=work.now
        )
    return id_


def make_contact(house: House, person: str, channel: str = "sms", address: str = "0912345678", verified=True) -> str:
    id_ = contacts.set(house, patient_actor(person), person, channel, address)
    if verified:
        with house.db.begin() as tx:
            c = contacts.patient_contact
            tx.execute(sa.update(c).where(c.c.id == id_).values(verified_at=house.now()))
    return id_


def make_reached(house: House, site: str = "HUA1", **values) -> str:
    """A patient who agreed to messages, with a verified telephone."""
    with house.read() as tx:
        known = tx.execute(sa.text("SELECT 1 FROM site WHERE id = :s"), {"s": site}).scalar()
    if not known:
        make_site(house, site)
    person = make_patient(house, site, **values)
    agree(house, person, site)
    make_contact(house, person)
    return person


def news(house: House, person: str, kind: str = "guest_confirmed", dedupe: str | None = None, **data) -> str | None:
    with house.work(SYSTEM, "HUA1", "test.news", patient=person) as work:
        data = data or {"days": [(house.now() + timedelta(days=2)).date()], "site": "HUA1", "request": 7}
        return outbox.tell(work, person, kind, dedupe or new_id(), **data)


def rows(house: House, *ids: str) -> list:
    m = message.message
    query = sa.select(m).order_by(m.c.created_at, m.c.id)
    with house.read() as tx:
        return list(tx.execute(query.where(m.c.id.in_(ids)) if ids else query))


def state(house: House, id_: str) -> tuple[str, str | None]:
    row = rows(house, id_)[0]
    return row.state, row.error


def tries(house: House, id_: str) -> list[tuple]:
    t = message.message_try
    with house.read() as tx:
        found = tx.execute(sa.select(t).where(t.c.message == id_).order_by(t.c.number))
        return [(r.number, r.channel, r.result, r.error) for r in found]
