"""What people do and what happens to them in the drill: asking, answering, changing their minds, storms.

Each event goes through the public services as its person would do it. A Refusal
is an answer and counted; only those listed as possible may come.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from ost.drills.guest.dosing import Seen
from ost.drills.guest.world import DOSE_UG, World, agree
from ost.errors import Refusal
from ost.models import guest, lookup, opening, prescription
from ost.rules import guest as rules
from ost.services import consents, holds, prescriptions
from ost.services.guest import (
    answer,
    ask,
    cancel,
    centre,
    countersign,
    designation,
    drop,
    read,
    settings,
    take_over,
)
from ost.services.guest.ask import Asked, Wanted
from ost.services.order_draft import Draft
from ost.services.work import new_id

_H = guest.guest_head

#: Answers to somebody who came too late, or asked for what is gone: possible at any time, never a fault.
TOO_LATE = (
    "guest_step_not_possible",
    "guest_changed_since_shown",
    "guest_place_gone",
    "guest_day_taken",
    "guest_day_used",
    "guest_day_over",
    "guest_day_not_booked",
    "guest_request_unknown",
)


@dataclass
class Story:
    """The drill's state beside the database: what was asked, and what is to be undone."""

    world: World
    seen: Seen
    latest: Counter

    def count(self, what: str) -> None:
        self.seen.counts[what] += 1


def days_ahead(world: World) -> tuple[date, ...]:
    """One to five days in a row, or with a gap, beginning today to in ten days."""
    first = world.clock.today + timedelta(days=world.chance.randint(0, 10))
    days = [first + timedelta(days=n) for n in range(world.chance.randint(1, 5))]
    return tuple(d for d in days if world.chance.random() < 0.9) or (first,)


def somebody_asks(story: Story) -> None:
    world = story.world
    person = world.chance.choice(world.people)
    home = world.home_desk(person)
    by_phone = world.chance.random() < 0.7
    wanted = Wanted(
        new_id(),
        person,
        world.other_site(person),
        days_ahead(world),
        reason=world.chance.choice((None, "work", "family")),
        by_role=rules.PATIENT if by_phone else rules.HOME,
    )
    said = ask.ask(world.house, world.me(person) if by_phone else home.nurse, wanted)
    if isinstance(said, Asked):
        story.count(f"asked: {said.state}")
        again = ask.ask(world.house, world.me(person) if by_phone else home.nurse, wanted)
        story.seen.must(again.request_id == said.request_id, "the same request asked twice became two")
    else:
        story.count("not asked")
        story.seen.refused.update(r.code for r in said.reasons)


def _waiting(story: Story, *states: str) -> list[sa.Row]:
    with story.world.house.read() as tx:
        return list(tx.execute(sa.select(_H).where(_H.c.state.in_(states)).order_by(_H.c.asked_at, _H.c.request)))


def _try(story: Story, what: str, act, *args, **values) -> None:
    try:
        moved = act(story.world.house, *args, **values)
    except Refusal as no:
        if no.code not in TOO_LATE:
            raise
        story.count(f"{what}: {no.code}")
    else:
        story.count(f"{what}: {getattr(moved, 'state', 'done')}")


def desks_answer(story: Story) -> None:
    """Everybody works off most of what waits for them, in the order it came."""
    world = story.world
    for head in _waiting(story, rules.ASKED):
        home, there, dice = world.desks[head.home_site], world.desks[head.site], world.chance.random()
        if dice < 0.70:
            _try(story, "approve", answer.approve, home.prescriber, head.request)
        elif dice < 0.78:
            _try(story, "decline", answer.decline, home.prescriber, head.request, reason="not_stable")
        elif dice < 0.84:
            _try(story, "question", answer.question, home.prescriber, head.request, text="哪一天回來？")
        elif dice < 0.90:
            world.clock.tick(40 * 60)
            read.one(world.house, there.prescriber, head.request)
            _try(story, "take over", take_over.take_over, there.prescriber, head.request)
        elif dice < 0.95:
            _offer(story, head)
    for head in _waiting(story, rules.QUESTION):
        _try(story, "answer", answer.answer, world.me(head.patient), head.request, text="星期日")
    for head in _waiting(story, rules.OFFERED):
        act = centre.take_offer if world.chance.random() < 0.6 else centre.leave_offer
        _try(story, act.__name__, act, world.me(head.patient), head.request)
    for head in _waiting(story, rules.APPROVED):
        there = world.desks[head.site]
        if world.chance.random() < 0.85:
            _try(story, "accept", answer.accept, there.nurse, head.request)
        else:
            _try(story, "refuse", answer.refuse, there.nurse, head.request, reason="no_staff")
    for head in _waiting(story, rules.ACCEPTED):
        if world.chance.random() < 0.95:
            prescriber = world.desks[head.site].prescriber
            _try(story, "countersign", countersign.countersign, prescriber, head.request)


