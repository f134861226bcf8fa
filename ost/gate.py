"""Before each request: who is it, is this route open to them, is the screen locked.

Shut by default: an endpoint without a mark is refused, whoever asks. Pages
are known by a cookie and need a CSRF token for every change; the API is known
by a bearer token only, and no cookie opens it.
"""

from __future__ import annotations

import re
import secrets
import time

from flask import Flask, abort, current_app, g, request
from flask_login import LoginManager, UserMixin
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import DBAPIError

from ost.errors import Refusal
from ost.http import OPEN, SIGNED_IN, STATION, house, is_api, marks_of
from ost.rules.access import may_somewhere
from ost.services import sessions

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


def _gate() -> None:
    if request.routing_exception is not None:
        if not is_api():
            g.ost_session = _find(api=False)  # the page that says so has the person's own frame
        return  # no such address, or not for this method: said as such
    _readable()
    marks = marks_of(current_app.view_functions.get(request.endpoint), request.method)
    api = is_api()
    # Files belong to nobody: no look at the database for them.
    found = g.ost_session = None if request.endpoint in FILES else _find(api)
    if not api and request.method not in SAFE:
        current_app.extensions["ost_csrf"].protect()
    if marks.door in (OPEN, STATION):
        return
    if found is None:
        abort(401)
    if marks.door is None:
        raise Refusal("not_permitted")
    if found.locked and not marks.even_locked:
        raise Refusal("session_locked")
    if marks.door != SIGNED_IN and not may_somewhere(found.grants, marks.door):
        raise Refusal("not_permitted", permission=marks.door)
    if not api and not marks.quiet:
        sessions.touch(house(), found)


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


def _session(token: str, kind: str) -> sessions.Session | None:
    try:
        return sessions.find(house(), token, kind)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # The database was restarted under an idle connection. The pool has thrown all of them
        # away now, and nothing was asked for yet: a second look costs nobody anything.
        return sessions.find(house(), token, kind)
