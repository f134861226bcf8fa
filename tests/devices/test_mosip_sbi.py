"""The Secure Biometric Interface driver takes fingers: both captures, both versions, encryption, odd pictures."""

from __future__ import annotations

import io
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from devices.interface import (
    Captured,
    NotCaptured,
    ReaderUnusable,
)
from devices.readers.sbi import fir
from devices.readers.sbi.errors import Rejected
from devices.readers.sbi.messages import FINGERS, SEGMENTS
from tests.devices.prints import drawn
from tests.devices.sbi_keys import BEGIN, certificate, key_pem, pem
from tests.devices.sbi_pairs import Pairs, lay
from tests.devices.sbi_records import JPEG2000, PLAIN, PNG, drawn_finger, record, representation
from tests.devices.sbi_service import old


@pytest.fixture
def pair(tmp_path):
    with Pairs(tmp_path) as made:
        yield made


def shown(ended) -> np.ndarray:
    assert isinstance(ended, Captured), ended
    with Image.open(io.BytesIO(ended.sample.data)) as picture:
        return np.array(picture)


# --- both captures, both versions ---


@pytest.mark.parametrize("version", ["0.9.5", "1.0.0", "1.0"])
@pytest.mark.parametrize("purpose", ["Registration", "Auth"])
@pytest.mark.parametrize("level", ["L0", "L1"])
def test_a_finger_arrives_as_it_was_on_the_glass(pair, purpose, version, level):
    service, reader = pair(purpose=purpose, version=version, level=level)
    reader.open()
    lay(service)
    ended = reader.capture(5)
    assert np.array_equal(shown(ended), drawn(7, 1))
    assert ended.sample.dpi == 500
    declared = ended.sample.declared
    assert (declared["maker"], declared["model"], declared["serial"]) == ("TestWorks", "One", service.serial)
    assert (declared["firmware"], declared["liveness"]) == ("3.1.4", f"SBI certification {level}")
    assert declared["sbi"] == f"{version} {purpose}"
    assert reader.about().dpi == 500
    verbs = [verb for verb, _ in service.asked]
    assert verbs == ["MOSIPDISC", "MOSIPDINFO", {"Registration": "RCAPTURE", "Auth": "CAPTURE"}[purpose]]


@pytest.mark.parametrize("level", ["SBI 1.0", "SBI 2.0"])
def test_the_levels_are_known_by_their_newer_names(pair, level):
    service, reader = pair(version="1.0", level=level)
    reader.open()
    lay(service)
    assert isinstance(reader.capture(5), Captured)


@pytest.mark.parametrize("how", [PLAIN, PNG, JPEG2000])
def test_each_compression_without_loss_is_read(pair, how):
    service, reader = pair()
    reader.open()
    lay(service, compression=how)
    assert np.array_equal(shown(reader.capture(5)), drawn(7, 1))


@pytest.mark.parametrize("finger", ["Left RingFinger", "Right Thumb"])
def test_of_a_slap_the_asked_finger_is_taken_and_the_others_are_not(pair, finger):
    service, reader = pair({"finger": finger}, sub_type="Slap")
    reader.open()
    segment = next(fingers for fingers in SEGMENTS.values() if finger in fingers)
    seeds = {name: 7 if name == finger else 8 for name in segment}
    service.touches.put([(name, drawn_finger(FINGERS[name], seed)) for name, seed in seeds.items()])
    assert np.array_equal(shown(reader.capture(5)), drawn(7, 1))
    asked = service.asked[-1][1]["bio"][0]
    assert asked["bioSubType"] == list(segment)
    assert asked["count"] == str(len(segment))


def test_a_slap_without_the_asked_finger_is_refused(pair):
    service, reader = pair({"finger": "left ring"}, sub_type="Slap")
    reader.open()
    lay(service, "Left IndexFinger")
    assert reader.capture(5) == NotCaptured("rejected")


def test_one_finger_twice_in_a_slap_is_refused(pair):
    """Rightly signed and chained: which of the two would be the finger?"""
    service, reader = pair({"finger": "left ring"}, sub_type="Slap")
    reader.open()
    ring = ("Left RingFinger", drawn_finger(FINGERS["Left RingFinger"]))
    service.touches.put([ring, ring])
    assert reader.capture(5) == NotCaptured("rejected")


def test_more_fingers_than_were_asked_for_are_refused(pair):
    service, reader = pair()
    reader.open()
    service.touches.put([("Left Thumb", drawn_finger(6)), ("Right Thumb", drawn_finger(1))])
    assert reader.capture(5) == NotCaptured("rejected")


def test_each_request_has_its_own_transaction(pair):
    service, reader = pair()
    reader.open()
    for _ in range(5):
        lay(service)
        assert isinstance(reader.capture(5), Captured)
    ids = [body["transactionId"] for verb, body in service.asked if verb == "RCAPTURE"]
    assert len(set(ids)) == 5
    assert all(4 <= len(i) <= 50 for i in ids)


@pytest.mark.parametrize(("ago_s", "good"), [(900, False), (200, True), (-200, True), (-900, False)])
def test_a_finger_is_taken_now(pair, ago_s, good):
    """The device's clock may be off by five minutes, either way, and no more."""
    service, reader = pair()
    reader.open()
    service.claims = {"timestamp": old(ago_s)}
    lay(service)
    assert isinstance(reader.capture(5), Captured if good else NotCaptured)


# --- encryption ---


def test_what_is_encrypted_to_somebody_else_is_refused(pair):
    service, reader = pair(purpose="Auth", partner="somebody")
    reader.open()
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


def test_a_wrong_thumbprint_over_the_right_key_is_refused(pair):
    service, reader = pair(purpose="Auth")
    service.outer = {"thumbprint": "0" * 64}
    reader.open()
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


