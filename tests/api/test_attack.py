"""What somebody with bad intent sends to the API: other people's ids, odd values, borrowed tokens. Nothing gives way."""

from __future__ import annotations

import gzip
import json
import re
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.models import dose, staff
from ost.rules.access import ROLES
from ost.services import sessions
from ost.services.verify import verify
from tests import make
from tests.api.world import API, NAME, NATIONAL_ID, ONLY_A_STEP, World, tables
from tests.logs import said_by_log
from tests.plugins.clients import PIN, Api, assert_error, house_of, sign_in_as

#: Looking leaves these; everything else a refused request may not touch.
LOOKING = ("audit_event", "chain_head", "web_session", "sign_in_failure", "sign_in_event", "refusal", "decision", "policy_version")


@pytest.fixture
def world(app_on):
    return World(app_on)


# --- other people's ids ----------------------------------------------------------------


def test_somebody_who_may_do_everything_elsewhere_may_do_nothing_here(world):
    stranger = world.stranger()
    before = tables(world.house, *LOOKING)
    walked = 0
    for method, rule in world.routes():
        if rule == "/indicators/{name}":
            continue  # figures name nobody, and whom they are shown to has tests of its own
        answer = world.ask(stranger, method, rule)
        error = assert_error(answer, answer.status_code)
        assert answer.status_code in (403, 404), (rule, error)
        assert error["code"] in ("not_permitted", "patient_unknown", "bottle_unknown", "guest_request_unknown", "closure_unknown"), (rule, error)
        walked += 1
    assert walked > 25
    assert tables(world.house, *LOOKING) == before


def test_naming_ones_own_site_opens_nobody_elses_ids(world):
    """The site in the body is one's own, the ids in the path or beside it are not."""
    stranger = world.stranger()
    before = tables(world.house, *LOOKING)
    for method, rule in world.routes():
        body = world.body(rule) if method == "POST" else world.query(rule)
        if "site" not in body or rule in ("/patients", "/bottles", "/register/totals", "/identify", "/unlock", "/closures"):
            continue  # those name nothing but the site
        if (method, rule) == ("GET", "/guest-requests"):
            continue  # a list of one's own
        asked = body | {"site": "TPE1"}
        answer = stranger.get(world.path(rule), **asked) if method == "GET" else stranger.post(world.path(rule), asked)
        assert answer.status_code in (403, 404, 409, 422), (rule, answer.get_json())
        text = answer.get_data(as_text=True)
        for secret in ("HUA1", world.clinic.order, "03-000-0000"):
            assert secret not in text, (rule, text)
        assert not re.search(r"\b60000\b", text), (rule, text)  # alone: an id may hold these digits
    assert tables(world.house, *LOOKING) == before


def test_of_a_strangers_dose_a_site_learns_only_whether_there_was_one_today(world):
    stranger = world.stranger()
    body = world.body("/doses") | {"site": "TPE1", "bottle": world.ids["TPE1"].bottle}
    answer = stranger.post(f"{API}/doses", body)
    assert answer.status_code == 409
    assert [(r["code"], r["data"]) for r in answer.get_json()["reasons"]] == [
        ("site_not_allowed", {"site": "TPE1"}),
        ("attempt_unresolved", {}),
    ]
    free = stranger.post(f"{API}/doses", body | {"dose_id": "for-another", "patient_id": world.ids["new_patient"]})
    assert [r["code"] for r in free.get_json()["reasons"]] == ["site_not_allowed"]
    told = stranger.get(f"{API}/doses/{body['dose_id']}").get_json()
    assert [r["code"] for r in told["reasons"]] == ["site_not_allowed", "attempt_unresolved"]


def test_the_home_site_sees_a_dose_that_was_given_elsewhere(world):
    world.stranger()
    guest = world.ids["TPE1"]
    person = make.make_patient(world.house)
    make.make_prescription(world.house, person, sites=("HUA1", "TPE1"))
    promised = make.give(world.house, guest, patient_id=person)
    if promised.state != "promised":
        make.make_past_dose(world.house, guest, days_ago=1, patient_id=person)
        promised = make.give(world.house, guest, patient_id=person)
    assert world.nurse.get(f"{API}/doses/{promised.dose_id}").get_json()["site"] == "TPE1"
    assert_error(world.nurse.post(f"{API}/doses/{promised.dose_id}/outcome", {"outcome": "swallowed"}), 403)


