"""Pages for people. A blueprint is a file here with `blueprint = flask.Blueprint(name,
__name__)`; add its name to BLUEPRINTS, and its place in the menu to `ost.web.frame.NAV`."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from ost.web import formats, frame, portal_frame

#: Files of this folder. One line each.
BLUEPRINTS = (
    "assets",
    "sign_in",
    "patients",
    "fingers",
    "lookups",
    "duplicates",
    "prescriber",
    "stock",
    "admin",
    "devices",
    "alerts",
    "ways",
    "identity_report",
    "counter",
    "evaluation",
    "demo_reader",
    "demo_progress",
    "guest_desk",
    "guest_incoming",
    "guest_on_call",
    "guest_standing",
    "guest_settings",
    "closures",
    "guest_centre",
    "guest_figures",
    "portal",
    "portal_record",
    "portal_settings",
    "portal_consents",
    "portal_help",
    "portal_guest",
    "portal_stay",
    "guest_ask",
    "open_sites",
    "messages",
    "fees",
    "portal_fees",
)


def install(app: Flask) -> None:
    formats.register(app)
    frame.install(app)
    portal_frame.install(app)
    for name in BLUEPRINTS:
        app.register_blueprint(import_module(f"ost.web.{name}").blueprint)
