"""The coordination centre's page: what waits in the whole country, by number and need; where there is room."""

from __future__ import annotations

from flask import current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from ost import canonical, wording
from ost.http import actor, allow, holds, house
from ost.rules.counties import COUNTIES
from ost.services.guest import overview
from ost.services.messages import failed
from ost.services.places import site_facts
from ost.web import county_map, desk, guest_frame, messages

blueprint = guest_frame.make_blueprint("guest_centre", __name__, "/guest/centre")
#: Messages that failed, on the page itself; all of them have a page of their own.
MOST_FAILED = 10


@blueprint.get("")
@allow("guest.coordinate")
def index():
    needs = overview.needs(house(), actor())
    days, counties = overview.free_places(house(), actor())
    order = list(COUNTIES)
    counties.sort(key=lambda c: order.index(c.county) if c.county in order else 99)
    unmet_days, unmet = overview.unmet(house(), actor())
    return render_template(
        "guest/centre.html",
        needs=needs,
        late=sum(n.late for n in needs),
        with_patients=sum(n.waits_for == "patient" for n in needs),
        days=days,
        counties=counties,
        map=county_map.draw({c.county: c.today for c in counties}, {c.county: f"#c-{c.county}" for c in counties}),
        unmet_days=[day for day in unmet_days if any(day in found for found in unmet.values())],
        unmet=sorted(unmet.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99),
        failed=failed.of_network(house(), actor())[:MOST_FAILED] if holds("message.read") else (),
        message_kinds=messages.KINDS,
        message_states=messages.STATES,
        closures=overview.running_closures(house(), actor()),
        closures_url=url_for("closures.index") if "closures.index" in current_app.view_functions else "",
        now=house().now(),
    )


@blueprint.get("/<int(max=9999999):number>")
@allow("guest.coordinate")
def one(number: int):
    """One request: what is needed, and where else there is room on all its days."""
    return _one(number)


def _one(number: int, answer: overview.Offered | None = None):
    found, elsewhere = overview.need(house(), actor(), number)
    return render_template(
        "guest/centre_one.html",
        n=found,
        there=site_facts(house(), found.site),
        elsewhere=elsewhere,
        answer=answer,
        reasons=[wording.reason(canonical.plain(r)) for r in answer.reasons] if answer else [],
    )


@blueprint.post("/<int(max=9999999):number>/offer")
@allow("guest.coordinate")
def offer(number: int):
    step = request.form.get("step", "")
    answer = overview.offer_place(
        house(), actor(), number, request.form.get("site", "")[:12], seen_step=_step(step)
    )
    if not answer.done:
        return _one(number, answer), 409
    desk.done(gettext("Offered. Both places are held until the patient answers."))
    return redirect(url_for("guest_centre.index"))


def _step(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 9 else None


@blueprint.post("/<int(max=9999999):number>/withdraw")
@allow("guest.coordinate")
def withdraw(number: int):
    step = request.form.get("step", "")
    overview.withdraw_offer(house(), actor(), number, seen_step=_step(step))
    desk.done(gettext("The offer is withdrawn. The first place stands again."))
    return redirect(url_for("guest_centre.index"))
