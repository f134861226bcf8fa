"""A place elsewhere as its person meets it: asked for page by page, every state, nothing of anybody else's."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from pypdf import PdfReader

from ost.http import LANGUAGES
from ost.models import guest, lookup
from ost.models.fee import fee_item
from ost.models.patient import patient as patients
from ost.rules import guest as rules
from ost.services.guest import answer as verbs
from ost.services.guest import centre, passes
from ost.services.guest.ask import Asked
from ost.services.work import new_id
from ost.web import county_map, guest_view
from tests.plugins.clients import house_of, sign_in_patient
from tests.services.guest_world import FAR, HOME, NEAR, THERE, make_world

#: What a stranger over the shoulder, a history or a list of tabs must not learn.
TELLING = re.compile(r"methadone|buprenorphine|opioid|dose|treatment|clinic|addict|美沙冬|給藥|服藥|成癮", re.I)


@pytest.fixture
def world(app, clock):
    return make_world(house_of(app))


@pytest.fixture
def me(world, mine):
    return mine(world.patient)


def text(response) -> str:
    return response.get_data(as_text=True)


def requests_of(world, person=None) -> list:
    return world.rows(guest.guest_request, patient=person or world.patient)


def form_of(page: str, action: str) -> list[tuple[str, str]]:
    """The hidden fields of the form with that action, as a browser would send them."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.S)
    assert form, f"no form for {action}"
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0])
    return [(name, value) for name, value in fields if name != "csrf_token"]


def query(*pairs) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


def check_url(world, *ahead, site=THERE, **more) -> str:
    days = [("day", world.day(n).isoformat()) for n in ahead or (2,)]
    return "/me/guest/check?" + query(("site", site), *days, ("scope", "site"), ("agreed", site), *more.items())


def send(me, world, *ahead, **more):
    """As the check page's form sends it."""
    page = text(me.get(check_url(world, *ahead, **more)))
    pairs = form_of(page, "/me/guest/send")
    data = {name: [v for n, v in pairs if n == name] for name, _ in pairs}
    return me.post("/me/guest/send", data)


def allowed_at_once(world) -> None:
    world.no_countersign()
    world.allow()


# --- asking, page by page ------------------------------------------------------------


def test_from_the_place_to_the_pass_by_links_and_forms_alone(world, me):
    allowed_at_once(world)
    assert 'href="/me/guest"' in text(me.get("/me"))
    assert "/me/guest/where" in text(me.get("/me/guest"))
    where = text(me.get("/me/guest/where?q=taipei"))
    assert f"/me/guest/days?site={THERE}" in where and f"site={FAR}" not in where
    days = text(me.get(f"/me/guest/days?site={THERE}"))
    first = world.day(1).isoformat()
    assert f'value="{first}"' in days and "4 free places" in days
    why = text(me.get(f"/me/guest/why?site={THERE}&day={first}"))
    assert "family" in why and 'value="" checked' in why
    agree = text(me.get(f"/me/guest/agree?site={THERE}&day={first}&reason=family"))
    assert "It will see:" in agree and "It will not see:" in agree
    check = me.get(f"/me/guest/check?site={THERE}&day={first}&reason=family&scope=site&until={first}&agreed={THERE}")
    assert "It is confirmed as soon as you send it" in text(check) and "What it costs" in text(check)
    pairs = form_of(text(check), "/me/guest/send")
    sent = me.post("/me/guest/send", dict(pairs))
    assert sent.status_code == 303
    (row,) = requests_of(world)
    assert (row.site, row.reason, row.by, row.by_role) == (THERE, "family", f"patient:{world.patient}", "patient")
    page = text(me.get(sent.location))
    assert "Confirmed" in page and "Show my pass" in page and world.state(row.id) == rules.CONFIRMED
    (given,) = world.rows(lookup.consent, id=row.consent)
    assert (given.kind, given.until) == ("guest_dosing", world.day(1))
    digits = passes.for_patient(world.house, world.patient, world.rows(guest.guest_permit)[0].id).digits
    shown = text(me.get(f"/me/guest/{row.id}/pass"))
    assert f"<span>{digits[:3]}</span> <span>{digits[3:]}</span>" in shown and "data:image/svg+xml;base64," in shown


