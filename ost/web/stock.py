"""The stock room's pages: bottles, receipt, opening, counts, residue by two, the printed register and the day."""

from __future__ import annotations

from datetime import date

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import N_, Refusal
from ost.http import actor, allow, house, session
from ost.rules.amounts import AmountError, parse_ml
from ost.rules.schedule import DateError, parse_date
from ost.services import register, stock, stock_read, witness
from ost.web import desk
from ost.web.patients import qr_image

blueprint = desk.make_blueprint("stock", __name__, "/stock")

#: What each kind of line says in the book.
LINES = {
    register.RECEIVED: N_("received"),
    register.DISPENSED: N_("dispensed"),
    register.RETURNED: N_("came back from a dose"),
    register.SPILLED: N_("spilled"),
    register.TO_RESIDUE: N_("to the residue jar"),
    register.RESIDUE_IN: N_("residue in"),
    register.COUNTED: N_("counted, difference"),
    register.DESTROYED: N_("destroyed"),
    register.LOST: N_("lost"),
    register.CLOSED: N_("closed"),
}
LONGEST_PERIOD_DAYS = 366


@blueprint.context_processor
def _words() -> dict:
    return {"line_word": _line_word, "product_name": desk.name_of, "product_label": desk.product_label}


def _line_word(kind: str) -> str:
    return gettext(LINES[kind]) if kind in LINES else kind


@blueprint.get("")
@allow("stock.read")
def index():
    site = desk.here()
    found = stock_read.bottles(house(), actor(), site)
    today = stock_read.day_now(house(), site)
    return render_template(
        "stock/index.html",
        bottles=[b for b in found if b.kind == register.STOCK and b.state != register.SHUT],
        closed=[b for b in found if b.kind == register.STOCK and b.state == register.SHUT],
        jars=[b for b in found if b.kind == register.RESIDUE],
        totals=stock_read.totals(house(), actor(), site, today, today),
        today=today,
    )


@blueprint.post("/find")
@allow("stock.read")
def find():
    """A scanned label, or a typed number, leads to its bottle."""
    code = request.form.get("code", "").strip()
    try:
        found = stock_read.by_label(house(), actor(), desk.here(), code)
    except Refusal:
        found = stock_read.one_bottle(house(), actor(), code[:40])
    return redirect(url_for("stock.bottle", bottle_id=found.id))


@blueprint.route("/receive", methods=["GET", "POST"])
@allow("stock.receive")
def receive():
    """A delivery: bottle by bottle; then its label to print."""
    form = desk.given("product", "lot", "expires_on", "volume", "delivery", "bottle")
    errors: dict = {}
    if request.method == "POST":
        fields: dict[str, list[str]] = {}
        expires, volume = _day(form, "expires_on", fields), _amount(form, "volume", fields)
        try:
            if fields:
                raise Refusal("input_invalid", fields=fields)
            made = stock.receive(
                house(),
                actor(),
                site_id=desk.here(),
                product_id=form["product"],
                lot=form["lot"],
                expires_on=expires,
                volume_ul=volume,
                delivery=form["delivery"],
                bottle_id=form["bottle"] or None,
            )
        except Refusal as refusal:
            errors = desk.problems(refusal)
        else:
            desk.done(gettext("Received. Print the label and put it on the bottle."))
            return redirect(url_for("stock.label", bottle_id=made.bottle))
    page = render_template(
        "stock/receive.html", values=form, errors=errors, products=_products(), site=desk.facts()
    )
    return page, 422 if errors else 200


@blueprint.get("/bottles/<bottle_id>/label")
@allow("stock.read")
def label(bottle_id: str):
    """The label, as often as it is needed: it says number, lot and strength, and the code says only the bottle."""
    found = stock_read.one_bottle(house(), actor(), bottle_id)
    return render_template("stock/label.html", b=found, qr=qr_image(stock.label_code(house(), found.id)))


