"""Figures of guest dosing: counted from the record, named by nobody. What may be shown is `ost.rules.guest_figures`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ost.errors import N_, Refusal
from ost.models import site
from ost.rules import access
from ost.rules import guest_figures as rules
from ost.rules.guest_figures import CAPACITY, COUNT, MEDIAN, SHARE, Network, Row, month_of
from ost.rules.small_cells import LEAST
from ost.services.access import sites_with
from ost.services.guest import calendar, figure_facts
from ost.services.guest.figure_facts import Found, Seen
from ost.services.work import Actor, House

PERMISSION = "indicator.read"
MOST_DAYS = 731


@dataclass(frozen=True, slots=True)
class Indicator:
    name: str
    kind: str  # one of rules.KINDS
    unit: str  # "" | "days" | "minutes" | "km"
    title: str
    definition: str
    facts: Callable[[Seen], Iterator[Found]]
    by: tuple[str, ...] = (rules.ALL, rules.COUNTY, rules.SITE, rules.MONTH)


@dataclass(frozen=True, slots=True)
class Answer:
    indicator: Indicator
    first: date
    last: date
    by: str
    as_of: datetime
    least: int | None  # below it a count is hidden; None: nothing is
    rows: list[Row]
    n: int | None  # facts counted; None where that is hidden


_WITH_REASON = (rules.ALL, rules.COUNTY, rules.SITE, rules.MONTH, rules.REASON)
INDICATORS = {
    i.name: i
    for i in (
        Indicator(
            "guest_requests", COUNT, "", N_("Requests"),
            N_(
                "Requests for guest dosing, on the day they were asked for. Emergency permits under a closure are "
                "none."
            ),
            figure_facts.asked,
        ),
        Indicator(
            "guest_confirmed", SHARE, "", N_("Confirmed"),
            N_("Requests that were confirmed / requests, on the day they were asked for."),
            figure_facts.confirmed,
        ),
        Indicator(
            "guest_lead_time_days", MEDIAN, "days", N_("Lead time"),
            N_("Days from the day a request was asked for to its first day; the middle of all."),
            figure_facts.lead,
        ),
        Indicator(
            "guest_decision_people_minutes", MEDIAN, "minutes", N_("Decision by people"),
            N_(
                "Minutes from asking until the request was confirmed or refused, where a person decided; without the "
                "time that waited for the patient's answer and without the countersignature; the middle of all."
            ),
            figure_facts.decided("people"),
        ),
        Indicator(
            "guest_decision_instant_minutes", MEDIAN, "minutes", N_("Decision by rule"),
            N_("The same where a standing authorisation and the guest site's own rule decided, and no person."),
            figure_facts.decided("instant"),
        ),
        Indicator(
            "guest_countersign_minutes", MEDIAN, "minutes", N_("Countersignature"),
            N_(
                "Minutes from the guest site's yes to its prescriber's signature, where one was given; the middle of "
                "all."
            ),
            figure_facts.countersign,
        ),
        Indicator(
            "guest_refusals", COUNT, "", N_("Refusals"),
            N_("Requests declined at home or not accepted at the guest site, on the day that was said."),
            figure_facts.refusals,
            _WITH_REASON,
        ),
        Indicator(
            "guest_capacity_used", CAPACITY, "", N_("Places used"),
            N_(
                "Guest days booked and not given up, emergency permits included / places of the open days, as the "
                "sites' hours say now."
            ),
            figure_facts.used,
        ),
        Indicator(
            "guest_distance_km", MEDIAN, "km", N_("Distance"),
            N_("Kilometres in a straight line from the home site to the guest site asked for; the middle of all."),
            figure_facts.distance,
        ),
        Indicator(
            "guest_attendance_days", SHARE, "", N_("Guest attendance by days"),
            N_(
                "Guest days attended / guest days booked and not given up before. Attended: a dose of that permit was"
                " swallowed, at least in part, on that day. Emergency permits are left out."
            ),
            figure_facts.attended_days,
        ),
        Indicator(
            "guest_attendance_applications", SHARE, "", N_("Guest attendance by applications"),
            N_(
                "Applications with at least one attended day / applications approved, on the last day asked for. One "
                "whose days all moved into another application is left out."
            ),
            figure_facts.applications,
        ),
        Indicator(
            "guest_no_shows", SHARE, "", N_("Booked and not used"),
            N_(
                "Guest days on which no swallow was confirmed, whether or not the person came / guest days booked and "
                "not given up before."
            ),
            figure_facts.no_shows,
        ),
        Indicator(
            "guest_unmet", COUNT, "", N_("Unmet demand"),
            N_(
                "Days wanted in a county on which there was no place: a person, a county and a day once, and not "
                "where they got a place that day after all."
            ),
            figure_facts.unmet,
            _WITH_REASON,
        ),
    )
}  # fmt: skip


def inside(actor: Actor) -> bool:
    """Whether the actor reads figures of single sites only, whose people they see anyway."""
    reaches = [g.scope_kind for g in actor.grants if PERMISSION in access.permissions_of(g.role)]
    return bool(reaches) and all(kind == access.SITE for kind in reaches)


def figure(house: House, actor: Actor, name: str, first: date, last: date, by: str = rules.ALL) -> Answer:
    """One indicator over whole days (`first` to `last` included).

    Refusal: not_permitted; guest_figure_unknown; input_invalid names "by", "from" or "to". Who stands outside the
    sites asks for whole months that are over.
    """
    mine = sites_with(house, actor, PERMISSION)
    if not mine:
        raise Refusal("not_permitted", permission=PERMISSION)
    wanted = INDICATORS.get(name)
    if wanted is None:
        raise Refusal("guest_figure_unknown", name=name)
    within = inside(actor)
    with house.read() as tx:
        seen = _look(tx, house.now(), first, last)
        _check(wanted, by, seen, within)
        found = list(wanted.facts(seen))
        facts = [f.fact for f in found]
        places = _places(seen, mine if within else seen.zones) if wanted.kind == CAPACITY else {}
    if within:
        # Places are a site's own; everything else is also read by the home site, about its own people.
        own = [f.fact for f in found if f.fact.site in mine or (f.home in mine and wanted.kind != CAPACITY)]
        made = rules.for_insiders(wanted.kind, own, by, seen.counties, places)
        return Answer(wanted, first, last, by, seen.now, None, made, len(own))
    network = Network(seen.counties, _months(first, last))
    if any(g.scope_kind == access.NETWORK and PERMISSION in access.permissions_of(g.role) for g in actor.grants):
        mine = seen.counties  # closed sites too: they had guests once
    # A wish without a site belongs to its county: to whoever reads every site of that county.
    mine = {*mine, *_whole_county_keys(seen.counties, mine)}
    made = rules.for_outsiders(wanted.kind, facts, by, network, mine, places)
    return Answer(wanted, first, last, by, seen.now, LEAST, made, None)


def last_months(today: date, count: int) -> tuple[date, date]:
    """First and last day of the `count` whole months before this one."""
    last = today.replace(day=1) - timedelta(days=1)
    first = last.replace(day=1)
    for _ in range(count - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    return first, last


# --- within -----------------------------------------------------------------------------


def _look(tx: Connection, now: datetime, first: date, last: date) -> Seen:
    s = site.site
    rows = tx.execute(sa.select(s.c.id, s.c.county, s.c.tz)).all()
    return Seen(tx, now, first, last, {r.id: r.county for r in rows}, {r.id: r.tz for r in rows})


def _check(wanted: Indicator, by: str, seen: Seen, within: bool) -> None:
    first, last = seen.first, seen.last
    if by not in wanted.by:
        raise Refusal("input_invalid", fields={"by": ["not_a_choice"]})
    if last < first or (last - first).days > MOST_DAYS:
        raise Refusal("input_invalid", fields={"to": ["guest_figure_span"]})
    if within:
        return
    today = min((seen.day(seen.now, code) for code in seen.zones), default=first)
    whole = first.day == 1 and (last + timedelta(days=1)).day == 1 and last < today
    if not whole:
        raise Refusal("input_invalid", fields={"from": ["guest_figure_whole_months"]})


def _months(first: date, last: date) -> tuple[str, ...]:
    found, day = [], first
    while day <= last:
        found.append(month_of(day))
        day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return tuple(found)


def _places(seen: Seen, codes) -> dict[tuple[str, str], int]:
    """{(month, site): places of the open days that are over}, by the hours as they are now."""
    days = [seen.first + timedelta(days=n) for n in range((seen.last - seen.first).days + 1)]
    found: dict[tuple[str, str], int] = defaultdict(int)
    for (code, day), open_ in calendar.open_days(seen.tx, codes, days).items():
        if seen.over(day, code):
            found[month_of(day), code] += open_.places
    return dict(found)


def _whole_county_keys(counties: dict[str, str], mine) -> set[str]:
    real = {code for code in counties if not code.startswith("?")}
    return {
        code
        for code, county in counties.items()
        if code.startswith("?") and {c for c in real if counties[c] == county} <= set(mine)
    }