def test_no_role_does_what_it_is_not_for(world):
    """Each role alone at the right site: what is shut by permission is shut over HTTP, whatever the ids."""
    from ost.http import marks_of

    doors = {}
    for rule in world.app.url_map.iter_rules():
        for method in rule.methods & {"GET", "POST", "DELETE"}:
            path = rule.rule.replace("<string:", "{").replace("<", "{").replace(">", "}").removeprefix(API)
            doors[method, path] = marks_of(world.app.view_functions[rule.endpoint], method).door
    roles = {role: world.api(make.make_account(world.house, role)) for role in ROLES}
    shut = 0
    for method, rule in world.routes():
        for role, api in roles.items():
            if doors[method, rule] not in ROLES[role]:
                assert_error(world.ask(api, method, rule), 403, "not_permitted")
                shut += 1
    assert shut > 100


def test_a_field_one_may_not_set_is_not_a_field(world):
    for rule, extra in [
        ("/patients", {"id": "mine", "number": "H-0001", "active": False, "registered_by": "me", "national_id_mac": "0"}),
        ("/doses", {"counter": "HUA1-1", "replaces": "x", "dosing_day": "2020-01-01", "by": "me", "policy": "none"}),
        ("/doses/{dose_id}/outcome", {"by": "me", "flags": [], "entered_at": "2020-01-01T00:00:00Z"}),
        ("/prescriptions", {"prescriber": "me", "previous_dose_ug": 500_000, "episode_started_on": "2020-01-01"}),
        ("/signoffs", {"by_role": "prescriber"}),
        ("/bottles", {"state": "open", "balance_ul": 5, "line": 9}),
    ]:
        for name, value in extra.items():
            error = assert_error(world.everyone.post(world.path(rule), world.body(rule) | {name: value}), 422, "input_invalid")
            assert list(error["fields"]) == [name], rule


# --- tokens ------------------------------------------------------------------------------


def test_a_token_that_ran_out_was_ended_or_is_of_another_kind_opens_nothing(app, clock):
    house = house_of(app)
    clinic = make.make_clinic(house, came_yesterday=False)
    path = f"{API}/patients/{clinic.patient}"
    token = sign_in_as(app, clinic.nurse, sessions.API)
    assert Api(app, token).get(path).status_code == 200
    page = sign_in_as(app, clinic.nurse, sessions.PAGE)
    for bad in (page, token[:-1], token + "x", token.lower(), sessions.token_id(token), "null", "x" * 5000):
        assert_error(Api(app, bad).get(path), 401, "not_signed_in")
    for place in ("access_token", "token", "Authorization"):
        assert_error(Api(app).get(path, **{place: token}), 401)
    clock.shift(sessions.LIFETIME[sessions.API] - timedelta(seconds=1))
    assert Api(app, token).get(path).status_code == 200
    clock.shift(1)
    assert_error(Api(app, token).get(path), 401, "not_signed_in")
    fresh = sign_in_as(app, clinic.nurse, sessions.API)
    with house.db.begin() as tx:
        tx.execute(sa.update(staff.account).where(staff.account.c.id == clinic.nurse.id).values(active=False))
    assert_error(Api(app, fresh).get(path), 401, "not_signed_in")


def test_a_role_taken_away_is_gone_with_the_next_request(world):
    path = world.path("/patients/{patient_id}")
    assert world.nurse.get(path).status_code == 200
    with world.house.db.begin() as tx:
        tx.execute(sa.delete(staff.role_grant).where(staff.role_grant.c.account == world.clinic.nurse.id))
    assert_error(world.nurse.get(path), 403, "not_permitted")


def test_the_same_witness_token_used_by_eight_at_once_works_once(world):
    doses = [world.ids["dose_id"]]
    token = world.nurse.post(f"{API}/witness", world.body("/witness")).get_json()["token"]
    world.nurse.post(f"{API}/doses/{doses[0]}/outcome", {"outcome": "swallowed"})
    said = {"reason": "wrong person", "witness": token, "not_taken": True, "disposition": "residue"}
    answers = at_once(world, 8, lambda api, _: api.post(f"{API}/doses/{doses[0]}/void", said))
    assert sorted(a.status_code for a in answers)[0] == 201
    assert [a.status_code for a in answers].count(201) == 1
    with world.house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(dose.dose_void)).scalar() == 1
    assert verify(world.house).passed


