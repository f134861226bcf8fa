"""Words of the guest desks beside those of `ost.web.desk`, and what their pages share: tabs and the blueprint."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from flask import Blueprint, current_app, request, url_for
from flask_babel import gettext

from ost import wording
from ost.errors import N_
from ost.http import holds
from ost.i18n import language
from ost.rules.counties import COUNTIES
from ost.web import desk, formats, guest_words
from ost.web.shell import Link

WORDS = {
    # what a site has
    "step_free": N_("step-free access"),
    "accessible_toilet": N_("accessible toilet"),
    "buprenorphine_room": N_("room for buprenorphine"),
    "injection_room": N_("room for injections"),
    "interpreter": N_("interpreter"),
    # why a day is otherwise
    "training": N_("training"),
    "stock_count": N_("stock count"),
    "building_work": N_("building work"),
    "staff_short": N_("short of staff"),
    "local_event": N_("local event"),
    "closure": N_("declared closure"),
    # where a request stands
    "asked": N_("waits for the home site"),
    "question": N_("waits for the patient's answer"),
    "approved": N_("approved, waits for the guest site"),
    "accepted": N_("accepted, waits for a signature"),
    "offered": N_("another place is offered"),
    "confirmed": N_("confirmed"),
    "paused": N_("paused"),
    "declined": N_("declined"),
    "not_accepted": N_("not accepted"),
    "cancelled": N_("cancelled"),
    "ended": N_("ended"),
    "expired": N_("expired"),
    # who
    "patient": N_("patient"),
    "home": N_("home site"),
    "guest_prescriber": N_("guest site's prescriber"),
    "centre": N_("coordination centre"),
    "system": N_("the program"),
    "nobody": N_("nobody"),
    # what happened
    "step_ask": N_("asked for"),
    "step_declare": N_("emergency permit under a closure"),
    "step_question": N_("question to the patient"),
    "step_answer": N_("answered"),
    "step_authorise": N_("approved by a standing authorisation"),
    "step_approve": N_("approved"),
    "step_take_over": N_("ordered in the home prescriber's place"),
    "step_decline": N_("declined"),
    "step_accept": N_("accepted"),
    "step_refuse": N_("not accepted"),
    "step_confirm": N_("confirmed"),
    "step_offer": N_("another place offered"),
    "step_take_offer": N_("other place taken"),
    "step_leave_offer": N_("other place left"),
    "step_drop_day": N_("a day less"),
    "step_pause": N_("paused"),
    "step_resume": N_("goes on"),
    "step_cancel": N_("cancelled"),
    "step_end": N_("ended"),
    "step_expire": N_("nobody decided in time"),
    "step_close": N_("over, with a summary"),
    # why a day was given up
    "taken_back": N_("taken back by the home site"),
    "moved": N_("moved elsewhere"),
    "site_closed": N_("site closed"),
    # what a desk is told
    "notice_unused_day": N_("a guest day passed without a dose"),
    "notice_taken_over": N_("the guest site's prescriber ordered, because nobody answered"),
    "notice_closed": N_("the stay is over; its summary is there"),
    "notice_given_up": N_("booked days will not be used"),
}
#: Why a request was not approved, why a guest site could not, why there was no place; the patient reads other words.
REASONS = {
    "not_stable": N_("dose not stable yet"),
    "dose_being_changed": N_("dose is being changed"),
    "clinical_review_due": N_("clinical review due first"),
    "urine_or_blood_result": N_("a test result to discuss first"),
    "safety_concern": N_("safety concern"),
    "transfer_instead": N_("better a transfer"),
    "other_recorded": N_("another reason, recorded"),
    "no_staff": N_("too few staff"),
    "no_stock": N_("not enough stock"),
    "no_prescriber": N_("no prescriber to sign"),
    "reader_or_power": N_("reader or power down"),
    "known_conflict": N_("known conflict here"),
    "order_not_signed": N_("order not signed here"),
    "guest_site_not_open_to_guests": N_("site takes no guests"),
    "guest_site_without_medicine": N_("site without the medicine"),
    "guest_day_closed": N_("closed that day"),
    "guest_day_full": N_("full that day"),
    "guest_day_too_late": N_("after the last dose"),
    "no_place": N_("no place found"),
    # why somebody gave it up, and what a fact that changed asked for
    "plans_changed": N_("plans changed"),
    "came_home": N_("came home earlier"),
    "ill": N_("ill"),
    "dosed_at_home": N_("dosed at home"),
    "hold": N_("clinical hold"),
    "exposure": N_("swallowed what was not ordered"),
    "missed_days": N_("missed days"),
    "countersign": N_("a new order to sign"),
    "consent_ended": N_("consent ended"),
    "order_ended": N_("order ended"),
    "patient_not_active": N_("record closed"),
    "site_not_active": N_("site does not work"),
    "site_not_listed": N_("site takes no guests any more"),
    "designation_revoked": N_("designation gone"),
    "by_centre": N_("by the coordination centre"),
}
#: (permission, endpoint, label) of the tabs on the guest desks' pages.
TABS = (
    ("guest.read", "guest_desk.requests", N_("Our patients")),
    ("guest.read", "guest_incoming.index", N_("Guests here")),
    ("guest.read", "guest_on_call.index", N_("On call")),
    ("guest.settings", "guest_settings.index", N_("Hours and places")),
    ("fee.read", "fees.unpaid", N_("To be paid here")),
)


def make_blueprint(name: str, module: str, prefix: str) -> Blueprint:
    """As `desk.make_blueprint`, with these words and tabs."""
    blueprint = desk.make_blueprint(name, module, prefix)
    blueprint.context_processor(
        lambda: {
            "word": word,
            "words": lambda codes: wording.listed(map(word, codes)),
            "county_name": county_name,
            "tabs": tabs(),
            "age": age,
            "spans": spans,
            "span": lambda first, last: spans([first + timedelta(days=n) for n in range((last - first).days + 1)]),
            "distance": guest_words.distance,
            "reason_word": reason_word,
            "reason_to_ask": guest_words.reason_to_ask,
        }
    )
    return blueprint


def word(code: str | None) -> str:
    return gettext(WORDS[code]) if code in WORDS else desk.word(code)


def choices(codes) -> list[tuple[str, str]]:
    return [(code, word(code)) for code in codes]


def county_name(code: str) -> str:
    names = COUNTIES.get(code)
    return names[{"zh_Hans_CN": 1, "en": 2}.get(language(), 0)] if names else code


def age(span: timedelta) -> str:
    """How long something waits, in the two largest words: 45 min, 3 h 20 min, 2 d 4 h."""
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 60:
        return gettext("%(m)s min", m=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return gettext("%(h)s h %(m)s min", h=hours, m=minutes)
    return gettext("%(d)s d %(h)s h", d=hours // 24, h=hours % 24)


def spans(days: Sequence[date]) -> str:
    """Days in a row as one span, in the reader's calendar: 115/11/23–11/25, 11/28."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    year, said = None, []
    for run in runs:
        text = formats.own_calendar(run[0]) if run[0].year != year else _short(run[0])
        year = run[0].year
        if len(run) > 1:
            text += "–" + (_short(run[-1]) if run[-1].year == year else formats.own_calendar(run[-1]))
            year = run[-1].year
        said.append(text)
    return wording.listed(said)


def _short(day: date) -> str:
    return f"{day.month:02}/{day.day:02}" if formats.roc(day) == formats.own_calendar(day) else f"{day:%m-%d}"


def reason_word(code: str) -> str:
    """Why something was refused or not to be had, in the desk's words."""
    return gettext(REASONS[code]) if code in REASONS else word(code)


def reasons(codes) -> list[tuple[str, str]]:
    return [(code, reason_word(code)) for code in codes]


def tabs() -> tuple[Link, ...]:
    return tuple(
        Link(gettext(label), url, request.path == url or request.path.startswith(url + "/"))
        for permission, endpoint, label in TABS
        if endpoint in current_app.view_functions and holds(permission) and (url := url_for(endpoint))
        # Whoever settles fees has them in the menu.
        and not (permission == "fee.read" and holds("fee.settle"))
    )
