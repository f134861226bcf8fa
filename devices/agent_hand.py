"""One reader in an agent's hand: opened again and again, worked, watched, counted.

A driver that breaks its promise (raises, never comes back) is said as trouble in
the heartbeat and tried again; its words are not logged, because nobody knows what
it puts into them.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from devices.interface import (
    CLOSED,
    GIVES_IMAGE,
    READY,
    UNPLUGGED,
    About,
    Capture,
    NotCaptured,
    Reader,
    ReaderError,
    Touch,
    Unknown,
    printable,
)

log = logging.getLogger("ost.agent")

#: A capture that has not come back so long after its time is up: the driver hangs.
STUCK_S = 15.0
#: Trouble of the device, not of a finger: told once in so long, however often it is met.
TOLD_AGAIN_S = 10.0
MOST_DRAINED = 16
NOBODY = ("timed_out", "closed", "cancelled")
_OF_THE_FINGER = ("too_wet", "no_finger")


class Hand:
    """`name`: the agent's own name for the reader, unique at its station. `now`: seconds, need not be the time."""

    def __init__(self, name: str, reader: Reader, now: Callable[[], float]):
        self.name = name
        self.reader = reader
        self.touches = self.refused = self.dropped = 0
        self._now = now
        self._due: float | None = None  # until when the running capture should have come back
        self._broken = False
        self._trouble: str | None = None
        self._told: tuple[str, float] | None = None
        self._said: tuple | None = None
        #: The last capture met trouble of the device: it is left alone for a moment.
        self.troubled = False

    # --- what a heartbeat says --------------------------------------------------------
    def look(self) -> dict:
        """Name, state, trouble, and what the device says of itself. Never waits, never raises."""
        try:
            state, trouble = self._state()
            about = self.reader.about()
        except Exception as error:  # noqa: BLE001 - a broken driver is said as such; the others go on
            self._say_failed(error)
            state, trouble, about = UNPLUGGED, "reader_not_answering", About(self.reader.kind, GIVES_IMAGE)
        return {
            "name": self.name,
            "kind": self.reader.kind,
            "simulated": self.reader.simulated,
            "state": state,
            "trouble": None if state == READY else trouble,
            "gives": about.gives,
            "modality": about.modality,
            "dpi": about.dpi,
            "maker": printable(about.maker),
            "model": printable(about.model),
            "serial": printable(about.serial),
            "firmware": printable(about.firmware),
            "liveness": printable(about.liveness),
        }

    def _state(self) -> tuple[str, str | None]:
        if self._broken or (self._due is not None and self._now() > self._due + STUCK_S):
            return UNPLUGGED, "reader_not_answering"
        state = self.reader.state()
        return state, self.reader.trouble() or (self._trouble if state != READY else None)

    # --- work ------------------------------------------------------------------------------
    def be_open(self) -> bool:
        if self.reader.state() == READY:
            self._trouble = None
            return True
        try:
            self.reader.open()
        except ReaderError as error:
            if error.code != self._trouble:
                log.warning("reader %s: %s", self.name, error.code)
            self._trouble = error.code
            return False
        self._trouble = None
        return True

    def capture(self, wait_s: float) -> Touch | None:
        """The next touch worth telling; None when nobody touched, or its trouble was told a moment ago."""
        capture = self._capture(wait_s)
        self._broken = False
        self.troubled = isinstance(capture, NotCaptured | Unknown) and capture.code not in NOBODY + _OF_THE_FINGER
        if isinstance(capture, NotCaptured) and capture.code in NOBODY:
            return None
        if self._told_before(capture):
            return None
        self.touches += 1
        return Touch.of(self.reader, capture, self.name)

    def _capture(self, wait_s: float) -> Capture:
        self._due = self._now() + wait_s
        try:
            return self.reader.capture(wait_s)
        finally:
            self._due = None

    def _told_before(self, capture: Capture) -> bool:
        if not self.troubled:
            self._told = None
            return False
        if self._told and self._told[0] == capture.code and self._now() - self._told[1] < TOLD_AGAIN_S:
            return True
        self._told = (capture.code, self._now())
        return False

    def drain(self) -> None:
        """Touches that waited behind one that was dropped are as old: dropped too."""
        for _ in range(MOST_DRAINED):
            if isinstance(self._capture(0.0), NotCaptured):
                return
            self.dropped += 1

    def failed(self, error: Exception) -> None:
        """The driver raised. Where is logged, what it said is not."""
        self._broken = True
        self._say_failed(error)
        self.close(at_any_rate=True)

    def _say_failed(self, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = (type(error).__name__, last.lineno)
        if said != self._said:
            log.error("reader %s failed: %s at %s:%s", self.name, said[0], last.name, last.lineno)
        self._said = said

    def close(self, at_any_rate: bool = False) -> None:
        """Never raises, whatever the driver does."""
        try:
            if at_any_rate or self.reader.state() != CLOSED:
                self.reader.close()
        except Exception as error:  # noqa: BLE001 - it is left alone then; the program ends or tries again
            self._say_failed(error)
