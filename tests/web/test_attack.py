"""What somebody with bad intent sends to the pages: forms from elsewhere, other people's ids, odd values, odd addresses."""

from __future__ import annotations

import re

import pytest

from ost.http import OPEN, marks_of
from ost.services import sessions
from ost.services.verify import verify
from tests import make
from tests.api.world import EVERY_ROLE, World, tables
from tests.plugins.clients import Pages, sign_in_as

NAMED = "歐陽菲菲"
SAFE = {"HEAD", "OPTIONS"}
CLINICAL = (
    "dose_attempt", "dose_outcome", "dose_observation", "dose_release", "dose_void", "exposure_review", "fingerprint",
    "hold", "hold_release", "identity_evidence", "prescription", "prescription_end", "refusal", "signature", "signoff",
)  # fmt: skip
#: Leaves the session, or needs nobody to be signed in.
# Leaving quickly works with a lost token as well: all it can do is end that browser's own session.
NOT_WALKED = ("sign_in.sign_in", "sign_in.sign_out", "sign_in.lock", "portal.leave", "static")


@pytest.fixture
def world(app):
    found = World(app)
    found.ids["person"] = make.make_patient(found.house, name=NAMED)
    make.make_prescription(found.house, found.ids["person"])
    return found


def browser(world, site: str = "HUA1") -> Pages:
    """Somebody with every role at one site, working at its counter."""
    who = make.make_account(world.house, *EVERY_ROLE, scope=site)
    token = sign_in_as(world.app, who, sessions.PAGE, site=site, counter=f"{site}-1")
    return Pages(world.app, token)


def routes(world, counter: str = "HUA1-1", product: str = "methadone-10"):
    """(method, path, endpoint) of every page, with ids that exist in it."""
    ids = {
        "patient_id": world.ids["person"], "counter_id": counter, "dose_id": world.ids["dose_id"], "kind": "partly",
        "bottle_id": world.ids["bottle_id"], "order_id": world.ids["prescription_id"], "hold_id": world.ids["hold_id"],
        "product_id": product, "station_id": "st-1", "digest": "0" * 64, "exposure_id": "x", "line": "1",
        "alert_id": "x", "reader_id": "x", "evaluation": "x", "run": "x", "case_id": "x", "side": "one", "consent_id": "x", "code": "en", "name": "htmx.js", "filename": "icons.svg",
        "closure_id": "x", "request_id": "x", "standing_id": "x", "row_id": "x", "notice_id": "x", "message_id": "x",
        "settlement_id": "x", "contact_id": "x", "charge_id": "x", "slug": "x", "number": "1", "action": "approve",
        "day": "2026-03-10", "month": "2026-02", "ending": "xlsx", "filetype": "xlsx", "receipt_id": "x",
    }  # fmt: skip
    for rule in sorted(world.app.url_map.iter_rules(), key=lambda r: r.rule):
        if rule.rule.startswith("/api/") or rule.endpoint in NOT_WALKED:
            continue
        path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda found: ids[found.group(1)], rule.rule)
        for method in sorted(rule.methods - SAFE):
            yield method, path, rule.endpoint


def form(world, odd: str | None = None) -> dict:
    """Every field that any form of ours has, with ids that exist, or all of them odd."""
    fields = {
        "patient_id": world.ids["person"], "patient": world.ids["person"], "dose_id": world.ids["dose_id"],
        "bottle": world.ids["bottle_id"], "site": "HUA1", "counter": "HUA1-1", "slot": "1", "seen_dose_ug": "60000",
        "seen_volume_ul": "6000", "path": "number_face", "reason": "patient_prefers", "outcome": "swallowed",
        "disposition": "residue", "swallowed_mg": "10", "kind": "vomited", "minutes_after": "5", "number": "T-00001",
        "q": NAMED, "code": "x", "scanned": "x", "username": "wu", "pin": "274951", "witness": "x", "note": "x",
        "reason_code": "medical_review", "come_back_on": "2099-01-01", "dose": "20", "medicine": "methadone",
        "phase": "induction", "starts_on": "2099-01-01", "days": "1", "volume": "5", "counted": "5", "lot": "L",
        "expires_on": "2099-01-01", "product": "methadone-10", "delivery": "D", "certificate": "C", "method": "M",
        "name": "x", "phone": "0912345678", "national_id": "A123456789", "birth_date": "68/5/3", "sex": "female",
        "label": "x", "confirm": "yes", "step": "save", "signs": "none", "checked": "yes", "language": "en", "day": "today",
        "finger": "right_index", "why": "x", "hold_id": world.ids["hold_id"], "poured": "yes", "given_at": "08:00",
        "about": "x", "text": "T-00001", "call": "03", "leave_unknown": "yes", "sign": "drowsy", "signature": "[[1,1]]", "next": "//evil.example",
        "signed": "second_look", "sites": "TPE1", "priority": "work", "low_tolerance": "yes", "elsewhere_on": "2099-01-01",
        "elsewhere_dose": "20", "elsewhere_source": "x", "unscanned_reason": "other", "witness_username": "wu", "witness_pin": "274951",
        "bottle_seen": "x", "dpi": "500", "document": "passport", "clinician": world.ids["person"], "paths": "card", "alone": "1",
    }  # fmt: skip
    return dict.fromkeys(fields, odd) if odd is not None else fields


