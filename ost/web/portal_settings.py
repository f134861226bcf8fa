"""A patient's own settings: PIN, codes at sign-in, telephone and e-mail, where they are signed in.

Whatever could shut the person out, or let somebody else in, asks for the PIN again.
"""

from __future__ import annotations

import pyotp
import segno
from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask import session as form_session
from flask_babel import gettext

from ost.answers import field_texts, say
from ost.errors import Refusal
from ost.gate import portal_cookie_name
from ost.http import PORTAL_PREFIX, house, patient_route, portal_session
from ost.services.messages import contacts
from ost.services.portal import factors, pin, sessions
from ost.web.portal import keep_cookie

blueprint = Blueprint("portal_settings", __name__, url_prefix=PORTAL_PREFIX + "/settings")

#: A LINE account has no address that a person could type; it is linked at the clinic.
TYPED = (contacts.SMS, contacts.EMAIL)


def refused(template: str, refusal: Refusal, **values):
    """The page again with what was wrong; anything else is an error page."""
    known = refusal.fields or refusal.code.startswith(("portal_", "contact_"))
    if not known:
        raise refusal
    errors = {name: field_texts(found) for name, found in refusal.fields.items()}
    error = None if errors else say(refusal.code, refusal.data)
    status = 429 if refusal.code in ("portal_wait", "contact_codes_too_many") else 422
    return render_template(template, errors=errors, error=error, **values), status


@blueprint.get("")
@patient_route
def index():
    here = portal_session()
    return render_template(
        "portal/settings.html",
        wanted=factors.asked(house(), here.patient),
        reach=contacts.of_patient(house(), here.actor(), here.patient),
        signed_in=len(sessions.of_patient(house(), here)),
    )


# --- where one is signed in ------------------------------------------------------------


@blueprint.get("/devices")
@patient_route
def devices():
    return render_template("portal/devices.html", found=sessions.of_patient(house(), portal_session()))


@blueprint.post("/devices/end")
@patient_route
def end_device():
    here = portal_session()
    if not sessions.end_one(house(), here, request.form.get("ref", "")):
        raise Refusal("portal_gone")
    flash(gettext("Signed out there."), "done")
    return redirect(url_for("portal_settings.devices"), 303)


@blueprint.post("/devices/end-others")
@patient_route
def end_others():
    sessions.end_others(house(), portal_session())
    flash(gettext("Signed out everywhere else."), "done")
    return redirect(url_for("portal_settings.devices"), 303)


# --- PIN ---------------------------------------------------------------------------


@blueprint.get("/pin")
@patient_route
def pin_form():
    return render_template("portal/pin.html", errors={}, digits=pin.shortest(house()))


@blueprint.post("/pin")
@patient_route
def change_pin():
    given = [request.form.get(name, "").strip() for name in ("pin", "new", "again")]
    try:
        token = pin.change(house(), portal_session(), *given)
    except Refusal as refusal:
        return refused("portal/pin.html", refusal, digits=pin.shortest(house()))
    form_session.clear()
    flash(gettext("Your PIN is changed, here and at the counter. Everywhere else you are signed out."), "done")
    response = make_response(redirect(url_for("portal_settings.index"), 303))
    keep_cookie(response, portal_cookie_name(current_app), token)
    return response


# --- codes at sign-in ------------------------------------------------------------------


@blueprint.get("/codes")
@patient_route
def codes():
    return render_template("portal/codes.html", errors={}, **_codes())


@blueprint.post("/codes")
@patient_route
def change_codes():
    here, typed, act = portal_session(), request.form.get("pin", ""), request.form.get("act", "")
    try:
        match act:
            case "app":
                factors.begin_totp(house(), here, typed)
                return redirect(url_for("portal_settings.app"), 303)
            case "app_off":
                factors.end_totp(house(), here, typed)
                flash(gettext("The authenticator is no longer asked for."), "done")
            case "sms" | "sms_off":
                factors.set_sms(house(), here, act == "sms", typed)
                asked, not_asked = gettext("A code by message is asked for from now on."), gettext("No more codes.")
                flash(asked if act == "sms" else not_asked, "done")
            case _:
                raise Refusal("portal_gone")
    except Refusal as refusal:
        return refused("portal/codes.html", refusal, **_codes())
    return redirect(url_for("portal_settings.codes"), 303)


