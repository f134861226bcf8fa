"""Between the pump and the mouth: the right person, a check that is fresh, and a way back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.stories.people import PATIENCE_MS, Nurse, mg

pytestmark = pytest.mark.story


@pytest.fixture
def nurse(story, page):
    made = Nurse(story, page)
    made.opens_the_counter()
    return made


def test_another_persons_finger_stops_everything_and_changes_nothing(story, nurse, axe):
    right, wrong = story.person("steady"), story.person("steady", 1)
    nurse.checks_and_prepares(right)
    [dose] = story.doses_today(right)

    nurse.touch(wrong)
    stop = nurse.sees("mismatch")
    assert stop.get_attribute("data-dose") == dose.id
    faces = stop.locator("figure")
    expect(faces).to_have_count(2)
    expect(faces.nth(0)).to_contain_text(right.number)
    expect(faces.nth(0)).to_contain_text(mg(dose.dose_ug))
    expect(faces.nth(1)).to_contain_text(wrong.number)
    for face in faces.all():
        expect(face.locator("img")).to_be_visible()
    expect(stop.locator("h2")).to_have_text(right.number)
    nurse.can_press_primary()
    nurse.shot("mismatch")
    axe(nurse.page)

    nurse.press(nurse.primary)
    nurse.sees("poured")
    expect(nurse.primary).to_have_attribute("aria-disabled", "true")
    assert not story.rows("SELECT id FROM identity_evidence WHERE dose = :id", id=dose.id)

    nurse.checks_again_at_hand_over(right)
    nurse.lets_sign()
    nurse.says_swallowed()
    [ended] = story.doses_today(right)
    assert ended.outcome == "swallowed" and not story.doses_today(wrong)
    [shown] = story.rows("SELECT * FROM identity_evidence WHERE dose = :id", id=dose.id)
    assert shown.patient == right.id and shown.id == ended.evidence
    story.verify()


def test_a_finger_that_is_nobodys_confirms_nothing_and_shows_nobody(story, nurse):
    """It may be the right person's, badly laid on: asked again, with the other ways in sight, and never a yes."""
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    [dose] = story.doses_today(person)
    for finger in ("stranger", "wet"):
        nurse.touch(finger)
        expect(nurse.page.locator(".hand__again")).to_be_visible(timeout=PATIENCE_MS)
        expect(nurse.primary).to_have_attribute("aria-disabled", "true")
        expect(nurse.page.locator("#person img")).to_have_count(1)
        expect(nurse.page.locator("#face-matches")).to_be_visible()
        nurse.page.reload()
        nurse.sees("poured")
    assert not story.rows("SELECT id FROM identity_evidence WHERE dose = :id", id=dose.id)
    nurse.checks_again_at_hand_over(person)
    nurse.lets_sign()
    nurse.says_swallowed()


def test_a_check_older_than_a_minute_is_asked_again_and_only_the_check(story, nurse):
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    nurse.checks_again_at_hand_over(person)
    nurse.lets_sign()
    [dose] = story.doses_today(person)

    story.later(seconds=61)
    nurse.sees("poured")
    expect(nurse.page.locator(".hand__again")).to_contain_text("60")
    expect(nurse.primary).to_have_attribute("aria-disabled", "true")

    nurse.checks_again_at_hand_over(person)
    expect(nurse.page.locator("[data-signature]")).not_to_have_value("")
    nurse.says_swallowed()
    [ended] = story.doses_today(person)
    assert (ended.id, ended.outcome) == (dose.id, "swallowed")
    assert len(story.rows("SELECT id FROM identity_evidence WHERE dose = :id", id=dose.id)) == 2
    story.verify()


@pytest.mark.parametrize("poured", ["yes", "no"])
def test_undo_asks_whether_it_was_poured(story, nurse, poured):
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    [dose] = story.doses_today(person)
    [given] = story.lines_of(dose.id)

    nurse.press("#undo")
    dialog = nurse.page.locator("#undo-dialog")
    expect(dialog).to_be_visible()
    nurse.shot("undo")
    nurse.press(dialog.locator(f"button[name=poured][value={poured}]"))
    nurse.sees("idle")

    [ended] = story.doses_today(person)
    assert (ended.outcome, ended.rest_ul) == ("not_given", dose.volume_ul)
    kinds = [(line.kind, line.change_ul, line.bottle == dose.bottle) for line in story.lines_of(dose.id)[1:]]
    [bottle] = story.rows("SELECT balance_ul FROM bottle WHERE id = :id", id=dose.bottle)
    if poured == "yes":
        assert ended.disposition == "residue"
        assert bottle.balance_ul == given.balance_ul, "what was poured is not stock again"
        assert ("residue_in", dose.volume_ul, False) in kinds
    else:
        assert ended.disposition == "returned"
        assert bottle.balance_ul == given.balance_ul + dose.volume_ul
        assert kinds == [("returned", dose.volume_ul, True)]

    nurse.calls(person)  # the slot is free again
    nurse.checks()
    nurse.prepares()
    assert len(story.doses_today(person)) == 2
    story.verify()


def test_undo_is_gone_after_ten_seconds(story, nurse):
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    expect(nurse.page.locator("#undo")).to_be_visible()
    story.later(seconds=10)
    nurse.page.reload()
    nurse.sees("poured")
    expect(nurse.page.locator("#undo")).to_be_hidden()
    assert story.doses_today(person)[0].outcome is None
