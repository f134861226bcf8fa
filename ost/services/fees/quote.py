"""What a stay would cost, said before it is booked: own share, the payer's, what is left of the year, what is open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import policies
from ost.keys import SealBroken
from ost.models import fee, opening, site
from ost.models.patient import patient
from ost.rules import fees as rules
from ost.services import sealed
from ost.services.fees import tariff
from ost.services.work import House

_U = fee.subsidy_use


@dataclass(frozen=True, slots=True)
class Line:
    """`count` times an item. Amounts are of all of them together; None: not published."""

    item: str
    count: int
    amount_ntd: int | None
    payer_ntd: int | None
    own_ntd: int | None


@dataclass(frozen=True, slots=True)
class Left:
    """One year's subsidy of the home county. `cap_ntd` None: none is published. `used_ntd`: before this stay."""

    year: int
    cap_ntd: int | None
    used_ntd: int

    @property
    def left_ntd(self) -> int | None:
        return None if self.cap_ntd is None else max(0, self.cap_ntd - self.used_ntd)


@dataclass(frozen=True, slots=True)
class Quote:
    """`unknown`: items whose amount or share nobody has published; the sums hold the others only."""

    county: str
    patient_class: str
    lines: tuple[Line, ...]
    own_ntd: int
    payer_ntd: int
    unknown: tuple[str, ...]
    years: tuple[Left, ...]


def quote(
    house: House, tx: Connection, patient_id: str, home_site: str, site_id: str, days: Iterable[date]
) -> Quote:
    """For these days at `site_id`: setting up once, a signature where it is asked for, a dose each day.

    Reads only. What is charged in the end follows what happens, not this.
    """
    wanted = sorted(set(days))
    s = site.site
    home = tx.execute(sa.select(s.c.county, s.c.policy).where(s.c.id == home_site)).one()
    first = wanted[0]
    signs = _signs(tx, site_id, first)
    planned = [(rules.SET_UP, first)] + ([(rules.COUNTERSIGN, first)] if signs else [])
    planned += [(rules.PER_DOSE, day) for day in wanted]
    years = {day.year for _, day in planned}
    classes = {day: class_on(house, tx, patient_id, home.policy, day) for _, day in planned}
    caps = {day: _cap(tx, home.county, day.year, found) for day, found in classes.items()}
    used = {year: used_ntd(tx, patient_id, home.county, year) for year in years}
    before = dict(used)
    sums: dict[str, list] = {}
    for item, day in planned:
        row = tariff.item_in_force(tx, item, home.county, classes[day], day)
        part = rules.share(
            row.amount_ntd if row else None, row.payer_share_percent if row else None, caps[day], used[day.year]
        )
        used[day.year] += part.payer_ntd or 0
        sums.setdefault(item, []).append(part)
    lines = tuple(_line(item, parts) for item, parts in sums.items())
    return Quote(
        county=home.county,
        patient_class=classes[first],
        lines=lines,
        own_ntd=sum(line.own_ntd or 0 for line in lines),
        payer_ntd=sum(line.payer_ntd or 0 for line in lines),
        unknown=tuple(line.item for line in lines if line.own_ntd is None),
        years=tuple(Left(year, caps[min(d for d in caps if d.year == year)], before[year]) for year in sorted(years)),
    )


def class_on(house: House, tx: Connection, patient_id: str, policy: str, day: date) -> str:
    """"adult" or "minor" by the sealed birth date; of somebody forgotten nobody knows more than an adult."""
    try:
        key = sealed.person_key(tx, house.keys, patient_id)
    except SealBroken:
        return rules.ADULT
    shut = tx.execute(sa.select(patient.c.birth_date_sealed).where(patient.c.id == patient_id)).scalar_one()
    born = date.fromisoformat(sealed.unseal_text(key, patient_id, "patient", "birth_date", shut))
    return rules.patient_class(born, day, policies.policy(policy).int("subsidy_minor_under_years", day))


def used_ntd(tx: Connection, patient_id: str, county: str, year: int) -> int:
    where = (_U.c.patient == patient_id, _U.c.county == county, _U.c.year == year)
    return tx.execute(sa.select(_U.c.used_ntd).where(*where)).scalar() or 0


def _cap(tx: Connection, county: str, year: int, patient_class: str) -> int | None:
    found = tariff.cap_in_force(tx, county, year, patient_class)
    return found.cap_ntd if found else None


def _signs(tx: Connection, site_id: str, day: date) -> bool:
    """Whether the guest site's prescriber signs for the stay: its own stricter choice, else its pack's."""
    s, g = site.site, opening.guest_site
    row = tx.execute(
        sa.select(s.c.policy, g.c.policy_countersign).join_from(s, g, isouter=True).where(s.c.id == site_id)
    ).one()
    return bool(row.policy_countersign) or policies.policy(row.policy).bool("guest_countersign_required", day)


def _line(item: str, parts: list[rules.Share]) -> Line:
    """A sum with an unknown part is unknown."""

    def total(name: str) -> int | None:
        values = [getattr(part, name) for part in parts]
        return None if any(v is None for v in values) else sum(values)

    return Line(item, len(parts), total("amount_ntd"), total("payer_ntd"), total("own_ntd"))
