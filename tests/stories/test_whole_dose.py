"""A whole dose by touch alone, in three languages and at both sizes; then the same on PostgreSQL.

At every step the page can be read by everybody (axe), the one button is in sight, every word is in the language of
the desk, and the tab says nothing about the treatment. Afterwards the record is what happened, and nothing else.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.plugins.browser import COUNTER, TELEPHONE
from tests.stories.people import PREPARE, SWALLOWED, Nurse, foreign_words, mg
from tests.web.test_titles import TELLING

SIZES = {"desk": {"viewport": COUNTER}, "phone": {"viewport": TELEPHONE, "has_touch": True, "is_mobile": True}}
SCENES = [("zh-TW", "desk"), ("en", "desk"), ("zh-CN", "desk"), ("zh-TW", "phone"), ("en", "phone")]

pytestmark = pytest.mark.story


class Watched(Nurse):
    """A nurse whose every screen is looked at; what is in the wrong language is kept for the end."""

    def __init__(self, *args, axe, **more):
        super().__init__(*args, **more)
        self.axe, self.foreign = axe, []

    def looks(self, name: str) -> None:
        self.shot(name)
        self.axe(self.page)
        assert not TELLING.search(self.page.title()), self.page.title()
        names = [a["display_name"] for a in self.story.secrets["accounts"]]
        self.foreign += [f"{name}: {each}" for each in foreign_words(self.page, self.language, names)]


def whole_dose(nurse: Watched, person) -> None:
    story = nurse.story
    dose = mg(story.orders(person))

    nurse.opens_the_counter()
    nurse.can_press_primary()
    nurse.looks("1-idle")

    nurse.calls(person)
    nurse.looks("2-card")
    nurse.confirms_the_bottle()
    nurse.sees_no_signs()
    expect(nurse.primary).to_contain_text(PREPARE[nurse.language])
    expect(nurse.primary).to_contain_text(dose)
    nurse.looks("3-checked")

    nurse.prepares()
    expect(nurse.primary).to_have_attribute("aria-disabled", "true")
    nurse.looks("4-poured")

    nurse.checks_again_at_hand_over(person)
    nurse.lets_sign()
    expect(nurse.primary).to_contain_text(SWALLOWED[nurse.language])
    expect(nurse.primary).to_contain_text(dose)
    nurse.looks("5-handed")

    nurse.says_swallowed()
    expect(nurse.page.locator("#person")).to_contain_text(person.number)
    expect(nurse.page.locator(f"#group-done [value='{person.id}']")).to_be_attached()
    nurse.looks("6-next")


def it_is_on_record(story, person) -> None:
    [dose] = story.doses_today(person)
    assert (dose.outcome, dose.swallowed_ug, dose.dose_ug) == ("swallowed", dose.dose_ug, story.orders(person))
    assert dose.identity_path == "finger" and dose.capture is not None and dose.witness is None
    assert dose.flags in ("[]", []), "nothing was missing"

    [line] = story.lines_of(dose.id)
    assert (line.kind, line.change_ul, line.bottle) == ("dispensed", -dose.volume_ul, dose.bottle)
    [bottle] = story.rows("SELECT * FROM bottle WHERE id = :id", id=dose.bottle)
    assert (bottle.line, bottle.balance_ul) == (line.line, line.balance_ul)

    shown = story.rows("SELECT * FROM identity_evidence WHERE patient = :id ORDER BY at", id=person.id)
    today = [e for e in shown if e.dose == dose.id or e.id == dose.capture]
    assert [(e.purpose, e.path) for e in today] == [("arrival", "finger"), ("hand_over", "finger")]
    assert today[1].id == dose.evidence and today[0].capture != today[1].capture
    assert story.rows("SELECT attempt FROM signature WHERE attempt = :id", id=dose.id)
    story.verify()


@pytest.mark.parametrize(("language", "size"), SCENES)
def test_a_whole_dose_by_touch_alone(story, new_context, axe, language, size):
    page = new_context(locale=language, **SIZES[size]).new_page()
    person = story.person("steady")
    nurse = Watched(story, page, language=language, axe=axe)
    whole_dose(nurse, person)
    it_is_on_record(story, person)
    assert not nurse.foreign, "\n".join(nurse.foreign)


def test_a_whole_dose_on_postgresql(postgres_story, page):
    person = postgres_story.person("steady")
    nurse = Nurse(postgres_story, page)
    nurse.opens_the_counter()
    nurse.gives(person)
    it_is_on_record(postgres_story, person)

    nurse.touch(person)
    stopped = nurse.sees("stopped")
    expect(stopped.locator("[data-reason=already_dosed_today]")).to_be_visible()
    assert len(postgres_story.doses_today(person)) == 1
