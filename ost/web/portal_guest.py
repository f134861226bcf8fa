"""The patients' pages for a place elsewhere: where, which days, why, what is agreed to, and everything once more.

One question a page, each a plain link or form; what was answered travels in the
address until it is sent, so that going back and reloading lose nothing and
nothing is kept of what was only looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import clock, policies
from ost.errors import N_, Refusal
from ost.http import house, patient_id, patient_route, portal_session
from ost.rules import guest as rules
from ost.rules.counties import COUNTIES
from ost.services.guest import consent, find_place, own
from ost.services.guest.ask import NotAsked, Wanted, ask, look
from ost.services.guest.consent import NewConsent
from ost.services.work import new_id
from ost.web import county_map, guest_view

blueprint = Blueprint("portal_guest", __name__, url_prefix="/me/guest")
blueprint.context_processor(lambda: guest_view.helpers())

STEPS = (N_("Where"), N_("Days"), N_("Why"), N_("Agree"), N_("Send"))
#: How far a consent reaches: the site asked for, its county, everywhere; or the one that stands already.
SITE, COUNTY, ANYWHERE, STANDING = SCOPES = ("site", "county", "anywhere", "standing")
#: So many days are shown at a time, so many places at most, and so many days in one request.
WINDOW_DAYS, MOST_PLACES, MOST_DAYS = 14, 30, 60


@dataclass(frozen=True, slots=True)
class Draft:
    """What was answered so far, from the address. Nothing in it is believed before the services have looked."""

    site: str = ""
    near: str = ""  # a town's key; empty: the home site
    days: tuple[date, ...] = ()
    reason: str = ""
    scope: str = ""  # of the consent: one of SCOPES, or STANDING for the one that was given before
    until: date | None = None  # its last day
    agreed: str = ""  # the site it was agreed to for

    def args(self, **changes) -> dict:
        """For url_for."""
        now = replace(self, **changes)
        found = {name: getattr(now, name) for name in ("site", "near", "reason", "scope", "agreed")}
        found["day"] = [day.isoformat() for day in now.days]
        found["until"] = now.until.isoformat() if now.until else ""
        return {name: value for name, value in found.items() if value}

    def fields(self, **changes) -> list[tuple[str, str]]:
        """As hidden fields of a form."""
        return [
            (name, one) for name, value in self.args(**changes).items() for one in (value if name == "day" else [value])
        ]


def draft() -> Draft:
    given = request.values
    return Draft(
        site=given.get("site", "")[:12],
        near=given.get("near", "")[:40],
        days=tuple(sorted({day for text in given.getlist("day")[:MOST_DAYS] if (day := _day(text))})),
        reason=given.get("reason", "")[:40],
        scope=given.get("scope", "")[:12],
        until=_day(given.get("until", "")),
        agreed=given.get("agreed", "")[:12],
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def today() -> date:
    return clock.dosing_day(house().now(), portal_session().tz)


def page(step: int, template: str, found: Draft, **values):
    names = [gettext(name) for name in STEPS]
    return render_template(f"portal/guest/{template}.html", steps=names, step=step, draft=found, **values)


# --- where ------------------------------------------------------------------------


@blueprint.get("/where")
@patient_route
def where():
    """By name, by county on the map or in the table beside it, or the nearest."""
    found, text, county = draft(), request.args.get("q", "").strip()[:60], request.args.get("county", "")[:12]
    nearest = request.args.get("nearest") == "1"
    days = [today() + timedelta(days=n) for n in range(WINDOW_DAYS)]
    home = portal_session().home_site
    with house().read() as tx:
        town = find_place.town(found.near)
        start = town.point if town else find_place.point_of(tx, home)
        needed = find_place.medicines_of(tx, patient_id())
        every = [p for p in find_place.places(tx, days, near=start, needs=needed) if p.site != home]
        towns = find_place.towns(text)
        shown = _shown(every, text, county, nearest or town is not None)
        if text and not shown and towns and not town:
            town = towns[0]
            shown = [p for p in find_place.places(tx, days, near=town.point, needs=needed) if p.site != home]
            found = replace(found, near=town.key)
    by_county = {code: [p for p in every if p.county == code] for code in COUNTIES}
    counts = {code: sum(1 for p in places if p.free_days) for code, places in by_county.items()}
    urls = {c: url_for(".where", county=c, **found.args()) for c, places in by_county.items() if places}
    return page(
        1,
        "where",
        found,
        q=text,
        county_code=county if county in COUNTIES else "",
        town=town,
        towns=towns,
        places=shown[:MOST_PLACES],
        asked_for=bool(text or county or nearest or town),
        map=county_map.draw(counts, urls),
        counties=[(code, counts[code], len(by_county[code]), urls[code]) for code in COUNTIES if code in urls],
        window=WINDOW_DAYS,
    )


def _shown(every: list, text: str, county: str, nearest: bool) -> list:
    if text:
        return list(find_place.matching(every, text))
    if county:
        return [p for p in every if p.county == county]
    return every if nearest else []


# --- which days -------------------------------------------------------------------


@blueprint.get("/days")
@patient_route
def days():
    found = draft()
    first = today()
    policy = _policy()
    last = first + timedelta(days=policy.int("guest_ahead_days"))
    start = min(max(_day(request.args.get("from", "")) or first, first), last)
    window = [day for n in range(WINDOW_DAYS) if (day := start + timedelta(days=n)) <= last]
    with house().read() as tx:
        town = find_place.town(found.near)
        near = town.point if town else find_place.point_of(tx, portal_session().home_site)
        place = find_place.place(tx, found.site, window, near)
        booked = own.booked(tx, patient_id(), window[0], window[-1])
    if place is None:
        return redirect(url_for(".where"))
    return page(
        2,
        "days",
        found,
        place=place,
        town=town,
        booked=booked,
        longest=policy.int("guest_longest_stay_days", first),
        outside=[day for day in found.days if day not in window],
        earlier=max(first, start - timedelta(days=WINDOW_DAYS)) if start > first else None,
        later=start + timedelta(days=WINDOW_DAYS) if window[-1] < last else None,
        none_chosen=request.args.get("none") == "1",
        start=start,
        now=clock.local(house().now(), place.tz),
    )


# --- why --------------------------------------------------------------------------


@blueprint.get("/why")
@patient_route
def why():
    found = draft()
    if not found.days:
        return redirect(url_for(".days", none=1, **found.args()))
    return page(3, "why", found, reasons=_policy().list("guest_ask_reasons"))


# --- what is agreed to ------------------------------------------------------------


@blueprint.get("/agree")
@patient_route
def agree():
    """Where the consent reaches and until when, beside what the other site will see."""
    found = draft()
    if not found.days:
        return redirect(url_for(".days", none=1, **found.args()))
    place = _place(found)
    if place is None:
        return redirect(url_for(".where"))
    last = found.days[-1]
    with house().read() as tx:
        standing = consent.standing(tx, patient_id(), place.site, place.county, today())
    most = today() + timedelta(days=_policy().int("consent_elsewhere_most_days"))
    untils = [day for day in (last, last + timedelta(days=90), most) if last <= day <= most]
    return page(
        4,
        "agree",
        found,
        place=place,
        standing=standing[1] if standing and standing[1] >= last else None,
        untils=list(dict.fromkeys(untils)),
        last=last,
    )


# --- everything once more, and off -------------------------------------------------


@blueprint.get("/check")
@patient_route
def check():
    found = draft()
    if not found.days:
        return redirect(url_for(".days", none=1, **found.args()))
    place = _place(found)
    if place is None:
        return redirect(url_for(".where"))
    return _check(found, place, new_id())


def _check(found: Draft, place, request_id: str, unticked: bool = False):
    """The page before sending. The consent is ticked here where another place was picked since."""
    wanted = _wanted(found, place, request_id)
    looked = look(house(), portal_session().actor(), wanted)
    return page(
        5,
        "check",
        found,
        place=place,
        looked=looked,
        reasons=guest_view.reasons(looked.reasons, place.tz),
        request_id=request_id,
        reach=_reach(wanted, place),
        agreed=found.agreed == place.site,
        unticked=unticked,
        fee=guest_view.quote(patient_id(), portal_session().home_site, place.site, found.days),
        others=_places_of(looked.alternatives),
    )


@blueprint.post("/send")
@patient_route
def send():
    """Ask. Confirmed within this request where everything was allowed beforehand; the same again is the same answer."""
    found = draft()
    place = _place(found)
    if place is None or not found.days:
        raise Refusal("input_invalid")
    request_id = request.form.get("request_id", "")[:64] or new_id()
    if found.agreed != place.site:
        return _check(found, place, request_id, unticked=True), 422
    answer = ask(house(), portal_session().actor(), _wanted(found, place, request_id))
    if isinstance(answer, NotAsked):
        return not_asked(answer, place, found)
    return redirect(url_for("portal_stay.stay", request_id=answer.request_id, sent=1), 303)


def not_asked(answer: NotAsked, place, found: Draft):
    """Why not, in words, and where else there is room."""
    return page(
        5,
        "not_asked",
        found,
        place=place,
        reasons=guest_view.reasons(answer.reasons, place.tz, blocking_only=True),
        others=_places_of(answer.alternatives),
    ), 409


def _wanted(found: Draft, place, request_id: str) -> Wanted:
    """As the service takes it; whose it is comes from the session alone."""
    return Wanted(
        request_id=request_id,
        patient_id=patient_id(),
        site=place.site,
        days=found.days,
        reason=found.reason or None,
        consent=_consent(found, place),
        by_role=rules.PATIENT,
    )


def _consent(found: Draft, place) -> NewConsent | None:
    if found.scope == STANDING:
        return None
    until = max(found.until or found.days[-1], found.days[-1])
    if found.scope == ANYWHERE:
        return NewConsent(until, anywhere=True)
    if found.scope == COUNTY:
        return NewConsent(until, counties=(place.county,))
    return NewConsent(until, sites=(place.site,))


def _reach(wanted: Wanted, place) -> dict:
    """{scope, until} of the consent this request would rest on, to be said again."""
    given = wanted.consent
    if given is None:
        with house().read() as tx:
            standing = consent.standing(tx, patient_id(), place.site, place.county, today())
        return {"scope": STANDING, "until": standing[1] if standing else None}
    scope = ANYWHERE if given.anywhere else COUNTY if given.counties else SITE
    return {"scope": scope, "until": given.until}


def _place(found: Draft):
    with house().read() as tx:
        town = find_place.town(found.near)
        near = town.point if town else find_place.point_of(tx, portal_session().home_site)
        return find_place.place(tx, found.site, found.days, near)


def _places_of(alternatives) -> list:
    """[(Place, Alternative)]: names and addresses beside what the service found."""
    with house().read() as tx:
        found = {p.site: p for p in find_place.places(tx, (), only=[a.site for a in alternatives])}
    return [(found[a.site], a) for a in alternatives if a.site in found]


def _policy():
    """The pack of the home site."""
    with house().read() as tx:
        return policies.policy(find_place.pack_of(tx, portal_session().home_site))
