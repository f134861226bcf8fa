"""JSON for programs: /api/v1, described by OpenAPI 3.1 at /api/v1/openapi.json.

A blueprint is a file here with `blueprint = flask_smorest.Blueprint(name,
__name__)` and rules relative to /api/v1; add its name to BLUEPRINTS.
"""

from __future__ import annotations

from importlib import import_module

import flask_smorest
from flask import Flask

from ost.api.reading import Parser
from ost.api.schemas import ErrorAnswer
from ost.http import open_route

PREFIX = "/api/v1"
# Before the first blueprint is read: a route takes its parser when it is declared.
flask_smorest.Blueprint.ARGUMENTS_PARSER = Parser()
#: Files of this folder, in the order of the documentation. One line each.
BLUEPRINTS = (
    "sign_in",
    "patients",
    "prescriptions",
    "stock",
    "doses",
    "guest",
    "closures",
    "witness",
    "agent",
    "fingerprints",
    "identify",
    "indicators",
)


class Api(flask_smorest.Api):
    """flask-smorest with our error shape in the description; the answers themselves come from `ost.answers`."""

    ERROR_SCHEMA = ErrorAnswer

    def _register_error_handlers(self) -> None:
        return


def install(app: Flask) -> None:
    app.config.update(
        API_TITLE="OST",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {
                "description": "Opioid substitution treatment: one network, one person, one dose a day."
            },
            "security": [{"bearer": []}],
        },
    )
    api = Api(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for name in BLUEPRINTS:
        blueprint = import_module(f"ost.api.{name}").blueprint
        own = blueprint.url_prefix or ""
        api.register_blueprint(blueprint, url_prefix=own if own.startswith(PREFIX) else PREFIX + own)
    # A bound method takes no mark: one function around it.
    description = app.view_functions["api-docs.openapi_json"]
    app.view_functions["api-docs.openapi_json"] = open_route(lambda: description())
