"""Bottles and the register, by program."""

from __future__ import annotations

import marshmallow as ma
from flask import jsonify
from flask_smorest import Blueprint

from ost import canonical
from ost.api.fields import choice, day, optional_text, text, whole
from ost.api.schemas import Strict
from ost.http import actor, allow, house
from ost.services import stock, stock_read

blueprint = Blueprint("api_stock", __name__, description="Bottles, counts, residue and the controlled-drug register.")


class BottleToReceive(Strict):
    site = text("the site that receives it", 12, 1, required=True)
    product = text("a product of the catalogue, e.g. methadone-10", 40, 1, required=True)
    bottle = optional_text("the number on the bottle; the site's next number where absent", 20)
    lot = text("lot, as printed", 40, 1, required=True)
    expires_on = day("last day of use", required=True)
    volume_ul = whole("microlitres (tablets: thousandths of a tablet)", required=True)
    delivery = text("number of the delivery note", 80, 1, required=True)


class BottleReceived(ma.Schema):
    bottle = ma.fields.String(required=True)
    line = ma.fields.Integer(required=True)
    balance_ul = ma.fields.Integer(required=True)
    label = ma.fields.String(required=True, metadata={"description": "what its label's QR code says"})


class BottleToOpen(Strict):
    site = text("the site", 12, 1, required=True)
    counter = optional_text("the counter where it will stand", 20)
    scanned = optional_text("what the label's code said", 120)
    unscanned_reason = choice(
        "why it could not be scanned", stock.UNSCANNED_REASONS, load_default=None, allow_none=True
    )


class BottleCounted(Strict):
    site = text("the site", 12, 1, required=True)
    counted_ul = whole("what is really in it", required=True)
    reason = optional_text("needed where it differs from the register", 200)


class CountAnswer(ma.Schema):
    bottle = ma.fields.String(required=True)
    line = ma.fields.Integer(required=True)
    expected_ul = ma.fields.Integer(required=True)
    counted_ul = ma.fields.Integer(required=True)
    difference_ul = ma.fields.Integer(required=True)
    alert = ma.fields.Boolean(metadata={"description": "beyond what measuring explains"})
    report_until = ma.fields.Date(
        allow_none=True, metadata={"description": "last day for the report of a loss to the authority"}
    )


class Spilled(Strict):
    site = text("the site", 12, 1, required=True)
    volume_ul = whole("how much", required=True)
    reason = choice("what happened", stock.SPILL_REASONS, required=True)
    note = optional_text("more about it; no names", 150)


class BottleToClose(Strict):
    site = text("the site", 12, 1, required=True)
    reason = text("why", 200, 1, required=True)


class ResidueToDestroy(Strict):
    site = text("the site", 12, 1, required=True)
    product = text("the product in the jar", 40, 1, required=True)
    volume_ul = whole("how much", required=True)
    certificate = text("certificate or record number", 80, 1, required=True)
    method = text("how it was destroyed", 200, 1, required=True)
    witness = text("one-use token of the second person, for bottle:<jar>", 200, 1, required=True)


class Page(Strict):
    after = ma.fields.Integer(load_default=0, validate=ma.validate.Range(0, 10**9))
    limit = ma.fields.Integer(load_default=500, validate=ma.validate.Range(1, 2000))


class Period(Strict):
    site = text("the site", 12, 1, required=True)
    first = ma.fields.Date(required=True, data_key="from")
    last = ma.fields.Date(required=True, data_key="to")


class AtSite(Strict):
    site = text("the site", 12, 1, required=True)


@blueprint.get("/bottles")
@allow("stock.read")
@blueprint.arguments(AtSite, location="query")
@blueprint.response(200, description="the site's bottles and residue jars")
def get_bottles(asked):
    """The site's bottles with their balances."""
    return jsonify({"bottles": canonical.plain(stock_read.bottles(house(), actor(), asked["site"]))})


@blueprint.post("/bottles")
@allow("stock.receive")
@blueprint.arguments(BottleToReceive)
@blueprint.response(201, BottleReceived)
def post_bottle(given):
    """Receive a sealed bottle: line 1 of its register."""
    return stock.receive(
        house(),
        actor(),
        site_id=given["site"],
        product_id=given["product"],
        lot=given["lot"],
        expires_on=given["expires_on"],
        volume_ul=given["volume_ul"],
        delivery=given["delivery"],
        bottle_id=given["bottle"],
    )


@blueprint.post("/bottles/<bottle_id>/open")
@allow("stock.open")
@blueprint.arguments(BottleToOpen)
@blueprint.response(200)
def post_open(given, bottle_id):
    """Break the seal at a counter; the label is scanned, or a coded reason says why not."""
    stock.open_bottle(house(), actor(), bottle_id, site_id=given.pop("site"), **given)
    return jsonify({"bottle": bottle_id, "state": "open"})


@blueprint.post("/bottles/<bottle_id>/count")
@allow("stock.count")
@blueprint.arguments(BottleCounted)
@blueprint.response(201, CountAnswer)
def post_count(given, bottle_id):
    """Count a bottle; the difference becomes the line."""
    return stock.count(house(), actor(), bottle_id, site_id=given.pop("site"), **given)


@blueprint.post("/bottles/<bottle_id>/spill")
@allow("stock.spill")
@blueprint.arguments(Spilled)
@blueprint.response(201)
def post_spill(given, bottle_id):
    """Spilt from the bottle itself."""
    line = stock.spill(house(), actor(), bottle_id, site_id=given.pop("site"), **given)
    return jsonify({"bottle": line.bottle, "line": line.line, "balance_ul": line.balance_ul}), 201


@blueprint.post("/bottles/<bottle_id>/close")
@allow("stock.close")
@blueprint.arguments(BottleToClose)
@blueprint.response(200)
def post_close(given, bottle_id):
    """Take a bottle out of use; what is left goes to the residue jar."""
    lines = stock.close_bottle(house(), actor(), bottle_id, site_id=given["site"], reason=given["reason"])
    return jsonify({"bottle": bottle_id, "state": "closed", "lines": [[x.bottle, x.line] for x in lines]})


@blueprint.post("/residue/destroy")
@allow("stock.destroy")
@blueprint.arguments(ResidueToDestroy)
@blueprint.response(201)
def post_destroy(given):
    """Destroy residue, together with a second person who signed here."""
    given |= {"site_id": given.pop("site"), "product_id": given.pop("product")}
    done = stock.destroy_residue(house(), actor(), **given)
    return jsonify(canonical.plain(done)), 201


@blueprint.get("/bottles/<bottle_id>/register")
@allow("stock.read")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, description="the bottle's register, in order")
def get_register(asked, bottle_id):
    """Numbered lines with running balance, from line `after` + 1."""
    found = stock_read.lines(house(), actor(), bottle_id, **asked)
    return jsonify({"bottle": bottle_id, "lines": canonical.plain(found)})


@blueprint.get("/register/totals")
@allow("stock.read")
@blueprint.arguments(Period, location="query")
@blueprint.response(200, description="per product: balance before, sums by kind of line, balance after")
def get_totals(asked):
    """The sums of a period, from the lines alone."""
    found = stock_read.totals(house(), actor(), asked["site"], asked["first"], asked["last"])
    rows = [canonical.plain(t) | {"swallowed_ul": t.swallowed_ul} for t in found]
    return jsonify({"site": asked["site"], "totals": rows})
