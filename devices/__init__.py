"""Readers at the counter, and the fingerprints they take.

Knows nothing of patients, doses or the web. `open_reader` is the only place
where a driver is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.interface import Reader, ReaderUnknown, SimulatedReaderRefused

KINDS = ("simulated",)


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Which reader, and how. `options` go to the driver by name.

    `allow_simulated` is true in the demo, in training and in tests, nowhere else.
    """

    kind: str
    allow_simulated: bool = False
    options: Mapping = field(default_factory=lambda: MappingProxyType({}))


def open_reader(settings: ReaderSettings) -> Reader:
    """The reader of that kind, open. Drivers are imported here, so that each needs only its own libraries.

    Raises ReaderUnknown, SimulatedReaderRefused, or ReaderUnplugged when there is no device.
    """
    if settings.kind == "simulated":
        from devices.readers.simulated import SimulatedReader as Driver
    else:
        raise ReaderUnknown(settings.kind)
    reader = Driver(**settings.options)
    if reader.simulated and not settings.allow_simulated:
        raise SimulatedReaderRefused(settings.kind)
    reader.open()
    return reader
