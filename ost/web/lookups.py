"""Who looked from elsewhere: the home site's list of emergency looks, and a person's consents."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.rules.schedule import DateError, parse_date
from ost.services import consents, lookups, patient_read
from ost.web import desk, portal_consents
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
        others=_others(patient_id, given),
        looks=lookups.of_patient(house(), actor(), patient_id),
        latest=latest,
        latest_typed=own_calendar(latest),
        errors=errors or {},
        values=request.form,
    )


def _others(patient_id: str, given) -> list[dict]:
    """What else the person agreed to, by kind: each is given and taken back alone."""
    found = []
    for slug, (kind, name, meaning) in portal_consents.KINDS.items():
        if kind == consents.FOUND_ELSEWHERE:
            continue
        standing = [c for c in given if c.kind == kind and c.stands]
        kept = kind == consents.FINGERPRINTS and portal_consents.fingers_of(patient_id)
        found.append(
            {
                "slug": slug,
                "name": gettext(name),
                "meaning": gettext(meaning),
                "standing": standing,
                "may_end": bool(standing or kept),
                "may_give": not standing and kind not in consents.DATED,
                "reach": portal_consents.reach,
            }
        )
    return found


@blueprint.post("/<patient_id>/agreed/<slug>")
@allow("consent.record")
def agree(patient_id: str, slug: str):
    """A consent without a last day, said to whoever sits at this desk."""
    kind, name, _meaning = _kind(slug)
    consents.give(house(), actor(), patient_id, kind)
    desk.done(gettext("Recorded: %(what)s", what=gettext(name)))
    return redirect(url_for("lookups.person", patient_id=patient_id))


@blueprint.get("/<patient_id>/agreed/<slug>/back")
@allow("consent.record")
def before(patient_id: str, slug: str):
    """What follows, to be read to the person before it is done."""
    record = patient_read.read(house(), actor(), patient_id, page="lookups.person", at=desk.here())
    kind, name, meaning = _kind(slug)
    found = map(portal_consents.follows, consents.consequences(house(), patient_id, kind))
    follows = [said for said in found if said]
    words = {"name": gettext(name), "meaning": gettext(meaning)}
    return render_template("lookups/take_back.html", p=record, slug=slug, follows=follows, **words)


@blueprint.post("/<patient_id>/agreed/<slug>/back")
@allow("consent.record")
def take_back(patient_id: str, slug: str):
    kind, name, _meaning = _kind(slug)
    consents.end_kind(house(), actor(), patient_id, kind)
    desk.done(gettext("Taken back, from this moment on: %(what)s", what=gettext(name)))
    return redirect(url_for("lookups.person", patient_id=patient_id))


def _kind(slug: str) -> tuple[str, str, str]:
    found = portal_consents.KINDS.get(slug)
    if found is None or found[0] == consents.FOUND_ELSEWHERE:
        raise Refusal("consent_unknown")
    return found


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
