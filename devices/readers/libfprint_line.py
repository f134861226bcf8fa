"""The line to libfprint's process: frames out and in, and a thread that hears at once when it ends.

Knows how frames look and what a dying, hanging or raving process means; knows nothing of pictures.
"""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from devices.discover import PACKAGES
from devices.interface import TROUBLES, ReaderUnplugged, ReaderUnusable

PROCESS = Path(__file__).with_name("libfprint_process.py")
HUNG_UP = {"said": "closed"}  # `close` was called
#: How long a process may take to end a capture, or itself, when it is asked to.
LETTING_GO_S = 2.0

_FRAME = struct.Struct(">II")
_LONGEST_HEAD = 65_536
_MOST_PIXELS = 25_000_000
_GONE = {"said": "gone"}  # the process ended
_GARBLED = {"said": "garbled"}  # it said something that is no frame of ours


def device_in(answer: dict) -> dict:
    """What the process says of a device: short texts, and whether this account may use it."""
    raw = answer.get("device") if isinstance(answer.get("device"), dict) else {}
    said = {name: str(raw.get(name) or "")[:80] for name in ("driver", "id", "name", "usb", "gives")}
    return said | {"locked": raw.get("locked") is True}


class Process:
    """The helping process and the frames it speaks; a thread listens, so that its end is known at once.

    `lost`: why nothing can come any more, None while something can.
    """

    def __init__(self, python: str, environment: dict[str, str]):
        self.lost: str | None = None
        self._inbox: queue.Queue[dict] = queue.Queue(maxsize=8)
        self._writing = threading.Lock()
        try:
            self._popen = subprocess.Popen(
                [python, "-I", str(PROCESS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libfprint prints its complaints there
                env=environment,
                cwd="/",
                start_new_session=True,  # Ctrl-C in a terminal is for the station's program alone
            )
        except OSError as error:
            raise ReaderUnusable("reader_package_missing", f"{python}: {error.strerror}"[:80]) from None
        self._listening = threading.Thread(target=self._listen, name="libfprint", daemon=True)
        self._listening.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    # --- frames ------------------------------------------------------------------------
    def _listen(self) -> None:
        stream = self._popen.stdout
        try:
            while True:
                head_bytes, body_bytes = _FRAME.unpack(_exactly(stream, _FRAME.size))
                if head_bytes > _LONGEST_HEAD or body_bytes > _MOST_PIXELS:
                    raise ValueError("no frame")
                head = json.loads(_exactly(stream, head_bytes))
                if not isinstance(head, dict) or not isinstance(head.get("said"), str):
                    raise ValueError("no frame")
                body = _exactly(stream, body_bytes)
                if head["said"] == "removed":
                    self.lost = self.lost or "removed"
                    continue
                self.put(head | {"data": body})
        except EOFError:
            self.lost = self.lost or "gone"
            self.put(_GONE)
        except (ValueError, RecursionError):
            self.lost = self.lost or "garbled"
            self.put(_GARBLED)
        except OSError:
            self.lost = self.lost or "gone"
            self.put(_GONE)

    def put(self, said: dict) -> None:
        """Into the inbox; what nobody has asked for in time makes room."""
        while True:
            try:
                return self._inbox.put_nowait(said)
            except queue.Full:
                try:
                    self._inbox.get_nowait()
                except queue.Empty:
                    continue

    def tell(self, head: dict) -> bool:
        text = json.dumps(head).encode()
        try:
            with self._writing:
                self._popen.stdin.write(_FRAME.pack(len(text), 0) + text)
                self._popen.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def hear(self, until: float) -> dict | None:
        """The next thing it said; None when nothing has come by then."""
        try:
            return self._inbox.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None

    def answer(self, until: float, heard: Callable[[dict], None] = lambda said: None) -> dict:
        """As `hear`, for questions that must be answered. Raises ReaderUnplugged or ReaderUnusable."""
        said = self.hear(until)
        if said is None or said["said"] in ("gone", "garbled", "closed"):
            raise ReaderUnusable("reader_not_answering", "libfprint")
        heard(said)
        if said["said"] == "trouble":
            code = said.get("code")
            if code == ReaderUnplugged.code:
                raise ReaderUnplugged("no device")
            raise ReaderUnusable(code if code in TROUBLES else "reader_not_answering", _hint(code, said))
        return said

    # --- the end -----------------------------------------------------------------------
    def end(self) -> None:
        """Ask it to let go of the device, then make sure. Never raises."""
        self.tell({"do": "close"})
        try:
            self._popen.wait(timeout=LETTING_GO_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._reap()

    def kill(self) -> None:
        self._popen.kill()
        self._reap()

    def _reap(self) -> None:
        self._popen.wait()
        with contextlib.suppress(OSError):  # what could not be written is for nobody any more
            self._popen.stdin.close()
        if self._listening is not threading.current_thread():
            self._listening.join(timeout=LETTING_GO_S)
        if not self._listening.is_alive():
            self._popen.stdout.close()


def _hint(code: str, said: dict) -> str:
    device = device_in(said)
    if code == "reader_package_missing":
        return PACKAGES["gi"].removeprefix("sudo apt install ")
    if code == "reader_permission_denied" and device["usb"]:
        return "udev rule for usb {}:{}, GROUP=plugdev".format(*device["usb"].split(":"))
    return device["name"] or "libfprint"


def _exactly(stream, count: int) -> bytes:
    """Raises EOFError when the stream ends before."""
    data = stream.read(count) if count else b""
    if len(data) != count:
        raise EOFError
    return data
