"""What stands in sight on the patients' pages: titles, addresses, headers, weight, labels; and what they do."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import clock as clocks
from ost.http import PORTAL_PREFIX
from ost.models.audit import record_access
from ost.models.portal import portal_event
from ost.services import consents, holds, patients
from ost.services.messages import contacts
from ost.services.work import Actor
from tests import make
from tests.plugins.clients import house_of
from tests.portal import CHEAP, MOST_BYTES, change, number_of, own_pages
from tests.web.test_titles import TELLING


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    monkeypatch.setattr(patients, "_HASHER", CHEAP)
    monkeypatch.setattr(patients, "NO_PIN", CHEAP.hash("nobody's"))


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app))


# --- what stands in sight ------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh_Hant_TW", "zh_Hans_CN"])
def test_titles_and_addresses_say_nothing(app, clinic, mine, language):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PORTAL_PREFIX):
            assert not TELLING.search(rule.rule), rule.rule
    browser = mine(clinic.patient)
    change(app, clinic.patient, language=language)
    browser.client.set_cookie("ost_language", language)
    number, seen = number_of(app, clinic.patient), 0
    for path in [*own_pages(app), "/me/sign-in", "/me/nowhere", "/me/today"]:
        answer = browser.get(path)
        title = re.search(r"<title>(.*?)</title>", answer.get_data(as_text=True), re.DOTALL)
        if not title:
            continue
        seen += 1
        assert not TELLING.search(title[1]) and number not in title[1] and "OST" not in title[1], (path, title[1])
    assert seen > 8


def test_every_answer_is_neither_kept_nor_told_onwards_nor_found(app, clinic, mine):
    browser = mine(clinic.patient)
    for path in [*own_pages(app), "/me/sign-in", "/me/nowhere", "/me/today"]:
        headers = browser.get(path).headers
        assert headers["Cache-Control"] == "no-store", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert "noindex" in headers["X-Robots-Tag"], path
        assert "'unsafe" not in headers["Content-Security-Policy"]


def test_every_page_is_light_and_needs_no_script(app, clinic, mine):
    """A cold load: the page and every file it asks for, uncompressed."""
    house = house_of(app)
    make.give(house, clinic)
    browser = mine(clinic.patient)
    heaviest = {}
    for path in [*own_pages(app), "/me/sign-in"]:
        answer = browser.get(path)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        page = answer.get_data(as_text=True)
        assert "<script" not in page and "hx-" not in page and not re.search(r"\sstyle=|\son[a-z]+=", page), path
        files = {m.partition("#")[0] for m in re.findall(r'(?:href|src)="(/(?:static|vendor)/[^"]+)"', page)}
        heaviest[path] = len(answer.data) + sum(len(browser.get(f).data) for f in files)
        assert any(f.endswith("me.css") for f in files)
    assert len(heaviest) > 8
    assert max(heaviest.values()) < MOST_BYTES, sorted(heaviest.items(), key=lambda kv: -kv[1])[:3]
    css = browser.get("/static/build/me.css").get_data(as_text=True)
    assert "@font-face" not in css and "@import" not in css and "url(http" not in css


def test_every_field_has_a_label_and_every_page_one_heading(app, clinic, mine):
    browser = mine(clinic.patient)
    for path in [*own_pages(app), "/me/sign-in"]:
        answer = browser.get(path)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        page = answer.get_data(as_text=True)
        assert len(re.findall(r"<h1[ >]", page)) == 1, path
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), (path, [i for i in ids if ids.count(i) > 1])
        labels = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', page))
        fields = re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*>', page)
        for field in fields:
            name = re.search(r'\sid="([^"]+)"', field)
            wrapped = re.search(r"<label[^>]*>\s*" + re.escape(field), page)
            assert wrapped or (name and name[1] in labels), (path, field)


# --- one's own record ------------------------------------------------------------------------------


def words(answer) -> str:
    page = answer.get_data(as_text=True)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<main")[1]))


def test_days_papers_and_holds_are_the_persons_own(app, clinic, mine):
    house = house_of(app)
    make.give(house, clinic)
    home = clocks.dosing_day(house.now(), "Asia/Taipei")
    holds.place(
        house,
        make.make_account(house, "prescriber"),
        clinic.patient,
        site_id=clinic.site,
        kind="clinical",
        reason_code="medical_review",
        come_back_on=home + timedelta(days=2),
    )
    browser = mine(clinic.patient)
    days = words(browser.get("/me/days"))
    assert "60 mg" in days and "Not known" in days and " of " in days and " % " in days
    papers = words(browser.get("/me/papers"))
    assert "In force" in papers and "60 mg" in papers and "medical review" in papers and "Come back" in papers
    other = mine(make.make_patient(house, clinic.site))
    assert "Nothing yet" in words(other.get("/me/days")) and "60 mg" not in words(other.get("/me/papers"))


def test_who_opened_the_record_stands_there_with_role_site_and_why(app, clinic, mine, pages):
    house = house_of(app)
    nurse = make.make_account(house, "nurse", display_name="Lin Nurse")
    pages(nurse, site=clinic.site).get(f"/patients/{clinic.patient}")
    said = words(mine(clinic.patient).get("/me/readers"))
    assert "Lin Nurse" in said and "nurse" in said and "Demo Hospital" in said and "looked: your record" in said
    assert "Opened 1 time in all" in said
    assert "Lin Nurse" not in words(mine(make.make_patient(house, clinic.site)).get("/me/readers"))


def test_the_copy_is_whole_and_recorded_and_only_the_persons(app, clinic, mine):
    house = house_of(app)
    make.give(house, clinic)
    other = make.make_patient(house, clinic.site)
    contacts.set(house, Actor(f"patient:{clinic.patient}"), clinic.patient, contacts.SMS, "0912 345 678")
    contacts.set(house, Actor(f"patient:{other}"), other, contacts.SMS, "0987 654 321")
    browser = mine(clinic.patient)
    assert browser.post("/me/copy", {"pin": "135790"}).status_code == 401
    answer = browser.post("/me/copy", {"pin": make.PATIENT_PIN})
    assert answer.mimetype == "application/zip" and answer.is_streamed
    assert not TELLING.search(answer.headers["Content-Disposition"])
    assert number_of(app, clinic.patient) not in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    data = json.loads(archive.read("my-page.json"))
    page = archive.read("my-page.html").decode()
    assert len(data["doses"]) == len(data["opened_by"]) + 2 and data["person"]["number"] == number_of(app, clinic.patient)
    assert data["contacts"][0]["address"] == "+886912345678" and "+886912345678" in page
    for text in (number_of(app, other), other, "987654321", "pin_hash", "template", "wrapped"):
        assert text not in page and text not in json.dumps(data), text
    with house.read() as tx:
        what = list(tx.execute(sa.select(portal_event.c.what).where(portal_event.c.patient == clinic.patient)).scalars())
    assert what.count("downloaded") == 1


def test_a_consent_is_taken_back_after_seeing_what_follows(app, clinic, mine):
    house = house_of(app)
    browser = mine(clinic.patient)
    assert browser.post("/me/agreed", {"kind": "news"}).status_code == 303
    day = clocks.dosing_day(house.now(), "Asia/Taipei")
    until = (day + timedelta(days=30)).isoformat()
    assert browser.post("/me/agreed", {"kind": "elsewhere", "until": until}).status_code == 303
    assert browser.post("/me/agreed", {"kind": "elsewhere", "until": "2999-01-01"}).status_code == 422
    before = words(browser.get("/me/agreed/news/back"))
    assert "Nothing is sent to you any more" in before and "Your bookings stay as they are" in before
    with house.read() as tx:
        assert consents.stands(tx, clinic.patient, consents.MESSAGES, day), "looking takes nothing back"
    assert browser.post("/me/agreed/news/back").status_code == 303
    with house.read() as tx:
        assert consents.stands(tx, clinic.patient, consents.MESSAGES, day) is None
        assert consents.stands(tx, clinic.patient, consents.FOUND_ELSEWHERE, day), "each stands alone"
    assert browser.post("/me/agreed", {"kind": "days"}).status_code == 404, "that one is given with a booking"
    assert browser.get("/me/agreed/methadone/back").status_code == 404


def test_the_language_is_the_persons_and_of_what_is_sent(app, clinic, mine):
    browser = mine(clinic.patient)
    browser.post("/me/language", {"language": "zh_Hant_TW"})
    assert 'lang="zh-Hant-TW"' in browser.get("/me").get_data(as_text=True)
    browser.post("/me/language", {"language": "xx"})
    assert 'lang="zh-Hant-TW"' in browser.get("/me").get_data(as_text=True)


# --- at the clinic -----------------------------------------------------------------------------------


def test_a_nurse_sets_up_a_sign_in_and_it_shows_no_secret(app, clinic, pages, mine):
    house = house_of(app)
    change(app, clinic.patient, pin_hash=None)
    nurse = make.make_account(house, "nurse")
    browser = pages(nurse, site=clinic.site)
    where = f"/patients/{clinic.patient}/sign-in"
    assert "none yet" in words(browser.get(where))
    refused = browser.post(where, {"act": "pin", "new": "864209", "again": "864209"})
    assert refused.status_code == 422 and "864209" not in refused.get_data(as_text=True)
    given = {"act": "pin", "new": "864209", "again": "864209", "seen_by": "document"}
    assert browser.post(where, given).status_code == 303
    assert "864209" not in browser.get(where).get_data(as_text=True)
    patient_side = mine()
    signed = patient_side.post("/me/sign-in", {"number": number_of(app, clinic.patient), "pin": "864209"})
    assert signed.headers["Location"] == "/me"
    with house.read() as tx:
        read = tx.execute(sa.select(record_access.c.page).where(record_access.c.patient == clinic.patient)).scalars().all()
    assert "portal.help" in read


def test_whoever_may_not_help_sees_neither_page(app, clinic, pages):
    pharmacist = make.make_account(house_of(app), "pharmacist")
    for address in (f"/patients/{clinic.patient}/sign-in", "/lost-number"):
        assert pages(pharmacist, site=clinic.site).get(address).status_code == 403


def test_a_lost_number_page_shows_the_number_and_nothing_else(app, clinic, pages):
    house = house_of(app)
    make.make_site(house, "TPE1")
    nurse = make.make_account(house, "nurse", scope="TPE1")
    browser = pages(nurse, site="TPE1")
    national_id = _national_id(house, clinic.patient)
    paper = {"act": "paper", "document": "national_id_card", "national_id": national_id, "birth_date": "1979-05-03"}
    answer = browser.post("/lost-number", paper)
    page = words(answer)
    assert answer.status_code == 200 and number_of(app, clinic.patient) in page
    assert "陳大明" not in page and clinic.patient not in answer.get_data(as_text=True) and national_id not in page
    assert browser.post("/lost-number", paper | {"birth_date": "1979-05-04"}).status_code == 422
    assert browser.post("/lost-number", {"act": "touch"}).headers["Location"] == "/workplace"


def _national_id(house, person: str) -> str:
    """The maker's own, made to be found."""
    with house.db.begin() as tx:
        mac = house.keys.search_mac("national_id", "A123456789")
        tx.execute(sa.text("UPDATE patient SET national_id_mac = :mac WHERE id = :id"), {"mac": mac, "id": person})
    return "A123456789"
