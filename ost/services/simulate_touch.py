"""The demo's reader: a finger of one of its people is laid on, through the same signed door as any other.

Draws the picture, takes a challenge, signs with the key of the counter's own demo
station, and posts: nothing is let in that a real station could not send. Outside
the demo nothing here does anything, and the door refuses simulated readers anyway.
"""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.fingerprints.drawing import draw, png
from devices.fingerprints.extract import DPI
from devices.interface import (
    FINGER,
    GIVES_IMAGE,
    READY,
    UNPLUGGED,
    Sample,
    Touch,
    body_digest,
    readers_digest,
    signed_bytes,
)
from ost import clock
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.patient import fingerprint, patient
from ost.models.station import station
from ost.services import challenges, stations
from ost.services.access import require
from ost.services.captures import CaptureAnswer, receive_capture
from ost.services.enrol_demo import FINGERS, demo_finger_seed
from ost.services.expected import expected_patients
from ost.services.gallery import PrintGallery
from ost.services.work import SYSTEM, Actor, House

#: What can be laid on, and what can happen to the reader.
PERSON, WRONG_FINGER, WET, STRANGER, UNPLUG, PLUG, VANISH = ACTS = (
    "person",  # an enrolled finger of the person
    "wrong_finger",  # a finger of the person that nobody enrolled
    "wet",  # an enrolled finger, too wet to read
    "stranger",  # somebody this network has never seen
    "unplug",
    "plug",
    "vanish",  # the cable is pulled during the touch
)
_NOT_ENROLLED = "right_ring"
_KIND = "simulated"
_NAME = "practice"
#: What the demo's own stations are called, to tell them from an agent's.
_LABEL = "demo"

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One button of the panel: somebody with synthetic fingers."""

    patient: str
    number: str


def touch(
    house: House,
    gallery: PrintGallery,
    keys: Path,
    counter: str,
    act: str,
    patient_id: str | None = None,
    finger: str | None = None,
) -> CaptureAnswer:
    """Do `act` at the counter's demo reader. `keys`: the folder of the demo stations' keys. `finger`: this one of
    the person's, enrolled or not; None for any that is enrolled.

    Answers as the door does; "unplug" and "plug" answer with the state's code.
    """
    if not house.demo:
        raise Refusal("simulated_reader_refused")
    if act not in ACTS:
        raise Refusal("input_invalid", fields={"act": ["not_a_choice"]})
    demo = _station(house, keys, counter)
    if act in (UNPLUG, PLUG):
        _beat(house, demo, UNPLUGGED if act == UNPLUG else READY)
        return CaptureAnswer("again", "unplugged" if act == UNPLUG else None)
    if demo.state == UNPLUGGED:
        return _post(house, gallery, demo, Touch(_KIND, True, "not_captured", "unplugged", reader=_NAME))
    if act == VANISH:
        _beat(house, demo, UNPLUGGED)
        return _post(house, gallery, demo, Touch(_KIND, True, "unknown", "vanished", reader=_NAME))
    image = _picture(house, act, patient_id, finger)
    sample = Sample(FINGER, "image/png", image, DPI, {"model": "demo", "liveness": "none"})
    return _post(house, gallery, demo, Touch(_KIND, True, "captured", None, sample, _NAME))


def _picture(house: House, act: str, patient_id: str | None, finger: str | None = None) -> bytes:
    if act == STRANGER:
        seed = secrets.randbits(62)
    else:
        if patient_id is None:
            raise Refusal("patient_unknown")
        if finger is None:
            finger = _NOT_ENROLLED if act == WRONG_FINGER else secrets.choice(_enrolled(house, patient_id))
        seed = demo_finger_seed(house, patient_id, finger)
    # Impressions 1 to 3 are the enrolled ones; a touch never repeats them.
    impression = 1000 + secrets.randbits(30)
    return png(draw(seed, impression, "wet" if act == WET else "normal"))


def _enrolled(house: House, patient_id: str) -> list[str]:
    """The person's synthetic fingers; those they would have, while they are not enrolled yet."""
    with house.read() as tx:
        found = tx.execute(
            sa.select(fingerprint.c.finger)
            .where(
                fingerprint.c.patient == patient_id,
                fingerprint.c.synthetic,
                fingerprint.c.withdrawn_at.is_(None),
            )
            .distinct()
        ).scalars()
        return list(found) or list(FINGERS)


def people(house: House, site: str, limit: int = 12) -> list[DemoPerson]:
    """People with synthetic fingers whom the panel offers: today's guests first, then those of the site, by number."""
    p, f, s = patient, fingerprint, sites.site
    with house.read() as tx:
        tz = tx.execute(sa.select(s.c.tz).where(s.c.id == site)).scalar_one()
        here = sa.or_(p.c.home_site == site, p.c.id.in_(expected_patients(tx, site, clock.dosing_day(house.now(), tz))))
        has = sa.exists().where(f.c.patient == p.c.id, f.c.synthetic, f.c.withdrawn_at.is_(None))
        rows = tx.execute(
            sa.select(p.c.id, p.c.number)
            .where(here, p.c.active, has)
            .order_by(p.c.home_site == site, p.c.number)
            .limit(limit)
        ).all()
    return [DemoPerson(r.id, r.number) for r in rows]


