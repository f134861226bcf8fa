"""A serial fingerprint module at a real counter: `ost serve` and `ost agent` as two processes, an emulated module on a
pseudo-terminal between finger and agent.

A person is enrolled on one make of reader (libfprint) and recognised on the other (the module, 4-bit grey), by another
impression of the same finger; and pulling the module's plug in the middle of a picture needs no restart of anything.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.devices.real_prints import print_of
from tests.devices.virtual_finger import VirtualFinger
from tests.devices.zfm_module import Module
from tests.stories.people import PATIENCE_MS
from tests.stories.real_readers import agent_at
from tests.stories.test_real_reader import Enroller

pytestmark = pytest.mark.story

COUNTER = "HUA1-1"
THEIRS, ANOTHER = 1, 3  # fingers of the data


@pytest.fixture
def folder() -> Iterator[Path]:
    """The path of a socket has to be short."""
    made = Path(tempfile.mkdtemp(prefix="ost-reader-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def optical(folder) -> Iterator[VirtualFinger]:
    finger = VirtualFinger(folder / "finger.sock")
    yield finger
    finger.lift()


@pytest.fixture
def serial_module(folder) -> Iterator[Module]:
    module = Module(folder / "port")
    module.plug_in()
    yield module
    module.unplug()


def is_kept(story, person, number: int) -> None:
    """So many impressions of the finger are in the database; the next touch is asked for from then on."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < until:
        kept = story.rows(
            "SELECT id FROM fingerprint WHERE finger = 'right_thumb' AND patient = :id", id=person.id
        )
        if len(kept) == number:
            return
        time.sleep(0.1)
    raise AssertionError(f"impression {number} was not kept")


def test_enrolled_on_one_reader_and_recognised_on_the_other(story, page, optical, serial_module):
    person = story.person("steady")
    nurse = Enroller(story, page)
    nurse.opens_the_counter()
    with agent_at(story, COUNTER, "libfprint", virtual=optical.path):
        nurse.opens_fingers_of(person)
        nurse.asks_for("right_thumb")
        for number, impression in ((1, 2), (2, 3), (3, 4)):
            optical.lay_on(print_of(THEIRS, impression))
            is_kept(story, person, number)
        expect(page.locator(".enrol__now--done")).to_be_visible(timeout=PATIENCE_MS)

    with agent_at(story, COUNTER, "zfm", port=serial_module.link) as agent:
        nurse.go(f"/counter/{COUNTER}")
        nurse.sees("idle")
        notice = page.locator(".idle__notice")
        serial_module.touch(print_of(ANOTHER, 1))
        expect(notice.locator("[data-reason=not_recognised]")).to_be_visible(timeout=PATIENCE_MS)
        nurse.shot("serial-nobody")

        serial_module.fail(cut_at=20_000)
        serial_module.touch(print_of(THEIRS, 8))
        expect(notice.locator("[data-reason=vanished]")).to_be_visible(timeout=PATIENCE_MS)
        nurse.shot("serial-vanished")
        serial_module.plug_in()
        agent.is_ready()

        serial_module.touch(print_of(THEIRS, 8))
        nurse.sees("card")
        expect(page.locator("#person h2")).to_have_text(person.number)
        nurse.shot("serial-recognised")
        assert agent.process.poll() is None
    captures = story.rows(
        "SELECT c.reader_kind, c.simulated FROM capture c WHERE c.station = :station ORDER BY c.at",
        station=agent.station,
    )
    assert {(each.reader_kind, bool(each.simulated)) for each in captures} == {("zfm", False)}
    story.verify()
