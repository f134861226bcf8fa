"""Which makers' services listen on this machine. Connects and looks; captures nothing and believes nothing.

A port is no proof: at SecuGen's port many other programs may listen. So a certificate that no authority of
the system vouches for is shown as it is, for somebody to compare and set.
"""

from __future__ import annotations

import socket

from devices.discover import Found
from devices.interface import GIVES_IMAGE, About, ReaderError
from devices.readers.http_json_profiles import PROFILES
from devices.readers.http_json_values import object_of, text_of
from devices.readers.http_line import Address, ExchangeError, Line, Trust

KIND = "http_json"
_KNOCK_S = 0.3
_CONNECT_S = 0.7
_ASK_S = 0.7
_NO_PIN = "00" * 32

#: Profile, its name for people, and addresses at which its service listens.
PLACES = (
    ("secugen", "SecuGen WebAPI", ("https://localhost:8443/SGIFPCapture",)),
    (
        "mantra",
        "Mantra client service",
        ("https://localhost:8003/mfs100/capture", "http://localhost:8004/mfs100/capture"),
    ),
)


def find_services(places=PLACES) -> list[Found]:
    return [
        found for place in places for url in place[2] if (found := _look(place[0], place[1], url)) is not None
    ]


def _look(profile: str, maker: str, url: str) -> Found | None:
    address = Address.of(url)
    if not _listens(address.port):
        return None
    options = {"profile": profile, "url": url}
    label = f"{maker}'s port {address.port}"
    try:
        Line(address, Trust(), _CONNECT_S).knock()
    except ReaderError as error:
        if error.code != "reader_not_trusted":
            return None  # something listens there, and it is no such service
        return _untrusted(address, options, label)
    return _described(Found(KIND, options, label), address)


def _listens(port: int) -> bool:
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, port), timeout=_KNOCK_S).close()
        except OSError:
            continue
        return True
    return False


def _untrusted(address: Address, options: dict, label: str) -> Found | None:
    """The finding with the certificate that is shown, to be compared and set. Nothing is sent to find it out."""
    try:
        Line(address, Trust(certificate=_NO_PIN), _CONNECT_S).knock()
    except ReaderError as error:
        if error.code != "reader_not_trusted":
            return None
        shown = error.about.partition("sha256:")[2]
    else:
        return None
    typed = " ".join(f"--option {name}={value}" for name, value in options.items())
    todo = (f"ost devices probe {KIND} {typed} --option certificate={shown}",)
    return Found(KIND, options, label, "reader_not_trusted", None, f"certificate sha256:{shown}", todo)


def _described(found: Found, address: Address) -> Found | None:
    """With what the service says of its device, where it can be asked without a touch; None for another program."""
    profile = PROFILES[found.options["profile"]]
    if not profile.info:
        return found
    try:
        status, raw = Line(address, Trust(), _CONNECT_S).ask(
            "GET", profile.info, None, dict(profile.headers), _ASK_S
        )
        said = object_of(raw) if status == 200 else {}
    except ExchangeError:
        return None
    number = text_of(said.get(profile.fields["code"][0]))
    if number is None:
        return None
    if number.lstrip("0"):
        return Found(KIND, found.options, found.label, "reader_not_ready", None, f"error {number}")
    device = said.get("DeviceInfo")
    device = device if isinstance(device, dict) else {}
    about = About(
        KIND, GIVES_IMAGE, dpi=profile.dpi, maker=text_of(device.get("Make")), model=text_of(device.get("Model")),
        serial=text_of(device.get("SerialNo")),
    )  # fmt: skip
    return Found(KIND, found.options, found.label, about=about)
