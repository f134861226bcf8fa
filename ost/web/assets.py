"""Third-party files for the page, served from where npm put them.

A fixed list: nothing else in node_modules can be reached.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, abort, send_file

from ost.http import open_route

NODE_MODULES = Path(__file__).resolve().parents[2] / "node_modules"
FILES = {
    "htmx.js": NODE_MODULES / "htmx.org" / "dist" / "htmx.min.js",
}

blueprint = Blueprint("assets", __name__)


@blueprint.get("/vendor/<name>")
@open_route
def vendor(name: str):
    """Open to all: the sign-in page needs it too."""
    path = FILES.get(name)
    if path is None:
        abort(404)
    return send_file(path, mimetype="text/javascript", max_age=86400)
