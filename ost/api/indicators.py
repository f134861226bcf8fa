"""Figures without names: one indicator at a time, with its definition and what it was asked with."""

from __future__ import annotations

from dataclasses import asdict

import marshmallow as ma
from flask import jsonify
from flask_babel import gettext
from flask_smorest import Blueprint

from ost import canonical
from ost.api.fields import choice, day
from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.rules import guest_figures as rules
from ost.services.guest import figures

blueprint = Blueprint(
    "api_indicators", __name__, description="Figures without names; small counts are hidden for outsiders."
)


class Asked(Strict):
    first = day("first day, included", required=True, data_key="from")
    last = day("last day, included", required=True, data_key="to")
    by = choice("how it is divided", rules.BY, load_default=rules.ALL)


class FigureRow(ma.Schema):
    key = ma.fields.String(required=True, metadata={"description": "all, a county, a site, a month or a reason"})
    numerator = ma.fields.Integer(allow_none=True)
    denominator = ma.fields.Integer(allow_none=True)
    value = ma.fields.Float(allow_none=True, metadata={"description": "a share is a fraction"})
    suppressed = ma.fields.Boolean(required=True, metadata={"description": "hidden, because it or another is small"})


class Figure(ma.Schema):
    name = ma.fields.String(required=True)
    definition = ma.fields.String(required=True)
    parameters = ma.fields.Dict(required=True, metadata={"description": "from, to, by, kind, unit, least"})
    as_of = ma.fields.AwareDateTime(required=True)
    rows = ma.fields.List(ma.fields.Nested(FigureRow), required=True)


@blueprint.get("/indicators/<name>")
@allow("indicator.read")
@blueprint.arguments(Asked, location="query")
@blueprint.response(200, Figure)
def get_indicator(asked, name):
    """One indicator over whole days. Who stands outside the sites asks for whole months that are over."""
    found = figures.figure(house(), actor(), name, asked["first"], asked["last"], asked["by"])
    parameters = {
        "from": found.first,
        "to": found.last,
        "by": found.by,
        "kind": found.indicator.kind,
        "unit": found.indicator.unit,
        "least": found.least,
    }
    return jsonify(
        {
            "name": found.indicator.name,
            "definition": gettext(found.indicator.definition),
            "parameters": canonical.plain(parameters),
            "as_of": canonical.plain(found.as_of),
            "rows": [asdict(row) for row in found.rows],
        }
    )
