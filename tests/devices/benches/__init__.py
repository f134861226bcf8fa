"""How a test lays fingers on each kind of reader: one file and one bench per driver, all in BENCHES.

A bench is the counterpart behind the driver (a virtual device, an emulated module, a service on a
port, a folder), with the hands that work it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from devices.interface import Reader

#: Module in this package and its class.
BENCHES = {
    "simulated": ("simulated", "SimulatedBench"),
    "mosip_sbi": ("mosip_sbi", "MosipSbiBench"),
    "libfprint": ("libfprint", "LibfprintBench"),
    "zfm": ("zfm", "ZfmBench"),
    "http_json": ("http_json", "HttpJsonBench"),
    "folder": ("folder", "FolderBench"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. `lay`: arranges it, so that the next capture meets it;
    `endings`: what the capture may come to, as (class name, code)."""

    name: str
    lay: Callable[[], None]
    endings: tuple[tuple[str, str], ...]


class Bench(Protocol):
    reader: Reader
    #: The format of its samples, and their dpi (None for templates).
    format: str
    dpi: int | None

    def lay_on(self) -> None:
        """A finger that can be read is laid on, and lifted."""

    def unplug(self) -> None: ...

    def plug_in(self) -> None:
        """The device is there again and whole; every fault is gone."""

    def vanish(self) -> None:
        """The next capture loses its device halfway."""

    def faults(self) -> list[Fault]: ...

    def end(self) -> None:
        """Everything this bench started is stopped."""


def make_bench(kind: str) -> Bench:
    module, name = BENCHES[kind]
    return getattr(import_module(f"tests.devices.benches.{module}"), name)()
