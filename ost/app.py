"""Puts the application together: settings, house, doors, answers, pages, API.

Decides nothing itself; what must hold before serving is in `ost.startup`.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Request, current_app
from werkzeug.middleware.proxy_fix import ProxyFix

from config.settings import Settings
from ost import answers, api, gate, headers, health, i18n, keys, log, startup, web
from ost.db import Database
from ost.http import open_route
from ost.keys import KeyRing
from ost.services.work import House

ROOT = Path(__file__).resolve().parent.parent
#: The largest request: an enrolment of several fingers as base64 pictures fits well.
MAX_BODY_BYTES = 12 * 1024 * 1024
#: The largest part of a form that is not a file.
MAX_FORM_BYTES = 2 * 1024 * 1024


class InMemory(Request):
    """Uploads stay in memory, within MAX_BODY_BYTES: a finger must not lie in a temporary file.

    A route in LARGE_BODIES may take more, but only as a bare archive: that is not read before the gate has let
    it in, as a form is.
    """

    @property
    def max_content_length(self) -> int | None:
        endpoint = self.url_rule.endpoint if self.url_rule is not None else None
        if self.mimetype == "application/zip" and endpoint in current_app.config["LARGE_BODIES"]:
            return current_app.config["LARGE_BODIES"][endpoint]
        return current_app.config["MAX_CONTENT_LENGTH"]

    def _get_file_stream(self, total_content_length, content_type, filename=None, content_length=None):
        return io.BytesIO()


@dataclass(frozen=True, slots=True)
class Ost:
    """What the application carries with it."""

    house: House
    settings: Settings


def make_house(settings: Settings, database: Database | None = None, keyring: KeyRing | None = None) -> House:
    """The house these settings describe, checked: raises startup.NotReady when it must not serve."""
    keyring = keyring or keys.load(settings.keys)
    house = House(
        database or Database(settings.database_url, pool_size=settings.threads + 2),
        keyring,
        policy_name=settings.policy,
        demo=settings.demo,
        backdate_days=settings.backdate_days,
    )
    startup.check(settings, house)
    return house


def create_app(settings: Settings, database: Database | None = None, keyring: KeyRing | None = None) -> Flask:
    """The application. Without `database` and `keyring` they are opened as the settings say.

    Raises startup.NotReady with one clear sentence when it must not serve.
    """
    log.configure(settings.log_level, settings.log_json)
    if database is None:
        startup.hold_server_lock(settings)
    house = make_house(settings, database, keyring)

    app = Flask(__name__, root_path=str(ROOT / "ost"), template_folder=str(ROOT / "templates"))
    app.request_class = InMemory
    app.extensions["ost"] = Ost(house, settings)
    app.logger.setLevel(logging.INFO)
    app.config.update(
        SECRET_KEY=house.keys.session,
        SESSION_COOKIE_NAME="__Host-ost_form" if settings.secure_cookies else "ost_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        LARGE_BODIES={},  # {endpoint: bytes}
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        MAX_FORM_PARTS=300,
        WTF_CSRF_CHECK_DEFAULT=False,  # the gate asks, for pages only
        WTF_CSRF_TIME_LIMIT=None,  # a counter's page stays open all morning; the session ends it
        WTF_CSRF_SSL_STRICT=settings.secure_cookies,
    )
    app.json.ensure_ascii = False
    app.jinja_env.auto_reload = False
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)

    open_route(app.view_functions["static"])
    i18n.install(app)
    gate.install(app)
    headers.install(app)
    answers.install(app)
    app.register_blueprint(health.blueprint)
    web.install(app)
    api.install(app)
    return app
