"""The public page: which clinics are open today and tomorrow, from when to when, and which are closed and why.

No sign-in, no patient, no places: anybody may read it, and whoever is seen
reading it has looked at opening hours. The address, the title and the words
name no treatment.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

from flask import Blueprint, render_template, request, url_for

from ost import clock
from ost.http import LANGUAGES, house, open_route
from ost.i18n import language
from ost.rules.counties import COUNTIES
from ost.services.guest import calendar, find_place
from ost.web import county_map, guest_view

blueprint = Blueprint("open_sites", __name__)
blueprint.context_processor(lambda: guest_view.helpers())

TZ = "Asia/Taipei"
#: How old the page may be. A closure that is declared is seen at the latest after this.
FRESH_S = 20
#: More clinics than this are listed county by county; the first page then lists those that are closed.
MOST_AT_ONCE = 40


@blueprint.get("/open-sites")
@open_route
def index():
    """By county, on the map or in the list; `day=tomorrow`, `county=HUA`."""
    tomorrow = request.args.get("day") == "tomorrow"
    county = request.args.get("county", "")
    county = county if county in COUNTIES else ""
    return _kept(("open_sites", language(), _today(), tomorrow, county), lambda: _page(tomorrow, county))


def _today():
    return clock.dosing_day(house().now(), TZ)


def _page(tomorrow: bool, county: str) -> str:
    day = _today() + timedelta(days=1 if tomorrow else 0)
    with house().read() as tx:
        every = find_place.places(tx, [day])
    of_county = {code: [p for p in every if p.county == code] for code in COUNTIES}
    counts = {code: sum(1 for p in found if p.days[0].opening) for code, found in of_county.items()}
    args = {"day": "tomorrow"} if tomorrow else {}
    urls = {c: url_for(".index", county=c, **args) for c, found in of_county.items() if found}
    closed_only = not county and len(every) > MOST_AT_ONCE
    wanted = [county] if county else list(COUNTIES)
    shown = {c: [p for p in of_county[c] if not (closed_only and p.days[0].opening)] for c in wanted}
    holidays = {p.policy: calendar.holidays_between(p.policy, day, day, language()) for p in every}
    return render_template(
        "open_sites.html",
        day=day,
        tomorrow=tomorrow,
        county_code=county,
        shown=[(c, found) for c, found in shown.items() if found],
        closed_only=closed_only,
        counties=[(c, counts[c], len(found), urls[c]) for c, found in of_county.items() if found],
        total=len(every),
        open_now=sum(counts.values()),
        holiday=next((name for found in holidays.values() for _, name in found), ""),
        map=county_map.draw(counts, urls),
        at=clock.local(house().now(), TZ),
        languages=tuple(LANGUAGES.items()),
        demo_house=house().demo,
    )


def _kept(key, make):
    """The same page for everybody, for a few seconds; a flood of readers asks the database once."""
    memo = house().memo
    kept = memo.get(key)
    if kept and monotonic() - kept[0] < FRESH_S:
        return kept[1]
    for old in [k for k in memo if k[0] == "open_sites" and k[2] != key[2]]:
        memo.pop(old, None)  # yesterday's pages
    made = make()
    memo[key] = (monotonic(), made)
    return made
