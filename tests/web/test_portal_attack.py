"""The patients' pages show a stranger nothing: numbers, PINs, sessions, other people's ids, addresses, titles, logs."""

from __future__ import annotations

import io
import json
import re

import pyotp
import pytest
import sqlalchemy as sa

from ost import log
from ost.gate import cookie_name, portal_cookie_name
from ost.http import PATIENT, PORTAL_PREFIX, marks_of
from ost.models.patient import patient
from ost.models.portal import portal_event, portal_session
from ost.services import consents, patients, sessions
from ost.services.messages import contacts
from ost.services.portal import sessions as portal_sessions
from ost.services.work import Actor
from tests import make, permits
from tests.logs import said_by_log
from tests.plugins.clients import Pages, house_of, make_app, sign_in_as, sign_in_patient
from tests.portal import (
    CHEAP,
    address,
    change,
    cookie_of,
    number_of,
    own_pages,
    rules_of_patients,
    sign_in,
    text_of,
)
from tests.web.test_titles import TELLING


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    monkeypatch.setattr(patients, "_HASHER", CHEAP)
    monkeypatch.setattr(patients, "NO_PIN", CHEAP.hash("nobody's"))


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app))


# --- who exists ------------------------------------------------------------------------


def test_every_no_is_the_same_no(app, clinic, mine):
    """Known with a wrong PIN, unknown, ended, without a PIN, forgotten: same status, same page, same headers."""
    house = house_of(app)
    people = {name: make.make_patient(house, clinic.site) for name in ("ended", "without", "forgotten")}
    numbers = {name: number_of(app, person) for name, person in people.items()}
    numbers |= {"known": number_of(app, clinic.patient), "nobody": "Z-4711", "card": "OST-" + "x" * 22, "empty": ""}
    change(app, people["ended"], active=False)
    change(app, people["without"], pin_hash=None)
    patients.forget(house, make.make_account(house, "admin"), people["forgotten"], "asked for it")
    seen = {}
    for name, number in numbers.items():
        with house.db.begin() as tx:
            tx.execute(sa.text("DELETE FROM sign_in_failure"))
        browser = mine()
        answers = [sign_in(browser, number, "135790") for _ in range(4)]
        assert cookie_of(browser) is None
        heads = [sorted(k for k, _ in a.headers if k != "Set-Cookie") for a in answers]
        seen[name] = [(a.status_code, text_of(a), h) for a, h in zip(answers, heads, strict=True)]
    # The same people's right PIN is the same no as well, where it opens nothing.
    assert [s for s, _, _ in seen["known"]] == [401, 401, 401, 429]
    seconds = re.compile(r"\d+ seconds")
    plain = {
        n: [(status, seconds.sub("", page), heads) for status, page, heads in found] for n, found in seen.items()
    }
    assert all(found == plain["known"] for found in plain.values()), [n for n in plain if plain[n] != plain["known"]]
    for name in ("ended", "forgotten"):
        with house.db.begin() as tx:
            tx.execute(sa.text("DELETE FROM sign_in_failure"))
        answer = sign_in(mine(), numbers[name])
        assert (answer.status_code, text_of(answer)) == (401, seen["known"][0][1])


def test_what_was_typed_does_not_come_back(app, clinic, mine):
    page = sign_in(mine(), "H-0815", "864297").get_data(as_text=True)
    assert "0815" not in page and "864297" not in page


# --- sessions ----------------------------------------------------------------------------


def test_a_session_planted_before_is_not_the_one_after(app, clinic, mine):
    """Fixation: whatever stands in the cookie, the one that opens is drawn after the PIN was right."""
    browser = mine()
    browser.client.set_cookie(portal_cookie_name(app), "planted-by-somebody-else")
    answer = sign_in(browser, number_of(app, clinic.patient))
    assert answer.status_code == 303 and cookie_of(browser) not in (None, "planted-by-somebody-else")
    first = cookie_of(browser)
    sign_in(browser, number_of(app, clinic.patient))
    assert cookie_of(browser) != first
    thief = mine()
    thief.client.set_cookie(portal_cookie_name(app), first)
    assert thief.get("/me").status_code == 302


