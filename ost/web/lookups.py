"""Who looked from elsewhere: the home site's list of emergency looks, and a person's consents."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.rules.schedule import DateError, parse_date
from ost.services import consents, lookups, patient_read
from ost.web import desk
from ost.web.formats import own_calendar

blueprint = desk.make_blueprint("lookups", __name__, "/lookups")


@blueprint.get("")
@allow("patient.read")
def index():
    """Emergency looks at this site's patients. Numbers only."""
    return render_template(
        "lookups/index.html", looks=lookups.of_site(house(), actor(), desk.here()), days=lookups.DAYS_SHOWN
    )


@blueprint.get("/<patient_id>")
@allow("patient.read")
def person(patient_id: str):
    """What other sites may see of one person, and who looked in an emergency."""
    return _page(patient_id)


def _page(patient_id: str, errors: dict | None = None):
    record = patient_read.read(house(), actor(), patient_id, page="lookups.person", at=desk.here())
    given, latest = consents.of_patient(house(), actor(), patient_id), consents.latest_day(house(), patient_id)
    return render_template(
        "lookups/person.html",
        p=record,
        given=given,
        standing=next((c for c in given if c.stands and c.kind == consents.FOUND_ELSEWHERE), None),
        looks=lookups.of_patient(house(), actor(), patient_id),
        latest=latest,
        latest_typed=own_calendar(latest),
        errors=errors or {},
        values=request.form,
    )


@blueprint.post("/<patient_id>/consent")
@allow("consent.record")
def give(patient_id: str):
    text = request.form.get("until", "").strip()
    try:
        until = parse_date(text) if text else None
        consents.give(house(), actor(), patient_id, consents.FOUND_ELSEWHERE, until)
    except DateError as error:
        refusal = Refusal("input_invalid", fields={"until": [error.code]})
        return _page(patient_id, desk.problems(refusal)), 422
    except Refusal as refusal:
        if refusal.code not in ("input_invalid", "consent_given_already"):
            raise
        refusal.fields = refusal.fields or {"until": [refusal.code]}
        return _page(patient_id, desk.problems(refusal)), 422
    desk.done(gettext("The consent was recorded."))
    return redirect(url_for("lookups.person", patient_id=patient_id))


@blueprint.post("/<patient_id>/consent/<consent_id>/end")
@allow("consent.record")
def end(patient_id: str, consent_id: str):
    consents.end(house(), actor(), consent_id)
    desk.done(gettext("Taken back. From now on nobody elsewhere sees who they are."))
    return redirect(url_for("lookups.person", patient_id=patient_id))
