"""The service files: systemd takes them, they start commands that exist, and they lock the door behind them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from ost.cli import main
from tests.documents import ROOT

UNITS = sorted((ROOT / "config" / "deploy" / "systemd").glob("*.service"))
PROGRAM = "/opt/ost/.venv/bin/ost"


def lines(unit) -> list[tuple[str, str]]:
    found = [line.partition("=") for line in unit.read_text(encoding="utf-8").splitlines() if "=" in line]
    return [(name.strip(), value.strip()) for name, _, value in found if not name.startswith("#")]


def test_there_is_one_for_each_program_that_stays():
    assert [unit.name for unit in UNITS] == ["ost-agent.service", "ost-scheduler.service", "ost-serve.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_it_starts_exists(unit):
    start = dict(lines(unit))["ExecStart"].split()
    assert start[0] == PROGRAM
    answer = CliRunner().invoke(main, [start[1], "--help"])
    assert answer.exit_code == 0
    for word in start[2:]:
        assert not word.startswith("--") or word in answer.output


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_runs_as_nobody_special_and_comes_back(unit):
    said = dict(lines(unit))
    assert said["User"] not in ("", "root")
    assert said["Restart"] == "always"
    for name, value in {
        "NoNewPrivileges": "true",
        "ProtectSystem": "strict",
        "ProtectHome": "true",
        "PrivateTmp": "true",
        "CapabilityBoundingSet": "",
        "LimitCORE": "0",
        "UMask": "0077",
    }.items():
        assert said[name] == value, name


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_it(unit, tmp_path):
    """`systemd-analyze verify`, with a program that exists on every machine in the place of ours."""
    if shutil.which("systemd-analyze") is None:
        known = re.compile(r"^[A-Z][A-Za-z]+$")
        assert all(known.match(name) for name, _ in lines(unit))
        return
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])
