"""The serial driver: opening a port or saying why not, its threads, the module's own library, and what is plugged in."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from types import SimpleNamespace

import pytest
import serial
from click.testing import CliRunner

from devices.discover import find_one
from devices.interface import CLOSED, READY, UNPLUGGED, NotCaptured, ReaderUnplugged, ReaderUnusable
from devices.readers import zfm_line, zfm_ports
from devices.readers.zfm import ZfmReader
from devices.readers.zfm_library import ModuleRefused
from ost.cli import main
from tests.devices.prints import drawn
from tests.devices.zfm_hands import modules, opened, reader_of
from tests.devices.zfm_module import GEN_IMG, UP_IMAGE


@pytest.fixture
def new(tmp_path):
    with modules(tmp_path) as make:
        yield make


@pytest.fixture
def module(new):
    return new()


# --- opening ----------------------------------------------------------------------------------------------


def refusal(reader: ZfmReader) -> tuple[str, str]:
    with pytest.raises((ReaderUnusable, ReaderUnplugged)) as refused:
        reader.open()
    assert reader.trouble() == refused.value.code
    return refused.value.code, getattr(refused.value, "about", "")


def test_a_wrong_password_is_said_and_never_shown(new):
    module = new(password=123_456_789)
    reader = reader_of(module, password="987654321")
    code, about = refusal(reader)
    assert code == "reader_refused_password"
    assert "987654321" not in about + repr(reader)
    assert opened(module, password="123456789").state() == READY


def test_another_program_on_the_port(module):
    with serial.Serial(str(module.link), exclusive=True):
        assert refusal(reader_of(module))[0] == "reader_port_taken"
    assert opened(module).state() == READY


def test_while_it_is_open_no_other_program_gets_the_port(module):
    reader = opened(module)
    with open(module.link, "rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    reader.close()
    with open(module.link, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (13, "reader_permission_denied"),
        (16, "reader_port_taken"),
        (2, "reader_unplugged"),
        (6, "reader_unplugged"),
        (25, "reader_misconfigured"),
    ],
)
def test_why_a_port_cannot_be_opened(tmp_path, number, code):
    port = tmp_path / "ttyUSB0"
    port.touch()
    refused = zfm_line.why_not(str(port), serial.SerialException(number, os.strerror(number)))
    assert refused.code == code
    if code == "reader_permission_denied":
        assert refused.about == port.group()


def test_a_file_is_no_serial_port(tmp_path):
    (tmp_path / "file").write_text("x")
    assert refusal(ZfmReader(str(tmp_path / "file")))[0] == "reader_misconfigured"
    assert refusal(ZfmReader(str(tmp_path / "nothing")))[0] == "reader_unplugged"


def test_nothing_behind_the_port(module):
    module.fail(on=None, silent_at=0)
    reader = reader_of(module, answer_s=0.05)
    assert refusal(reader)[0] == "reader_not_answering"
    assert reader.state() == UNPLUGGED
    module.plug_in()
    reader.open()
    assert reader.state() == READY


def test_the_wrong_speed_is_silence_and_the_right_one_is_found(new):
    module = new(baud=9_600)
    assert refusal(reader_of(module, answer_s=0.05)) == ("reader_not_answering", "57600 baud")
    reader = opened(module, baud="auto", answer_s=0.1)
    assert reader.parameters().baud == 9_600


def test_no_speed_at_all(new):
    module = new(baud=4_800)
    assert refusal(reader_of(module, baud=0, answer_s=0.05)) == ("reader_not_answering", "any speed")


def test_another_address_is_named(module):
    module.address = 0x0000_0042
    module.hears_any_address = True
    assert refusal(reader_of(module)) == ("reader_misconfigured", "its address is 0x00000042")
    module.hears_any_address = False
    assert refusal(reader_of(module, answer_s=0.05))[0] == "reader_not_answering"
    assert opened(module, address="0x42").state() == READY


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": ""},
        {"port": None},
        {"baud": "fast"},
        {"baud": -1},
        {"password": "secret-word"},
        {"password": 2**32},
        {"address": True},
        {"dpi": 5000},
        {"answer_s": 0},
        {"poll_s": 60},
    ],
)
def test_wrong_options_are_refused_without_repeating_them(wrong):
    with pytest.raises((ValueError, TypeError)) as refused:
        ZfmReader(**{"port": "somewhere", **wrong})
    assert "secret-word" not in str(refused.value)


# --- threads --------------------------------------------------------------------------------------------


def test_closing_ends_a_transfer_too(new):
    module = new(paced=True)
    reader = opened(module, answer_s=1.0)
    module.touch(drawn(7, 1))
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(reader.capture(20)))
    waiting.start()
    while UP_IMAGE not in module.asked:
        time.sleep(0.005)
    reader.close()
    waiting.join(timeout=2)
    assert ended == [NotCaptured("closed")]
    assert reader.state() == CLOSED


def test_opening_while_it_is_closed_ends_closed(module):
    module.fail(on=None, silent_at=0)
    reader = reader_of(module, answer_s=5)
    opening = threading.Thread(target=reader.open)
    opening.start()
    while not module.asked:
        time.sleep(0.005)
    reader.close()
    opening.join(timeout=2)
    assert not opening.is_alive()
    assert (reader.state(), reader.trouble()) == (CLOSED, None)


def test_a_second_capture_beside_the_first_is_told_to_wait(module):
    reader = opened(module)
    first = threading.Thread(target=lambda: reader.capture(10))
    first.start()
    while not module.asked.count(GEN_IMG):
        time.sleep(0.005)
    assert reader.capture(0.05) == NotCaptured("busy")
    reader.close()
    first.join(timeout=2)
    assert not first.is_alive()


# --- the module's own library ------------------------------------------------------------------------


def test_the_library_of_a_module(new):
    module = new(matches=True)
    reader = opened(module, answer_s=1.0)
    library = reader.library()
    assert (library.capacity(), library.count(), library.slots()) == (1000, 0, [])
    module.touch(drawn(7, 1))
    module.touch(drawn(7, 2))
    library.enrol(260)
    assert (library.count(), library.slots()) == (1, [260])
    module.touch(drawn(7, 3))
    slot, points = library.search()
    assert slot == 260 and points > 40
    module.touch(drawn(7, 3))
    assert abs(library.match(260) - points) < 60
    module.touch(drawn(3, 1))
    assert library.search() is None
    module.touch(drawn(3, 1))
    assert library.match(260) is None

    template = library.read(260)
    assert len(template) == 512
    library.write(4, template)
    assert library.slots() == [4, 260]
    library.delete(260)
    assert library.slots() == [4]
    library.empty()
    assert library.count() == 0


def test_the_library_says_no_in_words(new):
    module = new(matches=True)
    reader = opened(module)
    library = reader.library()
    for work, word in [
        (lambda: library.read(3), "empty"),
        (lambda: library.write(5000, b"\1" * 512), "no such slot"),
        (lambda: library.delete(999, 3), "cannot be deleted"),
        (lambda: library.search(timeout_s=0.01), "no finger"),
    ]:
        with pytest.raises(ModuleRefused, match=word):
            work()
    module.touch(drawn(7, 1))
    module.touch(drawn(3, 1))
    with pytest.raises(ModuleRefused, match="not of one finger"):
        library.enrol(1)
    assert reader.state() == READY
    reader.close()
    with pytest.raises(ReaderUnusable):
        library.count()


def test_a_library_that_is_lost_on_the_way_closes_the_reader(module):
    reader = opened(module)
    module.fail(on=0x1D, cut_at=4)
    with pytest.raises(ReaderUnusable) as lost:
        reader.library().count()
    assert (lost.value.code, reader.trouble()) == ("reader_unplugged", "reader_unplugged")


@pytest.mark.parametrize("broken", [False, True])
def test_probe_says_how_full_a_module_is(module, monkeypatch, tmp_path, broken):
    monkeypatch.setenv("OST_HOME", str(tmp_path))
    module.flash = dict.fromkeys((0, 3, 500), b"template")
    if broken:
        module.fail(on=0x1D, code=0x18)
    options = [f"--option={name}={value}" for name, value in {"port": module.link, "answer_s": 0.5}.items()]
    done = CliRunner().invoke(main, ["devices", "probe", "zfm", *options, "--json"])
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["passed"]) == (0, True)
    assert said["library"] == (
        {"says": "the flash cannot be written"} if broken else {"filled": 3, "slots": 1000}
    )
    assert ("flash" if broken else "3 of 1000 slots filled") in done.stderr


# --- what is plugged in -----------------------------------------------------------------------------------


def port(device, vid=None, pid=None):
    return SimpleNamespace(device=str(device), vid=vid, pid=pid)


def test_ports_that_may_lead_to_a_module_are_found_and_not_opened(module, tmp_path, monkeypatch):
    shut = tmp_path / "ttyUSB9"
    shut.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-1a86_serial-if00").symlink_to(module.link)
    monkeypatch.setattr(zfm_ports, "BY_ID", by_id)
    listed = [
        port(module.link, 0x1A86, 0x7523),
        port(shut, 0x10C4, 0xEA60),
        port("/dev/ttyS0"),
        port("/dev/x", 0x1234, 1),
    ]
    monkeypatch.setattr(zfm_ports.list_ports, "comports", lambda: listed)
    really = os.access
    monkeypatch.setattr(zfm_ports.os, "access", lambda path, mode: path != str(shut) and really(path, mode))
    found = find_one("zfm")
    assert [each.trouble for each in found] == [None, "reader_permission_denied"]
    assert found[0].options == {"port": str(by_id / "usb-1a86_serial-if00"), "baud": "auto"}
    assert "1a86:7523" in found[0].label
    assert found[1].detail == shut.group() and shut.group() in found[1].todo[0]
    assert module.asked == []
    reader = ZfmReader(**found[0].options, answer_s=0.25)
    reader.open()
    assert reader.state() == READY
