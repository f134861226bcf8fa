"""A station's identity: its id and its Ed25519 key, in a file only its owner can read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.interface import signed_bytes


class KeyFileUnsafe(Exception):
    """The key file may be read by others, or is no key file."""


@dataclass(frozen=True, slots=True)
class StationKey:
    """The station's id and its private key."""

    station: str
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def new(cls, station: str = "") -> StationKey:
        return cls(station, Ed25519PrivateKey.generate())

    @property
    def public(self) -> str:
        """The public key, hex."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, purpose: str, challenge: str, digest: str) -> str:
        """Hex signature over what `signed_bytes` says."""
        return self._private.sign(signed_bytes(purpose, self.station, challenge, digest)).hex()

    def named(self, station: str) -> StationKey:
        return StationKey(station, self._private)

    def save(self, path: Path) -> None:
        """Write it where only its owner can read; an existing file is never replaced."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"station": self.station, "key": self._private.private_bytes_raw().hex()}, file)

    @classmethod
    def load(cls, path: Path) -> StationKey:
        """Raises FileNotFoundError, or KeyFileUnsafe when others may read the file or it is damaged."""
        with path.open() as file:
            # Windows has no such bits: there the folder's own permissions keep others out.
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                raise KeyFileUnsafe(
                    f"{path.name} may be read by others: chmod 600 it, and enrol this station anew"
                )
            try:
                kept = json.load(file)
                return cls(kept["station"], Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept["key"])))
            except (ValueError, KeyError, TypeError):
                raise KeyFileUnsafe(f"{path.name} is damaged: enrol this station anew") from None