def _half(app, person: str) -> tuple[Pages, str]:
    """A browser between PIN and code, and the authenticator's secret."""
    house = house_of(app)
    from ost.services.portal import factors

    whole = portal_sessions.find(house, sign_in_patient(app, person))
    secret = factors.begin_totp(house, whole, make.PATIENT_PIN)
    assert factors.confirm_totp(house, whole, pyotp.TOTP(secret).at(house.now()))
    browser = Pages(app)
    assert sign_in(browser, number_of(app, person)).headers["Location"].startswith("/me/code")
    return browser, secret


def test_half_a_sign_in_opens_nothing(app, clinic, clock):
    browser, secret = _half(app, clinic.patient)
    half = cookie_of(browser)
    for endpoint, method, rule in rules_of_patients(app):
        path = address(rule, "00000001")
        answer = browser.get(path) if method == "GET" else browser.post(path)
        assert answer.status_code == 302 and answer.headers["Location"].startswith("/me/sign-in"), endpoint
    assert browser.get("/me/code").status_code == 200
    clock.shift(60)
    answer = browser.post("/me/code", {"code": pyotp.TOTP(secret).at(house_of(app).now()), "next": "/me/days"})
    assert answer.headers["Location"] == "/me/days" and cookie_of(browser) != half
    assert browser.get("/me").status_code == 200
    thief = Pages(app)
    thief.client.set_cookie(portal_cookie_name(app), half)
    assert thief.get("/me/code").status_code == 302


def test_a_wrong_code_five_times_ends_the_step(app, clinic):
    browser, _ = _half(app, clinic.patient)
    pages = [browser.post("/me/code", {"code": "00000x"}) for _ in range(5)]
    assert [p.status_code for p in pages] == [401] * 5
    assert "portal_codes_used_up" in pages[-1].get_data(as_text=True) and cookie_of(browser) in (None, "")
    assert browser.get("/me/code").headers["Location"].startswith("/me/sign-in")


@pytest.mark.parametrize("how", ["signed_out", "left", "ended", "pin", "inactive", "idle", "forged"])
def test_a_stolen_cookie_opens_nothing_after(app, clinic, mine, how, clock):
    owner, thief = mine(clinic.patient), mine()
    thief.client.set_cookie(portal_cookie_name(app), cookie_of(owner))
    assert thief.get("/me").status_code == 200
    match how:
        case "signed_out":
            owner.post("/me/sign-out")
        case "left":
            owner.post("/me/leave")
        case "ended":
            other = mine(clinic.patient)
            other.post("/me/settings/devices/end-others")
        case "pin":
            given = {"pin": make.PATIENT_PIN, "new": "864209", "again": "864209"}
            assert owner.post("/me/settings/pin", given).status_code == 303
            assert owner.get("/me").status_code == 200, "the owner goes on, in a session of its own"
        case "inactive":
            change(app, clinic.patient, active=False)
        case "idle":
            clock.shift(3600)
        case "forged":
            thief.client.set_cookie(portal_cookie_name(app), cookie_of(owner)[:-1] + "x")
    assert thief.get("/me").headers["Location"].startswith("/me/sign-in")
    assert thief.post("/me/settings/devices/end-others").status_code == 302


def test_the_rows_hold_no_token_and_the_token_no_row(app, clinic, mine):
    token = cookie_of(mine(clinic.patient))
    with house_of(app).read() as tx:
        row = tx.execute(sa.select(portal_session)).one()
    thief = mine()
    thief.client.set_cookie(portal_cookie_name(app), row.id)
    assert token not in str(row) and thief.get("/me").status_code == 302


# --- staff and patients ----------------------------------------------------------------------


