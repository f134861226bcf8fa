"""Serial ports of this machine behind which a fingerprint module may be.

Does: looks through the system's list of ports and at who may use them. Does not open any: a port with something else
behind it (a scale, a pump) must not be spoken to unasked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from .zfm_line import group_of

#: Makers of the USB-to-serial chips on the boards these modules are wired to, by USB vendor id.
CHIPS = {
    0x0403: "FTDI",
    0x067B: "Prolific PL2303",
    0x10C4: "Silicon Labs CP210x",
    0x1A86: "WCH CH340",
    0x04D8: "Microchip MCP2200",
    0x0483: "STMicroelectronics",
}
#: Serial ports on the board itself that a module can be wired to (Raspberry Pi and its like).
ON_BOARD = ("ttyAMA", "ttyTHS", "ttyHS")
BY_ID = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class Port:
    """`port`: what to open, by a name that stays the same when it is plugged in again, where the system has one."""

    port: str
    label: str
    trouble: str | None = None
    detail: str = ""
    todo: tuple[str, ...] = ()


def ports() -> list[Port]:
    """All candidates, by name."""
    return [
        _port(each) for each in sorted(list_ports.comports(), key=lambda each: each.device) if _may_be(each)
    ]


def _may_be(each) -> bool:
    return each.vid in CHIPS or os.path.basename(each.device).startswith(ON_BOARD)


def _port(each) -> Port:
    name = CHIPS.get(each.vid, "on the board")
    usb = f" (usb {each.vid:04x}:{each.pid:04x})" if each.vid is not None and each.pid is not None else ""
    port, label = lasting_name(each.device), f"{name} on {each.device}{usb}"
    if os.name == "nt" or os.access(each.device, os.R_OK | os.W_OK):
        return Port(port, label)
    if not os.path.exists(each.device):
        return Port(port, label, "reader_unplugged", each.device)
    group = group_of(each.device)
    todo = (f"sudo usermod -aG {group} $USER",)
    return Port(port, label, "reader_permission_denied", group, todo)


def lasting_name(device: str) -> str:
    """The link in /dev/serial/by-id that leads to `device`, else `device`."""
    real = os.path.realpath(device)
    links = sorted(BY_ID.iterdir()) if BY_ID.is_dir() else []
    return next((str(link) for link in links if os.path.realpath(link) == real), device)
