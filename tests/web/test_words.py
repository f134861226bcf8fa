"""Every word that a page or a message can show is there in every language, and its placeholders survive."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted((ROOT / "ost" / "translations").glob("*/LC_MESSAGES/*.po"))
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")
KEYWORDS = {"N_": None, "_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}


@pytest.fixture(scope="module")
def words() -> set[str]:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as mapping:
        methods, options = parse_mapping_cfg(mapping)
    found: set[str] = set()
    for folder in ("ost", "templates"):
        # The mapping names folders from the root, so each name is looked up from there.
        patterns = [(pattern.removeprefix(folder + "/"), method) for pattern, method in methods if pattern.startswith(folder)]
        inner = {pattern.removeprefix(folder + "/"): option for pattern, option in options.items()}
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, patterns, inner, keywords=KEYWORDS):
            found.update(message if isinstance(message, tuple) else (message,))
    assert len(found) > 100, "the mapping finds no words"
    return found


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_word_is_in_every_language(path, words):
    with path.open("rb") as file:
        catalogue = read_po(file)
    said = {}
    for message in catalogue:
        if message.id and message.string and not message.fuzzy:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            said |= dict.fromkeys(ids, message.string)
    missing = sorted(words - said.keys())
    assert not missing, f"{len(missing)} without a translation, run make words: {missing[:20]}"


def test_no_word_stands_where_the_catalogue_cannot_find_it():
    """Inside an f-string a word is translated when it runs, and found by nobody who extracts."""
    hidden = []
    for path in (ROOT / "ost").rglob("*.py"):
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(text, ast.JoinedStr):
                calls = [node.func for node in ast.walk(text) if isinstance(node, ast.Call)]
                if any(isinstance(called, ast.Name) and called.id in KEYWORDS for called in calls):
                    hidden.append(f"{path.relative_to(ROOT)}:{text.lineno}")
    assert not hidden, hidden


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_no_translation_loses_or_invents_a_placeholder(path):
    with path.open("rb") as file:
        catalogue = read_po(file)
    wrong = []
    for message in catalogue:
        if isinstance(message.id, str) and isinstance(message.string, str) and message.string:
            asked, given = (set(PLACEHOLDER.findall(text)) for text in (message.id, message.string))
            if asked != given:
                wrong.append(f"{message.id!r} -> {message.string!r}")
    assert not wrong, "\n".join(wrong)
