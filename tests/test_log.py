"""The log tells on nobody: names, ids, tokens, templates and telephone numbers never come out."""

from __future__ import annotations

import io
import json
import logging
import secrets
import uuid
from datetime import UTC, datetime

import pytest

from ost import log
from ost.errors import catalogue
from tests import make
from tests.logs import said_by_log, said_by_rows
from tests.plugins.clients import Api, Pages, house_of, make_person

PRIVATE = {
    "a name": "陳大明",
    "a national id": "A123456789",
    "a resident number": "A800000014",
    "an old resident number": "AC01234567",
    "a telephone": "0912-345-678",
    "a telephone abroad": "+886 912 345 678",
    "a card number": "4711000012345678",
    "a mail address": "lin@hospital.example",
    "a network address": "203.0.113.9",
    "a token": secrets.token_urlsafe(32),
    "a digest": secrets.token_hex(32),
    "an id": str(uuid.UUID(int=0x1234567890ABCDEF1234567890ABCDEF)),
    "a template": "464d520020323000000000f2",
    "a password": "password=hunter2horse",
    "a bearer": "Bearer abc.def",
}


@pytest.fixture(params=[False, True], ids=["text", "json"])
def written(request):
    stream = io.StringIO()
    log.configure("DEBUG", request.param, stream)
    yield stream.getvalue
    log.configure("WARNING")


@pytest.mark.parametrize("what", PRIVATE)
def test_it_is_blotted_wherever_it_stands(written, what):
    value = PRIVATE[what]
    log.log.info("did_it", name=value, patient=value, phone=value, anything=value)
    log.log.info("code_is_odd", code=f"before {value} after")
    log.log.info(f"in the event {value}")
    log.log.info("inside", count=[value], kind={"a": value}, status={value})
    logging.getLogger("some.library").warning("about %s", value)
    logging.getLogger("some.library").warning("about %(who)s", {"who": value})
    for error in (ValueError(value), KeyError(value)):
        try:
            raise error
        except Exception:
            log.log.error("failed", error=error)
            log.log.exception("failed")
            logging.getLogger("some.library").exception("failed for %s", value)
    said = written()
    assert said.count("did_it") == 1
    secret = value.removeprefix("password=").removeprefix("Bearer ")
    assert secret not in said
    assert json.dumps(secret)[1:-1] not in said
    assert log.BLOT in said


def test_an_error_says_what_and_where_but_not_its_words(written):
    def break_it():
        raise LookupError("陳大明")

    try:
        break_it()
    except LookupError as error:
        log.log.error("failed", error=error)
    assert "builtins.LookupError at" in written()
    assert "break_it" in written()


def test_what_an_operator_needs_comes_out(written):
    log.log.info(
        "answered", method="GET", path_rule="/api/v1/patients/<id>", status=200, ms=12, code="dose_unknown"
    )
    for part in ("answered", "GET", "/api/v1/patients/<id>", "200", "12", "dose_unknown"):
        assert part in written()


def test_what_is_left_out_before_a_short_secret_is_looked_for_is_chance_only():
    """The instants, ids, digests and sealed bytes go; whatever somebody wrote stays, wherever it stands."""
    instant, some_id = datetime(2026, 3, 10, 0, 10, 0, 407100, UTC), str(uuid.uuid4())
    by_chance = (instant, some_id, secrets.token_hex(32), b"\x004071'\"x", instant.isoformat(), "$argon2id$v=19$m=8$4071")
    said = said_by_rows(repr([by_chance, ("4071", "pin 4071", 4071, f"{some_id} 4071", ["4071"], "40714071407140714071")]))
    assert said.count("4071") == 10
    assert said_by_rows(repr(by_chance)).count("4071") == 0
    with pytest.raises(AssertionError, match="request_id"):
        said_by_log(json.dumps({"request_id": "0912-345-678"}))
    with pytest.raises(json.JSONDecodeError):
        said_by_log("4071 is no line of ours")


def test_every_code_and_every_route_comes_out_whole(app, written):
    """Many are long enough to look like a token; a log that blots them hides what happened."""
    for code in catalogue():
        log.log.warning("refused", code=code)
        logging.getLogger("some.library").warning("capture refused: %s", code)
    for rule in app.url_map.iter_rules():
        log.log.info("answered", path_rule=rule.rule)
    assert log.BLOT not in written()


def test_what_only_resembles_a_code_or_a_route_is_blotted(written):
    code = max(catalogue(), key=len)
    token = secrets.token_hex(16)
    for value in (code + "x", f"{code}={token}", token, f"{code}/{token}"):
        log.log.warning("refused", code=value)
        log.log.warning("answered", path_rule=f"/patients/{value}")
    said = written()
    assert said.count(log.BLOT) == 8
    assert token not in said and code + "x" not in said


def test_a_morning_of_requests_tells_on_nobody(app, clock):
    house = house_of(app)
    make.make_site(house)
    person = make_person(house, "nurse", username="chen.ta-ming")
    stream = io.StringIO()
    log.configure("DEBUG", True, stream)
    try:
        body = {"username": person.username, "password": person.password, "totp": person.code()}
        token = Api(app).post("/api/v1/sign-in", body).json["token"]
        api = Api(app, token)
        api.get("/api/v1/patients/A123456789", name="陳大明", phone="0912345678")
        api.post("/api/v1/witness", {"dose_id": "x" * 10, "username": person.username, "pin": person.pin})
        Pages(app).get("/陳大明?id=A123456789")
        Pages(app).post("/sign-in", {"username": person.username, "password": person.password, "totp": "1"})
    finally:
        log.configure("WARNING")
    said = said_by_log(stream.getvalue())
    assert said.count("answered") == 5
    for private in (
        *body.values(),
        token,
        person.id,
        person.pin,
        person.secret,
        "A123456789",
        "0912345678",
        "陳大明",
        "127.0.0.1",
    ):
        assert private not in said, private
    assert "\\u9673" not in stream.getvalue()


def test_the_figures_tell_on_nobody(app, clock):
    house = house_of(app)
    make.make_site(house)
    person = make_person(house, "nurse", username="chen.ta-ming")
    Api(app).post("/api/v1/sign-in", {"username": person.username, "password": "no", "totp": "1"})
    Api(app).get("/api/v1/patients/A123456789")
    Pages(app).get("/0912345678")
    Api(app).client.open("/sign-in", method="MADEUP-陳".encode().decode("latin-1"))
    text = Api(app).get("/metrics").get_data(as_text=True)
    assert 'ost_sign_ins_total{ending="sign_in_wrong"}' in text
    assert 'ost_refusals_total{code="sign_in_wrong"}' in text
    assert "ost_request_seconds_bucket" in text
    for private in (person.username, person.id, "A123456789", "0912345678", "MADEUP"):
        assert private not in text
