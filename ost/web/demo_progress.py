"""How far the demo's fingers are: a line in the practice panel that renews itself until everybody has theirs."""

from __future__ import annotations

from flask import Blueprint, abort, render_template

from ost.http import allow, house, quiet, session, settings
from ost.services.enrol_progress import enrol_progress

blueprint = Blueprint("demo_progress", __name__)


@blueprint.get("/demo/progress")
@allow("counter.use")
@quiet
def fragment():
    """The line, of the site where the session works; demo only."""
    if not settings().demo:
        abort(404)
    return render_template("demo/_progress.html", p=enrol_progress(house(), session().site))
