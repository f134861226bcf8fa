"""A small network around a site that closes, and what its people are asked afterwards."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import date, timedelta

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import closure, guest, message, opening
from ost.models.patient import patient
from ost.models.prescription import hold
from ost.services.closures.declare import Declared, declare
from ost.services.closures.preview import Preview, preview
from ost.services.closures.wanted import Wanted
from ost.services.guest import ask as asking
from ost.services.guest import binding
from ost.services.guest.consent import NewConsent
from ost.services.outcome import Ending, end
from ost.services.promise import promise as promised
from ost.services.work import SYSTEM, Actor, House, new_id
from tests.make import (
    dose_request,
    make_account,
    make_bottle,
    make_guest_site,
    make_patient,
    make_prescription,
    make_site,
)
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


# --- what happens around it ---------------------------------------------------------

TABLES = (
    closure.closure, closure.closure_move, closure.closure_day, guest.guest_request, guest.guest_step,
    guest.guest_permit, guest.permit_day, guest.permit_day_end, guest.guest_place, guest.guest_pass, opening.site_day,
)  # fmt: skip


def everything(net) -> dict[str, list]:
    return {t.name: sorted(map(tuple, net.rows(t)), key=repr) for t in TABLES}


def messages(net) -> list[tuple[str, str]]:
    names = {i: n for n, i in net.people.items()}
    return sorted((names[m.patient], m.kind) for m in net.rows(message.message))


def hold_of(net, name: str) -> None:
    with net.house.work(SYSTEM, "HUA1", "test.hold") as work:
        row = {"patient": net.people[name], "site": "HUA1", "kind": "clinical", "reason_code": "medical_review"}
        work.add(hold, id=new_id(), blocks=True, since=net.today, by="test", at=work.now, **row)


def promise(net, name: str, site: str):
    """A dose promised by a nurse of that site, from a bottle of that site."""
    nurse, bottle = make_account(net.house, "nurse", scope=site), make_bottle(net.house, site)

    class _Clinic:
        patient, dose_ug, volume_ul = net.people[name], 60_000, 6_000

    _Clinic.site, _Clinic.bottle = site, bottle
    given = promised(net.house, nurse, dose_request(_Clinic))
    assert given.state == "promised", given
    return nurse, given.dose_id


def give(net, name: str, site: str) -> None:
    nurse, dose_id = promise(net, name, site)
    end(net.house, nurse, Ending(dose_id, "swallowed"))


def wish_to_go(net, name: str, site: str, *days):
    """Asked at the home site's desk, and not decided."""
    [person] = net.rows(patient, id=net.people[name])
    nurse = make_account(net.house, "nurse", scope=person.home_site)
    agreed = NewConsent(until=net.today + timedelta(days=30), sites=(site,))
    return asking.ask(net.house, nurse, asking.Wanted(new_id(), net.people[name], site, days, consent=agreed))


def at_once(*acts) -> list:
    """Every act in a thread of its own, begun together; what each answered or raised, in their order."""
    answers, start = [None] * len(acts), threading.Barrier(len(acts))

    def run(n, act):
        start.wait()
        try:
            answers[n] = act()
        except Refusal as refusal:
            answers[n] = refusal

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
