"""The prescriber's pages: what waits for an answer, and writing, changing and stopping an order."""

from __future__ import annotations

from datetime import date

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost import canonical, wording
from ost.errors import Refusal
from ost.http import actor, allow, holds, house
from ost.i18n import language
from ost.rules.amounts import AmountError, format_mg, parse_mg
from ost.rules.facts import PHASES
from ost.rules.schedule import DateError, parse_date
from ost.services import (
    amend,
    order_draft,
    patient_read,
    places,
    policies_in_use,
    prescription_read,
    prescriptions,
    signoffs,
)
from ost.services import holds as hold_service
from ost.services.lost_doses import lost_doses
from ost.web import desk

blueprint = desk.make_blueprint("prescriber", __name__, "/prescriber")


@blueprint.get("")
@allow("signoff.give")
def index():
    """People refused today for want of a prescriber, wrong swallows to review, and who is on hold."""
    return _index()


def _index(errors: dict | None = None, about: str = "") -> str:
    site = desk.here()
    waiting = signoffs.waiting(house(), actor(), site)
    held = hold_service.open_at(house(), actor(), site)
    exposures = prescription_read.exposures_to_review(house(), actor(), site)
    return render_template(
        "prescriber/index.html",
        lost=lost_doses(house(), actor(), site) if holds("dose.replace") else (),
        waiting=[(w, [wording.reason(r) for r in w.reasons], [wording.reason(r) for r in w.others]) for w in waiting],
        held=held,
        exposures=exposures,
        numbers=patient_read.numbers(house(), [h.patient for h in held]),
        unapproved=policies_in_use.in_use(house(), actor(), site).waiting,
        errors=errors or {},
        about=about,
        tz_name=str(desk.tz()),
        values=request.form,
    )


@blueprint.post("/signoffs/<patient_id>")
@allow("signoff.give")
def sign(patient_id: str):
    """One answer to one or several reasons of one person, for today."""
    form = desk.given("dose", "note", "day")
    about = request.form.get("about", "")
    try:
        dose = parse_mg(form["dose"]) if form["dose"] else None
        day = parse_date(form["day"])
        codes = request.form.getlist("code")
        if not codes:
            raise Refusal("input_invalid", fields={"code": ["field_needed"]})
        signoffs.give_all(house(), actor(), patient_id, codes, day, dose_ug=dose, note=form["note"])
    except AmountError as error:
        refusal = Refusal("input_invalid", fields={"dose": [error.code]})
        return _index(desk.problems(refusal), about), 422
    except DateError as error:
        refusal = Refusal("input_invalid", fields={"day": [error.code]})
        return _index(desk.problems(refusal), about), 422
    except Refusal as refusal:
        return _index(desk.problems(refusal), about), 422
    desk.done(gettext("Signed. The counter can go on."))
    return redirect(url_for("prescriber.index"))


@blueprint.post("/doses/<dose_id>/replacement")
@allow("dose.replace")
def replace(dose_id: str):
    """Another dose in place of one that was lost: nothing typed means the order."""
    form = desk.given("dose", "reason")
    try:
        dose = parse_mg(form["dose"]) if form["dose"] else None
        if not form["reason"]:
            raise Refusal("reason_needed", fields={"reason": ["reason_needed"]})
        amend.order_replacement(house(), actor(), dose_id, reason=form["reason"], dose_ug=dose)
    except AmountError as error:
        refusal = Refusal("input_invalid", fields={"dose": [error.code]})
        return _index(desk.problems(refusal), dose_id), 422
    except Refusal as refusal:
        return _index(desk.problems(refusal), dose_id), 422
    desk.done(gettext("Another dose may be given today. The counter sees it now."))
    return redirect(url_for("prescriber.index"))


@blueprint.post("/exposures/<exposure_id>")
@allow("exposure.clear")
def review(exposure_id: str):
    note = request.form.get("note", "").strip()[:200] or None
    amend.review_exposure(house(), actor(), exposure_id, note=note)
    desk.done(gettext("Reviewed. It holds no dose any more."))
    return redirect(url_for("prescriber.index"))


# --- orders -----------------------------------------------------------------------------


@blueprint.route("/patients/<patient_id>/order", methods=["GET", "POST"])
@allow("prescription.write")
def write(patient_id: str):
    """A new order: the form, what the rules say to it, then written."""
    return _order(patient_id, None)


@blueprint.route("/patients/<patient_id>/order/<order_id>", methods=["GET", "POST"])
@allow("prescription.write")
def change(patient_id: str, order_id: str):
    """The same in place of another order, shown against it."""
    found = [o for o in prescription_read.orders(house(), actor(), patient_id) if o.id == order_id]
    if not found:
        raise Refusal("order_unknown")
    return _order(patient_id, found[0])


def _order(patient_id: str, old):
    today = order_draft.today_of(house(), patient_id)
    if request.method == "GET":
        return _order_page(patient_id, old, _first(old, today), {})
    form = _posted()
    try:
        draft = _draft(patient_id, form, today)
        if request.form.get("step") != "write":
            shown = prescriptions.preview(house(), actor(), draft, old.id if old else None)
            return _order_page(patient_id, old, form, {}, draft=draft, preview=shown)
        signed = request.form.getlist("signed")
        if old is None:
            written = prescriptions.write(house(), actor(), draft, signed=signed)
        else:
            written = prescriptions.change(house(), actor(), old.id, draft, signed=signed)
    except Refusal as refusal:
        return _order_page(patient_id, old, form, desk.problems(refusal)), 422
    if isinstance(written, prescriptions.NotWritten):
        shown = prescriptions.preview(house(), actor(), draft, old.id if old else None)
        return _order_page(patient_id, old, form, {}, draft=draft, preview=shown, unsigned=True), 409
    desk.done(gettext("The prescription was written."))
    return redirect(url_for("patients.page", patient_id=patient_id))


