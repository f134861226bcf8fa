"""By what a maker's service is believed, which options cannot be, and what is found by looking."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devices import ReaderSettings, make_reader
from devices.interface import CLOSED, Captured, NotCaptured, ReaderUnusable, Unknown
from devices.readers import http_json_find
from devices.readers.http_json import HttpJsonReader
from devices.readers.http_json_profiles import PROFILES
from devices.readers.http_line import Address
from tests.devices.benches.http_json import HEIGHT, WIDTH
from tests.devices.json_service import JsonService, cut, picture
from tests.devices.prints import drawn, png

PRINT = picture(png(drawn(0, 0)), WIDTH, HEIGHT)


@pytest.fixture
def service():
    made = JsonService()
    yield made
    made.stop()


def touched(service, reader, wait_s=5):
    service.touch(PRINT)
    return reader.capture(wait_s)


# --- by what it is believed ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(file, file with key, SHA-256) of a certificate that a service made for itself, as they do."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return str(folder / "c.pem"), str(folder / "k.pem"), digest


@pytest.fixture
def secured(certificate):
    made = JsonService(certificate[:2])
    yield made
    made.stop()


def test_a_pinned_certificate_is_believed(secured, certificate):
    pin = ":".join(certificate[2].upper()[i : i + 2] for i in range(0, 64, 2))
    reader = HttpJsonReader(secured.url, certificate=f"sha256:{pin}")
    reader.open()
    assert isinstance(touched(secured, reader), Captured)
    secured.harm(cut(-1))
    assert touched(secured, reader) == Unknown("vanished")
    reader.open()
    waiting = threading.Timer(0.2, reader.close)
    waiting.start()
    assert reader.capture(20) == NotCaptured("closed")


def test_a_given_authority_is_believed_for_its_name_only(secured, certificate):
    reader = HttpJsonReader(secured.url.replace("127.0.0.1", "localhost"), ca=certificate[0])
    reader.open()
    assert isinstance(touched(secured, reader), Captured)
    with pytest.raises(ReaderUnusable) as refused:
        HttpJsonReader(secured.url, ca=certificate[0]).open()  # the certificate does not name this address
    assert refused.value.code == "reader_not_trusted"


@pytest.mark.parametrize("pin", [None, "00" * 32])
def test_an_unknown_certificate_is_refused_before_anything_is_sent(secured, pin):
    reader = HttpJsonReader(secured.url, certificate=pin)
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert (refused.value.code, reader.trouble(), reader.state()) == (
        "reader_not_trusted",
        "reader_not_trusted",
        CLOSED,
    )
    assert not secured.requests


def test_another_service_in_its_place_is_refused_at_the_touch(service, secured, certificate):
    reader = HttpJsonReader(secured.url, certificate=certificate[2])
    reader.open()
    asked = len(secured.requests)
    reader._trust = HttpJsonReader(secured.url, certificate="11" * 32)._trust
    assert touched(secured, reader) == NotCaptured("rejected")
    assert reader.trouble() == "reader_not_trusted" and len(secured.requests) == asked


def test_a_plain_service_where_tls_is_expected(service):
    reader = HttpJsonReader(service.url.replace("http:", "https:"))
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == "reader_not_answering"


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://192.0.2.7:8000/x"},
        {"url": "https://192.0.2.7:8000/x"},
        {"url": "http://192.0.2.7:8000/x", "anywhere": True},
        {"url": "http://localhost.example.org/"},
        {"url": "ftp://localhost/"},
        {"url": "https://a:b@localhost/"},
        {"url": "https://localhost:99999/"},
        {"url": "https://localhost/a b"},
        {"profile": "other"},
        {"body": "xml"},
        {"fields": {"colour": "x"}},
        {"codes": {"1": "captured"}},
        {"dpi": 72},
        {"dpi": "500"},
        {"certificate": "abc"},
        {"certificate": "zz" * 32},
        {"ca": "/nowhere/ca.pem"},
        {"url": "http://localhost:8004/", "certificate": "00" * 32},
        {"verify": False},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ReaderUnusable) as refused:
        make_reader(ReaderSettings("http_json", options=options))
    assert refused.value.code == "reader_misconfigured"


def test_another_machine_only_by_https_and_when_told():
    assert Address.of("https://reader.example.org/x", anywhere=True).port == 443
    assert Address.of("http://127.0.0.1:8004/x").local and Address.of("http://[::1]:1/x").local


def test_every_profile_makes_a_reader_that_is_not_open():
    for name, profile in PROFILES.items():
        reader = HttpJsonReader(profile=name)
        assert (reader.state(), reader.about().gives) == (CLOSED, "image")
        assert dataclasses.is_dataclass(profile)
    assert HttpJsonReader("http://127.0.0.1:1/").capture(0.1) == NotCaptured("closed")


# --- finding -------------------------------------------------------------------------------------------


def test_what_listens_is_found_and_an_unknown_certificate_is_shown_to_be_set(service, secured, certificate):
    service.device = {"Make": "Mantra", "Model": "MFS100", "SerialNo": "7"}
    nobody = JsonService()
    nobody.stop()
    places = (
        ("mantra", "M", (service.url, nobody.url, service.url.replace("http:", "https:"))),
        ("secugen", "S", (secured.url,)),
    )
    described, unknown = http_json_find.find_services(places)
    assert (described.trouble, described.about.serial) == (None, "7")
    assert unknown.trouble == "reader_not_trusted"
    assert certificate[2] in unknown.todo[0] and unknown.todo[0].startswith("ost devices probe http_json ")
    assert not secured.requests
