"""A "no" at the counter is a plan: why, when to come back, whom to call, and who may answer it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.stories.people import Nurse, Person, mg

pytestmark = pytest.mark.story


@pytest.fixture
def nurse(story, page):
    made = Nurse(story, page)
    made.opens_the_counter()
    return made


def test_a_hold_says_when_to_come_back_and_whom_to_call(story, nurse, axe):
    person = story.person("steady")
    nurse.calls(person)
    nurse.press("#hold")
    dialog = nurse.page.locator("#hold-dialog")
    dialog.wait_for()
    nurse.picks(dialog, "reason", "clinical.medical_review")
    dialog.locator("#f-come_back_on").fill("115/3/11")
    dialog.locator("#f-call").fill("03-000-0199")
    nurse.shot("hold")
    axe(nurse.page)
    nurse.press(dialog.locator("[data-primary]"))

    stopped = nurse.sees("stopped")
    expect(stopped).to_contain_text("115/03/11 (2026-03-11)")
    expect(stopped).to_contain_text("03-000-0199")
    expect(stopped.locator("[data-needs-check]")).to_have_count(0)
    nurse.can_press_primary()
    nurse.shot("held")
    axe(nurse.page)
    nurse.press(nurse.primary)
    nurse.sees("idle")
    expect(nurse.page.locator(f"#group-held [value='{person.id}']")).to_be_attached()
    assert not story.doses_today(person)
    story.verify()


def test_three_missed_days_need_the_prescriber_and_then_give_half(story, nurse, new_context, axe):
    person = story.person("missed_3")
    half = story.orders(person) // 2
    nurse.shows_card(person)
    stopped = nurse.sees("stopped")
    reason = stopped.locator("[data-reason]").first
    expect(reason).to_have_class(re.compile("tier--stop"))
    expect(stopped).to_contain_text("3")
    nurse.shot("missed-3")
    axe(nurse.page)

    doctor = Person(story, new_context().new_page(), "hua.prescriber")
    doctor.sign_in()
    doctor.go("/workplace")
    doctor.press(doctor.page.locator("form", has=doctor.page.locator("[name=site][value=HUA1]")).locator("button").last)
    doctor.go("/prescriber")
    waiting = doctor.page.locator("article.waiting", has_text=person.number)
    doctor.shot("signoffs")
    axe(doctor.page)
    doctor.press(waiting.locator("button").last)
    expect(doctor.page.locator("article.waiting", has_text=person.number)).to_have_count(0)

    nurse.sees("card")  # by itself, without a touch
    expect(nurse.page.locator(".dose__mg")).to_have_text(mg(half))
    nurse.checks()
    nurse.prepares()
    [dose] = story.doses_today(person)
    assert (dose.dose_ug, dose.ordered_ug) == (half, half * 2)
    story.verify()


def test_a_sign_of_intoxication_stops_and_is_kept(story, nurse):
    person = story.person("steady")
    nurse.calls(person)
    nurse.press("[id^=sign-]:first-of-type >> nth=0")
    nurse.sees("stopped")
    nurse.shot("intoxicated")
    assert story.rows("SELECT id FROM refusal WHERE patient = :id AND day = :day", id=person.id, day=story.today())
    assert not story.doses_today(person)
    nurse.press("#recheck")  # looked again: it was something else
    nurse.sees("card")
    story.verify()


def test_an_unpaid_fee_holds_nobody(story, nurse):
    person = story.person("fee")
    nurse.shows_card(person)
    nurse.sees("card")
    nurse.checks()
    nurse.prepares()
    assert len(story.doses_today(person)) == 1
