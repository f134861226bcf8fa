"""Fingerprint modules of the R30x / ZFM-20 / AS608 / R503 family on a serial port: the cheapest readers there are.

Does: takes the picture out of the module (GenImg, then UpImage; 4-bit grey, 7 s at 57,600 baud) and hands it on as
PNG; one touch is one capture. Does not let the module identify anybody: its own matching and its library of
templates (`library()`) are second class, there for looking after a module and for moving an old site's data.
Tested against an emulator only, itself driven by two libraries we did not write: not verified with hardware.
"""

from __future__ import annotations

import hashlib
import io
import logging
import struct
import threading
import time
from collections.abc import Callable

from PIL import Image

from devices.discover import Found
from devices.interface import (
    CLOSED,
    FINGER,
    GIVES_IMAGE,
    READY,
    UNPLUGGED,
    About,
    Capture,
    Captured,
    NotCaptured,
    ReaderError,
    ReaderUnplugged,
    ReaderUnusable,
    Sample,
    Unknown,
)

from .zfm_frames import (
    MAX_IMAGE_BYTES,
    NotThatShape,
    ProductInformation,
    SystemParameters,
    grey,
    sensor_size,
)
from .zfm_library import ModuleLibrary
from .zfm_line import Ended, Garbled, Gone, Line, LineError, PoweredUp, Silent
from .zfm_ports import ports

log = logging.getLogger("ost.devices.zfm")

GEN_IMG, UP_IMAGE, VFY_PWD, READ_SYS_PARA, READ_PROD_INFO = 0x01, 0x0A, 0x13, 0x0F, 0x3C
OK, NOT_RECEIVED, NO_FINGER, IMAGE_FAILED, WRONG_PASSWORD, PASSWORD_FIRST = 0x00, 0x01, 0x02, 0x03, 0x13, 0x21

#: Speeds tried in this order when asked to find it: as delivered, the fastest, and what old sites were set to.
SPEEDS = (57_600, 115_200, 9_600, 38_400, 19_200)
#: So many answers in a row, 0.1 s apart and more: then the finger is there and no picture of it comes.
FAILURES = 5
#: So many refusals in a row to look at all: then it is the finger that has gone, not a moment of poor contact.
LIFTED = 2
#: Something that lies on the glass for so long is said to be a fault: nobody can be read until it is wiped off.
RESTING_S = 30.0
_HELLOS = 3
_TRIES = 3


