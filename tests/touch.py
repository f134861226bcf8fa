"""Stations, enrolled synthetic fingers and signed touches for tests.

A print is drawn and extracted once per test run and then travels as its ISO template, which the door
takes too: 0.5 s a print would make every test slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from devices.agent import StationKey
from devices.fingerprints import encode
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.drawing import draw, png
from devices.fingerprints.extract import Minutiae, extract
from devices.interface import FINGER, ISO_TEMPLATE, Sample, Touch, body_digest, readers_digest
from ost.services import challenges, fingerprints, stations
from ost.services.captures import CaptureAnswer, receive_capture
from ost.services.gallery import PrintGallery
from ost.services.work import Actor, House
from tests.make import make_account


@lru_cache(maxsize=256)
def minutiae(finger: int, impression: int) -> Minutiae:
    return extract(draw(finger, impression))


@lru_cache(maxsize=64)
def picture(finger: int, impression: int, condition: str = "normal") -> bytes:
    return png(draw(finger, impression, condition))


def enrol(house: House, patient: str, finger: int, name: str = "right_index", impressions: int = 2, site="HUA1"):
    """Enrol synthetic finger number `finger` for `patient`; impressions 1, 2, ... of it."""
    for number in range(1, impressions + 1):
        found = minutiae(finger, number)
        fingerprints.store(
            house, Actor("test"), site, patient, name, found, cylinders(found), nfiq2=50, synthetic=True
        )


def a_touch(finger: int, impression: int = 9, simulated: bool = True) -> Touch:
    """That finger, laid on a reader once more."""
    data = encode(minutiae(finger, impression))
    return Touch("simulated" if simulated else "test", simulated, "captured", None, Sample(FINGER, ISO_TEMPLATE, data))


def a_reader(name: str = "reader", state: str = "ready", trouble: str | None = None, **values) -> dict:
    """One reader as a heartbeat says it."""
    return {
        "name": name,
        "kind": "simulated",
        "simulated": True,
        "state": state,
        "trouble": trouble,
        "gives": "image",
        "modality": "finger",
        "dpi": 500,
        "maker": "ost",
        "model": "test",
        "serial": None,
        "firmware": None,
        "liveness": "none",
        **values,
    }


@dataclass
class Station:
    """A station at a counter, and the agent's side of it."""

    house: House
    key: StationKey
    gallery: PrintGallery

    @property
    def id(self) -> str:
        return self.key.station

    def challenge(self) -> str:
        return challenges.issue(self.house.keys, self.id, self.house.now())[0]

    def sign(self, touch: Touch, challenge: str) -> str:
        return self.key.sign("capture", challenge, touch.digest())

    def post(self, touch: Touch, challenge: str | None = None, signature: str | None = None) -> CaptureAnswer:
        challenge = challenge or self.challenge()
        signature = signature if signature is not None else self.sign(touch, challenge)
        return receive_capture(self.house, self.gallery, self.id, challenge, touch, signature)

    def beat(self, *readers: dict, challenge: str | None = None, want: int = 1):
        """A heartbeat with these readers (one that is ready, if none is given): Heard or TurnedAway."""
        challenge = challenge or self.challenge()
        said = list(readers) or [a_reader()]
        body = {"station": self.id, "challenge": challenge, "said": readers_digest(said), "want": want}
        body["readers"] = said
        body["signature"] = self.key.sign("heartbeat", challenge, body_digest(body))
        return stations.heartbeat(self.house, body)

    def touch(self, finger: int, impression: int = 9) -> CaptureAnswer:
        return self.post(a_touch(finger, impression))


def make_station(
    house: House, counter: str | None = "HUA1-1", site: str = "HUA1", gallery: PrintGallery | None = None
) -> Station:
    """Made by an administrator and enrolled with its code, as a real one is."""
    admin = make_account(house, "admin", scope=site)
    new = stations.create(house, admin, site, "counter", counter)
    key = StationKey.new()
    signature = key.sign("enrol", new.code, body_digest({"public_key": key.public}))
    enrolled = stations.enrol(house, new.code, key.public, signature)
    assert enrolled == new.id, enrolled
    return Station(house, key.named(new.id), PrintGallery() if gallery is None else gallery)
