"""A patient's own requests: the list, where each stands and who has it, and what they can do about it; the pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import clock
from ost.errors import N_, Refusal
from ost.http import house, patient_id, patient_route, portal_session
from ost.rules import guest as rules
from ost.services.guest import choices, consent, find_place, own
from ost.services.guest.act import NotMoved
from ost.services.guest.alternatives import nearest
from ost.services.guest.answer import answer as give_answer
from ost.services.guest.ask import NotAsked, Wanted, ask
from ost.services.guest.cancel import cancel as give_up
from ost.services.guest.centre import leave_offer, take_offer
from ost.services.guest.change import change as ask_change
from ost.services.guest.consent import NewConsent
from ost.services.guest.drop import drop_day
from ost.services.work import new_id
from ost.web import desk, formats, guest_view, pass_paper
from ost.web.portal_guest import Draft, not_asked, today

blueprint = Blueprint("portal_stay", __name__, url_prefix="/me/guest")
blueprint.context_processor(lambda: guest_view.helpers())

#: Who did a step, as its person reads it.
BY = {
    rules.PATIENT: N_("you"),
    rules.HOME: N_("your clinic"),
    rules.PRESCRIBER: N_("your doctor"),
    rules.GUEST: N_("the other site"),
    rules.GUEST_PRESCRIBER: N_("a doctor at the other site"),
    rules.CENTRE: N_("the coordination centre"),
    rules.SYSTEM: N_("by rule"),
}
#: So many places are offered for a change, and so far ahead one more day.
MOST_PLACES, MORE_DAYS = 8, 14
#: What is still missing, beside whose turn it is.
MISSING = {
    rules.ASKED: N_("the approval of your clinic is missing"),
    rules.APPROVED: N_("the answer of the other site is missing"),
    rules.ACCEPTED: N_("a doctor's signature is missing"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A step in words."""

    at: datetime
    day: str
    said: str
    by: str
    reason: str
    note: str | None


@blueprint.get("")
@patient_route
def index():
    lines = own.of_patient(house(), patient_id())
    return render_template(
        "portal/guest/index.html",
        now=[line for line in lines if not line.over],
        before=[line for line in lines if line.over],
    )


@blueprint.get("/<request_id>")
@patient_route
def stay(request_id: str):
    return _page(own.one(house(), patient_id(), request_id))


def _page(found: own.Stay, *, errors: dict | None = None, against: list | None = None) -> str:
    line = found.line
    with house().read() as tx:
        place = find_place.place(tx, line.site, line.days or (today(),))
        offer = _offer(tx, found)
        agreed = offer and consent.standing(tx, patient_id(), offer.site, offer.county, today())
    last = found.steps[-1]
    question = found.last("question") if line.state == rules.QUESTION else None
    return render_template(
        "portal/guest/stay.html",
        stay=found,
        s=guest_view.state(line),
        home_phone=_phone(line.home_site) if line.state in (rules.DECLINED, rules.PAUSED) else "",
        why=_why(last) if line.over or line.state == rules.PAUSED else "",
        place=place,
        newest=last.number,
        question=question and (question.note or gettext("It has been said in person; call your clinic.")),
        offer=offer,
        offer_needs_consent=offer is not None and (not agreed or agreed[1] < line.days[-1]),
        missing=gettext(MISSING[line.state]) if line.state in MISSING else "",
        has_pass=line.in_force and pass_paper.paper(patient_id(), line.permit) is not None,
        others=_others(found),
        draft=_draft(found),
        days=[(d, _may_drop(found, d)) for d in found.all_days],
        steps_said=[_said(step) for step in reversed(found.steps)],
        errors=errors or {},
        against=against or [],
        values=request.form,
    )


def _said(step: own.Step) -> Said:
    local = clock.local(step.at, portal_session().tz)
    by = gettext(BY[step.by_role]) if step.by_role in BY else ""
    day = formats.own_calendar(local.date())
    return Said(step.at, day, guest_view.happened(step.action), by, _why(step), step.note)


def _why(step: own.Step) -> str:
    return guest_view.why(step.reason)


def _may_drop(found: own.Stay, d: own.OwnDay) -> bool:
    return found.may("drop_day") and d.ended is None and d.day >= today() and len(found.line.days) > 1


