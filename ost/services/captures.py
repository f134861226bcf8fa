"""A signed capture arrives: check the door, read the print, and keep what it came to.

The identical post within half a minute gets the same answer; anything else with
a used challenge is a replay. What the touch means at the counter is
`ost.services.touched`. Nothing of a print is kept, logged or answered.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from devices.fingerprints.cylinders import Cylinders
from devices.fingerprints.errors import FingerprintError
from devices.interface import CAPTURED, NOT_CAPTURED_CODES, UNKNOWN_CODES, Touch
from ost import policies
from ost.models.station import capture
from ost.services import door, reader_state, station_task, touched
from ost.services.door import Entered, TurnedAway
from ost.services.gallery import PrintGallery
from ost.services.measures import Measure
from ost.services.probe import probe_of
from ost.services.station_kinds import HANDLERS
from ost.services.work import House

REFUSED = "refused"
MOST_IN_TEN_S = 30


@dataclass(frozen=True, slots=True)
class CaptureAnswer:
    """What the agent hears: how it went, never of whom.

    `result`: one of touched.RESULTS, "taken" where the station's touches are for something else, or
    "refused". `code`: of the catalogue, None when a person was shown or confirmed, or the touch was good.
    `capture`: the id it is kept under, None when refused.
    """

    result: str
    code: str | None = None
    capture: str | None = None

    @property
    def refused(self) -> bool:
        return self.result == REFUSED


def receive_capture(
    house: House, gallery: PrintGallery, station: str, challenge: str, touch: Touch, signature: str
) -> CaptureAnswer:
    """One post of an agent. Refusals are returned, because they are kept."""
    digest = touch.digest()
    entered = door.enter(house, station, "capture", str(challenge), digest, signature)
    if isinstance(entered, TurnedAway):
        return CaptureAnswer(REFUSED, entered.code)
    known = _answer_before(house, entered, digest)
    if known is not None:
        return known
    if not entered.fresh:
        return _refuse(house, entered, "challenge_stale")
    if touch.simulated and not house.demo:
        return _refuse(house, entered, "simulated_reader_refused")
    reader = reader_state.of_touch(house, entered, touch)
    if reader is None:
        return _refuse(house, entered, "readers_too_many")
    if reader.revoked_at is not None:
        return _refuse(house, entered, "reader_revoked", reader=reader.id)
    if _too_many(house, entered):
        return _refuse(house, entered, "captures_too_many")
    try:
        result = station_task.take(house, gallery, entered, digest, touch, HANDLERS)
        if result is not None:
            return CaptureAnswer(**result)
        started = monotonic()
        print_, problem, found = _read(touch)
        extract_ms = round((monotonic() - started) * 1000) if touch.ending == CAPTURED else None
        measure = Measure(reader.id, touch.touch_ms, extract_ms)
        result = touched.keep(house, gallery, entered, digest, touch, print_, problem, found, measure)
    except touched.RevokedMeanwhile:
        return _refuse(house, entered, "station_revoked")
    except IntegrityError:
        # The same challenge was used by another post while this one was being read.
        known = _answer_before(house, entered, digest)
        if known is None:
            raise
        return known
    return CaptureAnswer(**result)


def _read(touch: Touch) -> tuple[Cylinders | None, str | None, int]:
    """(print, None, cylinders), or (None, why there is none, 0). A bad print is "touch again"."""
    if touch.ending != CAPTURED:
        known = touch.code in NOT_CAPTURED_CODES + UNKNOWN_CODES
        return None, touch.code if known else "reader_failed", 0
    try:
        print_ = probe_of(touch.sample)
    except FingerprintError as error:
        return None, _SAID.get(error.code, "touch_again"), 0
    return print_, None, len(print_)


#: At the counter a poor print has one name; what is wrong with a device's picture keeps its own.
_SAID = {"bad_image": "bad_image", "bad_template": "bad_template", "not_a_fingerprint": "no_finger"}


def _too_many(house: House, entered: Entered) -> bool:
    """More touches than hands can do: a broken device or a stolen key must not fill the database. Per process."""
    now = house.now()
    times = house.memo.setdefault(("captures", entered.id), deque(maxlen=MOST_IN_TEN_S))
    if len(times) == MOST_IN_TEN_S and timedelta(0) <= now - times[0] < timedelta(seconds=10):
        return True
    times.append(now)
    return False


def _answer_before(house: House, entered: Entered, digest: str) -> CaptureAnswer | None:
    """The answer the identical post got, or a replay's refusal, or None for an unused challenge."""
    with house.read() as tx:
        row = tx.execute(sa.select(capture).where(capture.c.nonce == entered.challenge.nonce)).one_or_none()
    if row is None:
        return None
    again = timedelta(seconds=policies.policy(entered.policy).int("capture_repeat_s"))
    same = row.station == entered.id and row.sample_digest == digest
    if same and timedelta(0) <= house.now() - row.at <= again:
        return CaptureAnswer(**json.loads(row.answer))
    return _refuse(house, entered, "capture_replayed", capture=row.id)


def _refuse(house: House, entered: Entered, code: str, **facts) -> CaptureAnswer:
    return CaptureAnswer(REFUSED, door.turn_away(house, code, entered.id, entered.site, **facts).code)