def test_without_an_authorisation_it_says_who_has_it_and_what_is_missing(world, me):
    assert "Your clinic looks at it first" in text(me.get(check_url(world)))
    page = text(me.get(send(me, world).location))
    assert "Your clinic has it" in page and "the approval of your clinic is missing" in page
    assert "Show my pass" not in page


def test_sent_twice_it_is_asked_once(world, me):
    page = text(me.get(check_url(world)))
    data = dict(form_of(page, "/me/guest/send"))
    first, second = me.post("/me/guest/send", data), me.post("/me/guest/send", data)
    assert first.location == second.location and len(requests_of(world)) == 1


def test_nothing_is_asked_without_agreeing_to_that_very_site(world, me):
    for agreed in ("", FAR, HOME, "1"):
        url = check_url(world).replace(f"agreed={THERE}", f"agreed={agreed}")
        page = text(me.get(url))
        assert 'type="checkbox" name="agreed"' in page and "required" in page
        data = dict(form_of(page, "/me/guest/send")) | {"agreed": agreed}
        answer = me.post("/me/guest/send", data)
        assert answer.status_code == 422 and "only be asked for when you agree" in text(answer)
    assert requests_of(world) == [] and world.rows(lookup.consent) == []


def test_what_stands_against_it_is_said_before_sending_with_places_to_pick(world, me):
    url = check_url(world, 2, site=NEAR)
    for _ in range(4):
        world.ask(2, site=NEAR, patient_id=world.another_patient(), actor=world.nurse)
    page = text(me.get(url))
    assert "This cannot be asked for" in page and "/me/guest/send" not in page
    assert f"/me/guest/check?site={THERE}&amp;" in page, "one tap to the next place with room"
    assert f"site={HOME}&" not in page


def test_a_place_that_goes_while_the_page_is_open_is_refused_with_others_and_nothing_is_booked(world, me):
    page = text(me.get(check_url(world, 2, site=NEAR)))
    data = dict(form_of(page, "/me/guest/send"))
    for _ in range(4):
        assert isinstance(world.ask(2, site=NEAR, patient_id=world.another_patient()), Asked)
    answer = me.post("/me/guest/send", data)
    assert answer.status_code == 409 and "Nothing was booked" in text(answer)
    assert f"/me/guest/check?site={THERE}" in text(answer) and requests_of(world) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"site": "NONE"},
        {"site": ""},
        {"day": "tomorrow"},
        {"day": "2026-02-31"},
        {"reason": "drop table"},
        {"until": "1999-01-01"},
        {"scope": "galaxy"},
        {"request_id": "x" * 500},
    ],
)
def test_a_form_that_was_tampered_with_books_nothing_it_did_not_say(world, me, changes):
    data = dict(form_of(text(me.get(check_url(world))), "/me/guest/send"))
    answer = me.post("/me/guest/send", data | changes)
    assert answer.status_code in (303, 422)
    for row in requests_of(world):
        (given,) = world.rows(lookup.consent, id=row.consent)
        assert row.site == THERE and given.until == world.day(2), "the consent reaches the stay and no further"


def test_a_form_without_its_token_does_nothing(world, me):
    data = dict(form_of(text(me.get(check_url(world))), "/me/guest/send"))
    assert me.post("/me/guest/send", data, csrf=False).status_code == 400
    assert requests_of(world) == []


def test_days_that_cannot_be_are_shown_and_cannot_be_ticked(world, me):
    send(me, world, 3, site=NEAR)
    page = text(me.get(f"/me/guest/days?site={THERE}"))
    assert f'name="day" value="{world.day(3).isoformat()}"' not in page and "You have a place at" in page
    assert f'name="day" value="{world.day(4).isoformat()}"' in page


