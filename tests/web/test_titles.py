"""What stands in a browser's tab, its history and its bookmarks tells nobody what the place is for, nor who was there."""

from __future__ import annotations

import re

import pytest

from tests import make
from tests.plugins.clients import house_of

#: Whoever looks over a shoulder must not read these; the app's own name says nothing.
TELLING = re.compile(
    r"methadone|buprenorphine|opioid|substitution|addict|drug|dose|treatment|dispens"
    r"|美沙[冬酮]|丁基原啡因|丁丙诺啡|替代|治療|治疗|戒|毒|癮|瘾|給藥|给药|服藥|服药|藥|药|劑量|剂量",
    re.IGNORECASE,
)
LANGUAGES = ("en", "zh-TW", "zh-CN")
ROLES = ("nurse", "prescriber", "pharmacist", "case_manager", "registrar", "admin", "auditor")


@pytest.fixture
def titles(app, pages):
    """{address: title} of every page that opens, for somebody with every role, in one language."""
    house = house_of(app)
    clinic = make.make_clinic(house)
    values = {
        "counter_id": clinic.counter,
        "patient_id": clinic.patient,
        "order_id": clinic.order,
        "bottle_id": clinic.bottle,
        "product_id": "methadone-10",
        "line": 1,
    }
    everybody = make.make_account(house, *ROLES)

    def read(language: str) -> dict[str, str]:
        browser = pages(everybody, site=clinic.site, counter=clinic.counter)
        browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        browser.client.set_cookie("ost_language", {"en": "en", "zh-TW": "zh_Hant_TW", "zh-CN": "zh_Hans_CN"}[language])
        found = {}
        for rule in app.url_map.iter_rules():
            if "GET" not in rule.methods or rule.rule.startswith(("/api", "/static", "/vendor", "/language")):
                continue
            if not rule.arguments <= values.keys():
                continue
            address = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values[m.group(1)]), rule.rule)
            answer = browser.get(address)
            title = re.search(r"<title>(.*?)</title>", answer.get_data(as_text=True), re.DOTALL)
            if answer.status_code == 200 and title:
                found[rule.rule] = title.group(1).strip()
        return found

    return read


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_title_tells_what_the_place_is_for(titles, language):
    found = titles(language)
    assert len(found) >= 12, f"only {sorted(found)} opened"
    told = {address: title for address, title in found.items() if TELLING.search(title) or "陳大明" in title}
    assert not told, told


def test_a_stranger_reads_nothing_in_the_title_either(pages):
    for address in ("/sign-in", "/nothing-here"):
        title = re.search(r"<title>(.*?)</title>", pages().get(address, follow_redirects=True).get_data(as_text=True))
        assert title and not TELLING.search(title.group(1))
