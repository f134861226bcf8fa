"""People of the guest stories: a patient at their own page, desks, and a finger enrolled in the other city."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Page, expect

from ost import keys
from ost.db import Database
from ost.rules.access import Grant
from ost.services import consents
from ost.services.enrol_demo import enrol_synthetic
from ost.services.guest.countersign import beforehand
from ost.services.work import Actor, House
from tests.stories.people import DESK_SIZE, LANGUAGES, SHOTS, Person

TAIPEI, HUALIEN = "TPE1", "HUA1"


def somebody_of(story, site: str, nth: int = 0) -> SimpleNamespace:
    """Somebody steady of that site who is no guest anywhere: id, number, card, pin."""
    rows = story.rows(
        "SELECT p.id, p.number FROM patient p"
        " JOIN prescription o ON o.patient = p.id AND o.phase = 'maintenance' AND o.starts_on < :long_ago"
        " AND o.ends_on IS NULL"
        " LEFT JOIN prescription_end e ON e.prescription = o.id"
        " WHERE p.home_site = :site AND e.prescription IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM guest_request g WHERE g.patient = p.id)"
        " AND NOT EXISTS (SELECT 1 FROM hold h LEFT JOIN hold_release r ON r.hold = h.id"
        "                 WHERE h.patient = p.id AND r.hold IS NULL)"
        " AND (SELECT COUNT(*) FROM dose_attempt a JOIN dose_outcome d ON d.attempt = a.id"
        "      WHERE a.patient = p.id AND d.outcome = 'swallowed' AND a.dosing_day >= :lately) >= 2"
        " ORDER BY p.number",
        site=site,
        long_ago=story.day(-12),
        lately=story.day(-2),
    )
    number = rows[nth].number
    return SimpleNamespace(
        id=rows[nth].id, number=number, card=story.secrets["cards"][number], pin=story.secrets["pins"][number]
    )


def enrol(story, person) -> None:
    """One finger at the person's own site: drawn, extracted, kept as any other."""
    database = Database(story.database_url)
    try:
        house = House(database, keys.load(story.home / "keys"), demo=True, now=story.now)
        assert enrol_synthetic(house, None, [person.id], fingers=("right_index",), impressions=(1, 2)) == 1
    finally:
        database.close()


def signed_beforehand(story, person, site: str) -> None:
    """The person agreed to other sites, and a prescriber there signed their orders for the next weeks."""
    database = Database(story.database_url)
    try:
        house = House(database, keys.load(story.home / "keys"), demo=True, now=story.now)
        until = date.fromisoformat(story.day(60))
        ids = dict(story.rows("SELECT username, id FROM account"))
        here = Actor(ids["tpe.prescriber"], (Grant("prescriber", "site", TAIPEI),))
        there = Actor(ids["hua.prescriber"], (Grant("prescriber", "site", site),))
        consents.give(house, here, person.id, "guest_dosing", until, scope={"anywhere": True})
        beforehand(house, there, person.id, site, until)
    finally:
        database.close()


class Patient:
    """At their own page, on whatever they hold in their hand."""

    def __init__(self, story, page: Page, person, language: str = "zh-TW"):
        self.story, self.page, self.person, self.language = story, page, person, language
        self.touches = page.evaluate("navigator.maxTouchPoints > 0")

    def press(self, what) -> None:
        target = self.page.locator(what) if isinstance(what, str) else what
        (target.tap if self.touches else target.click)()

    def go(self, address: str) -> None:
        self.page.goto(self.story.url + address)

    def shot(self, name: str) -> None:
        if SHOTS:
            size = "desk" if self.page.viewport_size == DESK_SIZE else "phone"
            self.page.screenshot(path=Path(SHOTS) / f"me-{name}-{size}-{self.language}.png", full_page=True)

    def sign_in(self) -> None:
        self.go("/me/sign-in")
        self.page.fill("input[name=number]", self.person.number)
        self.page.fill("input[name=pin]", self.person.pin)
        self.press("main form button.button--primary")
        self.page.wait_for_url(re.compile(r"/me$"))
        self.press(f"button[name=language][value='{LANGUAGES[self.language]}']")
        expect(self.page.locator("html")).to_have_attribute("lang", LANGUAGES[self.language].replace("_", "-"))

    def asks_for(self, site: str, days: list[str], looks=lambda name: None) -> None:
        """Where, which days, why, what is agreed to, everything once more, and off."""
        self.go("/me/guest/where?nearest=1")
        looks("where")
        self.press(self.page.locator(f"a[href*='site={site}']").first)
        self.page.wait_for_url(re.compile("/me/guest/days"))
        for day in days:
            self.press(self.page.locator("label", has=self.page.locator(f"input[name=day][value='{day}']")))
        looks("days")
        self.press("main form button.button--primary")
        self.page.wait_for_url(re.compile("/me/guest/why"))
        looks("why")
        self.press("main form button.button--primary")
        self.page.wait_for_url(re.compile("/me/guest/agree"))
        looks("agree")
        self.press("button[name=agreed]")
        self.page.wait_for_url(re.compile("/me/guest/check"))
        looks("check")
        self.press("main form[method=post] button.button--primary")
        self.page.wait_for_url(re.compile(r"/me/guest/[0-9a-f-]{36}"))
        looks("sent")

    @property
    def request(self) -> str:
        return re.search(r"/me/guest/([0-9a-f-]{36})", self.page.url).group(1)


class Desk(Person):
    """Somebody at a desk with guest requests."""

    def works_at(self, site: str) -> None:
        self.go("/workplace")
        self.press(f"form:has(input[name=site][value='{site}']) button[name=counter][value='']")
        self.page.wait_for_url(lambda url: "/workplace" not in url)

    def answers(self, request: str, action: str, back: str = "") -> None:
        """One tap on the request's one screen."""
        self.go(f"/guest/requests/{request}{back}")
        self.press(self.page.locator(f"form[action$='/{action}'] button").first)
        self.page.wait_for_load_state()

    def state_of(self, request: str) -> str:
        return self.story.row("SELECT state FROM guest_head WHERE request = :r", r=request).state


def sees_state(desk: Desk, request: str, state: str) -> None:
    """The request stands there by now, on the record and on this desk's screen."""
    assert desk.state_of(request) == state
    desk.go(f"/guest/requests/{request}")
    expect(desk.page.locator("main")).to_be_visible()
