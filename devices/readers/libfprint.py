"""Readers that libfprint drives: any of its devices that gives pictures, over 130 of the commonest.

libfprint is reached in a process of its own under the system's Python (`libfprint_process`), because its
bindings live there and nowhere else. If that process dies, hangs or talks nonsense, the capture is not known
and `open` starts another. Does: pictures. Does not: matching inside the device, enrolment on it, or liveness,
which libfprint knows nothing of.

Tested against Debian's libfprint with its virtual image device. That one is a stand-in: it is there only
when the option `virtual` names its socket, and a reader with it says that it is simulated.
"""

from __future__ import annotations

import io
import math
import os
import threading
import time
from pathlib import Path

from PIL import Image

from devices.discover import Found, package_missing
from devices.interface import (
    CLOSED,
    FINGER,
    GIVES_IMAGE,
    GIVES_OWN_MATCHING,
    NOT_CAPTURED_CODES,
    READY,
    UNKNOWN_CODES,
    UNPLUGGED,
    About,
    Capture,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    ReaderUnusable,
    Sample,
    Unknown,
)
from devices.readers.libfprint_line import HUNG_UP, LETTING_GO_S, Process, device_in

SYSTEM_PYTHON = "/usr/bin/python3"

#: What libfprint assumes of a device that does not say (documentation of fp_image_get_ppmm).
USUAL_DPI = 500
#: Sides of a real sensor in mm: the narrowest swipe sensor gives about 4, four fingers at once are 80.
LEAST_MM, MOST_MM = 2.5, 100.0
LEAST_DPI, MOST_DPI = 200, 2000
#: A picture is dark ridges on a pale ground. When the line breaks halfway, libfprint hands out what came and leaves the
#: rest black; more than this share of it at the end is a picture that was cut off.
CUT_OFF = 0.1

_OPEN_S = 15.0  # an interpreter, libfprint, and a device that has to be woken; only waited for in full when it hangs
_TO_DO_LOCKED = (
    """echo 'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{0}", ATTR{{idProduct}}=="{1}", GROUP="plugdev", MODE="0660"' """
    "| sudo tee /etc/udev/rules.d/70-ost-reader.rules",
    "sudo udevadm control --reload && sudo udevadm trigger",
    "sudo adduser $USER plugdev",
)


