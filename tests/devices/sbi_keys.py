"""Keys, certificates and signatures for the tests of the Secure Biometric Interface; each key is made once."""

from __future__ import annotations

import base64
import functools
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2040, 1, 1, tzinfo=UTC)


@functools.cache
def _made(name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return _made(name, bits)  # the cache tells a default from the same value given


def certificate(
    name: str,
    issuer: str = "authority",
    authority: bool = False,
    begin: datetime = BEGIN,
    end: datetime = END,
    bits: int = 2048,
) -> x509.Certificate:
    """Signed by the issuer's key; as in the field, a device's has no extensions."""
    return _issued(name, issuer, authority, begin, end, bits)


@functools.cache
def _issued(
    name: str, issuer: str, authority: bool, begin: datetime, end: datetime, bits: int
) -> x509.Certificate:
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key(name, bits).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if authority:
        made = made.add_extension(x509.BasicConstraints(True, None), True).add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False), True
        )
    return made.sign(key(issuer), hashes.SHA256())


def root(name: str = "authority") -> x509.Certificate:
    return certificate(name, name, authority=True)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


def key_pem(name: str) -> bytes:
    return key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def x5c(*certificates: x509.Certificate) -> list[str]:
    return [base64.b64encode(c.public_bytes(Encoding.DER)).decode() for c in certificates]


def sign(payload: object, name: str = "device", chain: tuple = (), bits: int = 2048, **header) -> str:
    """A compact RS256 signature; `chain`: the certificates in it, by default the signer's own."""
    head = {"x5c": x5c(*(chain or (certificate(name, bits=bits),))), "alg": "RS256", "typ": "JWT"} | header
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    text = f"{pack(json.dumps(head).encode())}.{pack(data)}"
    mark = key(name, bits).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{pack(mark)}"


def later(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)
