"""Keys outside the database: the master key, the chain key, the search key.

Each is 32 random bytes in a file only its owner can read. They are made once
by `ost init`; a missing key is an error, never a reason to make a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NAMES = ("master", "chain", "search", "session", "challenge")
_NONCE = 12


class KeysMissing(Exception):
    """`ost init` has not been run here, or the key files are gone."""


class SealBroken(Exception):
    """A sealed value does not open: moved, altered, or its person was forgotten."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    master: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    search: bytes = field(repr=False)
    session: bytes = field(repr=False)
    challenge: bytes = field(repr=False)

    # --- equality without reading -------------------------------------------
    def search_mac(self, what: str, value: str) -> str:
        """HMAC for equality search: `what` keeps kinds of values apart."""
        return hmac.new(self.search, f"{what}\0{value}".encode(), hashlib.sha256).hexdigest()

    def chain_mac(self, canonical: str) -> str:
        return hmac.new(self.chain, canonical.encode(), hashlib.sha256).hexdigest()

    def challenge_mac(self, canonical: str) -> str:
        return hmac.new(self.challenge, canonical.encode(), hashlib.sha256).hexdigest()

    # --- sealing --------------------------------------------------------------
    def new_person_key(self, person: str) -> tuple[bytes, bytes]:
        """(key, wrapped key) for one person; only the wrapped one is stored."""
        key = AESGCM.generate_key(256)
        return key, seal(self.master, key, f"person_key|{person}")

    def open_person_key(self, person: str, wrapped: bytes | None) -> bytes:
        if wrapped is None:
            raise SealBroken("forgotten")
        return unseal(self.master, wrapped, f"person_key|{person}")

    def seal_system(self, plaintext: bytes, where: str) -> bytes:
        """For what belongs to no patient (a TOTP secret): sealed under the master key."""
        return seal(self.master, plaintext, where)

    def open_system(self, sealed: bytes, where: str) -> bytes:
        return unseal(self.master, sealed, where)


def seal(key: bytes, plaintext: bytes, where: str) -> bytes:
    """AES-256-GCM; `where` ("person|table|field") is bound in, so a moved value fails to open."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, where.encode())


def unseal(key: bytes, sealed: bytes, where: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], bytes(sealed[_NONCE:]), where.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(where.split("|", 1)[-1]) from error


def create(folder: Path) -> None:
    """Make the key files that are missing from an empty folder; never replace one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    present = [n for n in NAMES if (folder / f"{n}.key").exists()]
    if present and len(present) != len(NAMES):
        raise KeysMissing(f"some keys are gone from {folder.name}/: restore them from the backup")
    if present:
        return
    for name in NAMES:
        descriptor = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))


def load(folder: Path) -> KeyRing:
    try:
        ring = {name: (folder / f"{name}.key").read_bytes() for name in NAMES}
    except FileNotFoundError as error:
        raise KeysMissing("no keys here yet: run `ost init` first") from error
    if any(len(value) != 32 for value in ring.values()):
        raise KeysMissing("a key file is damaged: restore it from the backup")
    return KeyRing(**ring)


def ephemeral() -> KeyRing:
    """Fresh keys that are never written down, for tests and drills."""
    return KeyRing(**{name: secrets.token_bytes(32) for name in NAMES})
