"""Pages about one person: find, register, the record, card, photograph, PIN, holds."""

from __future__ import annotations

import base64
import io

import segno
from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import wording
from ost.errors import Refusal
from ost.http import LANGUAGES, actor, allow, holds, house
from ost.rules.schedule import DateError, parse_date
from ost.services import faces, patient_read, patient_search, patients, prescription_read
from ost.services import holds as hold_service
from ost.services import policies_in_use as policy_service
from ost.web import desk

blueprint = desk.make_blueprint("patients", __name__, "/patients")

_FIELDS = ("name", "national_id", "birth_date", "sex", "phone", "language")


@blueprint.get("")
@allow("patient.search")
def index():
    """Find somebody of this site by number or part of a name; `all=1`: at every site open to the person."""
    text, everywhere = request.args.get("q", "")[:80], request.args.get("all") == "1"
    site_id = None if everywhere else desk.here()
    found = patient_search.search(house(), actor(), text, site_id=site_id)
    return render_template(
        "patients/index.html", found=found, q=text, everywhere=everywhere, most=patient_search.MOST
    )


@blueprint.route("/new", methods=["GET", "POST"])
@allow("patient.register")
def register():
    """The form; then everything read back in both calendars; then the card."""
    site = desk.facts()
    if request.method == "GET":
        return _form(site, {"language": patients.LANGUAGES[0]}, {})
    form = desk.given(*_FIELDS) | {
        "priority": request.form.getlist("priority"),
        "low_tolerance": request.form.get("low_tolerance") == "1",
    }
    if request.form.get("step") == "back":
        return _form(site, form, {})
    try:
        if request.form.get("step") != "register":
            checked = patients.check(house(), **form)
            return render_template("patients/check.html", values=form, checked=checked, site=site)
        made = patients.register(house(), actor(), site_id=site.id, **form)
    except Refusal as refusal:
        errors = desk.problems(refusal)
        return _form(site, form, errors, refusal.data), 422
    desk.done(gettext("Registered."))
    return _card_page(made.id, made.number, made.card, new=True)


def _form(site, form: dict, errors: dict, known: dict | None = None) -> str:
    return render_template(
        "patients/register.html",
        values=form,
        errors=errors,
        site=site,
        known=known or {},
        sexes=desk.choices(patients.SEXES),
        languages=_languages(),
        priorities=desk.choices(patients.PRIORITIES),
    )


def _languages() -> list[tuple[str, str]]:
    return list(LANGUAGES.items())


@blueprint.get("/<patient_id>")
@allow("patient.read")
def page(patient_id: str):
    """The record. Opening it is written into the person's own list of readers."""
    record = patient_read.read(house(), actor(), patient_id, page="patients.page", at=desk.here())
    return _page(record)


def _page(record, errors: dict | None = None, open_dialog: str = "") -> str:
    person = record.id
    return render_template(
        "patients/page.html",
        p=record,
        orders=prescription_read.orders(house(), actor(), person) if holds("prescription.read") else [],
        doses=prescription_read.doses(house(), actor(), person) if holds("dose.read") else [],
        holds_placed=hold_service.of_patient(house(), actor(), person) if holds("hold.read") else [],
        readers=patient_read.accesses(house(), actor(), person),
        hold_kinds=desk.choices(hold_service.KINDS),
        hold_reasons=_hold_reasons(),
        languages=_languages(),
        priorities=desk.choices(patients.PRIORITIES),
        site_tz=str(desk.tz()),
        errors=errors or {},
        values=request.form,
        open_dialog=open_dialog,
    )


def _hold_reasons() -> list[tuple[str, str]]:
    codes = policy_service.coded(house(), desk.here(), "hold_reasons_clinical", "hold_reasons_administrative")
    return [(code, wording.word(code)) for code in codes]


@blueprint.get("/<patient_id>/face")
@allow("patient.read")
def face(patient_id: str):
    """The photograph. An SVG is one the demo drew; it is shown as an image and never as a document."""
    image, kind = patient_read.face(house(), actor(), patient_id)
    headers = {"Content-Disposition": "inline; filename=face"}
    return Response(image, content_type=kind, headers=headers)


