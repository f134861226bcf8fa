"""The serial driver against the emulated module: pictures to the pixel, every way of losing one, and coming back."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from devices.fingerprints.cylinders import cylinders, match
from devices.fingerprints.extract import extract, load_image
from devices.interface import CLOSED, READY, UNPLUGGED, Captured, NotCaptured, ReaderUnplugged, Unknown
from tests.devices.prints import drawn
from tests.devices.zfm_fingers import ROUND, WIDE, glass, packed, unpacked
from tests.devices.zfm_hands import modules, opened
from tests.devices.zfm_module import GEN_IMG, UP_IMAGE

#: Bytes of the answer to UpImage and of the whole picture on the wire, in packets of 128.
ANSWER, PACKET, PACKETS = 12, 139, 288
WIRE = ANSWER + PACKET * PACKETS

READ_PROD_INFO = 0x3C


@pytest.fixture
def new(tmp_path):
    with modules(tmp_path) as make:
        yield make


@pytest.fixture
def module(new):
    return new()


def pixels(captured: Captured) -> np.ndarray:
    with Image.open(io.BytesIO(captured.sample.data)) as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


# --- the picture --------------------------------------------------------------------------------------


def test_the_picture_is_the_modules_own_to_the_pixel(module):
    reader = opened(module)
    module.touch(drawn(7, 1))
    captured = reader.capture(5)
    assert np.array_equal(pixels(captured), unpacked(module.picture))
    assert captured.sample.dpi == 500
    assert captured.touch_ms >= 0


def test_the_round_sensor_says_what_it_is(new):
    module = new(old=False)
    reader = opened(module)
    about = reader.about()
    assert (about.model, about.serial, about.firmware, about.dpi) == ("R503", "A1234567", "hardware 1.2", 508)
    module.touch(drawn(7, 1))
    captured = reader.capture(5)
    assert np.array_equal(pixels(captured), unpacked(module.picture, ROUND))
    assert captured.sample.dpi == 508
    assert captured.sample.declared["model"] == "R503"


@pytest.mark.parametrize("packet_code", [0, 1, 3])
def test_any_size_of_packet_will_do(module, packet_code):
    module.packet_code = packet_code
    reader = opened(module)
    module.touch(drawn(7, 1))
    assert np.array_equal(pixels(reader.capture(5)), unpacked(module.picture))


@pytest.mark.parametrize("quiet", [True, False])
def test_an_older_module_need_not_know_what_it_is(module, quiet):
    module.quiet_on_unknown = quiet
    reader = opened(module)
    assert READ_PROD_INFO in module.asked
    assert reader.about().model == "system id 0x0009"
    module.touch(drawn(7, 1))
    assert isinstance(reader.capture(5), Captured)


def test_the_pictures_of_real_fingers_match_a_full_enrolment(new, shared_data):
    """Enrolled from whole pictures, touched on the module: 4 bits and a small window are enough."""
    module = new()
    reader = opened(module)
    folder = shared_data / "fingerprints" / "fvc2002" / "DB1_B"
    whole = {f: cylinders(extract(load_image((folder / f"{f}_1.png").read_bytes()))) for f in (101, 102, 103)}
    genuine, impostor = [], []
    for finger in whole:
        module.touch(load_image((folder / f"{finger}_3.png").read_bytes()))
        touched = cylinders(extract(load_image(reader.capture(5).sample.data), 500))
        for other, enrolled in whole.items():
            (genuine if other == finger else impostor).append(float(match(enrolled, touched)))
    # Measured 0.278, 0.245, 0.157 against at most 0.02; the counter's operating point lies at 0.04.
    assert min(genuine) > 0.1
    assert max(impostor) < 0.04
    assert min(genuine) > 4 * max(impostor)


def test_a_touch_over_a_line_as_slow_as_the_real_one(new):
    """57,600 baud: 40,044 bytes of ten bits take seven seconds, and nothing is lost on the way."""
    module = new(paced=True)
    reader = opened(module, answer_s=1.0, poll_s=0.1)
    module.touch(drawn(7, 1))
    started = time.monotonic()
    captured = reader.capture(10)
    assert np.array_equal(pixels(captured), unpacked(module.picture))
    assert time.monotonic() - started > 0.95 * WIRE * 10 / 57_600


# --- one touch, one capture -----------------------------------------------------------------------


def test_a_resting_finger_is_one_capture(module):
    reader = opened(module)
    module.rest(drawn(7, 1))
    assert isinstance(reader.capture(5), Captured)
    for _ in range(3):
        assert reader.capture(0.05) == NotCaptured("timed_out")
    assert module.asked.count(UP_IMAGE) == 1
    module.lift()
    assert reader.capture(0.05) == NotCaptured("timed_out")
    module.touch(drawn(7, 1))
    assert isinstance(reader.capture(5), Captured)


def test_a_resting_finger_is_one_capture_even_across_a_lost_line(module):
    reader = opened(module)
    module.fail(silent_at=500, times=1)
    module.rest(drawn(7, 1))
    assert reader.capture(5) == Unknown("silent")
    reader.open()
    assert reader.capture(0.05) == NotCaptured("timed_out")


def test_dirt_that_never_goes_is_said_to_be_a_fault(module, monkeypatch):
    monkeypatch.setattr("devices.readers.zfm.RESTING_S", 0.1)
    reader = opened(module)
    module.rest(drawn(7, 1))
    assert isinstance(reader.capture(5), Captured)
    assert reader.capture(5) == NotCaptured("device_error")


def test_an_earlier_picture_is_no_new_touch(module):
    """A module that acknowledges a touch and gives the last person's picture: two touches never agree to the bit."""
    reader = opened(module)
    module.touch(drawn(7, 1))
    assert isinstance(reader.capture(5), Captured)
    module.touch(drawn(3, 1))
    module.touches[-1].picture = module.picture
    assert reader.capture(5) == NotCaptured("rejected")
    module.touch(drawn(3, 1))
    assert isinstance(reader.capture(5), Captured)


