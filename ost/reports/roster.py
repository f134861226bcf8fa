"""A closure's roster on paper: worded in one language, with the code that shows where it came from.

HTML that needs nothing else, of which ost.reports.evaluation makes the PDF. Decides nothing and opens nothing: names
come masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ost.errors import N_, catalogue
from ost.reports.words import NBSP, Words

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
MEDICINES = {
    "methadone": N_("methadone"),
    "buprenorphine": N_("buprenorphine"),
    "buprenorphine_naloxone": N_("buprenorphine-naloxone"),
}
TITLES = {"leaving": N_("Roster of who goes where"), "coming": N_("Roster of who comes")}


def sites_of(roster) -> set[str]:
    return {roster.site} | {r.from_site for r in roster.rows} | {r.to_site for r in roster.rows if r.to_site}


def render_html(roster, places: Mapping, language: str) -> str:
    """`roster`: as ost.services.closures.roster makes it; `places`: {site: its names, telephone, hours}."""
    return _environment(language).get_template("closures/roster.html").render(**view(roster, places, language))


def view(roster, places: Mapping, language: str) -> dict:
    words = Words(language)

    def name(code: str | None) -> str:
        return "–" if code is None else places[code].names[language]

    made = roster.made_at.astimezone(ZoneInfo(places[roster.site].tz))
    days = sorted({r.day for r in roster.rows})
    return {
        "w": words,
        "language": words.tag,
        "r": roster,
        "title": words.say(TITLES[roster.kind]),
        "name": name,
        "made": f"{words.day(made)} {made:%H:%M}",
        "days": [
            {
                "day": day,
                "said": _day(words, day),
                "rows": [_row(words, r, name, places, language) for r in roster.rows if r.day == day],
            }
            for day in days
        ],
        "check": " ".join(roster.digest[n : n + 4].upper() for n in range(0, 16, 4)),
        "qr": Markup(segno.make(roster.code, error="m", micro=False).svg_inline(scale=2, border=2, omitsize=False)),
    }


def _row(words: Words, r, name, places: Mapping, language: str) -> dict:
    hours = places[r.to_site].hours.get(r.day) if r.to_site else None
    return {
        "number": r.number,
        "person": r.name,
        "request": r.request_number,
        "from_": name(r.from_site),
        "phone": places[r.from_site].phone,
        "to": name(r.to_site) if r.to_site else words.say(N_("no place found: the site looks after them")),
        "to_phone": places[r.to_site].phone if r.to_site else "",
        "to_address": (places[r.to_site].addresses[language] or "") if r.to_site else "",
        "hours": "–".join(hours) if hours else "",
        "doses": [_dose(words, r, d) for d in r.doses],
        "stops": [words.say(catalogue()[code].title) % _Said(days) for code, days in r.stops],
        "last": _last(words, r),
    }


def _dose(words: Words, r, d) -> tuple[str, str, str]:
    """Medicine, amount, and which of several it is: two amounts on one line are not one dose."""
    which = words.say(N_("dose %(n)s of %(total)s today")) % {"n": d.slot, "total": r.slots} if r.slots > 1 else ""
    return words.say(MEDICINES.get(d.medicine, d.medicine)), mg(d.dose_ug), which


class _Said(dict):
    """A reason's numbers on paper; what is not kept there is left open."""

    def __init__(self, days: int | None):
        super().__init__({} if days is None else {"days": days})

    def __missing__(self, name: str) -> str:
        return "–"


def _last(words: Words, r) -> str:
    return f"{_day(words, r.last_day)} · {mg(r.last_ug)}" if r.last_day else words.say(N_("none on record lately"))


def _day(words: Words, day: date) -> str:
    return words.day(datetime.combine(day, time()))


def mg(ug: int) -> str:
    """Exactly, without a superfluous zero."""
    whole, rest = divmod(ug, 1000)
    return f"{whole:,}" + (f".{rest:03}".rstrip("0") if rest else "") + NBSP + "mg"


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(Words(language).translations, newstyle=True)
    return environment
