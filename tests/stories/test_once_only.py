"""Whatever a hand does to the page, it is one dose, and nothing of it is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.stories.people import Nurse

pytestmark = pytest.mark.story


@pytest.fixture
def nurse(story, page):
    made = Nurse(story, page)
    made.opens_the_counter()
    return made


def one_promise(story, person):
    [dose] = story.doses_today(person)
    assert len(story.lines_of(dose.id)) == 1
    return dose


def test_a_double_click_a_reload_and_the_way_back_make_one_dose(story, nurse):
    person = story.person("steady")
    page = nurse.page

    nurse.calls(person)
    nurse.confirms_the_bottle()
    page.reload()
    nurse.sees("card")
    nurse.checks()
    nurse.primary.dblclick()
    nurse.sees("poured")
    first = one_promise(story, person)
    assert first.outcome is None, "the second click has not pressed what came in its place"

    page.reload()
    nurse.sees("poured")
    assert page.locator("#person").get_attribute("data-dose") == first.id
    nurse.go("/workplace")
    page.go_back()
    nurse.sees("poured")

    nurse.checks_again_at_hand_over(person)
    page.reload()
    nurse.sees("handed")
    nurse.lets_sign()
    nurse.can_press_primary()
    nurse.primary.dblclick()
    nurse.sees("idle")
    assert one_promise(story, person).outcome == "swallowed"

    page.reload()
    nurse.sees("idle")
    expect(page.locator("#person")).to_contain_text(person.number)
    nurse.go("/workplace")
    page.go_back()
    nurse.sees("idle")
    assert one_promise(story, person).outcome == "swallowed"
    story.verify()


def test_two_tabs_with_the_same_card_make_one_dose(story, nurse):
    """The second tab has a card of its own, with a dose id of its own."""
    person = story.person("steady")
    nurse.calls(person)
    other = Nurse(story, nurse.page.context.new_page())
    other.go("/counter")
    other.sees("card")

    nurse.checks()
    other.checks()
    other.page.route("**/state*", lambda route: route.abort())  # this tab hears nothing of what the first one does
    nurse.prepares()
    other.press(other.primary)
    other.sees("poured")
    dose = one_promise(story, person)
    assert other.page.locator("#person").get_attribute("data-dose") == dose.id
    other.page.unroute_all()

    nurse.checks_again_at_hand_over(person)
    nurse.lets_sign()
    other.sees("handed")
    nurse.says_swallowed()
    other.sees("idle")
    assert one_promise(story, person).outcome == "swallowed"
    story.verify()


def test_another_browser_takes_the_counter_and_the_first_can_do_nothing_with_it(story, nurse, new_context):
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    dose = one_promise(story, person)

    colleague = Nurse(story, new_context().new_page(), "hua.nurse2")
    colleague.sign_in()
    colleague.takes_the_counter(finds="poured")
    nurse.page.wait_for_url("**/workplace")

    colleague.checks_again_at_hand_over(person)
    colleague.lets_sign()
    colleague.says_swallowed()
    ended = one_promise(story, person)
    assert (ended.id, ended.outcome) == (dose.id, "swallowed")
    story.verify()
