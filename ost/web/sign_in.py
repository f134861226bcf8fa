"""Pages around signing in: the form, the counter one works at, the PIN page, signing out, the language."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask import session as form_session
from flask_babel import gettext

from ost import metrics
from ost.answers import field_texts, say
from ost.errors import Refusal
from ost.gate import cookie_name
from ost.http import (
    LANGUAGES,
    STATION_COOKIE,
    actor,
    allow,
    claimed_station,
    device,
    even_locked,
    holds,
    house,
    open_route,
    safe_path,
    session,
    session_or_none,
    signed_in,
    site,
    station_cookie,
)
from ost.i18n import COOKIE as LANGUAGE_COOKIE
from ost.i18n import language as present_language
from ost.services import accounts, places, sessions
from ost.services import sign_in as service
from ost.services import unlock as unlocking
from ost.services.pin_return import pin_return
from ost.web.frame import places as menu_places

blueprint = Blueprint("sign_in", __name__)


def _form(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "") for name in names}


def _cookie(response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        httponly=True,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        samesite="Lax",
        path="/",
    )


# --- start -------------------------------------------------------------------------


@blueprint.get("/")
@signed_in
def start():
    """Leads each role to its page."""
    here = session()
    if here.site is None:
        at = places.working_sites(house(), here)
        if len(at) > 1 or holds("counter.use"):
            return redirect(url_for("sign_in.choose"))
        if at:
            places.choose(house(), here, at[0].id, None)  # nothing to choose: one site and no counter
        # Whoever works at no site at all (the coordination centre, the health department) has nothing to choose.
    choose_page = url_for("sign_in.choose")
    for url, _label in menu_places():
        if url != choose_page:  # who chose to work without a counter is not asked again
            return redirect(url)
    return render_template("sign_in/nothing.html")


# --- in and out -----------------------------------------------------------------------


@blueprint.get("/sign-in")
@open_route
def form():
    target = safe_path(request.args.get("next"))
    if session_or_none() is not None:
        return redirect(target)
    return _sign_in_page(target)


@blueprint.post("/sign-in")
@open_route
def sign_in():
    target = safe_path(request.form.get("next"))
    given = _form("username", "password", "totp")
    place = service.Place(device(), claimed_station())
    done = service.sign_in(house(), given["username"], given["password"], given["totp"], place, sessions.PAGE)
    if isinstance(done, service.NotSignedIn):
        metrics.sign_ins.labels(done.code).inc()
        error = say(done.code, {"seconds": done.seconds})
        return _sign_in_page(target, error, username=given["username"]), 429 if done.seconds else 401
    metrics.sign_ins.labels("signed_in").inc()
    form_session.clear()  # a new CSRF token for a new person
    response = make_response(redirect(target))
    _cookie(response, cookie_name(current_app), done.token)
    return response


def _sign_in_page(target: str, error: dict | None = None, username: str = "", **more) -> str:
    return render_template(
        "sign_in/sign_in.html",
        next=target,
        error=error,
        username=username,
        at_station=claimed_station() is not None,
        action=url_for("sign_in.sign_in"),
        unlock_action=url_for("sign_in.unlock_here"),
        **more,
    )


@blueprint.post("/sign-in/unlock")
@open_route
def unlock_here():
    """On the locked counter itself: a colleague's user name and PIN let the locked-out person try again."""
    target = safe_path(request.form.get("next"))
    given = _form("username", "witness_username", "witness_pin")
    try:
        done = unlocking.unlock_at_station(
            house(),
            claimed_station(),
            device(),
            given["username"],
            given["witness_username"],
            given["witness_pin"][:40],
        )
    except Refusal as refusal:
        if refusal.code != "account_unknown":
            raise
        return _sign_in_page(target, say("account_unknown"), given["username"]), 422
    if done is not None:
        return _sign_in_page(target, say(done.code, {"seconds": done.seconds}), given["username"]), 403
    flash(gettext("Unlocked. Your colleague can sign in now."), "done")
    return redirect(url_for("sign_in.form", next=target))


@blueprint.post("/sign-out")
@signed_in
@even_locked
def sign_out():
    sessions.end(house(), session())
    form_session.clear()
    response = make_response(redirect(url_for("sign_in.form")))
    response.delete_cookie(cookie_name(current_app), path="/")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


