"""libfprint beyond the contract: what the virtual device cannot do of itself, and what its process may do to us."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devices import ReaderSettings, make_reader
from devices.interface import (
    CLOSED,
    GIVES_IMAGE,
    GIVES_OWN_MATCHING,
    READY,
    UNPLUGGED,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    ReaderUnusable,
    SimulatedReaderRefused,
    Unknown,
)
from devices.readers import libfprint, libfprint_line
from devices.readers.libfprint import LibfprintReader, find
from tests.devices.benches.libfprint import LibfprintBench
from tests.devices.real_prints import print_of
from tests.devices.virtual_finger import picture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench():
    made = LibfprintBench()
    yield made
    made.end()


def wait_for(condition, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


# --- with libfprint itself --------------------------------------------------------------------


def test_the_picture_comes_through_as_it_was_laid_on(bench):
    bench.reader.open()
    bench.lay_on()
    captured = bench.reader.capture(10)
    with Image.open(io.BytesIO(captured.sample.data)) as image:
        assert np.array_equal(np.asarray(image), print_of(0, 1))
    assert captured.sample.dpi == 500
    assert captured.touch_ms is None or 0 <= captured.touch_ms < 10_000
    about = bench.reader.about()
    assert (about.maker, about.model) == ("libfprint driver virtual_image", "Virtual image device for debugging")
    assert (about.gives, about.liveness, about.firmware) == (GIVES_IMAGE, "none", None)
    assert captured.sample.declared["maker"] == about.maker


def test_a_device_that_compares_inside_itself_is_told_from_one_that_gives_pictures(bench):
    """libfprint's other virtual device has no CAPTURE feature, as the 45 match-on-chip ids have none."""

    class Inside(LibfprintReader):
        def _environment(self):
            return {**super()._environment(), "FP_VIRTUAL_DEVICE": self._virtual}

    reader = Inside(virtual=str(bench.home / "nowhere" / "inside.sock"))
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == reader.trouble() == "reader_matches_only_itself"
    assert "Virtual device" in refused.value.about
    assert (reader.about().gives, reader.about().dpi) == (GIVES_OWN_MATCHING, None)
    assert (reader.state(), reader.capture(0.1)) == (CLOSED, NotCaptured("closed"))


def test_the_one_that_gives_pictures_is_taken_where_there_are_both(bench):
    class Both(LibfprintReader):
        def _environment(self):
            return {**super()._environment(), "FP_VIRTUAL_DEVICE": str(bench.home / "inside.sock")}

    reader = Both(virtual=str(bench.finger.path))
    reader.open()
    assert reader.about().maker.endswith("virtual_image")
    reader.close()


@pytest.mark.parametrize("name", ["virtual_image", "virtual_image/0"])
def test_a_device_is_chosen_by_its_name(bench, name):
    reader = LibfprintReader(device=name, virtual=str(bench.finger.path))
    reader.open()
    assert reader.state() == READY
    reader.close()


def test_a_device_that_is_not_there_is_unplugged(bench):
    reader = LibfprintReader(device="uru4000", virtual=str(bench.finger.path))
    with pytest.raises(ReaderUnplugged):
        reader.open()
    assert (reader.state(), reader.trouble()) == (UNPLUGGED, "reader_unplugged")


