"""Running a site: its stations and readers, the policy in force and who approved what. No patient is shown here."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, holds, house
from ost.services import policies_in_use, stations
from ost.web import desk

blueprint = desk.make_blueprint("admin", __name__, "/admin")


@blueprint.get("")
@allow("station.manage")
def index():
    return _index()


def _index(errors: dict | None = None, fresh=None) -> str:
    site = desk.here()
    return render_template(
        "admin/index.html",
        stations=stations.stations(house(), actor(), site),
        counters=desk.counters(),
        errors=errors or {},
        values=request.form,
        fresh=fresh,
        may_unlock=holds("counter.unlock"),
        site=desk.facts(),
    )


@blueprint.post("/stations")
@allow("station.manage")
def add_station():
    """A station and its one-time code, shown this once."""
    form = desk.given("label", "counter")
    try:
        if not form["label"]:
            raise Refusal("input_invalid", fields={"label": ["field_needed"]})
        made = stations.create(house(), actor(), desk.here(), form["label"][:40], form["counter"] or None)
    except Refusal as refusal:
        return _index(desk.problems(refusal)), 422
    return _index(fresh=made)


@blueprint.post("/stations/<station_id>/code")
@allow("station.manage")
def new_code(station_id: str):
    return _index(fresh=stations.new_code(house(), actor(), station_id))


@blueprint.post("/stations/<station_id>/revoke")
@allow("station.manage")
def revoke(station_id: str):
    stations.revoke(house(), actor(), station_id, request.form.get("reason", "")[:200])
    desk.done(gettext("Revoked. Nothing it sends is taken any more."))
    return redirect(url_for("admin.index"))


@blueprint.get("/policy")
@allow("policy.read")
def policy():
    """Every value in force here, its source, and what still needs local approval."""
    return render_template(
        "admin/policy.html",
        policy=policies_in_use.in_use(house(), actor(), desk.here()),
        may_approve=holds("policy.approve"),
        site=desk.facts(),
    )


@blueprint.post("/policy/<digest>")
@allow("policy.approve")
def approve(digest: str):
    policies_in_use.approve(house(), actor(), desk.here(), digest)
    desk.done(gettext("Approved, under your name."))
    return redirect(url_for("admin.policy"))