# --- the demo's stations ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Demo:
    """`state`: what its last heartbeat said of the reader; kept with the station, as a real one's is."""

    id: str
    key: Ed25519PrivateKey = field(repr=False)
    state: str = READY

    def sign(self, purpose: str, challenge: str, digest: str) -> str:
        return self.key.sign(signed_bytes(purpose, self.id, challenge, digest)).hex()


def make_demo_stations(house: House, keys: Path, counters: list[str] | None = None) -> int:
    """A simulated station at each counter that has none; how many were made. For the demo's loader."""
    if not house.demo:
        raise Refusal("simulated_reader_refused")
    with house.read() as tx:
        c = sites.counter
        query = sa.select(c.c.id).where(c.c.station.is_(None)).order_by(c.c.id)
        free = tx.execute(query).scalars().all()
    wanted = [name for name in free if counters is None or name in counters]
    for name in wanted:
        _station(house, keys, name)
    return len(wanted)


def _station(house: House, keys: Path, counter: str) -> _Demo:
    """The demo station at this counter: made and enrolled, by code like any other, at first use."""
    with _lock:
        with house.read() as tx:
            c = sites.counter
            row = tx.execute(
                sa.select(
                    c.c.site,
                    c.c.station,
                    station.c.public_key,
                    station.c.revoked_at,
                    station.c.label,
                    station.c.reader_state,
                )
                .join(station, station.c.id == c.c.station, isouter=True)
                .where(c.c.id == counter)
            ).one_or_none()
        if row is None:
            raise Refusal("counter_unknown")
        key = _read_key(keys / f"{counter}.key")
        public = key.public_key().public_bytes_raw().hex() if key else None
        if key is not None and row.public_key == public and row.revoked_at is None:
            return _Demo(row.station, key, UNPLUGGED if row.reader_state == UNPLUGGED else READY)
        if row.station is not None and row.revoked_at is None and row.label != _LABEL:
            # An agent's station stands here: the demo's panel must not push it aside.
            raise Refusal("real_reader_here")
        key = Ed25519PrivateKey.generate()
        _write_key(keys / f"{counter}.key", key)
        new = stations.create(house, SYSTEM, row.site, _LABEL, counter)
        public = key.public_key().public_bytes_raw().hex()
        message = signed_bytes("enrol", "", new.code, body_digest({"public_key": public}))
        enrolled = stations.enrol(house, new.code, public, key.sign(message).hex())
        if enrolled != new.id:
            raise Refusal("enrol_code_wrong")
        demo = _Demo(new.id, key)
    _beat(house, demo, READY)
    return demo


def _read_key(path: Path) -> Ed25519PrivateKey | None:
    try:
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _write_key(path: Path, key: Ed25519PrivateKey) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes_raw())


# --- the same door as everybody -----------------------------------------------------


def _post(house: House, gallery: PrintGallery, demo: _Demo, touch: Touch) -> CaptureAnswer:
    challenge = challenges.issue(house.keys, demo.id, house.now())[0]
    signature = demo.sign("capture", challenge, touch.digest())
    return receive_capture(house, gallery, demo.id, challenge, touch, signature)


def beat(house: House, keys: Path, counter: str) -> None:
    """The demo reader's heartbeat: called while a counter's page is open, so that the reader shows as there.

    Where an agent's station stands, that one speaks for itself.
    """
    try:
        demo = _station(house, keys, counter)
    except Refusal as refusal:
        if refusal.code != "real_reader_here":
            raise
        return
    _beat(house, demo, demo.state)


def _beat(house: House, demo: _Demo, state: str) -> None:
    challenge = challenges.issue(house.keys, demo.id, house.now())[0]
    reader = {
        "name": _NAME,
        "kind": _KIND,
        "simulated": True,
        "state": state,
        "trouble": None if state == READY else "reader_unplugged",
        "gives": GIVES_IMAGE,
        "modality": FINGER,
        "dpi": DPI,
        "maker": "ost",
        "model": "demo",
        "serial": None,
        "firmware": None,
        "liveness": "none",
    }
    body = {"station": demo.id, "challenge": challenge, "said": readers_digest([reader]), "want": 1}
    body["readers"] = [reader]
    body["signature"] = demo.sign("heartbeat", challenge, body_digest(body))
    stations.heartbeat(house, body)


# --- the panel ------------------------------------------------------------------------

#: What a button of the panel says, besides a patient's id.
BUTTONS = {"wet": WET, "wrong": WRONG_FINGER, "stranger": STRANGER, "unplug": UNPLUG, "plug": PLUG, "vanish": VANISH}


def press(
    house: House, gallery: PrintGallery, keys: Path, actor: Actor, counter: str, button: str
) -> CaptureAnswer:
    """A button of the panel at this counter: a patient's id, or one of BUTTONS.

    "wet" and "wrong" are fingers of the person on the card, or of the first the panel offers.
    """
    with house.read() as tx:
        c = sites.counter
        row = tx.execute(sa.select(c.c.site, c.c.patient).where(c.c.id == counter)).one_or_none()
    if row is None:
        raise Refusal("counter_unknown")
    require(house, actor, "counter.use", row.site)
    act = BUTTONS.get(button, PERSON)
    person = button if act == PERSON else row.patient
    if person is None:
        offered = people(house, row.site, 1)
        person = offered[0].patient if offered else None
    return touch(house, gallery, keys, counter, act, person)