def test_no_staff_cookie_opens_a_patients_page(app, clinic):
    house = house_of(app)
    everything = make.make_account(house, "nurse", "admin", "prescriber", "case_manager", scope="*", scope_kind="network")
    token = sign_in_as(app, everything, sessions.PAGE)
    walked = 0
    for endpoint, method, rule in rules_of_patients(app):
        browser = Pages(app, token)
        browser.client.set_cookie(portal_cookie_name(app), token)
        path = address(rule, "00000001")
        answer = browser.get(path) if method == "GET" else browser.post(path)
        assert answer.headers["Location"].startswith("/me/sign-in"), endpoint
        walked += 1
    assert walked > 20


def test_no_patients_cookie_opens_a_staff_page_or_the_api(app, clinic, mine):
    token = cookie_of(mine(clinic.patient))
    walked = 0
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            door = marks_of(app.view_functions[rule.endpoint], method).door
            if door in (PATIENT, "open", "station") or rule.rule.startswith(PORTAL_PREFIX + "/"):
                continue
            browser = Pages(app)
            for name in (portal_cookie_name(app), cookie_name(app)):
                browser.client.set_cookie(name, token)
            path = address(rule, "00000001")
            if path.startswith("/api/"):
                answer = browser.client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 401, rule.rule
            else:
                answer = browser.get(path) if method == "GET" else browser.post(path)
                assert answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in"), rule.rule
            walked += 1
    assert walked > 100


def test_a_mark_for_patients_outside_their_pages_opens_nothing(sqlite_database, tmp_path):
    from ost.http import allow, patient_route

    app = make_app(sqlite_database, tmp_path)
    app.add_url_rule("/elsewhere", "elsewhere", patient_route(lambda: "open?"))
    app.add_url_rule("/me/for-staff", "for_staff", allow("patient.read")(lambda: "open?"))
    app.add_url_rule("/me/forgotten-mark", "forgotten_mark", lambda: "open?")
    clinic = make.make_clinic(house_of(app))
    browser = Pages(app, sign_in_as(app, make.make_account(house_of(app), "nurse"), sessions.PAGE))
    browser.client.set_cookie(portal_cookie_name(app), sign_in_patient(app, clinic.patient))
    assert browser.get("/elsewhere").status_code == 403
    assert browser.get("/me/for-staff").status_code == 403
    assert browser.get("/me/forgotten-mark").status_code == 403
    assert browser.get("/me").status_code == 200


# --- somebody else's ids ------------------------------------------------------------------------


def others_ids(app, clinic) -> list[str]:
    """Every id of another person's that could stand in an address: whatever table names them."""
    house = house_of(app)
    other = make.make_patient(house, clinic.site)
    actor = Actor(f"patient:{other}")
    make.make_site(house, "TPE1")
    permits.make_permit(house, other, "TPE1", permits.days_from(house, clinic.site, 1, 2))
    contacts.set(house, actor, other, contacts.SMS, "0912 345 678")
    consents.give(house, actor, other, consents.MESSAGES)
    sign_in_patient(app, other)
    ids = {other, number_of(app, other)}
    with house.read() as tx:
        for table in patient.metadata.sorted_tables:
            if "patient" in table.c and len(table.primary_key.columns) == 1:
                key = next(iter(table.primary_key.columns))
                ids |= {str(k) for k in tx.execute(sa.select(key).where(table.c.patient == other)).scalars()}
        request = sa.text("SELECT request FROM guest_head WHERE patient = :other")
        assert ids >= set(tx.execute(request, {"other": other}).scalars()), "their request is among them"
    return sorted(ids)


