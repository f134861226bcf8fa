"""The pages around signing in, as a browser meets them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import policies
from ost.gate import cookie_name
from ost.http import STATION_COOKIE
from ost.models import site as sites
from ost.models import staff, station
from ost.services import sessions
from tests import make
from tests.plugins.clients import PIN, Pages, house_of, make_app, make_person, sign_in_as

IDLE = timedelta(seconds=policies.policy("tw").int("idle_lock_s"))


@pytest.fixture
def lin(app, clock):
    house = house_of(app)
    make.make_site(house)
    make.make_counter(house)
    return make_person(house, "nurse")


def sign_in(browser, person, next="/", **change):
    form = {"username": person.username, "password": person.password, "totp": person.code(), "next": next}
    return browser.post("/sign-in", form | change)


def text(answer) -> str:
    return answer.get_data(as_text=True)


def test_a_stranger_is_led_to_the_form_and_back_to_where_they_wanted(app, lin, pages):
    browser = pages()
    answer = browser.get("/workplace?x=1")
    assert answer.headers["Location"] == "/sign-in?next=/workplace?x%3D1"
    page = browser.get(answer.headers["Location"])
    assert page.status_code == 200
    assert 'name="password"' in text(page)
    answer = sign_in(browser, lin, next="/workplace?x=1")
    assert answer.headers["Location"] == "/workplace?x=1"
    assert browser.get("/workplace").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/x",
        "/\\evil.example",
        "javascript:alert(1)",
        "\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_nobody_is_led_off_the_site(app, lin, pages, target):
    location = sign_in(pages(), lin, next=target).headers["Location"]
    assert re.fullmatch(r"/[^/\\].*|/", location), location


def test_the_cookie_is_kept_from_scripts_and_other_sites(app, lin, pages):
    answer = sign_in(pages(), lin)
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith(cookie_name(app) + "="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


def test_in_production_cookies_travel_by_https_only(sqlite_database, tmp_path):
    app = make_app(sqlite_database, tmp_path, OST_MODE="production")
    make.make_site(house_of(app))
    person = make_person(house_of(app), "nurse")
    client = app.test_client()
    page = client.get("/sign-in", base_url="https://ost.example")
    token = re.search(r'name="csrf_token" value="([^"]+)"', text(page)).group(1)
    form = {"username": "lin", "password": person.password, "totp": person.code(), "csrf_token": token}
    answer = client.post(
        "/sign-in",
        data=form,
        base_url="https://ost.example",
        headers={"Referer": "https://ost.example/sign-in"},
    )
    assert answer.status_code == 302
    cookies = answer.headers.getlist("Set-Cookie")
    assert any(c.startswith("__Host-ost=") for c in cookies)
    assert all("Secure" in c and "HttpOnly" in c for c in cookies)
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_wrong_try_says_so_and_keeps_the_name_only(app, lin, pages):
    answer = sign_in(pages(), lin, password="my other password")
    assert answer.status_code == 401
    assert 'value="lin"' in text(answer)
    assert "my other password" not in text(answer)
    assert "sign_in_wrong" in text(answer)


def test_waiting_is_shown(app, lin, pages):
    browser = pages()
    for _ in range(3):
        sign_in(browser, lin, password="no")
    answer = sign_in(browser, lin)
    assert answer.status_code == 429
    assert "2 seconds" in text(answer)


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-out", "/lock", "/locked", "/workplace", "/unlock-colleague"]
)
def test_every_form_needs_its_token(app, lin, pages, path):
    browser = pages(lin.actor)
    answer = browser.post(path, {"username": "lin"}, csrf=False)
    assert answer.status_code == 400
    assert "form_expired" in text(answer)
    answer = browser.post(path, {"csrf_token": "made-up"}, csrf=False)
    assert answer.status_code == 400


def test_a_form_opened_before_the_sign_in_is_no_longer_valid(app, lin, pages):
    browser = pages()
    token = re.search(r'name="csrf_token" value="([^"]+)"', text(browser.get("/sign-in"))).group(1)
    sign_in(browser, lin)
    assert browser.post("/lock", {"csrf_token": token}, csrf=False).status_code == 400


def test_signing_out_ends_the_session_on_the_server(app, lin, pages):
    browser = pages()
    sign_in(browser, lin)
    token = browser.client.get_cookie(cookie_name(app)).value
    assert browser.post("/sign-out").headers["Location"] == "/sign-in"
    assert sessions.find(house_of(app), token, sessions.PAGE) is None
    again = Pages(app, token)
    assert again.get("/workplace").headers["Location"].startswith("/sign-in")


# --- the lock -----------------------------------------------------------------------


def locked_out(answer) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].startswith("/locked")


def test_an_idle_screen_is_locked_on_every_route_and_the_pin_leads_back(app, lin, pages, clock):
    browser = pages(lin.actor, site="HUA1")
    assert browser.get("/workplace").status_code == 200
    clock.shift(IDLE)
    for path in ("/", "/workplace", "/unlock-colleague"):
        assert locked_out(browser.get(path)), path
    assert locked_out(browser.post("/workplace", {"site": "HUA1"}))
    answer = browser.get("/workplace?day=1")
    page = browser.get(answer.headers["Location"])
    assert page.status_code == 200
    assert 'name="pin"' in text(page)
    assert "/unlock-colleague" not in text(page)
    answer = browser.post("/locked", {"pin": PIN, "next": "/workplace?day=1"})
    assert answer.headers["Location"] == "/workplace?day=1"
    assert browser.get("/workplace?day=1").status_code == 200


def test_a_fragment_of_a_locked_page_leads_the_whole_page_to_the_pin(app, lin, pages, clock):
    browser = pages(lin.actor, site="HUA1")
    clock.shift(IDLE)
    answer = browser.fragment("/workplace", headers={"HX-Current-URL": "http://localhost/counter/HUA1-1?p=2"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/locked?next=/counter/HUA1-1?p%3D2"
    assert text(answer) == ""


def test_a_page_that_refreshes_itself_keeps_nobody_signed_in(sqlite_database, tmp_path, clock):
    from ost.http import quiet, signed_in

    app = make_app(sqlite_database, tmp_path)
    app.add_url_rule("/refreshes", "refreshes", quiet(signed_in(lambda: "seen")))
    make.make_site(house_of(app))
    lin = make_person(house_of(app), "nurse")
    browser = Pages(app, sign_in_as(app, lin.actor, sessions.PAGE))
    for _ in range(10):
        clock.shift(IDLE / 10)
        answer = browser.get("/refreshes")
    assert locked_out(answer)


def test_somebody_taps_lock(app, lin, pages):
    browser = pages(lin.actor, site="HUA1")
    answer = browser.post("/lock", {"next": "/workplace"})
    assert answer.headers["Location"] == "/locked?next=/workplace"
    assert locked_out(browser.get("/workplace"))
    assert browser.get("/sign-in").status_code == 302  # still the same person's session


def test_wrong_pins_end_in_a_full_sign_in(app, lin, pages):
    browser = pages(lin.actor)
    browser.post("/lock")
    tries = policies.policy("tw").int("pin_tries")
    for left in range(tries - 1, 0, -1):
        answer = browser.post("/locked", {"pin": "000111"})
        assert answer.status_code == 401
        assert f"needed: {left}." in text(answer)
    answer = browser.post("/locked", {"pin": "000111", "next": "/workplace"})
    assert "pin_used_up" in text(answer)
    assert 'name="password"' in text(answer)
    assert 'value="/workplace"' in text(answer)
    assert browser.get("/workplace").headers["Location"].startswith("/sign-in")


def test_a_locked_screen_can_be_left_by_signing_out(app, lin, pages):
    browser = pages(lin.actor)
    browser.post("/lock")
    assert browser.post("/sign-out").headers["Location"] == "/sign-in"


# --- where one works ----------------------------------------------------------------------


def test_choosing_a_counter(app, lin, pages):
    house = house_of(app)
    browser = pages(lin.actor)
    assert browser.get("/").headers["Location"] == "/workplace"
    assert 'value="HUA1-1"' in text(browser.get("/workplace"))
    assert browser.post("/workplace", {"site": "HUA1", "counter": "HUA1-1"}).headers["Location"] == "/"
    with house.read() as tx:
        counter = tx.execute(sa.select(sites.counter)).one()
        session = tx.execute(sa.select(staff.web_session)).one()
    assert (counter.session, counter.account) == (session.id, lin.id)
    assert (session.site, session.counter) == ("HUA1", "HUA1-1")


def test_a_nurse_may_work_without_a_counter(app, lin, pages):
    browser = pages(lin.actor)
    browser.post("/workplace", {"site": "HUA1", "counter": ""})
    answer = browser.get("/")
    assert answer.headers.get("Location") != "/workplace"


def test_the_start_page_leads_each_role_to_a_page_that_opens(app, lin, pages):
    for role in ("nurse", "prescriber", "pharmacist", "case_manager", "registrar", "admin", "auditor"):
        browser = pages(make.make_account(house_of(app), role), site="HUA1")
        if role == "nurse":
            browser.post("/workplace", {"site": "HUA1", "counter": "HUA1-1"})
        answer = browser.get("/")
        if answer.status_code == 302:
            answer = browser.get(answer.headers["Location"])
        assert answer.status_code == 200, (role, answer.headers.get("Location"))
        assert 'aria-current="page"' in text(answer) or role in ("nurse", "auditor"), role


def test_nobody_works_where_they_have_no_role(app, lin, pages):
    house = house_of(app)
    make.make_site(house, "TPE1", "TPE")
    make.make_counter(house, "TPE1")
    browser = pages(lin.actor)
    assert "TPE1" not in text(browser.get("/workplace"))
    assert browser.post("/workplace", {"site": "TPE1"}).status_code == 403
    assert browser.post("/workplace", {"site": "HUA1", "counter": "TPE1-1"}).status_code == 422
    assert browser.post("/workplace", {"site": "NOPE"}).status_code == 422
    with house.read() as tx:
        assert tx.execute(sa.select(staff.web_session.c.site)).scalar() is None


def test_a_pharmacist_has_no_counter_to_choose(app, lin, pages):
    pharmacist = make.make_account(house_of(app), "pharmacist")
    browser = pages(pharmacist)
    assert "HUA1-1" not in text(browser.get("/workplace"))
    assert browser.post("/workplace", {"site": "HUA1", "counter": "HUA1-1"}).status_code == 403
    assert browser.post("/workplace", {"site": "HUA1"}).status_code == 302


def test_who_has_one_site_and_no_counter_is_not_asked(app, lin, pages):
    pharmacist = make.make_account(house_of(app), "pharmacist")
    answer = pages(pharmacist).get("/")
    assert "/workplace" not in answer.headers.get("Location", "")
    with house_of(app).read() as tx:
        assert tx.execute(sa.select(staff.web_session.c.site)).scalar() == "HUA1"


def test_a_counters_browser_is_remembered_and_locks_briefly(app, lin, pages, clock):
    house = house_of(app)
    with house.db.begin() as tx:
        tx.execute(
            sa.insert(station.station),
            {"id": "st-1", "site": "HUA1", "label": "1", "public_key": "0" * 64, "enrolled_at": house.now()},
        )
        tx.execute(sa.update(sites.counter).values(station="st-1"))
    browser = pages()
    sign_in(browser, lin)
    browser.post("/workplace", {"site": "HUA1", "counter": "HUA1-1"})
    assert browser.client.get_cookie(STATION_COOKIE) is not None
    browser.post("/sign-out")
    clock.shift(60)
    elsewhere = pages()
    for _ in range(3):
        sign_in(elsewhere, lin, password="no")
    assert sign_in(elsewhere, lin).status_code == 429
    assert sign_in(browser, lin).status_code == 302  # the counter counts for itself

    # And where the counter itself is locked, a colleague's PIN on the spot is enough.
    wu = make_person(house, "nurse", username="wu")
    browser.post("/sign-out")
    clock.shift(60)
    for _ in range(3):
        sign_in(browser, lin, password="no")
    page = sign_in(browser, lin)
    assert page.status_code == 429
    assert 'action="/sign-in/unlock"' in text(page)
    form = {"username": "lin", "witness_username": "wu", "witness_pin": "000111"}
    assert browser.post("/sign-in/unlock", form).status_code == 403
    assert browser.post("/sign-in/unlock", form | {"witness_pin": wu.pin}).status_code == 302
    assert sign_in(browser, lin).status_code == 302
    assert elsewhere.post("/sign-in/unlock", form | {"witness_pin": wu.pin}).status_code == 403


def test_a_made_up_station_cookie_is_nobodys(app, lin, pages):
    browser = pages()
    browser.client.set_cookie(STATION_COOKIE, "st-1")
    assert sign_in(browser, lin).status_code == 302
    browser.client.set_cookie(STATION_COOKIE, "InN0LTEi.aaaa.bbbb")
    assert browser.get("/workplace").status_code == 200


def test_a_colleague_unlocks(app, lin, pages):
    make_person(house_of(app), "nurse", username="wu")
    browser = pages(lin.actor, site="HUA1")
    assert browser.get("/unlock-colleague").status_code == 200
    assert browser.post("/unlock-colleague", {"username": "nobody"}).status_code == 422
    assert browser.post("/unlock-colleague", {"username": "wu"}).status_code == 302


# --- languages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "lang"),
    [
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant-TW"),
        ("zh-HK", "zh-Hant-TW"),
        ("zh", "zh-Hant-TW"),
        ("zh-CN", "zh-Hans-CN"),
        ("zh-Hans", "zh-Hans-CN"),
        ("en-GB", "en"),
        ("fr, en;q=0.5", "en"),
        ("fr", "zh-Hant-TW"),
        ("", "zh-Hant-TW"),
        (";;;,=", "zh-Hant-TW"),
    ],
)
def test_a_stranger_reads_their_browsers_language(app, pages, wanted, lang):
    page = pages().get("/sign-in", headers={"Accept-Language": wanted})
    assert f'<html lang="{lang}"' in text(page)


def test_the_choice_stays_with_the_browser_and_the_account(app, lin, pages):
    browser = pages(lin.actor, site="HUA1")
    assert '<html lang="en"' in text(browser.get("/workplace"))  # the account's own
    answer = browser.get("/language/zh_Hans_CN?next=/workplace")
    assert answer.headers["Location"] == "/workplace"
    assert '<html lang="zh-Hans-CN"' in text(browser.get("/workplace"))
    assert '<html lang="zh-Hans-CN"' in text(pages(lin.actor, site="HUA1").get("/workplace"))
    assert browser.get("/language/xx").status_code == 404
    assert browser.get("/language/en?next=//evil.example").headers["Location"] == "/"
