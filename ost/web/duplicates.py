"""Pages of possible duplicates: the list, and two records side by side with a decision."""

from __future__ import annotations

from flask import Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import policies
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.services import duplicate_cases, duplicate_decide
from ost.web import desk

blueprint = desk.make_blueprint("duplicates", __name__, "/duplicates")

SIDES = ("one", "other")


@blueprint.get("")
@allow("duplicate.review")
def index():
    """Numbers and places only; names stand on the page of one case."""
    return render_template("duplicates/index.html", cases=duplicate_cases.cases(house(), actor()))


@blueprint.get("/<case_id>")
@allow("duplicate.review")
def case(case_id: str):
    """Both records, opened; the look stands in both people's lists."""
    return _page(case_id)


def _page(case_id: str, errors: dict | None = None):
    found = duplicate_cases.open_case(house(), actor(), case_id)
    return render_template(
        "duplicates/case.html",
        c=found,
        sides=SIDES,
        decisions=desk.choices(duplicate_cases.DECISIONS),
        reasons=desk.choices(policies.policy(house().policy_name).list("duplicate_reasons")),
        values=request.form,
        errors=errors or {},
    )


@blueprint.get("/<case_id>/face/<side>")
@allow("duplicate.review")
def face(case_id: str, side: str):
    if side not in SIDES:
        abort(404)
    image, kind = duplicate_cases.face(house(), actor(), case_id, SIDES.index(side))
    return Response(image, content_type=kind, headers={"Content-Disposition": "inline; filename=face"})


@blueprint.post("/<case_id>")
@allow("duplicate.review")
def decide(case_id: str):
    form = desk.given("decision", "kept", "reason")
    try:
        duplicate_decide.decide(
            house(), actor(), case_id, form["decision"], kept=form["kept"] or None, reason=form["reason"] or None
        )
    except Refusal as refusal:
        if refusal.code == "duplicate_unknown":
            raise
        if not refusal.fields:
            refusal.fields = {"decision": [refusal.code]}
        return _page(case_id, desk.problems(refusal)), 422
    desk.done(gettext("The decision was recorded."))
    return redirect(url_for("duplicates.index"))
