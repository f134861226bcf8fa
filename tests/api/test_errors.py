"""One shape for every "no" of the API, wherever it is born, and nothing of the inside in it."""

from __future__ import annotations

import json

import pytest
from flask import Blueprint
from sqlalchemy.exc import IntegrityError, OperationalError

from ost.errors import Refusal, catalogue
from ost.http import open_route
from tests.plugins.clients import Api, Pages, assert_error, make_app


@pytest.fixture
def broken(sqlite_database, tmp_path):
    """The application with a few views that fail in different ways."""
    app = make_app(sqlite_database, tmp_path)
    views = Blueprint("broken", __name__)

    def view(path, error):
        def fail():
            raise error

        for prefix in ("/api/v1", ""):
            name = (prefix + path).strip("/").replace("/", "_")
            views.add_url_rule(prefix + path, name, open_route(lambda: fail()), methods=["GET"])

    view("/bug", RuntimeError("陳大明 A123456789 secret"))
    view(
        "/busy", OperationalError("UPDATE patient SET x", {"name": "陳大明"}, Exception("database is locked"))
    )
    view("/full", OperationalError("INSERT", {}, Exception("database or disk is full")))
    view("/clash", IntegrityError("INSERT", {"name": "陳大明"}, Exception("UNIQUE A123456789")))
    view("/refused", Refusal("pin_wrong", left=3))
    view("/forgotten", Refusal("no_such_code", name="陳大明"))
    view("/unfilled", Refusal("sign_in_wait"))
    app.register_blueprint(views)
    return app


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/bug", 500, "internal"),
        ("/clash", 500, "internal"),
        ("/forgotten", 500, "internal"),
        ("/busy", 503, "database_busy"),
        ("/full", 503, "database_busy"),
        ("/refused", 401, "pin_wrong"),
        ("/unfilled", 429, "sign_in_wait"),
        ("/nowhere", 404, "not_found"),
    ],
)
def test_every_failure_has_the_shape_and_tells_nothing(broken, path, status, code):
    answer = Api(broken).get("/api/v1" + path)
    error = assert_error(answer, status, code)
    page = Pages(broken).get(path)
    assert page.status_code == status
    assert page.content_type.startswith("text/html")
    for text in (json.dumps(error, ensure_ascii=False), page.get_data(as_text=True)):
        for inside in (
            "陳大明",
            "A123456789",
            "secret",
            "UPDATE",
            "INSERT",
            "Traceback",
            "RuntimeError",
            "%(",
        ):
            assert inside not in text
    assert f'data-code="{code}"' in page.get_data(as_text=True)


def test_the_number_of_an_internal_error_is_the_one_in_the_header(broken):
    answer = Api(broken).get("/api/v1/bug")
    assert answer.headers["X-Request-Id"] in assert_error(answer, 500)["detail"]


def test_a_fragment_is_answered_with_a_fragment(broken):
    answer = Pages(broken).fragment("/refused")
    assert answer.status_code == 401
    assert "<html" not in answer.get_data(as_text=True)
    assert "Tries left before a full sign-in is needed: 3" in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/bug", "/refused", "/nowhere"])
def test_the_answer_is_in_the_readers_language(broken, path):
    said = {
        language: Api(broken)
        .client.get("/api/v1" + path, headers={"Accept-Language": language})
        .json["error"]
        for language in ("zh-TW", "en", "zh-CN")
    }
    assert said["en"]["title"] == catalogue()[said["en"]["code"]].title
    assert len({e["title"] for e in said.values()}) == 3, "a message without its translation"


# --- input ---------------------------------------------------------------------------


def test_a_field_nobody_declared_is_refused_by_name(app):
    body = {"username": "a", "password": "b", "totp": "1", "pasword": "c"}
    error = assert_error(Api(app).post("/api/v1/sign-in", body), 422, "input_invalid")
    assert list(error["fields"]) == ["pasword"]


def test_missing_and_wrong_fields_are_named_all_at_once(app):
    error = assert_error(
        Api(app).post("/api/v1/sign-in", {"username": 5, "password": None}), 422, "input_invalid"
    )
    assert set(error["fields"]) == {"username", "password", "totp"}


@pytest.mark.parametrize("body", [[], "text", 5, None, [1, {}]])
def test_a_body_that_is_no_object(app, body):
    answer = Api(app).client.post("/api/v1/sign-in", data=json.dumps(body), content_type="application/json")
    assert_error(answer, 422, "input_invalid")


def test_a_body_that_is_no_json(app):
    for data in (b"{", b"\xff\xfe", b'{"username": NaN'):
        answer = Api(app).client.post("/api/v1/sign-in", data=data, content_type="application/json")
        assert_error(answer, 400, "bad_request")


def test_the_wrong_method_and_where_it_would_work(app):
    answer = Api(app).client.delete("/api/v1/sign-in")
    assert_error(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_too_much(app):
    answer = Api(app).client.post(
        "/api/v1/sign-in", data=b'{"username":"' + b"x" * (13 * 2**20), content_type="application/json"
    )
    assert_error(answer, 413, "too_large")


def test_deep_nesting_does_no_harm(app):
    answer = Api(app).client.post(
        "/api/v1/sign-in", data="[" * 100_000 + "]" * 100_000, content_type="application/json"
    )
    assert answer.status_code in (400, 422)
    assert_error(answer, answer.status_code)
