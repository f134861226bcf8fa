"""Fees: what is to be paid here and was, months between sites, the tariff with its sources, sums without names."""

from __future__ import annotations

from flask import Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import N_, Refusal
from ost.http import actor, allow, holds, house
from ost.i18n import language
from ost.reports import fees as paper
from ost.reports.evaluation import render_pdf
from ost.rules.counties import COUNTIES, county_name
from ost.rules.fees import CLASSES, ITEMS
from ost.rules.schedule import DateError, parse_date
from ost.services.access import may
from ost.services.counter_page import phone_of
from ost.services.fees import receipts, settle, tariff
from ost.services.places import site_facts
from ost.web import desk
from ost.web.shell import Link

WORDS = {
    **paper.ITEMS,
    "adult": N_("adult"),
    "minor": N_("minor"),
    "open": N_("no source found"),
    "law": N_("law"),
    "guideline": N_("guideline"),
    "weak": N_("weak source"),
}
TABS = (
    ("fee.settle", "fees.months", N_("Months between sites")),
    ("fee.read", "fees.unpaid", N_("To be paid here")),
    ("fee.settle", "fees.prices", N_("Amounts and caps")),
    ("indicator.read", "fees.sums", N_("Sums")),
)
KINDS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "pdf": "application/pdf",
}
#: Two forms on one page: fields of the same meaning have names of their own.
_CAP_FIELDS = {"county": "cap_county", "patient_class": "cap_class", "source": "cap_source", "status": "cap_status"}
_NO_NUMBER = -1

blueprint = desk.make_blueprint("fees", __name__, "/fees")
blueprint.context_processor(
    lambda: {
        "fee_word": fee_word,
        "ntd": ntd,
        "county_name": lambda code: county_name(code, language()) if code else gettext("everywhere"),
        "tabs": tabs(),
    }
)


def fee_word(code: str) -> str:
    return gettext(WORDS[code]) if code in WORDS else code


def ntd(value: int | None) -> str:
    return gettext("not published") if value is None else f"{value:,}"


def tabs() -> tuple[Link, ...]:
    return tuple(
        Link(gettext(label), url_for(endpoint), request.endpoint == endpoint)
        for permission, endpoint, label in TABS
        if endpoint in current_app.view_functions and holds(permission)
    )


# --- months -------------------------------------------------------------------------


@blueprint.get("")
@allow("fee.settle")
def months():
    found = settle.of_sites(house(), actor())
    return render_template("fees/months.html", settlements=found, network=holds_network(), errors={}, month="")


@blueprint.post("/settle")
@allow("fee.settle")
def settle_month():
    month = request.form.get("month", "").strip()
    try:
        found = settle.settle(house(), actor(), month)
    except Refusal as refusal:
        if refusal.code != "fee_month_not_over":
            errors = desk.problems(refusal)
        else:
            refusal.fields = {"month": [refusal.code]}
            errors = desk.problems(refusal)
        shown = settle.of_sites(house(), actor())
        page = render_template("fees/months.html", settlements=shown, network=True, errors=errors, month=month)
        return page, 422
    desk.done(gettext("%(month)s is settled: %(n)s pairs of sites.", month=month, n=len(found)))
    return redirect(url_for("fees.months"), 303)


@blueprint.get("/settlements/<settlement_id>")
@allow("fee.settle")
def settlement(settlement_id: str):
    found, lines = settle.one(house(), actor(), settlement_id)
    return render_template("fees/settlement.html", s=found, lines=lines, kinds=tuple(KINDS))


@blueprint.get("/settlements/<settlement_id>/file.<kind>")
@allow("fee.settle")
def settlement_file(settlement_id: str, kind: str):
    """XLSX, ODS or PDF; the PDF as HTML that prints the same where the machine cannot make one."""
    if kind not in KINDS:
        raise Refusal("settlement_unknown")
    found, lines = settle.one(house(), actor(), settlement_id)
    sheet = paper.settlement(found, lines, {code: name_of(code) for code in (found.home_site, found.site)}, language())
    name = f"settlement-{found.month}-{found.home_site}-{found.site}"
    if kind == "pdf":
        return _pdf(paper.html(sheet, language()), name)
    data = paper.xlsx(sheet) if kind == "xlsx" else paper.ods(sheet)
    return _file(data, KINDS[kind], f"{name}.{kind}")


# --- people ----------------------------------------------------------------------------


@blueprint.get("/unpaid")
@allow("fee.read")
def unpaid():
    """Who has something to pay at this site, by number."""
    found = receipts.unpaid_at(house(), actor(), desk.here())
    return render_template("fees/unpaid.html", people=found)


@blueprint.get("/people/<patient_id>")
@allow("fee.read")
def person(patient_id: str):
    return _person(patient_id)


@blueprint.post("/people/<patient_id>/pay")
@allow("fee.settle")
def pay(patient_id: str):
    chosen, paid = request.form.getlist("charge"), whole(request.form.get("paid_ntd", ""), signed=True)
    try:
        number = receipts.pay(house(), actor(), patient_id, desk.here(), chosen, paid)
    except Refusal as refusal:
        if refusal.code not in ("fee_charge_not_open", "fee_paid_differs"):
            raise
        refusal.fields = {"paid_ntd": [refusal.code]}
        return _person(patient_id, desk.problems(refusal), chosen), 422
    desk.done(gettext("Written down. Receipt %(number)s.", number=number))
    return redirect(url_for("fees.receipt", number=number), 303)


