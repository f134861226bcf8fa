"""The templates a module keeps in its own flash, and its own matching.

Second class, on purpose: a template or a match made inside a module means nothing on any other device, so nothing of
this identifies anybody. It is there to see how full a module is (`ost devices probe`), to move an old site's data,
and to empty a module before it is given away: what lies in it are people's fingerprints.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from devices.interface import ReaderRefused

from .zfm_frames import SystemParameters, used_slots
from .zfm_line import Line

GEN_IMG, IMG_2_TZ, MATCH, SEARCH, REG_MODEL, STORE, LOAD_CHAR, UP_CHAR, DOWN_CHAR = range(1, 10)
DELET_CHAR, EMPTY, TEMPLETE_NUM, READ_INDEX_TABLE = 0x0C, 0x0D, 0x1D, 0x1F

OK, NO_FINGER, IMAGE_FAILED = 0x00, 0x02, 0x03
NO_MATCH, NOT_FOUND = 0x08, 0x09

#: Confirmation codes in words, as the manuals list them.
WORDS = {
    0x01: "the command did not arrive whole",
    0x02: "no finger on the glass",
    0x03: "no picture could be taken",
    0x06: "the picture is too disorderly",
    0x07: "the picture shows too few features",
    0x08: "the two do not match",
    0x09: "no match in the library",
    0x0A: "the two pictures are not of one finger",
    0x0B: "there is no such slot",
    0x0C: "the slot is empty or cannot be read",
    0x0D: "the template cannot be sent",
    0x0E: "data packets are not accepted",
    0x0F: "the picture cannot be sent",
    0x10: "the slot cannot be deleted",
    0x11: "the library cannot be emptied",
    0x13: "wrong password",
    0x15: "there is no picture",
    0x18: "the flash cannot be written",
    0x1A: "no such register",
    0x20: "wrong address",
    0x21: "the password comes first",
}

#: The largest template known of this family (R503) is half of this.
MAX_TEMPLATE_BYTES = 4096
#: Making, comparing and storing templates takes a module longer than answering.
WORK_S = 3.0
_POLL_S = 0.1


class ModuleRefused(ReaderRefused):
    """The module said no; `confirmation` is its code, the text what that means."""

    def __init__(self, confirmation: int):
        super().__init__(WORDS.get(confirmation, f"code {confirmation:#04x}"))
        self.confirmation = confirmation


class ModuleLibrary:
    """Operations on a module whose reader is open; each holds the reader, so a capture waits for its end.

    All raise ReaderUnusable when the reader is not open or is lost on the way, and ModuleRefused with the module's
    word otherwise. Slots are numbered from 0. Repeating one that failed is safe, but for `enrol`, which begins anew.
    """

    def __init__(self, during: Callable, parameters: Callable[[], SystemParameters | None]):
        self._during = during
        self._parameters = parameters

    # --- what is in it -------------------------------------------------------------------
    def capacity(self) -> int:
        """Slots in all."""
        said = self._during(lambda line: self._parameters())
        return said.capacity

    def count(self) -> int:
        """Filled slots, as the module counts them (TempleteNum)."""
        return self._during(lambda line: struct.unpack(">H", _exactly(_ask(line, TEMPLETE_NUM), 2))[0])

    def slots(self) -> list[int]:
        """Numbers of the filled slots (ReadIndexTable, a page of 256 at a time)."""

        def read(line: Line) -> list[int]:
            pages = range(min(-(-self._parameters().capacity // 256), 256))
            tables = [
                used_slots(page, _exactly(_ask(line, READ_INDEX_TABLE, bytes([page])), 32)) for page in pages
            ]
            return [slot for table in tables for slot in table]

        return self._during(read)

    # --- a finger on its glass --------------------------------------------------------------
    def enrol(self, slot: int, timeout_s: float = 20.0) -> None:
        """Two touches of one finger become a template in `slot` (GenImg, Img2Tz, RegModel, Store).

        `timeout_s`: for each touch. The finger must be lifted in between. An earlier template there is replaced.
        """

        def work(line: Line) -> None:
            _touch(line, timeout_s)
            _ask(line, IMG_2_TZ, b"\x01")
            _lifted(line, timeout_s)
            _touch(line, timeout_s)
            _ask(line, IMG_2_TZ, b"\x02")
            _ask(line, REG_MODEL)
            _ask(line, STORE, struct.pack(">BH", 1, slot))

        self._during(work)

    def search(self, timeout_s: float = 20.0) -> tuple[int, int] | None:
        """(slot, the module's own score) of the finger that is laid on, or None. Identifies nobody in this program."""

        def work(line: Line) -> tuple[int, int] | None:
            _touch(line, timeout_s)
            _ask(line, IMG_2_TZ, b"\x01")
            try:
                found = _ask(line, SEARCH, struct.pack(">BHH", 1, 0, self._parameters().capacity))
            except ModuleRefused as refused:
                if refused.confirmation == NOT_FOUND:
                    return None
                raise
            return struct.unpack(">HH", _exactly(found, 4))

        return self._during(work)

    def match(self, slot: int, timeout_s: float = 20.0) -> int | None:
        """The module's own score of the finger that is laid on against `slot`, or None when they do not match."""

        def work(line: Line) -> int | None:
            _touch(line, timeout_s)
            _ask(line, IMG_2_TZ, b"\x01")
            _ask(line, LOAD_CHAR, struct.pack(">BH", 2, slot))
            try:
                return struct.unpack(">H", _exactly(_ask(line, MATCH), 2))[0]
            except ModuleRefused as refused:
                if refused.confirmation == NO_MATCH:
                    return None
                raise

        return self._during(work)

    # --- moving templates -------------------------------------------------------------------
    def read(self, slot: int) -> bytes:
        """The template in `slot`, in the maker's own secret format (LoadChar, UpChar)."""

        def work(line: Line) -> bytes:
            _ask(line, LOAD_CHAR, struct.pack(">BH", 1, slot))
            _ask(line, UP_CHAR, b"\x01")
            return line.data(MAX_TEMPLATE_BYTES)

        return self._during(work)

    def write(self, slot: int, template: bytes) -> None:
        """A template that `read` gave, of a module of the same make, into `slot` (DownChar, Store)."""
        if not 0 < len(template) <= MAX_TEMPLATE_BYTES:
            raise ValueError("that is no template")

        def work(line: Line) -> None:
            _ask(line, DOWN_CHAR, b"\x01")
            line.send_data(template, self._parameters().packet_bytes)
            _ask(line, STORE, struct.pack(">BH", 1, slot))

        self._during(work)

    def delete(self, slot: int, count: int = 1) -> None:
        """Make `count` slots from `slot` on empty; those that are already stay so."""
        self._during(lambda line: _ask(line, DELET_CHAR, struct.pack(">HH", slot, count)))

    def empty(self) -> None:
        """Make every slot empty. There is no way back."""
        self._during(lambda line: _ask(line, EMPTY))


def _ask(line: Line, command: int, arguments: bytes = b"") -> bytes:
    """What came with the module's yes. Raises ModuleRefused, LineError."""
    code, payload = line.ask(command, arguments, wait_s=line.answer_s + WORK_S)
    if code != OK:
        raise ModuleRefused(code)
    return payload


def _exactly(payload: bytes, count: int) -> bytes:
    """Some modules pad their answers; less than `count` is no answer."""
    if len(payload) < count:
        raise ModuleRefused(0x01)
    return payload[:count]


def _touch(line: Line, timeout_s: float) -> None:
    _until(line, timeout_s, (OK,))


def _lifted(line: Line, timeout_s: float) -> None:
    _until(line, timeout_s, (NO_FINGER,))


def _until(line: Line, timeout_s: float, wanted: tuple[int, ...]) -> None:
    """Look at the glass until the answer is one of `wanted`."""
    until = time.monotonic() + timeout_s
    while True:
        code, _ = line.ask(GEN_IMG, wait_s=2 * line.answer_s)
        if code in wanted:
            return
        if code not in (OK, NO_FINGER, IMAGE_FAILED) or time.monotonic() >= until:
            raise ModuleRefused(code)
        line.pause(_POLL_S)
