"""The desks of guest dosing as pages: who sees what, one tap answers, and nothing of a person leaves for the centre."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost.models import guest, opening, patient
from ost.rules import guest as rules
from ost.services import holds
from ost.services.guest import answer, countersign, notices, settings
from ost.services.guest.ask import Asked, Wanted, ask
from ost.services.guest.consent import NewConsent
from ost.services.work import SYSTEM, new_id
from tests import make
from tests.plugins.clients import house_of
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world
from tests.web.test_desk import text_of

NAME = "歐陽菲菲"
DESKS = ("/guest/requests", "/guest/incoming", "/guest/on-call", "/guest/settings")


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def world(house, clock):
    world = make_world(house, at_once=0)
    world.extra["name"] = NAME
    return world


@pytest.fixture
def named(house, world) -> str:
    """A patient of the home site whose name and number no page may leak."""
    person = make.make_patient(house, HOME, name=NAME, number="Q-7788")
    make.make_prescription(house, person, sites=(HOME,))
    return person


@pytest.fixture
def home(pages, world):
    return pages(world.prescriber, site=HOME)


@pytest.fixture
def there(pages, world):
    return pages(world.there, site=THERE)


@pytest.fixture
def signer(pages, world):
    return pages(world.there_prescriber, site=THERE)


@pytest.fixture
def centre(pages, world):
    return pages(world.centre)


def asked(world, person: str | None = None, *ahead: int, site: str = THERE) -> Asked:
    days = tuple(world.day(n) for n in ahead or (2, 3))
    agreed = NewConsent(world.day(60), anywhere=True)
    said = ask(world.house, world.nurse, Wanted(new_id(), person or world.patient, site, days, "family", agreed))
    assert isinstance(said, Asked), said
    return said


def step_of(world, request: str) -> int:
    return world.rows(guest.guest_head, request=request)[0].step


def press(window, world, request: str, action: str, **fields):
    return window.post(f"/guest/requests/{request}/{action}", {"step": str(step_of(world, request)), **fields})


def hold(world, reason: str) -> None:
    plan = {"kind": "clinical", "reason_code": reason, "come_back_on": world.day(1), "call": "03-000", "site_id": HOME}
    holds.place(world.house, world.nurse, world.patient, **plan)


# --- home ---------------------------------------------------------------------------


def test_what_waits_for_us_comes_first_by_age_and_says_number_site_and_days(world, pages, clock):
    first = asked(world)
    clock.shift(timedelta(minutes=31))
    second = asked(world, world.another_patient(), 5)
    page = pages(world.prescriber, site=HOME).get("/guest/requests").get_data(as_text=True)
    assert page.index(first.request_id) < page.index(second.request_id)
    assert "waits 31 min" in page and "is-late" in page and "waits 0 min" in page
    numbers = {r.id: r.number for r in world.rows(patient.patient)}
    assert numbers[world.patient] in page and "陳大明" not in page  # numbers are called, never names


def test_one_screen_has_the_facts_and_one_tap_approves(world, home):
    said = asked(world)
    page = text_of(home.get(f"/guest/requests/{said.request_id}"))
    for word in ("60 mg", "this dose since", "Missed days", "Holds", "Last visit", "Order valid", "Other guest stays"):
        assert word in page, word
    assert "Approve 2 days" in page and "Decline" in page and "Ask the patient" in page
    assert press(home, world, said.request_id, "approve").headers["Location"] == "/guest/requests"
    assert world.state(said.request_id) == rules.APPROVED
    assert "With somebody else" in text_of(home.get("/guest/requests"))


def test_a_decline_needs_a_reason_of_the_list_and_shows_up_as_answered(world, home):
    said = asked(world)
    assert press(home, world, said.request_id, "decline").status_code == 422
    assert press(home, world, said.request_id, "decline", reason="because").status_code == 422
    assert world.state(said.request_id) == rules.ASKED
    assert press(home, world, said.request_id, "decline", reason="not_stable").status_code == 302
    assert world.state(said.request_id) == rules.DECLINED
    assert "Answered and over in the last 14 days: 1" in text_of(home.get("/guest/requests"))


def test_a_question_waits_for_the_patient_and_the_answer_for_us(world, home, pages):
    said = asked(world)
    assert press(home, world, said.request_id, "question", text=" ").status_code == 422
    press(home, world, said.request_id, "question", text="Which train?")
    assert world.state(said.request_id) == rules.QUESTION
    case = pages(make.make_account(world.house, "case_manager"), site=HOME)
    assert "Which train?" in text_of(case.get(f"/guest/requests/{said.request_id}"))
    press(case, world, said.request_id, "answer", text="At nine")
    assert world.state(said.request_id) == rules.ASKED
    assert "At nine" in text_of(home.get(f"/guest/requests/{said.request_id}"))


def test_what_changed_since_it_was_shown_is_not_approved_unseen(world, home):
    said = asked(world)
    shown = str(step_of(world, said.request_id))
    answer.question(world.house, world.prescriber, said.request_id, "?")
    late = home.post(f"/guest/requests/{said.request_id}/approve", {"step": shown})
    assert late.status_code == 409 and world.state(said.request_id) == rules.QUESTION


def test_a_hold_placed_meanwhile_stops_the_tap_and_says_why(world, home):
    said = asked(world)
    hold(world, "medical_review")
    page = home.get(f"/guest/requests/{said.request_id}")
    assert "disabled" in page.get_data(as_text=True) and "hold" in text_of(page).lower()
    no = press(home, world, said.request_id, "approve")
    assert no.status_code == 409 and "Not done" in text_of(no)
    assert world.state(said.request_id) == rules.ASKED


def test_a_nurse_asks_and_cancels_but_does_not_approve(world, pages):
    said = asked(world)
    nurse = pages(world.nurse, site=HOME)
    page = text_of(nurse.get(f"/guest/requests/{said.request_id}"))
    assert "Approve 2 days" not in page and "Cancel for the patient" in page
    assert press(nurse, world, said.request_id, "approve").status_code == 403
    assert press(nurse, world, said.request_id, "cancel").status_code == 302
    assert world.state(said.request_id) == rules.CANCELLED


def test_a_delegate_on_call_sees_and_answers_for_the_site_and_nobody_else_does(world, pages, house):
    make.make_site(house, "ILA1", "ILA")
    away = make.make_account(house, "prescriber", scope="ILA1")
    said = asked(world)
    window = pages(away, site="ILA1")
    assert window.get(f"/guest/requests/{said.request_id}").status_code == 404
    assert said.request_id not in window.get("/guest/requests").get_data(as_text=True)
    boss = pages(world.prescriber, site=HOME)
    local = {"from_day": "115/3/10", "from_time": "0700", "until_day": "115/3/11", "until_time": "8:00"}
    assert boss.post("/guest/on-call", {"account": away.id, **local, "until_time": "25:00"}).status_code == 422
    assert boss.post("/guest/on-call", {"account": away.id, **local}).status_code == 302
    assert "now" in text_of(boss.get("/guest/on-call"))
    page = window.get("/guest/requests").get_data(as_text=True)
    assert said.request_id in page and "on call for" in page
    assert press(window, world, said.request_id, "approve").status_code == 302
    row = world.rows(guest.on_call)[0].id
    assert boss.post(f"/guest/on-call/{row}/end").status_code == 302
    again = asked(world, world.another_patient(), 6)
    assert window.get(f"/guest/requests/{again.request_id}").status_code == 404


@pytest.mark.parametrize(
    "way",
    [
        {"way": "anywhere"},
        {"way": "sites", "sites": THERE},
        {"way": "radius", "radius_km": "150"},
        {"way": "corridor", "corridor_from": HOME, "corridor_to": THERE, "corridor_km": "20"},
    ],
    ids=lambda w: w["way"],
)
def test_authorised_beforehand_by_each_way_a_request_is_approved_at_once(world, home, way):
    url = f"/guest/patients/{world.patient}/standing"
    rest = {"days_a_year": "30", "until": "115/9/1"}
    assert home.post(url, {**rest}).status_code == 422  # no way chosen
    assert home.post(url, {**way, **rest, "until": "114/1/1"}).status_code == 422
    assert home.post(url, {**way, **rest, "days_a_year": "0"}).status_code == 422
    assert not world.rows(guest.standing_authorisation)
    assert home.post(url, {**way, **rest}).status_code == 302
    assert asked(world).state == rules.APPROVED
    given = world.rows(guest.standing_authorisation)[0].id
    assert home.post(f"{url}/{given}/end").status_code == 302
    assert asked(world, None, 9).state == rules.ASKED


def test_a_day_is_taken_back_in_one_step_and_news_are_seen_once(world, pages, there):
    said = confirmed(world)
    home = pages(world.nurse, site=HOME)
    page = text_of(home.get(f"/guest/requests/{said.request_id}"))
    assert "Take this day back" in page
    day = said.days[0].isoformat()
    assert home.post(f"/guest/requests/{said.request_id}/days/{day}/back").status_code == 302
    assert home.post(f"/guest/requests/{said.request_id}/days/yesterday/back").status_code == 404
    assert [r.day for r in world.rows(guest.permit_day_end)] == [said.days[0]]
    with world.house.work(SYSTEM, HOME, "test.notice") as work:
        row = work.tx.execute(sa.select(guest.guest_request)).first()
        notices.tell_site(work, HOME, row, notices.UNUSED_DAY, day=said.days[0])
        work.payload = {"told": 1}
    assert "a guest day passed without a dose" in text_of(home.get("/guest/requests"))
    notice = world.rows(guest.guest_notice, site=HOME)[0].id
    assert there.post(f"/guest/notices/{notice}/seen").status_code == 403
    home.post(f"/guest/notices/{notice}/seen")
    assert "a guest day passed without a dose" not in text_of(home.get("/guest/requests"))


def confirmed(world, person: str | None = None, *ahead: int) -> Asked:
    said = asked(world, person, *ahead)
    answer.approve(world.house, world.prescriber, said.request_id)
    answer.accept(world.house, world.there, said.request_id)
    countersign.countersign(world.house, world.there_prescriber, said.request_id)
    assert world.state(said.request_id) == rules.CONFIRMED
    return said


# --- the guest site ---------------------------------------------------------------------


def test_guests_by_day_with_places_in_words_and_the_answer_in_one_tap(world, there, signer):
    said = asked(world)
    answer.approve(world.house, world.prescriber, said.request_id)
    page = text_of(there.get("/guest/incoming"))
    assert "Accept or refuse" in page and "1 of 4 taken, 3 free" in page and "0 of 4 taken, 4 free" in page
    assert "Accept 2 days" in text_of(there.get(f"/guest/requests/{said.request_id}?back=incoming"))
    done = press(there, world, said.request_id, "accept", back="incoming")
    assert done.headers["Location"] == "/guest/incoming" and world.state(said.request_id) == rules.ACCEPTED
    # The nurse does not sign; the prescriber does, for all days.
    assert "For the prescriber to sign" in text_of(signer.get("/guest/incoming"))
    assert press(there, world, said.request_id, "countersign").status_code == 403
    assert press(signer, world, said.request_id, "countersign", back="incoming").status_code == 302
    assert world.state(said.request_id) == rules.CONFIRMED
    assert "day 1 of 2" in text_of(there.get("/guest/incoming"))


def test_refused_with_a_reason_other_places_are_named(world, there):
    said = asked(world)
    answer.approve(world.house, world.prescriber, said.request_id)
    assert press(there, world, said.request_id, "refuse").status_code == 422
    done = press(there, world, said.request_id, "refuse", reason="no_staff")
    assert done.status_code == 200 and "nearest places with room" in text_of(done)
    assert world.state(said.request_id) == rules.NOT_ACCEPTED


def test_signed_in_advance_it_is_confirmed_with_the_acceptance(world, there, signer):
    said = asked(world)
    answer.approve(world.house, world.prescriber, said.request_id)
    assert "Sign in advance" in text_of(signer.get(f"/guest/requests/{said.request_id}"))
    press(signer, world, said.request_id, "countersign")
    press(there, world, said.request_id, "accept")
    assert world.state(said.request_id) == rules.CONFIRMED


def test_after_the_policys_minutes_a_prescriber_there_orders_having_looked(world, signer, pages, clock):
    said = asked(world)
    assert "Nobody at home answered" not in text_of(signer.get("/guest/incoming"))
    early = text_of(signer.get(f"/guest/requests/{said.request_id}"))
    assert "you may order in its place from" in early and "Order in the home" not in early
    assert press(signer, world, said.request_id, "take_over").status_code == 409
    clock.shift(timedelta(minutes=30))
    signer, nurse = pages(world.there_prescriber, site=THERE), pages(world.there, site=THERE)
    assert "Nobody at home answered" in text_of(signer.get("/guest/incoming"))
    assert "Nobody at home answered" not in text_of(nurse.get("/guest/incoming"))  # a nurse signs nothing
    assert "Order in the home prescriber" in text_of(signer.get(f"/guest/requests/{said.request_id}"))
    assert press(signer, world, said.request_id, "take_over").status_code == 302
    assert world.state(said.request_id) == rules.APPROVED and len(world.rows(guest.guest_countersign)) == 1


def test_places_over_what_there_is_are_said_in_words(world, there, house):
    for n in range(3):
        asked(world, world.another_patient() if n else None, 2)
    head = make.make_account(house, "prescriber", scope=THERE)
    fewer = settings.Hours("07:00", "11:30", "12:00", 2, 0)
    settings.set_hours(house, head, THERE, dict.fromkeys(settings.WEEKDAYS, fewer), 1)
    assert "3 of 2 taken, 1 too many" in text_of(there.get("/guest/incoming"))


# --- others ---------------------------------------------------------------------------


def test_another_sites_desk_sees_nothing_and_changes_nothing(world, named, pages, house):
    said = asked(world, named)
    for role in ("nurse", "prescriber", "case_manager"):
        window = pages(make.make_account(house, role, scope=FAR), site=FAR)
        for url in ("/guest/requests", "/guest/incoming"):
            page = window.get(url).get_data(as_text=True)
            assert said.request_id not in page and "Q-7788" not in page
        assert window.get(f"/guest/requests/{said.request_id}").status_code == 404
        assert window.get(f"/guest/patients/{named}/standing").status_code == 404
        for action in ("approve", "decline", "accept", "refuse", "question", "countersign", "take_over", "cancel"):
            done = window.post(f"/guest/requests/{said.request_id}/{action}", {"reason": "other", "text": "?"})
            assert done.status_code in (403, 404), (role, action)
        day = said.days[0].isoformat()
        assert window.post(f"/guest/requests/{said.request_id}/days/{day}/back").status_code in (403, 404)
    assert world.state(said.request_id) == rules.ASKED and len(world.rows(guest.guest_step)) == 1


def test_nobody_without_the_permission_opens_a_desk(world, pages, house):
    for role, urls in (("pharmacist", DESKS), ("registrar", DESKS), ("nurse", ("/guest/settings", "/guest/centre"))):
        window = pages(make.make_account(house, role), site=HOME)
        for url in urls:
            assert window.get(url).status_code == 403, (role, url)
    for url in (*DESKS, "/guest/centre", "/guest/figures"):
        assert pages().get(url).status_code in (302, 401)
    assert pages(world.prescriber, site=HOME).get("/guest/centre").status_code == 403
    assert pages(make.make_account(house, "coordinator")).get("/guest/centre").status_code == 403  # one site is not all


# --- the centre -------------------------------------------------------------------------


def test_the_centre_sees_numbers_and_needs_and_never_a_person(world, named, home, pages, clock):
    said = asked(world, named)
    press(home, world, said.request_id, "question", text=f"{NAME}, where?")
    other = asked(world, None, 4)
    clock.shift(timedelta(minutes=45))
    centre = pages(world.centre)
    row = world.rows(patient.patient, id=named)[0]
    secrets = (named, row.number, NAME, world.patient, "A123456789", "1979", row.national_id_mac, row.card_mac)
    for url in ("/guest/centre", f"/guest/centre/{said.number}", f"/guest/centre/{other.number}"):
        answer_ = centre.get(url)
        page = answer_.get_data(as_text=True)
        assert answer_.status_code == 200
        for secret in secrets:
            assert secret not in page, (url, secret)
        assert said.request_id not in page and other.request_id not in page  # the number names it
    page = text_of(centre.get("/guest/centre"))
    assert "waits for the patient" in page and "45 min" in page and "methadone" in page
    assert centre.get("/guest/centre/999").status_code == 404
    for url in (f"/guest/requests/{said.request_id}", f"/patients/{named}", "/guest/requests"):
        assert centre.get(url).status_code in (403, 404)


def test_a_late_request_is_marked_and_another_place_offered_nearest_first(world, centre, pages, clock):
    said = asked(world)
    assert "It waits" not in text_of(centre.get(f"/guest/centre/{said.number}"))
    clock.shift(timedelta(minutes=30))
    centre = pages(world.centre)
    page = centre.get(f"/guest/centre/{said.number}").get_data(as_text=True)
    assert "It waits 30 min, longer than 30 min" in page
    assert page.index(f'value="{NEAR}"') < page.index(f'value="{FAR}"') and f'value="{HOME}"' not in page
    step = {"step": str(step_of(world, said.request_id))}
    assert centre.post(f"/guest/centre/{said.number}/offer", {"site": NEAR, **step}).status_code == 302
    assert world.state(said.request_id) == rules.OFFERED
    assert {p.site for p in world.places(request=said.request_id)} == {THERE, NEAR}
    assert centre.post(f"/guest/centre/{said.number}/offer", {"site": FAR, **step}).status_code == 409  # shown before
    step = {"step": str(step_of(world, said.request_id))}
    assert centre.post(f"/guest/centre/{said.number}/withdraw", step).status_code == 302
    assert world.state(said.request_id) == rules.ASKED
    assert {p.site for p in world.places(request=said.request_id)} == {THERE}


def test_what_stands_against_a_person_is_not_said_to_the_centre(world, centre):
    said = asked(world)
    hold(world, "intoxication")
    no = centre.post(f"/guest/centre/{said.number}/offer", {"site": NEAR})
    page = text_of(no)
    assert no.status_code == 409 and "Something about the person stands against it" in page
    assert "hold" not in page.lower() and "intoxication" not in page


def test_free_places_and_unmet_demand_by_county_hide_small_numbers(world, centre, house):
    asked(world, None, 1)
    page = text_of(centre.get("/guest/centre"))
    assert re.search(r"Taipei 2 8 7 8", page), page  # two sites with four places each; one is taken tomorrow
    people = [world.another_patient() for _ in range(6)]
    with house.work(SYSTEM, HOME, "test.unmet") as work:
        for n, person in enumerate(people):
            row = {"home_site": HOME, "site": FAR, "day": world.day(2), "why": "guest_day_full", "at": work.now}
            work.add(guest.guest_unmet, id=new_id(), patient=person, county="KHH", **row)
            if n < 2:
                work.add(guest.guest_unmet, id=new_id(), patient=person, county="ILA", **row)
    page = text_of(centre.get("/guest/centre"))
    assert "Kaohsiung 6" in page and "fewer than 5" in page and "Yilan 2" not in page


# --- settings and figures ---------------------------------------------------------------


def hours_form(**changes) -> dict:
    form = {"version": "1"}
    for day in settings.WEEKDAYS:
        form |= {f"open_{day}": "1", f"opens_{day}": "700", f"last_dose_{day}": "11:30", f"closes_{day}": "1200"}
        form |= {f"places_{day}": "4", f"at_once_{day}": "1"}
    return form | changes


def test_hours_are_typed_as_people_type_them_and_a_booked_day_closes_only_when_said_twice(world, home, pages):
    boss = pages(world.there_prescriber, site=THERE)
    page = text_of(boss.get("/guest/settings"))
    assert "Public holidays ahead" in page and "Tomb-Sweeping Day" in page and "2026-04-05 (ROC 115/04/05)" in page
    assert boss.post("/guest/settings/hours", hours_form(opens_3="7.5")).status_code == 422
    assert boss.post("/guest/settings/hours", hours_form()).status_code == 302
    assert world.rows(opening.site_hours, site=THERE, weekday=3)[0].opens == "07:00"
    asked(world, None, 2)  # a Thursday
    form = hours_form(version="2")
    del form["open_4"]
    warned = boss.post("/guest/settings/hours", form)
    assert warned.status_code == 409 and "Guests are booked on days that would close" in text_of(warned)
    assert "save all the same" in text_of(warned).lower()
    assert boss.post("/guest/settings/hours", form | {"anyway": "1"}).status_code == 302
    assert "is closed, and 1 guests are booked" in text_of(boss.get("/guest/settings"))
    assert boss.post("/guest/settings/hours", hours_form(version="2")).status_code == 409  # an older page


def test_leaving_the_list_reaches_every_request_there_at_once(world, pages):
    said, open_ = confirmed(world), asked(world, world.another_patient(), 6)
    boss = pages(world.there_prescriber, site=THERE)
    assert boss.post("/guest/settings/listed", {"listed": "0", "version": "1"}).status_code == 302
    assert {world.state(said.request_id), world.state(open_.request_id)} == {rules.ENDED}
    assert not [p for p in world.places(site=THERE) if p.day >= world.today]
    admin = pages(make.make_account(world.house, "admin", scope=NEAR), site=NEAR)
    assert admin.post("/guest/settings/designation", {"version": "1", "active": "1"}).status_code == 302
    assert boss.post("/guest/settings/designation", {"version": "2", "active": "1"}).status_code == 403


def test_figures_by_page_and_by_program(world, home, api, pages, house, clock):
    confirmed(world)
    page = text_of(home.get("/guest/figures?by=site"))
    assert "Guest attendance by days" in page and "Guest attendance by applications" in page and "nothing is hidden" in page
    reader = make.make_account(house, "health_department_reader", scope="*", scope_kind="network")
    assert "whole months that are over" in text_of(pages(reader).get("/guest/figures")).lower()
    asked_for = {"from": "2026-02-01", "to": "2026-02-28", "by": "county"}
    answer_ = api(reader).get("/api/v1/indicators/guest_requests", **asked_for)
    found = answer_.get_json()
    assert answer_.status_code == 200 and set(found) == {"name", "definition", "parameters", "as_of", "rows"}
    assert found["parameters"]["least"] == 5 and all(row["suppressed"] for row in found["rows"])
    assert set(found["rows"][0]) == {"key", "numerator", "denominator", "value", "suppressed"}
    own = api(world.prescriber).get("/api/v1/indicators/guest_requests", **{"from": "2026-03-01", "to": "2026-03-31"})
    assert own.get_json()["rows"] == [
        {"key": "all", "numerator": 1, "denominator": None, "value": 1, "suppressed": False}
    ]
    assert api(reader).get("/api/v1/indicators/guest_requests", **{"from": "2026-03-01", "to": "2026-03-10"}).status_code == 422
    assert api(reader).get("/api/v1/indicators/names", **asked_for).status_code == 404
    assert api(world.nurse).get("/api/v1/indicators/guest_requests", **asked_for).status_code == 403
    for secret in (world.patient, "陳大明"):
        assert secret not in answer_.get_data(as_text=True)


def test_whoever_works_at_no_site_is_led_to_their_page(world, centre, pages, house):
    assert centre.get("/").headers["Location"] == "/guest/centre"
    reader = make.make_account(house, "health_department_reader", scope="TPE", scope_kind="county")
    assert pages(reader).get("/", follow_redirects=True).status_code == 200
