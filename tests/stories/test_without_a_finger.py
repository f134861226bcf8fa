"""The card and the face are ways of equal standing: the same dose, the same number of steps, no penalty."""

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


def label_of(story, bottle: str) -> str:
    """What the code on this bottle's label says."""
    from ost import keys
    from ost.services import stock
    from ost.services.work import House

    house = House(story._database, keys.load(story.home / "keys"), demo=True)
    with story._database.read() as tx:
        work = type("Reading", (), {"keys": house.keys, "tx": tx})()
        return stock.label_code(work, bottle)


def test_a_whole_dose_by_scanner_and_two_keys_alone(story, nurse):
    """Card, PIN, F4, bottle, F2; card, F2. No mouse, no touch, and no digit of the PIN on the nurse's screen."""
    person = story.person("fee")
    page = nurse.page
    nurse.scan(person.card)
    nurse.sees("pin")
    page.keyboard.type(person.pin)
    assert page.locator("#card-pin").get_attribute("type") == "password"
    assert person.pin not in page.locator("body").inner_text()
    nurse.shot("card-and-pin")
    page.keyboard.press("Enter")
    nurse.sees("card")
    bottle = page.locator("#card-form input[name=bottle]").get_attribute("value")
    nurse.scan(label_of(story, bottle))
    expect(page.locator("#bottle-seen")).to_have_count(0)
    page.keyboard.press("F4")
    nurse.can_press_primary()
    page.keyboard.press("F2")
    nurse.sees("poured")
    page.keyboard.press("F2")  # too early: the check is missing
    nurse.scan(person.card)
    nurse.sees("handed")
    nurse.can_press_primary()
    page.keyboard.press("F2")
    nurse.sees("idle")

    [dose] = story.doses_today(person)
    assert (dose.outcome, dose.identity_path) == ("swallowed", "card")
    shown = story.rows("SELECT purpose, path FROM identity_evidence WHERE dose = :id", id=dose.id)
    assert [(e.purpose, e.path) for e in shown] == [("hand_over", "card")]
    story.verify()


def test_the_number_and_the_face_with_a_second_pair_of_eyes(story, nurse, axe):
    person, second = story.person("fee"), story.account("hua.nurse2")
    dialog = nurse.types_number(person.number)
    nurse.picks(dialog, "path", "number_face")
    nurse.picks(dialog, "reason", "patient_prefers")
    nurse.shot("number-and-face")
    axe(nurse.page)
    dialog.locator("input[name=witness_username]").fill(second.username)
    dialog.locator("input[name=witness_pin]").fill(second.pin)
    nurse.page.keyboard.press("F2")
    nurse.sees("card")
    nurse.checks()
    nurse.prepares()

    nurse.press("#face-matches")
    reasons = nurse.page.locator("#face-reason")
    reasons.wait_for()
    nurse.press(reasons.locator("button[name=reason]").first)
    nurse.sees("handed")
    nurse.lets_sign()
    nurse.says_swallowed()

    [dose] = story.doses_today(person)
    assert (dose.outcome, dose.identity_path) == ("swallowed", "number_face")
    assert dose.identity_reason and dose.flags in ("[]", [])
    [shown] = story.rows("SELECT * FROM identity_evidence WHERE dose = :id", id=dose.id)
    assert shown.path == "number_face" and shown.reason and shown.account
    story.verify()


def test_a_document_and_its_birth_date(story, nurse):
    person = story.person("steady")
    nurse.press("[data-way=document]")  # the tile; which way is not asked a second time
    dialog = nurse.types_number(person.number)
    expect(dialog.locator("input[name=path][value=document]")).to_be_checked()
    nurse.picks(dialog, "reason", "patient_prefers")
    nurse.picks(dialog, "document", "national_id_card")
    dialog.locator("input[name=birth_date]").fill("1979-05-03")
    nurse.page.keyboard.press("F2")
    nurse.page.locator("#f-birth_date-error").wait_for()
    expect(nurse.page.locator("#f-birth_date")).to_be_focused()
    assert story.rows("SELECT path, result FROM identity_try") == [("document", "refused")]


def test_the_pin_on_the_persons_own_side(story, nurse, page):
    person = story.person("steady")
    side = page.context.new_page()
    side.goto(f"{story.url}/counter/HUA1-1/patient-side")
    nurse.scan(person.card)
    nurse.sees("pin")
    for digit in "97":  # the counter has digits to tap as well
        nurse.press(f"#pin-form [data-key='{digit}']")
    expect(nurse.page.locator("#card-pin")).to_have_value("97")
    expect(nurse.page.locator("#card-pin")).to_be_focused()
    side.wait_for_selector("#side-pin")
    for digit in person.pin:
        side.click(f"[data-key='{digit}']")
    side.click("[data-pinpad] [data-primary]")
    side.wait_for_selector(".side__number")
    nurse.sees("card")


def test_another_persons_card_at_hand_over_stops_as_a_finger_does(story, nurse):
    right, wrong = story.person("steady"), story.person("fee")
    nurse.shows_card(right)
    nurse.sees("card")
    nurse.checks()
    nurse.prepares()
    nurse.scan(wrong.card)
    stop = nurse.sees("mismatch")
    expect(stop.locator("h2")).to_have_text(right.number)
    nurse.page.keyboard.press("F2")
    nurse.sees("poured")
    nurse.scan(right.card)
    nurse.sees("handed")


def test_a_reader_without_its_cable_stops_nobody(story, nurse):
    person = story.person("steady")
    nurse.touch("unplug")
    expect(nurse.page.locator("#reader.reader--offline")).to_be_visible()
    nurse.shot("unplugged")
    nurse.shows_card(person)
    nurse.sees("card")
    nurse.checks()
    nurse.prepares()
    nurse.scan(person.card)
    nurse.sees("handed")
    nurse.lets_sign()
    nurse.says_swallowed()
    assert story.doses_today(person)[0].outcome == "swallowed"
