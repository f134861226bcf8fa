"""What goes out with every answer."""

from __future__ import annotations

import re

import pytest

from tests import make
from tests.plugins.clients import Pages, house_of, make_app

PATHS = [
    "/sign-in",
    "/nowhere",
    "/health/live",
    "/api/v1/openapi.json",
    "/api/v1/nowhere",
    "/metrics",
    "/static/icons.svg",
]


@pytest.mark.parametrize("path", PATHS)
def test_the_content_policy_is_strict_everywhere(app, pages, path):
    policy = pages().get(path).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_sniffed_framed_or_told_onwards(app, pages, path):
    headers = pages().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", headers["X-Request-Id"])


def test_pages_are_not_kept_by_the_browser_and_files_are(app, pages):
    make.make_site(house_of(app))
    nurse = make.make_account(house_of(app), "nurse")
    assert pages(nurse).get("/workplace").headers["Cache-Control"] == "no-store"
    assert "no-store" not in pages().get("/static/icons.svg").headers.get("Cache-Control", "")


def test_a_nonce_is_new_each_time_and_only_where_used(sqlite_database, tmp_path):
    from ost.headers import nonce
    from ost.http import open_route

    app = make_app(sqlite_database, tmp_path)
    browser = Pages(app)
    app.add_url_rule("/with-script", "with_script", open_route(lambda: nonce()))
    seen = set()
    for _ in range(3):
        answer = browser.get("/with-script")
        assert f"'nonce-{answer.get_data(as_text=True)}'" in answer.headers["Content-Security-Policy"]
        seen.add(answer.get_data(as_text=True))
    assert len(seen) == 3
    assert "nonce" not in browser.get("/sign-in").headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere"])
def test_pages_bring_no_script_or_style_of_their_own(app, pages, path):
    page = pages().get(path).get_data(as_text=True)
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)


def test_a_given_request_number_is_kept_if_it_is_harmless(app, pages):
    assert pages().get("/health/live", headers={"X-Request-Id": "00ff00ff00ff00ff"}).headers[
        "X-Request-Id"
    ] == ("00ff00ff00ff00ff")
    odd = pages().get(
        "/health/live", headers={"X-Request-Id": "陳大明 A123456789".encode().decode("latin-1")}
    )
    assert re.fullmatch(r"[0-9a-f]{16}", odd.headers["X-Request-Id"])


def test_a_page_that_does_not_exist_keeps_the_persons_frame(app, pages):
    make.make_site(house_of(app))
    nurse = make.make_account(house_of(app), "nurse")
    page = pages(nurse, site="HUA1").get("/nowhere").get_data(as_text=True)
    assert 'action="/sign-out"' in page
    assert 'action="/sign-out"' not in pages().get("/nowhere").get_data(as_text=True)
