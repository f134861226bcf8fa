"""The agent against a door that fails as networks do. The real door's side is in tests/api/test_agent_door.py."""

from __future__ import annotations

import json
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from devices.agent import Agent, HttpDoor, KeyFileUnsafe, Refused, StationKey, Unreachable, enrol
from devices.interface import (
    READY,
    About,
    Captured,
    NotCaptured,
    Sample,
    Touch,
    Unknown,
    body_digest,
    signed_bytes,
)


class Reader:
    """Hands out what it is given."""

    kind, modality, simulated = "test", "finger", False

    def __init__(self, *captures):
        self.captures = list(captures)

    def open(self): ...

    def close(self): ...

    def state(self):
        return READY

    def trouble(self):
        return None

    def about(self):
        return About(self.kind, "image", simulated=self.simulated, dpi=500)

    def capture(self, timeout_s):
        return self.captures.pop(0) if self.captures else NotCaptured("timed_out")


class Door:
    """A server that checks signatures, hands out challenges, and can be down or say no."""

    def __init__(self, public):
        self.public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        self.given, self.used, self.posts, self.beats = 0, [], [], []
        self.down = self.lose_answers = 0
        self.refusals, self.beat_refusals = [], []
        self.dead = self.tell = False

    def _fresh(self, count):
        self.given += count
        return [f"challenge-{self.given - n}" for n in range(count)]

    def _check(self, purpose, challenge, digest, signature):
        self.public.verify(bytes.fromhex(signature), signed_bytes(purpose, "S1", challenge, digest))

    def challenges(self, body):
        if self.dead:
            raise Unreachable("dead")
        said = {k: v for k, v in body.items() if k != "signature"}
        self._check("challenges", "", body_digest(said), body["signature"])
        return {"challenges": self._fresh(body["count"])}

    def heartbeat(self, body):
        said = {k: v for k, v in body.items() if k != "signature"}
        self._check("heartbeat", body["challenge"], body_digest(said), body["signature"])
        if self.beat_refusals:
            raise Refused(self.beat_refusals.pop(0))
        self.beats.append(body)
        return {"challenges": self._fresh(body["want"]), "tell": self.tell}

    def captures(self, body):
        if self.dead:
            raise Unreachable("dead")
        if self.down:
            self.down -= 1
            raise Unreachable("down")
        if self.refusals:
            raise Refused(self.refusals.pop(0))
        touch = Touch.from_wire(body["touch"])
        self._check("capture", body["challenge"], touch.digest(), body["signature"])
        self.posts.append(body)
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unreachable("the answer was lost")
        return {"result": "shown", "code": None, "challenges": self._fresh(body["want"])}


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("devices.agent.RETRY_S", 0.001)


def make(*captures):
    key = StationKey.new("S1")
    door, clock = Door(key.public), Clock()
    return Agent(Reader(*captures), door, key, clock), door, clock


FINGER = Captured(Sample("finger", "image/png", b"\x89PNG-secret-ridges", 500))


def test_a_touch_is_signed_and_told():
    agent, door, _ = make(FINGER)
    assert agent.once()["result"] == "shown"
    assert Touch.from_wire(door.posts[0]["touch"]).sample.data == b"\x89PNG-secret-ridges"


def test_it_holds_two_challenges_and_asks_with_every_answer():
    agent, door, _ = make(FINGER, FINGER, FINGER)
    for _ in range(3):
        agent.once()
    assert len({p["challenge"] for p in door.posts}) == 3
    assert door.given <= 2 + 3 * 2
    agent.heartbeat()
    assert agent._missing() <= 1


def test_old_challenges_are_thrown_away():
    agent, door, clock = make(FINGER, FINGER)
    agent.once()
    before = door.given
    clock.now += 55
    agent.once()
    assert door.posts[1]["challenge"] not in [f"challenge-{n}" for n in range(before + 1)]


def test_the_line_is_down_for_a_moment_and_the_identical_post_is_repeated():
    agent, door, _ = make(FINGER)
    door.lose_answers = 2
    assert agent.once()["result"] == "shown"
    assert len(door.posts) == 3
    assert door.posts[0] == door.posts[1] == door.posts[2]