_TEXTS = (
    "medicine", "product", "phase", "slot", "dose", "starts_on", "ends_on", "reason", "shortest_gap_h",
    "elsewhere_on", "elsewhere_dose", "elsewhere_source",
)  # fmt: skip


def _posted() -> dict:
    form: dict = desk.given(*_TEXTS)
    form["days"] = [int(d) for d in request.form.getlist("days") if d in "1234567" and d]
    form["sites"] = request.form.getlist("sites")
    return form


def _first(old, today: date) -> dict:
    """What stands in the form at first: the order that is changed, or an induction beginning today."""
    if old is None:
        days, empty = list(order_draft.EVERY_DAY), dict.fromkeys(_TEXTS, "")
        return empty | {"phase": "induction", "slot": "1", "starts_on": today.isoformat(), "days": days, "sites": []}
    return dict.fromkeys(_TEXTS, "") | {
        "medicine": old.medicine,
        "product": old.product or "",
        "phase": old.phase,
        "slot": str(old.slot),
        "dose": format_mg(old.dose_ug).replace(",", ""),
        "starts_on": max(today, old.starts_on).isoformat(),
        "ends_on": old.ends_on.isoformat() if old.ends_on else "",
        "shortest_gap_h": str(old.shortest_gap_h or ""),
        "days": list(old.days),
        "sites": list(old.sites),
    }


def _draft(patient_id: str, form: dict, today: date) -> order_draft.Draft:
    fields: dict[str, list[str]] = {}

    def day(name: str) -> date | None:
        try:
            return parse_date(form[name]) if form[name] else None
        except DateError as error:
            fields[name] = [error.code]
            return None

    def amount(name: str) -> int | None:
        try:
            return parse_mg(form[name]) if form[name] else None
        except AmountError as error:
            fields[name] = [error.code]
            return None

    def number(name: str, otherwise: int | None) -> int | None:
        if form[name] and not form[name].isdigit():
            fields[name] = ["not_a_choice"]
        return int(form[name]) if form[name].isdigit() else otherwise

    draft = order_draft.Draft(
        patient_id=patient_id,
        medicine=form["medicine"],
        phase=form["phase"],
        dose_ug=amount("dose") or 0,
        starts_on=day("starts_on") or today,
        slot=number("slot", 1),
        ends_on=day("ends_on"),
        days=tuple(form["days"]),
        sites=tuple(form["sites"]),
        product=form["product"] or None,
        shortest_gap_h=number("shortest_gap_h", None),
        reason=form["reason"],
        elsewhere_on=day("elsewhere_on"),
        elsewhere_dose_ug=amount("elsewhere_dose"),
        elsewhere_source=form["elsewhere_source"],
    )
    if fields:
        raise Refusal("input_invalid", fields=fields)
    return draft


def _order_page(patient_id, old, form, errors, *, draft=None, preview=None, unsigned=False) -> str:
    record = patient_read.read(house(), actor(), patient_id, page="prescriber.order", at=desk.here())
    reasons = [wording.reason(canonical.plain(r)) for r in preview.reasons] if preview else []
    stops = [r for r in reasons if r["tier"] == "stop"]
    sites = [(s.id, s.name(language())) for s in places.network(house()) if s.id != record.home_site]
    return render_template(
        "prescriber/order.html",
        p=record,
        old=old,
        values=form,
        errors=errors,
        draft=draft,
        preview=preview,
        signable=[r for r in stops if r["needs_signoff"]],
        blocked=[r for r in stops if not r["needs_signoff"]],
        notes=[r for r in reasons if r["tier"] != "stop"],
        unsigned=unsigned,
        change_ug=draft.dose_ug - preview.lineage.previous_dose_ug
        if preview and preview.lineage.previous_dose_ug
        else None,
        medicines=desk.choices(prescription_read.medicines(house())),
        phases=desk.choices(PHASES),
        sites=sites,
        elsewhere=bool(form.get("elsewhere_on") or form.get("elsewhere_dose")),
    )


@blueprint.route("/patients/<patient_id>/order/<order_id>/stop", methods=["GET", "POST"])
@allow("prescription.write")
def stop(patient_id: str, order_id: str):
    orders = {o.id: o for o in prescription_read.orders(house(), actor(), patient_id)}
    if order_id not in orders:
        raise Refusal("order_unknown")
    record = patient_read.read(house(), actor(), patient_id, page="prescriber.stop", at=desk.here())
    errors: dict = {}
    if request.method == "POST":
        try:
            prescriptions.stop(house(), actor(), order_id, request.form.get("reason", ""))
        except Refusal as refusal:
            errors = desk.problems(refusal)
        else:
            desk.done(gettext("The prescription was stopped."))
            return redirect(url_for("patients.page", patient_id=patient_id))
    page = render_template(
        "prescriber/stop.html", p=record, order=orders[order_id], errors=errors, values=request.form
    )
    return page, 422 if errors else 200
