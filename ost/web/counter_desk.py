"""What every route of the counter leans on: this browser's counter and memory, and how an action answers."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, flash, make_response, redirect, render_template, url_for
from flask import session as browser

from ost import metrics
from ost.answers import say
from ost.errors import Refusal
from ost.http import actor, house, is_fragment, session
from ost.services import counter_page
from ost.web import counter_build as build
from ost.web import counter_view as cv
from ost.web.counter_build import Desk

blueprint = Blueprint("counter", __name__)
ALL = ("person", "queue", "reader", "dialog", "toast")


# --- what this browser remembers -----------------------------------------------------------


def desk() -> Desk:
    return Desk(**browser.get("desk", {}))


def keep(changed: Desk) -> None:
    browser["desk"] = asdict(changed)


def here(counter_id: str) -> counter_page.Pulse:
    """The counter, if this browser works it now. Refusal("counter_not_yours") else."""
    pulse = counter_page.pulse(house(), actor(), counter_id)
    if session().counter != counter_id or pulse.session != session().id:
        raise Refusal("counter_not_yours")
    return pulse


# --- answers ---------------------------------------------------------------------------------


def answer(
    counter_id: str, *, screen: str = "", toast: dict | None = None, dialog: str = "", d=None
) -> Response:
    """The page as it is now: its pieces for htmx, else back to the whole of it."""
    if not is_fragment():
        if toast:
            flash(f"{toast['title']} {toast['action']}", "note")
        return redirect(url_for("counter.page", counter_id=counter_id))
    pulse = here(counter_id)
    view = build.view(pulse, desk(), screen)
    have = token(view, pulse, screen)
    return make_response(
        render_template("counter/answer.html", v=view, have=have, parts=ALL, toast=toast, dialog=dialog, d=d)
    )


def refused(counter_id: str, refusal: Refusal, screen: str = "") -> Response:
    """A step that was not taken: said, and the page as it is."""
    metrics.refused(refusal.code)
    return answer(counter_id, screen=screen, toast=say(refusal.code, refusal.data))


def token(view: cv.CounterView, pulse: counter_page.Pulse, screen: str = "") -> str:
    """What the page has: a quick part to compare first, then a digest of each zone."""
    return ".".join((quick(pulse), view.queue.version, view.person.version, view.reader.version, screen))


def quick(pulse: counter_page.Pulse) -> str:
    """Changes whenever anything on the page may have changed, and four times a minute."""
    reader = f"{pulse.reader}{pulse.readers}{pulse.trouble or ''}"
    return f"{pulse.version}-{pulse.events}-{reader}-{int(pulse.now.timestamp()) // 15}-{pulse.dose is not None}"