def at_once(world, count: int, ask) -> list:
    gate, answers = threading.Barrier(count), []

    def one(number: int) -> None:
        api = Api(world.app)
        api.headers = world.nurse.headers
        gate.wait()
        answers.append(ask(api, number))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_form_sent_eight_times_at_once_is_one_outcome(world):
    path = world.path("/doses/{dose_id}/outcome")
    answers = at_once(world, 8, lambda api, _: api.post(path, {"outcome": "partly", "swallowed_ug": 30_000, "disposition": "residue"}))
    assert {a.status_code for a in answers} == {200}
    assert len({a.get_data() for a in answers}) == 1
    with world.house.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).where(dose.dose_outcome.c.attempt == world.ids["dose_id"])).scalar() == 1
    assert verify(world.house).passed


def test_eight_different_outcomes_at_once_are_one_outcome(world):
    path = world.path("/doses/{dose_id}/outcome")
    answers = at_once(world, 8, lambda api, n: api.post(path, {"outcome": "partly", "swallowed_ug": 1000 + n, "disposition": "residue"}))
    assert sorted(a.status_code for a in answers) == [200] + [409] * 7
    assert verify(world.house).passed


# --- bodies ------------------------------------------------------------------------------


def raw(world, data: bytes, content_type="application/json", **headers):
    return world.nurse.client.post(
        f"{API}/doses", data=data, content_type=content_type, headers=world.nurse.headers | headers
    )


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ('"dose_ug": 60000', '"dose_ug": 60000.0', 422),
        ('"dose_ug": 60000', '"dose_ug": 6e4', 422),
        ('"dose_ug": 60000', '"dose_ug": "60000"', 422),
        ('"dose_ug": 60000', '"dose_ug": true', 422),
        ('"dose_ug": 60000', '"dose_ug": NaN', 400),
        ('"dose_ug": 60000', '"dose_ug": Infinity', 400),
        ('"dose_ug": 60000', '"dose_ug": -60000', 422),
        ('"dose_ug": 60000', f'"dose_ug": {2**63}', 422),
        ('"dose_ug": 60000', f'"dose_ug": {"9" * 5000}', 400),
        ('"dose_ug": 60000', '"dose_ug": 60000, "dose_ug": 600000', 400),
        ('"slot": 1', '"slot": 1, "slot": 2', 400),
        ('"slot": 1', '"slot": 1, "\\u0073lot": 2', 400),
        ('"slot": 1', '"slot": 1.0', 422),
        ('"slot": 1', '"slot": [1]', 422),
        ('"slot": 1', f'"slot": {2**63}', 422),
        ('"site": "HUA1"', '"site": {"$ne": null}', 422),
        ('"site": "HUA1"', '"site": ["HUA1"]', 422),
        ('"site": "HUA1"', '"site": null', 422),
        ('"site": "HUA1"', '"site": "HUA1\\u0000"', 422),
        ('"site": "HUA1"', '"site": "\\ud800"', 422),
        ('"site": "HUA1"', '"site": "ＨＵＡ１"', 403),
        ('"site": "HUA1"', '"site": "hua1"', 403),
        ('"site": "HUA1"', '"site": "HUA1 "', 403),
        ('"site": "HUA1"', '"site": "HUA1\\u200b"', 403),
        ('"slot": 1', '"slot": 1, "reasons": {"a": {"b": 1}}', 422),
        ('"slot": 1', '"slot": 1, "__proto__": {}', 422),
    ],
)
def test_an_amount_is_a_whole_number_once_and_an_id_is_itself(world, old, new, status):
    whole = json.dumps(world.body("/doses"))
    assert old in whole
    before = tables(world.house)
    assert_error(raw(world, whole.replace(old, new, 1).encode()), status)
    assert tables(world.house) == before


@pytest.mark.parametrize(
    "dose_id",
    ["short", "x" * 65, "../../../../x", "dose id x", "dоse-id-cyrillic", "dose-id-1\n", "ｄｏｓｅ－ｉｄ－１", "dose-id-é1", "%00dose-id"],
)
def test_a_dose_id_is_plain(world, dose_id):
    body = world.body("/doses") | {"dose_id": dose_id}
    assert "dose_id" in assert_error(world.nurse.post(f"{API}/doses", body), 422)["fields"]