# --- lost, at any byte -----------------------------------------------------------------------------

HEAD_OF_ANSWER = range(ANSWER)
KINDS_OF_BYTE = sorted(
    {
        *HEAD_OF_ANSWER,
        *(ANSWER + at for at in (0, 1, 2, 5, 6, 7, 8, 9, 40, 136, 137, 138, 139, 140)),
        ANSWER + PACKET * 100 + 17,
        *(WIRE - back for back in (PACKET, 130, 3, 2, 1)),
    }
)


@pytest.mark.parametrize("at", KINDS_OF_BYTE)
def test_unplugged_at_any_byte_of_the_picture_is_not_known(module, at):
    reader = opened(module)
    module.fail(cut_at=at)
    module.touch(drawn(7, 1))
    assert reader.capture(5) == Unknown("vanished")
    assert (reader.state(), reader.trouble()) == (UNPLUGGED, "reader_unplugged")
    with pytest.raises(ReaderUnplugged):
        reader.open()
    module.plug_in()
    reader.open()
    assert (reader.state(), reader.trouble()) == (READY, None)


@pytest.mark.parametrize("at", range(ANSWER))
def test_unplugged_before_a_finger_was_acknowledged_is_certainly_nothing(module, at):
    reader = opened(module)
    module.fail(on=GEN_IMG, cut_at=at)
    module.touch(drawn(7, 1))
    assert reader.capture(5) == NotCaptured("unplugged")
    assert reader.state() == UNPLUGGED


@pytest.mark.parametrize("at", [0, 5, 11, 12, 20, 140, WIRE - 1])
def test_silence_at_any_byte_is_not_known(module, at):
    reader = opened(module, answer_s=0.3)
    module.fail(silent_at=at)
    module.touch(drawn(7, 1))
    ended = reader.capture(5)
    assert ended in (Unknown("silent"), Unknown("garbled"))
    assert (reader.state(), reader.trouble()) == (UNPLUGGED, "reader_not_answering")
    module.plug_in()
    reader.open()
    module.touch(drawn(3, 1))
    assert isinstance(reader.capture(5), Captured)


@settings(max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.dictionaries(st.integers(0, WIRE - 1), st.integers(1, 255), min_size=1, max_size=1),
    always=st.booleans(),
)
def test_one_wrong_byte_never_alters_a_pixel(module, flips, always):
    module.plug_in()
    reader = opened(module)
    module.fail(flips=flips, times=1_000 if always else 1)
    module.touch(drawn(7, 1))
    ended = reader.capture(5)
    reader.close()
    if isinstance(ended, Captured):
        assert np.array_equal(pixels(ended), unpacked(module.picture))
        assert not always
    else:
        assert isinstance(ended, Unknown)
        # Once is mended by asking once more, unless the last packet seemed longer than it is and never ended.
        assert always or (ended == Unknown("silent") and min(flips) >= WIRE - PACKET)


