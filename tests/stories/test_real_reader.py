"""A real reader at a real counter: `ost serve` and `ost agent` as two processes, libfprint between finger and agent.

A person is enrolled by touching the counter's own reader; another impression of the same finger then brings them to
the counter, and somebody else's finger brings nobody. The prints are real where the shared data is present.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.devices.real_prints import print_of
from tests.devices.virtual_finger import VirtualFinger
from tests.stories.people import PATIENCE_MS, Nurse
from tests.stories.real_readers import agent_at

pytestmark = pytest.mark.story

COUNTER = "HUA1-1"
THEIRS, ANOTHER = 1, 3  # fingers of the data


@pytest.fixture
def device() -> Iterator[VirtualFinger]:
    """libfprint's virtual device is plugged in; the path of a socket has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="ost-reader-"))
    finger = VirtualFinger(folder / "finger.sock")
    yield finger
    finger.lift()
    shutil.rmtree(folder, ignore_errors=True)


class Enroller(Nurse):
    """A nurse who enrols fingers with the counter's own reader."""

    def opens_fingers_of(self, person) -> None:
        self.go(f"/patients/{person.id}/fingers")

    def asks_for(self, finger: str) -> None:
        self.page.select_option("#enrolling select[name=finger]", finger)
        self.press("#enrolling [data-primary]")
        self.touch_is_asked(1)

    def touch_is_asked(self, number: int) -> None:
        expect(self.page.locator(".enrol__ask")).to_contain_text(f"{number}", timeout=PATIENCE_MS)

    def sees_kept(self, number: int) -> None:
        expect(self.page.locator("#enrolling .tier--done").first).to_contain_text(f"{number}", timeout=PATIENCE_MS)
        self.shot(f"enrol-{number}")


def test_enrolled_at_the_counter_and_recognised_by_another_touch(story, page, device, axe):
    person = story.person("steady")
    with agent_at(story, COUNTER, "libfprint", virtual=device.path):
        nurse = Enroller(story, page)
        nurse.opens_the_counter()
        nurse.opens_fingers_of(person)
        nurse.shot("enrol-0")
        nurse.asks_for("right_thumb")
        nurse.shot("enrol-asked")
        axe(page)

        device.lay_on(print_of(THEIRS, 2))
        nurse.sees_kept(1)
        device.lay_on(print_of(ANOTHER, 2))  # the next in the queue is early
        expect(page.locator("#enrolling .tier--reason")).to_be_visible(timeout=PATIENCE_MS)
        nurse.shot("enrol-differs")
        nurse.touch_is_asked(2)
        device.lay_on(print_of(THEIRS, 3))
        nurse.sees_kept(2)
        device.lay_on(print_of(THEIRS, 4))
        expect(page.locator(".enrol__now--done")).to_be_visible(timeout=PATIENCE_MS)
        nurse.shot("enrol-done")
        axe(page)
        kept = story.rows(
            "SELECT f.impression, f.nfiq2, c.patient FROM fingerprint f JOIN capture c ON c.id = f.capture"
            " WHERE f.patient = :id AND f.finger = 'right_thumb' ORDER BY f.impression",
            id=person.id,
        )
        assert [(f.impression, f.patient) for f in kept] == [(1, None), (2, None), (3, None)]
        assert all(0 <= f.nfiq2 <= 100 for f in kept)

        nurse.go(f"/counter/{COUNTER}")
        nurse.sees("idle")
        is_not_recognised(device, page, print_of(ANOTHER, 1))
        device.lay_on(print_of(THEIRS, 8))
        nurse.sees("card")
        expect(page.locator("#person h2")).to_have_text(person.number)
        nurse.shot("recognised")
    story.verify()


def is_not_recognised(device, page, finger) -> None:
    """Laid on until the counter says so: a busy machine drops a touch that cannot be told within 3 s."""
    said = page.locator(".idle__notice [data-reason=not_recognised]")
    for _ in range(3):
        device.lay_on(finger)
        try:
            said.wait_for(timeout=PATIENCE_MS / 3)
        except PlaywrightTimeout:
            continue
        break
    expect(said).to_be_visible()


def test_the_counter_says_what_its_reader_is_for_and_stop_gives_it_back(story, page, device):
    person = story.person("steady")
    with agent_at(story, COUNTER, "libfprint", virtual=device.path):
        nurse = Enroller(story, page)
        nurse.opens_the_counter()
        nurse.opens_fingers_of(person)
        nurse.asks_for("left_thumb")
        nurse.press("#enrolling form[action$='/stop'] button")
        expect(page.locator("#enrolling select[name=finger]")).to_be_visible()
        assert not story.rows("SELECT station FROM station_task")
        nurse.opens_fingers_of(person)
        nurse.go(f"/counter/{COUNTER}")
        nurse.sees("idle")
        is_not_recognised(device, page, print_of(THEIRS, 2))
    assert not story.rows("SELECT id FROM fingerprint WHERE finger = 'left_thumb' AND patient = :id", id=person.id)