@blueprint.get("/receipts/<int(max=9999999):number>")
@allow("fee.read")
def receipt(number: int):
    found = receipts.receipt(house(), actor(), number, desk.here())
    return render_template("fees/receipt.html", r=found)


@blueprint.get("/receipts/<int(max=9999999):number>/paper")
@allow("fee.read")
def receipt_paper(number: int):
    found = receipts.receipt(house(), actor(), number, desk.here())
    return receipt_pdf(found)


def _person(patient_id: str, errors: dict | None = None, chosen=()):
    account = receipts.of_patient_at(house(), actor(), patient_id, desk.here())
    mine = [c for c in account.charges if c.site == desk.here() and c.receipt is None]
    return render_template(
        "fees/person.html", a=account, patient_id=patient_id, payable=mine, errors=errors or {}, chosen=chosen
    )


# --- the tariff --------------------------------------------------------------------------


@blueprint.get("/prices")
@allow("fee.settle")
def prices():
    return _prices()


@blueprint.post("/prices/items")
@allow("fee.settle")
def add_item():
    form = desk.given(
        "item", "county", "patient_class", "amount_ntd", "payer_share_percent", "from_day", "to_day", "source", "status"
    )
    try:
        tariff.add_item(
            house(),
            actor(),
            item=form["item"],
            county=form["county"] or None,
            patient_class=form["patient_class"],
            amount_ntd=whole(form["amount_ntd"]),
            payer_share_percent=whole(form["payer_share_percent"]),
            from_day=_day(form, "from_day"),
            to_day=_day(form, "to_day"),
            source=form["source"],
            status=form["status"],
        )
    except Refusal as refusal:
        return _prices(item=form, errors=desk.problems(refusal)), 422
    desk.done(gettext("The amount is in force from its day on. Earlier ones stay as they were."))
    return redirect(url_for("fees.prices"), 303)


@blueprint.post("/prices/caps")
@allow("fee.settle")
def add_cap():
    form = desk.given("cap_county", "year", "cap_class", "cap_ntd", "cap_source", "cap_status")
    try:
        tariff.add_cap(
            house(),
            actor(),
            county=form["cap_county"],
            year=whole(form["year"]),
            patient_class=form["cap_class"],
            cap_ntd=whole(form["cap_ntd"]),
            source=form["cap_source"],
            status=form["cap_status"],
        )
    except Refusal as refusal:
        errors = {_CAP_FIELDS.get(name, name): texts for name, texts in desk.problems(refusal).items()}
        return _prices(cap=form, cap_errors=errors), 422
    desk.done(gettext("The cap is kept with its source."))
    return redirect(url_for("fees.prices"), 303)


def _prices(item: dict | None = None, cap: dict | None = None, errors: dict | None = None, cap_errors=None):
    items, caps = tariff.all_rows(house())
    return render_template(
        "fees/prices.html",
        items=items,
        caps=caps,
        item=item or {},
        cap=cap or {},
        errors=errors or {},
        cap_errors=cap_errors or {},
        item_choices=[(code, fee_word(code)) for code in ITEMS],
        class_choices=[(code, fee_word(code)) for code in CLASSES],
        status_choices=[(code, fee_word(code)) for code in tariff.STATUSES],
        county_choices=[(code, county_name(code, language())) for code in COUNTIES],
    )


# --- sums ----------------------------------------------------------------------------------


@blueprint.get("/sums")
@allow("indicator.read")
def sums():
    return render_template("fees/sums.html", sums=settle.by_month(house(), actor()))


# --- shared --------------------------------------------------------------------------------


def whole(text: str, signed: bool = False) -> int | None:
    """A whole number as typed, with or without thousands' commas; None when empty, -1 for what is none."""
    clean = text.strip().replace(",", "").replace("−", "-")
    if not clean:
        return None
    digits = clean.removeprefix("-") if signed else clean
    return int(clean) if digits.isascii() and digits.isdigit() and len(digits) < 10 else _NO_NUMBER


def name_of(code: str) -> str:
    facts = site_facts(house(), code)
    return facts.name(language()) if facts else code


def receipt_pdf(found: receipts.Receipt) -> Response:
    """The paper of a receipt, for the desk and for the person's own page."""
    page = paper.receipt_html(found, name_of(found.site), phone_of(house(), found.site), language())
    return _pdf(page, f"receipt-{found.number}")


def holds_network() -> bool:
    """Whether the person settles for every site at once."""
    return may(house(), actor(), "fee.settle", None)


def _day(form: dict, name: str):
    try:
        return parse_date(form[name]) if form[name] else None
    except DateError as error:
        raise Refusal("input_invalid", fields={name: [error.code]}) from error


def _pdf(page: str, name: str) -> Response:
    pdf, _why = render_pdf(page)
    if pdf is None:
        return _file(page.encode(), "text/html; charset=utf-8", f"{name}.html")
    return _file(pdf, KINDS["pdf"], f"{name}.pdf")


def _file(data: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"}
    return Response(data, content_type=kind, headers=headers)
