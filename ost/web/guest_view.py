"""What templates about guest dosing share: dates, distances, coded words, and a request's state in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from flask_babel import gettext, ngettext
from markupsafe import Markup

from ost import wording
from ost.errors import N_, catalogue
from ost.http import house
from ost.i18n import language
from ost.rules.counties import county_name
from ost.services.fees import quote as fees
from ost.services.guest.own import Line
from ost.web import formats, guest_words

#: state -> (badge, title, what it means for the person). %(home)s and %(site)s are names of sites.
STATES = {
    "asked": ("pending", N_("Asked"), N_("%(home)s has it now. You will be told as soon as there is an answer.")),
    "question": ("pending", N_("A question for you"), N_("%(home)s wants to know something first. Please answer.")),
    "approved": ("pending", N_("Approved, one answer to go"), N_("%(home)s said yes. %(site)s has it now.")),
    "accepted": ("pending", N_("Nearly there"), N_("%(site)s takes you. A doctor there still has to sign.")),
    "offered": ("pending", N_("Another place is offered"), N_("Take it or leave it: both are one tap.")),
    "confirmed": ("done", N_("Confirmed"), N_("Your place is ready. Show your pass there, or say its six digits.")),
    "paused": ("held", N_("On hold"), N_("Your days are kept, but nothing can be given there now. Call %(home)s.")),
    "declined": ("ended", N_("Not approved"), N_("%(home)s said no.")),
    "not_accepted": ("ended", N_("No place there"), N_("%(site)s cannot take you.")),
    "cancelled": ("ended", N_("Cancelled"), N_("It was given up, and the days are free again.")),
    "ended": ("ended", N_("Ended"), N_("It holds no more. From now on your own clinic gives your dose again.")),
    "expired": ("ended", N_("No answer in time"), N_("The days passed before anybody decided.")),
    "closed": ("done", N_("Over"), N_("All days are past. Your own clinic gives your dose again.")),
}  # fmt: skip
#: action -> what happened, in the past tense. By whom stands beside it.
ACTIONS = {
    "ask": N_("It was asked for"),
    "declare": N_("Arranged because your site had to close"),
    "question": N_("A question for you"),
    "answer": N_("You answered"),
    "authorise": N_("Approved beforehand"),
    "approve": N_("Approved"),
    "take_over": N_("Approved at the other site"),
    "decline": N_("Not approved"),
    "accept": N_("Accepted there"),
    "refuse": N_("Not accepted there"),
    "confirm": N_("Confirmed"),
    "offer": N_("Another place offered"),
    "take_offer": N_("The other place was taken"),
    "leave_offer": N_("The other place was left"),
    "drop_day": N_("A day less"),
    "pause": N_("Put on hold"),
    "resume": N_("Goes on"),
    "cancel": N_("Cancelled"),
    "end": N_("Ended"),
    "expire": N_("No answer in time"),
    "close": N_("Over"),
}
#: Who has it, in the words of the person who asked.
WAITS = {
    "home": N_("Your clinic has it"),
    "prescriber": N_("Your doctor has it"),
    "guest": N_("The other site has it"),
    "guest_prescriber": N_("A doctor at the other site has it"),
    "patient": N_("It is your turn"),
    "centre": N_("The coordination centre has it"),
}
FEE_ITEMS = {
    "set_up": N_("setting it up"),
    "per_dose": N_("each dose"),
    "countersign": N_("the doctor's signature there"),
}
#: The way of a request that nothing stands against; a state's place on it.
WAY = (N_("Asked"), N_("Approved"), N_("Accepted"), N_("Confirmed"))
_PLACE = {"asked": 1, "question": 1, "offered": 1, "approved": 2, "accepted": 3, "confirmed": 4, "paused": 4}


def helpers() -> dict:
    """For templates: functions by name."""
    return {
        "word": guest_words.word,
        "reason_to_ask": guest_words.reason_to_ask,
        "reasons_said": lambda codes: [(code, guest_words.reason_to_ask(code)) for code in codes],
        "distance": guest_words.distance,
        "count_of_days": guest_words.days,
        "count_of_places": guest_words.places,
        "site_name": wording.site_name,
        "county": lambda code: county_name(code, language()),
        "named": named,
        "days_said": days_said,
        "short_day": short_day,
        "state": state,
        "language_code": language(),
    }


def named(place) -> str:
    """A `find_place.Place` in the reader's language."""
    return place.name(language())


