"""Modules and readers for the tests of the serial driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devices.readers.zfm import ZfmReader
from tests.devices.zfm_module import Module


@contextmanager
def modules(folder: Path) -> Iterator[Callable[..., Module]]:
    """Makes modules, plugged in, that end with the test."""
    made: list[Module] = []

    def make(**how) -> Module:
        made.append(Module(folder / f"port{len(made)}", **how))
        made[-1].plug_in()
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            each.unplug()


def reader_of(module: Module, **how) -> ZfmReader:
    return ZfmReader(str(module.link), **{"answer_s": 0.5, "poll_s": 0.002, **how})


def opened(module: Module, **how) -> ZfmReader:
    reader = reader_of(module, **how)
    reader.open()
    return reader
