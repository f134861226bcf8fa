"""The counter's readers in words: ready, offline, and what to do about each that is not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from flask_babel import gettext as _

from devices.interface import READY
from ost.answers import say
from ost.errors import N_
from ost.http import house
from ost.services import reader_state, station_task
from ost.services.counter_page import Pulse
from ost.web.counter_view import ReaderView

#: Short enough for the bar; the sentence below the circle is the catalogue's.
SHORT = {
    "reader_unplugged": N_("Unplugged: plug it in"),
    "reader_package_missing": N_("Library missing"),
    "reader_permission_denied": N_("No permission for it"),
    "reader_port_taken": N_("Held by another program"),
    "reader_not_answering": N_("Does not answer"),
    "reader_not_ready": N_("Not ready yet"),
    "reader_not_trusted": N_("Not trusted"),
    "reader_refused_password": N_("Wrong password"),
    "reader_misconfigured": N_("Settings are wrong"),
    "reader_matches_only_itself": N_("Gives no pictures"),
    "reader_revoked": N_("Revoked"),
}


def view(pulse: Pulse) -> ReaderView:
    """What the bar and the waiting screen say of this counter's readers."""
    made = ReaderView(pulse.reader, simulated=pulse.simulated)
    match pulse.reader:
        case "none":
            made = replace(made, word=_("No reader"))
        case "silent":
            detail = _("Its program is not heard: check its computer and network. Work goes on with card and face.")
            made = replace(made, word=_("Offline"), detail=detail)
        case "offline":
            action = say(pulse.trouble)["action"] if pulse.trouble else ""
            made = replace(made, word=short(pulse.trouble), detail=action)
        case "partly":
            made = replace(made, **_several(pulse))
        case "ready":
            made = replace(made, word=_("Ready"))
    if pulse.reader in ("ready", "partly"):
        made = replace(made, **_set_to(pulse))
    return replace(made, version=hashlib.sha256(repr(made).encode()).hexdigest()[:8])


def _set_to(pulse: Pulse) -> dict:
    """What its touches are for, when they call nobody."""
    task = station_task.now(house(), pulse.station)
    if task is None:
        return {}
    word = _("Enrolling a finger") if task.kind == station_task.ENROL else _("Evaluating a reader")
    return {"word": word, "detail": _("Until that ends, touches call nobody to this counter."), "calls": False}


def _several(pulse: Pulse) -> dict:
    readers = reader_state.here(house(), pulse.station)
    ready = [r for r in readers if r.state == READY and not r.revoked]
    others = [r for r in readers if r not in ready]
    word = _("Ready: %(ready)s of %(all)s", ready=len(ready), all=len(readers))
    listed = " · ".join(f"{r.name}: {short('reader_revoked' if r.revoked else r.trouble)}" for r in others)
    return {"word": word, "detail": listed}


def short(trouble: str | None) -> str:
    return _(SHORT[trouble]) if trouble in SHORT else _("Not connected")