def test_a_slow_device_is_waited_for(bench):
    whole = picture(print_of(0, 1))
    bench.reader.open()
    pieces = [whole[n : n + len(whole) // 6 + 1] for n in range(0, len(whole), len(whole) // 6 + 1)]
    bench.finger.act(*pieces, pause_s=0.1)
    assert isinstance(bench.reader.capture(10), Captured)


def test_its_process_killed_at_any_moment_is_never_half_a_capture(bench):
    chance = random.Random(7)
    for _ in range(6):
        bench.plug_in()
        bench.reader.open()
        bench.lay_on()
        threading.Timer(chance.uniform(0, 0.06), bench.kill).start()
        ended = bench.reader.capture(5)
        match ended:
            case Captured(sample):
                with Image.open(io.BytesIO(sample.data)) as image:
                    assert np.array_equal(np.asarray(image), print_of(0, 1))
            case _:
                assert ended in (Unknown("vanished"), NotCaptured("unplugged"))
        assert wait_for(lambda: bench.reader.state() != READY)
    bench.reader.open()
    bench.lay_on()
    assert isinstance(bench.reader.capture(10), Captured)


def test_a_process_that_hangs_is_not_known_and_another_takes_its_place(bench, monkeypatch):
    for module in (libfprint, libfprint_line):
        monkeypatch.setattr(module, "LETTING_GO_S", 0.2)
    bench.reader.open()
    first = bench.reader._process.pid
    bench.kill(signal.SIGSTOP)
    assert bench.reader.capture(0.1) == Unknown("silent")
    assert (bench.reader.state(), bench.reader.trouble()) == (UNPLUGGED, "reader_not_answering")
    assert not Path(f"/proc/{first}").exists()
    bench.reader.open()
    bench.lay_on()
    assert isinstance(bench.reader.capture(10), Captured)


def test_a_process_killed_while_nobody_waits_is_noticed(bench):
    bench.reader.open()
    bench.kill()
    assert wait_for(lambda: bench.reader.state() == UNPLUGGED)
    assert bench.reader.trouble() == "reader_not_answering"
    assert bench.reader.capture(0.1) == NotCaptured("unplugged")


def test_its_process_ends_with_the_program_that_started_it(bench):
    bench.reader.open()
    process = bench.reader._process
    process._popen.stdin.close()
    assert wait_for(lambda: process._popen.poll() is not None)
    assert process._popen.returncode == 0


def test_closing_leaves_no_process_behind(bench):
    bench.reader.open()
    pid = bench.reader._process.pid
    bench.reader.close()
    assert not Path(f"/proc/{pid}").exists()


def test_nothing_of_a_print_is_written_printed_or_logged(bench, caplog, capfd):
    bench.reader.open()
    before = {path for path in bench.home.rglob("*") if path.is_file()}
    bench.lay_on()
    captured = bench.reader.capture(10)
    process = Path("/proc") / str(bench.reader._process.pid)
    opened = {number.name: os.readlink(number) for number in (process / "fd").iterdir()}
    assert opened["2"] == opened["1"] == "/dev/null"
    flags = {n: int(_fdinfo(process, n)["flags"], 8) for n in opened}
    written = [to for n, to in opened.items() if to.startswith("/") and to != "/dev/null" and flags[n] & 3]
    assert [to for to in written if not to.startswith("/dev/")] == []
    assert {path for path in bench.home.rglob("*") if path.is_file()} == before
    assert "FP_" in (process / "environ").read_text() and "OST_" not in (process / "environ").read_text()
    said = caplog.text + "".join(capfd.readouterr()) + repr(captured) + repr(bench.reader.__dict__)
    assert "PNG" not in said and captured.sample.data.hex()[:40] not in said


def _fdinfo(process: Path, number: str) -> dict[str, str]:
    text = (process / "fdinfo" / number).read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


# --- a stand-in announces itself ----------------------------------------------------------------


def test_a_virtual_device_is_simulated_and_cannot_deny_it(bench):
    assert bench.reader.simulated is bench.reader.about().simulated is True
    with pytest.raises(AttributeError):
        bench.reader.simulated = False
    options = {"virtual": str(bench.finger.path)}
    with pytest.raises(SimulatedReaderRefused):
        make_reader(ReaderSettings("libfprint", False, options))
    assert make_reader(ReaderSettings("libfprint", True, options)).simulated
    assert not make_reader(ReaderSettings("libfprint")).simulated


def test_the_environment_brings_no_virtual_device_into_being(bench, monkeypatch):
    for name in ("FP_VIRTUAL_IMAGE", "FP_VIRTUAL_DEVICE", "FP_VIRTUAL_DEVICE_STORAGE"):
        monkeypatch.setenv(name, str(bench.finger.path))
    assert not any("virtual" in found.options.get("device", "") for found in find())
    with pytest.raises(ReaderUnplugged):
        LibfprintReader(device="virtual_image").open()


def test_a_virtual_device_that_got_in_otherwise_is_not_trusted(bench):
    class Smuggled(LibfprintReader):
        def _environment(self):
            return {**super()._environment(), "FP_VIRTUAL_IMAGE": str(bench.finger.path)}

    reader = Smuggled(device="virtual_image")
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == "reader_not_trusted"


# --- what the machine lacks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "code"),
    [
        (sys.executable, "reader_package_missing"),  # the project's own Python never sees gi
        ("/nowhere/python3", "reader_package_missing"),
        ("/bin/false", "reader_not_answering"),
        ("/bin/ls", "reader_not_answering"),
    ],
)
def test_a_machine_without_libfprint_is_told_what_to_install(python, code):
    reader = LibfprintReader(python=python)
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == reader.trouble() == code
    if python == sys.executable:
        assert refused.value.about == "libfprint-2-2 gir1.2-fprint-2.0 python3-gi"
    assert (reader.state(), reader.capture(0.1)) == (CLOSED, NotCaptured("closed"))


def test_find_says_so_too(monkeypatch):
    monkeypatch.setattr(libfprint, "SYSTEM_PYTHON", sys.executable)
    (found,) = find()
    assert (found.trouble, found.detail) == ("reader_package_missing", "gi")
    assert "libfprint-2-2" in found.todo[0]


def test_a_device_nobody_gave_us_comes_with_the_lines_to_type():
    said = {"driver": "uru4000", "id": "0", "name": "U.are.U 4500", "usb": "05ba:000a", "gives": "picture", "locked": True}
    found = libfprint._found(said)
    assert (found.options, found.trouble) == ({"device": "uru4000/0"}, "reader_permission_denied")
    assert 'ATTR{idVendor}=="05ba", ATTR{idProduct}=="000a"' in found.todo[0]
    assert libfprint._found(said | {"gives": "own_matching"}).trouble == "reader_matches_only_itself"
    assert libfprint._found(said | {"locked": False}).trouble is None


def test_libfprints_errors_become_our_codes():
    """Asked of libfprint's own error numbers, under the Python that has them."""
    script = """
import json, sys
sys.path.insert(0, sys.argv[1])
import gi
gi.require_version("FPrint", "2.0")
from gi.repository import FPrint, Gio, GLib
import libfprint_process
made = libfprint_process.Devices(None, FPrint, Gio, GLib)
device = lambda code: GLib.Error.new_literal(FPrint.device_error_quark(), "", int(code))
retry = GLib.Error.new_literal(FPrint.device_retry_quark(), "", 0)
io = lambda code: GLib.Error.new_literal(Gio.io_error_quark(), "", int(code))
usb = lambda text: GLib.Error.new_literal(GLib.quark_from_string("g-usb-device-error-quark"), text, 8)
codes = FPrint.DeviceError
why = [made._why_not(e) for e in (io(Gio.IOErrorEnum.PERMISSION_DENIED), usb("Access denied"), device(codes.BUSY),
    usb("Resource busy"), device(codes.REMOVED), usb("No such device (it may have been disconnected)"), device(codes.GENERAL))]
ends = lambda: [made._ending(e) for e in (retry, device(codes.REMOVED), device(codes.BUSY), device(codes.PROTO),
    device(codes.DATA_INVALID), device(codes.TOO_HOT), io(Gio.IOErrorEnum.CANCELLED), usb("No such device"), usb("I/O"))]
before = ends()
made._laid_at = 1.0
print(json.dumps([why, before, ends()]))
"""
    done = subprocess.run(
        [libfprint.SYSTEM_PYTHON, "-I", "-B", "-c", script, str(ROOT / "devices" / "readers")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    why, before, after = json.loads(done.stdout)
    assert why == [
        *["reader_permission_denied"] * 2,
        *["reader_port_taken"] * 2,
        *["reader_unplugged"] * 2,
        "reader_not_answering",
    ]
    assert before == [
        "no_finger", "unplugged", "busy", "garbled", "rejected", "device_error", "cancelled", "unplugged", "device_error",
    ]  # fmt: skip
    assert [after[1], after[7]] == ["vanished"] * 2


# --- options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dpi", [0, -500, 72, 100_000, "500", 500.0, None])
def test_a_resolution_that_cannot_be_is_a_wrong_setting(dpi):
    with pytest.raises(ReaderUnusable) as refused:
        make_reader(ReaderSettings("libfprint", options={"dpi": dpi}))
    assert refused.value.code == "reader_misconfigured"


def test_the_resolution_is_what_libfprint_says_else_what_was_set(bench):
    reader = LibfprintReader(virtual=str(bench.finger.path), dpi=569)
    reader.open()
    bench.lay_on()
    assert reader.capture(10).sample.dpi == 569
    assert reader.about().dpi == 569
    reader.close()


# --- a process that lies: what a broken library or a broken device could make it say -----------------

READY_FRAME = {"said": "ready"}
OPENED = {"said": "opened", "device": {"driver": "uru4000", "id": "0", "name": "liar", "gives": "picture"}}
GOOD = {"said": "captured", "number": 1, "width": 100, "height": 80, "points_per_mm": 0.0}
GREY = b"\x90" * 8000

LIAR = """#!{python} -I
import os, struct, sys, time
def say(path):
    with open(path, "rb") as file:
        data = file.read()
    while data:
        data = data[os.write(1, data):]
def heard():
    head = sys.stdin.buffer.read(8)
    what = head and sys.stdin.buffer.read(struct.unpack(">II", head)[0])
    if not what or b'"close"' in what:
        sys.exit()
say({home!r} + "/ready")
heard()
say({home!r} + "/opened")
heard()
say({home!r} + "/said")
if not os.path.exists({home!r} + "/dies"):
    heard()
"""


def frame(head, body: bytes = b"") -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack(">II", len(text), len(body)) + text + body


def liar(home: Path, said: bytes, dies: bool = False) -> LibfprintReader:
    (home / "ready").write_bytes(frame(READY_FRAME))
    (home / "opened").write_bytes(frame(OPENED))
    (home / "said").write_bytes(said)
    if dies:
        (home / "dies").touch()
    script = home / "python3"
    script.write_text(LIAR.format(python=sys.executable, home=str(home)))
    script.chmod(0o755)
    return LibfprintReader(python=str(script))


def test_the_liar_can_also_tell_the_truth(tmp_path):
    reader = liar(tmp_path, frame(GOOD, GREY))
    reader.open()
    sample = reader.capture(10).sample
    assert (sample.dpi, sample.format) == (500, "image/png")
    reader.close()


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        (frame(GOOD, GREY[:-1]), NotCaptured("rejected")),
        (frame(GOOD, GREY + b"\x90"), NotCaptured("rejected")),
        (frame(GOOD), NotCaptured("rejected")),
        (frame(GOOD | {"width": 0, "height": 0}), NotCaptured("rejected")),
        (frame(GOOD | {"width": -100, "height": -80}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"width": 8000, "height": 1}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"width": "100"}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"width": True, "height": 8000}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"width": None}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"points_per_mm": 1e300}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"points_per_mm": 0.5}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"points_per_mm": "500"}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"points_per_mm": float("inf")}, GREY), NotCaptured("rejected")),
        (frame(GOOD | {"points_per_mm": float("nan")}, GREY), NotCaptured("rejected")),
        (frame(GOOD, GREY[:4000] + b"\0" * 4000), Unknown("garbled")),
        (frame({"said": "ended", "number": 1, "code": "no_such_ending"}), NotCaptured("device_error")),
        (frame({"said": "nonsense", "number": 1}), Unknown("garbled")),
        (frame({"no": "said"}), Unknown("garbled")),
        (frame([1, 2]), Unknown("garbled")),
        (frame(b"{"), Unknown("garbled")),
        (frame(b"[" * 60_000), Unknown("garbled")),
        (frame(b"\xff\xfe"), Unknown("garbled")),
        (b"\xff" * 64, Unknown("garbled")),
        (struct.pack(">II", 10, 2**31), Unknown("garbled")),
    ],
)
def test_what_cannot_be_is_never_a_capture(tmp_path, said, ending):
    reader = liar(tmp_path, said)
    reader.open()
    assert reader.capture(10) == ending
    reader.open()
    assert reader.state() == READY
    reader.close()


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 30, 4000, -1])
def test_half_a_frame_and_then_nothing_is_lost_halfway(tmp_path, cut):
    reader = liar(tmp_path, frame(GOOD, GREY)[:cut], dies=True)
    reader.open()
    assert reader.capture(10) == Unknown("vanished")
    assert (reader.state(), reader.trouble()) == (UNPLUGGED, "reader_not_answering")
    reader.open()
    assert reader.trouble() is None
    reader.close()


def test_what_belongs_to_an_earlier_touch_is_not_taken_for_this_one(tmp_path):
    reader = liar(tmp_path, frame(GOOD | {"number": 0}, GREY) * 3)
    reader.open()
    assert reader.capture(0.3) in (Unknown("silent"), Unknown("vanished"))
    reader.close()
