"""What a site says about itself to guests: hours and places of each weekday, days that are otherwise, where it is."""

from __future__ import annotations

import re
from datetime import timedelta

from flask import current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, holds, house
from ost.i18n import language
from ost.rules.medicines import FAMILY_OF
from ost.rules.schedule import DateError, parse_date
from ost.services.guest import calendar, designation, settings
from ost.services.guest.settings import Hours
from ost.web import desk, formats, guest_frame

blueprint = guest_frame.make_blueprint("guest_settings", __name__, "/guest/settings")

_TIMES, _NUMBERS = ("opens", "last_dose", "closes"), ("places", "at_once")
_TYPED_TIME = re.compile(r"([0-9]{1,2})[:：]?([0-9]{2})")
_DEGREES = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?")


@blueprint.get("")
@allow("guest.settings")
def index():
    return _page()


def _page(errors: dict | None = None, warned: Refusal | None = None, part: str = ""):
    """`part`: which form was refused, so that what was typed stands in it again; `warned`: booked days would close."""
    found = settings.read(house(), actor(), desk.here())
    last = found.today + timedelta(days=settings.AHEAD_DAYS)
    days = calendar.holidays_between(found.policy, found.today, last, language())
    return render_template(
        "guest/settings.html",
        s=found,
        site=desk.facts(),
        weekdays_of=settings.WEEKDAYS,
        typed=request.form if part == "hours" else _typed(found.hours),
        day_typed=request.form if part == "day" else {},
        place_typed=request.form if part == "place" else _typed_place(found.place),
        holidays=days,
        worked=calendar.worked_between(found.policy, found.today, last),
        equipment=guest_frame.choices(settings.EQUIPMENT),
        why=guest_frame.choices(settings.WHY),
        medicines=guest_frame.choices(FAMILY_OF),
        may_designate=holds("site.manage"),
        closure_url=_closure_url,
        errors=errors or {},
        warned=warned,
        part=part,
    )


def _closure_url(day) -> str | None:
    """Where a closure of this day is declared, if this person may."""
    if "closures.declare" not in current_app.view_functions or not holds("closure.declare"):
        return None
    return url_for("closures.declare", site=desk.here(), day=day if isinstance(day, str) else day.isoformat())


@blueprint.post("/hours")
@allow("guest.settings")
def hours():
    """All eight kinds of day at once."""
    given, wrong = {}, {}
    for day in settings.WEEKDAYS:
        given[day] = _hours(f"_{day}", wrong) if request.form.get(f"open_{day}") else None
    return _written(
        "hours",
        wrong,
        lambda version, anyway: settings.set_hours(house(), actor(), desk.here(), given, version, anyway=anyway),
        gettext("The hours were kept."),
    )


@blueprint.post("/days")
@allow("guest.settings")
def day():
    """One day that is otherwise."""
    wrong: dict = {}
    on = _day(wrong)
    given = _hours("", wrong) if request.form.get("closed") != "1" else None
    why = request.form.get("why") or None
    return _written(
        "day",
        wrong,
        lambda version, anyway: settings.set_day(
            house(), actor(), desk.here(), on, given, why, version, anyway=anyway
        ),
        gettext("The day was kept."),
    )


@blueprint.post("/days/clear")
@allow("guest.settings")
def clear():
    wrong: dict = {}
    on = _day(wrong)
    return _written(
        "clear",
        wrong,
        lambda version, anyway: settings.clear_day(house(), actor(), desk.here(), on, version, anyway=anyway),
        gettext("The day is as usual again."),
    )


@blueprint.post("/place")
@allow("guest.settings")
def place():
    wrong: dict = {}
    lat, lon = _degrees("lat", wrong), _degrees("lon", wrong)
    return _written(
        "place",
        wrong,
        lambda version, _anyway: settings.set_place(
            house(),
            actor(),
            desk.here(),
            lat_e6=lat,
            lon_e6=lon,
            addresses={name: request.form.get(f"address_{name}", "") for name in ("zh_hant", "zh_hans", "en")},
            equipment=request.form.getlist("equipment")[:20],
            countersign=request.form.get("countersign") == "1",
            version=version,
        ),
        gettext("Kept."),
    )


@blueprint.post("/listed")
@allow("guest.settings")
def listed():
    wanted = request.form.get("listed") == "1"
    reached = designation.set_listed(house(), actor(), desk.here(), wanted, _version())
    gone = gettext(
        "The site takes no guests any more. People whose requests or permits were looked at again: %(n)s.",
        n=reached.people,
    )
    desk.done(gettext("The site takes guests now.") if wanted else gone)
    return redirect(url_for("guest_settings.index"))


@blueprint.post("/designation")
@allow("site.manage")
def designate():
    reached = designation.set_designation(
        house(),
        actor(),
        desk.here(),
        medicines=request.form.getlist("medicines")[:20],
        active=request.form.get("active") == "1",
        version=_version(),
    )
    desk.done(gettext("Kept. People whose requests or permits were looked at again: %(n)s.", n=reached.people))
    return redirect(url_for("guest_settings.index"))


# --- within ---------------------------------------------------------------------------


def _written(part: str, wrong: dict, write, said: str):
    """Write, or show the page again with what is wrong; booked days that would close ask for a second word."""
    try:
        if wrong:
            raise Refusal("input_invalid", fields=wrong)
        write(_version(), request.form.get("anyway") == "1")
    except Refusal as refusal:
        if refusal.code == "guest_days_booked":
            return _page(warned=refusal, part=part), 409
        return _page(desk.problems(refusal), part=part), 422
    desk.done(said)
    return redirect(url_for("guest_settings.index"))


def _version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 9 else -1


def _day(wrong: dict):
    try:
        return parse_date(request.form.get("day", ""))
    except DateError as error:
        wrong["day"] = [error.code]
        return None


def _hours(end: str, wrong: dict) -> Hours | None:
    times = [_time(name + end, wrong) for name in _TIMES]
    numbers = [_number(name + end, wrong) for name in _NUMBERS]
    return None if wrong else Hours(*times, *numbers)


def _time(name: str, wrong: dict) -> str:
    """"7:30", "730" and "0730" are 07:30."""
    found = _TYPED_TIME.fullmatch(request.form.get(name, "").strip())
    if found is None:
        wrong[name] = ["guest_time_wrong"]
        return ""
    return f"{int(found[1]):02}:{found[2]}"


def _number(name: str, wrong: dict) -> int:
    text = request.form.get(name, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        wrong[name] = ["guest_places_wrong"]
        return 0
    return int(text)


def _degrees(name: str, wrong: dict) -> int:
    text = request.form.get(name, "").strip()
    if not _DEGREES.fullmatch(text):
        wrong[name] = ["guest_point_wrong"]
        return 0
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, rest = digits.partition(".")
    return sign * (int(whole) * 1_000_000 + int(rest.ljust(6, "0")))


def _typed(hours) -> dict[str, str]:
    """The present hours as the form's fields."""
    fields = {}
    for day, h in hours.items():
        if h is not None:
            fields[f"open_{day}"] = "1"
            fields |= {f"{name}_{day}": str(getattr(h, name)) for name in (*_TIMES, *_NUMBERS)}
    return fields


def _typed_place(place) -> dict[str, str]:
    if place is None:
        return {}
    return {
        "lat": formats.decimal(place.lat_e6, 1_000_000),
        "lon": formats.decimal(place.lon_e6, 1_000_000),
        **{f"address_{n}": getattr(place, f"address_{n}") for n in ("zh_hant", "zh_hans", "en")},
        "countersign": "1" if place.countersign else "",
    }
