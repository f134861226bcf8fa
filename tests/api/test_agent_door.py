"""The agent's own code against the real door, over HTTP's words: enrol, heartbeat, capture, refusals."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from devices.agent import Agent, Refused, StationKey, enrol
from devices.interface import Captured, body_digest
from ost.models import site as sites
from ost.models import station as models
from ost.services import stations
from tests import make
from tests.devices.test_agent import Reader
from tests.plugins.clients import Api, assert_error, house_of
from tests.touch import a_touch
from tests.touch import enrol as enrol_print

PERSON, OTHER = 101, 102


class ClientDoor:
    """`devices.agent.Door` without a network between: refusals by code, as HttpDoor reads them."""

    def __init__(self, app):
        self.api = Api(app)

    def _post(self, name, body):
        answer = self.api.post(f"/api/v1/agent/{name}", json.loads(json.dumps(body)))
        if answer.status_code >= 400:
            raise Refused(answer.get_json()["error"]["code"])
        return answer.get_json()

    def enrol(self, body):
        return self._post("enrol", body)

    def challenges(self, body):
        return self._post("challenges", body)

    def heartbeat(self, body):
        return self._post("heartbeat", body)

    def captures(self, body):
        return self._post("captures", body)


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app), came_yesterday=False)


@pytest.fixture
def door(app):
    return ClientDoor(app)


@pytest.fixture
def key(app, clinic, door, tmp_path) -> StationKey:
    house = house_of(app)
    enrol_print(house, clinic.patient, PERSON)
    new = stations.create(house, make.make_account(house, "admin"), clinic.site, "counter 1", clinic.counter)
    return enrol(door, new.code, tmp_path / "station.json")


class SimulatedTestReader(Reader):
    kind, simulated = "simulated", True


def captured(finger, impression=9):
    return Captured(a_touch(finger, impression).sample)


def test_from_a_code_to_a_named_person(app, clinic, door, key, tmp_path):
    agent = Agent(SimulatedTestReader(captured(PERSON), captured(OTHER)), door, key)
    agent.heartbeat()
    assert agent.once()["result"] == "shown"
    assert agent.once()["code"] == "not_recognised"
    with house_of(app).read() as tx:
        station = tx.execute(sa.select(models.station)).one()
        counter = tx.execute(sa.select(sites.counter)).one()
    assert (station.reader_kind, station.reader_state) == ("simulated", "ready")
    assert station.seen_at is not None
    assert json.loads(counter.notice)["code"] == "not_recognised"
    assert StationKey.load(tmp_path / "station.json").station == key.station


def test_the_answer_says_nothing_of_the_person(app, clinic, door, key):
    answer = Agent(SimulatedTestReader(captured(PERSON)), door, key).once()
    assert set(answer) == {"result", "code", "capture", "challenges"}
    assert clinic.patient not in json.dumps(answer)


def test_a_revoked_station_hears_why(app, clinic, door, key):
    stations.revoke(house_of(app), make.make_account(house_of(app), "admin"), key.station)
    with pytest.raises(Refused, match="station_revoked"):
        Agent(SimulatedTestReader(captured(PERSON)), door, key).heartbeat()


def test_a_simulated_reader_is_refused_in_production(app, clinic, door, key):
    house_of(app).demo = False
    answer = Agent(SimulatedTestReader(captured(PERSON)), door, key).once()
    assert answer == {"result": "refused", "code": "simulated_reader_refused"}


@pytest.mark.parametrize("name", ["enrol", "challenges", "heartbeat", "captures"])
def test_no_door_opens_to_nothing(app, name):
    assert_error(Api(app).post(f"/api/v1/agent/{name}", {}), 422, "input_invalid")
    assert_error(Api(app).post(f"/api/v1/agent/{name}", {"surprise": 1}), 422, "input_invalid")


def test_a_malformed_touch_is_named_and_its_content_is_not_repeated(app, clinic, key):
    touch = a_touch(PERSON).to_wire()
    touch["sample"]["data"] = "SECRET%%%"
    body = {
        "station": key.station,
        "challenge": "1.2.3",
        "touch": touch,
        "want": 1,
        "signature": "00",
    }
    answer = Api(app).post("/api/v1/agent/captures", body)
    error = assert_error(answer, 400, "touch_malformed")
    assert "touch.data" in error["fields"]
    assert "SECRET" not in answer.get_data(as_text=True)


def test_a_forged_wish_for_challenges_gets_none(app, clinic, key):
    body = {"station": key.station, "count": 2}
    body["signature"] = StationKey.new(key.station).sign("challenges", "", body_digest(body))
    assert_error(Api(app).post("/api/v1/agent/challenges", body), 403, "signature_wrong")
    body = {"station": "ghost", "count": 2, "signature": "00"}
    assert_error(Api(app).post("/api/v1/agent/challenges", body), 403, "station_unknown")
