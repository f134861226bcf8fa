"""The demo's reader at the enrolment desk: a drawn picture of the person's own synthetic finger.

Each call lays the finger on a little differently, as real ones are. Outside the
demo it refuses.
"""

from __future__ import annotations

import base64
import secrets

from devices.fingerprints.drawing import draw, png
from ost.errors import Refusal
from ost.services.enrol_demo import demo_finger_seed
from ost.services.templates import FINGERS
from ost.services.work import House

#: Beyond the impressions that the demo's own people were enrolled with.
_FROM, _TO = 10, 10_000


def practice_picture(house: House, patient_id: str, finger: str) -> str:
    """PNG at 500 dpi, base64."""
    if not house.demo:
        raise Refusal("simulated_reader_refused")
    if finger not in FINGERS:
        raise Refusal("finger_unknown", fields={"finger": ["finger_unknown"]})
    impression = _FROM + secrets.randbelow(_TO)
    return base64.b64encode(png(draw(demo_finger_seed(house, patient_id, finger), impression))).decode()