def _draft(found: own.Stay) -> Draft:
    """To ask for the same days elsewhere."""
    days = tuple(day for day in found.line.days if day >= today())
    return Draft(site=found.line.site, days=days, reason=found.reason or "", scope="site")


def _others(found: own.Stay) -> list:
    """Where else there is room on all of these days, after a "no" of the place. A "no" of the own clinic is about the
    person or the days: another place would meet the same one.
    """
    draft = _draft(found)
    if found.line.state not in (rules.NOT_ACCEPTED, rules.EXPIRED) or not draft.days:
        return []
    with house().read() as tx:
        near = find_place.point_of(tx, found.line.site)
        needed = find_place.medicines_of(tx, patient_id())
        but = (found.line.site, found.line.home_site)
        other = nearest(tx, near, draft.days, needed, house().now(), but=but)
        places = {p.site: p for p in find_place.places(tx, (), only=[a.site for a in other])}
    return [(places[a.site], a) for a in other]


def _phone(code: str) -> str:
    with house().read() as tx:
        return find_place.phone_of(tx, code)


def _offer(tx, found: own.Stay):
    """The place the centre found, while it is offered."""
    step = found.last("offer")
    if found.line.state != rules.OFFERED or step is None:
        return None
    near = find_place.point_of(tx, found.line.home_site)
    return find_place.place(tx, step.data["site"], found.line.days, near)


# --- what the person can do --------------------------------------------------------


@blueprint.post("/<request_id>/drop")
@patient_route
def drop(request_id: str):
    own.one(house(), patient_id(), request_id)
    try:
        day = date.fromisoformat(request.form.get("day", ""))
    except ValueError:
        raise Refusal("input_invalid") from None
    drop_day(house(), portal_session().actor(), request_id, day)
    desk.done(gettext("The day was given up."))
    return redirect(url_for(".stay", request_id=request_id), 303)


@blueprint.post("/<request_id>/answer")
@patient_route
def answer(request_id: str):
    found = own.one(house(), patient_id(), request_id)
    try:
        give_answer(
            house(), portal_session().actor(), request_id, request.form.get("text", ""), seen_step=_seen()
        )
    except Refusal as refusal:
        return _page(found, errors=desk.problems(refusal)), 422
    desk.done(gettext("Your answer was sent."))
    return redirect(url_for(".stay", request_id=request_id), 303)


@blueprint.post("/<request_id>/offer")
@patient_route
def offer(request_id: str):
    """Take the offered place, or leave it: the first one stands again."""
    found = own.one(house(), patient_id(), request_id)
    actor = portal_session().actor()
    if request.form.get("take") != "1":
        leave_offer(house(), actor, request_id, seen_step=_seen())
        return redirect(url_for(".stay", request_id=request_id), 303)
    with house().read() as tx:
        place = _offer(tx, found)
    if place is None:
        raise Refusal("guest_changed_since_shown")
    given = _agreed(place, found.line.days[-1])
    if given is not None and request.form.get("agreed") != place.site:
        return _page(found, errors={"agreed": True}), 422
    moved = take_offer(house(), actor, request_id, given=given, seen_step=_seen())
    if isinstance(moved, NotMoved):
        return _page(found, against=guest_view.reasons(moved.reasons, place.tz, blocking_only=True)), 409
    return redirect(url_for(".stay", request_id=request_id), 303)


@blueprint.route("/<request_id>/cancel", methods=["GET", "POST"])
@patient_route
def cancel(request_id: str):
    found = own.one(house(), patient_id(), request_id)
    if request.method == "GET":
        if not found.may("cancel"):
            return redirect(url_for(".stay", request_id=request_id))
        with house().read() as tx:
            reasons = choices.listed(tx, "guest_cancel_reasons", found.line.home_site)
        return render_template("portal/guest/cancel.html", stay=found, reasons=reasons)
    give_up(house(), portal_session().actor(), request_id, reason=request.form.get("reason", "")[:40] or None)
    desk.done(gettext("It was given up."))
    return redirect(url_for(".stay", request_id=request_id), 303)