class LibfprintReader:
    """One device of libfprint's.

    `device`: "driver/id" or "driver" as `ost devices list` shows it, None for the first that gives pictures.
    `python`: an interpreter that has `gi`. `dpi`: of its pictures where libfprint does not say, 500 unless told.
    `virtual`: socket of libfprint's virtual image device, for tests and practice only.
    """

    kind = "libfprint"
    modality = FINGER

    def __init__(
        self,
        device: str | None = None,
        python: str = SYSTEM_PYTHON,
        dpi: int = USUAL_DPI,
        virtual: str | None = None,
    ):
        if not isinstance(dpi, int) or not LEAST_DPI <= dpi <= MOST_DPI:
            raise ValueError(f"dpi is a whole number from {LEAST_DPI} to {MOST_DPI}")
        self._wanted = device
        self._python = str(python)
        self._dpi = dpi
        self._virtual = virtual
        self._said: dict = {}
        self._process: Process | None = None
        self._state = CLOSED
        self._trouble: str | None = None
        self._captures = 0
        self._lock = threading.RLock()  # of opening and closing; never held while waiting for a finger

    @property
    def simulated(self) -> bool:
        return self._virtual is not None

    # --- open and closed ---------------------------------------------------------------
    def open(self) -> None:
        with self._lock:
            if self.state() == READY:
                return
            self._let_go()
            try:
                self._open()
            except (ReaderUnplugged, ReaderUnusable) as error:
                self._let_go()
                self._state = UNPLUGGED if error.code == ReaderUnplugged.code else CLOSED
                self._trouble = error.code
                raise

    def _open(self) -> None:
        process = self._process = Process(self._python, self._environment())
        until = time.monotonic() + _OPEN_S
        if process.answer(until)["said"] != "ready":
            raise ReaderUnusable("reader_not_answering", "libfprint")
        process.tell({"do": "open", "device": self._wanted})
        answer = process.answer(until, heard=self._hear_of)
        if answer["said"] != "opened":
            raise ReaderUnusable("reader_not_answering", "libfprint")
        if self._said["driver"].startswith("virtual") != self.simulated:
            raise ReaderUnusable("reader_not_trusted", self._said["driver"])
        self._state, self._trouble = READY, None

    def _hear_of(self, answer: dict) -> None:
        """What is said of the device is known also where it cannot be used."""
        if isinstance(answer.get("device"), dict):
            self._said = device_in(answer)

    def close(self) -> None:
        # A waiting capture is told first, so that nobody waits for the device to let go.
        process = self._process
        if process is not None:
            process.put(HUNG_UP)
        with self._lock:
            self._let_go()
            self._state, self._trouble = CLOSED, None

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def state(self) -> str:
        process = self._process
        if self._state == READY and (process is None or process.lost is not None):
            removed = process is None or process.lost == "removed"
            self._state = UNPLUGGED
            self._trouble = "reader_unplugged" if removed else "reader_not_answering"
        return self._state

    def trouble(self) -> str | None:
        return None if self.state() == READY else self._trouble

    def about(self) -> About:
        said = self._said
        usb = f" (usb {said['usb']})" if said.get("usb") else ""
        return About(
            self.kind,
            GIVES_OWN_MATCHING if said.get("gives") == GIVES_OWN_MATCHING else GIVES_IMAGE,
            simulated=self.simulated,
            dpi=self._dpi if said.get("gives") != GIVES_OWN_MATCHING else None,
            maker=f"libfprint driver {said['driver']}"[:80] if said else None,
            model=f"{said['name']}{usb}"[:80] if said else None,
        )

    def _environment(self) -> dict[str, str]:
        """What the process needs to run. Without `virtual` nothing can make libfprint invent a device."""
        kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "GI_TYPELIB_PATH")
        found = {name: os.environ[name] for name in kept if name in os.environ}
        if self._virtual is not None and Path(self._virtual).parent.is_dir():
            found["FP_VIRTUAL_IMAGE"] = self._virtual
        return found

    # --- a touch -------------------------------------------------------------------------
    def capture(self, timeout_s: float) -> Capture:
        process = self._process
        if self.state() != READY or process is None:
            return NotCaptured("closed" if self._state == CLOSED else "unplugged")
        self._captures += 1
        number = self._captures
        if not process.tell({"do": "capture", "number": number}):
            return self._lost(process, "vanished")
        answer = self._ended(process, number, time.monotonic() + timeout_s)
        if answer is None:
            # Nobody touched; a finger that came at this very moment still counts.
            process.tell({"do": "cancel"})
            answer = self._ended(process, number, time.monotonic() + LETTING_GO_S)
            if answer is None:
                return self._lost(process, "silent")
            if answer.get("code") == "cancelled":
                return NotCaptured("timed_out")
        match answer["said"]:
            case "closed":
                return NotCaptured("closed")
            case "captured":
                return self._picture(answer)
            case "ended":
                return self._without(process, str(answer.get("code")))
            case "gone":
                return NotCaptured("closed") if self._process is None else self._lost(process, "vanished")
        return self._lost(process, "garbled")

    def _ended(self, process: Process, number: int, until: float) -> dict | None:
        """The end of this capture; None when it has none by then. What belongs to an earlier one is left out."""
        while True:
            said = process.hear(until)
            if said is None or said["said"] in ("gone", "garbled", "closed") or said.get("number") == number:
                return said

    def _without(self, process: Process, code: str) -> Capture:
        if code in ("vanished", "unplugged"):
            process.lost = "removed"
        if code in UNKNOWN_CODES:
            return Unknown(code)
        return NotCaptured(code if code in NOT_CAPTURED_CODES else "device_error")

    def _lost(self, process: Process, code: str) -> Unknown:
        """The process is gone, hangs, or talks nonsense: it is ended, and `open` starts another."""
        process.lost = process.lost or code
        process.kill()
        return Unknown(code)

    def _picture(self, said: dict) -> Capture:
        width, height, data = said.get("width"), said.get("height"), said["data"]
        per_mm = said.get("points_per_mm")
        if type(width) is not int or type(height) is not int:
            return NotCaptured("rejected")
        if type(per_mm) not in (int, float) or not math.isfinite(per_mm):
            return NotCaptured("rejected")
        dpi = round(per_mm * 25.4) if per_mm > 0 else self._dpi
        sides_mm = [side * 25.4 / dpi for side in (width, height)] if LEAST_DPI <= dpi <= MOST_DPI else [0]
        if width * height != len(data) or not all(LEAST_MM <= side <= MOST_MM for side in sides_mm):
            return NotCaptured("rejected")
        if len(data) - len(data.rstrip(b"\0")) > len(data) * CUT_OFF:
            return Unknown("garbled")
        packed = io.BytesIO()
        Image.frombytes("L", (width, height), data).save(packed, "PNG", compress_level=1)
        touch_ms = said.get("touch_ms")
        known_ms = touch_ms if type(touch_ms) is int and 0 <= touch_ms < 3_600_000 else None
        return Captured(Sample(FINGER, "image/png", packed.getvalue(), dpi, self.about().declared()), known_ms)


def find() -> list[Found]:
    """libfprint's devices on this machine, whether they can be used or not; none is opened."""
    try:
        process = Process(SYSTEM_PYTHON, LibfprintReader()._environment())
    except ReaderUnusable:
        return [package_missing("libfprint", "gi")]
    try:
        until = time.monotonic() + 2.5
        process.answer(until)
        process.tell({"do": "list"})
        listed = process.answer(until).get("devices")
    except ReaderUnusable as error:
        if error.code == "reader_package_missing":
            return [package_missing("libfprint", "gi")]
        raise
    finally:
        process.end()
    return [_found(device_in({"device": each})) for each in listed if isinstance(each, dict)]


def _found(said: dict) -> Found:
    usb = f" (usb {said['usb']})" if said["usb"] else ""
    trouble, todo = None, ()
    if said["gives"] == GIVES_OWN_MATCHING:
        trouble = "reader_matches_only_itself"
    elif said["locked"]:
        trouble = "reader_permission_denied"
        todo = tuple(line.format(*said["usb"].split(":")) for line in _TO_DO_LOCKED)
    return Found(
        "libfprint",
        {"device": f"{said['driver']}/{said['id']}"},
        f"{said['name']}{usb}"[:80],
        trouble,
        About(
            "libfprint",
            GIVES_OWN_MATCHING if said["gives"] == GIVES_OWN_MATCHING else GIVES_IMAGE,
            maker=f"libfprint driver {said['driver']}"[:80],
            model=f"{said['name']}{usb}"[:80],
        ),
        said["usb"],
        todo,
    )
