"""The frame of the patients' pages: leave quickly, language, and what the start page leads to.

Pages extend `portal/layout.html`. Addresses and titles stand in a telephone's
history: they say "days" and "papers", never what the place is for.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, request, url_for
from flask_babel import gettext

from ost.errors import N_
from ost.http import LANGUAGES, is_portal, portal_session_or_none, safe_portal_path
from ost.i18n import language
from ost.wording import site_name, word


@dataclass(frozen=True, slots=True)
class Tile:
    """A line of the start page. `icon`: one of ost/static/icons.svg."""

    endpoint: str
    label: str
    hint: str
    icon: str


#: What the start page leads to, most wanted first; an endpoint that does not exist is left out.
TILES = (
    Tile("portal_stay.index", N_("Other places"), N_("When you have to be elsewhere: ask, see, change"), "guest"),
    Tile("portal_record.days", N_("My days"), N_("What was given, when and where; days you came"), "check"),
    Tile("portal_record.papers", N_("Papers in force"), N_("What your doctor ordered, and what is on hold"), "pen"),
    Tile("portal_consents.index", N_("What I agreed to"), N_("See it, give it, take it back"), "two-people"),
    Tile("portal_fees.index", N_("Costs"), N_("What is charged, paid, and paid for you"), "chart"),
    Tile("portal_record.readers", N_("Who opened my record"), N_("Who, when and why"), "face"),
    Tile("portal_record.copy", N_("Take it all with me"), N_("Everything about you, in one file"), "print"),
    Tile("portal_settings.index", N_("Settings"), N_("PIN, codes, telephone, where you are signed in"), "lock"),
)


@dataclass(frozen=True, slots=True)
class Choice:
    code: str
    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Me:
    """What `portal/layout.html` draws beside the page. `tz`: of the home site, for times."""

    signed_in: bool
    tz: str
    languages: tuple[Choice, ...]


def install(app: Flask) -> None:
    app.jinja_env.globals["me"] = me
    app.jinja_env.filters |= {"word": word, "site_name": site_name}
    app.context_processor(lambda: {"word": word, "site_name": site_name} if is_portal() else {})


def me() -> Me:
    found = portal_session_or_none()
    here = language()
    back = safe_portal_path(request.full_path.rstrip("?") if request.method == "GET" else None)
    return Me(
        signed_in=found is not None and found.whole,
        tz=found.tz if found else "Asia/Taipei",
        languages=tuple(
            Choice(code, name, url_for("sign_in.language", code=code, next=back), code == here)
            for code, name in LANGUAGES.items()
        ),
    )


def tiles() -> list[dict]:
    """{url, label, hint, icon} of the start page, in the reader's language."""
    return [
        {"url": url_for(t.endpoint), "label": gettext(t.label), "hint": gettext(t.hint), "icon": t.icon}
        for t in TILES
        if t.endpoint in current_app.view_functions
    ]
