"""Closures and messages in the drill: a site, or a county, cannot dose; a far end that loses what it is sent."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

from ost.channels.interface import Ending, NotSent, Outgoing, Sent, Unknown
from ost.drills.guest.events import Story
from ost.errors import Refusal
from ost.services.closures.declare import Changed, declare
from ost.services.closures.preview import preview
from ost.services.closures.undo import undo
from ost.services.closures.wanted import Wanted
from ost.services.messages.send import send_due


class Flaky:
    """A gateway that refuses, falls silent after it delivered, or delivers. Keeps what arrived."""

    name, serves, knows_keys = "flaky", ("sms",), False

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.arrived: Counter = Counter()

    def send(self, message: Outgoing) -> Ending:
        dice = self.chance.random()
        if dice < 0.15:
            return NotSent("gateway_busy")
        if dice < 0.20:
            return Unknown("no_answer")  # lost on the way
        self.arrived[message.key] += 1
        return Unknown("no_answer") if dice < 0.25 else Sent(message.key)


def a_storm(story: Story) -> None:
    """Declare what was previewed: a whole site or county, for a day or two, or from an hour on; some are taken back."""
    world, chance = story.world, story.world.chance
    today = world.clock.today
    days = tuple(today + timedelta(days=n) for n in range(chance.randint(0, 1), 2))
    desk = chance.choice(list(world.desks.values()))
    county = chance.random() < 0.15
    wanted = Wanted(
        days=days,
        reason="typhoon",
        sites=() if county else (desk.code,),
        county=desk.county if county else None,
        from_time="10:00" if chance.random() < 0.2 else None,
    )
    shown = preview(world.house, world.centre, wanted)
    done = declare(world.house, world.centre, wanted, shown.digest)
    story.seen.must(not isinstance(done, Changed), "what was shown a moment ago could not be confirmed")
    if isinstance(done, Changed):
        return
    story.count("closure of a county" if county else "closure of a site")
    story.seen.counts["closure: people and days moved"] += done.moved
    story.seen.counts["closure: nowhere to go"] += done.nowhere
    again = declare(world.house, world.centre, wanted, shown.digest)
    story.seen.must(getattr(again, "again", False) and again.id == done.id, "one closure became two")
    if chance.random() < 0.4:
        story.latest["storm", done.id] = today.toordinal()


def storms_end(story: Story) -> None:
    """It was not so bad: what can be taken back is, once."""
    for (what, closure), _ in list(story.latest.items()):
        if what != "storm":
            continue
        del story.latest[what, closure]
        for _ in range(2):
            try:
                undo(story.world.house, story.world.centre, closure)
            except Refusal as no:
                story.count(f"undo: {no.code}")
        story.count("closure taken back")


def the_post(story: Story, far_end: Flaky) -> None:
    """Send what is due. A text that the far end lost or kept silent about is never sent twice by itself."""
    for state, count in send_due(story.world.house, [far_end]).items():
        story.seen.counts[f"message {state}"] += count
    twice = [key for key, n in far_end.arrived.items() if n > 1]
    story.seen.must(not twice, f"{len(twice)} messages arrived twice")
