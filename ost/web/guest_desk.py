"""Guest requests at a desk: what waits for us by age, one request on one screen, and each answer in one tap.

One screen serves the home site, its prescriber or the delegate on call, the
guest site and its prescriber: the table of `ost.rules.guest` says which buttons
stand on it.
"""

from __future__ import annotations

from datetime import date, timedelta

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext

from ost import canonical, wording
from ost.answers import field_texts
from ost.errors import Refusal
from ost.http import actor, allow, house
from ost.rules import guest as rules
from ost.rules.schedule import DateError, parse_date
from ost.services.guest import (
    answer,
    cancel,
    centre,
    choices,
    countersign,
    drop,
    incoming,
    notices,
    on_call,
    read,
    take_over,
)
from ost.services.guest.act import NotMoved
from ost.services.places import site_facts
from ost.web import desk, formats, guest_frame

blueprint = guest_frame.make_blueprint("guest_desk", __name__, "/guest")

#: Answered requests stay on the list so long.
ANSWERED = timedelta(days=14)
#: In what order the groups of a home site's own requests stand.
GROUPS = (("with_us", (rules.ASKED,)), ("elsewhere", (rules.QUESTION, rules.OFFERED, rules.APPROVED, rules.ACCEPTED)),
          ("in_force", rules.IN_FORCE))  # fmt: skip


@blueprint.get("")
@allow("guest.read")
def start():
    return redirect(url_for("guest_desk.requests"))


@blueprint.get("/requests")
@allow("guest.read")
def requests():
    """Our own patients' requests: what waits for us first, by age; and the sites we are on call for."""
    site, now = desk.here(), house().now()
    mine = [line for line in read.of_site(house(), actor(), site) if line.home_site == site]
    groups = {
        name: sorted((line for line in mine if line.state in states), key=lambda line: line.since)
        for name, states in GROUPS
    }
    for code in on_call.sites_of(house(), actor().id):
        if code != site:
            groups["with_us"] += read.waiting(house(), actor(), code)["home"]
    return render_template(
        "guest/requests.html",
        groups=groups,
        answered=[line for line in mine if line.state in rules.OVER and now - line.since < ANSWERED],
        notices=notices.of_site(house(), actor(), site),
        on_call=on_call.of_site(house(), actor(), site),
        here=site,
        now=now,
        limit=timedelta(minutes=incoming.policy_of(house(), site).int("guest_take_over_minutes")),
    )


@blueprint.post("/notices/<notice_id>/seen")
@allow("guest.read")
def notice_seen(notice_id: str):
    notices.seen(house(), actor(), notice_id)
    return redirect(url_for("guest_incoming.index" if request.form.get("back") == "incoming" else ".requests"))


# --- one request --------------------------------------------------------------------------


@blueprint.get("/requests/<request_id>")
@allow("guest.read")
def one(request_id: str):
    return _one(request_id)


def _one(request_id: str, errors: dict | None = None, open_part: str = "", standing=(), elsewhere=()):
    """`standing`: what stood against the step that was not taken; `elsewhere`: other places after a refusal."""
    shown = read.one(house(), actor(), request_id)
    now = house().now()
    minutes = incoming.policy_of(house(), shown.home_site).int("guest_take_over_minutes")
    over_at = shown.since + timedelta(minutes=minutes)
    # How short the notice was matters to whoever decides, and to nobody afterwards.
    told = [r for r in shown.reasons if r.code != "guest_short_notice" or shown.state in rules.OPEN]
    found = [wording.reason(canonical.plain(r)) for r in told]
    with house().read() as tx:
        lists = {
            "decline": choices.listed(tx, "guest_decline_reasons", shown.home_site),
            "refuse": choices.listed(tx, "guest_refuse_reasons", shown.site),
            "cancel": choices.listed(tx, "guest_cancel_reasons", shown.home_site),
        }
    return render_template(
        "guest/request.html",
        r=shown,
        p=shown.person,
        days=[d.day for d in shown.days if d.ended is None],
        reasons=found,
        blocked=any(r["tier"] == "stop" for r in found),
        lists={name: guest_frame.reasons(codes) for name, codes in lists.items()},
        home=site_facts(house(), shown.home_site),
        there=site_facts(house(), shown.site),
        at_home=bool({rules.HOME, rules.PRESCRIBER} & set(shown.roles)),
        may_sign=_may_sign(shown),
        later=_later(shown),
        over_at=over_at,
        late=now >= over_at,
        minutes=minutes,
        now=now,
        today=incoming.today(house(), shown.home_site),
        back="incoming" if request.values.get("back") == "incoming" else "",
        errors=errors or {},
        open_part=open_part,
        standing=[wording.reason(canonical.plain(r)) for r in standing if r.tier == "stop"],
        elsewhere=elsewhere,
    )


def _may_sign(shown: read.RequestShown) -> bool:
    """Whether a signature of the guest site's prescriber is of use now: asked for, or given in advance."""
    if rules.GUEST_PRESCRIBER not in shown.roles or shown.state not in countersign.STATES or shown.person is None:
        return False
    if shown.state != rules.CONFIRMED:
        return True
    # Another order counts from a later day of the stay: signed now, nobody waits that morning.
    already = countersign.signed(house(), shown.id)
    return bool(already) and not {o.order.id for o in shown.person.orders} <= already