def state(line: Line) -> dict:
    """{badge, title, text, way, at}: where a request stands, in words, and its place on the way (0 = left it)."""
    badge, title, text = STATES[line.state]
    names = {"home": wording.site_name(line.home_site), "site": wording.site_name(line.site)}
    return {
        "badge": badge,
        "title": gettext(title),
        "text": gettext(text, **names),
        "way": [gettext(word) for word in WAY],
        "at": _PLACE.get(line.state, 0),
        "waits": gettext(WAITS[line.waits_for]) if line.waits_for in WAITS else "",
    }


def reasons(found, tz: str, *, blocking_only: bool = False) -> list[dict]:
    """Reasons of the guest rules in words: what stands against it first. Notes for the desk are not among them."""
    tiers = ("stop",) if blocking_only else ("stop", "reason")
    return [wording.reason(_kept(r), tz) for r in found if r.tier in tiers]


def _kept(r) -> dict:
    return {
        "code": r.code,
        "tier": r.tier,
        "data": dict(r.data),
        "needs_signoff": r.needs_signoff,
        "weak_source": r.weak_source,
    }


def quote(patient_id: str, home_site: str, site: str, days: Iterable[date]) -> list[str]:
    """What it costs, before it is booked: [what the person pays, what is not published, what is left of the year].

    Empty where there is nothing to ask about yet.
    """
    if not days:
        return []
    with house().read() as tx:
        found = fees.quote(house(), tx, patient_id, home_site, site, days)
    return _said_of(found)


def _said_of(found: fees.Quote) -> list[str]:
    if len(found.unknown) == len(found.lines):
        return [gettext("Ask your clinic: nobody has published an amount")]
    own, payer = ntd(found.own_ntd), ntd(found.payer_ntd)
    said = [gettext("You pay %(own)s, the health department %(payer)s", own=own, payer=payer)]
    if found.unknown:
        items = wording.listed(gettext(FEE_ITEMS[item]) for item in found.unknown)
        said.append(gettext("Not in it, because no amount is published: %(items)s", items=items))
    for year in found.years:
        if year.left_ntd is not None:
            said.append(gettext("%(left)s left of the support for %(year)s", left=ntd(year.left_ntd), year=year.year))
    return said


def ntd(amount: int) -> str:
    return f"NT${formats.NBSP}{amount:,}"


def why(code: str | None) -> str:
    """A step's coded reason in words: one of our lists, or a reason of the rules."""
    if not code:
        return ""
    if code in guest_words.WORDS:
        return guest_words.word(code)
    return gettext(catalogue()[code].title) if code in catalogue() else guest_words.word(code)


def happened(action: str) -> str:
    return gettext(ACTIONS[action]) if action in ACTIONS else action


def short_day(day: date) -> str:
    """"11/23 Mon": for a list that says the year above it."""
    return f"{day.month:02}/{day.day:02}{formats.NBSP}{formats.weekday(day)}"


def spans(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days in a row as first and last."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def days_said(days: Iterable[date]) -> Markup:
    """Both calendars: "115/11/23 (2026-11-23) Mon", and days in a row from the first to the last. No date is broken."""
    every = sorted(days)
    said = []
    for first, last in spans(every):
        one, until = _unbroken(first), _unbroken(last)
        said.append(one if first == last else Markup(gettext("%(first)s to %(last)s")) % {"first": one, "last": until})
    text = Markup(gettext(", ")).join(said)
    if len(every) > 1:
        text += " (" + ngettext("%(num)s day", "%(num)s days", len(every)) + ")"
    return text


def _unbroken(day: date) -> Markup:
    said = f"{formats.two_calendars(day)}{formats.NBSP}{formats.weekday(day)}"
    return Markup('<span class="num">{}</span>').format(said)
