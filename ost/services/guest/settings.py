"""A site's own rules for guests: hours, places, days that are otherwise, where it is and what it has.

What is booked stands whatever is set here. A change that closes a day on which
guests are booked is written only when said twice; sending those people
elsewhere is a closure's work. Leaving the list of sites, or the designation,
reaches every permit there at once (`ost.services.guest.designation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost import canonical, clock
from ost.errors import Refusal
from ost.models import guest, opening, site
from ost.services.access import require
from ost.services.guest import calendar
from ost.services.work import Actor, House, Work, loads

PERMISSION = "guest.settings"
#: What a site may say it has; a guest who needs one of them is sent only where it is.
EQUIPMENT = ("step_free", "accessible_toilet", "buprenorphine_room", "injection_room", "interpreter")
#: Why a day is otherwise.
WHY = ("training", "stock_count", "building_work", "staff_short", "local_event", "other")
WEEKDAYS = (1, 2, 3, 4, 5, 6, 7, calendar.HOLIDAY)
MOST_PLACES = 500
#: How far ahead days are shown and may be set.
AHEAD_DAYS, MOST_AHEAD_DAYS = 120, 730

_G, _H, _D, _P, _S = opening.guest_site, opening.site_hours, opening.site_day, guest.guest_place, site.site
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class Hours:
    """Of one kind of day: "HH:MM" on the site's clock; `at_once` of the `places` are accepted without asking."""

    opens: str
    last_dose: str
    closes: str
    places: int
    at_once: int


@dataclass(frozen=True, slots=True)
class OwnDay:
    day: date
    hours: Hours | None  # None: closed
    why: str | None
    closure: str | None  # written by a closure: taken away with it, not here


@dataclass(frozen=True, slots=True)
class Booked:
    """A day on which more guests are booked than there is room for now; `places` 0 = closed."""

    day: date
    taken: int
    places: int


@dataclass(frozen=True, slots=True)
class PlaceSettings:
    lat_e6: int
    lon_e6: int
    address_zh_hant: str
    address_zh_hans: str
    address_en: str
    equipment: tuple[str, ...]
    listed: bool
    countersign: bool  # stricter than the pack: always
    version: int


@dataclass(frozen=True, slots=True)
class Settings:
    site: str
    policy: str
    active: bool
    medicines: tuple[str, ...]
    today: date
    place: PlaceSettings | None  # None: the site has never said where it is, and takes no guests
    hours: Mapping[int, Hours | None]  # weekday 1..7, 8 = public holiday
    own_days: tuple[OwnDay, ...]
    overbooked: tuple[Booked, ...]


def read(house: House, actor: Actor, code: str) -> Settings:
    """Refusal("not_permitted"); ("site_unknown")."""
    require(house, actor, PERMISSION, code)
    with house.read() as tx:
        return _read(house, tx, code)


def set_hours(
    house: House, actor: Actor, code: str, hours: Mapping[int, Hours | None], version: int, *, anyway: bool = False
) -> tuple[Booked, ...]:
    """The hours of every weekday and of public holidays; None = closed. Answers what is overbooked now.

    Refusal("input_invalid") names "<field>_<weekday>"; ("guest_settings_changed") where somebody else was quicker;
    ("guest_days_booked", days=...) where booked days would close, unless `anyway`.
    """
    require(house, actor, PERMISSION, code)
    _check({f"_{day}": hours.get(day) for day in WEEKDAYS})
    with house.work(actor, code, "guest.hours") as work:
        before = _locked(work, code, version)
        was = _rooms(work.tx, code, before.today)
        work.tx.execute(sa.delete(_H).where(_H.c.site == code))
        open_ = {day: found for day in WEEKDAYS if (found := hours.get(day)) is not None}
        work.add_many(_H, [{"site": code, "weekday": day, **_columns(found)} for day, found in open_.items()])
        now = _weigh(work, code, before.today, was, anyway)
        _grow(work, code)
        work.payload |= {"hours": {str(day): canonical.plain(_list(hours.get(day))) for day in WEEKDAYS}}
        return now


def set_day(
    house: House,
    actor: Actor,
    code: str,
    day: date,
    hours: Hours | None,
    why: str | None,
    version: int,
    *,
    anyway: bool = False,
) -> tuple[Booked, ...]:
    """One day that is otherwise; `hours` None = closed. Refusal("guest_day_of_closure") where a closure set it."""
    require(house, actor, PERMISSION, code)
    if why is not None and why not in WHY:
        raise Refusal("input_invalid", fields={"why": ["not_a_choice"]})
    if hours is not None:
        _check({"": hours})
    with house.work(actor, code, "guest.day") as work:
        before = _locked(work, code, version)
        _day_allowed(before.today, day)
        was = _rooms(work.tx, code, before.today)
        _forget_day(work, code, day)
        values = _columns(hours) if hours is not None else {}
        work.add(_D, site=code, day=day, closed=hours is None, why=why, by=actor.id, at=work.now, **values)
        now = _weigh(work, code, before.today, was, anyway)
        _grow(work, code)
        work.payload |= {"day": day, "hours": _list(hours), "why": why}
        return now


