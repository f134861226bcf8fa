"""Whether the program lives, whether it is ready, and its figures. Open to all: nothing here is about a person."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from ost import metrics, startup
from ost.http import house, open_route, settings

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
@open_route
def live():
    """The process answers."""
    return jsonify(live=True)


@blueprint.get("/health/ready")
@open_route
def ready():
    """It may be sent work: database, migrations, keys, policy, disk. Names of the checks only, no detail."""
    checks = {f.check: f.ok for f in startup.findings(settings(), house())}
    return jsonify(ready=all(checks.values()), checks=checks), 200 if all(checks.values()) else 503


@blueprint.get("/metrics")
@open_route
def figures():
    return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
