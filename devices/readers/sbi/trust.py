"""Who signed: JSON web signatures with their certificates (RS256, `x5c`), chained to certificates set as trusted.

Does: RFC 7515 compact signatures in one strict spelling, so that no byte of one can change unnoticed;
chains through `cryptography`'s verifier; dates at a given time. Does not: ask about revocation (no such
service in the interface; a certificate is withdrawn by taking it out of the folder) or fetch anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from .errors import Garbled, Rejected, Untrusted
from .wire import parse_json

ALGORITHM = "RS256"
MIN_KEY_BITS, MAX_KEY_BITS = 2048, 8192
MAX_CHAIN = 5
MAX_CERTIFICATE_BYTES = 16_384
MAX_TRUSTED = 200
SUFFIXES = (".pem", ".crt", ".cer", ".der")

_JWS = PyJWS(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class Signed:
    """What a valid signature covers. `payload` as bytes; `leaf` is the DER of the certificate that signed."""

    payload: bytes
    leaf: bytes

    def __repr__(self) -> str:
        return f"<Signed {len(self.payload)} bytes>"

    def claims(self) -> Mapping:
        """The payload as a JSON object. Raises `Garbled`."""
        claims = parse_json(self.payload)
        if not isinstance(claims, dict):
            raise Garbled("signed, but no object")
        return claims


class Trust:
    """The certificates that are trusted: authorities, and devices named one by one.

    An empty one trusts nothing. `anybody=True` accepts every signer whose signature is right: for a
    mock service in tests and demos, and the reader then says that it is simulated.
    """

    def __init__(self, certificates: tuple[x509.Certificate, ...] = (), anybody: bool = False):
        self._known = {c.public_bytes(Encoding.DER) for c in certificates}
        self._certificates = tuple(certificates)
        self.anybody = anybody

    def __len__(self) -> int:
        return len(self._certificates)

    @classmethod
    def from_folder(cls, folder: Path, anybody: bool = False) -> Trust:
        """All certificates in the folder's .pem, .crt, .cer and .der files. Raises ValueError naming a bad file."""
        found: list[x509.Certificate] = []
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
            found += _certificates(path)
        if len(found) > MAX_TRUSTED:
            raise ValueError(f"more than {MAX_TRUSTED} certificates in the trust folder")
        return cls(tuple(found), anybody)

    def check(self, chain: list[x509.Certificate], at: datetime) -> None:
        """The first of `chain` is trusted at that time, by itself or through an authority. Raises `Untrusted`."""
        if self.anybody:
            return
        leaf, between = chain[0], chain[1:]
        if leaf.public_bytes(Encoding.DER) in self._known:
            if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
                raise Untrusted("certificate out of date")
            return
        if not self._certificates:
            raise Untrusted("no certificate is set as trusted")
        try:
            _verifier(self._certificates, at).verify(leaf, between)
        except (verification.VerificationError, UnsupportedAlgorithm, ValueError):
            raise Untrusted("no chain to a trusted certificate") from None


def _verifier(anchors: tuple[x509.Certificate, ...], at: datetime) -> verification.ClientVerifier:
    """Chains, dates, key sizes and hash functions as for the web; of extensions only what says "authority".

    Device certificates in the field carry no extensions at all, so those of a web client are not asked for.
    """
    either = verification.Criticality.AGNOSTIC
    authority = (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, either, None)
        .may_be_present(x509.KeyUsage, either, _may_certify)
    )
    return (
        verification.PolicyBuilder()
        .store(verification.Store(list(anchors)))
        .time(at)
        .max_chain_depth(MAX_CHAIN)
        .extension_policies(ca_policy=authority, ee_policy=verification.ExtensionPolicy.permit_all())
        .build_client_verifier()
    )


def _may_certify(_policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("not for certificates")


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        data = path.read_bytes()
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise ValueError(f"no certificate can be read from {path.name}") from None


def verify(token: object, trust: Trust, at: datetime) -> Signed:
    """What `token` signs, once its signature and its signer are verified. Raises `Rejected` or `Untrusted`."""
    if not isinstance(token, str) or token.count(".") != 2:
        raise Rejected("not a signature")
    head, body, mark = token.split(".")
    header, payload = _header(unpack(head)), unpack(body)
    unpack(mark)  # in its one spelling, or two different tokens would both be right
    chain = _chain(header.get("x5c"))
    try:
        # PyJWT checks the signature over the very text that came.
        _JWS.decode(token, chain[0].public_key(), algorithms=[ALGORITHM])
    except (PyJWTError, ValueError, TypeError):
        raise Rejected("wrong signature") from None
    trust.check(chain, at)
    return Signed(payload, chain[0].public_bytes(Encoding.DER))


def _header(data: bytes) -> Mapping:
    try:
        header = parse_json(data)
    except Garbled:
        raise Rejected("no signature header") from None
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        raise Rejected("signature of another kind")
    if "crit" in header or "b64" in header:
        raise Rejected("signature with extensions")
    return header


def _chain(x5c: object) -> list[x509.Certificate]:
    """Leaf first. Raises `Rejected` for anything but one to MAX_CHAIN certificates with a strong RSA leaf."""
    texts = [x5c] if isinstance(x5c, str) else x5c
    if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_CHAIN:
        raise Rejected("no certificate beside the signature")
    chain = []
    for text in texts:
        if not isinstance(text, str) or len(text) > MAX_CERTIFICATE_BYTES * 2:
            raise Rejected("no certificate beside the signature")
        try:
            chain.append(x509.load_der_x509_certificate(base64.b64decode(text, validate=True)))
        except (binascii.Error, ValueError, UnsupportedAlgorithm):
            raise Rejected("no certificate beside the signature") from None
    try:
        key = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected("no usable key") from None
    if not isinstance(key, rsa.RSAPublicKey) or not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        raise Rejected("no usable key")
    return chain


def unpack(text: object, padding: bool = False) -> bytes:
    """base64url in its one canonical spelling, without "=" unless `padding` allows it. Raises `Rejected`.

    The usual decoders skip foreign characters and ignore the last bits, so that several texts give the
    same bytes; here a changed character is a changed message or no message.
    """
    if not isinstance(text, str) or not text.isascii():
        raise Rejected("not base64url")
    if padding and len(text) % 4 == 0 and text.endswith("="):
        text = text.rstrip("=")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Rejected("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode():
        raise Rejected("not base64url")
    return data
