"""A small network around a site that closes, and what its people are asked afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from ost.models import guest
from ost.services.closures.declare import Declared, declare
from ost.services.closures.preview import Preview, preview
from ost.services.closures.wanted import Wanted
from ost.services.guest import binding
from ost.services.work import Actor, House
from tests.make import make_account, make_guest_site, make_patient, make_prescription, make_site
from tests.permits import today_of

#: HUA1 closes; NEAR is 11 km away, FAR 44 km, BEYOND 330 km.
SITES = {"HUA1": (24_000_000, "HUA"), "NEAR": (24_100_000, "HUA"), "FAR": (24_400_000, "ILA"), "BEYOND": (27_000_000, "LIE")}


@dataclass
class Network:
    house: House
    centre: Actor
    nurse: Actor  # of HUA1
    today: date
    people: dict[str, str] = field(default_factory=dict)  # name -> patient id

    def person(self, who: str, site: str = "HUA1", *, order: dict | None = None, **values) -> str:
        self.people[who] = make_patient(self.house, site, **values)
        make_prescription(self.house, self.people[who], sites=(site,), **(order or {}))
        return self.people[who]

    def wanted(self, **values) -> Wanted:
        return Wanted(**{"days": (self.today,), "reason": "typhoon", "sites": ("HUA1",), **values})

    def preview(self, actor: Actor | None = None, **values) -> Preview:
        return preview(self.house, actor or self.centre, self.wanted(**values))

    def close(self, actor: Actor | None = None, **values) -> Declared:
        actor = actor or self.centre
        found = preview(self.house, actor, self.wanted(**values))
        done = declare(self.house, actor, self.wanted(**values), found.digest)
        assert isinstance(done, Declared), done
        return done

    def whither(self, found: Preview) -> dict[str, str | None]:
        """{name: the site or, for who has none, why}."""
        names = {i: n for n, i in self.people.items()}
        return {names[m.patient]: m.to_site or m.why for m in found.moves}

    def where(self, *names: str, day: date | None = None) -> list[str | None]:
        """The site each may be dosed at that is not their own; more than one is a failure here."""
        with self.house.read() as tx:
            bound = binding.days_on(tx, day or self.today)
        found = []
        for name in names:
            at = [d.site for d in bound if d.patient == self.people[name]]
            assert len(at) < 2, f"{name} may be dosed at {at}"
            found.append(at[0] if at else None)
        return found

    def rows(self, table: sa.Table, **where) -> list[sa.Row]:
        with self.house.read() as tx:
            query = sa.select(table).where(*(table.c[name] == value for name, value in where.items()))
            return list(tx.execute(query))

    def places(self, site: str, day: date | None = None) -> int:
        return len(self.rows(guest.guest_place, site=site, day=day or self.today))


def make_network(house: House, *, near: int = 2, far: int = 2, beyond: int = 5) -> Network:
    places = {"HUA1": 4, "NEAR": near, "FAR": far, "BEYOND": beyond}
    for code, (lat, county) in SITES.items():
        make_site(house, code, county=county, number_prefix=code[:4])
        make_guest_site(house, code, lat_e6=lat, lon_e6=121_000_000, places=places[code], at_once=0)
    centre = make_account(house, "coordinator", scope="*", scope_kind="network")
    return Network(house, centre, make_account(house, "nurse", scope="HUA1"), today_of(house, "HUA1"))