def clear_day(
    house: House, actor: Actor, code: str, day: date, version: int, *, anyway: bool = False
) -> tuple[Booked, ...]:
    """The day is as its weekday or holiday again."""
    require(house, actor, PERMISSION, code)
    with house.work(actor, code, "guest.day_cleared") as work:
        before = _locked(work, code, version)
        was = _rooms(work.tx, code, before.today)
        _forget_day(work, code, day)
        now = _weigh(work, code, before.today, was, anyway)
        _grow(work, code)
        work.payload |= {"day": day}
        return now


def set_place(
    house: House,
    actor: Actor,
    code: str,
    *,
    lat_e6: int,
    lon_e6: int,
    addresses: Mapping[str, str],  # "zh_hant", "zh_hans", "en"
    equipment: Iterable[str],
    countersign: bool,
    version: int,  # 0: the site has said nothing yet
) -> None:
    """Where the site is, what it has, and whether its prescriber signs for every guest. Not whether it is listed."""
    require(house, actor, PERMISSION, code)
    chosen = tuple(e for e in EQUIPMENT if e in set(equipment))
    fields: dict[str, list[str]] = {}
    if set(equipment) - set(EQUIPMENT):
        fields["equipment"] = ["not_a_choice"]
    if not -90_000_000 <= lat_e6 <= 90_000_000:
        fields["lat"] = ["guest_point_wrong"]
    if not -180_000_000 <= lon_e6 <= 180_000_000:
        fields["lon"] = ["guest_point_wrong"]
    words = {f"address_{name}": (addresses.get(name) or "").strip() for name in ("zh_hant", "zh_hans", "en")}
    fields |= {name: ["guest_address_wrong"] for name, text in words.items() if not text or len(text) > 120}
    if fields:
        raise Refusal("input_invalid", fields=fields)
    values = {
        "lat_e6": lat_e6,
        "lon_e6": lon_e6,
        **words,
        "equipment": canonical.text(list(chosen)),
        "policy_countersign": True if countersign else None,
    }
    with house.work(actor, code, "guest.place") as work:
        if version == 0:
            with house.read() as tx:
                _read(house, tx, code)  # the site exists
            if work.tx.execute(sa.select(_G.c.site).where(_G.c.site == code)).scalar() is not None:
                raise Refusal("guest_settings_changed")
            # Said where it is, it is not yet open to guests: hours and places come first.
            work.add(_G, site=code, listed=False, version=1, **values)
        else:
            _locked(work, code, version)
            work.tx.execute(sa.update(_G).where(_G.c.site == code).values(**values, version=version + 1))
        work.payload |= {"equipment": list(chosen), "countersign": countersign, "lat_e6": lat_e6, "lon_e6": lon_e6}


def overbooked(tx: Connection, code: str, today: date) -> tuple[Booked, ...]:
    """Days from today on with more guests booked than there is room for."""
    rooms = _rooms(tx, code, today)
    return tuple(Booked(day, *room) for day, room in sorted(rooms.items()) if room[0] > room[1])


# --- within ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Before:
    version: int
    today: date


def _locked(work: Work, code: str, version: int) -> _Before:
    """The site's row, locked, if it is still the one the page showed."""
    row = work.tx.execute(
        sa.select(_G.c.version, _S.c.tz).join(_S, _S.c.id == _G.c.site).where(_G.c.site == code).with_for_update(of=_G)
    ).one_or_none()
    if row is None:
        raise Refusal("guest_site_not_listed", site=code)
    if row.version != version:
        raise Refusal("guest_settings_changed")
    return _Before(row.version, clock.dosing_day(work.now, row.tz))


def _grow(work: Work, code: str) -> None:
    work.tx.execute(sa.update(_G).where(_G.c.site == code).values(version=_G.c.version + 1))


def _rooms(tx: Connection, code: str, today: date) -> dict[date, tuple[int, int]]:
    """{day: (booked, places)} of the days from today on that have guests; closed = 0 places."""
    count = sa.select(_P.c.day, sa.func.count()).where(_P.c.site == code, _P.c.day >= today).group_by(_P.c.day)
    taken = {row[0]: row[1] for row in tx.execute(count)}
    open_ = calendar.open_days(tx, [code], taken, unlisted=True)
    return {day: (n, open_[code, day].places if (code, day) in open_ else 0) for day, n in taken.items()}


