"""The patients' door: sign in with number and PIN, a code where there is one, start page, sign out, leave quickly."""

from __future__ import annotations

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from flask import session as form_session

from ost import clock
from ost.gate import portal_cookie_name
from ost.http import (
    LANGUAGES,
    PORTAL_PREFIX,
    even_expired,
    house,
    open_route,
    patient_route,
    portal_session,
    portal_session_or_none,
    safe_portal_path,
    settings,
)
from ost.i18n import COOKIE as LANGUAGE_COOKIE
from ost.services.portal import sessions
from ost.web import portal_frame

blueprint = Blueprint("portal", __name__, url_prefix=PORTAL_PREFIX)

TAIPEI = "Asia/Taipei"


def keep_cookie(response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        httponly=True,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        samesite="Lax",
        path="/",
    )


def drop_cookie(response) -> None:
    response.delete_cookie(
        portal_cookie_name(current_app),
        path="/",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


@blueprint.get("")
@patient_route
def start():
    return render_template("portal/start.html", tiles=portal_frame.tiles())


# --- in ---------------------------------------------------------------------------


@blueprint.get("/sign-in")
@open_route
def form():
    target = safe_portal_path(request.args.get("next"))
    found = portal_session_or_none()
    if found is not None and found.whole:
        return redirect(target)
    return _sign_in_page(target)


def _sign_in_page(target: str, error: dict | None = None) -> str:
    return render_template("portal/sign_in.html", next=target, error=error, digits=settings().demo)


# --- out --------------------------------------------------------------------------


@blueprint.post("/sign-out")
@patient_route
def sign_out():
    return _out(url_for("portal.form"))


@blueprint.post("/leave")
@open_route
@even_expired
def leave():
    """One tap: signed out, and a page about nothing. Works also where the form's token or the session is gone."""
    return _out(url_for("portal.today"))


@blueprint.get("/today")
@open_route
def today():
    """Where leaving quickly leads: a date."""
    found = portal_session_or_none()
    day = clock.dosing_day(house().now(), found.tz if found else TAIPEI)
    return render_template("portal/today.html", day=day)


def _out(url: str):
    """Nothing stays in this browser but the language. Staff signed in beside it stay so: only this cookie goes.

    "cache" takes pages kept for the back button with it; "cookies" would also sign out whoever else
    uses this computer.
    """
    found = portal_session_or_none()
    if found is not None:
        sessions.end(house(), found)
    form_session.clear()
    response = make_response(redirect(url, 303))
    drop_cookie(response)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


# --- language ---------------------------------------------------------------------


@blueprint.post("/language")
@patient_route
def language():
    """The patient's own language: of these pages and of what is sent to them."""
    code = request.form.get("language", "")
    if code in LANGUAGES:
        sessions.set_language(house(), portal_session(), code)
    response = make_response(redirect(url_for("portal.start"), 303))
    if code in LANGUAGES:
        keep_cookie(response, LANGUAGE_COOKIE, code, 365 * 86400)
    return response