# --- lock and return --------------------------------------------------------------------


@blueprint.post("/lock")
@signed_in
@even_locked
def lock():
    sessions.lock(house(), session())
    return redirect(url_for("sign_in.locked", next=safe_path(request.form.get("next") or request.referrer)))


@blueprint.get("/locked")
@signed_in
@even_locked
def locked():
    """The PIN page. Shows who was here and nothing of what was on the screen."""
    target = safe_path(request.args.get("next"))
    if not session().locked:
        return redirect(target)
    return _locked_page(target)


@blueprint.post("/locked")
@signed_in
@even_locked
def unlock():
    target = safe_path(request.form.get("next"))
    answer = pin_return(house(), session(), request.form.get("pin", "")[:40])
    if answer.ok:
        return redirect(target)
    if answer.left == 0:
        form_session.clear()
        response = make_response(_sign_in_page(target, say("pin_used_up")), 401)
        response.delete_cookie(cookie_name(current_app), path="/")
        return response
    return _locked_page(target, say("pin_wrong", {"left": answer.left})), 401


def _locked_page(target: str, error: dict | None = None) -> str:
    return render_template(
        "sign_in/locked.html",
        next=target,
        error=error,
        person=session().display_name,
        action=url_for("sign_in.unlock"),
    )


# --- where one works ---------------------------------------------------------------------


@blueprint.get("/workplace")
@signed_in
def choose():
    """Choose site and counter."""
    return _choose_page()


@blueprint.post("/workplace")
@signed_in
def chosen():
    here = session()
    wanted_site, wanted_counter = request.form.get("site", ""), request.form.get("counter") or None
    try:
        station = places.choose(house(), here, wanted_site, wanted_counter)
    except Refusal as refusal:
        if refusal.code == "not_permitted":
            raise
        return _choose_page({name: field_texts(v) for name, v in refusal.fields.items()}), 422
    response = make_response(redirect(url_for("sign_in.start")))
    if station:
        _cookie(response, STATION_COOKIE, station_cookie(station), 90 * 86400)
    return response


def _choose_page(errors: dict | None = None) -> str:
    here = session()
    at = places.working_sites(house(), here)
    use_counters = holds("counter.use")
    choices = [(s, places.counters(house(), here, s.id) if use_counters else ()) for s in at]
    return render_template(
        "sign_in/workplace.html",
        choices=choices,
        language=present_language(),
        present_site=here.site,
        present_counter=here.counter,
        errors=errors or {},
        action=url_for("sign_in.chosen"),
    )


# --- a colleague stands locked out ----------------------------------------------------------


@blueprint.get("/unlock-colleague")
@allow("counter.unlock")
def colleague():
    return render_template(
        "sign_in/colleague.html", errors={}, username="", action=url_for("sign_in.unlock_colleague")
    )


@blueprint.post("/unlock-colleague")
@allow("counter.unlock")
def unlock_colleague():
    username = request.form.get("username", "")
    if site() is None:
        return redirect(url_for("sign_in.choose"))
    try:
        unlocking.unlock(house(), actor(), username, site())
    except Refusal as refusal:
        if not refusal.fields:
            raise
        errors = {name: field_texts(v) for name, v in refusal.fields.items()}
        page = render_template(
            "sign_in/colleague.html",
            errors=errors,
            username=username,
            action=url_for("sign_in.unlock_colleague"),
        )
        return page, 422
    flash(gettext("Unlocked. Your colleague can sign in now."), "done")
    return redirect(url_for("sign_in.start"))


# --- language ----------------------------------------------------------------------------------


@blueprint.get("/language/<code>")
@open_route
def language(code: str):
    """Switch the language, for this browser and, when signed in, for the account."""
    if code not in LANGUAGES:
        raise Refusal("not_found")
    found = session_or_none()
    if found is not None and not found.locked and found.language != code:
        accounts.set_language(house(), found.actor(), code)
    response = make_response(redirect(safe_path(request.args.get("next"))))
    _cookie(response, LANGUAGE_COOKIE, code, 365 * 86400)
    return response
