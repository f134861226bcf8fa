"""What a patient may do without asking again: standing authorisations, granted and ended by the home prescriber."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost import wording
from ost.errors import Refusal
from ost.http import actor, allow, holds, house
from ost.rules.schedule import DateError, parse_date
from ost.services import patient_read, places
from ost.services.guest import incoming, standing
from ost.services.guest.standing import Allowed
from ost.web import desk, formats, guest_frame

blueprint = guest_frame.make_blueprint("guest_standing", __name__, "/guest/patients")


@blueprint.get("/<patient_id>/standing")
@allow("guest.read")
def index(patient_id: str):
    return _page(patient_id)


def _page(patient_id: str, errors: dict | None = None):
    record = patient_read.read(house(), actor(), patient_id, page="guest_standing.index", at=desk.here())
    given = standing.of_patient(house(), actor(), patient_id)
    today = incoming.today(house(), record.home_site)
    policy = incoming.policy_of(house(), record.home_site)
    latest = today + timedelta(days=policy.int("guest_standing_most_days"))
    elsewhere = [s for s in places.network(house()) if s.id != record.home_site]
    return render_template(
        "guest/standing.html",
        p=record,
        given=given,
        used=incoming.days_used(house(), patient_id, today.year),
        year=today.year,
        may_grant=holds("guest.approve"),
        sites=[(s.id, wording.site_name(s.id)) for s in elsewhere],
        all_sites=[(s.id, wording.site_name(s.id)) for s in places.network(house())],
        latest=latest,
        typed=request.form or {"days_a_year": "60", "until": formats.own_calendar(latest)},
        errors=errors or {},
    )


@blueprint.post("/<patient_id>/standing")
@allow("guest.approve")
def grant(patient_id: str):
    errors: dict = {}
    way = request.form.get("way", "")
    until = None
    try:
        until = parse_date(request.form.get("until", ""))
    except DateError as error:
        errors["until"] = [error.code]
    if way not in ("radius", "sites", "corridor", "anywhere"):
        errors["way"] = ["field_needed"]
    days = _number("days_a_year", errors)
    radius = _number("radius_km", errors) * 1000 if way == "radius" else None
    width = _number("corridor_km", errors) * 1000 if way == "corridor" else None
    try:
        if errors:
            raise Refusal("input_invalid", fields=errors)
        standing.grant(
            house(),
            actor(),
            Allowed(
                patient_id=patient_id,
                days_a_year=days,
                until=until,
                anywhere=way == "anywhere",
                sites=tuple(code[:12] for code in request.form.getlist("sites")[:200]) if way == "sites" else (),
                radius_m=radius,
                corridor_from=(request.form.get("corridor_from") or None) if way == "corridor" else None,
                corridor_to=(request.form.get("corridor_to") or None) if way == "corridor" else None,
                corridor_m=width,
            ),
        )
    except Refusal as refusal:
        named = {"radius_m": "radius_km", "corridor_m": "corridor_km"}
        refusal.fields = {named.get(name, name): found for name, found in refusal.fields.items()}
        return _page(patient_id, desk.problems(refusal)), 422
    desk.done(gettext("Granted. Requests that fit are approved at once from now on."))
    return redirect(url_for("guest_standing.index", patient_id=patient_id))


@blueprint.post("/<patient_id>/standing/<standing_id>/end")
@allow("guest.approve")
def end(patient_id: str, standing_id: str):
    standing.end(house(), actor(), standing_id)
    desk.done(gettext("Ended. Permits that were confirmed stay."))
    return redirect(url_for("guest_standing.index", patient_id=patient_id))


def _number(name: str, errors: dict) -> int:
    text = request.form.get(name, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        errors[name] = ["guest_number_range"]
        return 0
    return int(text)
