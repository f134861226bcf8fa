"""What `ost devices list` shows of the services on this machine."""

from __future__ import annotations

from collections.abc import Iterable

from devices.discover import Found

from . import messages, wire
from .errors import Garbled, Refused

KIND = "mosip_sbi"


def find(ports: Iterable[int] = wire.PORTS) -> list[Found]:
    """Finger devices of the services on this machine, by what they say without proof.

    None of them is usable as it is: which certificates to trust is for somebody to decide.
    """
    answers, _deaf = wire.search(wire.LOOPBACK, ports, wait_s=1.5)
    found = []
    for port, answer in answers.items():
        try:
            entries = messages.listed(port, answer)
        except (Garbled, Refused):
            continue  # something else listens there
        found += [_found(entry) for entry in entries]
    return found


def _found(entry: messages.Listed) -> Found:
    trouble, detail = "reader_not_trusted", "trust"
    if entry.status in (messages.STATUS_BUSY, messages.STATUS_NOT_READY):
        trouble, detail = "reader_not_ready", entry.status
    elif entry.status == messages.STATUS_NOT_REGISTERED:
        detail = entry.status
    label = " ".join(w for w in (entry.make, entry.model, entry.serial, f"(SBI, port {entry.port})") if w)
    todo = ("--option trust=FOLDER",) if detail == "trust" else ()
    return Found(
        KIND, {"serial": entry.serial, "ports": entry.port}, label, trouble, detail=detail, todo=todo
    )
