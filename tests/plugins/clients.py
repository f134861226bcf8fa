"""The application as programs and browsers meet it, without a network between.

`app` runs on SQLite (pages do not depend on the database); `app_on` runs on each database in turn. `api(actor)` and
`pages(actor)` come already signed in, by a session made in the database; the sign-in itself has tests of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pyotp
import pytest
from argon2 import PasswordHasher
from flask import Flask, session
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf

from config.settings import load_settings
from devices.evaluate.store import Store
from ost import keys, log
from ost.app import Ost, create_app, make_house
from ost.gate import cookie_name, portal_cookie_name
from ost.models import staff
from ost.models.patient import patient as patients
from ost.services import credentials, evaluate_at_station, sessions
from ost.services.portal import sessions as portal_sessions
from ost.services.work import Actor, House
from ost.web import evaluation
from tests import make

PASSWORD = "seven quiet lanterns"
PIN = "274951"
_cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_PASSWORD_HASH, _PIN_HASH = _cheap.hash(PASSWORD), _cheap.hash(PIN)


@dataclass(frozen=True)
class Person:
    """Somebody who can really sign in: PASSWORD, PIN, and `.code()`."""

    actor: Actor
    username: str
    secret: str
    house: House
    password: str = PASSWORD
    pin: str = PIN

    @property
    def id(self) -> str:
        return self.actor.id

    def code(self) -> str:
        """What the code generator shows now."""
        return pyotp.TOTP(self.secret).at(self.house.now())


def make_person(house: House, *roles: str, scope: str = "HUA1", username: str = "lin", **values) -> Person:
    """An account with a known password, PIN and code generator."""
    secret = pyotp.random_base32()
    actor = make.make_account(
        house,
        *roles,
        scope=scope,
        username=username,
        password_hash=_PASSWORD_HASH,
        pin_hash=_PIN_HASH,
        **values,
    )
    sealed = credentials.seal_totp(house.keys, actor.id, secret)
    with house.db.begin() as tx:
        tx.execute(staff.account.update().where(staff.account.c.id == actor.id).values(totp_sealed=sealed))
    return Person(actor, username, secret, house)


def make_app(database, home, **settings: str) -> Flask:
    """The application of tests on `database`, with keys of its own: `app.extensions["ost"].house`."""
    environ = {"OST_MODE": "demo", "OST_HOME": str(home), "OST_LOG_LEVEL": "WARNING"} | settings
    app = create_app(load_settings(environ), database, keys.ephemeral())
    app.testing = False  # errors are answered as in real life
    return app


class Shell:
    """The application of one worker, put around one house after another.

    Its routes and templates are the same for every test, and putting them together takes most of a page test's
    time; what is kept between requests lies in the house, which is new each time. A test that adds a route, or needs
    two applications at once, makes its own with `make_app`.
    """

    def __init__(self, database, home):
        self._app = make_app(database, home)
        self._config, self._routes = dict(self._app.config), len(self._app.view_functions)

    def around(self, database, home) -> Flask:
        app = self._app
        assert len(app.view_functions) == self._routes, "a test added a route to the application of all: use make_app"
        settings = load_settings({"OST_MODE": "demo", "OST_HOME": str(home), "OST_LOG_LEVEL": "WARNING"})
        house = make_house(settings, database, keys.ephemeral())
        house.memo[evaluate_at_station.STORE] = Store(settings.home / evaluation.FOLDER)
        app.extensions["ost"] = Ost(house, settings)
        app.config.clear()
        app.config.update(self._config, SECRET_KEY=house.keys.session, LARGE_BODIES=dict(self._config["LARGE_BODIES"]))
        log.configure(settings.log_level, settings.log_json)
        app.testing = False
        return app


_shell: list[Shell] = []


def app_around(database, home) -> Flask:
    if not _shell:
        _shell.append(Shell(database, home))
    return _shell[0].around(database, home)


@pytest.fixture
def app(sqlite_database, tmp_path) -> Flask:
    return app_around(sqlite_database, tmp_path)


@pytest.fixture
def app_on(database, tmp_path) -> Flask:
    """On each database in turn."""
    return app_around(database, tmp_path)


def house_of(app: Flask) -> House:
    return app.extensions["ost"].house


def sign_in_as(app: Flask, actor: Actor, kind: str, **place) -> str:
    """The token of a fresh session."""
    house = house_of(app)
    with house.work(actor, None, "test.session") as work:
        token, _ = sessions.start(work, account=actor.id, kind=kind, device="test")
        if place:
            s = staff.web_session
            work.tx.execute(s.update().where(s.c.id == sessions.token_id(token)).values(**place))
    return token


def sign_in_patient(app: Flask, patient: str, kind: str = portal_sessions.WHOLE, label: str = "Firefox, Linux") -> str:
    """The token of a fresh session of a patient at their own pages."""
    house = house_of(app)
    with house.work(Actor("test"), None, "test.session") as work:
        return portal_sessions.start(house, work, patient, kind=kind, device="test", label=label)


def reading_english(app: Flask) -> FlaskClient:
    """Tests look for English words; what a test says itself about the language wins."""
    client = app.test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


class Api:
    """`api.post("/api/v1/doses", {...})` with the bearer token; answers are werkzeug's test responses."""

    def __init__(self, app: Flask, token: str | None = None):
        self.client = reading_english(app)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query):
        return self.client.get(path, query_string=query, headers=self.headers)

    def post(self, path: str, body=None, headers: dict | None = None):
        data = json.dumps({} if body is None else body)
        return self.client.post(
            path, data=data, content_type="application/json", headers=self.headers | (headers or {})
        )