def test_another_persons_ids_are_as_if_nobody_had_them(app, clinic, mine):
    """Every address with an id in it, with every id of somebody else's: 404, word for word as for an id nobody has."""
    browser, ids = mine(clinic.patient), others_ids(app, clinic)
    assert len(ids) >= 7
    walked = 0
    for endpoint, method, rule in rules_of_patients(app):
        if not rule.arguments:
            continue
        for act in ("verify", "end", "first", "send", ""):
            unknown = _ask(browser, method, address(rule, "00000000-0000-4000-8000-000000000000"), act)
            assert unknown.status_code == 404, (endpoint, unknown.status_code)
            for other in ids:
                answer = _ask(browser, method, address(rule, other), act)
                assert answer.status_code == 404, (endpoint, answer.status_code)
                assert text_of(answer) == text_of(unknown), endpoint
            walked += 1
            if method == "GET":
                break
    assert walked >= 4


def _ask(browser: Pages, method: str, path: str, act: str):
    return browser.get(path) if method == "GET" else browser.post(path, {"act": act, "code": "1", "pin": "135790"})


def test_another_persons_ids_in_a_form_change_nothing(app, clinic, mine):
    house = house_of(app)
    browser = mine(clinic.patient)
    other = make.make_patient(house, clinic.site)
    consent = consents.give(house, Actor(f"patient:{other}"), other, consents.MESSAGES)
    mine(other)
    theirs = portal_sessions.of_patient(house, portal_sessions.find(house, sign_in_patient(app, other)))
    answer = browser.post("/me/agreed/news/back", {"one": consent})
    assert answer.status_code == 404
    assert browser.post("/me/settings/devices/end", {"ref": theirs[0].ref}).status_code == 404
    assert browser.post("/me/language", {"patient": other, "language": "zh_Hans_CN"}).status_code == 303
    with house.read() as tx:
        assert consents.stands(tx, other, consents.MESSAGES, house.now().date())
        assert tx.execute(sa.select(patient.c.language).where(patient.c.id == other)).scalar() != "zh_Hans_CN"
    assert len(theirs) == len(portal_sessions.of_patient(house, portal_sessions.find(house, sign_in_patient(app, other)))) - 1


# --- forms and ways out ----------------------------------------------------------------------------


def test_every_form_needs_its_token_but_the_one_that_leaves(app, clinic, mine):
    walked = 0
    for rule in app.url_map.iter_rules():
        if "POST" not in rule.methods or not rule.rule.startswith(PORTAL_PREFIX + "/"):
            continue
        browser = mine(clinic.patient)
        answer = browser.post(address(rule, "00000001"), {"language": "en"}, csrf=False)
        if rule.endpoint == "portal.leave":
            assert answer.status_code == 303
            continue
        assert answer.status_code == 400 and "form_expired" in answer.get_data(as_text=True), rule.rule
        assert browser.get("/me").status_code == 200, "nothing was done"
        walked += 1
    assert walked > 8


