"""Writes requirements.txt and requirements-dev.txt: every package that pip would choose today, pinned.

`make lock` runs it after a change of pyproject.toml. It installs nothing, and records names and versions only:
where packages come from is the machine's business.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def resolve(requirements: list[str]) -> dict[str, str]:
    """Name to version of everything these requirements need."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    report = subprocess.run([*command, "--report", "-", *requirements], check=True, capture_output=True, text=True)
    found = (item["metadata"] for item in json.loads(report.stdout)["install"])
    return {item["name"].lower().replace("_", "-"): item["version"] for item in found}


def write(name: str, head: list[str], packages: dict[str, str]) -> None:
    lines = [*head, *(f"{package}=={version}" for package, version in sorted(packages.items()))]
    (ROOT / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(packages)} packages")


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run = project["dependencies"]
    everything = resolve([*run, *project["optional-dependencies"]["test"]])
    runtime = {name: everything[name] for name in resolve(run)}
    write("requirements.txt", ["# Written by `make lock` from pyproject.toml."], runtime)
    extra = {name: version for name, version in everything.items() if name not in runtime}
    write("requirements-dev.txt", ["# Written by `make lock` from pyproject.toml.", "-r requirements.txt"], extra)


if __name__ == "__main__":
    main()