def _offer(story: Story, head: sa.Row) -> None:
    elsewhere = story.world.chance.choice([c for c in story.world.desks if c not in (head.site, head.home_site)])
    _try(story, "offer", centre.offer, story.world.centre, head.request, site=elsewhere)


def minds_change(story: Story) -> None:
    """A cancellation, a day given up, today's site changed, a day more."""
    world = story.world
    live = _waiting(story, *rules.OPEN, *rules.IN_FORCE)
    if not live:
        return
    head = world.chance.choice(live)
    dice = world.chance.random()
    if dice < 0.3:
        _try(story, "cancel", cancel.cancel, world.me(head.patient), head.request)
    elif dice < 0.6 and head.state in rules.IN_FORCE:
        _try(story, "drop day", drop.drop_day, world.me(head.patient), head.request, head.first_day)
    elif head.state == rules.CONFIRMED:
        day = max(head.first_day, world.clock.today)
        site = world.chance.choice([c for c in world.desks if c not in (head.site, head.home_site)])
        wanted = Wanted(new_id(), head.patient, site, (day,), by_role=rules.PATIENT, replaces=head.request)
        _try(story, "change", ask.ask, world.me(head.patient), wanted)


def facts_change(story: Story) -> None:
    """A dose changed, an order stopped and written anew, a hold, a consent taken back, a designation revoked."""
    world = story.world
    person = world.chance.choice(world.people)
    dice = world.chance.random()
    if dice < 0.45:
        _change_dose(story, person)
    elif dice < 0.80:
        _hold(story, person)
    elif dice < 0.90:
        _take_consent_back(story, person)
    elif dice < 0.95:
        _stop(story, person)
    else:
        _unlist(story, world.chance.choice(list(world.desks)))


def _order(story: Story, person: str) -> sa.Row | None:
    p, e = prescription.prescription, prescription.prescription_end
    query = (
        sa.select(p)
        .join_from(p, e, e.c.prescription == p.c.id, isouter=True)
        .where(p.c.patient == person, e.c.prescription.is_(None), p.c.ends_on.is_(None))
        .order_by(p.c.written_at.desc())
        .limit(1)
    )
    with story.world.house.read() as tx:
        return tx.execute(query).one_or_none()


def _draft(story: Story, person: str, dose_ug: int) -> Draft:
    home = story.world.home[person]
    return Draft(
        person, "methadone", "maintenance", dose_ug, story.world.clock.today + timedelta(days=1), sites=(home,)
    )


def _change_dose(story: Story, person: str) -> None:
    world, order = story.world, _order(story, person)
    if order is None or order.starts_on > world.clock.today:
        return
    down = max(30_000, order.dose_ug - 5_000)
    written = prescriptions.change(
        world.house, world.home_desk(person).prescriber, order.id, _draft(story, person, down)
    )
    story.count(f"dose change: {written.state}")


def _stop(story: Story, person: str) -> None:
    world, order = story.world, _order(story, person)
    if order is None:
        return
    prescriber = world.home_desk(person).prescriber
    prescriptions.stop(world.house, prescriber, order.id, "moved away")
    story.count("order stopped")
    story.latest["stopped", person] = world.clock.today.toordinal()


def _hold(story: Story, person: str) -> None:
    world = story.world
    home = world.home_desk(person)
    h, r = prescription.hold, prescription.hold_release
    open_ = sa.select(h.c.id).join_from(h, r, r.c.hold == h.c.id, isouter=True)
    with world.house.read() as tx:
        held = tx.execute(open_.where(h.c.patient == person, r.c.hold.is_(None))).scalars().all()
    if held:
        return
    kind = world.chance.choice(("clinical", "clinical", "administrative"))
    reasons = {"clinical": "medical_review", "administrative": "identity_documents"}
    holds.place(
        world.house,
        home.nurse,
        person,
        site_id=home.code,
        kind=kind,
        reason_code=reasons[kind],
        come_back_on=world.clock.today + timedelta(days=1),
    )
    story.count(f"{kind} hold")


