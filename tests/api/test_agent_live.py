"""The agent's program and the server's, two processes and a wire: a touch on one is a person on the other."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from devices.agent import Agent, HttpDoor, Refused, Unreachable, enrol
from devices.interface import Captured
from ost import keys
from ost.db import Database
from ost.models import site as sites
from ost.services import stations
from ost.services.work import House
from tests import make
from tests.devices.test_agent import Reader
from tests.touch import a_touch
from tests.touch import enrol as enrol_print

PERSON = 101


class SimulatedTestReader(Reader):
    kind, simulated = "simulated", True


@pytest.mark.drill
def test_a_touch_at_the_counter_shows_a_person_and_an_outage_is_outlived(sqlite_url, live_server, tmp_path):
    keys.create(tmp_path / "keys")
    database = Database(sqlite_url)
    house = House(database, keys.load(tmp_path / "keys"), demo=True)
    clinic = make.make_clinic(house, came_yesterday=False)
    enrol_print(house, clinic.patient, PERSON)
    new = stations.create(house, make.make_account(house, "admin"), clinic.site, "counter 1", clinic.counter)

    server = live_server(sqlite_url, home=tmp_path)
    door = HttpDoor(server.url, timeout_s=60)  # a cold server compiles its matcher on a busy machine
    key = enrol(door, new.code, tmp_path / "agent" / "station.json")
    with pytest.raises(Refused, match="enrol_code_wrong"):
        enrol(door, new.code, tmp_path / "agent" / "second.json")
    captured = Captured(a_touch(PERSON).sample)
    agent = Agent(SimulatedTestReader(captured), door, key)
    agent.heartbeat()
    assert agent.once()["result"] == "shown"
    with database.read() as tx:
        assert tx.execute(sa.select(sites.counter.c.patient)).scalar_one() == clinic.patient
    server.kill()
    with pytest.raises(Unreachable):
        agent.heartbeat()
    server.start()
    agent.heartbeat()
    agent.reader.captures.append(Captured(a_touch(PERSON, 12).sample))
    assert agent.once()["result"] == "shown"
    database.close()
