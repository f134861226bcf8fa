"""Passwords, PINs and codes: made, checked, never kept in clear.

Checks cost the same whether there is anything to check against or not.
"""

from __future__ import annotations

import hmac
from datetime import datetime

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ost.errors import Refusal
from ost.keys import KeyRing

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
STEP_S = 30
#: Steps before and after the present one that are accepted: clocks of telephones differ.
WINDOW = 1

_hasher = PasswordHasher()
#: Hash of a value nobody knows, for users who do not exist.
_NOBODY = _hasher.hash(pyotp.random_base32(64))
_NOBODYS_TOTP = pyotp.random_base32()


def hash_secret(text: str) -> str:
    return _hasher.hash(text)


def matches(stored: str | None, given: str) -> bool:
    """Whether `given` is what was stored; nothing stored costs the same and is never right."""
    try:
        right = _hasher.verify(stored or _NOBODY, given[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None


def check_password(password: str, username: str) -> None:
    """Refusal unless it may be a password."""
    if (
        not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD
        or password.casefold() == username.casefold()
    ):
        raise Refusal("password_weak", fields={"password": ["password_weak"]}, shortest=SHORTEST_PASSWORD)


def check_pin(pin: str) -> None:
    """Refusal unless it may be a PIN: 6 to 12 digits, neither one digit nor a run."""
    run = "01234567890123456789"
    easy = len(set(pin)) < 3 or pin in run or pin in run[::-1]
    if not (pin.isascii() and pin.isdigit() and 6 <= len(pin) <= 12) or easy:
        raise Refusal("pin_weak", fields={"pin": ["pin_weak"]})


def new_totp() -> str:
    """A new shared secret, base32."""
    return pyotp.random_base32()


def seal_totp(keys: KeyRing, account: str, secret: str) -> bytes:
    return keys.seal_system(secret.encode(), f"{account}|account|totp")


def open_totp(keys: KeyRing, account: str, sealed: bytes) -> str:
    return keys.open_system(sealed, f"{account}|account|totp").decode()


def totp_step(secret: str | None, code: str, now: datetime) -> int | None:
    """The time step a code belongs to (seconds since 1970 / 30), or None. Looks at every step, always."""
    generator = pyotp.TOTP(secret or _NOBODYS_TOTP, interval=STEP_S)
    given = code.strip().replace(" ", "")
    present = int(now.timestamp()) // STEP_S
    found = None
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(generator.generate_otp(step).encode(), given.encode()):
            found = step
    return found if secret is not None else None


def uri(secret: str, username: str) -> str:
    """otpauth:// address for a code generator. The issuer says nothing about the treatment."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=username, issuer_name="OST")
