"""Whatever comes from a device service, the parsers end with their own errors and with nothing else."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from datetime import UTC, datetime

import _wsq
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.readers.sbi import fir, messages
from devices.readers.sbi.blocks import EMPTY_HASH, Block, Partner, verify_blocks
from devices.readers.sbi.device import device
from devices.readers.sbi.errors import Garbled, Rejected, SbiError
from devices.readers.sbi.trust import Trust, unpack, verify
from devices.readers.sbi.wire import parse_json
from tests.devices.prints import drawn
from tests.devices.sbi_keys import certificate, key, pack, root, sign
from tests.devices.sbi_records import (
    JPEG2000,
    PLAIN,
    PNG,
    one_finger,
    record,
    representation,
    small_finger,
)
from tests.devices.sbi_service import SbiService

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

fuzz = settings(max_examples=200, deadline=None, derandomize=True)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
NAMES = st.text(max_size=12) | st.sampled_from(
    ["biometrics", "error", "errorCode", "data", "hash", "deviceInfo", "deviceId", "digitalId", "specVersion"]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.binary(max_size=300) | st.builds(lambda depth: b"[" * depth, st.integers(0, 200_000)))
@example(b'{"a": 1, "a": 2}')
@example(b"[NaN]")
@example(b"1" * 5000)
@example(b'"\\ud800"')
@fuzz
def test_any_bytes_as_json(data):
    with contextlib.suppress(Garbled):
        parse_json(data)


@pytest.mark.parametrize(
    "data", [b'{"a": 1, "a": 2}', b"[NaN]", b"[Infinity]", b"1" * 5000, b"[" * 100_000, b"\xff", b""]
)
def test_json_that_two_readers_may_take_differently_is_no_json(data):
    with pytest.raises(Garbled):
        parse_json(data)


@given(JSON)
@fuzz
def test_any_json_as_any_answer(answer):
    for read in (
        lambda: messages.listed(4501, answer),
        lambda: messages.blocks(answer, 4),
        lambda: device(answer, "7", trust(), NOW),
        lambda: verify_all(answer if isinstance(answer, list) else [answer]),
    ):
        with contextlib.suppress(SbiError):
            read()


@given(st.text(max_size=60) | st.binary(max_size=60).map(pack))
@fuzz
def test_base64url_has_one_spelling(text):
    try:
        data = unpack(text)
    except Rejected:
        return
    assert pack(data) == text


@given(
    st.one_of(
        st.text(max_size=80),
        st.tuples(JSON, st.binary(max_size=40), st.binary(max_size=300)).map(
            lambda t: ".".join((pack(json.dumps(t[0]).encode()), pack(t[1]), pack(t[2])))
        ),
        st.fixed_dictionaries(
            {"alg": st.just("RS256"), "x5c": JSON | st.binary(max_size=60).map(lambda b: [pack(b)])}
        ).map(lambda head: f"{pack(json.dumps(head).encode())}..AAAA"),
    )
)
@fuzz
def test_any_text_as_a_signature(token):
    with pytest.raises(SbiError):
        verify(token, trust(), NOW)


@given(st.one_of(st.text(max_size=45), st.datetimes().map(str), st.integers()))
@example("2026-11-22\ud80004:31:58Z")
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
@fuzz
def test_any_text_as_a_time(text):
    with contextlib.suppress(Rejected):
        assert messages.instant(text).tzinfo is UTC


INFO_CLAIMS = (
    "deviceStatus",
    "deviceId",
    "firmware",
    "certification",
    "deviceSubId",
    "digitalId",
    "env",
    "purpose",
    "specVersion",
    "deviceCode",
    "serialNo",
    "make",
    "model",
    "type",
    "deviceSubType",
    "deviceProvider",
    "deviceProviderId",
)


# --- signed and odd: a trusted device that has lost its mind -----------------------------


REQUEST = messages.Request(
    "RCAPTURE",
    "Registration",
    "0.9.5",
    "Production",
    "7",
    "0",
    ("UNKNOWN",),
    "UNKNOWN",
    40,
    1000,
    NOW,
    "abcd-1",
    EMPTY_HASH,
)
AUTH_REQUEST = messages.Request(
    "CAPTURE",
    "Auth",
    "0.9.5",
    "Production",
    "7",
    "0",
    ("UNKNOWN",),
    "UNKNOWN",
    40,
    1000,
    NOW,
    "abcd-1",
    EMPTY_HASH,
    "https://ost",
)


@functools.cache
def pair_for(purpose: str):
    service = SbiService(purpose=purpose)
    service.stop()
    service.clock = lambda: NOW
    return service, device(service.info(), service.device_id, trust(), NOW)


@functools.cache
def partner() -> Partner:
    return Partner(key("partner"), certificate("partner"))


@functools.cache
def trust() -> Trust:
    return Trust((root(),))


def verify_all(raw) -> tuple[Block, ...]:
    return verify_blocks(
        [r for r in raw if isinstance(r, dict)],
        REQUEST,
        pair_for("Registration")[1],
        trust(),
        partner(),
        NOW,
        300,
    )


@given(
    purpose=st.sampled_from(["Registration", "Auth"]),
    name=st.sampled_from(
        [
            "digitalId",
            "bioType",
            "bioSubType",
            "purpose",
            "env",
            "bioValue",
            "transactionId",
            "timestamp",
            "requestedScore",
            "qualityScore",
            "deviceCode",
            "domainUri",
        ]
    ),
    value=JSON,
)
@fuzz
def test_a_signed_claim_of_any_other_value_is_refused_or_says_the_same(purpose, name, value):
    """`qualityScore` is the only claim that may be another one: nothing but a note depends on it."""
    service, known = pair_for(purpose)
    request = AUTH_REQUEST if purpose == "Auth" else REQUEST
    service.claims = {name: value}
    try:
        [block] = service.blocks(request.body(), [("UNKNOWN", small_finger())])
    except (AttributeError, TypeError, UnicodeEncodeError):
        return  # the service itself could not make that one
    finally:
        service.claims = {}
    try:
        [found] = verify_blocks([block], request, known, trust(), partner(), NOW, 300)
    except SbiError:
        return
    assert found.record == small_finger()
    assert name in ("qualityScore", "requestedScore", "bioSubType") or (
        purpose == "Registration" and name == "domainUri"
    )


@given(purpose=st.sampled_from(["Registration", "Auth"]), where=st.data(), value=JSON)
@fuzz
def test_what_stands_around_the_signature_is_as_asked_or_refused(purpose, where, value):
    service, known = pair_for(purpose)
    request = AUTH_REQUEST if purpose == "Auth" else REQUEST
    [block] = service.blocks(request.body(), [("UNKNOWN", small_finger())])
    name = where.draw(st.sampled_from(sorted(block)))
    changed = copy.copy(block) | {name: value}
    try:
        raw = messages.blocks({"biometrics": [changed]}, 1)
        [found] = verify_blocks(raw, request, known, trust(), partner(), NOW, 300)
    except SbiError:
        return
    assert found.record == small_finger()


@given(name=st.sampled_from(["", *INFO_CLAIMS]), value=JSON, inner=st.booleans())
@fuzz
def test_a_signed_device_of_any_other_kind_is_refused_or_is_still_the_device(name, value, inner):
    """Either its information or its digital identity has another value, or is another thing altogether."""
    service, known = pair_for("Registration")
    said = json.loads(unpack(service.info()[0]["deviceInfo"].split(".")[1]))
    if inner:
        said["digitalId"] = sign(value if not name else service.identity() | {name: value})
    elif name:
        said[name] = value
    entry = {"deviceInfo": sign(said if name or inner else value), "error": {"errorCode": "0"}}
    try:
        found = device([entry], service.device_id, trust(), NOW)
    except SbiError:
        return
    assert found.identity.type == "Finger"
    assert found.device_id == known.device_id
    assert found.version() in (None, *messages.VERSIONS)


# --- records ---------------------------------------------------------------------------------


IMAGE = np.random.default_rng(5).integers(0, 256, (70, 66), np.uint8)
RECORDS = [one_finger(IMAGE, 7, how) for how in (PLAIN, PNG, JPEG2000)] + [
    record(
        representation(IMAGE, 7, PLAIN, certifications=[b"\0\x40\2"]),
        representation(IMAGE, 2, PNG, certifications=[]),
        flag=1,
    )
]


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda b: b"FIR\x00020\x00" + b))
@fuzz
def test_any_bytes_as_a_record(data):
    with pytest.raises(Rejected):
        fir.read(data)


@given(
    whole=st.sampled_from(RECORDS),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=4),
    end=st.integers(0, 30),
    mend=st.booleans(),
)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_changed_record_is_read_or_refused(whole, cuts, end, mend):
    data = bytearray(whole)
    for at, new in cuts:
        at %= len(data)
        data[at : at + len(new)] = new
    data = data[: len(data) - end]
    if mend and len(data) >= 12:
        data[8:12] = len(data).to_bytes(4)
    with contextlib.suppress(Rejected):
        for one in fir.read(bytes(data)):
            assert fir.picture(one).shape == (one.height, one.width)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 1500),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_changed_wsq_picture_is_read_or_refused(changes, end):
    """Some of these crash the decoder, which is why it runs in a process of its own."""
    data = bytearray(wsq())
    for at, value in changes:
        data[at % len(data)] = value
    one = fir.Representation(7, 160, 160, 500, fir.WSQ, bytes(data[: len(data) - end % len(data)]))
    with contextlib.suppress(Rejected):
        assert fir.picture(one).shape == (160, 160)


@functools.cache
def wsq() -> bytes:
    return bytes(_wsq.compress(drawn(7, 1)[100:260, 60:220].tobytes(), 160, 160, 12))


def test_an_unchanged_wsq_picture_is_read():
    one = fir.Representation(7, 160, 160, 500, fir.WSQ, wsq())
    assert fir.picture(one).shape == (160, 160)


def test_a_picture_that_brings_the_decoder_down_does_not_take_us_along():
    """Found by the test above it: with these bytes the decoder reads where it must not."""
    data = bytearray(wsq())
    for at, value in ((209, 57), (420, 213), (600, 96)):
        data[at] = value
    with contextlib.suppress(Rejected):
        fir.picture(fir.Representation(7, 160, 160, 500, fir.WSQ, bytes(data)))
