"""The stand-in is its own counterpart."""

from devices.readers.simulated import SimulatedReader
from tests.devices.benches import Fault


class SimulatedBench:
    format = "image/png"
    dpi = 500

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

    def faults(self):
        return [
            Fault("lost halfway", self.reader.vanish, (("Unknown", "vanished"),)),
            Fault("nobody", self.reader.nothing, (("NotCaptured", "timed_out"),)),
        ]

    def end(self):
        self.reader.close()