def test_only_plain_json_is_a_body(world):
    body = json.dumps(world.body("/doses")).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""):
        error = assert_error(raw(world, body, kind), 422)
        assert "dose_id" in error["fields"], kind
    assert_error(raw(world, gzip.compress(body), **{"Content-Encoding": "gzip"}), 400)
    assert_error(raw(world, gzip.compress(b" " * 50_000_000)), 400)  # 50 KB on the wire: nobody unpacks it
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        assert_error(raw(world, body.decode().encode(encoding)), 400)
    assert_error(raw(world, body[:-1]), 400)
    assert_error(raw(world, body + b"{}"), 400)
    assert raw(world, body).status_code == 409  # the same as it should be: the slot is taken


def test_a_method_in_a_header_or_a_field_is_not_believed(world):
    path = world.path("/patients/{patient_id}/fingerprints/{finger}")
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert_error(world.everyone.post(path, {}, headers={name: "DELETE"}), 405)
    assert_error(world.everyone.post(f"{path}?_method=DELETE", {}), 405)
    for method in ("PUT", "PATCH", "TRACE", "PROPFIND", "MADE-UP"):
        answer = world.everyone.client.open(world.path("/doses/{dose_id}"), method=method, headers=world.everyone.headers)
        assert_error(answer, 405, "method_not_allowed")


# --- every text, every number, everywhere ------------------------------------------------------------

ODD_TEXTS = [
    "' OR '1'='1' --",
    '"; DROP TABLE dose_attempt; --',
    "%(x)s %s {0} {{7*7}} <script>",
    "\u202e\u0000\uffff",
    "\ud800",
    "😀" * 200,
    "０１２３",
    "x" * 20_000,
    "\r\n../../etc/passwd",
    "",
]
ODD_NUMBERS = [-1, 0, 2**31, 2**63, 10**30, 1.5, True]
ODD_DATES = ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "民國0年1月1日", "-1"]
ODD_OTHERS = [None, [[]], {"a": {"b": []}}]


