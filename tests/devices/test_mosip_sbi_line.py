"""The line to a device service, its error codes, and how a device is found."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import ReaderSettings, make_reader
from devices.interface import (
    NOT_CAPTURED_CODES,
    READY,
    TROUBLES,
    UNPLUGGED,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    ReaderUnusable,
    Unknown,
)
from devices.readers.mosip_sbi import MosipSbiReader, find
from devices.readers.sbi import wire
from devices.readers.sbi.messages import ERRORS, finger_named, meaning
from tests.devices.sbi_pairs import Pairs, lay_small, not_trusted
from tests.devices.sbi_service import failed, http


@pytest.fixture
def pair(tmp_path):
    with Pairs(tmp_path) as made:
        yield made


# --- the line ---


@given(cut=st.integers(0, 30_000))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_cut_at_any_byte_it_is_not_known_and_goes_on(lasting, cut):
    service, reader = lasting
    service.well()
    reader.open()
    lay_small(service)

    def cut_off(one, request):
        whole = http(one.capture(request))
        return whole[: cut % len(whole)]

    service.fault = cut_off
    ended = reader.capture(5)
    assert isinstance(ended, Unknown), ended
    reader.open()
    lay_small(service)
    assert isinstance(reader.capture(5), Captured)


@given(
    noise=st.binary(max_size=300),
    start=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_noise_on_the_line_ends_clearly(lasting, noise, start):
    service, reader = lasting
    service.well()
    reader.open()
    service.fault = lambda *_: start + noise
    assert not isinstance(reader.capture(0.3), Captured)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """One pair for many small exchanges."""
    with Pairs(tmp_path_factory.mktemp("sbi")) as made:
        yield made()


def test_an_answer_that_is_whole_and_was_to_be_longer_is_not_taken(lasting):
    """What came is rightly signed JSON; what was announced did not come."""
    service, reader = lasting
    service.well()
    reader.open()
    lay_small(service)

    def shorter(one, request):
        whole = http(one.capture(request))
        body = whole.partition(b"\r\n\r\n")[2]
        return http(body, announced=len(body) + 2)

    service.fault = shorter
    assert reader.capture(5) == Unknown("vanished")


def test_a_service_that_trickles_is_silent(pair):
    """One byte at a time: each read succeeds, and the whole still has its end."""
    _, reader = pair({"grace_s": 0.3})
    reader.open()
    with socket.create_server(("127.0.0.1", 0)) as slow:
        done = threading.Event()

        def trickle():
            line, _ = slow.accept()
            with line:
                line.recv(65_536)
                for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000:
                    if done.wait(0.02):
                        return
                    try:
                        line.send(bytes([byte]))
                    except OSError:
                        return

        threading.Thread(target=trickle, daemon=True).start()
        reader._port = slow.getsockname()[1]
        assert reader.capture(0.2) == Unknown("silent")
        done.set()


def test_one_capture_at_a_time(pair):
    service, reader = pair()
    reader.open()
    ended = []
    first = threading.Thread(target=lambda: ended.append(reader.capture(10)))
    first.start()
    while not any(verb == "RCAPTURE" for verb, _ in service.asked):
        first.join(0.01)
    assert reader.capture(1) == NotCaptured("busy")
    lay_small(service)
    first.join(10)
    assert isinstance(ended[0], Captured)


# --- what the codes of the interface come to ---

SPECIFIED = ("100", "101", "102", "103", "104", "105", "106", "107", "108", "109", "202")
TOOLKIT = ("110", "111", "112")


def test_every_code_of_the_specification_has_its_meaning():
    assert set(SPECIFIED) | set(TOOLKIT) <= set(ERRORS)
    for each in (*ERRORS.values(), meaning("512"), meaning("12345")):
        assert each.ending in NOT_CAPTURED_CODES
        assert each.trouble is None or each.trouble in TROUBLES


@pytest.mark.parametrize("code", [*ERRORS, "512", "9999"])
def test_each_code_ends_clearly_and_the_reader_recovers(lasting, code):
    service, reader = lasting
    service.well()
    reader.open()
    service.fault = lambda *_: failed(code)
    ended = reader.capture(5)
    assert ended == NotCaptured(meaning(code).ending)
    trouble = meaning(code).trouble
    assert reader.trouble() == trouble
    assert (reader.state() == READY) == (trouble is None)
    if trouble:
        again = reader.capture(5)
        assert again == NotCaptured("unplugged" if reader.state() == UNPLUGGED else "closed")
    reader.open()
    lay_small(service)
    assert isinstance(reader.capture(5), Captured)


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ("Busy", "reader_not_ready"),
        ("Not Ready", "reader_not_ready"),
        ("Not Registered", "reader_not_trusted"),
    ],
)
def test_a_device_that_is_not_ready_says_so_at_opening(lasting, status, trouble):
    service, reader = lasting
    service.well()
    reader.close()
    service.status = status
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == trouble == reader.trouble()
    service.well()
    reader.open()
    assert reader.state() == READY
    assert reader.trouble() is None


# --- finding ---


def test_of_two_devices_the_one_with_the_serial_number_is_meant(pair):
    first, _ = pair()
    second, _ = pair()
    second.serial = "OST-000000002"
    trust = str(pair.trust)
    ports = [first.port, second.port]
    with pytest.raises(ReaderUnusable) as refused:
        MosipSbiReader(trust=trust, ports=ports).open()
    assert refused.value.code == "reader_misconfigured"
    for service in (first, second):
        reader = MosipSbiReader(trust=trust, ports=ports, serial=service.serial)
        reader.open()
        assert reader.about().serial == service.serial
    with pytest.raises(ReaderUnplugged):
        MosipSbiReader(trust=trust, ports=ports, serial="OST-3").open()


def test_a_serial_number_that_is_only_said_without_proof_is_not_believed(pair):
    service, reader = pair({"serial": "OST-000000009"})
    honest = service.identity
    service.serial = "OST-000000009"
    found = service.discovery()
    service.serial = "OST-000000001"
    service.discovery = lambda: found
    assert honest()["serialNo"] == "OST-000000001"
    not_trusted(reader)


def test_find_lists_what_is_there_and_what_to_do(pair):
    service, _ = pair()
    quiet = free_port()
    [found] = find([service.port, quiet])
    assert (found.kind, found.trouble) == ("mosip_sbi", "reader_not_trusted")
    assert found.options == {"serial": service.serial, "ports": service.port}
    assert "TestWorks One" in found.label
    assert any("trust=" in line for line in found.todo)
    make_reader(ReaderSettings(found.kind, options=found.options))
    service.status = "Busy"
    assert find([service.port])[0].trouble == "reader_not_ready"
    assert find([quiet]) == []
    assert [verb for verb, _ in service.asked] == ["MOSIPDISC"] * 2


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_something_else_on_a_port_is_no_device():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def babble():
            for _ in range(2):
                line, _ = other.accept()
                with line:
                    line.recv(1000)
                    line.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=babble, daemon=True).start()
        port = other.getsockname()[1]
        assert find([port]) == []
        with pytest.raises(ReaderUnusable) as refused:
            MosipSbiReader(ports=port).open()
        assert refused.value.code == "reader_not_answering"


def test_the_whole_range_is_asked_at_once():
    assert (wire.PORTS[0], wire.PORTS[-1], len(wire.PORTS)) == (4501, 4600, 100)
    answers, deaf = wire.search("127.0.0.1", [free_port() for _ in range(20)])
    assert (answers, deaf) == ({}, [])


@pytest.mark.parametrize(
    "options",
    [
        {"host": "192.0.2.1"},
        {"host": "service.example"},
        {"env": "Test"},
        {"score": 101},
        {"score": "40"},
        {"finger": "nose"},
        {"ports": "0-10"},
        {"ports": "4600-4501"},
        {"ports": "all"},
        {"partner_key": "only.pem"},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_misconfigured(options):
    with pytest.raises(ReaderUnusable) as refused:
        make_reader(ReaderSettings("mosip_sbi", options=options))
    assert refused.value.code == "reader_misconfigured"


def test_fingers_are_named_as_people_do():
    assert finger_named("right index") == "Right IndexFinger" == finger_named("Right IndexFinger")
    assert finger_named("LEFT_THUMB") == "Left Thumb"
    assert finger_named("unknown") == "UNKNOWN"


def test_an_unreadable_certificate_is_named(pair):
    (pair.trust / "broken.pem").write_bytes(b"-----BEGIN nothing")
    _, reader = pair()
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == "reader_misconfigured"
    assert "broken.pem" in refused.value.about


def test_a_capture_that_was_closed_leaves_the_reader_that_was_opened_again_alone(pair):
    service, reader = pair()
    reader.open()
    ended = []
    first = threading.Thread(target=lambda: ended.append(reader.capture(10)))
    first.start()
    while not any(verb == "RCAPTURE" for verb, _ in service.asked):
        first.join(0.01)
    reader.close()
    reader.open()
    first.join(5)
    assert ended == [NotCaptured("closed")]
    assert reader.state() == READY
    lay_small(service)  # for the capture that nobody waits for any more
    lay_small(service)
    assert isinstance(reader.capture(5), Captured)
