"""What the pages around the counter share: where the person works, what was wrong with a form, coded words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, g, redirect, request, url_for
from flask_babel import gettext

from ost import wording
from ost.answers import field_texts, say
from ost.errors import N_, Refusal
from ost.http import house, session, site
from ost.i18n import language
from ost.services import places
from ost.services.places import SiteFacts, site_facts
from ost.web import formats

#: Words of these pages beside those of `ost.wording`.
WORDS = {
    "female": N_("female"),
    "male": N_("male"),
    "in_force": N_("in force"),
    "to_come": N_("to come"),
    "over": N_("over"),
    "changed": N_("changed"),
    "stopped": N_("stopped"),
    "void_not_taken": N_("void, not taken"),
    "replacement_ordered": N_("replacement ordered"),
    "other_persons_dose": N_("another person's dose"),
    "more_than_ordered": N_("more than ordered"),
    "read": N_("read"),
    "edit": N_("changed"),
    "copy": N_("copied"),
    "dropped": N_("dropped"),
    "pump": N_("pump"),
    "leak": N_("leak"),
    "broken": N_("broken"),
    "label_damaged": N_("label damaged"),
    "scanner_down": N_("scanner out of order"),
    "no_scanner": N_("no scanner here"),
    "law": N_("law"),
    "guideline": N_("guideline"),
    "weak": N_("weak source"),
    "note": N_("note"),
    "reason": N_("reason"),
    "signoff": N_("sign-off"),
    "stop": N_("stop"),
    "simulated": N_("simulated"),
    # a policy's units, and what it asks for after missed days
    "days": N_("days"),
    "hours": N_("hours"),
    "minutes": N_("minutes"),
    "s": N_("seconds"),
    "years": N_("years"),
    "percent": N_("percent"),
    "tries": N_("tries"),
    "looks": N_("looks"),
    "fingers": N_("fingers"),
    "impressions": N_("impressions"),
    "no_change": N_("no change"),
    "half": N_("half the dose"),
    "half_capped": N_("half the dose, or less"),
    "new_induction": N_("a new induction"),
    "right_thumb": N_("right thumb"),
    "right_index": N_("right index finger"),
    "right_middle": N_("right middle finger"),
    "right_ring": N_("right ring finger"),
    "right_little": N_("right little finger"),
    "left_thumb": N_("left thumb"),
    "left_index": N_("left index finger"),
    "left_middle": N_("left middle finger"),
    "left_ring": N_("left ring finger"),
    "left_little": N_("left little finger"),
    "too_dry": N_("too dry: breathe on the finger"),
    "too_wet": N_("too wet: wipe finger and glass"),
    "too_few_minutiae": N_("too little of the finger: lay it flat"),
    "off_centre": N_("off centre: move it to the middle"),
    "already_registered": N_("asked whether already registered"),
}
DAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


def make_blueprint(name: str, module: str, prefix: str) -> Blueprint:
    """A blueprint whose templates know coded words, names of places, moments and weekdays."""
    blueprint = Blueprint(name, module, url_prefix=prefix)
    blueprint.context_processor(lambda: {
            "word": word,
            "words": lambda codes: wording.listed(map(word, codes)),
            "when": when,
            "weekdays": weekdays,
            "counter_name": counter_name,
            "site_name": wording.site_name,
            "site_names": lambda codes: wording.listed(map(wording.site_name, codes)),
            "listed": wording.listed,
        })
    return blueprint


def word(code: str | None) -> str:
    return gettext(WORDS[code]) if code in WORDS else wording.word(code)


def choices(codes) -> list[tuple[str, str]]:
    return [(code, word(code)) for code in codes]


def weekdays(days) -> str:
    """[1, 2, 3, 4, 5, 6, 7] is every day; else their names."""
    if len(days) == 7:
        return gettext("every day")
    return " ".join(gettext(DAYS[day - 1]) for day in days)


def here() -> str:
    """The site this browser works at; nobody goes on without one."""
    found = site()
    if found is None:
        abort(redirect(url_for("sign_in.choose")))
    return found


def counters() -> list[tuple[str, str]]:
    """Id and name of every counter of this site, read once a request."""
    if "ost_counters" not in g:
        found = places.counters(house(), session(), here())
        g.ost_counters = [(c.id, gettext("Counter %(label)s", label=c.label)) for c in found]
    return g.ost_counters


def counter_name(counter: str | None) -> str:
    return dict(counters()).get(counter, counter) if counter else "–"


def facts() -> SiteFacts:
    return site_facts(house(), here())


def tz() -> ZoneInfo:
    found = site()
    known = site_facts(house(), found) if found else None
    return ZoneInfo(known.tz if known else "Asia/Taipei")


def when(at: datetime | None) -> str:
    """Day in both calendars and time, on the site's clock."""
    if at is None:
        return "–"
    local = at.astimezone(tz())
    return f"{formats.two_calendars(local.date())} {local:%H:%M}"


def name_of(row) -> str:
    """A product's name in the reader's language: `row.names` or the columns themselves."""
    names = getattr(row, "names", None)
    if names is None:
        names = {"zh_Hant": row.name_zh_hant, "zh_Hans": row.name_zh_hans, "en": row.name_en}
    return names["en" if language() == "en" else language()[:7]]


def product_label(row) -> str:
    """Name and strength of a product or a bottle; the strength once, where the name does not say it."""
    name, strength = name_of(row), formats.strength(row.strength_ug_per_ml, row.unit)
    plain = strength.replace(formats.NBSP, "").replace(" ", "")
    return name if plain in name.replace(" ", "").replace(formats.NBSP, "") else f"{name} · {strength}"


def given(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "").strip() for name in names}


def problems(refusal: Refusal) -> dict[str, list[str]]:
    """{field: texts} of a refused form; a refusal that names no field is for the error page."""
    if not refusal.fields:
        raise refusal
    return {
        name: [_title(text, refusal) for text in ([found] if isinstance(found, str) else found)]
        for name, found in refusal.fields.items()
    }


def _title(code: str, refusal: Refusal) -> str:
    # Beside the field stands what happened; where the code has placeholders, filled.
    try:
        return say(code, refusal.data)["title"]
    except KeyError:
        return field_texts([code])[0]


def done(text: str) -> None:
    flash(text, "done")
