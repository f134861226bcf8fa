"""Any reader whose own program can save a file: a picture or a template appears in a watched folder.

Takes a file once, when it is whole, and destroys it before anything else happens with it: prints do not stay on
the disk. What lay there before, or too long, is destroyed unread: a touch is never delivered late. Does not:
follow links, look into folders below, or touch a folder that was not given to it. Overwriting is done as far as a
file can be overwritten; a disk that writes elsewhere, a journal or a backup may still hold it, so the folder
belongs on a memory file system (tmpfs) where there is one.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import logging
import os
import secrets
import signal
import stat
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from devices.interface import (
    CLOSED,
    FINGER,
    GIVES_IMAGE,
    GIVES_TEMPLATE,
    ISO_TEMPLATE,
    MAX_SAMPLE_BYTES,
    READY,
    UNPLUGGED,
    About,
    Capture,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    ReaderUnusable,
    Sample,
    Unknown,
)
from devices.readers import pictures

log = logging.getLogger("ost.devices")

MARK = ".ost-reader"
"""A file of this name says that what else is put into the folder may be destroyed. `open` makes it in an empty
folder, and refuses one with other things in it and without it: a slip in a path must not cost anybody's pictures."""

PATTERN = "*.png *.bmp *.jpg *.jpeg *.jp2 *.wsq *.pgm *.raw *.iso *.fmr"
_CLAIMED = ".ost-taken-"
_LOOK_S = 0.05
_SETTLED_S = 0.2
# A file that is still growing at the end of the wait is given this much more; one that stopped growing is not.
_GRACE_S = 3.0
_STALLED_S = 0.8
AGE_S = 10.0


@dataclass(slots=True)
class _Seen:
    """A file on its way in: its identity, what it was at the last change, and when that was, by our own clock."""

    looks: tuple
    since: float


