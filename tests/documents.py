"""What documents say about tests, and whether it is so. Tests are read, not run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAMED = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)*)`")


def named_tests(text: str) -> list[str]:
    """Every test, or file of tests, that a document names."""
    return _NAMED.findall(text)


def dead_tests(names: Iterable[str]) -> list[str]:
    """Those that do not exist: no such file, no such test in it, or nothing in it that pytest would run."""
    return [name for name in names if name not in _known(name.partition("::")[0])]


@cache
def _known(file: str) -> frozenset[str]:
    path = ROOT / file
    if not path.is_file() or not path.name.startswith("test_"):
        return frozenset()
    found = {file}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if _is_test(node):
            found.add(f"{file}::{node.name}")
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found.add(f"{file}::{node.name}")
            found |= {f"{file}::{node.name}::{each.name}" for each in node.body if _is_test(each)}
    return frozenset(found)


def _is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
