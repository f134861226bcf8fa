"""Coded words of guest dosing as a patient reads them: reasons, what a site has, days that are closed."""

from __future__ import annotations

from flask_babel import gettext, ngettext

from ost import wording
from ost.errors import N_
from ost.web import formats

WORDS = {
    # why it is not approved
    "not_stable": N_("the dose is not yet steady"),
    "dose_being_changed": N_("the dose is being changed"),
    "clinical_review_due": N_("a visit to the doctor is due first"),
    "urine_or_blood_result": N_("a test result has to be talked about first"),
    "safety_concern": N_("it would not be safe now"),
    "transfer_instead": N_("so long a stay is better made a transfer"),
    "other_recorded": N_("another reason; ask your clinic"),
    # why a site cannot
    "no_staff": N_("too few people there on these days"),
    "no_stock": N_("not enough medicine there on these days"),
    "no_prescriber": N_("no doctor there who can sign"),
    "reader_or_power": N_("equipment or power there is out of order"),
    "known_conflict": N_("this site cannot take you; ask your clinic"),
    "order_not_signed": N_("the order was not signed there"),
    # why it, or a day of it, is given up
    "plans_changed": N_("plans changed"),
    "came_home": N_("back earlier"),
    "ill": N_("ill"),
    "dosed_at_home": N_("given at home"),
    "taken_back": N_("your own clinic gives it on this day"),
    "cancelled": N_("given up"),
    "moved": N_("moved to another site or day"),
    "ended": N_("ended"),
    "site_closed": N_("the site cannot on this day"),
    "by_centre": N_("no place could be found; ask again or call your clinic"),
    "replaced": N_("changed to another place or day"),
    # what a site has
    "step_free": N_("no steps"),
    "accessible_toilet": N_("accessible toilet"),
    "buprenorphine_room": N_("quiet room"),
    "injection_room": N_("treatment room"),
    "interpreter": N_("interpreter"),
    # why a day is closed
    "holiday": N_("public holiday"),
    "closure": N_("closed for an emergency"),
    "training": N_("closed for training"),
    "stock_count": N_("closed for a count"),
    "building_work": N_("closed for building work"),
    "staff_short": N_("closed, too few people"),
    "local_event": N_("closed for a local event"),
    "other": N_("closed that day"),
}
#: Why a place elsewhere is asked for. Words of their own: a holiday here is a journey, not a day in the calendar.
ASK_WORDS = {
    "family": N_("family"),
    "work": N_("work"),
    "travel": N_("a journey"),
    "study": N_("school or training"),
    "hospital_visit": N_("a visit to a hospital"),
    "holiday": N_("a holiday"),
    "closer_to_home": N_("closer to where I live"),
    "other": N_("another reason"),
}


def word(code: str | None) -> str:
    return gettext(WORDS[code]) if code in WORDS else wording.word(code)


def reason_to_ask(code: str | None) -> str:
    return gettext(ASK_WORDS[code]) if code in ASK_WORDS else wording.word(code)


def distance(metres: int | None) -> str:
    """ "850 m", "3.4 km", "121 km"; nothing where it is not known."""
    if metres is None:
        return ""
    if metres < 1000:
        return f"{round(metres, -1)}{formats.NBSP}m"
    kilometres = f"{round(metres / 100) / 10:.1f}" if metres < 10_000 else f"{round(metres / 1000):,}"
    return f"{kilometres}{formats.NBSP}km"


def days(count: int) -> str:
    return ngettext("%(num)s day", "%(num)s days", count)


def places(count: int) -> str:
    return ngettext("%(num)s free place", "%(num)s free places", count)
