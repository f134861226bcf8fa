"""What every reader must do, whatever is behind it. A new driver is added to READERS and passes the same tests."""

from __future__ import annotations

import threading
import time

import pytest

from devices import ReaderSettings, open_reader
from devices.fingerprints import TooFewCylinders, load_image, require_finger
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.errors import FingerprintError
from devices.fingerprints.extract import extract
from devices.interface import (
    CLOSED,
    FINGER,
    READY,
    UNPLUGGED,
    BadTouch,
    Captured,
    NotCaptured,
    Reader,
    ReaderUnknown,
    ReaderUnplugged,
    Sample,
    SimulatedReaderRefused,
    Touch,
    Unknown,
)
from devices.readers.simulated import SimulatedReader


class SimulatedBench:
    """How a test lays fingers on this kind of reader."""

    def __init__(self):
        self.reader = SimulatedReader()

    def lay_on(self):
        self.reader.touch(finger=7, impression=1)

    def unplug(self):
        self.reader.unplug()

    def plug_in(self):
        self.reader.plug_in()

    def vanish(self):
        self.reader.vanish()


READERS = [SimulatedBench]


@pytest.fixture(params=READERS)
def bench(request):
    made = request.param()
    yield made
    made.reader.close()


def test_it_keeps_the_promise_of_a_reader(bench):
    assert isinstance(bench.reader, Reader)
    assert bench.reader.kind.isidentifier()


def test_open_and_closed_are_ends_that_may_be_asked_for_twice(bench):
    reader = bench.reader
    assert reader.state() == CLOSED
    reader.open()
    reader.open()
    assert reader.state() == READY
    reader.close()
    reader.close()
    assert reader.state() == CLOSED
    assert reader.capture(0.01) == NotCaptured("closed")
    reader.open()
    assert reader.state() == READY


def test_a_finger_gives_a_sample_the_extractor_can_use(bench):
    bench.reader.open()
    bench.lay_on()
    captured = bench.reader.capture(5)
    assert isinstance(captured, Captured)
    sample = captured.sample
    assert (sample.modality, sample.format, sample.dpi) == (FINGER, "image/png", 500)
    image = load_image(sample.data)
    require_finger(image, sample.dpi)
    assert cylinders(extract(image, sample.dpi)).enough


def test_nobody_touches_and_the_wait_ends_in_time(bench):
    bench.reader.open()
    started = time.monotonic()
    assert bench.reader.capture(0.1) == NotCaptured("timed_out")
    assert time.monotonic() - started < 2


def test_unplugged_is_said_and_plugging_in_mends_it(bench):
    bench.reader.open()
    bench.unplug()
    assert bench.reader.state() == UNPLUGGED
    assert bench.reader.capture(0.1) == NotCaptured("unplugged")
    with pytest.raises(ReaderUnplugged):
        bench.reader.open()
    bench.plug_in()
    bench.reader.open()
    bench.lay_on()
    assert isinstance(bench.reader.capture(5), Captured)


def test_lost_halfway_is_not_known_and_never_a_capture(bench):
    bench.reader.open()
    bench.vanish()
    assert bench.reader.capture(1) == Unknown("vanished")
    assert bench.reader.state() == UNPLUGGED


def test_closing_ends_a_wait(bench):
    bench.reader.open()
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(bench.reader.capture(20)))
    waiting.start()
    time.sleep(0.1)
    bench.reader.close()
    waiting.join(timeout=2)
    assert ended == [NotCaptured("closed")]


def test_no_representation_shows_a_sample(bench):
    bench.reader.open()
    bench.lay_on()
    captured = bench.reader.capture(5)
    touch = Touch.of(bench.reader, captured)
    for thing in (captured, captured.sample, touch):
        assert "PNG" not in repr(thing) and "x89" not in repr(thing)
        assert len(repr(thing)) < 300


# --- the simulated one ---------------------------------------------------------


def test_a_simulated_reader_cannot_deny_it():
    reader = SimulatedReader()
    with pytest.raises(AttributeError):
        reader.simulated = False
    assert reader.simulated is True


def test_it_is_refused_where_only_real_ones_may_act():
    with pytest.raises(SimulatedReaderRefused):
        open_reader(ReaderSettings("simulated"))
    assert open_reader(ReaderSettings("simulated", allow_simulated=True)).state() == READY
    with pytest.raises(ReaderUnknown):
        open_reader(ReaderSettings("crystal_ball", allow_simulated=True))


@pytest.mark.parametrize("condition", ["wet", "edge"])
@pytest.mark.parametrize("finger", [1, 2, 3])
def test_a_wet_finger_is_please_touch_again(condition, finger):
    reader = SimulatedReader()
    reader.open()
    reader.touch(finger, condition, impression=3)
    image = load_image(reader.capture(5).sample.data)

    def read():
        require_finger(image)
        found = cylinders(extract(image))
        if not found.enough:
            raise TooFewCylinders("again")

    with pytest.raises(FingerprintError):
        read()


def test_two_touches_of_one_finger_differ():
    reader = SimulatedReader()
    reader.open()
    reader.touch(4)
    reader.touch(4)
    assert reader.capture(5).sample.data != reader.capture(5).sample.data


# --- a touch on its way ------------------------------------------------------------


def sample(**values):
    return Sample(**{"modality": FINGER, "format": "image/png", "data": b"\x89PNG....", "dpi": 500, **values})


def test_a_touch_survives_the_wire_and_keeps_its_digest():
    for touch in (
        Touch("simulated", True, "captured", None, sample(declared={"maker": "x"})),
        Touch("zfm", False, "not_captured", "unplugged"),
        Touch("zfm", False, "unknown", "vanished"),
    ):
        again = Touch.from_wire(touch.to_wire())
        assert again.digest() == touch.digest()
        assert again.ending == touch.ending


def test_the_digest_binds_every_field():
    base = Touch("simulated", True, "captured", None, sample())
    others = [
        Touch("simulated", False, "captured", None, sample()),
        Touch("zfm", True, "captured", None, sample()),
        Touch("simulated", True, "captured", None, sample(dpi=501)),
        Touch("simulated", True, "captured", None, sample(data=b"\x89PNG...!")),
        Touch("simulated", True, "captured", None, sample(declared={"liveness": "yes"})),
    ]
    assert len({t.digest() for t in [base, *others]}) == 6


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"simulated": "no"}, "simulated"),
        ({"reader_kind": ""}, "reader_kind"),
        ({"ending": "done"}, "ending"),
        ({"sample": None}, "sample"),
        ({"extra": 1}, "unknown field"),
        ({"code": "timed_out"}, "code"),
        ({"sample": {"modality": "finger", "format": "image/png", "dpi": 500, "data": "%%%"}}, "data"),
        ({"sample": {"modality": "finger", "format": "image/png", "dpi": 500, "data": "iVBORw0"}}, "data"),
        ({"sample": {"modality": "finger", "format": "image/gif", "dpi": 500, "data": "AAAA"}}, "format"),
        ({"sample": {"modality": "nose", "format": "image/png", "dpi": 500, "data": "AAAA"}}, "modality"),
        ({"sample": {"modality": "finger", "format": "image/png", "dpi": True, "data": "AAAA"}}, "dpi"),
    ],
)
def test_what_is_no_touch_is_refused_by_the_name_of_the_field(change, field):
    wire = Touch("simulated", True, "captured", None, sample()).to_wire() | change
    with pytest.raises(BadTouch) as refused:
        Touch.from_wire(wire)
    assert refused.value.field == field
