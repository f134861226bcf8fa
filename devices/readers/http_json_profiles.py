"""How the makers' local services speak: addresses, parameters, names of fields, numbers of errors.

Data only; devices/readers/http_json.py acts on it, and each entry can be replaced by an option. SecuGen's numbers
are those of the "SecuGen WebAPI Programmer's Manual" (SG1-0121A-007, 2020) and of the sample pages that
come with it. Mantra's are not published: every number but 0 is a fault of the device. Neither was tried
with hardware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: What a field can mean. A name may lead into objects: "DeviceInfo.SerialNo".
MEANINGS = (
    "code",
    "image",
    "template",
    "dpi",
    "width",
    "height",
    "nfiq",
    "quality",
    "maker",
    "model",
    "serial",
    "firmware",
    "liveness",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """`fields`: meaning to names, of which the first one with a value counts. `codes`: number as text to
    (how the capture ended, trouble of the reader or None). `timeout`: the parameter that says how long to
    wait, and the milliseconds of its unit. `info`: path of a GET that describes the device, if there is one.
    `liveness`: the parameter that asks for a check of liveness."""

    url: str
    body: str
    parameters: Mapping[str, str | int | float]
    timeout: tuple[str, int]
    fields: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, tuple[str, str | None]] = field(default_factory=lambda: MappingProxyType({}))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    info: str | None = None
    dpi: int | None = None
    liveness: str | None = None


_BROKEN = ("device_error", "reader_not_ready")
_LICENCE = ("device_error", "reader_refused_password")
_WRONG = ("device_error", "reader_misconfigured")
_GONE = ("unplugged", "reader_unplugged")
_AGAIN = ("no_finger", None)

SECUGEN = Profile(
    url="https://localhost:8443/SGIFPCapture",
    body="form",
    parameters=MappingProxyType({"Quality": 50, "licstr": "", "templateFormat": "ISO", "imageWSQRate": 0.75}),
    timeout=("Timeout", 1),
    fields=MappingProxyType(
        {
            "code": ("ErrorCode",),
            "image": ("BMPBase64", "ImageDataBase64"),
            "template": ("ISOTemplateBase64", "TemplateBase64"),
            "dpi": ("ImageDPI",),
            "width": ("ImageWidth",),
            "height": ("ImageHeight",),
            "nfiq": ("NFIQ",),
            "quality": ("ImageQuality",),
            "maker": ("Manufacturer",),
            "model": ("Model",),
            "serial": ("SerialNumber",),
            "firmware": ("FWVersion", "FirmwareVersion"),
        }
    ),
    codes=MappingProxyType(
        {
            **dict.fromkeys(("1", "2", "5", "6", "7", "51", "52", "56", "60", "63"), _BROKEN),
            **dict.fromkeys(("3", "61", "102", "4000", "6000", "10004"), _WRONG),
            **dict.fromkeys(("53", "55"), _GONE),
            "54": ("timed_out", None),
            **dict.fromkeys(("57", "101", "105"), _AGAIN),
            "58": _BROKEN,
            "59": ("busy", "reader_port_taken"),
            **dict.fromkeys(("1000", "2000", "3000"), _BROKEN),
            **dict.fromkeys(("10001", "10002", "10003"), _LICENCE),
        }
    ),
    # Without the origin of a page the service answers 10004; this one is what its own pages have.
    headers=MappingProxyType({"Origin": "https://localhost"}),
    liveness="fakeDetection",
)

MANTRA = Profile(
    url="https://localhost:8003/mfs100/capture",
    body="json",
    parameters=MappingProxyType({"Quality": 60}),
    timeout=("TimeOut", 1000),
    fields=MappingProxyType(
        {
            "code": ("ErrorCode",),
            "image": ("BitmapData",),
            "template": ("IsoTemplate",),
            "width": ("InWidth", "DeviceInfo.Width"),
            "height": ("InHeight", "DeviceInfo.Height"),
            "nfiq": ("Nfiq",),
            "quality": ("Quality",),
            "maker": ("DeviceInfo.Make",),
            "model": ("DeviceInfo.Model",),
            "serial": ("DeviceInfo.SerialNo",),
        }
    ),
    info="/mfs100/info",
    dpi=500,
)

PROFILES = MappingProxyType({"secugen": SECUGEN, "mantra": MANTRA})