def _weigh(work: Work, code: str, today: date, was: dict[date, tuple[int, int]], anyway: bool) -> tuple[Booked, ...]:
    now = _rooms(work.tx, code, today)
    closing = sorted(day for day, (_, places) in now.items() if places == 0 and was[day][1] > 0)
    if closing and not anyway:
        raise Refusal("guest_days_booked", days=", ".join(d.isoformat() for d in closing), first=closing[0].isoformat())
    return overbooked(work.tx, code, today)


def _forget_day(work: Work, code: str, day: date) -> None:
    row = work.tx.execute(sa.select(_D.c.closure).where(_D.c.site == code, _D.c.day == day)).one_or_none()
    if row is not None and row.closure is not None:
        raise Refusal("guest_day_of_closure", day=day.isoformat())
    work.tx.execute(sa.delete(_D).where(_D.c.site == code, _D.c.day == day))


def _day_allowed(today: date, day: date) -> None:
    if not today <= day <= today + timedelta(days=MOST_AHEAD_DAYS):
        raise Refusal("input_invalid", fields={"day": ["guest_day_not_settable"]})


def _check(hours: Mapping[str, Hours | None]) -> None:
    """Times that are times, in order; places that are places. Keys are the ends of the fields' names."""
    fields: dict[str, list[str]] = {}
    for end, h in hours.items():
        if h is None:
            continue
        for name in ("opens", "last_dose", "closes"):
            if not _TIME.fullmatch(getattr(h, name)):
                fields[name + end] = ["guest_time_wrong"]
        if not any(name + end in fields for name in ("opens", "last_dose", "closes")):
            # Times of one length compare as text does.
            if not h.opens < h.last_dose:
                fields[f"last_dose{end}"] = ["guest_times_order"]
            elif not h.last_dose <= h.closes:
                fields[f"closes{end}"] = ["guest_times_order"]
        if not 0 <= h.places <= MOST_PLACES:
            fields[f"places{end}"] = ["guest_places_wrong"]
        if not 0 <= h.at_once <= max(h.places, 0):
            fields[f"at_once{end}"] = ["guest_at_once_wrong"]
    if fields:
        raise Refusal("input_invalid", fields=fields)


def _columns(h: Hours) -> dict:
    return {n: getattr(h, n) for n in ("opens", "last_dose", "closes", "places", "at_once")}


def _list(h: Hours | None) -> list | None:
    return None if h is None else list(_columns(h).values())


def _read(house: House, tx: Connection, code: str) -> Settings:
    s = tx.execute(sa.select(_S).where(_S.c.id == code)).one_or_none()
    if s is None:
        raise Refusal("site_unknown")
    today = clock.dosing_day(house.now(), s.tz)
    g = tx.execute(sa.select(_G).where(_G.c.site == code)).one_or_none()
    rows = {row.weekday: row for row in tx.execute(sa.select(_H).where(_H.c.site == code))}
    days = tx.execute(sa.select(_D).where(_D.c.site == code, _D.c.day >= today).order_by(_D.c.day))
    usual = {day: _hours(rows[day]) if day in rows else None for day in WEEKDAYS}
    return Settings(
        site=code,
        policy=s.policy,
        active=s.active,
        medicines=tuple(loads(s.medicines)),
        today=today,
        place=None
        if g is None
        else PlaceSettings(
            lat_e6=g.lat_e6,
            lon_e6=g.lon_e6,
            address_zh_hant=g.address_zh_hant,
            address_zh_hans=g.address_zh_hans,
            address_en=g.address_en,
            equipment=tuple(loads(g.equipment)),
            listed=g.listed,
            countersign=bool(g.policy_countersign),
            version=g.version,
        ),
        hours=usual,
        own_days=tuple(_own_day(row, usual[calendar.kind_of(s.policy, row.day)]) for row in days),
        overbooked=overbooked(tx, code, today),
    )


def _hours(row) -> Hours:
    return Hours(row.opens, row.last_dose, row.closes, row.places, row.at_once)


def _own_day(row, usual: Hours | None) -> OwnDay:
    if row.closed:
        return OwnDay(row.day, None, row.why, row.closure)
    names = ("opens", "last_dose", "closes", "places", "at_once")
    values = [getattr(row, n) if getattr(row, n) is not None else getattr(usual, n, None) for n in names]
    # A day without a complete answer is a closed day, as the calendar reads it.
    return OwnDay(row.day, Hours(*values) if None not in values else None, row.why, row.closure)
