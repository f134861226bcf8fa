"""A home site in Hualien with a steady patient, two guest sites in Taipei and one in Kaohsiung, and who works there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import sqlalchemy as sa

from ost import clock
from ost.bench.makers import make_guest_site
from ost.models import guest, site
from ost.services.guest.ask import Asked, NotAsked, Wanted, ask
from ost.services.guest.consent import NewConsent
from ost.services.guest.standing import Allowed, grant
from ost.services.work import Actor, House, new_id
from tests import make

HOME, THERE, NEAR, FAR = "HUA1", "TPE1", "TPE2", "KHH1"
#: Hualien, Taipei, a few kilometres on, Kaohsiung: millionths of a degree.
WHERE = {
    HOME: ("HUA", 23_991_600, 121_611_100),
    THERE: ("TPE", 25_037_500, 121_564_500),
    NEAR: ("TPE", 25_062_000, 121_533_000),
    FAR: ("KHH", 22_627_300, 120_301_400),
}


@dataclass
class GuestWorld:
    house: House
    clinic: make.Clinic
    today: date
    nurse: Actor  # at home
    prescriber: Actor
    there: Actor  # nurse at THERE
    there_prescriber: Actor
    centre: Actor
    extra: dict = field(default_factory=dict)

    @property
    def patient(self) -> str:
        return self.clinic.patient

    @property
    def me(self) -> Actor:
        return Actor(f"patient:{self.patient}")

    def day(self, ahead: int) -> date:
        return self.today + timedelta(days=ahead)

    def wanted(self, *ahead: int, **values) -> Wanted:
        """A wish for days so far ahead, with a consent that reaches everywhere unless one stands."""
        days = tuple(self.day(n) for n in ahead or (1,))
        agreed = {} if self.extra.get("agreed") else {"consent": NewConsent(self.day(60), anywhere=True)}
        common = {"request_id": new_id(), "patient_id": self.patient, "site": THERE, "days": days, "reason": "family"}
        return Wanted(**common | agreed | values)

    def ask(self, *ahead: int, actor: Actor | None = None, **values) -> Asked | NotAsked:
        return ask(self.house, actor or self.nurse, self.wanted(*ahead, **values))

    def asked(self, *ahead: int, **values) -> Asked:
        said = self.ask(*ahead, **values)
        assert isinstance(said, Asked), said
        self.extra["agreed"] = True
        return said

    def allow(self, **values) -> str:
        """A standing authorisation for anywhere unless said otherwise."""
        given = {"days_a_year": 30, "until": self.day(200), "anywhere": True}
        return grant(self.house, self.prescriber, Allowed(patient_id=self.patient, **given | values))

    def another_patient(self) -> str:
        person = make.make_patient(self.house, HOME)
        make.make_prescription(self.house, person, sites=(HOME,))
        return person

    def state(self, request_id: str) -> str:
        with self.house.read() as tx:
            query = sa.select(guest.guest_head.c.state).where(guest.guest_head.c.request == request_id)
            return tx.execute(query).scalar_one()

    def places(self, **where) -> list:
        p = guest.guest_place
        query = sa.select(p).order_by(p.c.day, p.c.site, p.c.seat)
        for name, value in where.items():
            query = query.where(p.c[name] == value)
        with self.house.read() as tx:
            return tx.execute(query).all()

    def rows(self, table, **where) -> list:
        query = sa.select(table)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        with self.house.read() as tx:
            return tx.execute(query).all()

    def no_countersign(self) -> None:
        """All sites follow the base pack, which asks for no signature."""
        with self.house.db.begin() as tx:
            tx.execute(sa.update(site.site).values(policy="base"))


def make_world(house: House, **guest_site) -> GuestWorld:
    """`guest_site`: values of every guest site, e.g. places, at_once."""
    clinic = make.make_clinic(house, HOME)
    for number, (code, (county, lat, lon)) in enumerate(WHERE.items()):
        if code != HOME:
            make.make_site(house, code, county, number_prefix=f"G{number}")
        make_guest_site(house, code, lat, lon, **guest_site)
    return GuestWorld(
        house=house,
        clinic=clinic,
        today=clock.dosing_day(house.now(), "Asia/Taipei"),
        nurse=clinic.nurse,
        prescriber=clinic.prescriber,
        there=make.make_account(house, "nurse", scope=THERE),
        there_prescriber=make.make_account(house, "prescriber", scope=THERE),
        centre=make.make_account(house, "coordinator", scope="*", scope_kind="network"),
    )
