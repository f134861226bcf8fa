"""Checks on guest dosing: whose day it is at which site, and whether the permit still stands on its facts.

The permit's state is kept by what changes a person's facts (`ost.services.guest.follow`);
here each fact is asked for again, so that neither alone lets a dose through.
"""

from __future__ import annotations

from collections.abc import Iterator

from ost.rules.facts import DoseFacts, GuestFacts, HoldFacts
from ost.rules.findings import Case, Found, stop
from ost.rules.guest import CONFIRMED, IN_FORCE, PAUSED

CLINICAL = "clinical"
#: All that a site hears of a permit that no longer opens the person's record there.
SAID_TO_STRANGERS = ("guest_permit_ended", "guest_consent_ended")


def binds(guest: GuestFacts | None) -> bool:
    """Whether this dosing day belongs to the permit's site, and to no other."""
    return guest is not None and guest.number is not None and guest.state in IN_FORCE


def is_guest_here(facts: DoseFacts) -> bool:
    """Whether the serving site is the guest site of a day that binds."""
    return facts.guest is not None and facts.guest.site == facts.site and binds(facts.guest)


def known_here(facts: DoseFacts) -> bool:
    """Whether the serving site may see who this is: home, a site the order names, or a permit in force with consent."""
    guest = facts.guest
    named = facts.order.sites if facts.order else ()
    return (
        facts.site == facts.home_site
        or facts.site in named
        or (guest is not None and guest.site == facts.site and guest.state in IN_FORCE and guest.consent)
    )


def guest_day(case: Case) -> Iterator[Found]:
    facts, guest, order = case.facts, case.facts.guest, case.order
    if guest is None:
        return
    if guest.site != facts.site:
        if binds(guest):
            yield stop("guest_day_elsewhere", site=guest.site, number=guest.number, days=guest.days)
        return
    own = facts.site == facts.home_site or (order is not None and facts.site in order.sites)
    if guest.state not in IN_FORCE:
        if not own:
            yield stop("guest_permit_ended")
        return
    if guest.number is None:
        if not own:
            yield stop("guest_not_today", first_day=guest.first_day, last_day=guest.last_day)
        return
    if guest.state == PAUSED:
        yield stop("guest_paused", why=guest.paused_for)
    elif guest.state != CONFIRMED:
        yield stop("not_decided")
    if own:
        return  # the order itself opens this site
    if not guest.consent:
        yield stop("guest_consent_ended")
    if not guest.listed and not guest.emergency:
        yield stop("guest_site_not_listed", site=guest.site)
    if order is not None and not guest.covers_order:
        yield stop("guest_order_not_covered")
    yield from _countersigned(case, guest)


def _countersigned(case: Case, guest: GuestFacts) -> Iterator[Found]:
    if guest.emergency or guest.countersigned or case.order is None:
        return
    value = case.value("guest_countersign_required")
    if value.value:
        yield case.enforced("guest_not_countersigned", value, site=guest.site)
    elif guest.site_asks_countersign:
        yield stop("guest_not_countersigned", site=guest.site)


def acts_here(hold: HoldFacts, facts: DoseFacts) -> bool:
    """A clinical hold travels. Another acts where it was placed; one of the home site at every site the order names."""
    if hold.kind == CLINICAL or hold.site is None or hold.site == facts.site:
        return True
    named = facts.order.sites if facts.order else ()
    return hold.site == facts.home_site and (facts.site in named or not is_guest_here(facts))