def test_days_out_of_sight_stay_chosen(world, me):
    chosen, later = world.day(3).isoformat(), world.day(14).isoformat()
    page = text(me.get(f"/me/guest/days?site={THERE}&day={chosen}&from={later}"))
    assert f'<input type="hidden" name="day" value="{chosen}">' in page and f'value="{later}"' in page
    far = world.day(400).isoformat()
    assert me.get(f"/me/guest/days?site={THERE}&from={far}").status_code == 200


def test_searching_by_town_finds_the_nearest_and_unknown_words_find_nothing(world, me):
    for town, first, then in (("板橋", THERE, FAR), ("台東市", FAR, THERE), ("Meinong", FAR, THERE)):
        page = text(me.get(f"/me/guest/where?q={town}"))
        assert "Nearest to" in page and page.index(f"site={first}") < page.index(f"site={then}")
    assert "No place was found for this" in text(me.get("/me/guest/where?q=atlantis"))
    assert "<script" not in text(me.get("/me/guest/where?q=<script>alert(1)</script>"))


def test_the_map_leads_to_counties_with_sites_and_the_table_says_the_same(world, me):
    page = text(me.get("/me/guest/where"))
    drawn = county_map.draw({}, {})
    assert len(drawn.shapes) == 22 and len(county_map.FILE.read_bytes()) < 9_000
    for code, places in (("TPE", "2 / 2"), ("KHH", "1 / 1")):
        assert page.count(f'href="/me/guest/where?county={code}"') == 3, "outline, number, table"
        assert places in page
    assert "county=HUA" not in page, "the own site alone is nowhere to go"
    assert f"site={FAR}" in text(me.get("/me/guest/where?county=KHH"))


# --- afterwards -----------------------------------------------------------------------


@pytest.fixture
def stay(world, me):
    """Confirmed at THERE for tomorrow, the day after and the one after that."""
    allowed_at_once(world)
    assert send(me, world, 0, 1, 2).status_code == 303
    return requests_of(world)[0].id


def test_somewhere_else_today_is_one_tap_and_the_old_place_goes_with_it(world, me, stay):
    page = text(me.get(f"/me/guest/{stay}/change"))
    action = f"/me/guest/{stay}/change"
    forms = re.findall(rf'<form method="post" action="{action}">.*?</form>', page, re.S)
    to_near = next(f for f in forms if f'name="site" value="{NEAR}"' in f)
    data = dict(form_of(to_near, action)) | {"site": NEAR}
    assert data["day"] == world.today.isoformat()
    moved = me.post(action, data)
    assert moved.status_code == 303 and moved.location != f"/me/guest/{stay}"
    assert "Confirmed" in text(me.get(moved.location))
    assert {(p.site, p.day) for p in world.places()} == {
        (NEAR, world.today), (THERE, world.day(1)), (THERE, world.day(2))
    }  # fmt: skip
    old = text(me.get(f"/me/guest/{stay}"))
    assert "moved to another site or day" in old and "To the request that changes this one" in old


def test_one_more_day_is_one_tap_and_only_at_the_same_site(world, me, stay):
    page, action = text(me.get(f"/me/guest/{stay}/change")), f"/me/guest/{stay}/change"
    forms = re.findall(rf'<form method="post" action="{action}">.*?</form>', page, re.S)
    add = next(f for f in forms if f'name="day" value="{world.day(3).isoformat()}"' in f)
    data = dict(form_of(add, action)) | {"day": world.day(3).isoformat()}
    assert me.post(action, data | {"site": FAR}).status_code == 422
    assert me.post(action, data).status_code == 303
    assert [p.day for p in world.places(site=THERE)] == [world.day(n) for n in range(4)]