@blueprint.get("/bottles/<bottle_id>")
@allow("stock.read")
def bottle(bottle_id: str):
    """The bottle and its register, as the book would show it."""
    return _bottle_page(bottle_id)


def _bottle_page(bottle_id: str, errors: dict | None = None, dialog: str = "") -> str:
    found = stock_read.one_bottle(house(), actor(), bottle_id)
    lines = stock_read.lines(house(), actor(), bottle_id)
    return render_template(
        "stock/bottle.html",
        b=found,
        lines=lines,
        counters=desk.counters(),
        unscanned=desk.choices(stock.UNSCANNED_REASONS),
        spills=desk.choices(stock.SPILL_REASONS),
        errors=errors or {},
        dialog=dialog,
        values=request.form,
    )


def _act(bottle_id: str, dialog: str, what, said: str):
    """Do `what`, or show the bottle again with what was wrong in its dialog."""
    try:
        what()
    except Refusal as refusal:
        if not refusal.fields:
            refusal.fields = {"bottle": [refusal.code]}
        return _bottle_page(bottle_id, desk.problems(refusal), dialog), 422
    desk.done(said)
    return redirect(url_for("stock.bottle", bottle_id=bottle_id))


@blueprint.post("/bottles/<bottle_id>/open")
@allow("stock.open")
def open_bottle(bottle_id: str):
    form = desk.given("scanned", "unscanned_reason", "counter")
    return _act(
        bottle_id,
        "open",
        lambda: stock.open_bottle(
            house(),
            actor(),
            bottle_id,
            site_id=desk.here(),
            counter=form["counter"] or None,
            scanned=form["scanned"] or None,
            unscanned_reason=form["unscanned_reason"] or None,
        ),
        gettext("The bottle is open."),
    )


@blueprint.route("/bottles/<bottle_id>/count", methods=["GET", "POST"])
@allow("stock.count")
def count(bottle_id: str):
    """A page of its own, without the register's balance: who sees what is expected finds it."""
    found = stock_read.one_bottle(house(), actor(), bottle_id)
    form, fields, errors = desk.given("counted", "reason"), {}, {}
    if request.method == "POST":
        counted = _amount(form, "counted", fields)
        try:
            if fields:
                raise Refusal("input_invalid", fields=fields)
            done = stock.count(
                house(), actor(), bottle_id, site_id=desk.here(), counted_ul=counted, reason=form["reason"]
            )
        except Refusal as refusal:
            errors = desk.problems(refusal)
        else:
            desk.done(gettext("The count was kept."))
            if done.alert:
                return redirect(url_for("stock.difference", bottle_id=bottle_id, line=done.line))
            return redirect(url_for("stock.bottle", bottle_id=bottle_id))
    return render_template("stock/count.html", b=found, values=form, errors=errors), 422 if errors else 200


@blueprint.get("/bottles/<bottle_id>/difference/<int:line>")
@allow("stock.read")
def difference(bottle_id: str, line: int):
    """What a large difference asks for: who is told, by when."""
    found = stock_read.lines(house(), actor(), bottle_id, after=line - 1, limit=1)
    if not found or found[0].kind != register.COUNTED:
        raise Refusal("not_found")
    return render_template(
        "stock/difference.html",
        b=stock_read.one_bottle(house(), actor(), bottle_id),
        line=found[0],
        until=stock.report_until(found[0].day),
    )


@blueprint.post("/bottles/<bottle_id>/spill")
@allow("stock.spill")
def spill(bottle_id: str):
    form, fields = desk.given("volume", "reason", "note"), {}
    volume = _amount(form, "volume", fields)

    def what():
        if fields:
            raise Refusal("input_invalid", fields=fields)
        return stock.spill(
            house(),
            actor(),
            bottle_id,
            site_id=desk.here(),
            volume_ul=volume,
            reason=form["reason"],
            note=form["note"],
        )

    return _act(bottle_id, "spill", what, gettext("The spill was recorded."))