def _seen() -> int | None:
    """The newest step that the page showed: somebody else may have moved it since."""
    text = request.form.get("step", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


@blueprint.route("/<request_id>/change", methods=["GET", "POST"])
@patient_route
def change(request_id: str):
    """Somewhere else on one day, or one more day here: one tap each. What stands is kept until the new is confirmed."""
    found = own.one(house(), patient_id(), request_id)
    if not found.line.in_force:
        return redirect(url_for(".stay", request_id=request_id))
    if request.method == "POST":
        return _changed(found)
    return _change_page(found)


def _change_page(found: own.Stay):
    days = [day for day in found.line.days if day >= today()]
    day = _chosen(days)
    text, near = request.args.get("q", "").strip()[:60], request.args.get("near", "")[:40]
    towns = find_place.towns(text)
    town = find_place.town(near) or (towns[0] if towns else None)
    ahead = [today() + timedelta(days=n) for n in range(MORE_DAYS)]
    with house().read() as tx:
        start = town.point if town else find_place.point_of(tx, found.line.site)
        needed = find_place.medicines_of(tx, patient_id())
        every = find_place.places(tx, [day] if day else [], near=start, needs=needed)
        here = find_place.place(tx, found.line.site, ahead)
        booked = own.booked(tx, patient_id(), ahead[0], ahead[-1])
    but = (found.line.site, found.line.home_site)
    places = [p for p in every if p.site not in but and p.days and p.days[0].free and not _late(p, p.days[0])]
    more = [d for d in (here.days if here else ()) if d.free and d.day not in booked and not _late(here, d)]
    shown = places[:MOST_PLACES]
    fees = {p.site: guest_view.quote(patient_id(), found.line.home_site, p.site, (day,)) for p in shown}
    alike = len({tuple(fee) for fee in fees.values()}) == 1
    return render_template(
        "portal/guest/change.html",
        stay=found,
        day=day,
        days=days,
        today=today(),
        places=shown,
        ids={p.site: new_id() for p in shown},
        fee=next(iter(fees.values())) if alike else [],
        fees={} if alike else fees,
        more=[(d, new_id()) for d in more[:7]],
        q=text,
        near=near,
        towns=towns,
        town=town,
    )


def _chosen(days: list[date]) -> date | None:
    wanted = request.args.get("day", "")
    return next((day for day in days if day.isoformat() == wanted), days[0] if days else None)


def _late(place, d) -> bool:
    local = clock.local(house().now(), place.tz)
    return d.day == local.date() and f"{local:%H:%M}" > d.opening.last_dose


def _changed(found: own.Stay):
    form = request.form
    try:
        day = date.fromisoformat(form.get("day", ""))
    except ValueError:
        raise Refusal("input_invalid") from None
    code, adding = form.get("site", "")[:12], form.get("add") == "1"
    with house().read() as tx:
        place = find_place.place(tx, code, [day])
    if place is None or (adding and code != found.line.site):
        raise Refusal("input_invalid")
    wanted = Wanted(
        request_id=form.get("request_id", "")[:64] or new_id(),
        patient_id=patient_id(),
        site=code,
        days=(day,),
        consent=_agreed(place, day),
        by_role=rules.PATIENT,
    )
    actor = portal_session().actor()
    found_id = found.line.id
    said = ask(house(), actor, wanted) if adding else ask_change(house(), actor, found_id, wanted)
    if isinstance(said, NotAsked):
        return not_asked(said, place, Draft(site=code, days=(day,), scope="site"))
    return redirect(url_for(".stay", request_id=said.request_id), 303)


def _agreed(place, day: date) -> NewConsent | None:
    """The page says what the tap agrees to. None where a consent that stands reaches there and that far."""
    with house().read() as tx:
        standing = consent.standing(tx, patient_id(), place.site, place.county, today())
    return None if standing and standing[1] >= day else NewConsent(day, sites=(place.site,))


# --- the pass ----------------------------------------------------------------------


def _paper(request_id: str) -> pass_paper.Paper:
    found = own.one(house(), patient_id(), request_id)
    paper = pass_paper.paper(patient_id(), found.line.permit) if found.line.in_force else None
    if paper is None:
        raise Refusal("guest_pass_none")
    return paper


@blueprint.get("/<request_id>/pass")
@patient_route
def pass_page(request_id: str):
    return render_template("portal/guest/pass.html", p=_paper(request_id), request_id=request_id)


@blueprint.get("/<request_id>/pass.pdf")
@patient_route
def pass_pdf(request_id: str):
    made = pass_paper.pdf(_paper(request_id))
    if made is None:
        raise Refusal("guest_pass_no_pdf")
    headers = {"Content-Disposition": "attachment; filename=pass.pdf"}
    return Response(made, content_type="application/pdf", headers=headers)