def test_a_day_is_given_up_and_then_all_of_it(world, me, stay):
    day = world.day(1).isoformat()
    assert me.post(f"/me/guest/{stay}/drop", {"day": day}).status_code == 303
    assert [p.day for p in world.places()] == [world.day(0), world.day(2)]
    assert me.post(f"/me/guest/{stay}/drop", {"day": day}).status_code >= 400
    assert me.post(f"/me/guest/{stay}/drop", {"day": "never"}).status_code == 422
    assert "Give it all up?" in text(me.get(f"/me/guest/{stay}/cancel"))
    assert me.post(f"/me/guest/{stay}/cancel", {"reason": "nonsense"}).status_code == 422
    assert me.post(f"/me/guest/{stay}/cancel", {"reason": "plans_changed"}).status_code == 303
    assert world.state(stay) == rules.CANCELLED and world.places() == []
    for path in ("pass", "pass.pdf"):
        assert me.get(f"/me/guest/{stay}/{path}").status_code == 404
    assert me.post(f"/me/guest/{stay}/cancel", {}).status_code == 409


def test_a_question_is_read_and_answered(world, me):
    request = world.asked(3).request_id
    verbs.question(world.house, world.prescriber, request, "幾點到？ <b>")
    page = text(me.get(f"/me/guest/{request}"))
    assert "幾點到？ &lt;b&gt;" in page and "It is your turn" in page
    assert me.post(f"/me/guest/{request}/answer", {"text": " "}).status_code == 422
    assert me.post(f"/me/guest/{request}/answer", {"text": "七點", "step": "1"}).status_code == 409, "not what was seen"
    assert me.post(f"/me/guest/{request}/answer", {"text": "七點", "step": "2"}).status_code == 303
    assert world.state(request) == rules.ASKED and "七點" in text(me.get(f"/me/guest/{request}"))


def test_an_offer_is_taken_with_a_consent_that_reaches_it_or_left(world, me):
    send(me, world, 3)
    (row,) = requests_of(world)
    centre.offer(world.house, world.centre, row.id, FAR)
    page = text(me.get(f"/me/guest/{row.id}"))
    assert "This place is offered instead" in page and 'name="agreed"' in page
    assert me.post(f"/me/guest/{row.id}/offer", {"take": "1"}).status_code == 422
    assert world.state(row.id) == rules.OFFERED
    assert me.post(f"/me/guest/{row.id}/offer", {"take": "0"}).status_code == 303
    assert world.state(row.id) == rules.ASKED
    centre.offer(world.house, world.centre, row.id, FAR)
    assert me.post(f"/me/guest/{row.id}/offer", {"take": "1", "agreed": FAR}).status_code == 303
    assert {p.site for p in world.places()} == {FAR}


def test_a_no_of_the_place_has_its_reason_and_other_places_to_pick(world, me):
    request = world.asked(3).request_id
    verbs.approve(world.house, world.prescriber, request)
    verbs.refuse(world.house, world.there, request, reason="no_staff")
    page = text(me.get(f"/me/guest/{request}"))
    assert "No place there" in page and "too few people there on these days" in page
    assert f"/me/guest/check?site={NEAR}&amp;" in page and f"check?site={THERE}&amp;" not in page


def test_a_no_of_the_own_clinic_has_its_reason_and_a_telephone_number(world, me):
    """It is about the person or the days: another place would meet the same "no"."""
    request = world.asked(3).request_id
    verbs.decline(world.house, world.prescriber, request, reason="dose_being_changed")
    page = text(me.get(f"/me/guest/{request}"))
    assert "Not approved" in page and "the dose is being changed" in page
    assert 'href="tel:03-000-0000"' in page and "Ask for other days" in page and "/me/guest/check" not in page


def test_every_state_says_where_it_is_and_offers_only_what_is_possible(world, me):
    request, head = world.asked(3).request_id, guest.guest_head
    for state in rules.STATES:
        with world.house.db.begin() as tx:
            values = {"state": state, "waits_for": rules.waits_for(state)}
            tx.execute(head.update().where(head.c.request == request).values(**values))
        answer = me.get(f"/me/guest/{request}")
        page = text(answer)
        assert answer.status_code == 200 and guest_view.STATES[state][1] in page, state
        assert (f"/me/guest/{request}/cancel" in page) == ("cancel" in rules.actions_for(state, rules.PATIENT)), state
        assert (f"/me/guest/{request}/change" in page) == (state in rules.IN_FORCE), state
        assert "Show my pass" not in page, "there is no pass"
        assert guest_view.STATES[state][1] in text(me.get("/me/guest")), state


