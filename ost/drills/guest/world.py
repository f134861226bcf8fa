"""The drill's country: sites with their desks, people with orders and consents, and one clock for all of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa

from ost import clock
from ost.bench.makers import TZ, make_account, make_bottle, make_guest_site, make_people, make_site
from ost.bench.network import network
from ost.models import lookup, opening, prescription
from ost.services.guest import standing
from ost.services.guest.standing import Allowed
from ost.services.messages import contacts
from ost.services.work import Actor, House, new_id

#: A spring with public holidays in it; fixed, so that a seed means the same story every time.
FIRST_DAY = date(2026, 3, 2)
COUNTIES = ("TPE", "HUA", "TXG", "KHH", "TNN")
DOSE_UG = 60_000


class Clock:
    """The one time of the drill: set by the story, read by every service."""

    def __init__(self, at: datetime):
        self.at = at

    def now(self) -> datetime:
        return self.at

    def set(self, day: date, hour: int, minute: int = 0, second: int = 0) -> None:
        """Local time of the sites (UTC+8, no summer time)."""
        at = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC) - timedelta(hours=8)
        if at < self.at:
            raise ValueError("the drill's clock never goes back")
        self.at = at

    def tick(self, seconds: int = 1) -> None:
        self.at += timedelta(seconds=seconds)

    @property
    def today(self) -> date:
        return clock.dosing_day(self.at, TZ)


@dataclass
class Desk:
    """One site: who works there, what is open there, and how many guests its own book says it takes."""

    code: str
    county: str
    bottle: str
    nurse: Actor
    prescriber: Actor
    places: int


@dataclass
class World:
    house: House
    clock: Clock
    chance: random.Random
    desks: dict[str, Desk] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    home: dict[str, str] = field(default_factory=dict)
    order: dict[str, str] = field(default_factory=dict)
    centre: Actor | None = None

    def me(self, person: str) -> Actor:
        """The patient at their own page."""
        return Actor(f"patient:{person}")

    def home_desk(self, person: str) -> Desk:
        return self.desks[self.home[person]]

    def other_site(self, person: str) -> str:
        return self.chance.choice([code for code in self.desks if code != self.home[person]])


def _site(world: World, number: int) -> None:
    code, county = f"S{number:03d}", COUNTIES[number % len(COUNTIES)]
    make_site(world.house, code, county=county, number_prefix=f"{number}", opens="06:00", closes="20:00")
    places = world.chance.randint(1, 6)
    make_guest_site(
        world.house,
        code,
        22_000_000 + world.chance.randrange(3_200_000),
        120_100_000 + world.chance.randrange(1_800_000),
        places,
        # Some take everybody at once, some nobody, most some.
        world.chance.randint(0, places),
        opens="06:30",
        last_dose="19:00",
        closes="19:30",
    )
    world.desks[code] = Desk(
        code,
        county,
        make_bottle(world.house, code, volume_ul=1_000_000_000, bottle_id=f"M-{code}"),
        make_account(world.house, "nurse", "case_manager", scope=code),
        make_account(world.house, "prescriber", scope=code),
        places,
    )


def _people(world: World, count: int) -> None:
    codes = list(world.desks)
    for number, code in enumerate(codes):
        share = count // len(codes) + (number < count % len(codes))
        for person in make_people(world.house, code, share, dose_ug=DOSE_UG):
            world.people.append(person)
            world.home[person] = code
    p = prescription.prescription
    with world.house.read() as tx:
        world.order.update(tx.execute(sa.select(p.c.patient, p.c.id)).all())


def _agree(world: World, share_standing: float, days: int) -> None:
    """Most agreed to guest dosing once for all; some of them are authorised beforehand, in each of the ways."""
    until = world.clock.today + timedelta(days=min(days + 40, 360))
    codes = list(world.desks)
    pairs = list(pairwise(codes))
    for person in world.people:
        if world.chance.random() < 0.85:
            agree(world, person, until)
        if world.chance.random() < 0.5:
            _telephone(world, person, until)
        if world.chance.random() >= share_standing:
            continue
        others = [code for code in codes if code != world.home[person]]
        one_end, other_end = world.chance.choice(pairs)
        ways = (
            {"anywhere": True},
            {"radius_m": 150_000},
            {"sites": tuple(world.chance.sample(others, min(4, len(others))))},
            {"corridor_from": one_end, "corridor_to": other_end, "corridor_m": 80_000},
        )
        allowed = Allowed(person, world.chance.randint(5, 60), until, **world.chance.choice(ways))
        standing.grant(world.house, world.home_desk(person).prescriber, allowed)


def _telephone(world: World, person: str, until: date) -> None:
    """They have one, and want messages there."""
    nurse = world.home_desk(person).nurse
    contact = contacts.set(world.house, nurse, person, "sms", f"09{world.chance.randrange(10**8):08d}")
    contacts.seen(world.house, nurse, person, contact)
    agree(world, person, until, kind="messages")


def agree(world: World, person: str, until: date, kind: str = "guest_dosing") -> str:
    """A consent that reaches anywhere, as the home site writes it down. Returns its id."""
    home = world.home_desk(person)
    with world.house.work(home.nurse, home.code, "consent.given", patient=person) as work:
        work.lock_patients([person])
        row = work.add(
            lookup.consent,
            id=new_id(),
            patient=person,
            kind=kind,
            until=until,
            site=home.code,
            by=home.nurse.id,
            at=work.now,
        )
    return row["id"]


@contextmanager
def world(engine: str, *, patients: int, sites: int, days: int, seed: int) -> Iterator[World]:
    """A fresh database of `engine` with everything in it; thrown away at the end."""
    with network(engine, sites=0) as made:
        yield populate(made.house, patients=patients, sites=sites, days=days, seed=seed)


def populate(
    house: House, *, patients: int, sites: int, days: int, seed: int, standing_share: float = 0.4
) -> World:
    """The same into a house that is there; its clock becomes the drill's."""
    at = Clock(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC) - timedelta(hours=8))
    made = World(replace(house, now=at.now, memo={}), at, random.Random(seed))
    for number in range(1, sites + 1):
        _site(made, number)
    made.centre = make_account(made.house, "coordinator", scope_kind="network", scope="*")
    _people(made, patients)
    _agree(made, standing_share, days)
    return made


def places_book(world: World):
    """What the drill itself knows of each site's places: (site, day) -> number, closed days none."""
    with world.house.read() as tx:
        extra = {
            (row.site, row.day): row.places
            for row in tx.execute(sa.select(opening.site_day).where(opening.site_day.c.places.is_not(None)))
        }
    return lambda code, day: extra.get((code, day), world.desks[code].places)