def test_no_form_from_elsewhere_changes_anything(world):
    """Every POST, by somebody who may: without our token it is refused, and nothing is written."""
    pages = browser(world)
    before, walked = tables(world.house), 0
    for method, path, endpoint in routes(world):
        if method != "POST":
            continue
        for extra in ({}, {"headers": {"HX-Request": "true"}}, {"headers": {"Origin": "https://evil.example", "X-CSRFToken": "x"}}):
            answer = pages.post(path, form(world), csrf=False, **extra)
            assert answer.status_code == 400, (endpoint, answer.status_code)
            assert "form_expired" in answer.get_data(as_text=True), endpoint
        walked += 1
    assert walked > 30
    assert tables(world.house) == before


def test_another_sites_people_bottles_and_counters_do_not_exist(world):
    """Everything by somebody who may do everything at TPE1, with the ids of HUA1."""
    make.make_clinic(world.house, "TPE1")
    pages = browser(world, "TPE1")
    person = world.everyone.get(f"/api/v1/patients/{world.ids['person']}").get_json()
    lost, before = [], tables(world.house)
    for counter in ("HUA1-1", "TPE1-1"):
        for method, path, endpoint in routes(world, counter):
            asked = {"patient": world.ids["person"], "counter": counter, "site": "HUA1"}
            if method == "GET":
                answer = pages.get(path, query_string=asked)
            else:
                answer = pages.post(path, form(world))
            text = answer.get_data(as_text=True)
            assert answer.status_code < 500, (endpoint, counter, answer.status_code)
            for secret in (NAMED, person["number"], person["national_id"]):
                # A search field says again what was typed into it.
                if secret in text and not (endpoint.endswith(("index", "register", "portal_help.tell")) and f'value="{secret}"' in text):
                    lost.append((endpoint, counter, secret))
    assert not lost, lost
    # TPE1's own things may be made, a bottle or a patient: they name nothing of HUA1's.
    after = tables(world.house)
    assert {name for name in CLINICAL if after[name] != before[name]} == set()
    assert verify(world.house).passed


@pytest.mark.parametrize("odd", ["", "9" * 40, "' OR 1=1 --<script>alert(1)</script>", "\x00", "2026-99-99"])
def test_no_value_in_any_form_is_a_fault_of_ours(world, odd):
    pages, faults = browser(world), []
    for method, path, endpoint in routes(world):
        if method == "GET":
            if "<" not in odd:
                continue
            answer = pages.get(path, query_string=form(world, odd))
        else:
            answer = pages.post(path, form(world, odd))
        if answer.status_code >= 500 and endpoint != "health.ready":
            faults.append((endpoint, method, answer.status_code))
        assert "<script>alert" not in answer.get_data(as_text=True), endpoint
    assert not faults, faults


def test_no_form_of_plausible_values_is_a_fault_of_ours(world):
    pages = browser(world)
    for method, path, endpoint in routes(world):
        for fragment in (False, True):
            headers = {"HX-Request": "true"} if fragment else {}
            answer = pages.get(path, headers=headers) if method == "GET" else pages.post(path, form(world), headers=headers)
            assert answer.status_code < 500 or endpoint == "health.ready", (endpoint, answer.status_code)
            assert "Traceback" not in answer.get_data(as_text=True)


def test_what_people_are_called_is_text_and_never_markup(world):
    name = "<img src=x onerror=alert(1)>"
    person = make.make_patient(world.house, name=name)
    make.make_prescription(world.house, person)
    pages, seen = browser(world), 0
    for path in (f"/patients/{person}", f"/prescriber/patients/{person}/order", f"/counter/HUA1-1/hold/{person}", "/counter/HUA1-1"):
        text = pages.get(path).get_data(as_text=True)
        assert "<img src=x" not in text, path
        seen += "&lt;img" in text
    assert seen


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/%2fetc/passwd", "/static//etc/passwd",
        "/static/..\\app.py", "/static/.%00./app.py", "/static/scss/../../keys.py", "/vendor/../package.json", "/vendor/..%2fhtmx.js",
        "/vendor/htmx.js%00", "/vendor/package.json", "/vendor/%2e%2e%2f%2e%2e%2fpyproject.toml",
    ],
)  # fmt: skip
def test_files_are_those_on_the_list(world, path):
    answer = world.app.test_client().get(path, follow_redirects=True)
    assert answer.status_code in (302, 400, 404), answer.status_code
    assert "import" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "X-Forwarded-Prefix"])
def test_no_header_leads_anybody_elsewhere(world, header):
    evil = "host=evil.example" if header == "Forwarded" else "evil.example"
    for path in ("/", "/workplace", "/nowhere", "/patients?q=1", "/sign-in"):
        answer = world.app.test_client().get(path, headers={header: evil})
        assert "evil.example" not in answer.headers.get("Location", "")
        assert "evil.example" not in answer.get_data(as_text=True)
        assert answer.status_code in (200, 302, 400, 404)


def test_nobody_gets_a_page_by_another_method(world):
    client = world.app.test_client()
    for method, path, endpoint in routes(world):
        view = world.app.view_functions[endpoint]
        if method != "GET" or marks_of(view, "GET").door == OPEN:
            continue
        head = client.head(path)
        assert head.status_code in (302, 401, 403, 404), (endpoint, head.status_code)
        for other in ("PUT", "DELETE", "PATCH", "TRACE"):
            assert client.open(path, method=other).status_code in (302, 400, 401, 403, 405), (endpoint, other)
