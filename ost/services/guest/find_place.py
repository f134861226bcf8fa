"""Where somebody could go: the sites that take guests, how far, open when, with how many places left. Names nobody.

For the portal, the desk and the public page. It shows what is there; whether a
certain person may have a place is asked of `ask`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.models import opening
from ost.models import site as sites
from ost.models.prescription import prescription, prescription_end
from ost.rules import geo
from ost.rules.counties import COUNTIES
from ost.services.guest import calendar
from ost.services.guest.calendar import OpenDay

#: Written by `make assets` (config.maps): [county, Chinese name, English name, lat_e6, lon_e6].
TOWNS = Path(__file__).resolve().parents[2] / "static" / "build" / "towns.json"
MOST_TOWNS = 12

_S, _G, _D = sites.site, opening.guest_site, opening.site_day
_LANGUAGES = {"zh_Hans_CN": 1, "en": 2}


@dataclass(frozen=True, slots=True)
class PlaceDay:
    """One day at one site. `opening` None: closed; `why`: None as always on such a day, "holiday", "closure" or a word
    of the site's own."""

    day: date
    opening: OpenDay | None
    holiday: bool
    why: str | None

    @property
    def free(self) -> int:
        return self.opening.free if self.opening else 0


@dataclass(frozen=True, slots=True)
class Place:
    site: str
    county: str
    names: tuple[str, str, str]  # Traditional Chinese, Simplified Chinese, English
    addresses: tuple[str, str, str]
    phone: str
    tz: str
    policy: str
    medicines: tuple[str, ...]
    equipment: tuple[str, ...]
    point: geo.Point
    distance_m: int | None  # from where the search began, straight line
    days: tuple[PlaceDay, ...]

    def name(self, language: str) -> str:
        return self.names[_LANGUAGES.get(language, 0)]

    def address(self, language: str) -> str:
        return self.addresses[_LANGUAGES.get(language, 0)]

    @property
    def free_days(self) -> int:
        return sum(1 for d in self.days if d.free)

    @property
    def usual(self) -> OpenDay | None:
        """The next day it is open, for its hours."""
        return next((d.opening for d in self.days if d.opening), None)


@dataclass(frozen=True, slots=True)
class Town:
    county: str
    name: str  # as the Ministry of the Interior writes it, in Traditional Chinese
    name_en: str
    point: geo.Point

    @property
    def key(self) -> str:
        """Names the town in an address."""
        return f"{self.county}-{self.name}"


def places(
    tx: Connection,
    days: Iterable[date],
    *,
    near: geo.Point | None = None,
    only: Iterable[str] | None = None,
    needs: Iterable[str] = (),
) -> tuple[Place, ...]:
    """Active, listed sites with their `days`: nearest first where `near` is given, else by county and name.

    `only`: these sites; `needs`: designated for all of these medicines.
    """
    wanted = sorted(set(days))
    query = sa.select(_S, _G).join(_G, _G.c.site == _S.c.id).where(_S.c.active, _G.c.listed)
    if only is not None:
        query = query.where(_S.c.id.in_(sorted(set(only))))
    rows = [row for row in tx.execute(query) if set(needs) <= set(json.loads(row.medicines))]
    codes = [row.id for row in rows]
    open_ = calendar.open_days(tx, codes, wanted)
    own = sa.select(_D.c.site, _D.c.day, _D.c.why, _D.c.closure).where(
        _D.c.site.in_(codes), _D.c.day.in_(wanted), _D.c.closed
    )
    closed = {(r.site, r.day): "closure" if r.closure else (r.why or "other") for r in tx.execute(own)}
    found = [_place(row, wanted, open_, closed, near) for row in rows]
    order = list(COUNTIES)
    if near is not None:
        return tuple(sorted(found, key=lambda p: (p.distance_m, p.site)))
    return tuple(sorted(found, key=lambda p: (order.index(p.county) if p.county in order else 99, p.names[0], p.site)))


