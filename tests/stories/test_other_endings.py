"""A dose that did not end with a plain swallow: partly, by another person, or nobody knows."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.stories.people import Nurse, mg

pytestmark = pytest.mark.story


@pytest.fixture
def nurse(story, page):
    made = Nurse(story, page)
    made.opens_the_counter()
    return made


def test_partly_swallowed_leaves_residue(story, nurse, axe):
    person = story.person("steady")
    nurse.checks_and_prepares(person)
    nurse.checks_again_at_hand_over(person)
    [dose] = story.doses_today(person)

    dialog = nurse.chooses_other_outcome("partly")
    nurse.shot("partly")
    nurse.press(dialog.locator("[data-primary]"))
    expect(dialog.locator(".nhsuk-error-summary")).to_be_visible()  # how much, and where is the rest?
    axe(nurse.page)
    dialog.locator("#f-swallowed_mg").fill(f"{dose.dose_ug / 2000:g}")
    nurse.picks(dialog, "disposition", "residue")
    nurse.press(dialog.locator("[data-primary]"))
    nurse.sees("idle")

    [ended] = story.doses_today(person)
    assert (ended.outcome, ended.swallowed_ug, ended.disposition) == ("partly", dose.dose_ug // 2, "residue")
    assert ended.rest_ul == dose.volume_ul - dose.volume_ul // 2
    kinds = {line.kind: line for line in story.lines_of(dose.id)}
    assert kinds["residue_in"].change_ul == ended.rest_ul
    story.verify()


def test_swallowed_by_another_person_opens_the_emergency_card(story, nurse, axe):
    person, drinker = story.person("steady"), story.person("steady", 1)
    nurse.checks_and_prepares(person)
    [dose] = story.doses_today(person)

    dialog = nurse.chooses_other_outcome("swallowed_by_other")
    dialog.locator("#f-drinker").fill(drinker.number)
    nurse.shot("by-other")
    nurse.press(dialog.locator("[data-primary]"))
    card = nurse.sees("emergency")
    expect(card).to_contain_text(drinker.number)
    expect(card).to_contain_text(mg(dose.dose_ug))
    expect(card).to_contain_text("119")
    assert card.locator(".emergency__steps li").count() >= 3
    nurse.can_press_primary()
    nurse.shot("emergency")
    axe(nurse.page)
    nurse.page.reload()
    nurse.sees("emergency")  # it does not go away by itself

    nurse.press(nurse.primary)
    nurse.sees("idle")
    [exposed] = story.rows("SELECT * FROM exposure WHERE attempt = :id", id=dose.id)
    assert (exposed.patient, exposed.kind) == (drinker.id, "other_persons_dose")
    nurse.touch(drinker)
    nurse.sees("stopped")
    assert not story.doses_today(drinker)
    nurse.press(nurse.primary)
    nurse.touch(person)  # whose dose it was: a second one only by a prescriber's order
    stopped = nurse.sees("stopped")
    expect(stopped.locator("[data-reason=slot_used]")).to_contain_text("醫師")
    assert len(story.doses_today(person)) == 1
    story.verify()


def test_a_power_cut_leaves_the_dose_not_known_until_somebody_says_what_happened(story, nurse, new_context, axe):
    person, colleague = story.person("steady"), story.account("hua.nurse2")
    nurse.checks_and_prepares(person)
    [dose] = story.doses_today(person)

    story.power_cut()
    expect(nurse.page.locator("#offline")).to_be_visible(timeout=15_000)
    story.power_back()
    story.later(minutes=20)
    again = Nurse(story, new_context().new_page(), counter="HUA1-2")
    again.opens_the_counter()

    # Not known: it blocks the slot, at every counter, and says so.
    expect(again.page.locator("#open-doses")).to_be_visible()
    again.touch(person)
    stopped = again.sees("stopped")
    expect(stopped.locator("[data-reason]").first).to_be_visible()
    again.shot("not-known-stops")
    axe(again.page)
    assert again.page.locator("[data-needs-check]").count() == 0
    [still] = story.doses_today(person)
    assert (still.id, still.outcome) == (dose.id, None)
    again.press(again.primary)
    again.sees("idle")

    # Said by somebody who knows, with a second person's own sign-in.
    again.press("#open-doses")
    again.sees("open_doses")
    again.shot("open-doses")
    axe(again.page)
    again.press(f"#resolve-{dose.id}")
    dialog = again.page.locator("#outcome-dialog")
    dialog.wait_for()
    again.picks(dialog, "outcome", "swallowed")
    dialog.locator("#f-witness_username").fill(colleague.username)
    dialog.locator("#f-witness_pin").fill("000000" if colleague.pin != "000000" else "111111")
    again.shot("resolve")
    again.press(dialog.locator("[data-primary]"))
    expect(again.page.locator("#outcome-dialog #f-witness-error")).to_be_visible()
    assert story.doses_today(person)[0].outcome is None

    dialog.locator("#f-witness_username").fill(colleague.username)
    dialog.locator("#f-witness_pin").fill(colleague.pin)
    again.press(dialog.locator("[data-primary]"))
    expect(again.page.locator(f"#resolve-{dose.id}")).to_have_count(0)
    [ended] = story.doses_today(person)
    witness = story.row("SELECT id FROM account WHERE username = :name", name=colleague.username)
    assert (ended.outcome, ended.witness) == ("swallowed", witness.id)
    assert "identity" in json.dumps(ended.flags), "what was missing is flagged, not refused"
    story.verify()


def test_a_late_outcome_needs_a_second_person_and_the_lock_loses_nothing(story, nurse):
    person, colleague = story.person("steady"), story.account("hua.nurse2")
    nurse.checks_and_prepares(person)
    story.later(minutes=16)

    # The page locked itself meanwhile; the PIN leads back to the same dose.
    nurse.page.reload()
    nurse.returns_with_pin()
    nurse.sees("poured")
    dialog = nurse.chooses_other_outcome("not_given")
    nurse.picks(dialog, "disposition", "residue")
    dialog.locator("#f-witness_username").fill(colleague.username)
    dialog.locator("#f-witness_pin").fill(colleague.pin)
    nurse.press(dialog.locator("[data-primary]"))
    nurse.sees("idle")
    [ended] = story.doses_today(person)
    assert ended.outcome == "not_given" and ended.witness
    story.verify()


def test_the_end_of_session_does_not_close_over_an_open_dose(story, page, axe):
    left = story.person("no_outcome")
    [open_dose] = story.rows(
        "SELECT a.id, a.counter FROM dose_attempt a LEFT JOIN dose_outcome o ON o.attempt = a.id"
        " WHERE a.patient = :id AND o.attempt IS NULL",
        id=left.id,
    )
    nurse = Nurse(story, page, counter=open_dose.counter or "HUA1-1")
    nurse.opens_the_counter()
    nurse.press(".bar__me summary")
    nurse.press("button[hx-get$='/sweep']")
    nurse.sees("sweep")
    expect(page.locator(f"#resolve-{open_dose.id}")).to_be_visible()
    expect(nurse.primary).to_have_attribute("aria-disabled", "true")
    nurse.shot("sweep")
    axe(page)

    nurse.press("button[name=leave_unknown]")  # nobody here knows: it stays not known, by name
    page.wait_for_url("**/workplace")
    assert story.row("SELECT session FROM counter WHERE id = :id", id=nurse.counter).session is None
    assert not story.rows("SELECT attempt FROM dose_outcome WHERE attempt = :id", id=open_dose.id)
    story.verify()
