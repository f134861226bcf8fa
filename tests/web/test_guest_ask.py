"""Asked for at the desk: for one's own patient, for a guest who stands here and agreed; and the page for everybody."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from ost import canonical
from ost.http import LANGUAGES
from ost.models import audit, guest, lookup, opening
from ost.models import site as sites
from ost.rules.counties import COUNTIES
from ost.services import consents
from ost.services.stranger import tell_about
from ost.services.work import new_id
from ost.web import open_sites
from tests.make import make_account, make_counter, make_guest_site, make_site
from tests.plugins.clients import house_of
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world
from tests.web.test_portal_guest import TELLING, allowed_at_once, text


@pytest.fixture
def world(app, clock):
    return make_world(house_of(app))


@pytest.fixture
def desk(world, pages):
    return pages(world.nurse, site=HOME)


def fields(world, *ahead, **changes) -> dict:
    days = [world.day(n).isoformat() for n in ahead or (2,)]
    return {"request_id": new_id(), "site": THERE, "day": days, "agreed": "1", "scope": "site", **changes}


def requests_of(world) -> list:
    return world.rows(guest.guest_request, patient=world.patient)


# --- one's own patient -------------------------------------------------------------------


def test_one_page_from_the_record_to_the_printed_pass(world, desk):
    allowed_at_once(world)
    url = f"/patients/{world.patient}/guest"
    assert url in text(desk.get(f"/patients/{world.patient}"))
    page = text(desk.get(f"{url}?site={THERE}"))
    assert "Read it out" in page and f'value="{world.day(2).isoformat()}"' in page
    sent = desk.post(url, fields(world, 2, 3, reason="family"))
    (row,) = requests_of(world)
    assert sent.status_code == 303 and sent.location == f"/guest/asked/{row.id}"
    assert (row.by, row.by_role, row.site) == (world.nurse.id, "home", THERE)
    (given,) = world.rows(lookup.consent, id=row.consent)
    assert (given.by, given.until, given.kind) == (world.nurse.id, world.day(3), "guest_dosing"), "taken by the nurse"
    result = text(desk.get(sent.location))
    assert "Print the pass" in result and "data-print" in result and "pass__digits" in result
    assert desk.get(f"{sent.location}/pass.pdf").mimetype == "application/pdf"


def test_opening_the_form_is_a_reading_of_the_record(world, desk):
    desk.get(f"/patients/{world.patient}/guest")
    looked = [r for r in world.rows(audit.record_access, patient=world.patient) if r.page == "guest_ask.form"]
    assert [(r.account, r.site) for r in looked] == [(world.nurse.id, HOME)]


def test_what_is_missing_is_said_and_nothing_is_asked(world, desk):
    for changes, said in (
        ({"agreed": ""}, "tick it when the person agrees"),
        ({"day": []}, "Choose at least one day"),
        ({"day": ["soon"]}, "Choose at least one day"),
        ({"site": ""}, "Choose a site"),
        ({"site": "NONE"}, "Choose a site"),
    ):
        answer = desk.post(f"/patients/{world.patient}/guest", fields(world, **changes))
        assert answer.status_code == 422 and said in text(answer), changes
    assert requests_of(world) == [] and world.rows(lookup.consent) == []


def test_other_days_and_other_sites_are_looked_at_without_asking(world, desk):
    url, later = f"/patients/{world.patient}/guest", world.day(14).isoformat()
    data = fields(world, 2)
    shown = text(desk.post(url, data | {"from": later}))
    assert f'<input type="hidden" name="day" value="{world.day(2).isoformat()}">' in shown and f'value="{later}"' in shown
    assert f'<option value="{FAR}" selected>' in text(desk.post(url, data | {"show": "1", "site": FAR}))
    assert data["request_id"] in shown and requests_of(world) == [] and world.rows(lookup.consent) == []


def test_where_there_is_no_room_others_are_named_and_the_days_stay_chosen(world, desk):
    for _ in range(4):
        world.ask(2, site=NEAR, patient_id=world.another_patient())
    answer = desk.post(f"/patients/{world.patient}/guest", fields(world, 2, site=NEAR))
    assert answer.status_code == 409 and f"site={THERE}&amp;day={world.day(2).isoformat()}" in text(answer)
    assert requests_of(world) == []


def test_the_same_form_twice_is_one_request(world, desk):
    data = fields(world)
    assert len({desk.post(f"/patients/{world.patient}/guest", data).location for _ in range(2)}) == 1
    assert len(requests_of(world)) == 1


def test_another_sites_nurse_asks_for_nobody_here_and_sees_no_pass(world, pages):
    allowed_at_once(world)
    request = world.asked(2).request_id
    other, unknown = pages(world.there, site=THERE), new_id()
    assert other.get(f"/patients/{world.patient}/guest").status_code == 404
    assert other.post(f"/patients/{world.patient}/guest", fields(world)).status_code == 404
    for path in ("", "/pass.pdf"):
        mine, none = other.get(f"/guest/asked/{request}{path}"), other.get(f"/guest/asked/{unknown}{path}")
        assert mine.status_code == none.status_code == 404
    for role in ("coordinator", "auditor", "pharmacist"):
        who = make_account(world.house, role, scope="*" if role == "coordinator" else HOME, scope_kind="network" if role == "coordinator" else "site")  # fmt: skip
        assert pages(who, site=HOME).get(f"/guest/asked/{request}").status_code == 403


# --- a guest at a counter here -----------------------------------------------------------


@pytest.fixture
def counter(world) -> str:
    return make_counter(world.house, THERE)


def stands_at(world, counter, page="counter.touch") -> str:
    """What a touch of the patient leaves at the counter of the guest site."""
    with world.house.work(world.there, THERE, "test.touch") as work:
        work.lock_patients([world.patient])
        told = tell_about(work, world.patient, page)
        said = {"code": "known_elsewhere", "at": work.now, "dosed_today": False, "line": told.line}
        c = sites.counter
        work.tx.execute(sa.update(c).where(c.c.id == counter).values(notice=canonical.text(said)))
    return told.line


def seen_elsewhere(world) -> str:
    registrar = make_account(world.house, "registrar", scope=HOME)
    return consents.give(world.house, registrar, world.patient, consents.FOUND_ELSEWHERE, world.day(30))


def test_a_guest_who_showed_who_they_are_is_asked_for_on_the_spot(world, counter, pages):
    seen_elsewhere(world)
    line = stands_at(world, counter)
    browser = pages(world.there, site=THERE, counter=counter)
    page = text(browser.get(f"/counter/{counter}/guest"))
    assert f'name="line" value="{line}"' in page and "Read it out" in page
    sent = browser.post(f"/counter/{counter}/guest", fields(world, 0, line=line, site=FAR))
    (row,) = requests_of(world)
    assert sent.status_code == 303 and (row.by_role, row.by, row.site) == ("guest", world.there.id, THERE)
    assert browser.get(sent.location).status_code == 200


def test_nobody_is_asked_for_who_does_not_stand_there_or_did_not_agree(world, counter, pages):
    browser, url = pages(world.there, site=THERE, counter=counter), f"/counter/{counter}/guest"

    def refused(line: str) -> None:
        assert browser.get(url).status_code >= 400
        assert browser.post(url, fields(world, 0, line=line)).status_code >= 400
        assert requests_of(world) == []

    refused("")
    line = stands_at(world, counter)
    refused(line)  # no consent to be seen here
    given = seen_elsewhere(world)
    typed = stands_at(world, counter, page="counter.number")
    refused(typed)  # a number can be typed with nobody there
    newer = stands_at(world, counter)
    assert browser.post(url, fields(world, 0, line=line)).status_code >= 400, "the next person's form is not the last's"
    assert requests_of(world) == []
    consents.end(world.house, make_account(world.house, "registrar", scope=HOME), given)
    refused(newer)


def test_only_a_counter_of_ones_own_site_tells(world, counter, pages):
    seen_elsewhere(world)
    line = stands_at(world, counter)
    browser = pages(world.nurse, site=HOME)
    assert browser.get(f"/counter/{counter}/guest").status_code >= 400
    assert browser.post(f"/counter/{counter}/guest", fields(world, 0, line=line)).status_code >= 400
    assert browser.get("/counter/NONE-1/guest").status_code >= 400


# --- the page for everybody ----------------------------------------------------------------


@pytest.fixture
def anybody(world, pages):
    return pages()


def close(world, day, *, site=FAR, why="typhoon", closure="c1"):
    values = {"site": site, "day": day, "closed": True, "why": why, "closure": closure, "by": "x", "at": world.house.now()}
    with world.house.db.begin() as tx:
        tx.execute(opening.site_day.insert().values(**values))
    world.house.memo.clear()


def test_open_clinics_of_today_and_tomorrow_without_a_sign_in(world, anybody):
    close(world, world.day(1))
    today, tomorrow = text(anybody.get("/open-sites")), text(anybody.get("/open-sites?day=tomorrow"))
    assert "4 of 4 clinics are open" in today and "be there by 11:30" in today and "07:00–12:00" in today
    assert "3 of 4 clinics are open" in tomorrow and "closed for an emergency" in tomorrow
    assert re.search(r"2026-03-10 \(ROC\s115", today) and re.search(r"2026-03-11 \(ROC\s115", tomorrow)


def test_holidays_and_own_closures_are_marked_and_unlisted_sites_left_out(world, anybody, clock):
    h, g = opening.site_hours, opening.guest_site
    with world.house.db.begin() as tx:
        tx.execute(h.delete().where(h.c.site == NEAR, h.c.weekday == 8))
        tx.execute(g.update().where(g.c.site == FAR).values(listed=False))
    clock.move_to(world.house.now().replace(month=4, day=4, hour=1))  # Children's Day, a Saturday
    close(world, world.house.now().date(), site=THERE, why="training", closure=None)
    page = text(anybody.get("/open-sites"))
    assert "public holiday:" in page and "1 of 3 clinics are open" in page
    assert "closed for training" in page and "Kaohsiung" not in page.replace("KHH", "")


def test_it_says_nothing_of_patients_or_of_what_is_given(world, anybody):
    allowed_at_once(world)
    world.asked(0)
    for language in LANGUAGES:
        anybody.client.set_cookie("ost_language", language)
        answer = anybody.get("/open-sites")
        page = text(answer)
        title = re.search(r"<title>(.*?)</title>", page, re.S)[1]
        assert not TELLING.search(title.replace("clinics", "")) and "places" not in page and world.patient not in page
        assert "<script" not in page and " style=" not in page
        assert not re.search("methadone|美沙冬|美沙酮|丁丙諾啡", page)
    shared = sum(len(anybody.get(f"/static/{f}").data) for f in ("build/me.css", "icons.svg", "mark.svg"))
    assert len(answer.data) + shared < 100_000


def test_it_is_light_with_every_site_of_the_country(world, anybody):
    codes = [code for code in COUNTIES if code != "HUA"]
    for number in range(164):
        make_site(world.house, f"S{number}", codes[number % len(codes)], number_prefix=f"{number:03}")
        make_guest_site(world.house, f"S{number}", 25_000_000 + number * 100, 121_500_000)
    shared = sum(len(anybody.get(f"/static/{f}").data) for f in ("build/me.css", "icons.svg", "mark.svg"))
    close(world, world.today)
    first, county = anybody.get("/open-sites"), anybody.get("/open-sites?county=HUA")
    assert "167 of 168" in text(first) and "closed for an emergency" in text(first), "what is closed stands on the first page"
    assert "/open-sites?county=TPE" in text(first) and "07:00–12:00" in text(county)
    assert len(first.data) + shared < 100_000 and len(county.data) + shared < 100_000


def test_readers_share_one_look_and_a_closure_is_seen_soon(world, anybody, monkeypatch):
    looked = []
    monkeypatch.setattr(open_sites.find_place, "places", _counted(open_sites.find_place.places, looked))
    for _ in range(5):
        assert anybody.get("/open-sites").status_code == 200
    assert len(looked) == 1
    values = {"site": FAR, "day": world.today, "closed": True, "closure": "c", "by": "x", "at": world.house.now()}
    with world.house.db.begin() as tx:
        tx.execute(opening.site_day.insert().values(**values))
    monkeypatch.setattr(open_sites, "FRESH_S", 0)
    assert "closed for an emergency" in text(anybody.get("/open-sites")) and len(looked) == 2


def _counted(function, calls: list):
    def counted(*args, **kwargs):
        calls.append(args)
        return function(*args, **kwargs)

    return counted


def test_strange_questions_get_the_same_page(world, anybody):
    for asked in ("?county=<script>", "?county=XXX", "?day=yesterday", "?day=tomorrow&county=KHH"):
        answer = anybody.get(f"/open-sites{asked}")
        assert answer.status_code == 200 and "<script" not in text(answer)
    kept = [key for key in world.house.memo if key[0] == "open_sites"]
    assert len(kept) <= 2 * (len(LANGUAGES)) * 23
