"""Several readers in one agent, drivers that break their promise, and what is dropped rather than told late."""

from __future__ import annotations

import threading
import time

import pytest

from devices.agent import MOST_READERS, TOUCH_AGE_S, Agent, Refused, StationKey, Unreachable
from devices.interface import (
    CLOSED,
    READY,
    UNPLUGGED,
    About,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    Sample,
    Touch,
    Unknown,
)
from devices.readers.simulated import SimulatedReader
from tests.devices.test_agent import FINGER, Clock, Door, Reader, make

SECRET = b"\x89PNG-secret-ridges"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    for name, value in {"RETRY_S": 0.001, "REOPEN_S": 0.01, "WATCH_S": 0.005}.items():
        monkeypatch.setattr(f"devices.agent.{name}", value)


def agent_of(readers, clock=None):
    key = StationKey.new("S1")
    door = Door(key.public)
    return Agent(readers, door, key, clock or time.monotonic), door


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


class Running:
    def __init__(self, agent):
        self.agent, self.answers = agent, []
        self.thread = threading.Thread(target=agent.run, args=(self.answers.append,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.agent.stop()
        self.thread.join(timeout=10)
        assert not self.thread.is_alive()


# --- several readers -----------------------------------------------------------------


def test_each_reader_is_named_in_its_touches_and_in_the_heartbeat():
    left, right = Reader(FINGER), Reader(FINGER)
    agent, door = agent_of({"left": left, "right": right})
    with Running(agent):
        until(lambda: len(door.posts) == 2)
    assert {Touch.from_wire(p["touch"]).reader for p in door.posts} == {"left", "right"}
    assert {r["name"] for r in door.beats[0]["readers"]} == {"left", "right"}


def test_one_reader_that_is_stuck_holds_up_no_other():
    class Stuck(Reader):
        def __init__(self):
            super().__init__()
            self.free = threading.Event()

        def capture(self, timeout_s):
            self.free.wait(20)
            return NotCaptured("timed_out")

    stuck = Stuck()
    agent, door = agent_of({"stuck": stuck, "good": Reader(FINGER)})
    with Running(agent):
        until(lambda: door.posts)
        stuck.free.set()
    assert Touch.from_wire(door.posts[0]["touch"]).reader == "good"


def test_a_driver_that_never_comes_back_is_said_as_not_answering():
    clock = Clock()
    agent, _door = agent_of({"stuck": Reader()}, clock)
    hand = agent.hands[0]

    class Look(Reader):
        def capture(self, timeout_s):
            clock.now += timeout_s + 60  # longer than any driver may take
            seen.append(hand.look())
            return NotCaptured("timed_out")

    seen = []
    hand.reader = Look()
    hand.capture(5)
    assert [(s["state"], s["trouble"]) for s in seen] == [(UNPLUGGED, "reader_not_answering")]
    assert hand.look()["state"] == READY


def test_a_station_has_a_few_readers_at_most():
    for readers in ({}, {str(n): Reader() for n in range(MOST_READERS + 1)}):
        with pytest.raises(ValueError, match="readers"):
            agent_of(readers)


# --- heartbeats -----------------------------------------------------------------------


def test_a_change_is_said_at_once_and_the_readers_only_when_they_changed(monkeypatch):
    monkeypatch.setattr("devices.agent.HEARTBEAT_S", 60.0)  # whatever comes sooner was a change
    reader = SimulatedReader()
    agent, door = agent_of({"left": reader})
    with Running(agent):
        until(lambda: door.beats and door.beats[-1].get("readers", [{}])[0].get("state") == READY)
        reader.unplug()
        until(lambda: door.beats[-1]["readers"][0]["state"] == UNPLUGGED)
        assert door.beats[-1]["readers"][0]["trouble"] == "reader_unplugged"
        reader.plug_in()
        until(lambda: door.beats[-1]["readers"][0]["state"] == READY)
    assert all("readers" in beat for beat in door.beats)


def test_an_unchanged_heartbeat_is_short_until_the_server_asks():
    agent, door = agent_of({"left": Reader()})
    agent.heartbeat()
    agent.heartbeat()
    door.tell = True
    agent.heartbeat()
    door.tell = False
    agent.heartbeat()
    assert ["readers" in beat for beat in door.beats] == [True, False, False, True]
    assert len({beat["said"] for beat in door.beats}) == 1
    assert len({beat["challenge"] for beat in door.beats}) == 4


def test_a_lost_answer_to_a_heartbeat_is_mended_by_a_fresh_challenge():
    agent, door = agent_of({"left": Reader()})
    agent.heartbeat()
    door.beat_refusals = ["challenge_stale"]
    agent.heartbeat()
    assert len(door.beats) == 2
    assert "readers" in door.beats[1]  # what the server knows is not known any more


def test_an_agent_that_stops_says_goodbye():
    agent, door = agent_of({"left": SimulatedReader()})
    with Running(agent):
        until(lambda: door.beats and door.beats[-1].get("readers", [{}])[0].get("state") == READY)
    last = [b for b in door.beats if "readers" in b][-1]["readers"][0]
    assert (last["state"], last["trouble"]) == (CLOSED, None)


def test_what_a_device_says_of_itself_is_bounded_and_printable():
    class Chatty(Reader):
        def about(self):
            return About("test", "image", maker="M" * 500, model="a\nb\0c", serial="", firmware=None)

    agent, _ = agent_of({"left": Chatty()})
    look = agent.looks()[0]
    assert look["maker"] == "M" * 80
    assert look["model"] == "a?b?c"
    assert (look["serial"], look["firmware"]) == (None, None)


def test_a_revoked_station_does_not_hammer_the_door():
    agent, door = agent_of({"left": Reader()})
    door.beat_refusals = ["station_revoked"] * 1000
    with Running(agent):
        time.sleep(0.3)
    assert 1000 - len(door.beat_refusals) <= 3


# --- drivers that break their promise ------------------------------------------------------


class Crashing(Reader):
    """Raises with the sample in its words, as careless drivers do, then works again."""

    def __init__(self, *captures, crashes=2):
        super().__init__(*captures)
        self.crashes = crashes

    def capture(self, timeout_s):
        if self.crashes:
            self.crashes -= 1
            raise RuntimeError(f"cannot decode {SECRET!r}")
        return super().capture(timeout_s)


def test_a_driver_that_raises_is_tried_again_and_its_words_are_not_logged(caplog):
    agent, door = agent_of({"left": Crashing(FINGER)})
    with Running(agent):
        until(lambda: door.posts)
    assert any(
        r["trouble"] == "reader_not_answering" for b in door.beats for r in b.get("readers", ())
    )
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text
    assert "cannot decode" not in caplog.text


def test_a_reader_whose_state_raises_does_not_silence_the_others(caplog):
    class Broken(Reader):
        def state(self):
            raise OSError("secret-serial")

    agent, door = agent_of({"broken": Broken(), "good": Reader(FINGER)})
    with Running(agent):
        until(lambda: door.posts and door.beats)
    looks = {r["name"]: (r["state"], r["trouble"]) for r in door.beats[0]["readers"]}
    assert looks == {"broken": (UNPLUGGED, "reader_not_answering"), "good": (READY, None)}
    assert "secret" not in caplog.text


def test_a_device_that_is_not_there_yet_is_waited_for():
    class Later(Reader):
        opened = 0

        def state(self):
            return READY if self.opened > 3 else CLOSED

        def open(self):
            self.opened += 1
            if self.opened <= 3:
                raise ReaderUnplugged("no device")

    agent, door = agent_of({"left": Later(FINGER)})
    with Running(agent) as running:
        until(lambda: running.answers)
    assert door.posts


def test_the_same_trouble_is_told_once_in_a_while_and_never_in_a_storm():
    class Flaky(Reader):
        def capture(self, timeout_s):
            return Unknown("garbled")

    clock = Clock()
    agent, door = agent_of({"left": Flaky()}, clock)
    for _ in range(50):
        agent.once()
    assert len(door.posts) == 1
    clock.now += 11
    agent.once()
    assert len(door.posts) == 2


# --- offline ---------------------------------------------------------------------------------


def test_a_touch_made_while_the_server_is_away_is_dropped_and_not_told_later():
    agent, door, _clock = make(FINGER, FINGER)
    door.dead = True
    with pytest.raises(Unreachable):
        agent.heartbeat()
    assert agent.once() is None
    door.dead = False
    agent.heartbeat()
    assert door.posts == []
    agent.reader.captures.append(FINGER)
    assert agent.once()["result"] == "shown"


def test_touches_that_waited_behind_a_dropped_one_are_dropped_with_it():
    agent, door, clock = make(FINGER, FINGER, FINGER)

    def dead(body):
        clock.now += TOUCH_AGE_S / 2
        raise Unreachable("down")

    alive, door.captures = door.captures, dead
    assert agent.once() is None
    door.captures = alive
    agent.heartbeat()
    assert agent.once() is None  # nothing is left of what was laid on meanwhile
    assert door.posts == []
    assert agent.hands[0].dropped == 3


def test_a_touch_that_grew_old_while_the_machine_slept_is_not_signed_anew():
    """The challenge went stale in that sleep: a fresh one must not carry an old touch in."""
    agent, door, clock = make(FINGER)

    def slept(body):
        clock.now += 3600
        raise Refused("challenge_stale")

    door.captures = slept
    assert agent.once() is None
    assert door.posts == []


def test_time_asked_for_a_challenge_counts_too():
    agent, door, clock = make(FINGER)
    ask = door.challenges

    def slow(body):
        clock.now += TOUCH_AGE_S + 0.1
        return ask(body)

    door.challenges = slow
    assert agent.once() is None
    assert door.posts == []


def test_how_long_the_finger_took_travels_with_the_touch():
    agent, door, _ = make(Captured(Sample("finger", "image/png", SECRET, 500), touch_ms=417))
    agent.once()
    assert Touch.from_wire(door.posts[0]["touch"]).touch_ms == 417
