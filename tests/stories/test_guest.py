"""A guest dose from the patient's phone in Taipei to the counter in Hualien, and back to Taipei's screen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.plugins.browser import COUNTER, TELEPHONE
from tests.stories.guests import (
    HUALIEN,
    TAIPEI,
    Desk,
    Patient,
    enrol,
    sees_state,
    signed_beforehand,
    somebody_of,
)
from tests.stories.people import Nurse, foreign_words
from tests.web.test_titles import TELLING

pytestmark = pytest.mark.story

PHONE = {"viewport": TELEPHONE, "has_touch": True, "is_mobile": True}
DESK = {"viewport": COUNTER}


@pytest.fixture
def hands(story, new_context):
    """`hands(Desk, "tpe.prescriber")`: somebody with a browser of their own, signed in."""

    def make(kind, who, language="zh-TW", size=DESK, **more):
        page = new_context(locale=language, **size).new_page()
        return kind(story, page, who, language=language, **more)

    return make


def signed(hands, username: str, site: str, **more) -> Desk:
    desk = hands(Desk, username, **more)
    desk.sign_in()
    desk.works_at(site)
    return desk


def signed_centre(hands) -> Desk:
    desk = hands(Desk, "centre")
    desk.sign_in()
    return desk


def looker(who, axe, foreign: list[str], names: list[str]):
    """Every page of this person is looked at: axe, words of one language, a title that says nothing."""

    def looks(name: str) -> None:
        who.shot(name)
        axe(who.page)
        assert not TELLING.search(who.page.title()), who.page.title()
        foreign.extend(f"{name}: {each}" for each in foreign_words(who.page, who.language, names))

    return looks


@pytest.mark.parametrize(
    ("language", "size"), [("zh-TW", PHONE), ("en", DESK), ("zh-CN", PHONE)], ids=["phone-tw", "desk-en", "phone-cn"]
)
def test_from_the_phone_in_taipei_to_the_counter_in_hualien(story, hands, axe, language, size):
    person = somebody_of(story, TAIPEI)
    enrol(story, person)
    foreign: list[str] = []
    names = [a["display_name"] for a in story.secrets["accounts"]]

    # Taipei, on a telephone: today and the day after tomorrow in Hualien.
    patient = hands(Patient, person, language=language, size=size)
    patient.sign_in()
    looks = looker(patient, axe, foreign, names)
    looks("start")
    patient.asks_for(HUALIEN, [story.day(0), story.day(2)], looks)
    request = patient.request

    # Home approves, the guest site takes them, its prescriber signs for the whole permit.
    home = signed(hands, "tpe.prescriber", TAIPEI)
    home.answers(request, "approve")
    there = signed(hands, "hua.prescriber", HUALIEN)
    if there.state_of(request) == "approved":
        taken = signed(hands, "hua.nurse1", HUALIEN)
        taken.answers(request, "accept")
    there.answers(request, "countersign")
    sees_state(there, request, "confirmed")

    # The pass on the phone.
    patient.go(f"/me/guest/{request}/pass")
    looks("pass")
    expect(patient.page.locator(".pass__qr")).to_be_visible()

    # The counter in Hualien: a touch of the finger enrolled in Taipei.
    nurse = hands(Nurse, "hua.nurse1")
    nurse.opens_the_counter()
    nurse.gives(person)
    [dose] = story.doses_today(person)
    assert (dose.outcome, dose.site, dose.home_site, dose.identity_path) == ("swallowed", HUALIEN, TAIPEI, "finger")
    assert dose.permit is not None
    [line] = story.lines_of(dose.id)
    assert story.row("SELECT site FROM bottle WHERE id = :b", b=line.bottle).site == HUALIEN

    # Seen at home at once; not given a second time there.
    home.go(f"/patients/{person.id}")
    home.reads("花蓮示範醫院")
    again = hands(Nurse, "tpe.nurse1", counter="TPE1-1")
    again.opens_the_counter()
    again.touch(person)
    stopped = again.sees("stopped")
    expect(stopped.locator("[data-reason=already_dosed_today]")).to_be_visible()

    # After the last day the program closes it, with a summary for everybody.
    story.later(days=3)
    story.the_clock_works()
    sees_state(home, request, "closed")
    summary = story.row("SELECT data FROM guest_step WHERE request = :r AND action = 'close'", r=request).data
    assert '"attended":1' in summary and '"booked":2' in summary and '"missed":1' in summary, summary
    assert not foreign, "\n".join(foreign)
    story.verify()


def test_the_same_without_a_telephone(story, hands):
    """A nurse asks for them at their own clinic, prints the pass; in Hualien its code and their PIN call them."""
    person = somebody_of(story, TAIPEI)
    nurse = signed(hands, "tpe.nurse1", TAIPEI)
    nurse.go(f"/patients/{person.id}/guest?site={HUALIEN}")
    nurse.press(nurse.page.locator("label", has=nurse.page.locator(f"input[name=day][value='{story.day(0)}']")))
    nurse.press("#f-agreed")
    nurse.shot("guest-ask")
    nurse.press(nurse.page.get_by_role("button", name=re.compile("^提出申請|^申請|Ask for it")))
    nurse.page.wait_for_url(re.compile("/guest/asked/"))
    request = re.search("/guest/asked/([0-9a-f-]{36})", nurse.page.url).group(1)

    signed(hands, "tpe.prescriber", TAIPEI).answers(request, "approve")
    there = signed(hands, "hua.prescriber", HUALIEN)
    if there.state_of(request) == "approved":
        signed(hands, "hua.nurse1", HUALIEN).answers(request, "accept")
    there.answers(request, "countersign")
    sees_state(there, request, "confirmed")

    nurse.go(f"/guest/asked/{request}")
    expect(nurse.page.locator("[data-print]")).to_be_visible()
    nurse.shot("guest-pass")
    digits = re.sub(r"\D", "", nurse.page.locator(".pass__digits").inner_text())
    assert re.fullmatch(r"\d{6}", digits)

    desk = hands(Nurse, "hua.nurse1")
    desk.opens_the_counter()
    desk.page.fill("#find-text", digits)
    desk.page.keyboard.press("Enter")
    desk.sees("pin")
    desk.page.keyboard.type(person.pin)
    desk.page.keyboard.press("Enter")
    desk.sees("card")
    expect(desk.page.locator("#person h2")).to_have_text(person.number)
    desk.shot("guest-card")
    desk.checks()
    desk.prepares()
    desk.press("#face-matches")
    reasons = desk.page.locator("#face-reason")
    reasons.wait_for()
    desk.press(reasons.locator("button[name=reason]").first)
    desk.sees("handed")
    desk.lets_sign()
    desk.says_swallowed()
    [dose] = story.doses_today(person)
    assert (dose.outcome, dose.site, dose.identity_path) == ("swallowed", HUALIEN, "card")
    story.verify()


def test_with_a_standing_authorisation_it_is_confirmed_in_one_request(story, hands):
    """Authorised in Taipei, signed beforehand in Hualien: one tap on "send" and the pass is there."""
    person = somebody_of(story, TAIPEI)
    home = signed(hands, "tpe.prescriber", TAIPEI)
    home.go(f"/guest/patients/{person.id}/standing")
    home.press(home.page.locator("label", has=home.page.locator("input[name=way][value=anywhere]")))
    home.page.fill("input[name=days_a_year]", "30")
    home.page.fill("input[name=until]", story.day(120))
    home.press("main form.panel button.button--primary, main form.panel button[data-primary]")
    assert story.rows("SELECT id FROM standing_authorisation WHERE patient = :p", p=person.id)
    signed_beforehand(story, person, HUALIEN)

    patient = hands(Patient, person, size=PHONE)
    patient.sign_in()
    patient.asks_for(HUALIEN, [story.day(1)])
    steps = story.rows(
        "SELECT action, by_role, at FROM guest_step WHERE request = :r ORDER BY number", r=patient.request
    )
    assert [(s.action, s.by_role) for s in steps] == [
        ("ask", "patient"), ("authorise", "system"), ("accept", "system"), ("confirm", "system"),
    ]  # fmt: skip
    assert len({s.at for s in steps}) == 1, "one transaction"
    patient.go(f"/me/guest/{patient.request}/pass")
    expect(patient.page.locator(".pass__digits")).to_be_visible()
    story.verify()


def test_a_typhoon_day_for_one_county(story, hands, axe):
    """Hualien's three sites close; everybody due gets a place elsewhere or a person to look after them; and back."""
    due = {row.patient for row in story.rows("SELECT id AS patient FROM patient WHERE home_site LIKE 'HUA%'")}
    centre = signed_centre(hands)
    centre.go("/closures")
    centre.press(centre.page.locator("label", has=centre.page.locator("input[name=scope][value=county]")))
    centre.page.select_option("select[name=county]", "HUA")
    centre.page.fill("input[name=first]", story.day(1))
    centre.press(centre.page.locator("label", has=centre.page.locator("input[name=reason][value=typhoon]")))
    centre.press("main form button.button--primary, main form button[data-primary]")
    centre.page.wait_for_load_state()
    centre.shot("closure-preview")
    axe(centre.page)
    assert not story.rows("SELECT id FROM closure"), "nothing is written by looking"
    centre.press("main form[action='/closures'] button.button--primary, main form[action='/closures'] [data-primary]")
    centre.page.wait_for_url(re.compile(r"/closures/[0-9a-f-]{36}"))
    centre.shot("closure-board")
    axe(centre.page)
    moves = story.rows("SELECT * FROM closure_move")
    assert moves and {m.patient for m in moves} <= due | {m.patient for m in moves if m.from_site.startswith("HUA")}
    moved = [m for m in moves if m.to_site]
    assert moved and all(m.to_site.startswith("TPE") for m in moved), "nowhere in the county"
    places = story.rows(
        "SELECT site, day, COUNT(*) AS n FROM guest_place WHERE day = :d GROUP BY site, day", d=story.day(1)
    )
    assert sum(p.n for p in places) >= sum(1 for m in moved if m.request)

    # The next morning somebody of Hualien stands in Taipei: one touch, one dose, from Taipei's stock.
    person = next(p for p in (story.person("steady", n) for n in range(3)) if p.id in {m.patient for m in moved})
    to_site = next(m.to_site for m in moved if m.patient == person.id)
    story.later(days=1)
    nurse = hands(Nurse, "tpe.nurse1" if to_site == "TPE1" else f"{to_site.lower()}.nurse", counter=f"{to_site}-1")
    nurse.opens_the_counter()
    nurse.gives(person)
    [dose] = story.doses_today(person)
    assert (dose.outcome, dose.site, dose.home_site) == ("swallowed", to_site, "HUA1")

    # It was not so bad after all: what was not used goes back, what was dosed stays.
    centre.go(centre.page.url.removeprefix(story.url))
    if "/sign-in" in centre.page.url or "/locked" in centre.page.url:
        centre = signed_centre(hands)
        centre.go(f"/closures/{moves[0].closure}")
    centre.press("[data-opens=undo]")
    centre.press("#undo form button.button--warning")
    centre.page.wait_for_load_state()
    ended = story.row("SELECT * FROM closure_end WHERE closure = :c", c=moves[0].closure)
    assert ended
    alive = story.rows("SELECT request FROM guest_head WHERE state IN ('confirmed', 'paused') AND request IN"
                       " (SELECT request FROM closure_move WHERE patient <> :p)", p=person.id)
    assert not alive
    assert story.doses_today(person)[0].outcome == "swallowed"
    story.verify()