def _later(shown: read.RequestShown) -> dict | None:
    """Signing the orders here for later stays too: until when it may be, and until when it is already."""
    if rules.GUEST_PRESCRIBER not in shown.roles or shown.person is None or not shown.person.orders:
        return None
    orders, today = [o.order.id for o in shown.person.orders], incoming.today(house(), shown.home_site)
    latest = countersign.latest_day(house(), shown.site, shown.home_site)
    return {
        "latest": latest,
        "proposed": formats.own_calendar(min(latest, shown.person.consent_until or latest)),
        "until": countersign.signed_until(house(), shown.person.id, shown.site, orders, today),
    }


@blueprint.post("/requests/<request_id>/beforehand")
@allow("guest.countersign")
def beforehand(request_id: str):
    """The orders of this request's person, signed at this site for later stays too, until a day."""
    shown = read.one(house(), actor(), request_id)
    if _later(shown) is None:
        raise Refusal("guest_nothing_to_sign")
    try:
        until = parse_date(request.form.get("until", ""))
    except DateError as error:
        return _one(request_id, {"until": field_texts([error.code])}, "beforehand"), 422
    try:
        countersign.beforehand(house(), actor(), shown.person.id, shown.site, until)
    except Refusal as refusal:
        if not refusal.fields:
            raise
        return _one(request_id, desk.problems(refusal), "beforehand"), 422
    desk.done(gettext("Signed for later stays too, until %(day)s.", day=formats.two_calendars(until)))
    back = {"back": "incoming"} if request.form.get("back") == "incoming" else {}
    return redirect(url_for(".one", request_id=request_id, **back))


#: action -> (what does it, whether it takes a reason, what is said when it is done)
_TAKES = {
    "approve": lambda r, reason, step: answer.approve(house(), actor(), r, seen_step=step),
    "decline": lambda r, reason, step: answer.decline(house(), actor(), r, reason=reason, seen_step=step),
    "accept": lambda r, reason, step: answer.accept(house(), actor(), r, seen_step=step),
    "refuse": lambda r, reason, step: answer.refuse(house(), actor(), r, reason=reason, seen_step=step),
    "question": lambda r, reason, step: answer.question(
        house(), actor(), r, request.form.get("text", ""), seen_step=step
    ),
    "answer": lambda r, reason, step: answer.answer(house(), actor(), r, request.form.get("text", ""), seen_step=step),
    "countersign": lambda r, reason, step: countersign.countersign(house(), actor(), r, seen_step=step),
    "take_over": lambda r, reason, step: take_over.take_over(house(), actor(), r, seen_step=step),
    "cancel": lambda r, reason, step: cancel.cancel(house(), actor(), r, reason=reason, seen_step=step),
    "take_offer": lambda r, reason, step: centre.take_offer(house(), actor(), r, seen_step=step),
    "leave_offer": lambda r, reason, step: centre.leave_offer(house(), actor(), r, seen_step=step),
}


@blueprint.post("/requests/<request_id>/<action>")
@allow("guest.read")
def act(request_id: str, action: str):
    """Any of the answers. What the page showed travels along as the step's number."""
    take = _TAKES.get(action)
    if take is None:
        abort(404)
    step = request.form.get("step", "")
    reason = request.form.get("reason") or None
    try:
        done = take(request_id, reason, int(step) if step.isdecimal() and len(step) < 9 else None)
    except Refusal as refusal:
        if not refusal.fields:
            raise
        return _one(request_id, desk.problems(refusal), action), 422
    if isinstance(done, NotMoved):
        return _one(request_id, standing=done.reasons), 409
    if isinstance(done, answer.RefusedThere):
        desk.done(gettext("Not accepted. The patient was told, and where else there is room."))
        return _one(request_id, elsewhere=done.alternatives)
    desk.done(_said(done))
    # Back to the list the person came from: the next one waits there.
    return redirect(url_for("guest_incoming.index" if request.form.get("back") == "incoming" else ".requests"))


@blueprint.post("/requests/<request_id>/days/<day>/back")
@allow("guest.read")
def drop_day(request_id: str, day: str):
    """Take one day back: home doses on it again, or the guest site cannot."""
    try:
        on = date.fromisoformat(day)
    except ValueError:
        abort(404)
    done = drop.drop_day(house(), actor(), request_id, on)
    desk.done(gettext("%(day)s was taken out. %(rest)s", day=on.isoformat(), rest=_said(done)))
    return redirect(url_for(".one", request_id=request_id))


def _said(done) -> str:
    """What follows, in one sentence: a permit, or who has it now."""
    if done.state == rules.CONFIRMED:
        days = len(done.days)
        return ngettext(
            "Confirmed: %(num)s day. The patient has the pass.",
            "Confirmed: %(num)s days. The patient has the pass.",
            days,
        )
    return gettext("Request %(n)s: %(state)s.", n=done.number, state=guest_frame.word(done.state))
