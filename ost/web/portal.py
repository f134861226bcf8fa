"""The patients' door: sign in with number and PIN, a code where there is one, start page, sign out, leave quickly."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask import session as form_session
from flask_babel import gettext

from ost import clock, metrics
from ost.answers import say
from ost.gate import portal_cookie_name
from ost.http import (
    LANGUAGES,
    PORTAL_PREFIX,
    device,
    even_expired,
    house,
    open_route,
    patient_route,
    portal_session,
    portal_session_or_none,
    safe_portal_path,
)
from ost.i18n import COOKIE as LANGUAGE_COOKIE
from ost.services.portal import factors, sessions
from ost.services.portal import sign_in as service
from ost.web import portal_frame

blueprint = Blueprint("portal", __name__, url_prefix=PORTAL_PREFIX)

TAIPEI = "Asia/Taipei"
#: So long a browser that signed in is known: its own wrong tries are counted apart from strangers'.
KNOWN_DAYS = 180
_BROWSERS = (("Edg", "Edge"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"))
_BROWSERS += (("CriOS", "Chrome"), ("Line/", "LINE"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"))
_SYSTEMS += (("Mac OS", "Mac"), ("CrOS", "Chromebook"), ("Linux", "Linux"))


def browser_name(agent: str) -> str:
    """Enough to know one's own telephone by: "Chrome, Android"; of what a browser says of itself no more is kept."""
    names = (next((name for mark, name in known if mark in agent), "") for known in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in names if name)


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


@blueprint.get("/")
@open_route
def with_a_stroke():
    """As some type it."""
    return redirect(url_for("portal.start"))


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


@blueprint.post("/sign-in")
@open_route
def sign_in():
    target = safe_portal_path(request.form.get("next"))
    found = portal_session_or_none()
    done = service.begin(
        house(),
        request.form.get("number", ""),
        request.form.get("pin", ""),
        _place(),
        old=found.id if found else None,
    )
    if isinstance(done, service.NotSignedIn):
        metrics.sign_ins.labels(done.code).inc()  # many of these in an hour are somebody trying numbers
        return _sign_in_page(target, _said(done)), 429 if done.seconds else 401
    if isinstance(done, service.SignedIn):
        return _in(done, target)
    if done.wait_s:
        flash(_wait_text(done.wait_s), "note")
    response = make_response(redirect(url_for("portal.code", next=target), 303))
    keep_cookie(response, portal_cookie_name(current_app), done.token)
    return response


@blueprint.get("/code")
@open_route
def code():
    target = safe_portal_path(request.args.get("next"))
    found = portal_session_or_none()
    if found is None or found.whole:
        return redirect(url_for("portal.form", next=target))
    return _code_page(target, found)


@blueprint.post("/code")
@open_route
def give_code():
    target = safe_portal_path(request.form.get("next"))
    found = portal_session_or_none()
    if found is None or found.whole:
        return redirect(url_for("portal.form", next=target))
    done = service.give_code(house(), found, request.form.get("code", ""), _place())
    if isinstance(done, service.SignedIn):
        return _in(done, target)
    metrics.sign_ins.labels(done.code).inc()
    status = 429 if done.seconds else 401
    if not done.over:
        return _code_page(target, found, _said(done)), status
    response = make_response(_sign_in_page(target, _said(done)), status)
    drop_cookie(response)
    return response


@blueprint.post("/code/send")
@open_route
def send_code():
    target = safe_portal_path(request.form.get("next"))
    found = portal_session_or_none()
    if found is None or found.whole:
        return redirect(url_for("portal.form", next=target))
    wait = service.send_code(house(), found, _place())
    flash(_wait_text(wait) if wait else gettext("A new code is on its way. The one before no longer works."), "note")
    return redirect(url_for("portal.code", next=target), 303)


def _in(done: service.SignedIn, target: str):
    metrics.sign_ins.labels("portal_signed_in").inc()
    form_session.clear()  # a new CSRF token for a new person
    response = make_response(redirect(target, 303))
    keep_cookie(response, portal_cookie_name(current_app), done.token)
    keep_cookie(response, _mark_name(), done.mark, KNOWN_DAYS * 86400)
    return response


def _place() -> service.Place:
    mark = request.cookies.get(_mark_name(), "")[:200]
    return service.Place(device(), browser_name(request.headers.get("User-Agent", "")), mark or None)


def _mark_name() -> str:
    return portal_cookie_name(current_app) + "_b"


def _said(done: service.NotSignedIn) -> dict:
    return say(done.code, {"seconds": done.seconds})


def _wait_text(seconds: int) -> str:
    return gettext("A code was sent a moment ago. Another one can be sent in %(seconds)s seconds.", seconds=seconds)


def _sign_in_page(target: str, error: dict | None = None) -> str:
    return render_template("portal/sign_in.html", next=target, error=error)


def _code_page(target: str, half, error: dict | None = None) -> str:
    wanted = factors.asked(house(), half.patient)
    return render_template("portal/code.html", next=target, error=error, wanted=wanted)


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