class FolderReader:
    """`path`: the folder; `dpi`: of every picture in it. `pattern`: names that count, with * and spaces between.
    `width`, `height`: of pictures without a header (.raw), 8-bit grey. `age_s`: a file that has been there longer
    than this is destroyed unread. Raises ValueError."""

    kind = "folder"
    modality = FINGER
    simulated = False

    def __init__(
        self,
        path: str,
        dpi: int = 500,
        pattern: str = PATTERN,
        width: int | None = None,
        height: int | None = None,
        age_s: float = AGE_S,
    ):
        if type(dpi) is not int or not 250 <= dpi <= 1300:
            raise ValueError("dpi is a whole number from 250 to 1300")
        if not float(age_s) > 0 or not str(pattern).split():
            raise ValueError("age_s is more than 0, and pattern names at least one kind of file")
        self._path = Path(path).expanduser()
        self._dpi, self._size, self._age_s = dpi, (width, height), float(age_s)
        self._patterns = tuple(each.lower() for each in str(pattern).split())
        self._about = About(self.kind, GIVES_IMAGE, dpi=dpi, model="folder")
        self._closing = threading.Event()
        self._closing.set()
        self._closed_times = 0
        self._identity: tuple | None = None
        self._trouble: str | None = None
        self._seen: dict[str, _Seen] = {}
        self._refused: dict[str, tuple] = {}

    # --- what it promises ------------------------------------------------------
    def open(self) -> None:
        try:
            self._require_own()
            identity = self._check()
            if self.state() == READY and identity == self._identity and MARK in os.listdir(self._path):
                return
            self._identity = identity
            dropped = self._sweep()
        except (ReaderUnplugged, ReaderUnusable) as error:
            self._trouble = error.code
            raise
        if dropped:
            log.warning("folder: %d old files destroyed unread", dropped)
        self._seen.clear()
        self._refused.clear()
        self._trouble = None
        self._closing.clear()

    def close(self) -> None:
        self._closed_times += 1
        self._closing.set()

    def state(self) -> str:
        if self._trouble == ReaderUnplugged.code:
            return UNPLUGGED
        return CLOSED if self._closing.is_set() or self._trouble else READY

    def trouble(self) -> str | None:
        return self._trouble

    def about(self) -> About:
        return self._about

    def capture(self, timeout_s: float) -> Capture:
        if self._closing.is_set():
            return NotCaptured("closed")
        until, closed_times = time.monotonic() + timeout_s, self._closed_times
        while True:
            try:
                ended = self._look()
            except ReaderUnplugged as error:
                self._trouble = error.code
                # A file had begun to come in: whether a finger was taken is not known.
                return Unknown("vanished") if self._seen else NotCaptured("unplugged")
            except ReaderUnusable as error:
                self._trouble = error.code
                return NotCaptured("device_error")
            if ended is not None:
                return ended
            now = time.monotonic()
            if now >= until and not self._seen:
                return NotCaptured("timed_out")
            stalled = all(now - each.since >= _STALLED_S for each in self._seen.values())
            if now >= until + (0 if stalled else _GRACE_S):
                return self._given_up()
            # Also when it was opened again meanwhile: that is for the next capture.
            if self._closing.wait(_LOOK_S) or self._closed_times != closed_times:
                return NotCaptured("closed")

    # --- the folder ---------------------------------------------------------------
    def _require_own(self) -> None:
        """Before anything else is said of a folder: it is meant for this, or nobody is told to change its rights."""
        with contextlib.suppress(OSError):  # `_check` says it better
            names = os.listdir(self._path)
            if names and MARK not in names:
                raise ReaderUnusable("reader_misconfigured", f"not empty, and without the file {MARK}")

    def _check(self) -> tuple:
        """Which folder it is. Raises ReaderUnplugged or ReaderUnusable."""
        try:
            found = os.lstat(self._path)
        except PermissionError:
            raise ReaderUnusable("reader_permission_denied", "folder") from None
        except OSError:
            raise ReaderUnplugged("no such folder") from None
        if not stat.S_ISDIR(found.st_mode):
            raise ReaderUnusable("reader_misconfigured", "path is a folder, and no link to one")
        if os.name == "posix" and found.st_mode & 0o007:
            raise ReaderUnusable("reader_misconfigured", "others may enter the folder: chmod o-rwx")
        here = os.access in os.supports_effective_ids
        if not os.access(self._path, os.R_OK | os.W_OK | os.X_OK, effective_ids=here):
            raise ReaderUnusable("reader_permission_denied", "folder")
        return found.st_dev, found.st_ino

    def _names(self) -> list[str]:
        """Names of this very folder. Raises ReaderUnplugged where it is gone or another, ReaderUnusable."""
        if self._check() != self._identity:
            raise ReaderUnplugged("another folder")
        try:
            return os.listdir(self._path)
        except PermissionError:
            raise ReaderUnusable("reader_permission_denied", "folder") from None
        except OSError:
            raise ReaderUnplugged("the folder is gone") from None

    def _sweep(self) -> int:
        """Destroys what lies there, in a folder that says that it may; how many files."""
        names = self._names()
        if MARK not in names:
            self._require_own()
            try:
                (self._path / MARK).touch(mode=0o600)
            except OSError:
                raise ReaderUnusable("reader_permission_denied", MARK) from None
        old = [name for name in names if self._counts(name) or name.startswith(_CLAIMED)]
        kept = [name for name in old if not self._destroy(name)]
        if any(not (self._path / name).is_dir() for name in kept):
            # It would be met again at every touch.
            raise ReaderUnusable("reader_permission_denied", "a file cannot be removed")
        return len(old) - len(kept)

    def _counts(self, name: str) -> bool:
        lower = name.lower()
        return not name.startswith(".") and any(fnmatch.fnmatchcase(lower, each) for each in self._patterns)

    def _now_ns(self) -> int:
        """The time as the folder's own file system keeps it, which may be another machine's. Raises ReaderUnplugged
        where the mark is gone: the folder was made anew, or serves something else now."""
        try:
            os.utime(self._path / MARK)
            return os.lstat(self._path / MARK).st_mtime_ns
        except PermissionError:
            raise ReaderUnusable("reader_permission_denied", MARK) from None
        except OSError:
            raise ReaderUnplugged("another folder") from None

    # --- one look ------------------------------------------------------------------
    def _look(self) -> Capture | None:
        """Sees to every file that counts; what the first whole one came to, the oldest first, else None."""
        names = self._names()
        if MARK not in names:
            raise ReaderUnplugged("another folder")
        names = [name for name in names if self._counts(name)]
        now_ns = self._now_ns() if names else 0
        found = {}
        for name in names:
            with contextlib.suppress(OSError):  # gone again: renamed or taken back
                found[name] = os.lstat(self._path / name)
        self._seen = {name: each for name, each in self._seen.items() if name in found}
        self._refused = {name: each for name, each in self._refused.items() if name in found}
        for name in sorted(found, key=lambda each: found[each].st_mtime_ns):
            ended = self._see_to(name, found[name], now_ns)
            if ended is not None:
                self._seen.pop(name, None)
                return ended
        return None

    def _see_to(self, name: str, found: os.stat_result, now_ns: int) -> Capture | None:
        which = (found.st_ino, found.st_ctime_ns)
        if stat.S_ISDIR(found.st_mode) or self._refused.get(name) == which:
            return None
        # A second name of a file somewhere else is no drop: destroying it would destroy that one.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            self._refused[name] = which
            return NotCaptured("rejected")
        if found.st_size > MAX_SAMPLE_BYTES:
            self._destroy(name)
            return NotCaptured("rejected")
        changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
        if now_ns - changed_ns > self._age_s * 1e9:
            self._destroy(name)
            log.warning("folder: an old file destroyed unread")
            return None
        looks = (found.st_ino, found.st_size, found.st_mtime_ns)
        before = self._seen.get(name)
        if before is None or before.looks != looks:
            self._seen[name] = _Seen(looks, time.monotonic())
            return None
        if not found.st_size or time.monotonic() - before.since < _SETTLED_S:
            return None
        return self._take(name, looks)

    def _take(self, name: str, looks: tuple) -> Capture | None:
        """The file's content, once; it is destroyed before it is looked at. None while somebody writes it."""
        claimed = f"{_CLAIMED}{secrets.token_hex(8)}"
        try:
            opened = os.open(self._path / name, os.O_RDONLY | _CAREFULLY)
            with os.fdopen(opened, "rb") as file:
                now = os.fstat(file.fileno())
                same = (now.st_ino, now.st_size, now.st_mtime_ns) == looks and now.st_nlink == 1
                if not same or _is_written(file.fileno()):
                    return None
                os.rename(self._path / name, self._path / claimed)
                if os.lstat(self._path / claimed).st_ino != now.st_ino:
                    raise OSError(errno.ESTALE, "another file took its place")
                data = file.read(MAX_SAMPLE_BYTES + 1)
        except FileNotFoundError:
            return None
        except PermissionError:
            if os.name != "posix":
                return None  # where a file is locked while it is written
            raise ReaderUnusable("reader_permission_denied", "file") from None
        except OSError:
            self._destroy(claimed)
            return Unknown("garbled")
        if not self._destroy(claimed):
            # It would be there again after a restart: not a touch that happened once.
            raise ReaderUnusable("reader_permission_denied", "the file cannot be removed")
        return self._judged(data)

    def _judged(self, data: bytes) -> Capture:
        width, height = self._size
        try:
            taken = pictures.take(data, dpi=self._dpi, width=width, height=height, raw=bool(width and height))
        except pictures.Garbled:
            return Unknown("garbled")
        except pictures.Rejected:
            return NotCaptured("rejected")
        gives = GIVES_TEMPLATE if taken.format == ISO_TEMPLATE else GIVES_IMAGE
        self._about = replace(self._about, gives=gives, dpi=taken.dpi)
        return Captured(Sample(FINGER, taken.format, taken.data, taken.dpi, self._about.declared()))

    def _given_up(self) -> Capture:
        """A file began to come in and was never whole. What there is of it is destroyed, not to come late."""
        for name in list(self._seen):
            self._destroy(name)
        self._seen.clear()
        return Unknown("silent")

    def _destroy(self, name: str) -> bool:
        """Overwritten where that can be done, then removed; whether it is gone. Never follows a link."""
        path = self._path / name
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                with os.fdopen(os.open(path, os.O_WRONLY | _CAREFULLY), "wb") as file:
                    file.write(bytes(min(found.st_size, 4 * MAX_SAMPLE_BYTES)))
                    file.flush()
                    os.fsync(file.fileno())
        try:
            os.unlink(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


# Not all systems have all of these.
_CAREFULLY = 0
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _CAREFULLY |= getattr(os, _flag, 0)


def _is_written(descriptor: int) -> bool:
    """Whether somebody has the file open for writing; False where the system does not say.

    Linux gives a read lease only on files that nobody writes. A lease that is broken meanwhile would end the
    program by its signal: it is one that is ignored unless somebody asks for it.
    """
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (ImportError, AttributeError):
        return False
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def find() -> list:
    """A folder cannot be found by looking: somebody has to name it."""
    return []