class Pages:
    """A browser: cookies are kept, `post` sends the CSRF token as a page would (`csrf=False`: forgets it)."""

    def __init__(self, app: Flask, token: str | None = None):
        self.app = app
        self.client = reading_english(app)
        if token:
            self.client.set_cookie(cookie_name(app), token)

    def get(self, path: str, **rest):
        return self.client.get(path, **rest)

    def post(self, path: str, data: dict | None = None, *, csrf: bool = True, **rest):
        fields = dict(data or {})
        if csrf:
            fields["csrf_token"] = self._csrf()
        return self.client.post(path, data=fields, **rest)

    def fragment(self, path: str, data: dict | None = None, **rest):
        """As htmx asks: GET without data, POST with it."""
        headers = {"HX-Request": "true"} | rest.pop("headers", {})
        if data is None:
            return self.client.get(path, headers=headers, **rest)
        return self.post(path, data, headers=headers, **rest)

    def _csrf(self) -> str:
        with self.app.test_request_context():
            token = generate_csrf()
            raw = session["csrf_token"]
        with self.client.session_transaction() as form_session:
            form_session["csrf_token"] = raw
        return token


@pytest.fixture
def api(app) -> Callable[..., Api]:
    """`api(actor)`: a program signed in as `actor`; `api()`: nobody."""
    return lambda actor=None: Api(app, sign_in_as(app, actor, sessions.API) if actor else None)


@pytest.fixture
def pages(app) -> Callable[..., Pages]:
    """`pages(actor, site="HUA1", counter="HUA1-1")`: a browser signed in as `actor`; `pages()`: nobody."""
    return lambda actor=None, **place: Pages(
        app, sign_in_as(app, actor, sessions.PAGE, **place) if actor else None
    )


@pytest.fixture
def mine(app) -> Callable[..., Pages]:
    """`mine(patient_id)`: a patient's own browser, signed in, reading English; `mine()`: nobody's."""

    def browser(patient: str | None = None) -> Pages:
        opened = Pages(app)
        if patient:
            house = house_of(app)
            with house.db.begin() as tx:
                tx.execute(patients.update().where(patients.c.id == patient).values(language="en"))
            opened.client.set_cookie(portal_cookie_name(app), sign_in_patient(app, patient))
        return opened

    return browser


ERROR_KEYS = {"code", "title", "detail", "action", "fields"}


def assert_error(response, status: int, code: str | None = None) -> dict:
    """The answer has the one error shape, in full; returns its `error`."""
    assert response.status_code == status, (response.status_code, response.get_data(as_text=True)[:500])
    assert response.is_json, response.content_type
    body = response.get_json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == ERROR_KEYS, body
    error = body["error"]
    assert all(isinstance(error[k], str) and error[k] for k in ("code", "title", "detail", "action")), error
    assert all(
        isinstance(v, list) and all(isinstance(t, str) for t in v) for v in error["fields"].values()
    ), error
    if code:
        assert error["code"] == code, error
    return error
