"""Fingerprint templates as they are kept: ISO/IEC 19794-2, sealed with the person's key.

Bound to person, finger, algorithm and impression: a template moved to another
row fails to open. Also what a finger is called.
"""

from __future__ import annotations

from devices.fingerprints import ALGORITHM, iso19794
from devices.fingerprints.cylinders import Cylinders, cylinders
from devices.fingerprints.extract import Minutiae
from ost.services import sealed

_NAMES = ("thumb", "index", "middle", "ring", "little")
#: Name of a finger to its number in ISO/IEC 19794-2: 1-5 right thumb to little finger, 6-10 left.
FINGERS = {
    f"{hand}_{name}": 5 * h + n
    for h, hand in enumerate(("right", "left"))
    for n, name in enumerate(_NAMES, 1)
}


def _field(finger: str, algorithm: str, impression: int) -> str:
    return f"{finger}|{algorithm}|{impression}"


def seal_template(
    key: bytes, person: str, finger: str, impression: int, minutiae: Minutiae, nfiq2: int | None
) -> bytes:
    """Raises `BadTemplate` for minutiae that no record can hold."""
    record = iso19794.encode(minutiae, FINGERS[finger], 0, nfiq2 or 0)
    return sealed.seal(key, person, "fingerprint", _field(finger, ALGORITHM, impression), record)


def open_template(
    key: bytes, person: str, finger: str, algorithm: str, impression: int, kept: bytes
) -> Cylinders:
    """Raises `ost.keys.SealBroken` for a row that was moved or altered, `BadTemplate` for a bad record."""
    record = sealed.unseal(key, person, "fingerprint", _field(finger, algorithm, impression), kept)
    return cylinders(iso19794.decode(record))
