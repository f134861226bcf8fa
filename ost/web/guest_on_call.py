"""Who answers for this site's prescribers, and what a patient may do without asking again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from ost.errors import Refusal
from ost.http import actor, allow, holds, house
from ost.rules.schedule import DateError, parse_date
from ost.services.guest import incoming, on_call, prescribers
from ost.web import desk, formats, guest_frame

blueprint = guest_frame.make_blueprint("guest_on_call", __name__, "/guest/on-call")
_TIME = re.compile(r"([01]?[0-9]|2[0-3])[:：]?([0-5][0-9])")


@blueprint.get("")
@allow("guest.read")
def index():
    return _page()


def _page(errors: dict | None = None):
    site = desk.here()
    today = incoming.today(house(), site)
    typed = request.form or {
        "from_day": formats.own_calendar(today),
        "from_time": "17:00",
        "until_day": formats.own_calendar(today + timedelta(days=1)),
        "until_time": "08:00",
    }
    return render_template(
        "guest/on_call.html",
        rows=on_call.of_site(house(), actor(), site),
        people=prescribers.of_country(house(), actor(), site) if holds("guest.settings") else (),
        now=house().now(),
        typed=typed,
        errors=errors or {},
    )


@blueprint.post("")
@allow("guest.settings")
def put():
    errors: dict = {}
    begin, end = _moment("from", errors), _moment("until", errors)
    try:
        if errors:
            raise Refusal("input_invalid", fields=errors)
        on_call.put(house(), actor(), desk.here(), request.form.get("account", "")[:64], begin, end)
    except Refusal as refusal:
        named = {"until_at": "until_day"}
        refusal.fields = {named.get(name, name): found for name, found in refusal.fields.items()}
        return _page(desk.problems(refusal)), 422
    desk.done(gettext("Kept. In that time they may answer for this site."))
    return redirect(url_for("guest_on_call.index"))


@blueprint.post("/<row_id>/end")
@allow("guest.settings")
def end(row_id: str):
    on_call.end(house(), actor(), row_id)
    desk.done(gettext("Ended."))
    return redirect(url_for("guest_on_call.index"))


def _moment(which: str, errors: dict) -> datetime | None:
    """Day and time on the site's clock, in UTC."""
    try:
        day = parse_date(request.form.get(f"{which}_day", ""))
    except DateError as error:
        errors[f"{which}_day"] = [error.code]
        return None
    found = _TIME.fullmatch(request.form.get(f"{which}_time", "").strip())
    if found is None:
        errors[f"{which}_time"] = ["guest_time_wrong"]
        return None
    return datetime.combine(day, time(int(found[1]), int(found[2])), desk.tz()).astimezone(UTC)
