"""What a patient agreed to: each thing alone, what follows from taking it back shown before, done at once."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext

from ost.answers import field_texts, say
from ost.errors import N_, Refusal
from ost.http import PORTAL_PREFIX, house, patient_route, portal_session
from ost.i18n import language
from ost.rules.counties import county_name
from ost.services import consents
from ost.services.portal import record
from ost.web.formats import two_calendars
from ost.wording import listed, site_name

blueprint = Blueprint("portal_consents", __name__, url_prefix=PORTAL_PREFIX + "/agreed")

#: A neutral word for each kind, because it stands in the address; what it is called; what it means.
KINDS = {
    "days": (
        consents.GUEST_DOSING,
        N_("Guest dosing"),
        N_("The places where I am a guest see what they need to give me my dose."),
    ),
    "elsewhere": (
        consents.FOUND_ELSEWHERE,
        N_("Known at other sites"),
        N_("When I touch a reader or show my card at another site, it sees who I am and can call my home site."),
    ),
    "fingers": (
        consents.FINGERPRINTS,
        N_("Fingerprints"),
        N_("My fingers are kept as measurements, so that a touch shows who I am."),
    ),
    "news": (
        consents.MESSAGES,
        N_("Messages"),
        N_("News about my bookings comes to my telephone or e-mail, in neutral words."),
    ),
}
#: How long a dated consent may be given for, from today.
TERMS = (30, 90, 365)


@blueprint.get("")
@patient_route
def index():
    return _index()


@blueprint.post("")
@patient_route
def give():
    here = portal_session()
    slug = request.form.get("kind", "")
    if slug not in KINDS or KINDS[slug][0] == consents.GUEST_DOSING:
        raise Refusal("portal_gone")
    try:
        until = _day(request.form.get("until", ""))
        consents.give(house(), here.actor(), here.patient, KINDS[slug][0], until)
    except Refusal as refusal:
        if not refusal.fields and refusal.code != "consent_given_already":
            raise
        errors = {name: field_texts(found) for name, found in refusal.fields.items()}
        return _index(errors=errors, error=None if errors else say(refusal.code, refusal.data)), 422
    flash(gettext("Agreed. You can take it back at any time."), "done")
    return redirect(url_for("portal_consents.index"), 303)


@blueprint.get("/<slug>/back")
@patient_route
def before(slug: str):
    """What follows, before it is done. `?one=`: of several, this one alone."""
    kind, name, meaning = _kind(slug)
    one = _one(kind, request.args.get("one", ""))
    found = consents.consequences(house(), portal_session().patient, kind, one)
    return render_template(
        "portal/take_back.html",
        slug=slug,
        one=one,
        name=gettext(name),
        meaning=gettext(meaning),
        follows=[said for said in map(follows, found) if said],
    )


@blueprint.post("/<slug>/back")
@patient_route
def take_back(slug: str):
    here = portal_session()
    kind, name, _ = _kind(slug)
    if one := _one(kind, request.form.get("one", "")):
        consents.end(house(), here.actor(), one)
    else:
        consents.end_kind(house(), here.actor(), here.patient, kind)
    flash(gettext("Taken back, from this moment on: %(what)s", what=gettext(name)), "done")
    return redirect(url_for("portal_consents.index"), 303)


# --- within ------------------------------------------------------------------


def _index(errors: dict | None = None, error: dict | None = None) -> str:
    here = portal_session()
    mine = consents.of_patient(house(), here.actor(), here.patient)
    today, most = record.today(house(), here), consents.latest_day(house(), here.patient)
    kinds = [
        {
            "slug": slug,
            "name": gettext(name),
            "meaning": gettext(meaning),
            "standing": [c for c in mine if c.kind == kind and c.stands],
            "fingers": fingers_of(here.patient) if kind == consents.FINGERPRINTS else 0,
            "dated": kind in consents.DATED,
            "asked_with_booking": kind == consents.GUEST_DOSING,
        }
        for slug, (kind, name, meaning) in KINDS.items()
    ]
    names = {kind: gettext(name) for kind, name, _ in KINDS.values()}
    return render_template(
        "portal/agreed.html",
        kinds=kinds,
        before=[c for c in mine if not c.stands],
        names=names,
        reach=reach,
        terms=[d for n in TERMS if (d := today + timedelta(days=n)) <= most] or [most],
        errors=errors or {},
        error=error,
    )


def fingers_of(patient_id: str) -> int:
    """Kept fingers, also of those enrolled before a consent was written down for it."""
    found = consents.consequences(house(), patient_id, consents.FINGERPRINTS)
    return next((c.data["count"] for c in found if c.code == "fingers_wiped"), 0)


def reach(scope) -> str:
    """Where a consent to guest dosing reaches, in words."""
    if not scope or scope.get("anywhere"):
        return gettext("everywhere")
    places = [site_name(s) for s in scope.get("sites", ())]
    return listed(places + [county_name(c, language()) for c in scope.get("counties", ())])


def _kind(slug: str) -> tuple[str, str, str]:
    if slug not in KINDS:
        raise Refusal("portal_gone")
    return KINDS[slug]


def _one(kind: str, consent_id: str) -> str | None:
    """A standing consent of this person and kind; anything else is not there."""
    if not consent_id:
        return None
    here = portal_session()
    mine = consents.of_patient(house(), here.actor(), here.patient)
    if not any(c.id == consent_id and c.kind == kind and c.stands for c in mine):
        raise Refusal("portal_gone")
    return consent_id


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal("input_invalid", fields={"until": ["consent_day_wrong"]}) from None


def follows(found: consents.Consequence) -> dict | None:
    """One consequence in words. `ends`: something is no longer there afterwards."""
    data = found.data
    if found.code in ("permit_ends", "request_ends"):
        days = listed(two_calendars(date.fromisoformat(d), short=True) for d in data["days"])
        said = {"n": data["request"], "site": site_name(data["site"]), "days": days or "–"}
        ends = gettext("Your booking %(n)s at %(site)s ends: %(days)s. You get nothing there on these days.", **said)
        asked = gettext("Your open request %(n)s for %(site)s ends: %(days)s.", **said)
        return {"ends": True, "text": ends if found.code == "permit_ends" else asked}
    count = data.get("count", 0)
    texts = {
        "site_sees_no_more": lambda: gettext("%(site)s no longer sees your record.", site=site_name(data["site"])),
        "no_new_requests": lambda: gettext("You cannot be a guest anywhere until you agree again."),
        "not_shown_elsewhere": lambda: gettext("Other sites see of you only whether you were there today: yes or no."),
        "fingers_wiped": lambda: ngettext("%(num)s finger is wiped.", "%(num)s fingers are wiped.", count),
        "other_ways_stay": lambda: gettext("Card, number with face, and papers stay as good as before."),
        "no_messages": lambda: gettext("Nothing is sent to you any more; codes you ask for still are."),
        "permits_stay": lambda: gettext("Your bookings stay as they are."),
    }
    stays = found.code in ("other_ways_stay", "permits_stay")
    return {"ends": not stays, "text": texts[found.code]()} if found.code in texts else None
