"""Guests here: the coming days with their places, who comes, and what waits for an answer or a signature."""

from __future__ import annotations

from datetime import date, timedelta

from flask import render_template, request, url_for
from flask_babel import gettext

from ost.http import actor, allow, house, session
from ost.rules.schedule import DateError, parse_date
from ost.services.guest import incoming, notices, read
from ost.web import desk, guest_frame

blueprint = guest_frame.make_blueprint("guest_incoming", __name__, "/guest/incoming")


@blueprint.get("")
@allow("guest.read")
def index():
    site, now = desk.here(), house().now()
    today = incoming.today(house(), site)
    first = max(_day(request.args.get("from")) or today, today - timedelta(days=incoming.DAYS))
    found = incoming.days(house(), actor(), site, first)
    waiting = read.waiting(house(), actor(), site)
    counter = session().counter
    return render_template(
        "guest/incoming.html",
        days=found,
        load=incoming.load(found),
        today=today,
        first=first,
        step=timedelta(days=incoming.DAYS),
        to_answer=waiting["guest"],
        to_sign=waiting["prescriber"],
        paused=incoming.to_sign(house(), actor(), site),
        to_take_over=incoming.to_take_over(house(), actor(), site),
        notices=notices.of_site(house(), actor(), site),
        counter_url=url_for("counter.page", counter_id=counter) if counter else "",
        now=now,
        limit=timedelta(minutes=incoming.policy_of(house(), site).int("guest_take_over_minutes")),
        places_said=places_said,
    )


def places_said(day: incoming.IncomingDay) -> str:
    """The bar in words."""
    if day.opening is None:
        return gettext("closed that day")
    free = day.opening.places - day.taken
    if free < 0:
        return gettext("%(n)s of %(m)s taken, %(over)s too many", n=day.taken, m=day.opening.places, over=-free)
    if free == 0:
        return gettext("%(n)s of %(m)s taken, full", n=day.taken, m=day.opening.places)
    return gettext("%(n)s of %(m)s taken, %(free)s free", n=day.taken, m=day.opening.places, free=free)


def _day(text: str | None) -> date | None:
    try:
        return parse_date(text) if text else None
    except DateError:
        return None
