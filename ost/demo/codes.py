"""The demo's sign-in codes as they are now: what a person's telephone would show."""

from __future__ import annotations

from datetime import datetime

import pyotp

from ost import clock
from ost.services.credentials import STEP_S


def now() -> datetime:
    return clock.now()


def code(secret: str, at: datetime) -> str:
    """The code of this instant."""
    return pyotp.TOTP(secret, interval=STEP_S).generate_otp(int(at.timestamp()) // STEP_S)


def seconds_left(at: datetime) -> int:
    """Until the next code."""
    return STEP_S - int(at.timestamp()) % STEP_S