@blueprint.post("/<patient_id>/face")
@allow("patient.register")
def take_face(patient_id: str):
    sent = request.files.get("face")
    try:
        patients.set_face(house(), actor(), patient_id, faces.clean_face(sent.read() if sent else b""))
    except Refusal as refusal:
        return _again(patient_id, refusal, "face")
    desk.done(gettext("The photograph was kept."))
    return redirect(url_for("patients.page", patient_id=patient_id))


@blueprint.post("/<patient_id>/contact")
@allow("patient.register")
def contact(patient_id: str):
    form = desk.given("name", "birth_date", "phone", "language")
    form["priority"] = request.form.getlist("priority")
    form["low_tolerance"] = request.form.get("low_tolerance") == "1"
    try:
        patients.update(house(), actor(), patient_id, **form)
    except Refusal as refusal:
        return _again(patient_id, refusal, "contact")
    desk.done(gettext("Saved."))
    return redirect(url_for("patients.page", patient_id=patient_id))


@blueprint.post("/<patient_id>/pin")
@allow("patient.register")
def pin(patient_id: str):
    try:
        patients.set_pin(house(), actor(), patient_id, request.form.get("pin", ""))
    except Refusal as refusal:
        return _again(patient_id, refusal, "pin")
    desk.done(gettext("The PIN was set."))
    return redirect(url_for("patients.page", patient_id=patient_id))


@blueprint.post("/<patient_id>/card")
@allow("patient.register")
def card(patient_id: str):
    """A new card; the old one is dead. Its code is shown this once, to be printed."""
    code = patients.reissue_card(house(), actor(), patient_id)
    record = patient_read.read(house(), actor(), patient_id, page="patients.card", at=desk.here())
    return _card_page(patient_id, record.number, code, new=False)


def _card_page(patient_id: str, number: str, code: str, *, new: bool) -> str:
    return render_template(
        "patients/card.html", patient_id=patient_id, number=number, qr=qr_image(code), new=new, site=desk.facts()
    )


def qr_image(text: str) -> str:
    """A QR code as a data URI: the card's code reaches no address and no cache."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=8, border=2)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _again(patient_id: str, refusal: Refusal, dialog: str):
    errors = desk.problems(refusal)
    record = patient_read.read(house(), actor(), patient_id, page="patients.page", at=desk.here())
    return _page(record, errors, dialog), 422


# --- holds -----------------------------------------------------------------------


@blueprint.post("/<patient_id>/holds")
@allow("hold.place")
def place_hold(patient_id: str):
    form = desk.given("reason_code", "come_back_on", "call")
    try:
        come_back = parse_date(form["come_back_on"]) if form["come_back_on"] else None
    except DateError as error:
        return _again(patient_id, Refusal("input_invalid", fields={"come_back_on": [error.code]}), "hold")
    kind = hold_service.CLINICAL
    if form["reason_code"] in policy_service.coded(house(), desk.here(), "hold_reasons_administrative"):
        kind = hold_service.ADMINISTRATIVE
    try:
        hold_service.place(
            house(),
            actor(),
            patient_id,
            site_id=desk.here(),
            kind=kind,
            reason_code=form["reason_code"],
            come_back_on=come_back,
            call=form["call"],
        )
    except Refusal as refusal:
        return _again(patient_id, refusal, "hold")
    desk.done(gettext("On hold. The counter says when to come back and whom to call."))
    return redirect(url_for("patients.page", patient_id=patient_id))


@blueprint.post("/<patient_id>/holds/<hold_id>/release")
@allow("hold.release")
def release_hold(patient_id: str, hold_id: str):
    hold_service.release(house(), actor(), hold_id, request.form.get("reason"))
    desk.done(gettext("The hold was released."))
    to_work = request.form.get("next") == "work"
    return redirect(url_for("prescriber.index") if to_work else url_for("patients.page", patient_id=patient_id))
