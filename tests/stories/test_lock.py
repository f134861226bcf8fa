"""The page locks itself and leads back to the same place; what was in hand waits there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.stories.people import LOCKED, PATIENCE_MS, Nurse

pytestmark = pytest.mark.story


@pytest.fixture
def nurse(story, page):
    made = Nurse(story, page)
    made.opens_the_counter()
    return made


def test_the_lock_button_and_one_pin_back_to_the_same_card(story, nurse, axe):
    person = story.person("steady")
    nurse.calls(person)
    nurse.confirms_the_bottle()
    nurse.press(".bar__me form[action$='/lock'] button")
    nurse.page.wait_for_url(LOCKED, timeout=PATIENCE_MS)
    expect(nurse.page.locator("body")).not_to_contain_text(person.number)
    nurse.shot("locked")
    axe(nurse.page)
    for key in nurse.account.pin:
        nurse.press(f"[data-pinpad] [data-key='{key}']")
    nurse.press("[data-pinpad] [data-primary]")
    nurse.sees("card")
    expect(nurse.page.locator("#person h2")).to_have_text(person.number)
    expect(nurse.page.locator("#bottle-seen")).to_be_visible()  # after a lock the bottle is looked at again


def test_an_idle_page_is_locked_by_the_server_whatever_the_page_asks(story, nurse):
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    [dose] = story.doses_today(person)
    story.later(minutes=6)
    # The page's own questions have not kept it awake; the next thing done by it leads to the PIN.
    nurse.page.wait_for_url(LOCKED, timeout=PATIENCE_MS)
    answer = nurse.page.request.get(f"{story.url}/counter/{nurse.counter}", max_redirects=0)
    assert answer.status in (302, 303) and "/locked" in answer.headers["location"]
    assert person.number not in nurse.page.content()

    nurse.page.fill("input[name=pin]", "000000" if nurse.account.pin != "000000" else "111111")
    nurse.press("[data-pinpad] [data-primary]")
    expect(nurse.page.locator("[role=alert]")).to_be_visible()
    nurse.returns_with_pin()
    nurse.sees("poured")
    assert nurse.page.locator("#person").get_attribute("data-dose") == dose.id
    nurse.checks_again_at_hand_over(person)
    nurse.lets_sign()
    nurse.says_swallowed()
    assert story.doses_today(person)[0].outcome == "swallowed"
    story.verify()
