"""Before each request: who is it, is this route open to them, is the screen locked.

Shut by default: an endpoint without a mark is refused, whoever asks. Pages
are known by a cookie and need a CSRF token for every change; the API is known
by a bearer token only, and no cookie opens it. Patients have a cookie of their
own, which is read at their own pages only, where nobody else's is.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from flask import Flask, abort, current_app, g, request
from flask_login import LoginManager, UserMixin
from flask_wtf.csrf import CSRFError, CSRFProtect, validate_csrf
from sqlalchemy.exc import DBAPIError
from wtforms.validators import ValidationError

from ost.errors import Refusal
from ost.http import OPEN, PATIENT, SIGNED_IN, STATION, Marks, house, is_api, is_portal, marks_of
from ost.rules.access import may_somewhere
from ost.services import sessions
from ost.services.portal import sessions as portal_sessions

SAFE = ("GET", "HEAD", "OPTIONS")
FILES = ("static", "assets.vendor")
#: A proxy's own request number, if it is plainly one: it goes into the log as it is.
_GIVEN_ID = re.compile(r"[0-9a-f]{16,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Person(UserMixin):
    """What Flask-Login calls the current user: the account behind the session."""

    def __init__(self, session: sessions.Session):
        self.id = session.account
        self.session = session


def cookie_name(app: Flask) -> str:
    # The prefix makes browsers refuse a cookie set by another host or over plain HTTP.
    return "__Host-ost" if app.config["SESSION_COOKIE_SECURE"] else "ost"


def portal_cookie_name(app: Flask) -> str:
    return "__Host-me" if app.config["SESSION_COOKIE_SECURE"] else "me"


def install(app: Flask) -> None:
    login = LoginManager()
    login.session_protection = None  # Flask's own session carries no identity at all
    login.init_app(app, add_context_processor=True)
    login.request_loader(_load)
    csrf = CSRFProtect()
    csrf.init_app(app)
    app.extensions["ost_csrf"] = csrf
    app.before_request(_identify_request)
    app.before_request(_gate)


def _load(_request) -> Person | None:
    found = g.get("ost_session")
    return Person(found) if found else None


def _identify_request() -> None:
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
    g.ost_session = None
    g.ost_portal = None


def _gate() -> None:
    if request.routing_exception is not None:
        if is_portal():
            g.ost_portal = _find_patient()
        elif not is_api():
            g.ost_session = _find(api=False)  # the page that says so has the person's own frame
        return  # no such address, or not for this method: said as such
    _readable()
    marks = marks_of(current_app.view_functions.get(request.endpoint), request.method)
    api = is_api()
    if is_portal():
        _portal_gate(marks)
        return
    # Files belong to nobody: no look at the database for them.
    found = g.ost_session = None if request.endpoint in FILES else _find(api)
    if not api and request.method not in SAFE:
        current_app.extensions["ost_csrf"].protect()
    if marks.door in (OPEN, STATION):
        return
    if found is None:
        abort(401)
    if marks.door in (None, PATIENT):  # a patient's page stands below their prefix, or nowhere
        raise Refusal("not_permitted")
    if found.locked and not marks.even_locked:
        raise Refusal("session_locked")
    if marks.door != SIGNED_IN and not may_somewhere(found.grants, marks.door):
        raise Refusal("not_permitted", permission=marks.door)
    if not api and not marks.quiet:
        sessions.touch(house(), found)


def _portal_gate(marks: Marks) -> None:
    """A patient's session, and nothing else, opens what is marked for it here; a mark for staff opens nothing here."""
    found = g.ost_portal = _find_patient()
    if request.method not in SAFE and not marks.even_expired:
        _protect_portal_form()
    if marks.door == OPEN:
        return
    if found is None or not found.whole:
        abort(401)
    if marks.door != PATIENT:
        raise Refusal("not_permitted")
    if not marks.quiet:
        portal_sessions.touch(house(), found)


def _protect_portal_form() -> None:
    """The token, and what the browser itself says of where the form stood.

    Not CSRFProtect.protect: over https that asks for a Referer, and these pages send none.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise CSRFError("another site's form")
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise CSRFError(error.args[0]) from error


def _readable() -> None:
    """A NUL ends a text for one reader and not for the next, and PostgreSQL takes none: nobody types one."""
    if "\0" in request.path:
        abort(404)
    if any("\0" in text for pairs in (request.args, request.form) for pair in pairs.items(multi=True) for text in pair):
        abort(400)


def _find(api: bool) -> sessions.Session | None:
    if api:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return _session(token.strip(), sessions.API) if scheme.lower() == "bearer" else None
    token = request.cookies.get(cookie_name(current_app), "")
    return _session(token, sessions.PAGE) if token else None


def _find_patient() -> portal_sessions.PortalSession | None:
    token = request.cookies.get(portal_cookie_name(current_app), "")
    return _twice(lambda: portal_sessions.find(house(), token)) if token else None


def _session(token: str, kind: str) -> sessions.Session | None:
    return _twice(lambda: sessions.find(house(), token, kind))


def _twice(look: Callable):
    try:
        return look()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # The database was restarted under an idle connection. The pool has thrown all of them
        # away now, and nothing was asked for yet: a second look costs nobody anything.
        return look()