def test_a_right_thumbprint_over_a_wrong_key_is_refused(pair):
    service, reader = pair(purpose="Auth", partner="somebody")
    mine = reader._load_partner().thumbprint
    service.outer = {"thumbprint": mine}
    reader.open()
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


@pytest.mark.parametrize("at", range(0, 342, 31))
def test_a_changed_session_key_is_refused(pair, at):
    service, reader = pair(purpose="Auth")

    def changed(one, request):
        answer = one.capture(request)
        text = answer["biometrics"][0]["sessionKey"]
        answer["biometrics"][0]["sessionKey"] = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        return answer

    service.fault = changed
    reader.open()
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


def test_timestamp_and_transaction_are_part_of_the_encryption(pair):
    """Rightly signed, but encrypted under another time or for another transaction."""
    service, reader = pair(purpose="Auth")
    reader.open()
    sealed = service.sealed
    for wrong in (
        lambda data, stamp, transaction: sealed(data, "2020-01-01T00:00:00Z", transaction),
        lambda data, stamp, transaction: sealed(data, stamp, "another-transaction-0001"),
    ):
        service.sealed = wrong
        lay(service)
        assert reader.capture(5) == NotCaptured("rejected")
    service.sealed = sealed
    lay(service)
    assert isinstance(reader.capture(5), Captured)


def test_an_answer_for_another_domain_is_refused(pair):
    service, reader = pair(purpose="Auth")
    service.claims = {"domainUri": "https://elsewhere.example"}
    reader.open()
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


def test_a_device_for_authentication_needs_our_key(pair):
    _, reader = pair({"partner_key": None, "partner_certificate": None}, purpose="Auth")
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == "reader_misconfigured" == reader.trouble()


@pytest.mark.parametrize("wrong", ["other key", "no key", "out of date", "open to others"])
def test_a_partner_that_cannot_be_is_misconfigured(pair, tmp_path, wrong):
    path = tmp_path / "wrong.pem"
    option = "partner_certificate"
    if wrong == "other key":
        path.write_bytes(pem(certificate("somebody")))
    elif wrong == "out of date":
        path.write_bytes(pem(certificate("partner", end=BEGIN + timedelta(days=1))))
    else:
        option = "partner_key"
        path.write_bytes(b"no key" if wrong == "no key" else key_pem("partner"))
        path.chmod(0o600 if wrong == "no key" else 0o640)
    _, reader = pair({option: str(path)}, purpose="Auth")
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == "reader_misconfigured"


# --- pictures that are not what the record says ---


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"width": 300}, "picture of another size"),
        ({"height": 300}, "picture of another size"),
        ({"scan": (1000, 1000), "rate": (1000, 1000)}, "picture of another resolution"),
        ({"scan": (250, 250), "rate": (250, 250)}, "picture of another resolution"),
        ({"rate": (500, 400)}, "sampling rates that cannot be"),
        ({"rate": (501, 501)}, "sampling rates that cannot be"),
        ({"compression": 2}, "not the picture the record says"),
        ({"compression": 6}, "not the picture the record says"),
        ({"depth": 16}, "bit depth or compression that is not read"),
        ({"impression": 4}, "not a live finger"),
        ({"unit": 3}, "unknown unit of scale"),
        ({"position": 2}, "not the one finger that was asked for"),
        ({"position": 13}, "several fingers in one picture"),
        ({"data": b""}, "image of another length"),
        ({"data": b"\xff\xa0\xff\xa2", "compression": 2}, "picture of another size"),
        ({"size": 10}, "extended data of another length"),
        ({"extra": b"\0"}, "extended data too short"),
        ({"extra": b"\0\1\0\3"}, "extended data of another length"),
        ({"length": 60}, "image of another length"),
    ],
    ids=str,
)
def test_a_record_that_contradicts_itself_is_refused(pair, change, why):
    service, reader = pair({"finger": "left index"})
    reader.open()
    good = fir.read(drawn_finger())[0].data
    made = representation(drawn(7, 1), **{"position": 7, "data": good} | change)
    with pytest.raises(Rejected) as refused:
        fir.picture(fir.choose(fir.read(record(made)), 7))
    assert refused.value.what == why
    service.touches.put([("Left IndexFinger", record(made))])
    assert reader.capture(5) == NotCaptured("rejected")
    lay(service, "Left IndexFinger")
    assert isinstance(reader.capture(5), Captured)


def test_a_record_of_another_length_than_it_says_is_refused():
    whole = drawn_finger()
    for wrong in (len(whole) - 1, len(whole) + 1, 0):
        with pytest.raises(Rejected):
            fir.read(whole[:8] + wrong.to_bytes(4) + whole[12:])
    assert fir.read(whole[:8] + len(whole).to_bytes(4) + whole[12:])


def test_certification_blocks_extended_data_and_pixels_per_centimetre_are_read():
    made = record(
        representation(
            drawn(7, 1),
            certifications=[b"\0\x40\2"] * 2,
            qualities=[],
            unit=2,
            scan=(197, 197),
            rate=(197, 197),
            extra=b"\0\1\0\6ab\0\2\0\4",
        ),
        flag=1,
    )
    [one] = fir.read(made)
    assert (one.dpi, one.position) == (500, 7)
    assert np.array_equal(fir.picture(one), drawn(7, 1))


def test_of_several_fingers_in_a_record_the_asked_one_is_chosen():
    made = record(representation(drawn(7, 1), 7), representation(drawn(8, 1), 8))
    found = fir.read(made)
    assert fir.choose(found, 8).position == 8
    for position in (0, 2):
        with pytest.raises(Rejected):
            fir.choose(found, position)
    with pytest.raises(Rejected):
        fir.read(record(representation(drawn(7, 1), 7), positions=2))
