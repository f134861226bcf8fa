"""Words of the guest desks beside those of `ost.web.desk`, and what their pages share: tabs and the blueprint."""

from __future__ import annotations

from flask import Blueprint, current_app, request, url_for
from flask_babel import gettext

from ost import wording
from ost.errors import N_
from ost.http import holds
from ost.i18n import language
from ost.rules.counties import COUNTIES
from ost.web import desk
from ost.web.shell import Link

WORDS = {
    # what a site has
    "step_free": N_("step-free access"),
    "accessible_toilet": N_("accessible toilet"),
    "buprenorphine_room": N_("room for buprenorphine"),
    "injection_room": N_("room for injections"),
    "interpreter": N_("interpreter"),
    # why a day is otherwise
    "training": N_("training"),
    "stock_count": N_("stock count"),
    "building_work": N_("building work"),
    "staff_short": N_("short of staff"),
    "local_event": N_("local event"),
    "closure": N_("declared closure"),
    # where a request stands
    "asked": N_("waits for the home site"),
    "question": N_("waits for the patient's answer"),
    "approved": N_("approved, waits for the guest site"),
    "accepted": N_("accepted, waits for a signature"),
    "offered": N_("another place is offered"),
    "confirmed": N_("confirmed"),
    "paused": N_("paused"),
    "declined": N_("declined"),
    "not_accepted": N_("not accepted"),
    "cancelled": N_("cancelled"),
    "ended": N_("ended"),
    "expired": N_("expired"),
    # who
    "patient": N_("patient"),
    "home": N_("home site"),
    "guest_prescriber": N_("guest site's prescriber"),
    "centre": N_("coordination centre"),
    "system": N_("the program"),
    "nobody": N_("nobody"),
}
#: (permission, endpoint, label) of the tabs on the guest desks' pages.
TABS = (
    ("guest.read", "guest_desk.requests", N_("Our patients")),
    ("guest.read", "guest_incoming.index", N_("Guests here")),
    ("guest.approve", "guest_on_call.index", N_("On call")),
    ("guest.settings", "guest_settings.index", N_("Hours and places")),
    ("closure.read", "closures.index", N_("Closures")),
)


def make_blueprint(name: str, module: str, prefix: str) -> Blueprint:
    """As `desk.make_blueprint`, with these words and tabs."""
    blueprint = desk.make_blueprint(name, module, prefix)
    blueprint.context_processor(
        lambda: {
            "word": word,
            "words": lambda codes: wording.listed(map(word, codes)),
            "county_name": county_name,
            "tabs": tabs(),
        }
    )
    return blueprint


def word(code: str | None) -> str:
    return gettext(WORDS[code]) if code in WORDS else desk.word(code)


def choices(codes) -> list[tuple[str, str]]:
    return [(code, word(code)) for code in codes]


def county_name(code: str) -> str:
    names = COUNTIES.get(code)
    return names[{"zh_Hans_CN": 1, "en": 2}.get(language(), 0)] if names else code


def tabs() -> tuple[Link, ...]:
    return tuple(
        Link(gettext(label), url, request.path == url or request.path.startswith(url + "/"))
        for permission, endpoint, label in TABS
        if endpoint in current_app.view_functions and holds(permission) and (url := url_for(endpoint))
    )
