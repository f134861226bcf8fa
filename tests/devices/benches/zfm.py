"""The serial driver's counterpart: an emulated module on a pseudo-terminal, on a line that is not slowed down."""

import shutil
import tempfile
from pathlib import Path

from devices.readers.zfm import ZfmReader
from tests.devices.benches import Fault
from tests.devices.real_prints import print_of
from tests.devices.zfm_module import GEN_IMG, Module


class ZfmBench:
    format = "image/png"
    dpi = 500

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="zfm"))
        self.module = Module(self._folder / "port")
        self.module.plug_in()
        self.reader = ZfmReader(port=str(self.module.link), answer_s=0.4, poll_s=0.002)

    def lay_on(self):
        self.module.touch(print_of(0, 1))

    def unplug(self):
        self.module.unplug()

    def plug_in(self):
        self.module.plug_in()

    def vanish(self):
        self._with_a_finger(cut_at=20_000)()

    def _with_a_finger(self, **how):
        def lay():
            self.module.fail(**how)
            self.lay_on()

        return lay

    def faults(self):
        nothing, unknown = "NotCaptured", "Unknown"
        return [
            Fault("cut in a picture", self._with_a_finger(cut_at=20_000), ((unknown, "vanished"),)),
            Fault("cut before it", self._with_a_finger(on=GEN_IMG, cut_at=3), ((nothing, "unplugged"),)),
            Fault(
                "silent in a picture",
                self._with_a_finger(silent_at=777),
                ((unknown, "silent"), (unknown, "garbled")),
            ),
            Fault(
                "silent before it", self._with_a_finger(on=GEN_IMG, silent_at=0), ((nothing, "unplugged"),)
            ),
            Fault("end missing", self._with_a_finger(silent_at=12 + 287 * 139), ((unknown, "silent"),)),
            Fault("wrong sums", self._with_a_finger(flips={5_000: 1}), ((unknown, "garbled"),)),
            Fault(
                "wrong sums before it",
                self._with_a_finger(on=GEN_IMG, flips={10: 2}),
                ((nothing, "device_error"),),
            ),
            Fault("power fails", self._with_a_finger(restart_at=12 + 139 * 4), ((unknown, "vanished"),)),
            Fault("lies about its size", self._with_a_finger(resize=-256), ((nothing, "rejected"),)),
            Fault("too large", self._with_a_finger(resize=128), ((nothing, "rejected"),)),
            Fault("keeps its picture", self._with_a_finger(code=0x0F), ((nothing, "device_error"),)),
            Fault("no contact", lambda: self.module.touch(None, looks=20), ((nothing, "too_wet"),)),
            Fault("password first", self._with_a_finger(on=GEN_IMG, code=0x21), ((nothing, "device_error"),)),
        ]

    def end(self):
        self.reader.close()
        self.module.unplug()
        shutil.rmtree(self._folder)