@pytest.mark.parametrize(
    "how",
    [
        {"drop": (ANSWER + 20, 1)},
        {"drop": (ANSWER + PACKET * 7, PACKET)},
        {"drop": (ANSWER + 130, 300)},
        {"insert": (ANSWER + PACKET, b"\x00")},
        {"insert": (ANSWER + PACKET * 3 + 50, b"\xef\x01")},
    ],
)
def test_lost_and_added_bytes_are_asked_for_once_more(module, how):
    reader = opened(module)
    module.fail(**how, times=1)
    module.touch(drawn(7, 1))
    ended = reader.capture(5)
    assert np.array_equal(pixels(ended), unpacked(module.picture))
    assert module.asked.count(UP_IMAGE) == 2


@pytest.mark.parametrize(
    "noise", [b"\x00", b"\xef", b"\xef\x01", b"\xef\x01\xff\xff\xff\xff\x07\x00", b"\xff" * 300]
)
def test_noise_before_an_answer_is_passed_over(module, noise):
    reader = opened(module)
    module.fail(on=GEN_IMG, insert=(0, noise))
    module.touch(drawn(7, 1))
    captured = reader.capture(5)
    assert np.array_equal(pixels(captured), unpacked(module.picture))


def test_a_slow_module_is_waited_for(module):
    module.packet_code = 3
    reader = opened(module)
    module.fail(on=None, delay_s=0.01)
    module.touch(drawn(7, 1))
    assert np.array_equal(pixels(reader.capture(5)), unpacked(module.picture))


# --- power ---------------------------------------------------------------------------------------------


def test_a_module_that_starts_anew_while_waiting_is_greeted_anew(new):
    module = new(old=False, password=0xABCD)
    reader = opened(module, password="0xabcd")
    assert reader.capture(0.02) == NotCaptured("timed_out")
    module.power_dip()
    assert reader.capture(0.5) == NotCaptured("device_error")
    assert (reader.state(), reader.trouble()) == (CLOSED, "reader_not_ready")
    reader.open()
    module.touch(drawn(7, 1))
    assert isinstance(reader.capture(5), Captured)


def test_a_module_without_a_greeting_asks_for_its_password_again(new):
    module = new(password=7)
    reader = opened(module, password=7)
    module._verified = False
    assert reader.capture(0.5) == NotCaptured("device_error")
    assert reader.trouble() == "reader_not_ready"
    reader.open()
    assert reader.state() == READY


def test_it_may_say_that_it_has_power_while_it_is_being_opened(new):
    module = new(old=False)
    module.fail(on=0x13, insert=(0, b"\x55"), times=1)
    assert opened(module).state() == READY


def test_losing_power_between_the_touch_and_the_picture_is_not_known(module):
    reader = opened(module)
    module.fail(restart_at=0, times=1)
    module.touch(drawn(7, 1))
    assert reader.capture(5) == Unknown("vanished")
    assert reader.trouble() == "reader_not_ready"
    reader.open()


# --- devices that are not what they say ------------------------------------------------------------


def test_a_sensor_is_held_to_the_size_it_declares(new):
    module = new(old=False)
    module.claims_size = WIDE
    reader = opened(module)
    module.touch(drawn(7, 1))
    assert reader.capture(5) == NotCaptured("rejected")


def test_a_size_that_no_sensor_has_is_no_picture(new):
    module = new(old=False)
    for claimed in [(0xFFFF, 0xFFFF), (1, 36_864), (191, 193)]:
        module.claims_size = claimed
        reader = opened(module)
        assert reader.about().dpi is None
        module.touch(drawn(7, 1))
        assert reader.capture(5) == NotCaptured("rejected")
        reader.close()


# --- what the tests stand on ----------------------------------------------------------------------------


def test_the_emulated_glass_shows_the_middle_of_a_print_in_sixteen_greys():
    seen = glass(drawn(7, 1))
    assert seen.shape == (288, 256)
    back = unpacked(packed(seen))
    assert set(np.unique(back)) <= {17 * each for each in range(16)}
    assert np.abs(back.astype(int) - seen).max() < 17
