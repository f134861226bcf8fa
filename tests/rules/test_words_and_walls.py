"""Rules and messages belong together; rules import nothing but the standard library and each other."""

import ast
import re
import sys
from pathlib import Path

import pytest

from ost import rules
from ost.errors.clinical import MESSAGES
from ost.rules.reasons import INPUT_ERRORS, KINDS, REASONS

RULES = sorted(Path(rules.__file__).parent.glob("*.py"))
TABLE = {**REASONS, **INPUT_ERRORS}


def strings(tree):
    return {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_every_code_has_a_message_and_every_message_a_code():
    assert MESSAGES.keys() == TABLE.keys()
    assert not REASONS.keys() & INPUT_ERRORS.keys()


@pytest.mark.parametrize("code", sorted(TABLE))
def test_messages_use_exactly_the_data_of_their_reason(code):
    message = MESSAGES[code]
    used = re.findall(r"%\((\w+)\)s", message.title + message.detail + message.action)
    assert set(used) == set(TABLE[code])
    assert set(TABLE[code].values()) <= set(KINDS)
    for text in (message.title, message.detail, message.action):
        assert text
        assert "%" not in re.sub(r"%\(\w+\)s", "", text)
    assert message.action.endswith((".", "?"))


def test_every_code_of_the_table_is_given_by_some_rule():
    given = set()
    for path in RULES:
        if path.name != "reasons.py":
            given |= strings(ast.parse(path.read_text(encoding="utf-8")))
    assert TABLE.keys() <= given


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.name)
def test_rules_import_the_standard_library_and_rules_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            assert name.startswith("ost.rules") or name.partition(".")[0] in sys.stdlib_module_names, name


#: Distances and shares are no amounts: nothing that is given or decided is computed from their fractions.
FRACTIONS = ("geo.py", "guest_figures.py")


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.name)
def test_rules_read_no_clock_no_file_and_use_no_float(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if path.name not in FRACTIONS:
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("now", "utcnow", "today"), f"line {node.lineno} reads a clock"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "float", "print", "eval", "exec")
