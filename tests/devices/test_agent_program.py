"""`ost agent` as a program: its file of stations and readers, its status, several counters, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from devices import agent_status
from devices.agent import Agent, StationKey
from devices.agent_crew import Crew
from devices.readers.simulated import SimulatedReader
from ost import keys
from ost.bench.served import ROOT, ost_environment
from ost.commands.agent_config import BadConfig, read
from ost.db import Database
from ost.models import site as sites
from ost.models.reader import reader
from ost.models.station import station
from ost.services import stations
from ost.services.work import House
from tests import make
from tests.devices.test_agent import Door, Reader
from tests.touch import enrol

PERSON = 101

WHOLE = """
server = "https://ost.example"
[[station]]
key = "one.json"
[[station.reader]]
name = "left"
kind = "simulated"
[[station.reader]]
name = "right"
kind = "simulated"
options = {}
[[station]]
key = "/etc/ost/two.json"
[[station.reader]]
name = "left"
kind = "simulated"
"""


def written(tmp_path, text):
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- the file -----------------------------------------------------------------------------


def test_a_file_names_stations_and_readers(tmp_path):
    plan = read(written(tmp_path, WHOLE))
    assert (plan.name, plan.server) == ("site", "https://ost.example")
    assert [str(s.key) for s in plan.stations] == [str(tmp_path / "one.json"), "/etc/ost/two.json"]
    assert [[r.name for r in s.readers] for s in plan.stations] == [["left", "right"], ["left"]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (WHOLE.replace("server =", "servers ="), "servers"),
        (WHOLE.replace('"https://ost.example"', "5"), "server"),
        (WHOLE.replace('key = "one.json"', ""), "key"),
        (WHOLE.replace('key = "one.json"', 'key = "/etc/ost/two.json"'), "own"),
        (WHOLE.replace('"right"', '"left"'), "own"),
        (WHOLE.replace('kind = "simulated"', 'kind = "crystal_ball"'), "kind"),
        (WHOLE.replace("options = {}", "options = 3"), "options"),
        (WHOLE.replace("options = {}", "option = {}"), "option"),
        (WHOLE.replace('"right"', '"字"'), "plain"),
        (WHOLE.replace('"right"', f'"{"x" * 41}"'), "plain"),
        ("server = [", "no TOML"),
        ('server = "https://x"', "station"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(tmp_path, wrong, said):
    with pytest.raises(BadConfig, match=said):
        read(written(tmp_path, wrong))


def test_a_password_in_the_file_is_in_no_representation(tmp_path):
    plan = read(written(tmp_path, WHOLE.replace("options = {}", 'options = { password = "hush" }')))
    assert "hush" not in repr(plan)


# --- the status file ------------------------------------------------------------------------


def test_the_status_is_its_owners_only_whole_at_any_time_and_says_nothing_of_touches(tmp_path):
    key = StationKey.new("S1")
    agent = Agent({"left": Reader()}, Door(key.public), key)
    agent.heartbeat()
    path = tmp_path / "agent" / f"x{agent_status.SUFFIX}"
    for _ in range(3):
        agent_status.write(path, agent_status.status_of((agent,), 100.0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no half one is left
    status = agent_status.read(path, lambda: 101.0)
    assert (status["running"], status["age_s"]) == (True, 1.0)
    assert status["stations"][0]["server"] == "reachable"
    assert status["stations"][0]["readers"][0]["state"] == "ready"
    assert set(status["stations"][0]["readers"][0]) & {"sample", "data", "patient", "person"} == set()


@pytest.mark.parametrize("now", [107.0, 99.0])  # nobody writes it any more; the machine was started again
def test_an_old_status_is_of_no_running_agent(tmp_path, now):
    key = StationKey.new("S1")
    path = tmp_path / "x.status.json"
    agent_status.write(path, agent_status.status_of((Agent(Reader(), Door(key.public), key),), 100.0))
    assert agent_status.read(path, lambda: now)["running"] is False


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"at_s": "x", "pid": 1}', '{"at_s": 1}'])
def test_a_status_that_makes_no_sense_is_none(tmp_path, text):
    path = tmp_path / "x.status.json"
    path.write_text(text)
    assert agent_status.read(path) is None


def test_systemd_is_told(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        agent_status.notify("READY=1")
        assert line.recv(100) == b"READY=1"
    agent_status.notify("READY=1")  # nobody listens any more: not our business
    monkeypatch.delenv("NOTIFY_SOCKET")
    agent_status.notify("READY=1")


def test_a_crew_ends_when_one_of_its_stations_does():
    """Whoever started the program starts it again, whole."""
    crew_keys = [StationKey.new("S1"), StationKey.new("S2")]
    agents = [Agent(Reader(), Door(key.public), key) for key in crew_keys]
    agents[0].run = lambda on_answer: None
    assert Crew(agents).run() is False
    with pytest.raises(ValueError, match="key"):
        Crew([agents[1], agents[1]])


# --- the program ------------------------------------------------------------------------------


def _until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.drill
def test_two_counters_and_three_readers_in_one_program(sqlite_url, live_server, tmp_path, ost):
    keys.create(tmp_path / "keys")
    database = Database(sqlite_url)
    house = House(database, keys.load(tmp_path / "keys"), demo=True)
    clinic = make.make_clinic(house, came_yesterday=False)
    enrol(house, clinic.patient, PERSON)
    admin = make.make_account(house, "admin")
    second = make.make_counter(house, number=2)
    codes = [stations.create(house, admin, clinic.site, c, c).code for c in (clinic.counter, second)]
    server = live_server(sqlite_url, home=tmp_path)
    plan = written(tmp_path, WHOLE.replace("https://ost.example", server.url).replace("/etc/ost/", ""))

    def all_of(table):
        with database.read() as tx:
            return tx.execute(sa.select(table)).all()

    def start(*more):
        return subprocess.Popen(
            [sys.executable, "-m", "ost.cli", "agent", "--config", str(plan), *more],
            cwd=ROOT,
            env=ost_environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def status():
        done = ost("agent", "--status", "--json", home=tmp_path)
        return done.returncode, json.loads(done.stdout)

    assert status() == (1, {"agents": {}, "running": False})
    agent = start("--enrol", codes[0], "--enrol", codes[1])
    try:
        _until(lambda: [s.reader_state for s in all_of(station)] == ["ready", "ready"])
        assert sorted(r.name for r in all_of(reader)) == ["left", "left", "right"]
        assert all(stat.S_IMODE((tmp_path / f"{n}.json").stat().st_mode) == 0o600 for n in ("one", "two"))
        agent.stdin.write(f"{PERSON}\n".encode())
        agent.stdin.flush()
        _until(lambda: clinic.patient in [c.patient for c in all_of(sites.counter)])
        code, said = status()
        assert (code, said["running"]) == (0, True)
        here = said["agents"]["site"]["stations"]
        assert [s["server"] for s in here] == ["reachable", "reachable"]
        assert [r["touches"] for s in here for r in s["readers"]] == [1, 0, 0]
        assert clinic.patient not in json.dumps(said)
        twice = ost("agent", "--config", str(plan), home=tmp_path)
        assert twice.returncode == 1
        assert "running already" in twice.stderr
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        code, said = status()
        assert (code, said["running"]) == (1, False)
        agent = start()
        _until(lambda: status()[1]["running"])
        agent.terminate()
        assert agent.wait(timeout=30) == 0, agent.stdout.read().decode()
        assert [s.reader_state for s in all_of(station)] == ["closed", "closed"]  # goodbye was said
        assert not list((tmp_path / "agent").glob("*.status.json"))
    finally:
        if agent.poll() is None:
            os.kill(agent.pid, signal.SIGKILL)
            agent.wait()
        database.close()


def test_without_a_keyboard_a_simulated_reader_just_waits(monkeypatch):
    from ost.commands import agent as command

    monkeypatch.setattr(command.os, "read", lambda *_: b"")
    key = StationKey.new("S1")
    crew = Crew([Agent(SimulatedReader(), Door(key.public), key)])
    command._listen(crew, crew.agents[0].reader)
    assert not crew._stop.is_set()
    typed = iter([b"un", b"plug\nplug\nnonsense\n\n", b"7\n"])
    monkeypatch.setattr(command.os, "read", lambda *_: next(typed, b""))
    command._listen(crew, crew.agents[0].reader)
    assert crew._stop.is_set()
