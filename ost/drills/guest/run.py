"""The drill's calendar: what happens at which hour of each day, and the checks between."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

from ost.drills.guest import checks, events, storms
from ost.drills.guest.dosing import Seen, a_day
from ost.drills.guest.events import Story
from ost.drills.guest.world import FIRST_DAY, World, places_book, world
from ost.rules.access import Grant
from ost.services.guest.figures import figure
from ost.services.guest.jobs import run_all
from ost.services.guest.review_all import review_all
from ost.services.verify import verify
from ost.services.work import Actor

#: Of all people, how many ask on an ordinary day, and how many have something change.
ASK, CHANGE_MINDS, CHANGE_FACTS = 0.05, 0.012, 0.016


def guest(
    engines: tuple[str, ...],
    *,
    patients: int,
    sites: int,
    days: int,
    tell: Callable[[str], None],
    seed: int | None = None,
) -> dict:
    """{"passed", "seed", engine: {"wrong", "events", "refused", ...}}"""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    result: dict = {"seed": seed, "patients": patients, "sites": sites, "days": days}
    for engine in engines:
        with world(engine, patients=patients, sites=sites, days=days, seed=seed) as made:
            result[engine] = live(made, days, lambda text, engine=engine: tell(f"{engine}: {text}"))
    result["passed"] = all(result[engine]["passed"] for engine in engines)
    return result


def live(made: World, days: int, tell: Callable[[str], None]) -> dict:
    """`days` days in `made`; what was seen, and everything that must not have been."""
    started = time.monotonic()
    story = Story(made, Seen(), Counter())
    far_end = storms.Flaky(random.Random(made.chance.random()))
    looks = 0
    for number in range(days):
        today = FIRST_DAY + timedelta(days=number)
        tell(f"day {number + 1} of {days}, {sum(story.seen.counts.values())} events, {len(story.seen.wrong)} wrong")
        looks += one_day(story, far_end, today)
    made.clock.set(FIRST_DAY + timedelta(days=days), 1)  # figures speak of days that are over
    report = verify(made.house)
    with made.house.read() as tx:
        attended = checks.attended(tx)
    counted = _figure(made)
    story.seen.must(counted == attended, f"the figures say {counted} guest days attended, the record {attended}")
    story.seen.must(report.passed, f"verification: {report.problems[:3]}")
    return {
        "passed": not story.seen.wrong,
        "wrong": story.seen.wrong[:20],
        "checked": looks,
        "guest_days_attended": attended,
        "verified": report.passed,
        "rows": report.rows,
        "events": dict(sorted(story.seen.counts.items())),
        "refused": dict(sorted(story.seen.refused.items())),
        "messages_arrived": sum(far_end.arrived.values()),
        "seconds": round(time.monotonic() - started, 1),
    }


def one_day(story: Story, far_end: storms.Flaky, today: date) -> int:
    """One day from six in the morning to eleven at night. Returns how many times everything was checked."""
    made = story.world
    people = len(made.people)
    made.clock.set(today, 6)
    events.holds_end(story)
    events.orders_begin_again(story)
    events.sites_return(story)
    storms.storms_end(story)
    looks = look(story)
    some(story, ASK * people, events.somebody_asks)
    events.desks_answer(story)
    looks += look(story)
    if made.chance.random() < 0.12:
        storms.a_storm(story)
        looks += look(story)
    a_day(made, story.seen)
    looks += look(story)
    some(story, CHANGE_MINDS * people, events.minds_change)
    some(story, CHANGE_FACTS * people, events.facts_change)
    events.race_for_the_last_place(story)
    looks += look(story)
    storms.the_post(story, far_end)
    made.clock.set(today, 23)
    run_all(made.house)
    review_all(made.house)
    storms.the_post(story, far_end)
    return looks + look(story, whole=True)


def _figure(made: World) -> int:
    """Guest days attended as the program counts them, for somebody at every site."""
    reader = Actor("drill", tuple(Grant("prescriber", "site", code) for code in made.desks))
    said = figure(made.house, reader, "guest_attendance_days", FIRST_DAY, made.clock.today - timedelta(days=1))
    return sum(row.numerator for row in said.rows)


def some(story: Story, mean: float, event: Callable[[Story], None]) -> None:
    """About `mean` times, at random; each is followed by a few seconds."""
    whole, rest = divmod(mean, 1)
    for _ in range(int(whole) + (story.world.chance.random() < rest)):
        event(story)
        story.world.clock.tick(7)


def look(story: Story, *, whole: bool = False) -> int:
    """What must hold at any moment, once; `whole`: also what nobody can mend afterwards, by reading all of it."""
    made = story.world
    places, today = places_book(made), made.clock.today
    with made.house.read() as tx:
        parts = [checks.two_permits(tx, today), checks.outlived(tx, today), checks.over_capacity(tx, places, today)]
        if whole:
            parts += [checks.unlisted_steps(tx), checks.guest_doses(tx), checks.dosed_twice(tx)]
        found = checks.all_of(parts)
    story.seen.wrong += [f"{today}: {each}" for each in found]
    return 1
