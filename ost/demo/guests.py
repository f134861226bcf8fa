"""Guest requests of the practice network, in each state a desk meets, made by the real services.

Runs after the history, in transactions of its own: broken off here, the demo is
whole and has fewer guests. What cannot be made by chance of the day (a full
site, a closed one) is left out, never faked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from ost import clock
from ost.demo.network import MAIN, TZ
from ost.demo.staff import Member
from ost.rules.access import Grant
from ost.services.guest import answer, countersign, standing
from ost.services.guest.ask import Asked, Wanted, ask
from ost.services.guest.consent import NewConsent
from ost.services.guest.standing import Allowed
from ost.services.work import Actor, House, new_id

#: After this hour the long-open sites take nobody for today any more.
LATEST_HOUR = 21


@dataclass(frozen=True, slots=True)
class _Story:
    """`first`, `days`: from today on. `asked`: minutes ago. `then`: what follows, by whom."""

    patient: str
    site: str
    first: int
    days: int
    asked: int
    reason: str
    then: tuple[tuple[str, str], ...] = ()


_APPROVE_TPE, _APPROVE_HUA = ("approve", "tpe.prescriber"), ("approve", "hua.prescriber")
#: Steady people of several sites. Nobody whose counter story is told elsewhere.
STORIES = (
    # A guest of today in Hualien, whole: approved, taken by rule, signed.
    _Story("U-0001", "HUA1", 0, 3, 180, "work", (_APPROVE_TPE, ("sign", "hua.prescriber"))),
    # Theirs by a standing authorisation and by rule; only the signature is missing.
    _Story("V-0001", "HUA1", 1, 3, 25, "family"),
    # Nobody at home has answered for most of an hour.
    _Story("V-0002", "HUA1", 2, 2, 52, "travel"),
    # Hualien Demo Hospital's own: one to decide, one asked back, one booked.
    _Story("H-0006", "TPE1", 2, 3, 12, "family"),
    _Story("H-0005", "TPE2", 3, 1, 75, "hospital_visit", (("question", "hua.prescriber"),)),
    _Story("H-0004", "TPE1", 5, 2, 300, "work", (_APPROVE_HUA, ("sign", "tpe.prescriber"))),
    # Approved at home; a site that answers by hand has it now.
    _Story("U-0002", "HUA3", 1, 1, 40, "holiday", (_APPROVE_TPE,)),
)
#: Who may go without being asked again, and how.
ALLOWED = (
    ("V-0001", {"anywhere": True}),
    ("H-0003", {"corridor_from": "HUA1", "corridor_to": "TPE1", "corridor_m": 20_000}),
)
QUESTION = "請問當天幾點會到？"


def write(house: House, members: Iterable[Member], ids: dict[str, str]) -> int:
    """`ids`: {number: patient}. How many requests were made; people the demo does not have are left out."""
    people = {m.username: _actor(m) for m in members}
    now = house.now()
    local = clock.local(now, TZ)
    today = local.date()
    early = _at(house, now - timedelta(hours=6))
    for number, way in ALLOWED:
        if number in ids:
            by = people["hua.prescriber" if number.startswith("H") else "tpe.prescriber"]
            until = today + timedelta(days=180)
            standing.grant(early, by, Allowed(ids[number], days_a_year=60, until=until, **way))
    made = 0
    for story in STORIES:
        if story.patient in ids:
            first = max(story.first, 1) if local.hour >= LATEST_HOUR else story.first
            made += _tell(house, people, ids[story.patient], story, today + timedelta(days=first), now)
    return made


def _tell(house: House, people: dict[str, Actor], person: str, story: _Story, begin: date, now: datetime) -> int:
    asked_at = now - timedelta(minutes=story.asked)
    nurse = people[{"H": "hua.case", "U": "tpe.case", "V": "tpe.case"}[story.patient[0]]]
    if story.site not in MAIN and begin.isoweekday() == 7:
        begin += timedelta(days=1)  # the smaller sites rest on Sundays
    days = tuple(begin + timedelta(days=n) for n in range(story.days))
    agreed = NewConsent(until=begin + timedelta(days=90))
    done = ask(_at(house, asked_at), nurse, Wanted(new_id(), person, story.site, days, story.reason, agreed))
    if not isinstance(done, Asked):
        return 0  # closed on a holiday, or a rule that has something against it today
    acts: dict[str, Callable] = {"approve": answer.approve, "sign": countersign.countersign}
    for n, (what, who) in enumerate(story.then, 1):
        then = _at(house, asked_at + timedelta(minutes=4 * n))
        if what == "question":
            answer.question(then, people[who], done.request_id, QUESTION)
        else:
            acts[what](then, people[who], done.request_id)
    return 1


def _at(house: House, when: datetime) -> House:
    return replace(house, now=lambda: when, memo={})


def _actor(m: Member) -> Actor:
    places = [("network", "*")] if m.network else [("site", code) for code in m.sites]
    return Actor(m.id, tuple(Grant(role, kind, scope) for role in m.roles for kind, scope in places))
