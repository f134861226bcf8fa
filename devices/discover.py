"""What is plugged in to this machine, and what stands in the way where it cannot be used.

Does: asks each driver's module for its `find()`, beside each other and for a bounded time. Does not:
open, configure or disturb a device, or judge one.

A driver's `find() -> list[Found]` needs no arguments, takes less than three seconds, leaves no trace on
the device, and lists what is there even where it cannot be used, with the reason. A kind that can only
be reached with options somebody has to know (an address, a folder) finds nothing.
"""

from __future__ import annotations

import importlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices import DRIVERS
from devices.interface import About, ReaderError, ReaderUnusable

log = logging.getLogger("ost.devices")

#: A driver that has found nothing by then is said not to answer; the others are listed all the same.
WAIT_S = 6.0

#: What brings a missing module: the line to type.
PACKAGES = MappingProxyType(
    {
        "gi": "sudo apt install libfprint-2-2 gir1.2-fprint-2.0 python3-gi",
        "jwt": "pip install pyjwt",
        "serial": "pip install pyserial",
        "wsq": "pip install wsq",
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """One device, or one reason why a kind of devices cannot be looked for.

    `options`: what `make_reader` needs to reach this one. `label`: for the operator's eye, as
    "U.are.U 4500 (usb 05ba:000a)". `trouble`: one of TROUBLES, None when it can be used as it is.
    `about`: what it says of itself, where that could be asked without opening it. `detail`: a short
    technical word beside the trouble (a package, a port, a group). `todo`: lines to type, in order.
    """

    kind: str
    options: Mapping = field(default_factory=lambda: MappingProxyType({}))
    label: str = ""
    trouble: str | None = None
    about: About | None = None
    detail: str = ""
    todo: tuple[str, ...] = ()


Progress = Callable[[int, int, str], None]
"""Called with (kinds done, kinds in all, the kind)."""


def package_missing(kind: str, module: str) -> Found:
    """The finding that a library is missing; `module`: as it is imported, "serial"."""
    top = module.partition(".")[0]
    todo = PACKAGES.get(top, f"pip install {top}")
    return Found(kind, label=kind, trouble="reader_package_missing", detail=top, todo=(todo,))


def discover(
    progress: Progress | None = None, kinds: Iterable[str] = tuple(DRIVERS), wait_s: float = WAIT_S
) -> list[Found]:
    """All that every driver finds, in the order of `kinds`. Takes at most about `wait_s`; never raises for a device."""
    kinds = tuple(kinds)
    answers: queue.SimpleQueue[tuple[str, list[Found]]] = queue.SimpleQueue()
    for kind in kinds:
        # Daemons: a driver stuck in its library must not keep the program from ending.
        threading.Thread(
            target=lambda kind=kind: answers.put((kind, find_one(kind))), name=f"find-{kind}", daemon=True
        ).start()
    found: dict[str, list[Found]] = {}
    until = time.monotonic() + wait_s
    while len(found) < len(kinds):
        try:
            kind, these = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        found[kind] = these
        if progress:
            progress(len(found), len(kinds), kind)
    for kind in kinds:
        if kind not in found:
            found[kind] = [Found(kind, label=kind, trouble="reader_not_answering", detail=f"{wait_s:.0f} s")]
    return [each for kind in kinds for each in found[kind]]


def find_one(kind: str) -> list[Found]:
    """What the driver of one kind finds; a driver without `find` finds nothing."""
    try:
        find = getattr(importlib.import_module(DRIVERS[kind][0]), "find", None)
        return list(find()) if find else []
    except ImportError as error:
        return [package_missing(kind, error.name or str(error)[:40])]
    except ReaderUnusable as error:
        return [Found(kind, label=kind, trouble=error.code, detail=error.about[:120])]
    except ReaderError as error:
        return [Found(kind, label=kind, trouble=error.code)]
    except Exception as error:
        # A fault of one driver must not hide the other devices; it is told in full to whoever repairs it.
        log.exception("looking for %s failed", kind)
        return [Found(kind, label=kind, trouble="reader_not_answering", detail=type(error).__name__)]