def test_a_form_of_another_site_is_refused_also_with_a_token(app, clinic, mine):
    browser = mine(clinic.patient)
    for site in ("cross-site", "same-site"):
        answer = browser.post("/me/settings/devices/end-others", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 400
    assert browser.post("/me/settings/devices/end-others", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_forms_work_over_https_without_a_referer(sqlite_database, tmp_path):
    """These pages send none; the cookie is bound to this host and to https."""
    app = make_app(sqlite_database, tmp_path)
    app.config.update(SESSION_COOKIE_SECURE=True, WTF_CSRF_SSL_STRICT=True)
    clinic = make.make_clinic(house_of(app))
    client = app.test_client()
    page = client.get("/me/sign-in", base_url="https://localhost").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]*)"', page)[1]
    fields = {"number": number_of(app, clinic.patient), "pin": make.PATIENT_PIN, "csrf_token": token}
    answer = client.post("/me/sign-in", data=fields, base_url="https://localhost")
    assert answer.status_code == 303
    given = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-me")]
    assert len(given) == 2
    for cookie in given:
        assert all(part in cookie for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax")) and "Domain" not in cookie


EVIL = (
    "//evil.example", "\\\\evil.example", "/\\evil.example", "https://evil.example", "/me/../../sign-in",
    "/me/..%2f..//evil.example/..", "%2f%2fevil.example", "javascript:alert(1)", "/patients", "/me\\@evil.example",
    "/\t/evil.example", "/me/\r\nX-Evil: 1", "//localhost@evil.example/me/", "/menu", "me",
)  # fmt: skip


@pytest.mark.parametrize("target", EVIL)
def test_no_address_leads_out(app, clinic, mine, target):
    number = number_of(app, clinic.patient)
    landed = sign_in(mine(), number, next=target).headers["Location"]
    assert landed == "/me"
    assert mine(clinic.patient).get("/me/sign-in", query_string={"next": target}).headers["Location"] == "/me"
    page = mine().get("/me/sign-in", query_string={"next": target}).get_data(as_text=True)
    assert re.search(r'name="next" value="([^"]*)"', page)[1] == "/me"


def test_a_good_address_leads_on(app, clinic, mine):
    browser = mine()
    door = browser.get("/me/days?page=2").headers["Location"]
    assert door == "/me/sign-in?next=/me/days?page%3D2" or "next=" in door
    page = browser.get(door).get_data(as_text=True)
    target = re.search(r'name="next" value="([^"]*)"', page)[1]
    assert sign_in(browser, number_of(app, clinic.patient), next=target).headers["Location"] == "/me/days?page=2"


def test_leaving_takes_one_tap_from_everywhere_and_leaves_nothing(app, clinic, mine):
    browser = mine(clinic.patient)
    for path in own_pages(app):
        answer = browser.get(path)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        page = answer.get_data(as_text=True)
        head = page[: page.index("<main")]
        assert 'action="/me/leave"' in head, path
    answer = browser.post("/me/leave")
    assert answer.status_code == 303 and answer.headers["Location"] == "/me/today"
    assert answer.headers["Clear-Site-Data"] == '"cache"' and cookie_of(browser) in (None, "")
    page = browser.get("/me/today").get_data(as_text=True)
    assert "/me/sign-in" not in page and 'href="/me"' not in page and not TELLING.search(page)
    assert browser.get("/me/days").status_code == 302, "the back button leads to the door"


# --- what is written down --------------------------------------------------------------------------


def test_the_log_knows_nobody(app, clinic, mine):
    stream = io.StringIO()
    log.configure("INFO", as_json=True, stream=stream)
    house, number = house_of(app), number_of(app, clinic.patient)
    browser, secret = _half(app, clinic.patient)
    code = pyotp.TOTP(secret).at(house.now())
    sign_in(mine(), number, "135790")
    browser.post("/me/code", {"code": "999999"})
    browser.post("/me/code", {"code": code})
    owner = mine(clinic.patient)
    given = {"channel": "sms", "address": "0912 345 678", "pin": make.PATIENT_PIN}
    assert owner.post("/me/settings/contact", given).status_code == 303
    owner.get("/me/readers?why=" + number)
    owner.get(f"/me/{number}/{make.PATIENT_PIN}")
    written = said_by_log(stream.getvalue())
    assert '"path_rule"' in written
    for secret_text in (number, "135790", make.PATIENT_PIN, "999999", "0912", "912345678", "345 678", secret, clinic.patient):
        assert secret_text not in written, secret_text
    if code not in ("000000",):
        assert code not in written


def test_the_record_of_the_door_holds_ids_and_codes_only(app, clinic, mine):
    number = number_of(app, clinic.patient)
    sign_in(mine(), number, "135790")
    sign_in(mine(), "Z-4711", "135790")
    sign_in(mine(), number)
    with house_of(app).read() as tx:
        rows = [dict(r._mapping) for r in tx.execute(sa.select(portal_event))]
        counts = tx.execute(sa.text("SELECT subject FROM sign_in_failure")).scalars().all()
        events = tx.execute(sa.text("SELECT payload FROM audit_event")).scalars().all()
    written = json.dumps([rows, counts, events], default=str)
    assert {r["what"] for r in rows} == {"wrong", "signed_in"}
    for text in (number, "Z-4711", "135790", make.PATIENT_PIN, "127.0.0.1"):
        assert text not in written
