"""Whom the Secure Biometric Interface driver trusts, and that nothing biometric leaves by a side door."""

from __future__ import annotations

import logging
import tempfile
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from devices import ReaderSettings, make_reader
from devices.interface import (
    CLOSED,
    Captured,
    NotCaptured,
    SimulatedReaderRefused,
)
from devices.readers.sbi import fir
from devices.readers.sbi.blocks import Block
from devices.readers.sbi.errors import Rejected, Untrusted
from devices.readers.sbi.trust import Trust, verify
from tests.devices.sbi_keys import BEGIN, END, certificate, key, pem, root, sign
from tests.devices.sbi_pairs import Pairs, lay, not_trusted
from tests.devices.sbi_records import drawn_finger

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def pair(tmp_path):
    with Pairs(tmp_path) as made:
        yield made


# --- trust ---


def test_without_a_trusted_certificate_no_device_is_used(pair, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for trust in (None, str(empty)):
        service, reader = pair({"trust": trust})
        not_trusted(reader)
        assert [verb for verb, _ in service.asked] == ["MOSIPDISC"]


def test_a_device_of_another_authority_is_not_trusted(pair, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "root.crt").write_bytes(pem(root("stranger")))
    not_trusted(pair({"trust": str(other)})[1])


def test_a_single_device_can_be_trusted_by_name(pair, tmp_path):
    pinned = tmp_path / "pinned"
    pinned.mkdir()
    (pinned / "device.pem").write_bytes(pem(certificate("device")))
    service, reader = pair({"trust": str(pinned)})
    reader.open()
    lay(service)
    assert isinstance(reader.capture(5), Captured)
    service.signer = service.identity_signer = "device2"
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")
    assert (reader.state(), reader.trouble()) == (CLOSED, "reader_not_trusted")


def test_the_certificates_run_out_while_it_is_open(pair):
    clock = [NOW]
    options = {"clock": lambda: clock[0], "partner_key": None, "partner_certificate": None}
    service, reader = pair(options)
    service.clock = lambda: clock[0]
    reader.open()
    lay(service)
    assert isinstance(reader.capture(5), Captured)
    clock[0] = END + timedelta(days=1)
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")
    not_trusted(reader)


def issued(name: str, issuer: str, *extensions) -> x509.Certificate:
    def called(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    made = x509.CertificateBuilder(called(issuer), called(name), key(name).public_key(), 99, BEGIN, END)
    for extension in extensions:
        made = made.add_extension(extension, True)
    return made.sign(key(issuer), hashes.SHA256())


AUTHORITY = x509.BasicConstraints(True, None)


def test_chains_through_authorities_are_followed_and_nothing_else():
    trust = Trust((root(),))
    middle = issued("middle", "authority", AUTHORITY)
    leaf = issued("leaf", "middle")
    assert verify(sign({"a": 1}, "leaf", (leaf, middle)), trust, NOW).claims() == {"a": 1}
    no_authority = issued("middle", "authority", x509.BasicConstraints(False, None))
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    signs_no_certificates = issued("middle", "authority", AUTHORITY, usage)
    short_path = issued("short", "authority", x509.BasicConstraints(True, 0))
    deep, deep_leaf = issued("deep", "short", AUTHORITY), issued("deepleaf", "deep")
    for chain, name in (
        ((leaf,), "leaf"),
        ((leaf, no_authority), "leaf"),
        ((leaf, signs_no_certificates), "leaf"),
        ((issued("evil", "device"), certificate("device")), "evil"),
        ((deep_leaf, deep, short_path), "deepleaf"),
        ((certificate("device"), root("stranger")), "stranger"),
    ):
        with pytest.raises((Untrusted, Rejected)):
            verify(sign({}, name, chain), trust, NOW)


def test_weak_keys_other_algorithms_and_headers_with_tricks_are_refused():
    trust = Trust((root(),))
    tokens = [
        sign({}, alg="none"),
        sign({}, alg="HS256"),
        sign({}, alg="PS256"),
        sign({}, crit=["b64"], b64=False),
        sign({}, crit=["exp"]),
        sign({}, x5c=[]),
        sign({}, x5c=["AAAA"]),
        sign({}, x5c=None),
        sign({}, "device", (certificate("weak"),)),
        sign({}, chain=(certificate("device"),) * 6),
        sign({}, "device", (certificate("device2"),)),
        sign({}).replace(".", "..", 1),
        sign({}) + "=",
        " " + sign({}),
        "",
        None,
        7,
    ]
    for token in tokens:
        with pytest.raises((Rejected, Untrusted)):
            verify(token, trust, NOW)
    assert verify(sign({}), trust, NOW).claims() == {}
    weak = certificate("weak", bits=1024)
    with pytest.raises(Rejected):  # even where somebody trusts that very device
        verify(sign({}, "weak", bits=1024), Trust((weak,)), NOW)


def test_an_identity_signed_by_another_device_is_refused(pair):
    """Without a trust module one key signs both; another trusted device cannot lend its name."""
    service, reader = pair(level="L0")
    service.identity_signer = "device2"
    not_trusted(reader)
    service.identity_signer = "device"
    reader.open()
    service.signer = "device2"
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


def test_a_device_that_is_no_finger_device_by_its_signed_identity_is_refused(pair):
    service, reader = pair()
    found, identity = service.discovery(), service.identity
    service.discovery = lambda: found
    service.identity = lambda: identity() | {"type": "Iris"}
    not_trusted(reader)


def test_the_device_behind_an_open_reader_cannot_be_changed(pair):
    service, reader = pair()
    reader.open()
    service.serial = "OST-000000002"
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


def test_an_untrusted_service_counts_as_simulated(pair):
    service, reader = pair({"trust": None, "allow_untrusted": True})
    service.signer = service.identity_signer = "nobody"
    reader.open()
    assert reader.simulated is True
    assert reader.about().simulated is True
    lay(service)
    assert reader.capture(5).sample.declared["liveness"] == "SBI certification L0, signer not verified"
    with pytest.raises(SimulatedReaderRefused):
        make_reader(ReaderSettings("mosip_sbi", options={"allow_untrusted": True}))


def test_a_wrong_signature_is_refused_from_an_untrusted_service_too(pair):
    service, reader = pair({"trust": None, "allow_untrusted": True})
    reader.open()
    service.claims = {}
    service.outer = {"data": sign({}, "nobody")[:-4] + "AAAA"}
    lay(service)
    assert reader.capture(5) == NotCaptured("rejected")


# --- nothing biometric leaves by a side door ---


def test_nothing_of_a_finger_is_shown_logged_or_written(pair, tmp_path, caplog, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(scratch)
    data = drawn_finger()
    [one] = fir.read(data)
    wsq = fir.Representation(7, one.width, one.height, 500, fir.WSQ, b"\xff\xa0" + data)
    with caplog.at_level(logging.DEBUG):
        service, reader = pair({"finger": "left index"})
        reader.open()
        lay(service, "Left IndexFinger")
        ended = reader.capture(5)
        for spoiled in (data[:-1], data + b"\0", b"FIR" + data):
            with pytest.raises(Rejected) as refused:
                fir.read(spoiled)
            assert len(str(refused.value)) < 60
        with pytest.raises(Rejected):
            fir.picture(wsq)
    assert isinstance(ended, Captured)
    for thing in (one, Block("Left Thumb", data, 1.0), verify(sign(data), Trust((root(),)), NOW), reader):
        assert len(repr(thing)) < 120
        assert "FIR" not in repr(thing)
    assert not caplog.records
    assert list(scratch.iterdir()) == []
