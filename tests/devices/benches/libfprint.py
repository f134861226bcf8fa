"""Debian's libfprint with its virtual image device, fed with real prints."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import numpy as np

from devices.interface import READY
from devices.readers.libfprint import LibfprintReader
from tests.devices.benches import Fault
from tests.devices.real_prints import DPI, print_of
from tests.devices.virtual_finger import (
    BUSY,
    BY_ITSELF,
    DATA_INVALID,
    ERROR,
    FINGER,
    GENERAL,
    PROTO,
    REMOVED,
    RETRY,
    VirtualFinger,
    pair,
    picture,
)

_GARBLED = ("Unknown", "garbled")
_TIMED_OUT = ("NotCaptured", "timed_out")
_NO_FINGER = ("NotCaptured", "no_finger")
_UNPLUGGED = ("NotCaptured", "unplugged")
_VANISHED = ("Unknown", "vanished")


class LibfprintBench:
    format = "image/png"
    dpi = DPI

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="ost-libfprint-"))
        self._port = self.home / "port"  # the device is plugged in while this folder exists
        self._port.mkdir()
        self.reader = LibfprintReader(virtual=str(self._port / "finger.sock"))
        self.finger = VirtualFinger(self._port / "finger.sock")

    def lay_on(self):
        self.finger.lay_on(print_of(0, 1))

    def unplug(self):
        if self.reader.state() == READY:
            # The virtual device looks at its line only while it captures; a real one's removal comes from udev.
            self.remove()
            self.reader.capture(10)
        shutil.rmtree(self._port)

    def remove(self):
        self.finger.act(pair(REMOVED, 0))

    def plug_in(self):
        self.finger.lift()
        self._port.mkdir(exist_ok=True)

    def vanish(self):
        self.finger.act(pair(BY_ITSELF, 0) + pair(FINGER, 1), pair(REMOVED, 0), pause_s=0.05)

    def kill(self, number=signal.SIGKILL):
        os.kill(self.reader._process.pid, number)

    def faults(self):
        whole = picture(print_of(0, 2))
        half = whole[: len(whole) // 2]
        act = self.finger.act
        return [
            Fault("unplugged with the finger on it", self.vanish, (_VANISHED,)),
            Fault("unplugged before the finger came", self.remove, (_UNPLUGGED,)),
            Fault("half a picture, then the line is cut", lambda: act(half, hang_up=True), (_GARBLED,)),
            Fault("a picture larger than any sensor", lambda: act(pair(5001, 5001)), (_TIMED_OUT,)),
            Fault("a picture of 4 by 4", lambda: act(picture(np.full((4, 4), 128))), (_NO_FINGER,)),
            Fault("a flat grey picture", lambda: act(picture(np.full((200, 200), 128))), (_NO_FINGER,)),
            Fault("the device asks for another try", lambda: act(pair(RETRY, 2)), (_NO_FINGER,)),
            Fault("busy", lambda: act(pair(ERROR, BUSY)), (("NotCaptured", "busy"),)),
            Fault("its own fault", lambda: act(pair(ERROR, GENERAL)), (("NotCaptured", "device_error"),)),
            Fault("nonsense on the wire", lambda: act(pair(ERROR, PROTO)), (_GARBLED,)),
            Fault("data that cannot be", lambda: act(pair(ERROR, DATA_INVALID)), (("NotCaptured", "rejected"),)),
            Fault("its process killed", self.kill, (_UNPLUGGED, _VANISHED)),
            Fault("its process killed while it waits", self._kill_soon, (_UNPLUGGED, _VANISHED)),
        ]

    def _kill_soon(self):
        threading.Timer(0.05, self.kill).start()

    def end(self):
        self.finger.lift()
        self.reader.close()
        shutil.rmtree(self.home, ignore_errors=True)
