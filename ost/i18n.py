"""Which language a page is in: the account's own, what was chosen in this browser, then what the browser asks for."""

from __future__ import annotations

from flask import Flask, g, has_request_context, request
from flask_babel import Babel

from ost.http import LANGUAGES, portal_session_or_none, session_or_none, settings

COOKIE = "ost_language"


def install(app: Flask) -> None:
    app.config.setdefault("BABEL_DEFAULT_LOCALE", app.extensions["ost"].settings.language)
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "translations")
    Babel(app, locale_selector=language)


def language() -> str:
    """One of LANGUAGES."""
    if not has_request_context():
        return settings().language
    if "ost_language" not in g:
        g.ost_language = _choose()
    return g.ost_language


def _choose() -> str:
    found = portal_session_or_none() or session_or_none()
    if found and found.language in LANGUAGES:
        return found.language  # choosing another one changes the account's, or the patient's
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for wanted, _quality in request.accept_languages:
        match = _nearest(wanted)
        if match:
            return match
    return settings().language


def _nearest(tag: str) -> str | None:
    parts = tag.lower().replace("_", "-").split("-")
    if parts[0] == "en":
        return "en"
    if parts[0] == "zh":
        simplified = "hans" in parts or ("hant" not in parts and {"cn", "sg", "my"} & set(parts))
        return "zh_Hans_CN" if simplified else "zh_Hant_TW"
    return None