# --- nobody else's ---------------------------------------------------------------------

PAGES = ("", "/cancel", "/change", "/pass", "/pass.pdf")
FORMS = ("/cancel", "/change", "/drop", "/answer", "/offer")


def test_anothers_request_is_one_that_does_not_exist(world, me, mine, stay):
    thief, unknown = mine(world.another_patient()), new_id()
    before = world.rows(guest.guest_step), world.places()
    form = {"day": world.today.isoformat(), "site": NEAR, "take": "1", "agreed": NEAR, "text": "x", "add": "1"}

    def same(a, b) -> None:
        assert a.status_code == b.status_code == 404
        numbers = re.compile(rf"{stay}|{unknown}|name=\"csrf_token\" value=\"[^\"]*\"")
        assert numbers.sub("", text(a)) == numbers.sub("", text(b))

    for path in PAGES:
        same(thief.get(f"/me/guest/{stay}{path}"), thief.get(f"/me/guest/{unknown}{path}"))
    for path in FORMS:
        same(thief.post(f"/me/guest/{stay}{path}", form), thief.post(f"/me/guest/{unknown}{path}", form))
    assert (world.rows(guest.guest_step), world.places()) == before


def test_no_form_can_say_whose_request_it_is(world, mine):
    other = world.another_patient()
    theirs = mine(other)
    data = dict(form_of(text(theirs.get(check_url(world))), "/me/guest/send"))
    theirs.post("/me/guest/send", data | {"patient_id": world.patient, "patient": world.patient, "by_role": "home"})
    assert requests_of(world) == [] and len(requests_of(world, other)) == 1


def test_a_request_id_somebody_else_used_gives_nothing_away(world, me, mine):
    data = dict(form_of(text(me.get(check_url(world))), "/me/guest/send"))
    me.post("/me/guest/send", data)
    thief = mine(world.another_patient())
    answer = thief.post("/me/guest/send", dict(form_of(text(thief.get(check_url(world))), "/me/guest/send")) | data)
    assert answer.status_code == 409 and data["request_id"] not in (answer.location or "")
    assert len(world.rows(guest.guest_request)) == 1


def test_without_a_session_and_with_a_nurses_there_is_only_the_door(world, mine, pages, stay):
    for browser in (mine(), pages(world.nurse, site=HOME)):
        for path in ("", "/where", f"/days?site={THERE}", "/why", "/agree", "/check", *(f"/{stay}{p}" for p in PAGES)):
            answer = browser.get(f"/me/guest{path}")
            assert answer.status_code in (302, 303, 401) and "/me/sign-in" in (answer.location or "/me/sign-in")
        for path in ("/send", *(f"/{stay}{p}" for p in FORMS)):
            assert browser.post(f"/me/guest{path}", {}).status_code in (302, 303, 401)


# --- how it looks from outside -----------------------------------------------------------


def every_page(world, stay) -> list[str]:
    q = f"site={NEAR}&day={world.day(5).isoformat()}"
    asking = [f"/me/guest/{p}" for p in ("where", "where?q=taipei", f"days?{q}", f"why?{q}", f"agree?{q}", f"check?{q}")]
    return ["/me/guest", *asking, *(f"/me/guest/{stay}{p}" for p in ("", "/cancel", "/change", "/pass"))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_light_run_nothing_and_their_titles_say_nothing(app, world, me, stay, language):
    with world.house.db.begin() as tx:
        tx.execute(patients.update().where(patients.c.id == world.patient).values(language=language))
    shared = sum(len(me.get(f"/static/{f}").data) for f in ("build/me.css", "icons.svg", "mark.svg"))
    for url in every_page(world, stay):
        answer = me.get(url)
        page = text(answer)
        assert answer.status_code == 200, url
        assert "<script" not in page and "javascript:" not in page and " style=" not in page and "onclick" not in page
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page), "nothing from elsewhere"
        assert len(answer.data) + shared < 100_000, (url, len(answer.data), shared)
        title = re.search(r"<title>(.*?)</title>", page, re.S)[1]
        assert not TELLING.search(title) and not TELLING.search(url), title


