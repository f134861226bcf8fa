"""A device service on loopback, with certificates of the tests in a trust folder."""

import functools
import json
import tempfile
from pathlib import Path

from devices.readers.mosip_sbi import MosipSbiReader
from tests.devices.benches import Fault
from tests.devices.prints import drawn
from tests.devices.sbi_keys import pem, root, sign
from tests.devices.sbi_records import one_finger
from tests.devices.sbi_service import SbiService, failed, http, old

POSITION, FINGER = 7, "Left IndexFinger"


@functools.cache
def finger_record(**change) -> bytes:
    return one_finger(drawn(7, 1), POSITION, **change)


def half(service, request):
    whole = http(service.capture(request))
    return whole[: len(whole) // 2]


def silent(service, _request):
    service.wait_until_stopped(3)


def wrong_signature(service, request):
    answer = service.capture(request)
    head, body, _ = answer["biometrics"][0]["data"].split(".")
    other = sign({}).split(".")[2]
    answer["biometrics"][0]["data"] = f"{head}.{body}.{other}"
    return answer


def replayed(service, request):
    """A whole answer of yesterday, rightly signed for the transaction of yesterday."""
    return service.capture(request | {"transactionId": "yesterday-0001"})


class MosipSbiBench:
    format = "image/png"
    dpi = 500

    def __init__(self, **service):
        self.service = SbiService(**service)
        self._folder = tempfile.TemporaryDirectory()
        Path(self._folder.name, "authority.pem").write_bytes(pem(root()))
        self.reader = MosipSbiReader(
            trust=self._folder.name, ports=self.service.port, grace_s=0.4, finger="left index"
        )

    def lay_on(self):
        self.lay(finger_record())

    def lay(self, record: bytes, finger: str = FINGER):
        self.service.touches.put([(finger, record)])

    def unplug(self):
        self.service.stop()

    def plug_in(self):
        self.service.well()

    def vanish(self):
        self.lay_on()
        self.service.fault = half

    def faults(self):
        rejected = (("NotCaptured", "rejected"),)
        garbled = (("Unknown", "garbled"),)
        image = drawn(7, 1)
        return [
            Fault("lost halfway", self.vanish, (("Unknown", "vanished"),)),
            Fault("closed without a byte", self._fault(lambda *_: None), (("Unknown", "vanished"),)),
            Fault("silent", self._fault(silent), (("Unknown", "silent"),)),
            Fault("no HTTP", self._fault(lambda *_: b"\x00\xef\x01" * 200), garbled),
            Fault("no JSON", self._fault(lambda *_: http(b"{" * 200)), garbled),
            Fault("another shape", self._fault(lambda *_: {"biometrics": [[]]}), garbled),
            Fault("too large", self._fault(lambda *_: http(b"", announced=10**9)), garbled),
            Fault("elsewhere", self._fault(_elsewhere), (("NotCaptured", "device_error"),)),
            Fault("busy", self._fault(lambda *_: failed("111")), (("NotCaptured", "busy"),)),
            Fault("busy, by its info", self._fault(_busy_info), (("NotCaptured", "busy"),)),
            Fault("not ready", self._fault(lambda *_: failed("110")), (("NotCaptured", "device_error"),)),
            Fault(
                "nothing connected", self._fault(lambda *_: failed("202")), (("NotCaptured", "unplugged"),)
            ),
            Fault(
                "code of the maker's",
                self._fault(lambda *_: failed("599")),
                (("NotCaptured", "device_error"),),
            ),
            Fault("nobody", self._fault(lambda *_: failed("101")), (("NotCaptured", "no_finger"),)),
            Fault("wrong signature", self._fault(wrong_signature), rejected),
            Fault("replayed", self._fault(replayed), rejected),
            Fault("stale", self._claims(timestamp=old(900)), rejected),
            Fault("another environment", self._claims(env="Developer"), rejected),
            Fault("broken chain", self._outer(hash="0" * 64), rejected),
            Fault("another finger", self._claims(bioSubType="Right Thumb"), rejected),
            Fault("lies about its size", self._record(width=image.shape[1] - 8), rejected),
            Fault("lies about its resolution", self._record(scan=(1000, 1000), rate=(1000, 1000)), rejected),
            Fault("no record", lambda: self.lay(b"FMR\0 20\0"), rejected),
        ]

    def _fault(self, fault):
        def lay():
            self.lay_on()
            self.service.fault = fault

        return lay

    def _claims(self, **claims):
        def lay():
            self.lay_on()
            self.service.claims = claims

        return lay

    def _outer(self, **outer):
        def lay():
            self.lay_on()
            self.service.outer = outer

        return lay

    def _record(self, **change):
        return lambda: self.lay(finger_record(**change))

    def end(self):
        self.reader.close()
        self.service.stop()
        self._folder.cleanup()


def _elsewhere(_service, _request):
    return http({}, "302 Found", Location="http://127.0.0.1:1/capture")


def _busy_info(service, _request):
    service.status = "Busy"
    return json.loads(json.dumps(service.info()))
