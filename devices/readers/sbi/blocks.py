"""The biometric blocks of a capture: signed by the device that was asked, for this request, unbroken, in order.

Does: verify every block against the request, verify the chain of hashes over all of them, decrypt
what an authentication capture encrypted to us. Does not: look into the picture (fir.py).

The chain is that of the compliance toolkit and of MOSIP's own service, for both versions:
hash = SHA-256(previous hash as 32 bytes || SHA-256(biometric record before encryption)), in upper-case
hexadecimal; before the first block stands SHA-256 of nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from .device import Device, identity, same_key
from .errors import Garbled, Rejected
from .messages import AUTH, FINGERS, UNKNOWN_FINGER, Request, instant
from .trust import Trust, unpack, verify

EMPTY_HASH = hashlib.sha256(b"").hexdigest().upper()
"""What stands before the first block (SBI specification, bio.previousHash)."""

SESSION_KEY_BYTES, TAG_BYTES = 32, 16
AAD_BYTES, IV_BYTES = 16, 12


@dataclass(frozen=True, slots=True)
class Block:
    """One verified block. `record`: the ISO/IEC 19794-4 bytes; `quality`: 0-100 as the device says."""

    finger: str
    record: bytes
    quality: float

    def __repr__(self) -> str:
        return f"<Block {len(self.record)} bytes>"


class Partner:
    """The relying party's key and certificate that an authentication device encrypts to."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: x509.Certificate):
        self._key = key
        self.thumbprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest().upper()

    def __repr__(self) -> str:
        return f"<Partner {self.thumbprint[:8]}>"

    @classmethod
    def from_pem(cls, key_pem: bytes, certificate_pem: bytes, at: datetime) -> Partner:
        """Raises ValueError: unreadable, not a pair, not RSA from 2048 bits on, or out of date."""
        try:
            key = load_pem_private_key(key_pem, None)
            certificate = x509.load_pem_x509_certificate(certificate_pem)
        except (ValueError, TypeError):
            raise ValueError("the partner's key or certificate cannot be read") from None
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
            raise ValueError("the partner's key is not RSA with 2048 bits or more")
        if _spki(key.public_key()) != _spki(certificate.public_key()):
            raise ValueError("the partner's certificate does not belong to its key")
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise ValueError("the partner's certificate is out of date")
        return cls(key, certificate)

    def open(self, session_key: bytes, sealed: bytes, timestamp: str, transaction_id: str) -> bytes:
        """The record in `sealed`. Raises `Rejected`, always with the same words."""
        mixed = mix(timestamp, transaction_id)
        try:
            key = self._key.decrypt(
                session_key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            )
            if len(key) != SESSION_KEY_BYTES or len(sealed) <= TAG_BYTES or len(mixed) < AAD_BYTES:
                raise ValueError
            return AESGCM(key).decrypt(mixed[-IV_BYTES:], sealed, mixed[-AAD_BYTES:])
        except (ValueError, InvalidTag):
            raise Rejected("cannot be decrypted") from None


def _spki(key) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def mix(timestamp: str, transaction_id: str) -> bytes:
    """Timestamp XOR transaction id, the shorter one led by zero bytes.

    Its last 16 bytes are the associated data and its last 12 the initialisation vector (SBI, data.bioValue).
    """
    one, other = timestamp.strip().encode(), transaction_id.encode()
    length = max(len(one), len(other))
    return bytes(a ^ b for a, b in zip(one.rjust(length, b"\0"), other.rjust(length, b"\0"), strict=True))


def chained(previous: str, record: bytes) -> str:
    """The hash of a block. `previous`: 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(previous) + hashlib.sha256(record).digest()).hexdigest().upper()


def verify_blocks(
    raw: Sequence[Mapping],
    request: Request,
    device: Device,
    trust: Trust,
    partner: Partner | None,
    now: datetime,
    skew_s: float,
) -> tuple[Block, ...]:
    """All blocks, in order. `now`: when the answer was there; `skew_s`: what the device's clock may be off.

    Raises `Rejected` or `Untrusted`; one wrong block spoils the answer.
    """
    found: list[Block] = []
    previous = request.previous_hash
    for outer in raw:
        block = _verify(outer, request, device, trust, partner, now, skew_s)
        expected = chained(previous, block.record)
        if not _same(outer.get("hash"), expected):
            raise Rejected("broken chain of hashes")
        if block.finger != UNKNOWN_FINGER and block.finger in {b.finger for b in found}:
            raise Rejected("one finger twice")
        found.append(block)
        previous = expected
    return tuple(found)


def _verify(outer, request, device, trust, partner, now, skew_s) -> Block:
    if outer.get("specVersion") != request.version:
        raise Rejected("another version of the specification")
    signed = verify(outer.get("data"), trust, now)
    try:
        claims = signed.claims()
    except Garbled:
        raise Rejected("signed, but no object") from None
    who, by = identity(claims.get("digitalId"), trust, now)
    if who != device.identity:
        raise Rejected("identity of another device")
    same_key(device.level, signed, by)
    _as_asked(claims, request, device)
    taken = instant(claims.get("timestamp"))
    slack = timedelta(seconds=skew_s)
    if not request.at - slack <= taken <= now + slack:
        raise Rejected("not taken now")
    value = unpack(claims.get("bioValue"), padding=True)
    if request.purpose == AUTH:
        value = _unseal(outer, value, claims["timestamp"], request, partner)
    return Block(_finger(claims, request), value, _number(claims, "qualityScore"))


def _as_asked(claims: Mapping, request: Request, device: Device) -> None:
    expected = {
        "transactionId": request.transaction_id,
        "purpose": request.purpose,
        "env": request.env,
        "bioType": "Finger",
    }
    if request.purpose == AUTH:
        expected["domainUri"] = request.domain_uri
    if device.code:  # 0.9.5; 1.0 does without
        expected["deviceCode"] = device.code
    for name, value in expected.items():
        if claims.get(name) != value:
            raise Rejected(f"another {name}")
    if _number(claims, "requestedScore") != request.score:
        raise Rejected("another requestedScore")


def _same(stated: object, expected: str) -> bool:
    return isinstance(stated, str) and stated.isascii() and compare_digest(stated, expected)


def _finger(claims: Mapping, request: Request) -> str:
    finger = claims.get("bioSubType")
    if not isinstance(finger, str):
        raise Rejected("another finger")
    if finger == UNKNOWN_FINGER and UNKNOWN_FINGER in request.fingers:
        return finger
    if finger not in FINGERS or (finger not in request.fingers and UNKNOWN_FINGER not in request.fingers):
        raise Rejected("another finger")
    return finger


def _number(claims: Mapping, name: str) -> float:
    """0 to 100, as a number or as text. Raises `Rejected`."""
    value = claims.get(name)
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise Rejected(f"no {name}")
    return float(value)


def _unseal(
    outer: Mapping, sealed: bytes, timestamp: str, request: Request, partner: Partner | None
) -> bytes:
    if partner is None:
        raise Rejected("encrypted, and no key is set")
    if not _same(outer.get("thumbprint"), partner.thumbprint):
        raise Rejected("encrypted to another certificate")
    key = unpack(outer.get("sessionKey"), padding=True)
    return partner.open(key, sealed, timestamp, request.transaction_id)
