"""The Secure Biometric Interface against conversations, schemas and records of a service that we did not write."""

from __future__ import annotations

import base64
import functools
import io
import json
from datetime import UTC, datetime

import jsonschema_rs
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices.interface import Captured, NotCaptured
from devices.readers.mosip_sbi import MosipSbiReader
from devices.readers.sbi import fir, messages
from devices.readers.sbi.blocks import EMPTY_HASH, chained, verify_blocks
from devices.readers.sbi.device import device, identity
from devices.readers.sbi.errors import Rejected, SbiError, Untrusted
from devices.readers.sbi.messages import FINGERS, SEGMENTS
from devices.readers.sbi.trust import Trust, unpack, verify
from tests.devices.sbi_records import DATA, needs_data, recorded, schema
from tests.devices.sbi_service import SbiService

pytestmark = needs_data

THEN = datetime(2026, 11, 22, 4, 32, 0, tzinfo=UTC)
TRANSACTION = "1636824682071"
DEVICE = "2"
CAPTURES = {"1": "rcapture_left_slap", "2": "rcapture_right_slap", "3": "rcapture_thumbs"}


def parts(token: str) -> list[dict | bytes]:
    head, body, mark = token.split(".")
    return [json.loads(unpack(head)), json.loads(unpack(body)), unpack(mark)]


def signer(token: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(parts(token)[0]["x5c"][0]))


def info_tokens() -> list[str]:
    return [entry["deviceInfo"] for entry in recorded("info")["response"]]


def data_tokens() -> list[str]:
    return [b["data"] for name in CAPTURES.values() for b in recorded(name)["response"]["biometrics"]]


def trusted() -> Trust:
    """The recorded devices' authority is not in the recordings: the devices are trusted by name."""
    return Trust(tuple(signer(token) for token in info_tokens()))


def finger_device():
    return device(recorded("info")["response"], DEVICE, trusted(), THEN)


def request_for(sub_id: str, **change) -> messages.Request:
    asked = {
        "verb": "RCAPTURE",
        "purpose": "Registration",
        "version": "0.9.5",
        "env": "Developer",
        "device_id": DEVICE,
        "device_sub_id": sub_id,
        "fingers": SEGMENTS[sub_id],
        "wanted": SEGMENTS[sub_id][0],
        "score": 40,
        "timeout_ms": 10_000,
        "at": datetime(2026, 11, 22, 4, 31, 58, tzinfo=UTC),
        "transaction_id": TRANSACTION,
        "previous_hash": EMPTY_HASH,
    }
    return messages.Request(**asked | change)


def verified(name: str, sub_id: str, answer: dict | None = None, **change):
    answer = answer or recorded(name)["response"]
    request = request_for(sub_id, **change)
    raw = messages.blocks(answer, len(request.fingers))
    return verify_blocks(raw, request, finger_device(), trusted(), None, THEN, 300)


# --- what it signed -------------------------------------------------------------------


def test_every_signature_in_the_recordings_is_right():
    seen = 0
    for token in (*info_tokens(), *data_tokens()):
        claims = verify(token, trusted(), THEN).claims()
        who, _ = identity(claims["digitalId"], trusted(), THEN)
        assert who.make == "MOSIP"
        seen += 2
    assert seen == 26


def test_the_finger_device_is_who_it_says():
    known = finger_device()
    assert (known.identity.make, known.identity.model, known.identity.serial) == (
        "MOSIP",
        "SLAP01",
        "1234567890",
    )
    assert (known.status, known.env, known.purpose, known.level) == ("Ready", "Staging", "Registration", "L0")
    assert (known.version(), known.sub_ids) == ("0.9.5", ("1", "2", "3"))


@pytest.mark.parametrize("sub_id", CAPTURES)
def test_every_block_and_the_chain_of_hashes_is_right(sub_id):
    found = verified(CAPTURES[sub_id], sub_id)
    assert tuple(b.finger for b in found) == SEGMENTS[sub_id]
    assert all(b.quality == 44 for b in found)
    for block in found:
        [one] = fir.read(block.record)
        assert one.position == FINGERS[block.finger]


def test_the_chain_starts_with_the_hash_of_nothing_and_goes_on_with_the_last():
    blocks = recorded("rcapture_thumbs")["response"]["biometrics"]
    previous = EMPTY_HASH
    for block in blocks:
        previous = chained(previous, unpack(parts(block["data"])[1]["bioValue"]))
        assert previous == block["hash"]


