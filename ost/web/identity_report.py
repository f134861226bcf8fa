"""The ways of showing who one is, in figures: how often each worked and failed. Small counts are hidden."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from ost.http import actor, allow, house
from ost.services import identity_report
from ost.web import desk

blueprint: Blueprint = desk.make_blueprint("identity_report", __name__, "/identity-report")


@blueprint.get("")
@allow("indicator.read")
def index():
    """`month=2026-11`; else the newest there is for this person."""
    found = identity_report.report(house(), actor(), identity_report.month_of(request.args.get("month", "")))
    return render_template("identity_report/index.html", r=found)
