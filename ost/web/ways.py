"""Which ways of showing who one is this site uses: for administrators, kept with who and when."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.services import identity_choice
from ost.services.identity_choice import Choice
from ost.web import desk

blueprint = desk.make_blueprint("ways", __name__, "/admin/ways")


@blueprint.get("")
@allow("site.manage")
def index():
    return _page()


def _page(chosen: Choice | None = None, errors: dict | None = None) -> str:
    site = desk.here()
    allowed, now = identity_choice.offered(house(), actor(), site)
    return render_template(
        "admin/ways.html",
        allowed=desk.choices(allowed),
        chosen=chosen or now,
        history=identity_choice.history(house(), actor(), site),
        errors=errors or {},
    )


@blueprint.post("")
@allow("site.manage")
def choose():
    paths, alone = request.form.getlist("paths")[:10], request.form.get("alone") == "1"
    try:
        identity_choice.choose(house(), actor(), desk.here(), paths, alone)
    except Refusal as refusal:
        return _page(Choice(tuple(paths), alone), desk.problems(refusal)), 422
    desk.done(gettext("Kept. It counts from now on."))
    return redirect(url_for("ways.index"))