def place(tx: Connection, code: str, days: Iterable[date], near: geo.Point | None = None) -> Place | None:
    """One site; None when it takes no guests."""
    return next(iter(places(tx, days, near=near, only=[code])), None)


def point_of(tx: Connection, code: str) -> geo.Point | None:
    """Where a site stands, listed or not."""
    row = tx.execute(sa.select(_G.c.lat_e6, _G.c.lon_e6).where(_G.c.site == code)).one_or_none()
    return (row.lat_e6, row.lon_e6) if row else None


def medicines_of(tx: Connection, patient_id: str) -> frozenset[str]:
    """The medicines of a person's orders that are not ended: another site has to be designated for them."""
    p, e = prescription, prescription_end
    query = (
        sa.select(p.c.medicine)
        .join(e, e.c.prescription == p.c.id, isouter=True)
        .where(p.c.patient == patient_id, e.c.prescription.is_(None))
    )
    return frozenset(tx.execute(query).scalars())


def matching(found: Iterable[Place], text: str) -> tuple[Place, ...]:
    """Those whose county, name or address has every word of `text`, in any of the three languages."""
    words = plain(text).split()
    return tuple(
        p for p in found if words and all(word in _said(p) for word in words)
    )


def _said(p: Place) -> str:
    return plain(" ".join((*p.names, *p.addresses, *COUNTIES.get(p.county, ()), p.site)))


@cache
def all_towns() -> tuple[Town, ...]:
    """Every town of the country; none where the list was not made (`make assets`)."""
    if not TOWNS.is_file():
        return ()
    rows = json.loads(TOWNS.read_text(encoding="utf-8"))
    return tuple(Town(county, name, name_en, (lat, lon)) for county, name, name_en, lat, lon in rows)


def towns(text: str) -> tuple[Town, ...]:
    """Towns whose name, with their county's, has every word of `text`; at most MOST_TOWNS."""
    words = plain(text).split()
    if not words:
        return ()
    found = (t for t in all_towns() if all(word in _of_town(t) for word in words))
    return tuple(t for t, _ in zip(found, range(MOST_TOWNS), strict=False))


def town(key: str) -> Town | None:
    return next((t for t in all_towns() if t.key == key), None)


@cache
def _of_town(t: Town) -> str:
    names = COUNTIES.get(t.county, ("", "", ""))
    return plain(f"{names[0]}{t.name} {names[1]} {names[2]} {t.name_en}")


def plain(text: str) -> str:
    """For comparing what is typed: one width, one case, and 台 for 臺."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("臺", "台").split())


def _place(row, wanted, open_, closed, near) -> Place:
    point = (row.lat_e6, row.lon_e6)
    return Place(
        site=row.id,
        county=row.county,
        names=(row.name_zh_hant, row.name_zh_hans, row.name_en),
        addresses=(row.address_zh_hant, row.address_zh_hans, row.address_en),
        phone=row.phone,
        tz=row.tz,
        policy=row.policy,
        medicines=tuple(json.loads(row.medicines)),
        equipment=tuple(json.loads(row.equipment)),
        point=point,
        distance_m=geo.distance_m(near, point) if near is not None else None,
        days=tuple(_day(row, day, open_.get((row.id, day)), closed.get((row.id, day))) for day in wanted),
    )


def _day(row, day: date, found: OpenDay | None, why: str | None) -> PlaceDay:
    holiday = calendar.is_holiday(row.policy, day)
    if found is None and why is None and holiday:
        why = "holiday"
    return PlaceDay(day, found, holiday, why if found is None else None)


def pack_of(tx: Connection, code: str) -> str:
    """Name of the policy pack a site follows."""
    return tx.execute(sa.select(_S.c.policy).where(_S.c.id == code)).scalar_one()


def tz_of(tx: Connection, code: str) -> str:
    return tx.execute(sa.select(_S.c.tz).where(_S.c.id == code)).scalar_one()


def phone_of(tx: Connection, code: str) -> str:
    return tx.execute(sa.select(_S.c.phone).where(_S.c.id == code)).scalar_one()