@pytest.mark.parametrize(
    "change",
    [
        {"transaction_id": "1636824682072"},
        {"env": "Staging"},
        {"purpose": "Auth"},
        {"score": 41},
        {"version": "1.0.0"},
        {"fingers": SEGMENTS["2"]},
        {"previous_hash": "0" * 64},
        {"at": datetime(2026, 11, 22, 4, 40, tzinfo=UTC)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_answer_to_another_question_is_refused(change):
    with pytest.raises(Rejected):
        verified("rcapture_left_slap", "1", **change)


def test_blocks_in_another_order_left_out_at_the_front_or_twice_are_refused():
    answer = recorded("rcapture_left_slap")["response"]
    blocks = answer["biometrics"]
    for spoiled in (blocks[::-1], blocks[1:], [*blocks[:2], blocks[1]], [blocks[0], blocks[0]]):
        with pytest.raises(Rejected):
            verified("rcapture_left_slap", "1", {"biometrics": spoiled})


def test_certificates_count_at_their_time_only():
    token = info_tokens()[0]
    for at in (datetime(2021, 1, 1, tzinfo=UTC), datetime(2031, 3, 1, tzinfo=UTC)):
        with pytest.raises(Untrusted):
            verify(token, trusted(), at)


def test_a_device_nobody_named_is_not_trusted():
    with pytest.raises(Untrusted):
        verify(info_tokens()[0], Trust(), THEN)
    with pytest.raises(Untrusted):
        verify(info_tokens()[0], Trust((signer(info_tokens()[1]),)), THEN)


# --- a flipped byte -----------------------------------------------------------------


def flipped(token: str, at: int, bit: int) -> str:
    return token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]


@pytest.mark.parametrize("inner", [True, False], ids=["digital identity", "device info"])
def test_a_flipped_bit_at_every_single_place_is_refused(inner):
    token = info_tokens()[0]
    token = parts(token)[1]["digitalId"] if inner else token
    trust = trusted()
    verify(token, trust, THEN)
    for at in range(len(token)):
        with pytest.raises(SbiError):
            verify(flipped(token, at, at % 7), trust, THEN)


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_flipped_bit_in_any_signed_message_is_refused(data):
    token = data.draw(st.sampled_from(all_tokens()), label="token")
    at = data.draw(st.integers(0, len(token) - 1), label="at")
    with pytest.raises(SbiError):
        verify(flipped(token, at, data.draw(st.integers(0, 6), label="bit")), trusted(), THEN)


@functools.cache
def all_tokens() -> list[str]:
    return [*info_tokens(), *data_tokens()]


def test_the_last_character_of_a_signature_has_one_spelling():
    """Two of its six bits carry nothing: usual decoders take four characters for one signature."""
    token = info_tokens()[0]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    right = [c for c in alphabet if _verifies(token[:-1] + c)]
    assert right == [token[-1]]


def _verifies(token: str) -> bool:
    try:
        verify(token, trusted(), THEN)
    except SbiError:
        return False
    return True


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_a_changed_digit_of_a_hash_is_refused(at):
    answer = recorded("rcapture_thumbs")["response"]
    text = answer["biometrics"][0]["hash"]
    answer["biometrics"][0]["hash"] = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]
    with pytest.raises(Rejected):
        verified("rcapture_thumbs", "3", answer)


# --- what we ask --------------------------------------------------------------------


@pytest.mark.parametrize("sub_id", CAPTURES)
def test_our_request_is_the_recorded_one(sub_id):
    """Except for the hash before the first block: its value where the recorded client left it to the service."""
    body = recorded(CAPTURES[sub_id])["request"]["body"]
    assert body["bio"][0]["previousHash"] == ""
    body["bio"][0]["previousHash"] = EMPTY_HASH
    assert request_for(sub_id).body() == body


def conforms(name: str, body: object) -> None:
    jsonschema_rs.Draft201909Validator(schema(name), validate_formats=True).validate(body)


@pytest.mark.parametrize("version", ["0.9.5", "1.0.0"])
@pytest.mark.parametrize("purpose", ["Registration", "Auth"])
@pytest.mark.parametrize("sub_type", ["Single", "Slap"])
def test_every_request_we_send_is_valid(purpose, version, sub_type, monkeypatch):
    service = SbiService(purpose=purpose, version=version, sub_type=sub_type)
    capture = {"Registration": "RegistrationCaptureRequestSchema", "Auth": "AuthCaptureRequestSchema"}[
        purpose
    ]
    schemas = {"MOSIPDISC": "DiscoverRequestSchema", "MOSIPDINFO": "DeviceInfoRequestSchema"}
    fingers = (None, *FINGERS)
    monkeypatch.setattr(MosipSbiReader, "_load_partner", lambda _self: object())
    for finger in fingers:
        reader = MosipSbiReader(
            finger=finger, ports=service.port, allow_untrusted=True, domain_uri="https://ost.example"
        )
        reader.open()
        assert reader.capture(0.001) == NotCaptured("timed_out")
        reader.close()
    service.stop()
    sent = {verb for verb, _ in service.asked}
    assert sent == {"MOSIPDISC", "MOSIPDINFO", {"Registration": "RCAPTURE", "Auth": "CAPTURE"}[purpose]}
    for verb, body in service.asked:
        conforms(schemas.get(verb, capture), body)
    assert len([verb for verb, _ in service.asked if verb.endswith("CAPTURE")]) == len(fingers)


def test_a_request_that_is_wrong_would_be_noticed():
    body = request_for("1").body()
    conforms("RegistrationCaptureRequestSchema", body)
    body["timeout"] = "soon"
    with pytest.raises(jsonschema_rs.ValidationError):
        conforms("RegistrationCaptureRequestSchema", body)


@pytest.mark.parametrize("purpose", ["Registration", "Auth"])
def test_what_our_own_service_answers_is_valid_too(purpose):
    """The counterpart of the other tests speaks as the toolkit wants devices to speak."""
    service = SbiService(purpose=purpose)
    service.touches.put([("Left Thumb", b"record")])
    asked = request_for(
        "3", purpose=purpose, device_id=service.device_id, domain_uri="https://ost.example"
    ).body()
    answer = service.capture(asked)
    service.stop()
    for block in answer["biometrics"]:
        block["dataDecoded"] = parts(block["data"])[1]
        block["dataDecoded"]["digitalIdDecoded"] = parts(block["dataDecoded"]["digitalId"])[1]
    conforms(f"{'Auth' if purpose == 'Auth' else 'Registration'}CaptureResponseSchema", answer)
    conforms("DiscoverResponseSchema", service.discovery())


# --- the whole driver against the recordings ------------------------------------------


class Replay(SbiService):
    """Answers as the recorded service did, byte for byte."""

    override = None

    def answer(self, verb, request):
        if verb == "MOSIPDISC":
            return recorded("discover_finger")["response"]
        if verb == "MOSIPDINFO":
            return recorded("info")["response"]
        return recorded(self.override or CAPTURES[request["bio"][0]["deviceSubId"]])["response"]


@pytest.fixture
def replay(tmp_path):
    service = Replay()
    (tmp_path / "device.cer").write_bytes(signer(info_tokens()[0]).public_bytes(Encoding.DER))

    def reader(finger: str) -> MosipSbiReader:
        return MosipSbiReader(
            trust=str(tmp_path),
            ports=service.port,
            finger=finger,
            env="Developer",
            clock=lambda: THEN,
            new_id=lambda: TRANSACTION,
        )

    service.reader = reader
    yield service
    service.stop()


@pytest.mark.parametrize("finger", FINGERS)
def test_each_finger_of_the_recorded_slaps_is_taken(replay, finger):
    reader = replay.reader(finger)
    reader.open()
    ended = reader.capture(10)
    assert isinstance(ended, Captured)
    name = finger.replace("Finger", "").replace(" ", "_")
    [one] = fir.read((DATA / "fir" / "registration" / f"{name}.iso").read_bytes())
    with Image.open(io.BytesIO(ended.sample.data)) as picture:
        assert np.array_equal(np.array(picture), fir.picture(one))
        assert [round(x) for x in picture.info["dpi"]] == [500, 500]
    assert (ended.sample.format, ended.sample.dpi) == ("image/png", 500)
    assert dict(ended.sample.declared) == {
        "maker": "MOSIP",
        "model": "SLAP01",
        "serial": "1234567890",
        "firmware": "MOSIP.SLAP.1.0.0.0",
        "liveness": "SBI certification L0",
        "sbi": "0.9.5 Registration",
    }


@pytest.mark.parametrize(
    ("name", "ending", "state"),
    [
        ("rcapture_timeout", "device_error", "ready"),
        ("rcapture_wrong_device", "unplugged", "unplugged"),
        ("rcapture_bad_request", "device_error", "ready"),
    ],
)
def test_the_recorded_errors_end_clearly(replay, name, ending, state):
    reader = replay.reader("right index")
    reader.open()
    replay.override = name
    assert reader.capture(10) == NotCaptured(ending)
    assert reader.state() == state


def test_the_same_answer_does_for_no_second_capture(replay):
    reader = replay.reader("right index")
    reader._new_id = lambda: "another-transaction"
    reader.open()
    assert reader.capture(10) == NotCaptured("rejected")
