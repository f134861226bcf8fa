"""Ask for guest dosing for somebody without a telephone: one page at the desk, and a printed pass.

For a patient of this site from their record; for a guest who stands at a counter
here, only once they showed who they are there and agreed to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import clock, policies
from ost.errors import N_, Refusal
from ost.http import actor, allow, house
from ost.rules import guest as rules
from ost.rules.counties import COUNTIES
from ost.services import patient_read
from ost.services.guest import consent, find_place, own, walk_in
from ost.services.guest.ask import NotAsked, Wanted, ask
from ost.services.guest.consent import NewConsent
from ost.services.work import new_id
from ost.web import desk, guest_view, pass_paper

blueprint = desk.make_blueprint("guest_ask", __name__, "")
blueprint.context_processor(lambda: guest_view.helpers())

WINDOW_DAYS, MOST_DAYS = 14, 60
#: Whose move it is, as a nurse reads it.
WAITS = {
    rules.HOME: N_("Waits for the home prescriber"),
    rules.GUEST: N_("Waits for the other site"),
    rules.GUEST_PRESCRIBER: N_("Waits for a signature at the other site"),
    rules.PATIENT: N_("Waits for the person's answer"),
}


@dataclass(frozen=True, slots=True)
class For:
    """Whom is asked for, and in which role. `counter`, `line`: a guest at a counter; `here`: the site then fixed."""

    patient: str
    number: str
    home_site: str
    role: str
    here: str | None = None
    counter: str = ""
    line: str = ""

    @property
    def url(self) -> str:
        if self.counter:
            return url_for("guest_ask.walk_in_form", counter_id=self.counter)
        return url_for("guest_ask.form", patient_id=self.patient)


# --- a patient of this site --------------------------------------------------------


@blueprint.get("/patients/<patient_id>/guest")
@allow("guest.ask")
def form(patient_id: str):
    return _form(_of_record(patient_id))


@blueprint.post("/patients/<patient_id>/guest")
@allow("guest.ask")
def send(patient_id: str):
    return _send(_of_record(patient_id))


def _of_record(patient_id: str) -> For:
    """Opening the form is a reading of the record like any other."""
    own.require_home(house(), actor(), patient_id)
    record = patient_read.read(house(), actor(), patient_id, page="guest_ask.form", at=desk.here())
    return For(record.id, record.number, record.home_site, rules.HOME)


# --- a guest at a counter here -------------------------------------------------------


@blueprint.get("/counter/<counter_id>/guest")
@allow("guest.ask")
def walk_in_form(counter_id: str):
    return _form(_at_counter(counter_id))


@blueprint.post("/counter/<counter_id>/guest")
@allow("guest.ask")
def walk_in_send(counter_id: str):
    return _send(_at_counter(counter_id, request.form.get("line", "")[:64]))


def _at_counter(counter_id: str, line: str | None = None) -> For:
    found = walk_in.person_at(house(), actor(), counter_id, line)
    return For(found.patient, found.number, found.home_site, rules.GUEST, found.site, counter_id, found.line)


# --- the page ------------------------------------------------------------------------


def _form(who: For, errors: dict | None = None, not_asked: NotAsked | None = None):
    given = request.values
    code = who.here or given.get("site", "")[:12]
    with house().read() as tx:
        home = find_place.point_of(tx, who.home_site)
        pack = policies.policy(find_place.pack_of(tx, who.home_site))
        today = clock.dosing_day(house().now(), find_place.tz_of(tx, who.home_site))
        start = max(today, _day(given.get("from", "")) or today)
        days = [start + timedelta(days=n) for n in range(WINDOW_DAYS)]
        every = find_place.places(tx, days, near=home, needs=find_place.medicines_of(tx, who.patient))
        place = next((p for p in every if p.site == code), None)
        booked = own.booked(tx, who.patient, days[0], days[-1])
        standing = place and consent.standing(tx, who.patient, place.site, place.county, today)
        others = find_place.places(tx, (), only=[a.site for a in not_asked.alternatives]) if not_asked else ()
    by_county = [(c, [p for p in every if p.county == c and p.site != who.home_site]) for c in COUNTIES]
    chosen = _chosen()
    return render_template(
        "guest_ask/form.html",
        who=who,
        place=place,
        by_county=[(c, found) for c, found in by_county if found],
        booked=booked,
        chosen=chosen,
        outside=[d for d in chosen if d not in days],
        reasons=pack.list("guest_ask_reasons"),
        longest=pack.int("guest_longest_stay_days", today),
        standing=standing,
        fee=guest_view.quote(who.patient, who.home_site, place.site, chosen or days[:1]) if place else [],
        request_id=given.get("request_id", "")[:64] or new_id(),
        errors=errors or {},
        values=given,
        refused=guest_view.reasons(not_asked.reasons, place.tz, blocking_only=True) if not_asked else [],
        others=others,
        window=WINDOW_DAYS,
        now=clock.local(house().now(), place.tz) if place else None,
        earlier=max(today, start - timedelta(days=WINDOW_DAYS)) if start > today else None,
        later=start + timedelta(days=WINDOW_DAYS),
        start=start,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _chosen() -> tuple[date, ...]:
    return tuple(sorted({day for text in request.values.getlist("day")[:MOST_DAYS] if (day := _day(text))}))


def _send(who: For):
    """Ask. What the person said counts: nothing is sent before the nurse ticked that they agreed."""
    if request.form.get("show") or request.form.get("from"):
        return _form(who)  # another site's days, or other days of this one: nothing is asked yet
    code = who.here or request.form.get("site", "")[:12]
    days = _chosen()
    with house().read() as tx:
        place = find_place.place(tx, code, days)
    errors = {}
    if place is None:
        errors["site"] = gettext("Choose a site.")
    if not days:
        errors["days"] = gettext("Choose at least one day.")
    if request.form.get("agreed") != "1":
        errors["agreed"] = gettext("Read it out, and tick it when the person agrees.")
    if errors:
        return _form(who, errors), 422
    answer = ask(
        house(),
        actor(),
        Wanted(
            request_id=request.form.get("request_id", "")[:64] or new_id(),
            patient_id=who.patient,
            site=place.site,
            days=days,
            reason=request.form.get("reason", "")[:40] or None,
            consent=_consent(place, days),
            by_role=who.role,
        ),
    )
    if isinstance(answer, NotAsked):
        return _form(who, not_asked=answer), 409
    return redirect(url_for("guest_ask.result", request_id=answer.request_id), 303)


def _consent(place, days) -> NewConsent:
    """As the person said it to the nurse, who stands in the record as the one who took it."""
    scope = request.form.get("scope", "site")
    if scope == "anywhere":
        return NewConsent(days[-1], anywhere=True)
    if scope == "county":
        return NewConsent(days[-1], counties=(place.county,))
    return NewConsent(days[-1], sites=(place.site,))


# --- what came of it, and the pass -----------------------------------------------------


@blueprint.get("/guest/asked/<request_id>")
@allow("guest.ask")
def result(request_id: str):
    found, patient = _asked(request_id)
    return render_template(
        "guest_ask/result.html",
        stay=found,
        s=guest_view.state(found.line),
        number=patient_read.numbers(house(), [patient])[patient],
        patient=patient,
        at_home=found.line.home_site == desk.here(),
        waits=gettext(WAITS[found.line.waits_for]) if found.line.waits_for in WAITS else "",
        why=guest_view.why(found.steps[-1].reason) if found.line.over else "",
        p=pass_paper.paper(patient, found.line.permit) if found.line.in_force else None,
    )


@blueprint.get("/guest/asked/<request_id>/pass.pdf")
@allow("guest.ask")
def pass_pdf(request_id: str):
    found, patient = _asked(request_id)
    paper = pass_paper.paper(patient, found.line.permit) if found.line.in_force else None
    if paper is None:
        raise Refusal("guest_pass_none")
    made = pass_paper.pdf(paper)
    if made is None:
        raise Refusal("guest_pass_no_pdf")
    return Response(
        made, content_type="application/pdf", headers={"Content-Disposition": "inline; filename=pass.pdf"}
    )


def _asked(request_id: str) -> tuple[own.Stay, str]:
    """A request of this home site, or one that somebody here asked for. For others it does not exist."""
    patient = own.patient_for(house(), actor(), request_id)
    return own.one(house(), patient, request_id), patient
