"""What a text says to whoever reads it over a shoulder: nothing of a treatment, in any language, of any kind."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ost.models import site
from ost.rules.counties import COUNTIES, county_name
from ost.services.messages import kinds
from tests.make import make_patient, make_site
from tests.services.messages import news, rows

DAYS = [date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)]
#: Words that would tell a flatmate, an employer or a parent. Matched anywhere, whatever the case.
FORBIDDEN = (
    # what it is
    *("methadone", "buprenorphine", "naloxone", "opioid", "opiate", "heroin", "drug", "addict", "substitut"),
    *("treatment", "therapy", "dose", "dosing", "dispens", "medic", "pharma", "prescri", "supervis", "withdraw", "mg"),
    *("美沙", "丁基原啡因", "丁丙诺啡", "鴉片", "阿片", "海洛因", "毒", "癮", "瘾", "藥", "药", "服用", "劑", "剂"),
    *("治療", "治疗", "療", "疗", "處方", "处方", "給藥", "戒", "替代"),
    # where it is
    *("hospital", "clinic", "health", "doctor", "nurse", "psychiatr", "patient", "centre", "center", "ward"),
    *("醫", "医", "診", "诊", "衛生", "卫生", "護理", "护理", "個案", "病", "精神", "患者"),
    # why it would be odd
    *("police", "court", "prosecut", "緩起訴", "缓起诉", "檢察", "检察", "警"),
    # pages are not linked: a preview would show them
    *("http", "www", "://"),
)
#: The default alphabet of text messages (3GPP TS 23.038), as far as our texts use it.
GSM = re.compile(r"[A-Za-z0-9 @$_!\"#%&'()*+,\-./:;<=>?\n]*")
#: Dummies of the site the news is about: exactly what must not come through.
NAMES = {"name_zh_hant": "花蓮美沙冬醫院", "name_zh_hans": "花莲美沙冬医院", "name_en": "Methadone Hospital"}


@pytest.fixture
def place(sqlite_database):
    from ost import keys
    from ost.services.work import House

    house = House(sqlite_database, keys.ephemeral(), demo=True)
    make_site(house, "HUA1", **NAMES, phone="03-856-0101")
    return house


def written(house, kind: str, language: str, days=DAYS, **more) -> kinds.Text:
    data = {"days": [d.isoformat() for d in days], "site": "HUA1", "request": 12, "minutes": 10, "reason": "full"}
    with house.read() as tx:
        return kinds.render(tx, kind, data | more, language, "HUA1", "483920" if kind == kinds.CODE else None)


EVERY = [(kind, language) for kind in kinds.KINDS for language in kinds.LANGUAGES]


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_no_text_gives_anybody_away(place, kind, language):
    text = written(place, kind, language)
    said = f"{text.subject}\n{text.body}".lower()
    assert [word for word in FORBIDDEN if word in said] == []
    assert "%(" not in said and "{" not in said


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_every_text_fits_two_text_messages_and_is_in_its_language(place, kind, language):
    """Concatenated, a part holds 153 signs of the default alphabet or 67 of any other."""
    odd = [DAYS[0], DAYS[2]]
    body = max((written(place, kind, language, days).body for days in (DAYS, odd)), key=len)
    if language == "en":
        assert GSM.fullmatch(body), body
        assert len(body) <= 2 * 153
    else:
        assert re.search(r"[\u4e00-\u9fff]", body), "not translated"
        assert len(body) <= 2 * 67, (len(body), body)
    assert body != written(place, kind, {"en": "zh_Hant_TW"}.get(language, "en")).body


def test_days_stand_in_both_calendars_the_readers_own_first(place):
    taiwan, english = (written(place, "guest_confirmed", each).body for each in ("zh_Hant_TW", "en"))
    assert "115/11/23 - 25 (2026)" in taiwan and "花蓮縣" in taiwan
    assert "2026-11-23 - 25 (ROC 115)" in english and "Hualien" in english


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([date(2026, 11, 23)], "2026-11-23 (ROC 115)"),
        ([date(2026, 11, 30), date(2026, 12, 1)], "2026-11-30 - 12-01 (ROC 115)"),
        ([date(2026, 12, 31), date(2027, 1, 1)], "2026-12-31 - 2027-01-01 (ROC 115-116)"),
        ([date(2026, 11, 23), date(2026, 11, 25)], "2026-11-23 (ROC 115), 2026-11-25 (ROC 115)"),
        ([date(2026, 11, d) for d in (1, 3, 5, 7)], "2026-11-01 - 07 (ROC 115), 4 days in all"),
    ],
)
def test_stretches_of_days(days, said):
    assert kinds.spans(days, "en") == said
    assert kinds.spans(reversed(days), "en") == said


def test_an_address_stands_only_where_the_usual_place_is_closed(house):
    from tests.make import make_guest_site

    make_site(house, "HUA1")
    make_guest_site(house, "HUA1")
    bodies = {kind: written(house, kind, "en").body for kind in kinds.KINDS}
    assert {kind for kind, body in bodies.items() if "1 Demo Road" in body} == {"closure_moved"}


def test_a_place_that_has_no_address_is_told_by_county(place):
    assert "Hualien" in written(place, "closure_moved", "en").body


def test_a_telephone_that_is_missing_leaves_no_gap(place):
    with place.db.begin() as tx:
        tx.execute(sa.update(site.site).values(phone=""))
    assert "or call before you travel" in written(place, "guest_paused", "en").body


def test_news_without_days_or_place_is_told_by_number(place):
    with place.read() as tx:
        assert "12" in kinds.render(tx, "guest_ended", {"request": 12}, "en", None).body


@pytest.mark.parametrize(
    "data",
    [
        {"name": "陳大明"},
        {"reason": "two words"},
        {"note": {"text": "x"}},
        {"days": ["2026-11-23", "明天"]},
        {"reason": "x" * 121},
    ],
)
def test_data_takes_no_words(house, data):
    make_site(house, "HUA1")
    person = make_patient(house, "HUA1")
    with pytest.raises(ValueError, match="codes, ids and numbers"):
        news(house, person, **data)
    assert rows(house) == []


def test_a_kind_that_is_not_listed_is_a_mistake(house):
    make_site(house, "HUA1")
    with pytest.raises(ValueError, match="no such message"):
        news(house, make_patient(house, "HUA1"), "guest_gossip", request=1)


def test_an_unknown_language_is_the_first_one(place):
    assert written(place, "guest_confirmed", "xx").body == written(place, "guest_confirmed", "zh_Hant_TW").body


@pytest.mark.parametrize("kind", [k for k, rule in kinds.KINDS.items() if rule.days_matter])
def test_news_of_a_day_ends_with_that_day_on_its_own_clock(kind):
    made = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    until = kinds.good_until(kind, {"days": ["2026-11-23"]}, made, "Asia/Taipei")
    assert until == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)  # midnight in Taipei
    assert kinds.good_until(kind, {"days": ["2027-01-01"]}, made, "Asia/Taipei") == made + timedelta(days=2)


def test_counties_have_a_name_in_every_language():
    assert len(COUNTIES) == 22
    for code in COUNTIES:
        names = {county_name(code, language) for language in kinds.LANGUAGES}
        assert all(names) and code not in names
    assert county_name("XYZ", "en") == "XYZ"