def holds_end(story: Story) -> None:
    """Most holds of yesterday are lifted."""
    world = story.world
    h, r = prescription.hold, prescription.hold_release
    query = (
        sa.select(h.c.id, h.c.patient)
        .join_from(h, r, r.c.hold == h.c.id, isouter=True)
        .where(r.c.hold.is_(None), h.c.since < world.clock.today)
        .order_by(h.c.at, h.c.id)
    )
    with world.house.read() as tx:
        rows = tx.execute(query).all()
    for row in rows:
        if world.chance.random() < 0.8:
            holds.release(world.house, world.home_desk(row.patient).prescriber, row.id)
            story.count("hold released")


def orders_begin_again(story: Story) -> None:
    """Who was stopped some days ago, or who waits for a prescriber after missed days, gets a new order."""
    world = story.world
    for (what, person), day in list(story.latest.items()):
        if what != "stopped" or world.clock.today.toordinal() - day < 3:
            continue
        del story.latest[what, person]
        written = prescriptions.write(
            world.house,
            world.home_desk(person).prescriber,
            _draft(story, person, DOSE_UG // 3),
            signed=("missed_days_see_prescriber", "step_too_large"),
        )
        story.count(f"new order: {written.state}")


def _take_consent_back(story: Story, person: str) -> None:
    world = story.world
    c, e = lookup.consent, lookup.consent_end
    query = (
        sa.select(c.c.id)
        .join_from(c, e, e.c.consent == c.c.id, isouter=True)
        .where(c.c.patient == person, c.c.kind == "guest_dosing", e.c.consent.is_(None))
    )
    with world.house.read() as tx:
        standing = tx.execute(query).scalars().all()
    for each in standing:
        consents.end(world.house, world.home_desk(person).nurse, each)
        story.count("consent taken back")
    if not standing and world.chance.random() < 0.5:
        agree(world, person, world.clock.today + timedelta(days=30))
        story.count("consent given again")


def _unlist(story: Story, code: str) -> None:
    """A site takes no guests any more, from now on; next week it does again."""
    world = story.world
    settings_now = settings.read(world.house, world.desks[code].nurse, code)
    if not settings_now.place.listed:
        return
    designation.set_listed(world.house, world.desks[code].nurse, code, False, settings_now.place.version)
    story.latest["unlisted", code] = world.clock.today.toordinal()
    story.count("site unlisted")


def sites_return(story: Story) -> None:
    world = story.world
    for (what, code), day in list(story.latest.items()):
        if what == "unlisted" and world.clock.today.toordinal() - day >= 4:
            del story.latest[what, code]
            now = settings.read(world.house, world.desks[code].nurse, code)
            designation.set_listed(world.house, world.desks[code].nurse, code, True, now.place.version)
            story.count("site listed again")


def race_for_the_last_place(story: Story, racers: int = 4) -> None:
    """Several people want the last free place of a site and day in one moment: one gets it."""
    world = story.world
    site = world.chance.choice(list(world.desks))
    desk, day = world.desks[site], world.clock.today + timedelta(days=world.chance.randint(11, 14))
    p, g = guest.guest_place, opening.guest_site
    with world.house.read() as tx:
        taken = tx.execute(sa.select(sa.func.count()).where(p.c.site == site, p.c.day == day)).scalar_one()
        listed = tx.execute(sa.select(g.c.listed).where(g.c.site == site)).scalar_one()
        busy = set(tx.execute(sa.select(p.c.patient).where(p.c.day == day)).scalars())
    if not listed:
        return
    free = desk.places - taken
    others = [x for x in world.people if world.home[x] != site and x not in busy]
    runners = world.chance.sample(others, min(len(others), free + racers))
    if not runners:
        return  # in a small country everybody has a place that day already
    gate = threading.Barrier(len(runners))

    def run(person: str):
        gate.wait()
        return ask.ask(
            world.house, world.me(person), Wanted(new_id(), person, site, (day,), by_role=rules.PATIENT)
        )

    with ThreadPoolExecutor(len(runners)) as pool:
        won = [said for said in pool.map(run, runners) if isinstance(said, Asked)]
    story.seen.must(len(won) <= free, f"{len(won)} places given of {free} at {site} on {day}")
    story.count("race for the last place")
    story.seen.counts["places won in races"] += len(won)
