"""A reader that is not there: synthetic fingers for the demo, for training and for tests.

It fails as real ones do (wet finger, nothing in time, unplugged, lost halfway)
and says of itself that it is simulated; there is no way to make it say otherwise.
Its prints pass through the same extractor and matcher as real ones, but they are
too easy to claim anything about accuracy.
"""

from __future__ import annotations

import queue
import secrets
import time

from devices.fingerprints.drawing import CONDITIONS, draw, png
from devices.fingerprints.extract import DPI
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
    ReaderUnplugged,
    Sample,
    Unknown,
)

_ABOUT = About("simulated", GIVES_IMAGE, simulated=True, dpi=DPI, maker="ost", model="simulated")
_DECLARED = _ABOUT.declared()


class SimulatedReader:
    """Touches are put in with `touch` and its neighbours, from any thread; `capture` hands them out in order."""

    kind = "simulated"
    modality = FINGER

    def __init__(self):
        self._touches: queue.Queue = queue.Queue(maxsize=8)
        self._open = False
        self._plugged = True

    @property
    def simulated(self) -> bool:
        return True

    # --- what a person does to it --------------------------------------------
    def touch(self, finger: int, condition: str = "normal", impression: int | None = None) -> None:
        """The synthetic finger with this seed is laid on. `condition` is one of CONDITIONS;
        `impression` fixes the placement, else each touch falls differently."""
        if condition not in CONDITIONS:
            raise ValueError(f"condition is one of {', '.join(CONDITIONS)}")
        self._put(("finger", finger, condition, impression))

    def touch_image(self, image: bytes, dpi: int = DPI) -> None:
        """A picture stands in for a finger: PNG bytes, passed on as they are."""
        self._put(("image", image, dpi))

    def nothing(self) -> None:
        """Nobody touches in time."""
        self._put(("timed_out",))

    def vanish(self) -> None:
        """The cable is pulled while the finger is on the glass; the reader is unplugged from then on."""
        self._put(("vanished",))

    def unplug(self) -> None:
        self._plugged = False
        self._put(("wake",))

    def plug_in(self) -> None:
        self._plugged = True

    def _put(self, what: tuple) -> None:
        try:
            self._touches.put_nowait(what)
        except queue.Full:
            if what[0] != "wake":
                raise RuntimeError("eight touches are waiting already: is anything capturing?") from None

    # --- what it promises ------------------------------------------------------
    def open(self) -> None:
        if not self._plugged:
            raise ReaderUnplugged("no device")
        self._open = True

    def close(self) -> None:
        self._open = False
        self._put(("wake",))

    def state(self) -> str:
        if not self._plugged:
            return UNPLUGGED
        return READY if self._open else CLOSED

    def trouble(self) -> str | None:
        return None if self._plugged else ReaderUnplugged.code

    def about(self) -> About:
        return _ABOUT

    def capture(self, timeout_s: float) -> Capture:
        until = time.monotonic() + timeout_s
        while True:
            if not self._plugged:
                return NotCaptured("unplugged")
            if not self._open:
                return NotCaptured("closed")
            try:
                what = self._touches.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return NotCaptured("timed_out")
            match what:
                case ("wake",):
                    continue
                case ("timed_out",):
                    return NotCaptured("timed_out")
                case ("vanished",):
                    self._plugged = False
                    return Unknown("vanished")
                case _ if not self._plugged:
                    return NotCaptured("unplugged")
                case ("image", image, dpi):
                    return Captured(Sample(FINGER, "image/png", image, dpi, _DECLARED))
                case ("finger", finger, condition, impression):
                    laid_on = time.monotonic()
                    picture = draw(
                        finger, secrets.randbits(32) if impression is None else impression, condition
                    )
                    sample = Sample(FINGER, "image/png", png(picture), DPI, _DECLARED)
                    return Captured(sample, round((time.monotonic() - laid_on) * 1000))