def test_both_calendars_stand_wherever_a_day_is_chosen_or_shown(world, me, stay):
    assert "(ROC" in text(me.get("/me/guest"))
    for url in every_page(world, stay)[3:]:
        if "/why" in url:
            continue
        page = text(me.get(url))
        assert re.search(r"2026-03-\d\d \(ROC\s115", page), url
    with world.house.db.begin() as tx:
        tx.execute(patients.update().where(patients.c.id == world.patient).values(language="zh_Hant_TW"))
    assert "115/03/10 (2026-03-10)" in text(me.get(f"/me/guest/{stay}/pass"))


def test_the_pass_names_place_and_days_and_nobody(world, me, stay):
    page = text(me.get(f"/me/guest/{stay}/pass"))
    body = page[page.index('<section class="pass"') :]
    assert "1 Demo Road" in body and "be there by 11:30" in body and "03-000-0000" in body
    said = re.sub(r"<[^>]*>", " ", body)
    assert world.patient not in body and not re.search(r"methadone|\bmg\b|\bmL\b", said)
    pdf = me.get(f"/me/guest/{stay}/pass.pdf")
    assert pdf.mimetype == "application/pdf" and pdf.headers["Content-Disposition"] == "attachment; filename=pass.pdf"
    (sheet,) = PdfReader(io.BytesIO(pdf.data)).pages
    width, height = (round(float(v) / 72 * 25.4) for v in (sheet.mediabox.width, sheet.mediabox.height))
    assert (width, height) == (105, 148), "A6, one sheet"
    permit = world.rows(guest.guest_permit)[0].id
    digits = passes.for_patient(world.house, world.patient, permit).digits
    said = sheet.extract_text()
    assert digits in re.sub(r"\s", "", said) and "1 Demo Road" in said and "methadone" not in said


def test_when_the_last_day_is_over_the_pass_is_gone_and_the_page_says_so(app, world, me, stay, clock):
    clock.shift(timedelta(days=3))
    me.client.set_cookie("me", sign_in_patient(app, world.patient))
    assert me.get(f"/me/guest/{stay}/pass").status_code == 404
    assert "Show my pass" not in text(me.get(f"/me/guest/{stay}"))


def test_what_is_missing_from_the_words_is_no_state_and_no_action():
    assert set(guest_view.STATES) == set(rules.STATES)
    assert set(guest_view.ACTIONS) == {t.action for t in rules.TRANSITIONS}
    assert set(guest_view.WAITS) >= set(rules.WAITS_FOR.values())


def test_the_request_is_in_the_patients_name_alone(world, me, stay):
    """What stands in the record of it: opaque ids, codes, days."""
    with world.house.read() as tx:
        (step,) = tx.execute(sa.select(guest.guest_step).where(guest.guest_step.c.action == "ask")).all()
    assert step.by == f"patient:{world.patient}" and step.data == "{}"


def test_the_fee_stands_on_the_page_before_the_booking_and_unknown_amounts_are_said(world, me):
    assert "Ask your clinic: nobody has published an amount" in text(me.get(check_url(world, 2, 3)))
    row = {
        "county": None,
        "patient_class": "adult",
        "payer_share_percent": 0,
        "from_day": world.day(-30),
        "source": "test",
        "status": "weak",
        "by": "test",
    }
    with world.house.work(world.nurse, HOME, "test.fee") as work:
        work.add(fee_item, id=new_id(), item="per_dose", amount_ntd=150, at=work.now, **row)
    page = text(me.get(check_url(world, 2, 3)))
    assert "You pay NT$\u00a0300, the health department NT$\u00a00" in page
    assert "Not in it, because no amount is published: setting it up" in page
