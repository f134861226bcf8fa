"""What every reader must do, whatever is behind it. A new driver gets a bench in tests/devices/benches and passes the same tests."""

from __future__ import annotations

import threading
import time

import pytest

from devices import KINDS, ReaderSettings, open_reader
from devices.fingerprints import TooFewCylinders, decode, load_image, require_finger
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.errors import FingerprintError
from devices.fingerprints.extract import extract
from devices.interface import (
    CLOSED,
    FINGER,
    GIVES,
    ISO_TEMPLATE,
    NOT_CAPTURED_CODES,
    READY,
    STATES,
    TROUBLES,
    UNKNOWN_CODES,
    UNPLUGGED,
    BadTouch,
    Captured,
    NotCaptured,
    Reader,
    ReaderUnknown,
    ReaderUnplugged,
    ReaderUnusable,
    Sample,
    SimulatedReaderRefused,
    Touch,
    Unknown,
)
from devices.readers.simulated import SimulatedReader
from tests.devices.benches import BENCHES, make_bench


@pytest.fixture(params=BENCHES)
def bench(request):
    made = make_bench(request.param)
    yield made
    made.end()


def test_it_keeps_the_promise_of_a_reader(bench):
    assert isinstance(bench.reader, Reader)
    assert bench.reader.kind.isidentifier()
    assert bench.reader.kind in KINDS


def test_every_driver_stands_on_a_bench():
    assert set(BENCHES) == set(KINDS)


def test_it_says_what_it_is_before_and_after_it_was_open(bench):
    for _ in range(2):
        about = bench.reader.about()
        assert (about.kind, about.simulated) == (bench.reader.kind, bench.reader.simulated)
        assert about.gives in GIVES
        assert about.modality == bench.reader.modality
        assert all(isinstance(v, str) and len(v) <= 80 for v in about.declared().values())
        bench.reader.open()


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
    assert (sample.modality, sample.format, sample.dpi) == (FINGER, bench.format, bench.dpi)
    assert "liveness" in sample.declared
    assert cylinders(minutiae_of(sample)).enough


def minutiae_of(sample):
    if sample.format == ISO_TEMPLATE:
        return decode(sample.data)
    image = load_image(sample.data)
    require_finger(image, sample.dpi)
    return extract(image, sample.dpi)


def test_nobody_touches_and_the_wait_ends_in_time(bench):
    bench.reader.open()
    started = time.monotonic()
    assert bench.reader.capture(0.1) == NotCaptured("timed_out")
    assert time.monotonic() - started < 2


def test_unplugged_is_said_and_plugging_in_mends_it(bench):
    bench.reader.open()
    bench.unplug()
    assert bench.reader.capture(0.1) == NotCaptured("unplugged")
    assert bench.reader.state() == UNPLUGGED
    with pytest.raises((ReaderUnplugged, ReaderUnusable)):
        bench.reader.open()
    assert bench.reader.trouble() in TROUBLES
    bench.plug_in()
    bench.reader.open()
    bench.lay_on()
    assert isinstance(bench.reader.capture(5), Captured)


def test_lost_halfway_is_not_known_and_never_a_capture(bench):
    bench.reader.open()
    bench.vanish()
    assert bench.reader.capture(1) == Unknown("vanished")
    assert bench.reader.state() == UNPLUGGED


def test_each_fault_ends_clearly_and_nothing_needs_a_restart(bench):
    """The same object, driven on: a fault is said, and once it is mended a finger is read again."""
    faults = bench.faults()
    assert faults
    for fault in faults:
        bench.plug_in()
        bench.reader.open()
        fault.lay()
        ended = bench.reader.capture(1)
        assert (type(ended).__name__, ended.code) in fault.endings, fault.name
        assert ended.code in (NOT_CAPTURED_CODES if isinstance(ended, NotCaptured) else UNKNOWN_CODES)
        assert bench.reader.state() in STATES
        bench.plug_in()
        bench.reader.open()
        assert bench.reader.trouble() is None
        bench.lay_on()
        assert isinstance(bench.reader.capture(5), Captured), f"after: {fault.name}"


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
