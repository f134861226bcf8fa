"""Fills in what every page's frame shows: who, where, which places, which languages."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, current_app, request, url_for
from flask_babel import gettext

from ost import clock
from ost.errors import N_
from ost.http import LANGUAGES, holds, house, safe_path, session, session_or_none, settings
from ost.i18n import language
from ost.services import alerts
from ost.services.places import simulated_readers_in_use, site_facts
from ost.web.shell import Link, Shell

#: (permission, endpoint, label): the menu, and the start page of whoever holds the first one that fits.
NAV = (
    ("counter.use", "counter.page", N_("Counter")),
    ("signoff.give", "prescriber.index", N_("Sign-offs")),
    ("patient.search", "patients.index", N_("Patients")),
    ("duplicate.review", "duplicates.index", N_("Possible duplicates")),
    ("guest.coordinate", "guest_centre.index", N_("Coordination centre")),
    ("guest.read", "guest_desk.start", N_("Guest dosing")),
    ("stock.read", "stock.index", N_("Stock")),
    ("alert.read", "alerts.index", N_("Messages")),
    ("message.read", "messages.index", N_("Not delivered")),
    ("fee.settle", "fees.months", N_("Fees")),
    ("station.manage", "admin.index", N_("Administration")),
    ("closure.read", "closures.index", N_("Closures")),
    ("indicator.read", "guest_figures.index", N_("Guest figures")),
    ("indicator.read", "identity_report.index", N_("Ways and failures")),
    ("device.evaluation_read", "evaluation.index", N_("Device evaluations")),
)


def install(app: Flask) -> None:
    app.context_processor(lambda: {"shell": shell(), "holds": holds})


def places() -> tuple[tuple[str, str], ...]:
    """(url, label) of the places open to the person, of those that exist."""
    return tuple(
        (_url(endpoint), label)
        for permission, endpoint, label in NAV
        if endpoint in current_app.view_functions and holds(permission)
    )


def _label(label: str, url: str) -> str:
    """Translated; with how many messages wait, where the place is one's messages."""
    waiting = alerts.unseen(house(), session().actor()) if url == "/alerts" else 0
    text = gettext(label)
    return f"{text} ({waiting})" if waiting else text


def _url(endpoint: str) -> str:
    if endpoint != "counter.page":
        return url_for(endpoint)
    counter = session().counter
    # Who has not chosen a counter is led to choose one.
    return url_for(endpoint, counter_id=counter) if counter else url_for("sign_in.choose")


def shell() -> Shell:
    found = session_or_none()
    here = language()
    facts = site_facts(house(), found.site) if found and found.site else None
    active = found is not None and not found.locked
    menu = places() if active else ()
    present = _present(url for url, _ in menu)
    return Shell(
        locale=here.replace("_", "-"),
        theme=request.cookies.get("theme", "auto"),
        site_name=facts.name(here) if facts else "",
        today=clock.dosing_day(house().now(), facts.tz) if facts else None,
        person=found.display_name if found else "",
        nav=tuple(Link(_label(label, url), url, url == present) for url, label in menu),
        languages=tuple(
            Link(name, url_for("sign_in.language", code=code, next=_here()), code == here)
            for code, name in LANGUAGES.items()
        ),
        lock_url=url_for("sign_in.lock") if active else "",
        sign_out_url=url_for("sign_in.sign_out") if found else "",
        simulated_reader=simulated_readers_in_use(house()),
        demo=settings().demo,
    )


def _present(urls: Iterable[str]) -> str | None:
    """The place this page belongs to: the longest address that it begins with."""
    within = [url for url in urls if request.path == url or request.path.startswith(url + "/")]
    return max(within, key=len, default=None)


def _here() -> str:
    """This page, to come back to."""
    if request.method != "GET":
        return safe_path(request.referrer)
    return safe_path(request.full_path.rstrip("?"))
