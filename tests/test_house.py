"""The house keeps its shape: who may import whom, how long a file may be, what may not be in the repository, and
that what exists is documented.

The directions are those of docs/architecture.md. A new package under `ost/` has to be given its place here.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("ost", "devices", "config")
LONGEST_FILE = 500

# Matching and the interface are anybody's; drivers are chosen by open_reader, and only at the edge.
MATCHING = ("devices.interface", "devices.fingerprints", "devices.evaluate")
# What everything in ost may lean on; these themselves never look up.
GROUND = (
    "config",
    "ost.canonical",
    "ost.clock",
    "ost.db",
    "ost.errors",
    "ost.keys",
    "ost.log",
    "ost.policies",
    "ost.rules",
)
# The shell around pages and API: who may enter, how a "no" looks, headers, figures.
SHELL = (
    "ost.answers",
    "ost.gate",
    "ost.headers",
    "ost.health",
    "ost.http",
    "ost.i18n",
    "ost.metrics",
    "ost.startup",
)
# ost.wording says reasons and codes in words, for pages and API alike.
PAGES = ("ost.services", "ost.wording", "ost.reports", *SHELL, *GROUND, *MATCHING)
EVERYTHING = ("ost", "config", "devices")

# The longest matching name counts. Each part may import itself and what stands beside it; nothing else of ours.
MAY_IMPORT = {
    "config": (),
    "devices": (),
    "ost.rules": (),
    "ost.clock": (),
    "ost.errors": (),
    "ost.canonical": (),
    "ost.db": ("ost.models", "ost.errors", "config"),
    "ost.keys": ("config", "ost.errors", "ost.canonical"),
    "ost.log": ("config", "ost.clock", "ost.errors"),
    "ost.policies": ("config", "ost.rules", "ost.errors", "ost.canonical"),
    "ost.models": GROUND,
    # Ways to reach a telephone or a mailbox: they know a text and an address, and no patient.
    "ost.channels": ("config",),
    "ost.services": ("ost.models", "ost.channels.interface", *GROUND, *MATCHING),
    **dict.fromkeys(SHELL, ("ost.services", "ost.models", *SHELL, *GROUND)),
    "ost.wording": ("ost.services", "ost.web.formats", *SHELL, *GROUND),
    "ost.web": (*PAGES, "ost.channels.page"),
    "ost.api": PAGES,
    # Documents of their own, made without a request: in a terminal, behind a page.
    "ost.reports": (*GROUND, *MATCHING),
    "ost.jobs": ("ost.services", "ost.models", "ost.channels", *GROUND, *MATCHING),
    "ost.app": ("ost.web", "ost.api", *PAGES),
    "ost.cli": EVERYTHING,
    "ost.commands": EVERYTHING,
    "ost.serve": EVERYTHING,
    "ost.demo": EVERYTHING,
    "ost.bench": EVERYTHING,
    "ost.drills": EVERYTHING,
}
DRIVERS = "devices.readers"
# The stand-in is worked by hand (lay a finger on, unplug), which no interface of a reader offers.
STAND_IN = "devices.readers.simulated"
MAY_WORK_THE_STAND_IN = ("ost.commands", "ost.demo", "ost.bench", "ost.drills")
ONLY_STANDARD_LIBRARY = ("ost.rules", "ost.errors", "ost.canonical", "ost.clock")
# The web's own libraries have no business where decisions are made and doses are written.
WEB_LIBRARIES = ("flask", "flask_babel", "flask_login", "flask_smorest", "flask_wtf", "werkzeug", "marshmallow")
NO_WEB_IN = ("ost.channels", "ost.services", "ost.models", "ost.db", "ost.rules", "ost.jobs", "devices")
NO_DATABASE_IN = ("devices", "ost.channels", "ost.rules", "ost.web", "ost.api")


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add, so that a new file is judged before it is committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in tracked("ost/*.py", "devices/*.py", "config/*.py", "wsgi.py")}


def imports_of(module: str, everywhere: bool) -> Iterator[tuple[str, int]]:
    """Names imported by a module, as far as they can be told: (dotted name, line). Type-only imports do not count.

    everywhere: also those inside functions, which matter for directions but make no cycle.
    """
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"), str(path))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not everywhere:
            continue
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # `from ost.services import dosing` imports a module, `from ost.clock import now` a name.
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if whole in FILES or base not in FILES else base), node.lineno
        else:
            pending += ast.iter_child_nodes(node)


def within(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(part + ".") for part in parts)


def place_of(module: str) -> str | None:
    names = [place for place in MAY_IMPORT if within(module, (place,))]
    return max(names, key=len, default=None)


def may_import_driver(module: str, name: str) -> bool:
    by_hand = within(module, MAY_WORK_THE_STAND_IN) and within(name, (STAND_IN,))
    return module == "devices" or within(module, (DRIVERS,)) or by_hand


MODULES = [name for name in sorted(FILES) if name not in ("ost", "wsgi")]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    place = place_of(module)
    assert place, f"{module} has no place in MAY_IMPORT: say there what it may import"
    allowed = (place, *MAY_IMPORT[place])
    wrong = []
    for name, line in imports_of(module, everywhere=True):
        top = name.partition(".")[0]
        if within(name, OURS):
            if not within(name, allowed):
                wrong.append(f"line {line}: {place} may not import {name}")
            elif within(name, (DRIVERS,)) and not may_import_driver(module, name):
                wrong.append(f"line {line}: drivers are chosen by devices.open_reader, not imported ({name})")
        elif within(module, ONLY_STANDARD_LIBRARY) and top not in sys.stdlib_module_names:
            wrong.append(f"line {line}: {place} uses the standard library only, not {name}")
        elif within(module, NO_WEB_IN) and top in WEB_LIBRARIES:
            wrong.append(f"line {line}: {place} knows nothing of the web ({name})")
        elif within(module, NO_DATABASE_IN) and top in ("sqlalchemy", "alembic", "psycopg", "sqlite3"):
            wrong.append(f"line {line}: {place} does not speak to the database ({name})")
    assert not wrong, f"{FILES[module].relative_to(ROOT)}\n" + "\n".join(wrong)


def test_nothing_imports_in_a_circle():
    graph = {}
    for module in FILES:
        used = (name for name, _ in imports_of(module, everywhere=False))
        # A package that gathers its own modules, and a module that names its package, make no circle by themselves.
        graph[module] = {name for name in used if name in FILES and name != module and not module.startswith(name + ".")}
    assert not (circle := find_circle(graph)), " -> ".join(circle)


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for name in sorted(graph[module]):
            if circle := walk(name, [*path, module]):
                return circle
        done.add(module)
        return []

    return next((circle for module in sorted(graph) if (circle := walk(module, []))), [])


def test_the_circle_finder_finds_circles():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_only_the_clock_reads_the_time():
    """Below the edge `now` is handed in, so that midnight can be tested with constants."""
    reads = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time(_ns)?)\(")
    edges = ("ost.clock", "devices.clock", "ost.bench", "ost.drills")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for module, path in FILES.items()
        if not within(module, edges)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if reads.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_is_too_long():
    """What is read as a whole fits in a head; a migration is written once and not read again."""
    files = tracked("*.py", "*.html", "*.jinja", "*.js", "*.scss", "*.sh", "Makefile")
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    long = [
        f"{path.relative_to(ROOT)}: {length} lines"
        for path, length in sorted(lengths.items())
        if length > LONGEST_FILE and path.parts[len(ROOT.parts)] != "migrations"
    ]
    assert not long, f"longer than {LONGEST_FILE} lines: split by subject\n" + "\n".join(long)


def test_every_test_file_is_collected():
    named = re.compile(r"^(async )?def test_", re.MULTILINE)
    lost = [
        str(path.relative_to(ROOT))
        for path in tracked("tests/*.py")
        if not path.name.startswith("test_") and named.search(path.read_text(encoding="utf-8"))
    ]
    assert not lost, f"tests that never run, for want of the name test_...: {lost}"


def test_the_repository_names_no_registry_and_no_machine():
    # Put together here so that this file does not find itself.
    hosts = [r"registry\.npmjs\.", r"pypi\.", r"files\.pythonhosted\.", r"deb\.debian\.", r"registry\.yarnpkg\."]
    paths = [r"(?<![\w.])/work/", r"/opt/(pypi|wheels)", r"(?<![\w.])/root/"]
    forbidden = re.compile("|".join([f"{host}(org|com)" for host in hosts] + paths))
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__) and (match := forbidden.search(path.read_text(encoding="utf-8", errors="ignore")))
    ]
    assert not found, "\n".join(found)


def test_the_locks_cover_every_direct_dependency():
    """`make install` reads the lock files only: what pyproject.toml asks for has to be in them."""
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {"requirements.txt": project["dependencies"]}
    asked["requirements-dev.txt"] = project["optional-dependencies"]["test"]
    for name, requirements in asked.items():
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        locked = dict(line.split("==") for line in lines if "==" in line)
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name))
            assert version, f"{requirement.name} is not in {name}: run make lock"
            assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: run make lock"


# --- what exists is documented, and what is documented exists ---


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_every_command_is_in_the_readme_and_every_one_there_exists():
    from ost.cli import main

    exist = set(commands(main))
    text = readme()
    missing = [name for name in sorted(exist) if not re.search(rf"\bost {re.escape(name)}\b", text)]
    assert not missing, f"README.md does not name: {', '.join('ost ' + name for name in missing)}"
    for name in re.findall(r"`ost ([a-z-]+(?: [a-z-]+)?)", text):
        known = any(each == name or each == name.split()[0] or each.startswith(name + " ") for each in exist)
        assert known, f"README.md names `ost {name}`, which does not exist"


def test_every_setting_is_in_the_readme_and_every_one_there_exists():
    code = "".join(path.read_text(encoding="utf-8") for path in [*FILES.values()])
    pattern = r"\bOST_[A-Z_]*[A-Z]\b"
    exist = set(re.findall(pattern, code))
    documented = set(re.findall(pattern, readme()))
    assert exist - documented == set(), "settings that README.md does not explain"
    assert documented - exist == set(), "settings of README.md that do not exist"


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    texts = [readme(), *(path.read_text(encoding="utf-8") for path in [*FILES.values(), *tracked("docs/*.md")])]
    named = {name for text in texts for name in re.findall(r"`make ([a-z]+)", text)}
    assert {"run", "test"} <= named <= targets
