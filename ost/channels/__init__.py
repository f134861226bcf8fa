"""The ways to reach a telephone or a mailbox. The only place where one is chosen: `open_channels(settings)`.

Each kind is one file with one plain class (`ost.channels.interface` says what it promises). Their secrets are files
in the keys folder, readable by their owner only: `smtp.secret`, `sms.secret`, `line.secret`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from config.settings import Settings
from ost.channels.interface import BadChannel, Channel
from ost.channels.line import Line
from ost.channels.page import DemoPage
from ost.channels.sms_http import SmsHttp
from ost.channels.smtp import Smtp

SECRETS = {"smtp": "smtp.secret", "sms": "sms.secret", "line": "line.secret"}


def open_channels(settings: Settings) -> tuple[Channel, ...]:
    """Those that are set. In the demo nothing leaves the machine: the page that shows it is the only one.

    Raises BadChannel, with one sentence, where one is set and cannot work.
    """
    if settings.demo:
        return (DemoPage(settings.home),)
    return tuple(make(settings) for name, make in _MAKERS.items() if is_set(settings, name))


def is_set(settings: Settings, name: str) -> bool:
    return bool({"smtp": settings.smtp_host, "sms": settings.sms_url, "line": settings.line_url}[name])


def described(settings: Settings) -> Iterator[tuple[str, bool, str, str]]:
    """(name, well, what, what to do) of each channel, for `ost doctor`."""
    if settings.demo:
        yield "page", True, "demo: messages are shown on /demo/messages, nothing is sent", ""
        return
    for name, make in _MAKERS.items():
        if not is_set(settings, name):
            yield name, True, "not set: nobody is reached this way", ""
            continue
        try:
            make(settings)
        except BadChannel as error:
            yield name, False, "set, but cannot work", str(error)
        else:
            yield name, True, "set", ""


def _smtp(settings: Settings) -> Channel:
    return Smtp(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.smtp_from,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=secret(settings.keys, "smtp") if settings.smtp_user else "",
    )


def _sms(settings: Settings) -> Channel:
    return SmsHttp(
        settings.sms_url,
        secret(settings.keys, "sms"),
        form=settings.sms_format == "form",
        fields=pairs(settings.sms_fields, "OST_SMS_FIELDS"),
        fixed=pairs(settings.sms_fixed, "OST_SMS_FIXED"),
        id_field=settings.sms_id_field,
        knows_keys=settings.sms_knows_keys,
    )


def _line(settings: Settings) -> Channel:
    return Line(settings.line_url, secret(settings.keys, "line"))


_MAKERS = {"smtp": _smtp, "sms": _sms, "line": _line}


def secret(folder: Path, name: str) -> str:
    """The token or password of a channel. BadChannel where it is missing, empty, or others can read it."""
    path = folder / SECRETS[name]
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise BadChannel(f"put its password or token into {SECRETS[name]} in the keys folder") from None
    if mode & 0o077:
        raise BadChannel(f"others can read {SECRETS[name]}: chmod 600")
    if not text or not text.isprintable():
        raise BadChannel(f"{SECRETS[name]} is empty, or more than one line")
    return text


def pairs(text: str, setting: str) -> dict[str, str]:
    """ "to=dest,text=body" -> {"to": "dest", "text": "body"}."""
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise BadChannel(f"{setting} is written name=value,name=value")
        found[name.strip()] = value.strip()
    return found