class ZfmReader:
    """One module on `port`. `baud`: bits per second, or 0 or "auto" to try SPEEDS. `password`, `address`: whole
    numbers up to 32 bits, also as text ("0x..."). `dpi`: where the sensor's resolution is known to differ from what
    its kind has. `answer_s`: how long the module may take to answer; `poll_s`: rest between two looks at the glass.

    A lost conversation closes the port; `open()` begins a new one on the same object.
    """

    kind = "zfm"
    modality = FINGER
    simulated = False

    def __init__(
        self,
        port: str,
        baud: int | str = 57_600,
        password: int | str = 0,
        address: int | str = 0xFFFFFFFF,
        dpi: int | None = None,
        answer_s: float = 1.0,
        poll_s: float = 0.1,
    ):
        if not isinstance(port, str) or not port:
            raise ValueError("port is the name of a serial port")
        self._port = port
        self._baud = 0 if baud == "auto" else _whole("baud", baud, 1_000_000)
        self._password = _whole("password", password, 0xFFFFFFFF)
        self._address = _whole("address", address, 0xFFFFFFFF)
        self._dpi = None if dpi is None else _whole("dpi", dpi, 1300)
        if not 0.05 <= answer_s <= 30 or not 0 <= poll_s <= 5:
            raise ValueError("answer_s is 0.05 to 30, poll_s 0 to 5 seconds")
        self._answer_s, self._poll_s = float(answer_s), float(poll_s)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._line: Line | None = None
        self._trouble: str | None = None
        self._resting_since: float | None = None
        self._last_picture = b""
        self._system: SystemParameters | None = None
        self._product: ProductInformation | None = None

    # --- what it promises ------------------------------------------------------------
    def open(self) -> None:
        with self._lock:
            if self._line is not None:
                return
            self._ending.clear()
            try:
                self._line = self._greeted()
                self._trouble = None
            except Ended:
                self._trouble = None  # it was closed while it was being opened, and closed it is
            except ReaderError as error:
                self._trouble = error.code
                raise

    def close(self) -> None:
        self._ending.set()
        with self._lock:
            self._drop(None)

    def state(self) -> str:
        if self._line is not None:
            return READY
        return UNPLUGGED if self._trouble in ("reader_unplugged", "reader_not_answering") else CLOSED

    def trouble(self) -> str | None:
        return None if self._line is not None else self._trouble

    def about(self) -> About:
        system, product = self._system, self._product
        model = product.model if product and product.model else None
        if model is None and system is not None:
            model = f"system id {system.system_id:#06x}"
        declared = product and product.width and product.height
        size = sensor_size(product.width * product.height // 2, product) if declared else None
        return About(
            self.kind,
            GIVES_IMAGE,
            dpi=self._dpi or (size[2] if size else None),
            model=model,
            serial=(product.serial or None) if product else None,
            firmware=f"hardware {product.hardware}" if product else None,
        )

    def capture(self, timeout_s: float) -> Capture:
        until = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=max(0.0, timeout_s)):
            return NotCaptured("busy")
        try:
            if self._line is None:
                return NotCaptured("closed" if self.state() == CLOSED else "unplugged")
            try:
                nothing = self._finger(self._line, until)
            except LineError as error:
                return self._lost_before(error)
            if nothing is not None:
                return nothing
            try:
                return self._picture(self._line)
            except LineError as error:
                return self._lost_after(error)
        finally:
            self._lock.release()

    def library(self) -> ModuleLibrary:
        """The module's own templates and matching: see `zfm_library`."""
        return ModuleLibrary(self._during, lambda: self._system)

    def parameters(self) -> SystemParameters | None:
        """What the module said when it was last open."""
        return self._system

    # --- opening ------------------------------------------------------------------------
    def _greeted(self) -> Line:
        """A line on which the module has accepted the password and told its parameters."""
        for speed in (self._baud,) if self._baud else SPEEDS:
            line = Line(self._port, speed, self._address, self._answer_s, self._ending)
            try:
                if self._hello(line, _HELLOS if self._baud else 1):
                    self._introduce(line)
                    return line
                stranger = line.stranger
            except Gone:
                line.close()
                raise ReaderUnplugged("no device") from None
            except (Silent, Garbled, PoweredUp):
                line.close()
                raise ReaderUnusable("reader_not_answering", f"{speed} baud") from None
            except (Ended, ReaderError):
                line.close()
                raise
            line.close()
            if stranger is not None:
                raise ReaderUnusable("reader_misconfigured", f"its address is {stranger:#010x}")
        raise ReaderUnusable("reader_not_answering", f"{self._baud} baud" if self._baud else "any speed")

    def _hello(self, line: Line, tries: int) -> bool:
        """Whether anything answers here. A module that has just got power needs a moment, and says 0x55."""
        line.settle(self._answer_s)
        for _ in range(tries):
            try:
                code, _ = line.ask(VFY_PWD, struct.pack(">I", self._password))
            except (Silent, Garbled, PoweredUp):
                if line.stranger is not None:
                    return False
                line.settle(self._answer_s)
                continue
            if code == OK:
                return True
            if code != NOT_RECEIVED:
                raise ReaderUnusable(
                    "reader_refused_password" if code == WRONG_PASSWORD else "reader_not_ready",
                    f"code {code:#04x}",
                )
        return False

    def _introduce(self, line: Line) -> None:
        """Ask what it is. Only newer modules know the second question; the others refuse it or say nothing."""
        self._system = self._product = None
        code, table = line.ask(READ_SYS_PARA)
        if code != OK:
            raise ReaderUnusable("reader_not_ready", f"code {code:#04x}")
        try:
            self._system = SystemParameters.read(table)
            code, table = line.ask(READ_PROD_INFO, wait_s=min(0.3, self._answer_s))
            self._product = ProductInformation.read(table) if code == OK else None
        except (Silent, Garbled):
            line.settle(self._answer_s)  # an older module; a late answer must not be the next one's
        except NotThatShape as error:
            if self._system is None:
                raise ReaderUnusable("reader_not_answering", str(error)) from None

    # --- a touch ------------------------------------------------------------------------
    def _finger(self, line: Line, until: float) -> NotCaptured | None:
        """Look at the glass until a finger is laid on anew; None once the module holds a picture of it.

        A finger, or dirt, that was there when the last touch ended must go first: one touch, one capture.
        """
        away = failures = odd = 0
        while True:
            try:
                code, more = line.ask(GEN_IMG, wait_s=2 * self._answer_s)
                if more:
                    raise Garbled  # the answer to something else: what the module holds is an earlier picture
            except Garbled:
                code = NOT_RECEIVED  # a picture whose acknowledgement was not understood is taken again
                line.settle(self._answer_s)
            failures = failures + 1 if code == IMAGE_FAILED else 0
            odd = odd + 1 if code == NOT_RECEIVED else 0
            away = away + 1 if code == NO_FINGER else 0
            if code not in (OK, NO_FINGER, IMAGE_FAILED, NOT_RECEIVED) or odd >= _TRIES:
                self._drop("reader_not_ready" if code == PASSWORD_FIRST else "reader_not_answering")
                return NotCaptured("device_error")
            if self._resting_since is None:
                if code == OK:
                    self._resting_since = time.monotonic()
                    return None
                if failures >= FAILURES:
                    self._resting_since = time.monotonic()
                    return NotCaptured("too_wet")
            elif away >= LIFTED:
                self._resting_since = None
            elif code != NO_FINGER and time.monotonic() - self._resting_since > RESTING_S:
                log.warning("something has been lying on the glass for %.0f s", RESTING_S)
                self._resting_since = time.monotonic()
                return NotCaptured("device_error")
            if time.monotonic() >= until:
                return NotCaptured("timed_out")
            line.pause(max(0.0, min(self._poll_s, until - time.monotonic())))

    def _picture(self, line: Line) -> Capture:
        """The picture the module holds. It keeps it, so a transfer that did not come whole is asked for once more;
        one after which nothing more came is not: the module may have lost its power, and its picture."""
        for last in (False, True):
            try:
                code, _ = line.ask(UP_IMAGE)
                if code != OK:
                    return NotCaptured("device_error")
                packed = line.data(2 * MAX_IMAGE_BYTES)  # more than any sensor has, so that a lie ends as one
            except Garbled:
                if last:
                    raise
                line.settle(2 * MAX_IMAGE_BYTES * 10 / line.baud)
                continue
            size = sensor_size(len(packed), self._product)
            if size is not None:
                break
        else:
            return NotCaptured("rejected")
        digest = hashlib.sha256(packed).digest()
        if digest == self._last_picture:
            log.warning("the module gave its earlier picture again")
            return NotCaptured(
                "rejected"
            )  # to the last bit, so no new touch: the person before could be in it
        self._last_picture = digest
        touch_ms = round((time.monotonic() - self._resting_since) * 1000)
        return Captured(self._sample(packed, *size), touch_ms)

    def _sample(self, packed: bytes, width: int, height: int, dpi: int) -> Sample:
        picture = io.BytesIO()
        Image.frombytes("L", (width, height), grey(packed)).save(picture, "PNG")
        declared = self.about().declared()
        return Sample(FINGER, "image/png", picture.getvalue(), self._dpi or dpi, declared)

    # --- when the conversation is lost -------------------------------------------------
    def _lost_before(self, error: LineError) -> NotCaptured:
        """The module had acknowledged no finger: certainly nothing."""
        if isinstance(error, Ended):
            return NotCaptured("closed")
        self._drop(_TROUBLE[type(error)])
        return NotCaptured("unplugged" if isinstance(error, Gone | Silent) else "device_error")

    def _lost_after(self, error: LineError) -> NotCaptured | Unknown:
        if isinstance(error, Ended):
            return NotCaptured("closed")
        self._drop(_TROUBLE[type(error)])
        return Unknown(_UNKNOWN[type(error)])

    def _drop(self, trouble: str | None) -> None:
        line, self._line = self._line, None
        self._trouble = trouble
        if line is not None:
            line.close()

    def _during(self, work: Callable[[Line], object]):
        """Do `work` on the open line, alone. Raises ReaderUnusable when it is not open or is lost on the way."""
        with self._lock:
            if self._line is None:
                raise ReaderUnusable(self._trouble or "reader_not_ready", "not open")
            try:
                return work(self._line)
            except Ended:
                raise ReaderUnusable("reader_not_ready", "closed meanwhile") from None
            except LineError as error:
                trouble = _TROUBLE[type(error)]
                self._drop(trouble)
                raise ReaderUnusable(trouble, type(error).__name__.lower()) from None


_TROUBLE = {
    Gone: "reader_unplugged",
    Silent: "reader_not_answering",
    Garbled: "reader_not_answering",
    PoweredUp: "reader_not_ready",
}
_UNKNOWN = {Gone: "vanished", PoweredUp: "vanished", Silent: "silent", Garbled: "garbled"}


def _whole(name: str, value: int | str, most: int) -> int:
    """A whole number 0..`most`, also as text. The value is not repeated in the error: it may be a password."""
    if isinstance(value, str):
        try:
            value = int(value, 0 if value.lower().startswith("0x") else 10)
        except ValueError:
            value = -1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{name} is a whole number from 0 to {most}")
    return value


def find() -> list[Found]:
    """Serial ports behind which such a module may be; none is opened. What answers, `ost devices probe` tells."""
    return [
        Found(
            ZfmReader.kind,
            {"port": port.port, "baud": "auto"},
            label=port.label,
            trouble=port.trouble,
            detail=port.detail,
            todo=port.todo,
        )
        for port in ports()
    ]
