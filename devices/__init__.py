"""Readers at the counter, and the fingerprints they take.

Knows nothing of patients, doses or the web. A driver is chosen here
and nowhere else.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.interface import Reader, ReaderUnknown, ReaderUnusable, SimulatedReaderRefused

#: Kind to module and class. Imported when chosen, so that each needs only its own libraries.
DRIVERS = MappingProxyType(
    {
        "simulated": ("devices.readers.simulated", "SimulatedReader"),
        "mosip_sbi": ("devices.readers.mosip_sbi", "MosipSbiReader"),
        "libfprint": ("devices.readers.libfprint", "LibfprintReader"),
        "zfm": ("devices.readers.zfm", "ZfmReader"),
        "http_json": ("devices.readers.http_json", "HttpJsonReader"),
        "folder": ("devices.readers.folder", "FolderReader"),
    }
)
KINDS = tuple(DRIVERS)


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Which reader, and how. `options` go to the driver by name.

    `allow_simulated` is true in the demo, in training and in tests, nowhere else.
    """

    kind: str
    allow_simulated: bool = False
    options: Mapping = field(default_factory=lambda: MappingProxyType({}))


def make_reader(settings: ReaderSettings) -> Reader:
    """The reader of that kind, not open yet: an agent keeps it until its device is plugged in.

    Raises ReaderUnknown, SimulatedReaderRefused, or ReaderUnusable("reader_misconfigured") for wrong options.
    """
    if settings.kind not in DRIVERS:
        raise ReaderUnknown(settings.kind)
    module, name = DRIVERS[settings.kind]
    driver = getattr(importlib.import_module(module), name)
    try:
        reader = driver(**settings.options)
    except (TypeError, ValueError) as error:
        raise ReaderUnusable("reader_misconfigured", str(error)[:120]) from None
    if reader.simulated and not settings.allow_simulated:
        raise SimulatedReaderRefused(settings.kind)
    return reader


def open_reader(settings: ReaderSettings) -> Reader:
    """The reader of that kind, open. Raises as `make_reader`, and what `Reader.open` raises."""
    reader = make_reader(settings)
    reader.open()
    return reader
