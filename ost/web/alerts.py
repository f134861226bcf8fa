"""Quiet help: a clinician's own messages, and the page where a patient chooses finger and clinician with one.

Words here are such that a screen seen over a shoulder says little. Nobody is
shown what another clinician's patient chose.
"""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.services import alerts, duress, patient_read
from ost.web import desk

blueprint = desk.make_blueprint("alerts", __name__, "")


@blueprint.get("/alerts")
@allow("alert.read")
def index():
    """One's own messages, newest first."""
    return render_template("alerts/index.html", alerts=alerts.alerts(house(), actor()))


@blueprint.post("/alerts/<alert_id>/seen")
@allow("alert.read")
def seen(alert_id: str):
    alerts.mark_seen(house(), actor(), alert_id)
    return redirect(url_for("alerts.index"))


@blueprint.get("/patients/<patient_id>/quiet")
@allow("alert.read")
def choose(patient_id: str):
    """The form; filled in only for the clinician who was chosen."""
    return _form(patient_id, duress.mine(house(), actor(), patient_id))


@blueprint.post("/patients/<patient_id>/quiet")
@allow("alert.read")
def chosen(patient_id: str):
    """The same answer whatever was chosen."""
    form = desk.given("finger", "clinician")
    try:
        duress.set_answer(house(), actor(), patient_id, form["finger"], form["clinician"])
    except Refusal as refusal:
        return _form(patient_id, duress.Answer(**form), desk.problems(refusal)), 422
    desk.done(gettext("Kept. The record says that it was talked about, not what was chosen."))
    return redirect(url_for("patients.page", patient_id=patient_id))


def _form(patient_id: str, values: duress.Answer, errors: dict | None = None) -> str:
    return render_template(
        "alerts/quiet.html",
        patient_id=patient_id,
        number=patient_read.numbers(house(), [patient_id]).get(patient_id, ""),
        fingers=desk.choices(duress.fingers(house(), actor(), patient_id)),
        clinicians=duress.clinicians(house(), actor(), patient_id),
        values=values,
        errors=errors or {},
    )


def badge() -> int:
    """How many messages wait for the person at this screen."""
    return alerts.unseen(house(), actor())
