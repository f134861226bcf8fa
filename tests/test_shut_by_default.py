"""Every route is shut until it says who may enter: walked over the whole map of the application."""

from __future__ import annotations

import re

import pytest
from flask import Blueprint

from ost.gate import cookie_name
from ost.http import OPEN, PATIENT, SIGNED_IN, STATION, allow, marks_of
from ost.services import sessions
from tests import make
from tests.plugins.clients import Api, Pages, assert_error, house_of, make_app, sign_in_as

#: What anybody may reach. Adding to this list is a decision, not a habit.
OPEN_ROUTES = {
    "static",
    "assets.vendor",
    "health.live",
    "health.ready",
    "health.figures",
    "api-docs.openapi_json",
    "sign_in.form",
    "sign_in.sign_in",
    "sign_in.unlock_here",  # a colleague's PIN, at an enrolled counter only
    "sign_in.language",
    "api_sign_in.SignInView",
    "portal.with_a_stroke",  # leads from /me/ to /me
    "portal.form",  # the patients' own sign-in
    "portal.sign_in",
    "portal.code",  # its second step: opened by the first one's session, which opens nothing else
    "portal.give_code",
    "portal.send_code",
    "portal.leave",  # leaving quickly works whatever is gone
    "portal.today",  # where it leads: a date
    "open_sites.index",  # opening hours of clinics: no patient, no places
    "messages.demo",  # what invented people would be told; does not exist outside the demo
}
#: What anybody signed in may reach, whatever their roles: only about themselves.
SIGNED_IN_ROUTES = {
    "sign_in.start",
    "sign_in.sign_out",
    "sign_in.lock",
    "sign_in.locked",
    "sign_in.unlock",
    "sign_in.choose",
    "sign_in.chosen",
    "api_sign_in.SignOutView",
}
#: Opened by a station's signature and not by a person; what a wrong signature meets is tested with the agent.
STATION_ROUTES = {"agent"}
NOT_ASKED = (OPEN, STATION)


def routes(app):
    """(endpoint, method, path) of everything the application answers to, with made-up values in the path."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            yield rule.endpoint, method, re.sub(r"<(?:[^:>]+:)?[^>]+>", "00000001", rule.rule)


def with_door(app, door: str) -> set[str]:
    return {e for e, method, _ in routes(app) if marks_of(app.view_functions[e], method).door == door}


def test_the_open_list_is_what_it_says(app):
    assert with_door(app, OPEN) <= OPEN_ROUTES
    assert with_door(app, SIGNED_IN) <= SIGNED_IN_ROUTES
    assert {e.partition(".")[0] for e in with_door(app, STATION)} <= STATION_ROUTES


def test_every_route_is_marked(app):
    unmarked = [(e, m) for e, m, _ in routes(app) if marks_of(app.view_functions[e], m).door is None]
    assert not unmarked, "routes that nobody can enter: mark them with @allow(permission)"


def test_nobody_gets_past_the_door(app):
    pages, api = Pages(app), Api(app)
    for endpoint, method, path in routes(app):
        if marks_of(app.view_functions[endpoint], method).door in NOT_ASKED:
            continue
        if path.startswith("/api/"):
            assert_error(api.client.open(path, method=method), 401, "not_signed_in")
            continue
        answer = pages.get(path) if method == "GET" else pages.post(path)
        assert answer.status_code == 302, (endpoint, answer.status_code)
        door = "/me/sign-in" if marks_of(app.view_functions[endpoint], method).door == PATIENT else "/sign-in"
        assert answer.headers["Location"].startswith(door), endpoint


def test_an_account_without_roles_gets_nowhere(app):
    nobody = make.make_account(house_of(app))
    token, page_token = (sign_in_as(app, nobody, kind) for kind in (sessions.API, sessions.PAGE))
    api, pages = Api(app, token), Pages(app, page_token)
    walked = 0
    for endpoint, method, path in routes(app):
        if marks_of(app.view_functions[endpoint], method).door in (*NOT_ASKED, SIGNED_IN, PATIENT):
            continue  # the patients' own pages have a walk of their own: tests/web/test_portal_attack.py
        walked += 1
        if path.startswith("/api/"):
            assert_error(api.client.open(path, method=method, headers=api.headers), 403, "not_permitted")
        else:
            answer = pages.get(path) if method == "GET" else pages.post(path)
            assert answer.status_code == 403, (endpoint, method, answer.status_code)
            assert "not_permitted" in answer.get_data(as_text=True)
    assert walked


def test_a_cookie_opens_no_api_and_a_bearer_token_no_page(app):
    make.make_site(house_of(app))
    nurse = make.make_account(house_of(app), "nurse")
    page_token = sign_in_as(app, nurse, sessions.PAGE)
    client = app.test_client()
    client.set_cookie(cookie_name(app), page_token)
    assert_error(client.post("/api/v1/sign-out"), 401, "not_signed_in")
    assert_error(Api(app, page_token).post("/api/v1/sign-out"), 401, "not_signed_in")
    api_token = sign_in_as(app, nurse, sessions.API)
    answer = app.test_client().get("/", headers={"Authorization": f"Bearer {api_token}"})
    assert answer.headers["Location"].startswith("/sign-in")
    client = app.test_client()
    client.set_cookie(cookie_name(app), api_token)
    assert client.get("/").headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearer x", "Bearer \u00e9"]
)
def test_odd_authorization_headers_open_nothing(app, header):
    answer = app.test_client().post(
        "/api/v1/sign-out", headers={"Authorization": header.encode("utf-8").decode("latin-1")}
    )
    assert_error(answer, 401, "not_signed_in")


def test_the_view_written_tomorrow_is_shut(sqlite_database, tmp_path):
    app = make_app(sqlite_database, tmp_path)
    tomorrow = Blueprint("tomorrow", __name__)
    tomorrow.add_url_rule("/tomorrow", "page", lambda: "open?")
    tomorrow.add_url_rule("/api/v1/tomorrow", "api", lambda: "open?")
    app.register_blueprint(tomorrow)
    make.make_site(house_of(app))
    everything = make.make_account(
        house_of(app), "nurse", "admin", "prescriber", scope="*", scope_kind="network"
    )
    assert Pages(app).get("/tomorrow").status_code == 302
    assert Pages(app, sign_in_as(app, everything, sessions.PAGE)).get("/tomorrow").status_code == 403
    assert_error(Api(app).get("/api/v1/tomorrow"), 401, "not_signed_in")
    assert_error(
        Api(app, sign_in_as(app, everything, sessions.API)).get("/api/v1/tomorrow"), 403, "not_permitted"
    )


def test_a_permission_that_does_not_exist_is_a_mistake_at_once():
    with pytest.raises(ValueError, match="undeclared"):
        allow("dose.gvie")


def test_the_options_and_head_of_a_shut_route_are_shut(app):
    for method in ("OPTIONS", "HEAD"):
        assert app.test_client().open("/api/v1/sign-out", method=method).status_code in (401, 405)
        assert app.test_client().open("/workplace", method=method).status_code in (302, 401, 405)