def places(value, where=()):
    """Every leaf of a body, as a path."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from places(inner, (*where, name))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from places(inner, (*where, number))
    else:
        yield where


def put(body, where, value):
    changed = json.loads(json.dumps(body))
    at = changed
    for step in where[:-1]:
        at = at[step]
    at[where[-1]] = value
    return changed


OPTIONAL = {
    "/doses/{dose_id}/outcome": {"swallowed_ug": 5, "given_at": "x", "drinker": "x", "disposition": "x", "identity": {"path": "card", "capture": "x", "reason": "x"}, "reason": "x"},
    "/doses/{dose_id}/observations": {"observed_at": "x", "note": "x"},
    "/doses/{dose_id}/replacement": {"dose_ug": 5},
    "/prescriptions": {"starts_on": "x", "ends_on": "x", "days": [1], "sites": ["x"], "shortest_gap_h": 5, "product": "x", "replaces": "x", "signed": ["x"], "elsewhere_on": "x", "elsewhere_dose_ug": 5, "elsewhere_source": "x", "slot": 1, "reason": "x"},
    "/patients": {"phone": "x", "pin": "x", "priority": ["x"], "language": "x", "low_tolerance": True, "face": "x"},
    "/doses": {"reasons": {"a": "x"}, "observations": ["x"]},
    "/bottles": {"bottle": "x"},
    "/bottles/{bottle_id}/open": {"counter": "x", "scanned": "x"},
    "/holds": {"call": "x"},
    "/guest-requests": {"reason": "x", "consent_id": "x", "by_role": "x"},
    **{rule: {"seen_step": 5} for rule in ONLY_A_STEP},
    "/guest-requests/{request_id}/take_offer": {"consent": {"until": "x", "sites": ["x"], "counties": ["x"], "anywhere": True}},
}  # fmt: skip


def test_no_value_in_any_field_is_a_fault_of_ours(world):
    """Every leaf of every body, each odd value: an answer in the one shape, never an internal error."""
    api, tried, faults = world.everyone, 0, []
    for method, rule in world.routes():
        if method != "POST":
            continue
        body = world.body(rule)
        extra = OPTIONAL.get(rule, {})
        own = set(places(body)) if body else set()
        for where in [*sorted(own, key=str), *(places(extra) if extra else ())]:
            start = body if where in own else body | {where[0]: extra[where[0]]}
            leaf = start
            for step in where:
                leaf = leaf[step]
            values = ODD_OTHERS + (ODD_NUMBERS if isinstance(leaf, int) else ODD_TEXTS + (ODD_DATES if "_on" in str(where) or "_at" in str(where) or "day" in where else []))
            for value in values:
                answer = api.post(world.path(rule), put(start, where, value))
                tried += 1
                if answer.status_code >= 500:
                    faults.append((rule, where, value))
                elif answer.status_code >= 400 and "reasons" not in answer.get_json():
                    assert_error(answer, answer.status_code)
    assert not faults, [(rule, where, repr(value)[:40]) for rule, where, value in faults]
    assert tried > 1000
    assert verify(world.house).passed


@pytest.mark.parametrize("odd", ["%00", "%2e%2e%2f", "%ff", "' OR 1=1", "%E2%80%AE", "x" * 3000, "%0d%0aX-Bad:%201"])
def test_no_id_in_a_path_or_a_question_is_a_fault_of_ours(world, odd):
    from re import sub

    for method, rule in world.routes():
        if "{" not in rule:
            continue
        path = API + sub(r"\{\w+\}", odd, rule)
        answer = world.everyone.client.open(
            path, method=method, headers=world.everyone.headers, json=world.body(rule) if method == "POST" else None,
            query_string=world.query(rule) if method == "GET" else None,
        )  # fmt: skip
        assert "X-Bad" not in answer.headers
        if answer.status_code == 308:  # doubled slashes are taken out: on this host, and nowhere else
            assert answer.headers["Location"].startswith("http://localhost/api/v1/")
            continue
        assert answer.status_code in (400, 403, 404, 405, 409, 422), (rule, answer.status_code)
        assert_error(answer, answer.status_code)
    for rule, asked in [("/bottles", "site"), ("/patients/{patient_id}/decision", "site"), ("/patients/{patient_id}", "why")]:
        answer = world.everyone.client.get(f"{world.path(rule)}?{asked}={odd}", headers=world.everyone.headers)
        assert answer.status_code < 500
    for name, value in [("after", 2**63), ("after", -1), ("limit", 10**9), ("after", "1e3")]:
        assert_error(world.everyone.get(world.path("/bottles/{bottle_id}/register"), **{name: value}), 422)


# --- what gets out -------------------------------------------------------------------------------------


def test_a_whole_story_with_its_errors_leaves_no_person_in_the_log(world):
    import io

    from ost import log

    stream = io.StringIO()
    log.configure("DEBUG", True, stream)
    try:
        person = world.everyone.post(f"{API}/patients", world.body("/patients") | {"phone": "0912-345-678"}).get_json()
        for method, rule in world.routes():
            world.ask(world.everyone, method, rule)
        world.everyone.post(f"{API}/patients", world.body("/patients"))  # again
        world.everyone.post(f"{API}/patients", world.body("/patients") | {"national_id": "A123456780", "name": "陳大明"})
        world.everyone.get(f"{API}/patients/{person['id']}", why="陳大明 asked")
        world.everyone.get(f"{API}/patients/{NATIONAL_ID}")
        raw(world, b'{"name": "\xe9\x99\xb3", "id": "A123456789"')
        broken = world.house.now
        world.house.now = lambda: (_ for _ in ()).throw(RuntimeError(f"{NAME} {NATIONAL_ID} 0912-345-678"))
        answer = world.everyone.get(f"{API}/patients/{person['id']}")
        world.house.now = broken
        assert_error(answer, 500, "internal")
        assert NAME not in answer.get_data(as_text=True)
    finally:
        log.configure("WARNING")
    said = said_by_log(stream.getvalue())
    assert said.count("answered") > 30
    assert "RuntimeError" in said
    assert '"code": "patient_already_registered"' in said  # a code says what happened, and to nobody whom
    assert f'"{log.BLOT}"' not in said  # this story gives the log nothing that it has to blot
    private = [NAME, "陳大明", NATIONAL_ID, "A123456780", "0912", "68/5/3", PIN, person["id"], person["card"], person["number"]]
    private += [world.nurse.headers["Authorization"].split()[1], world.clinic.patient, world.witness.username + '"']
    for secret in private:
        assert secret not in said, secret
        assert json.dumps(secret)[1:-1] not in said, secret