@blueprint.post("/bottles/<bottle_id>/close")
@allow("stock.close")
def close(bottle_id: str):
    return _act(
        bottle_id,
        "close",
        lambda: stock.close_bottle(
            house(), actor(), bottle_id, site_id=desk.here(), reason=request.form.get("reason", "")
        ),
        gettext("The bottle is out of use. What was left is in the residue jar."),
    )


# --- residue ---------------------------------------------------------------------------


@blueprint.route("/residue/<product_id>", methods=["GET", "POST"])
@allow("stock.destroy")
def residue(product_id: str):
    """Destruction: the manager signed in here, and the second person with user name and PIN at this screen."""
    site = desk.here()
    jars = {b.product: b for b in stock_read.bottles(house(), actor(), site) if b.kind == register.RESIDUE}
    jar = jars.get(product_id)
    if jar is None:
        raise Refusal("not_found")
    form, errors = desk.given("volume", "certificate", "method", "witness_username"), {}
    if request.method == "POST":
        try:
            line = _destroy(site, product_id, form)
        except Refusal as refusal:
            errors = desk.problems(refusal)
        else:
            desk.done(gettext("Destroyed. Both persons stand in the register."))
            return redirect(url_for("stock.bottle", bottle_id=line.bottle))
    page = render_template("stock/residue.html", jar=jar, values=form, errors=errors)
    return page, 422 if errors else 200


def _destroy(site: str, product_id: str, form: dict) -> stock.Destroyed:
    fields: dict[str, list[str]] = {}
    volume = _amount(form, "volume", fields)
    fields |= {name: ["field_needed"] for name in ("certificate", "method", "witness_username") if not form[name]}
    if fields:
        # Asked before the second person signs: their PIN is not spent on a form that lacks something.
        raise Refusal("input_invalid", fields=fields)
    subject = stock.destroy_subject(site, product_id)
    pin = request.form.get("witness_pin", "")[:40]
    token = witness.witness(house(), actor(), subject, site, form["witness_username"], pin, witness.DESTROY)
    if isinstance(token, witness.NoToken):
        raise Refusal(token.code, fields={"witness": [token.code]}, seconds=token.seconds)
    return stock.destroy_residue(
        house(),
        actor(),
        site_id=site,
        product_id=product_id,
        volume_ul=volume,
        certificate=form["certificate"],
        method=form["method"],
        witness=token.token,
    )


# --- the book ---------------------------------------------------------------------------


@blueprint.get("/balance")
@allow("stock.read")
def balance():
    """The sums of a day or a period, per product, to be printed and signed."""
    site = desk.here()
    today = stock_read.day_now(house(), site)
    form = {name: request.args.get(name, "").strip() or today.isoformat() for name in ("first", "last")}
    fields: dict[str, list[str]] = {}
    first, last = _day(form, "first", fields) or today, _day(form, "last", fields) or today
    if first > last or (last - first).days > LONGEST_PERIOD_DAYS:
        fields["last"] = ["period_wrong"]
        last = first
    errors = desk.problems(Refusal("input_invalid", fields=fields)) if fields else {}
    return render_template(
        "stock/balance.html",
        first=first,
        last=last,
        values=form,
        errors=errors,
        totals=stock_read.totals(house(), actor(), site, first, last),
        sums=stock_read.SUMS,
        site=desk.facts(),
        now=house().now(),
        by=session().display_name,
    )


def _day(form: dict, name: str, fields: dict) -> date | None:
    if not form[name]:
        fields[name] = ["field_needed"]
        return None
    try:
        return parse_date(form[name])
    except DateError as error:
        fields[name] = [error.code]
        return None


def _amount(form: dict, name: str, fields: dict) -> int:
    """Millilitres or tablets as typed, to the register's whole units."""
    if not form[name]:
        fields[name] = ["field_needed"]
        return 0
    try:
        return parse_ml(form[name])
    except AmountError as error:
        fields[name] = [error.code]
        return 0


def _products() -> list[tuple[str, str]]:
    return [(p.id, desk.product_label(p)) for p in stock_read.products(house())]
