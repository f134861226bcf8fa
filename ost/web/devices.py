"""Stations and readers: which there are, how they have fared, and which of them is dying. No patient is shown here."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask_babel import gettext, ngettext

from ost import wording
from ost.answers import say
from ost.http import actor, allow, house
from ost.rules import device_health as rule
from ost.services import device_health
from ost.services.device_health import Device, StationDevices
from ost.web import desk
from ost.web.counter_reader import short

blueprint = desk.make_blueprint("devices", __name__, "/admin/devices")

#: Height of a bar, in the drawing's own units.
_TALL = 40


@blueprint.get("")
@allow("station.manage")
def index():
    """Of one site, and a line for each other site of the administrator."""
    counts = device_health.overview(house(), actor())
    site = request.args.get("site", "")[:12] or desk.here()
    return render_template(
        "admin/devices.html",
        stations=device_health.at_site(house(), actor(), site),
        site=site,
        counts=counts,
        state=state,
        sentence=sentence,
        code_title=code_title,
        days=device_health.SHOWN_DAYS,
    )


@blueprint.get("/<reader_id>")
@allow("station.manage")
def page(reader_id: str):
    station, device = device_health.one(house(), actor(), reader_id)
    return render_template(
        "admin/device.html",
        station=station,
        d=device,
        r=device.row,
        state=state(station, device),
        sentences=[sentence(f) for f in device.findings],
        bars=bars(device),
        tall=_TALL,
        code_title=code_title,
        fewest=device_health.FEWEST,
    )


@blueprint.post("/<reader_id>/revoke")
@allow("station.manage")
def revoke(reader_id: str):
    device_health.revoke(house(), actor(), reader_id)
    desk.done(gettext("Revoked. Nothing this reader takes counts any more."))
    return redirect(url_for("devices.page", reader_id=reader_id))


@blueprint.post("/<reader_id>/restore")
@allow("station.manage")
def restore(reader_id: str):
    device_health.restore(house(), actor(), reader_id)
    desk.done(gettext("In use again."))
    return redirect(url_for("devices.page", reader_id=reader_id))


# --- words and pictures ------------------------------------------------------------


def state(station: StationDevices, device: Device) -> tuple[str, str]:
    """(badge, word) of a reader now."""
    row = device.row
    if station.revoked_at is not None or row.revoked_at is not None:
        return "ended", gettext("Revoked")
    if row.state == "gone":
        return "closed", gettext("Not there any more")
    if not station.heard:
        return "not_known", gettext("Offline")
    if row.state == "ready":
        return "active", gettext("Ready")
    return "not_known", short(row.detail)


def sentence(finding: rule.Finding) -> str:
    """What the rule found, and what to do."""
    match finding.code:
        case rule.MORE_RETRIES:
            return gettext(
                "%(times)s times as many touches in vain as in this reader's own last two weeks. "
                "Clean the glass; if it stays so, replace it.",
                times=finding.times,
            )
        case rule.MOST_IN_VAIN:
            return gettext(
                "%(percent)s %% of the touches of the last two days were in vain. Clean the glass; if it stays so, "
                "replace it.",
                percent=finding.percent,
            )
    return ngettext(
        "Lost %(num)s time in two days. Check cable and plug.",
        "Lost %(num)s times in two days. Check cable and plug.",
        finding.count,
    )


def code_title(code: str) -> str:
    """What the catalogue calls a code; a code of a newer version as it is."""
    try:
        return say(code)["title"]
    except KeyError:
        return wording.word(code)


def bars(device: Device) -> list[dict]:
    """A bar per day: its touches, and the part of them in vain, as heights."""
    most = max((day.touches for day in device.days), default=0) or 1
    return [
        {
            "x": 4 + n * 20,
            "all": round(day.touches * _TALL / most),
            "vain": round(day.in_vain * _TALL / most),
            "day": day,
        }
        for n, day in enumerate(device.days)
    ]
