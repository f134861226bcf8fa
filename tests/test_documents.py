"""What is said is so: refusals have words in every language and reach the reader, documents name what exists."""

from __future__ import annotations

import ast
import re

import pytest
from babel.messages.pofile import read_po

from ost import errors
from ost.answers import answer
from ost.rules.access import ROLES
from ost.rules.policy_keys import KEYS
from tests.documents import ROOT, dead_tests, named_tests

CATALOGUE = errors.catalogue()
CODES = sorted(CATALOGUE)
TRANSLATED = ("zh_Hant_TW", "zh_Hans_CN")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def source_files():
    """The program without its own catalogue."""
    for folder in ("ost", "devices"):
        yield from (p for p in (ROOT / folder).rglob("*.py") if "errors" not in p.relative_to(ROOT / folder).parts)


def words_in(nodes) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


# --- refusals ---------------------------------------------------------------------


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_refusal_has_its_words_in_every_language(language):
    with (ROOT / "ost" / "translations" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        said = {m.id: m.string for m in read_po(file) if m.id and not m.fuzzy}
    missing = [
        f"{code}: {text!r}"
        for code in CODES
        for text in (CATALOGUE[code].title, CATALOGUE[code].detail, CATALOGUE[code].action)
        if text and not said.get(text)
    ]
    assert not missing, f"{len(missing)} texts of refusals, first: " + "; ".join(missing[:8])


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_says_what_happened_and_what_to_do(code):
    message = CATALOGUE[code]
    assert message.title and message.action
    assert 400 <= message.status < 600


@pytest.mark.parametrize("language", ["en", "zh-TW", "zh-CN"])
def test_every_refusal_is_shown_on_a_page_and_in_the_api(app, language):
    for code in CODES:
        for path in ("/somewhere", "/api/v1/somewhere"):
            with app.test_request_context(path, headers={"Accept-Language": language}):
                response = answer(code)
                if path.startswith("/api"):
                    error = response.get_json()["error"]
                    assert error["code"] == code
                    shown = " ".join((error["title"], error["detail"], error["action"]))
                elif response.status_code == 302:
                    continue  # "sign in" and "locked" lead to a page of their own
                else:
                    shown = response.get_data(as_text=True)
                assert "%(" not in shown, f"{code} at {path}: a placeholder is left"
                assert shown.strip()


def test_every_code_is_said_by_the_program():
    used = set()
    for path in source_files():
        used |= words_in(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    assert not sorted(set(CODES) - used), "codes that nothing says"


#: Shown to people, read by no code; README.md says why.
READ_BY_NOTHING = {"vomited_automatic_replacement", "residue_witness_local_only", "controlled_register_years"}


def test_every_policy_value_acts_or_the_readme_says_that_it_does_not():
    used: set[str] = set()
    for path in source_files():
        if path.name != "policy_keys.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            used |= words_in(ast.walk(tree))
    # f"{family(medicine)}_day_max_ug" and the like are read by what follows the medicine.
    endings = {text for text in used if text.startswith("_")}
    kinds = {f"{before}{each}" for each in ("clinical", "administrative") for before in used if before.endswith("_")}
    idle = {
        key
        for key in KEYS
        if key not in used | kinds and not (key.startswith(("methadone", "buprenorphine")) and key.partition("_")[2] and any(key.endswith(e) for e in endings))
    }
    assert idle == READ_BY_NOTHING
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in text for key in READ_BY_NOTHING)


def test_every_code_that_is_raised_has_words():
    unknown = set()
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Refusal":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and first.value not in CATALOGUE:
                    unknown.add(f"{path.relative_to(ROOT)}:{node.lineno}: {first.value}")
    assert not unknown, "\n".join(sorted(unknown))


# --- documents ------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_test_a_document_names_exists(path):
    assert not dead_tests(named_tests(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_file_a_document_names_exists(path):
    text = path.read_text(encoding="utf-8")
    linked = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    gone = [name for name in linked if name and not (path.parent / name).exists()]
    named = re.findall(r"`((?:ost|devices|config|templates|tests|docs|migrations)/[\w/.-]+)`", text)
    gone += [name for name in named if "NAME" not in name and "NOUN" not in name and not (ROOT / name).exists()]
    assert not gone


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_heading_a_document_links_to_exists(path):
    for target in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        text = ((path.parent / name) if name else path).read_text(encoding="utf-8")
        heads = {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.M)}
        assert anchor in heads, target


def test_the_readme_names_every_role():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Who can do what")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == set(ROLES)


def test_the_readme_gives_each_setting_its_default():
    from config.settings import load_settings

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(OST_\w+)` \|.*\| ([^|]*) \|$", text, re.M))
    settings = load_settings({})
    for name, value in {
        "OST_MODE": settings.mode,
        "OST_POLICY": settings.policy,
        "OST_LANGUAGE": settings.language,
        "OST_THREADS": settings.threads,
        "OST_TRUSTED_PROXIES": settings.trusted_proxies,
        "OST_LOG_LEVEL": settings.log_level,
        "OST_BACKDATE_DAYS": settings.backdate_days,
    }.items():
        assert rows[name].replace("`", "").partition(";")[0] == str(value), name
    assert rows["OST_SECURE_COOKIES"].startswith("`true` in production") and settings.secure_cookies
    assert rows["OST_LOG_JSON"].startswith("`true` in production") and settings.log_json


# --- what is drawn from the code -----------------------------------------------------


def test_the_states_of_a_guest_request_are_drawn_from_the_code():
    from tests.guest_table import drawn, on_the_page

    assert on_the_page() == drawn(), "python -m tests.guest_table draws it anew"
