"""Closures: look at what one would do, declare exactly that, follow it by number, take it back. Names nobody."""

from __future__ import annotations

import marshmallow as ma
from flask import jsonify
from flask_smorest import Blueprint

from ost.answers import error_body
from ost.api.fields import day, optional_text, text
from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.services.closures import declare, preview, read, undo
from ost.services.closures.wanted import MOST_DAYS, Wanted

blueprint = Blueprint("api_closures", __name__, description="A site that cannot dose, and where its people go.")

MOST_SITES = 400


class ClosureToLookAt(Strict):
    sites = ma.fields.List(text("a site's code", 12, 1), load_default=list, validate=ma.validate.Length(max=MOST_SITES))
    county = optional_text("a county's code, instead of sites: all of its active ones", 12)
    days = ma.fields.List(
        day("a day on which it cannot dose"), required=True, validate=ma.validate.Length(min=1, max=MOST_DAYS)
    )
    from_time = optional_text("HH:MM on the site's clock; absent with to_time: the whole day", 5)
    to_time = optional_text("when it opens again that day", 5)
    reason = text("a code of the policy's closure_reasons", 40, 1, required=True)


class ClosureToDeclare(ClosureToLookAt):
    digest = text("of the preview that is confirmed", 64, 64, required=True)
    at = optional_text("the site at whose computer it is declared; absent: none", 12)


class ListAsked(Strict):
    site = optional_text("closures of, from or to this site; absent: of every site one may read of", 12)


class ReceivingShown(ma.Schema):
    site = ma.fields.String(required=True)
    day = ma.fields.Date(required=True)
    coming = ma.fields.Integer(required=True)
    free = ma.fields.Integer(required=True, metadata={"description": "before, the emergency's extra places included"})


class PreviewShown(ma.Schema):
    digest = ma.fields.String(required=True)
    sites = ma.fields.List(ma.fields.String(), required=True)
    days = ma.fields.List(ma.fields.Date(), required=True)
    moved = ma.fields.Integer(required=True, metadata={"description": "people and days that would go elsewhere"})
    nowhere = ma.fields.Integer(required=True)
    why = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    dosed = ma.fields.Integer(required=True, metadata={"description": "had their dose already"})
    ongoing = ma.fields.Integer(required=True, metadata={"description": "promised and without an outcome: left alone"})
    receiving = ma.fields.List(ma.fields.Nested(ReceivingShown), required=True)


class DeclaredShown(ma.Schema):
    id = ma.fields.String(required=True)
    number = ma.fields.Integer(required=True)
    moved = ma.fields.Integer(required=True)
    nowhere = ma.fields.Integer(required=True)
    permits = ma.fields.Integer(required=True)


class ClosureShown(ma.Schema):
    id = ma.fields.String(required=True)
    number = ma.fields.Integer(required=True)
    sites = ma.fields.List(ma.fields.String(), required=True)
    county = ma.fields.String(allow_none=True)
    days = ma.fields.List(ma.fields.Date(), required=True)
    from_time = ma.fields.String(allow_none=True)
    to_time = ma.fields.String(allow_none=True)
    reason = ma.fields.String(required=True)
    at = ma.fields.AwareDateTime(required=True)
    ended_at = ma.fields.AwareDateTime(allow_none=True)


class Closures(ma.Schema):
    closures = ma.fields.List(ma.fields.Nested(ClosureShown), required=True)


class SiteRow(ma.Schema):
    site = ma.fields.String(required=True, allow_none=True, metadata={"description": "null: nowhere found"})
    people = ma.fields.Integer(required=True)
    states = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    told = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)


class BoardShown(ClosureShown):
    as_of = ma.fields.AwareDateTime(required=True)
    rows = ma.fields.List(ma.fields.Nested(SiteRow), required=True)
    total = ma.fields.Nested(SiteRow, required=True)


class UndoneShown(ma.Schema):
    number = ma.fields.Integer(required=True)
    taken_back = ma.fields.Integer(required=True)
    used = ma.fields.Integer(required=True)
    past = ma.fields.Integer(required=True)
    restored = ma.fields.Integer(required=True)
    not_restored = ma.fields.Integer(required=True)
    asked_again = ma.fields.Integer(required=True)
    still_closed = ma.fields.Integer(required=True)
    again = ma.fields.Boolean(required=True)


def _wanted(given: dict) -> Wanted:
    return Wanted(
        days=tuple(given["days"]),
        reason=given["reason"],
        sites=() if given["county"] else tuple(dict.fromkeys(given["sites"])),
        county=given["county"] or None,
        from_time=given["from_time"] or None,
        to_time=given["to_time"] or None,
    )


def _shown(found: preview.Preview) -> dict:
    why: dict[str, int] = {}
    for m in found.moves:
        why[m.why] = why.get(m.why, 0) + 1
    return {
        "digest": found.digest,
        "sites": found.wanted.sites,
        "days": found.wanted.days,
        "moved": found.moved,
        "nowhere": len(found.nowhere),
        "why": why,
        "dosed": found.dosed,
        "ongoing": len(found.ongoing),
        "receiving": found.receiving,
    }


@blueprint.post("/closures/preview")
@allow("closure.declare")
@blueprint.arguments(ClosureToLookAt)
@blueprint.response(200, PreviewShown)
def post_preview(given):
    """What this closure would do, as things stand; nothing is written but what was shown."""
    return _shown(preview.preview(house(), actor(), _wanted(given)))


@blueprint.post("/closures")
@allow("closure.declare")
@blueprint.arguments(ClosureToDeclare)
@blueprint.response(201, DeclaredShown)
@blueprint.alt_response(409, description="it is no longer what was previewed; `preview` says how it stands now")
def post_closure(given):
    """Declare what a preview showed. If anything of it changed, nothing is written."""
    answer = declare.declare(house(), actor(), _wanted(given), given["digest"], at=given["at"] or None)
    if isinstance(answer, declare.Changed):
        body = error_body("closure_changed", {"count": len(answer.differences)})
        return jsonify(body | {"preview": PreviewShown().dump(_shown(answer.preview))}), 409
    return answer


@blueprint.get("/closures")
@allow("closure.read")
@blueprint.arguments(ListAsked, location="query")
@blueprint.response(200, Closures)
def get_closures(asked):
    """Closures of, from or to the sites one may read of; the newest first."""
    return {"closures": read.closures(house(), actor(), asked["site"] or None)}


@blueprint.get("/closures/<closure_id>")
@allow("closure.read")
@blueprint.response(200, BoardShown)
def get_closure(closure_id):
    """One closure and how far it is done, by site and count."""
    board = read.board(house(), actor(), closure_id)
    head = {name: getattr(board.head, name) for name in ClosureShown().fields}
    return head | {"as_of": board.now, "rows": board.rows, "total": board.total}


@blueprint.post("/closures/<closure_id>/undo")
@allow("closure.declare")
@blueprint.arguments(Strict)
@blueprint.response(200, UndoneShown)
def post_undo(_nothing, closure_id):
    """Take it back: days not used yet go back to where they were. Twice is once."""
    return undo.undo(house(), actor(), closure_id)
