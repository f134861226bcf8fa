"""A maker's local service on a port of this machine (tests/devices/json_service.py); synthetic prints as payload."""

import functools
import io

from PIL import Image

from devices.readers.http_json import HttpJsonReader
from devices.readers.http_line import MAX_ANSWER_BYTES
from tests.devices.benches import Fault
from tests.devices.json_service import JsonService, answer, cut, flip, instead, picture, stall, template
from tests.devices.prints import drawn

HEIGHT, WIDTH = drawn(0, 0).shape


@functools.cache
def bmp(dpi=None) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(drawn(0, 0)).save(packed, "BMP", **({"dpi": (dpi, dpi)} if dpi else {}))
    return packed.getvalue()


class HttpJsonBench:
    format = "image/bmp"
    dpi = 500

    def __init__(self):
        self.service = JsonService()
        self.reader = HttpJsonReader(self.service.url, grace_s=1.0)

    def lay_on(self):
        self.service.touch(picture(bmp(), WIDTH, HEIGHT))

    def unplug(self):
        self.service.stop()

    def plug_in(self):
        self.service.mend()

    def vanish(self):
        self._harmed(cut(-5000))

    def _harmed(self, harm, said=None):
        self.service.harm(harm)
        self.service.touch(said or picture(bmp(), WIDTH, HEIGHT))

    def faults(self):
        vanished, garbled = ("Unknown", "vanished"), ("Unknown", "garbled")
        rejected = ("NotCaptured", "rejected")
        broken = {"ErrorCode": 0, "BMPBase64": "!!!!"}

        def harmed(harm):
            return lambda: self._harmed(harm)

        def touched(said):
            return lambda: self.service.touch(said)

        def told(number):
            return lambda: self.service.says(number)

        return [
            Fault("the service ends before a byte", harmed(cut(0)), (vanished,)),
            Fault("lost in the status line", harmed(cut(9)), (vanished, garbled)),
            Fault("lost in the body", harmed(cut(300)), (vanished,)),
            Fault("lost before the last byte", harmed(cut(-1)), (vanished,)),
            Fault("silent before a byte", harmed(stall(0)), (("Unknown", "silent"),)),
            Fault("silent halfway", harmed(stall(3000)), (("Unknown", "silent"),)),
            Fault("a byte of the first line is another", harmed(flip(1)), (garbled,)),
            Fault("no JSON", harmed(instead(answer(b"<html>"))), (garbled,)),
            Fault("JSON of another shape", harmed(instead(answer(b"[1]"))), (garbled,)),
            Fault("JSON without end", harmed(instead(answer(b"[" * 100_000))), (garbled,)),
            Fault("no HTTP", harmed(instead(b"SSH-2.0-OpenSSH_9.2\r\n")), (garbled,)),
            Fault("too much", harmed(instead(answer(b" " * (MAX_ANSWER_BYTES + 9)))), (garbled,)),
            Fault("no picture", touched({"ErrorCode": 0}), (garbled,)),
            Fault("no base64", touched(broken), (garbled,)),
            Fault("half a picture", touched(picture(bmp()[:5000], WIDTH, HEIGHT)), (garbled,)),
            Fault("a broken template", touched(template(b"FMR\x00 20\x00")), (garbled,)),
            Fault("another size than it says", touched(picture(bmp(), WIDTH, HEIGHT + 1)), (rejected,)),
            Fault("no resolution", touched(picture(bmp(), WIDTH, HEIGHT, dpi=None)), (rejected,)),
            Fault("another resolution in the file", touched(picture(bmp(508), WIDTH, HEIGHT, 600)), (rejected,)),
            Fault("another resolution by its ridges", touched(picture(bmp(), WIDTH, HEIGHT, 1000)), (rejected,)),
            Fault("nobody", told(54), (("NotCaptured", "timed_out"),)),
            Fault("its device is gone", told(55), (("NotCaptured", "unplugged"),)),
            Fault("its device is busy", told(59), (("NotCaptured", "busy"),)),
            Fault("its licence ran out", told(10003), (("NotCaptured", "device_error"),)),
            Fault("an error nobody knows", told(-99), (("NotCaptured", "device_error"),)),
            Fault("an error of the service", harmed(instead(answer(b"", "500 Oops"))), (("NotCaptured", "device_error"),)),
            Fault("another program", harmed(instead(answer(b"", "404 Not Found"))), (("NotCaptured", "device_error"),)),
            Fault("sent elsewhere", harmed(instead(answer(b"", "302 Found\r\nLocation: /"))), (("NotCaptured", "device_error"),)),
        ]  # fmt: skip

    def end(self):
        self.reader.close()
        self.service.stop()
