"""What is plugged in, said so that somebody can act on it; one bad driver hides no other."""

from __future__ import annotations

import json
import shlex
import sys
import time
import types

import pytest
from click.testing import CliRunner

import devices
from devices import discover as discovering
from devices.discover import Found, discover, find_one
from devices.interface import (
    GIVES_IMAGE,
    NOT_CAPTURED_CODES,
    READY,
    TROUBLES,
    UNKNOWN_CODES,
    About,
    Captured,
    NotCaptured,
    ReaderUnusable,
    Sample,
)
from ost.cli import main
from ost.commands import devices as command
from ost.commands.reader_options import BadOption, parse_options, typed_options
from ost.errors import catalogue
from tests.devices.prints import drawn, png

PRINT = png(drawn(0, 0))


class Shelf:
    """Drivers that are put on it stand in for those of the program."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.drivers = {}

    def put(self, kind, **names):
        module = types.ModuleType(f"shelf_{kind}")
        for name, value in names.items():
            setattr(module, name, value)
        self.monkeypatch.setitem(sys.modules, module.__name__, module)
        self.drivers[kind] = (module.__name__, "Driver")
        self.monkeypatch.setattr(discovering, "DRIVERS", self.drivers)
        self.monkeypatch.setattr(devices, "DRIVERS", self.drivers)


@pytest.fixture
def shelf(monkeypatch):
    return Shelf(monkeypatch)


@pytest.fixture
def ost(monkeypatch, tmp_path):
    monkeypatch.setenv("OST_HOME", str(tmp_path))

    def run(*words):
        return CliRunner().invoke(main, words)

    return run


def raising(error):
    def find():
        raise error

    return find


# --- what there is -------------------------------------------------------------------


def test_every_driver_of_the_program_can_be_asked_quickly_and_answers_with_findings(caplog):
    started = time.monotonic()
    for each in discover():
        assert isinstance(each, Found)
        assert each.kind in devices.KINDS
        assert each.trouble is None or each.trouble in TROUBLES
        assert all(isinstance(line, str) and line for line in each.todo)
        json.dumps(dict(each.options))
    assert time.monotonic() - started < discovering.WAIT_S + 1
    assert not caplog.records


def test_findings_come_in_order_and_one_bad_driver_hides_no_other(shelf, caplog):
    def slow():
        time.sleep(5)
        return []

    shelf.put("stuck", find=slow)
    shelf.put("broken", find=raising(RuntimeError("no")))
    shelf.put("locked", find=raising(ReaderUnusable("reader_permission_denied", "dialout")))
    shelf.put("good", find=lambda: [Found("good", {"port": "x"}, "a reader")])
    shelf.put("plain")
    seen = []
    found = discover(
        lambda done, total, kind: seen.append((done, total, kind)), tuple(shelf.drivers), wait_s=0.5
    )
    assert [(f.kind, f.trouble) for f in found] == [
        ("stuck", "reader_not_answering"),
        ("broken", "reader_not_answering"),
        ("locked", "reader_permission_denied"),
        ("good", None),
    ]
    assert found[2].detail == "dialout"
    assert [row[:2] for row in seen] == [(1, 5), (2, 5), (3, 5), (4, 5)]
    assert "looking for broken failed" in caplog.text


def test_a_missing_library_is_a_finding_with_the_line_to_type(shelf):
    shelf.put("serial_one", find=raising(ImportError("no", name="serial.tools")))
    (found,) = find_one("serial_one")
    assert (found.trouble, found.detail, found.todo) == (
        "reader_package_missing",
        "serial",
        ("pip install pyserial",),
    )
    shelf.drivers["gone"] = ("shelf_of_nothing", "Driver")
    (found,) = find_one("gone")
    assert found.trouble == "reader_package_missing"


def test_every_trouble_and_every_ending_has_words():
    for code in (*TROUBLES, *NOT_CAPTURED_CODES, *UNKNOWN_CODES):
        assert code in catalogue(), code
        assert len(command.sentence(code)) > 20


# --- ost devices list ------------------------------------------------------------------


def test_list_says_what_can_be_used_and_what_to_do_about_the_rest(shelf, ost):
    shelf.put(
        "good",
        find=lambda: [Found("good", {"port": "/dev/x"}, "a [bold] reader", about=About("good", GIVES_IMAGE))],
    )
    shelf.put(
        "locked",
        find=lambda: [
            Found(
                "locked",
                {},
                "usb",
                "reader_permission_denied",
                None,
                "dialout",
                ("sudo usermod -aG dialout nurse",),
            )
        ],
    )
    command_discover = command.discover
    try:
        command.discover = lambda: discover(kinds=tuple(shelf.drivers))
        done = ost("devices", "list", "--json")
    finally:
        command.discover = command_discover
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout.splitlines()[-1])
    good, locked = said["devices"]
    assert (said["usable"], good["trouble"], good["options"]) == (1, None, {"port": "/dev/x"})
    assert locked["todo"] == ["sudo usermod -aG dialout nurse"]
    assert locked["says"].startswith("This account may not use the reader.")


# --- ost devices probe -------------------------------------------------------------------


class Driver:
    kind, modality, simulated = "good", "finger", False
    answer = NotCaptured("timed_out")
    trouble_at_open = None

    def __init__(self, port="x"):
        self.closed = 0

    def open(self):
        if self.trouble_at_open:
            raise ReaderUnusable(self.trouble_at_open, "port x")

    def close(self):
        type(self).was_closed = True

    def state(self):
        return READY

    def trouble(self):
        return None

    def about(self):
        return About("good", GIVES_IMAGE, dpi=500, maker="[red]Maker[/]", serial="0012")

    def capture(self, timeout_s):
        return self.answer


@pytest.fixture
def driver(shelf, monkeypatch):
    made = type("Driver", (Driver,), {})
    shelf.put(
        "good", Driver=made, find=lambda: [Found("good", {}, "x", made.trouble_at_open, todo=("do this",))]
    )
    monkeypatch.setattr(command.probe.params[0], "type", type(command.probe.params[0].type)(["good"]))
    return made


def test_probe_says_what_the_reader_is(driver, ost):
    done = ost("devices", "probe", "good", "--option", "port=y", "--json")
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["passed"], said["state"]) == (0, True, READY)
    assert (said["about"]["serial"], said["about"]["gives"], said["about"]["liveness"]) == (
        "0012",
        "image",
        "none",
    )
    assert "[red]Maker[/]" in done.stderr
    assert driver.was_closed


@pytest.mark.parametrize("code", TROUBLES)
def test_probe_of_a_reader_that_cannot_be_used_is_one_sentence_what_to_do_and_exit_1(driver, ost, code):
    driver.trouble_at_open = code
    done = ost("devices", "probe", "good", "--json")
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["passed"], said["code"], said["detail"]) == (1, False, code, "port x")
    assert said["says"] == command.sentence(code)
    assert said["todo"] == ["do this"]
    assert driver.was_closed


def test_wrong_options_are_named(driver, ost):
    done = ost("devices", "probe", "good", "--option", "prot=y", "--json")
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["code"]) == (1, "reader_misconfigured")
    assert "prot" in said["detail"]
    assert ost("devices", "probe", "good", "--option", "port").exit_code == 2


def test_a_touch_is_judged_and_neither_shown_nor_kept(driver, ost, tmp_path):
    driver.answer = Captured(Sample("finger", "image/png", PRINT, 500))
    done = ost("devices", "probe", "good", "--touch", "--json")
    said = json.loads(done.stdout.splitlines()[-1])
    touch = said["touch"]
    assert (done.exit_code, touch["declared_dpi"], touch["resolution_plausible"]) == (0, 500, True)
    assert touch["nfiq2"] > 0 and touch["valid_cylinders"] >= 12 and touch["width_px"] == drawn(0, 0).shape[1]
    assert "data" not in done.output and "x89" not in done.output and len(done.output) < 4000
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_resolution_the_ridges_deny_is_said(driver, ost):
    driver.answer = Captured(Sample("finger", "image/png", PRINT, 1000))
    done = ost("devices", "probe", "good", "--touch", "--json")
    assert (
        "do not fit the resolution" in done.stderr
        or json.loads(done.stdout.splitlines()[-1])["passed"] is False
    )


@pytest.mark.parametrize(
    "answer",
    [NotCaptured("timed_out"), NotCaptured("rejected"), Captured(Sample("finger", "image/png", b"no", 500))],
)
def test_a_touch_that_comes_to_nothing_is_said_with_exit_1(driver, ost, answer):
    driver.answer = answer
    done = ost("devices", "probe", "good", "--touch", "--json")
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["passed"]) == (1, False)
    assert said["touch"]["code"] == getattr(answer, "code", "bad_image")


# --- options as they are typed --------------------------------------------------------------


def test_options_have_the_types_they_look_like(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("open sesame\nand more\n")
    typed = ["port=/dev/ttyUSB0", "baud=57600", "serial=0012", 'name="57600"', "gap=0.5", "tls=yes", "ca=none",
             "fields.image=BMP", "fields.dpi=DPI", f"password=@{secret}", "key=a=b", "empty=", "long=12345678901234567890"]  # fmt: skip
    assert parse_options(typed) == {
        "port": "/dev/ttyUSB0",
        "baud": 57600,
        "serial": "0012",
        "name": "57600",
        "gap": 0.5,
        "tls": True,
        "ca": None,
        "fields": {"image": "BMP", "dpi": "DPI"},
        "password": "open sesame",
        "key": "a=b",
        "empty": "",
        "long": "12345678901234567890",
    }


def test_what_list_tells_to_type_gives_the_same_options():
    options = {"serial": "12345", "port": "/dev/tty USB0", "baud": 57600, "tls": True, "ca": None, "gap": 0.5,
               "name": "yes", "url": "http://[::1]:1/x?a=b", "first": "@home", "quoted": '"x"'}  # fmt: skip
    words = shlex.split(typed_options(options))
    assert words[::2] == ["--option"] * len(options)
    assert parse_options(words[1::2]) == options


@pytest.mark.parametrize("pair", ["port", "=x", "Port=x", "a b=c", "x=@/nowhere/at/all", "__class__=x"])
def test_what_is_no_option_is_refused_without_its_value(pair):
    with pytest.raises(BadOption) as refused:
        parse_options([pair])
    assert "/nowhere" not in str(refused.value)


@pytest.mark.parametrize("pairs", [["a=1", "a=2"], ["a.x=1", "a.x=2"], ["a=1", "a.x=2"]])
def test_an_option_is_given_once(pairs):
    with pytest.raises(BadOption):
        parse_options(pairs)