def test_an_old_touch_is_dropped(caplog):
    agent, door, clock = make(FINGER)

    def dead(body):
        clock.now += 3
        raise Unreachable("down")

    door.captures = dead
    assert agent.once() is None
    assert "dropped" in caplog.text
    assert "secret" not in caplog.text


def test_a_stale_challenge_is_replaced():
    agent, door, _ = make(FINGER)
    door.refusals = ["challenge_stale"]
    assert agent.once()["result"] == "shown"


def test_a_refusal_is_said_once_and_not_repeated():
    agent, door, _ = make(FINGER)
    door.refusals = ["station_revoked", "never asked again"]
    assert agent.once() == {"result": "refused", "code": "station_revoked"}
    assert door.refusals == ["never asked again"]


def test_what_was_not_captured_is_told_when_it_matters():
    agent, door, _ = make(NotCaptured("timed_out"), NotCaptured("unplugged"), Unknown("vanished"))
    assert agent.once() is None
    agent.once()
    agent.once()
    assert [(p["touch"]["ending"], p["touch"]["code"]) for p in door.posts] == [
        ("not_captured", "unplugged"),
        ("unknown", "vanished"),
    ]


def test_it_runs_until_stopped_and_comes_back_after_an_outage():
    agent, door, _ = make(FINGER, FINGER)
    door.down = 3
    answers = []
    thread = threading.Thread(target=agent.run, args=(answers.append,))
    thread.start()
    until = time.monotonic() + 10
    while len(answers) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    agent.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert [a["result"] for a in answers] == ["shown", "shown"]
    assert door.beats


def test_nothing_is_written_to_disk_while_it_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    agent, door, _ = make(FINGER)
    door.lose_answers = 1
    agent.once()
    assert list(tmp_path.rglob("*")) == []


# --- the key ------------------------------------------------------------------------


def test_the_key_file_is_its_owners_only(tmp_path):
    path = tmp_path / "agent" / "station.json"
    key = StationKey.new("S1")
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert StationKey.load(path).public == key.public
    assert "key" not in repr(key).replace("StationKey", "")
    with pytest.raises(FileExistsError):
        key.save(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileUnsafe, match="read by others"):
        StationKey.load(path)
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(KeyFileUnsafe, match="damaged"):
        StationKey.load(path)


def test_a_refused_code_leaves_no_key_behind(tmp_path):
    class Shut:
        def enrol(self, body):
            raise Refused("enrol_code_wrong")

    with pytest.raises(Refused):
        enrol(Shut(), "CODE", tmp_path / "station.json")
    assert list(tmp_path.iterdir()) == []


# --- the line ------------------------------------------------------------------------


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        answer = (200, b'{"challenges": []}')

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = Handler.answer
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args): ...

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    made.handler = Handler
    yield made
    made.shutdown()
    made.server_close()


def test_plain_http_only_to_this_machine():
    for address in ("http://ost.example", "ftp://127.0.0.1", "127.0.0.1:5000"):
        with pytest.raises(ValueError, match="https"):
            HttpDoor(address)
    HttpDoor("https://ost.example")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((503, b"busy"), Unreachable),
        ((429, b"slow down"), Unreachable),
        ((200, b"<html>"), Unreachable),
        ((200, b"[]"), Unreachable),
        ((302, b""), Refused),
        ((403, json.dumps({"error": {"code": "station_revoked"}}).encode()), Refused),
        ((404, b"not json"), Refused),
    ],
)
def test_each_answer_of_a_server_means_again_or_no(server, answer, error):
    server.handler.answer = answer
    door = HttpDoor(f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(error) as raised:
        door.challenges({})
    if answer[0] == 403:
        assert raised.value.code == "station_revoked"


def test_nobody_listens():
    with pytest.raises(Unreachable):
        HttpDoor("http://127.0.0.1:9", timeout_s=1).heartbeat({})