def _codes() -> dict:
    here = portal_session()
    reach = contacts.of_patient(house(), here.actor(), here.patient)
    phone = next((c for c in reach if c.channel == contacts.SMS and c.verified), None)
    return {"wanted": factors.asked(house(), here.patient), "phone": phone}


@blueprint.get("/codes/app")
@patient_route
def app():
    secret = factors.pending_totp(house(), portal_session())
    if secret is None:
        return redirect(url_for("portal_settings.codes"))
    return render_template("portal/app.html", error=None, **_shown(secret))


@blueprint.post("/codes/app")
@patient_route
def confirm_app():
    here = portal_session()
    if factors.confirm_totp(house(), here, request.form.get("code", "")):
        flash(gettext("Done. From the next sign-in on your authenticator is asked for."), "done")
        return redirect(url_for("portal_settings.codes"), 303)
    secret = factors.pending_totp(house(), here)
    return render_template("portal/app.html", error=say("portal_code_wrong"), **_shown(secret)), 401


def _shown(secret: str) -> dict:
    """The name in the authenticator's list says as little as the page's title."""
    address = pyotp.TOTP(secret).provisioning_uri(name=gettext("My page"))
    picture = segno.make(address, micro=False, error="m").svg_data_uri(scale=5, border=3, dark="#000", light="#fff")
    return {"picture": picture, "text": " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))}


# --- telephone and e-mail ----------------------------------------------------------------


@blueprint.get("/contact")
@patient_route
def contact():
    return render_template("portal/contact.html", errors={}, **_contacts())


@blueprint.post("/contact")
@patient_route
def add_contact():
    here, given = portal_session(), request.form.get("channel", "")
    try:
        if given not in TYPED:
            raise Refusal("input_invalid", fields={"channel": ["not_a_choice"]})
        contacts.normal(given, request.form.get("address", ""))
        pin.require(house(), here, request.form.get("pin", ""))
        id_ = contacts.set(house(), here.actor(), here.patient, given, request.form.get("address", ""))
        contacts.send_code(house(), here.actor(), here.patient, id_)
    except Refusal as refusal:
        typed = {"channel": given, "address": request.form.get("address", "")}
        return refused("portal/contact.html", refusal, typed=typed, **_contacts())
    return redirect(url_for("portal_settings.contact_code", contact_id=id_), 303)


@blueprint.get("/contact/<contact_id>")
@patient_route
def contact_code(contact_id: str):
    return render_template("portal/contact_code.html", error=None, one=_one(contact_id))


@blueprint.post("/contact/<contact_id>")
@patient_route
def change_contact(contact_id: str):
    here, one = portal_session(), _one(contact_id)
    mine = (house(), here.actor(), here.patient, one.id)
    match request.form.get("act", ""):
        case "verify":
            if not contacts.verify(*mine, request.form.get("code", "")[:20]):
                return render_template("portal/contact_code.html", error=say("portal_code_wrong"), one=one), 401
            flash(gettext("This is yours now. What goes there is under \"What I agreed to\"."), "done")
        case "send":
            try:
                contacts.send_code(*mine)
            except Refusal as refusal:
                return refused("portal/contact_code.html", refusal, one=one)
            flash(gettext("A new code is on its way. The one before no longer works."), "note")
            return redirect(url_for("portal_settings.contact_code", contact_id=one.id), 303)
        case "first":
            contacts.prefer(*mine)
        case "end":
            try:
                pin.require(house(), here, request.form.get("pin", ""))
            except Refusal as refusal:
                return refused("portal/contact_code.html", refusal, one=one)
            contacts.end(*mine)
            flash(gettext("Nothing goes there any more."), "done")
        case _:
            raise Refusal("portal_gone")
    return redirect(url_for("portal_settings.contact"), 303)


def _contacts() -> dict:
    here = portal_session()
    return {"reach": contacts.of_patient(house(), here.actor(), here.patient)}


def _one(contact_id: str) -> contacts.Contact:
    found = next((c for c in _contacts()["reach"] if c.id == contact_id), None)
    if found is None:
        raise Refusal("portal_gone")
    return found
