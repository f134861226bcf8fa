"""What a station says of itself: kept, bounded, not to be replayed, and seen by the counter within its three seconds."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.agent import HEARTBEAT_S
from devices.interface import body_digest, readers_digest
from ost.models import audit
from ost.models import station as models
from ost.models.reader import reader, reader_fault
from ost.services import counter_page, device_health, reader_state, stations
from tests.make import make_account, make_clinic, make_counter
from tests.touch import a_reader, a_touch, make_station

PERSON = 101


@pytest.fixture
def clinic(house):
    return make_clinic(house, came_yesterday=False)


@pytest.fixture
def station(house, clinic):
    return make_station(house, clinic.counter)


def rows(house, table):
    with house.read() as tx:
        return tx.execute(sa.select(table)).all()


def events(house, kind):
    with house.read() as tx:
        found = tx.execute(sa.select(audit.audit_event).where(audit.audit_event.c.kind == kind)).all()
    return [json.loads(e.payload) for e in found]


def pulse(house, clinic):
    return counter_page.pulse(house, clinic.nurse, clinic.counter)


def readers(house):
    return {r.name: r for r in rows(house, reader)}


# --- what is kept ----------------------------------------------------------------------


def test_each_reader_is_kept_with_what_it_says_of_itself_and_no_event_is_written(house, clinic, station):
    before = len(rows(house, audit.audit_event))
    heard = station.beat(
        a_reader("left", serial="SN-1", firmware="2.1", liveness="level 2", dpi=569),
        a_reader("right", "unplugged", "reader_unplugged"),
        want=2,
    )
    assert len(heard.challenges) == 2
    left, right = readers(house)["left"], readers(house)["right"]
    assert (left.serial, left.firmware, left.liveness, left.dpi, left.state) == ("SN-1", "2.1", "level 2", 569, "ready")
    assert (right.state, right.detail) == ("unplugged", "reader_unplugged")
    assert {r.site for r in (left, right)} == {"HUA1"}
    assert len(rows(house, audit.audit_event)) == before


def test_the_same_reader_is_one_row_and_one_that_went_is_said_to_be_gone(house, clinic, station):
    for _ in range(3):
        station.beat(a_reader("left"), a_reader("right"))
    station.beat(a_reader("left"))
    assert {name: r.state for name, r in readers(house).items()} == {"left": "ready", "right": "gone"}
    station.beat(a_reader("left"), a_reader("right"))
    assert readers(house)["right"].state == "ready"


def test_a_short_heartbeat_keeps_the_station_there_and_asks_when_it_does_not_know(house, clinic, station, clock):
    def short(digest):
        challenge = station.challenge()
        body = {"station": station.id, "challenge": challenge, "said": digest, "want": 1}
        body["signature"] = station.key.sign("heartbeat", challenge, body_digest(body))
        return stations.heartbeat(house, body)

    digest = readers_digest([a_reader("left")])
    assert short(digest).tell is True
    station.beat(a_reader("left"))
    clock.shift(timedelta(seconds=1))
    assert short(digest).tell is False
    assert short(readers_digest([a_reader("other")])).tell is True
    assert rows(house, models.station)[0].seen_at == house.now()
    clock.shift(timedelta(minutes=2))  # when it was last seen is kept about once a minute
    assert short(digest).tell is True


def test_a_fault_is_kept_each_time_a_reader_turns_away_from_ready_and_never_in_a_storm(house, clinic, station, clock):
    station.beat(a_reader())
    for _ in range(5):
        station.beat(a_reader(state="unplugged", trouble="reader_unplugged"))
        station.beat(a_reader())
    assert [f.code for f in rows(house, reader_fault)] == ["reader_unplugged"]
    clock.shift(reader_state.FAULT_AGAIN + timedelta(seconds=1))
    station.beat(a_reader(state="unplugged", trouble="reader_not_answering"))
    station.beat(a_reader(state="unplugged", trouble="reader_not_answering"))
    assert sorted(f.code for f in rows(house, reader_fault)) == ["reader_not_answering", "reader_unplugged"]


def test_a_goodbye_is_no_fault(house, clinic, station):
    station.beat(a_reader())
    station.beat(a_reader(state="closed"))
    assert rows(house, reader_fault) == []


# --- what is refused ----------------------------------------------------------------------


def test_a_heartbeat_somebody_recorded_does_not_bring_a_dead_reader_to_life(house, clinic, station, clock):
    challenge = station.challenge()
    station.beat(a_reader(), challenge=challenge)
    clock.shift(timedelta(seconds=3))
    station.beat(a_reader(state="unplugged", trouble="reader_unplugged"))
    assert station.beat(a_reader(), challenge=challenge).code == "challenge_stale"
    assert readers(house)["reader"].state == "unplugged"
    assert pulse(house, clinic).reader == "offline"
    assert events(house, "station.turned_away")[-1]["what"] == "heartbeat"


def test_a_clock_that_was_set_back_shuts_no_station_out(house, clinic, station, clock):
    station.beat(a_reader())
    clock.shift(timedelta(hours=-2))
    assert station.beat(a_reader()).challenges


def test_readers_cannot_fill_the_table(house, clinic, station):
    for n in range(reader_state.MOST_EVER):
        assert station.beat(a_reader(f"name {n}")).challenges
    assert station.beat(a_reader("one more")).code == "readers_too_many"
    assert len(rows(house, reader)) == reader_state.MOST_EVER
    assert station.post(a_touch(PERSON)).code == "readers_too_many"  # its reader's name was never said
    assert station.beat(a_reader("name 3")).challenges
    assert station.beat(a_reader("a"), a_reader("a")).code == "readers_too_many"
    assert station.beat(*[a_reader(f"name {n}") for n in range(9)]).code == "readers_too_many"


def test_touches_faster_than_hands_are_refused_and_the_next_ten_seconds_are_free(house, clinic, station, clock):
    answers = [station.post(a_touch(PERSON, 30)).code for _ in range(33)]
    assert answers.count("captures_too_many") == 3
    assert len(rows(house, models.capture)) == 30
    clock.shift(timedelta(seconds=11))
    assert station.post(a_touch(PERSON, 30)).code != "captures_too_many"


def test_the_same_refusal_again_and_again_fills_no_chain_and_is_counted(house, clinic, station, clock):
    stations.revoke(house, make_account(house, "admin"), station.id)
    for _ in range(600):
        assert station.beat(a_reader()).code == "station_revoked"
        clock.shift(timedelta(seconds=1))
    kept = events(house, "station.turned_away")
    assert 2 <= len(kept) <= 8
    assert sum(1 + e.get("not_kept_before", 0) for e in kept) >= 300


# --- what the counter sees ------------------------------------------------------------------


def test_the_counter_says_each_state_of_its_readers(house, clinic, station):
    assert pulse(house, clinic).reader == "none"
    station.beat(a_reader("left"), a_reader("right"))
    assert (pulse(house, clinic).reader, pulse(house, clinic).trouble) == ("ready", None)
    station.beat(a_reader("left"), a_reader("right", "unplugged", "reader_permission_denied"))
    seen = pulse(house, clinic)
    assert (seen.reader, seen.trouble) == ("partly", "reader_permission_denied")
    station.beat(a_reader("left", "unplugged", "reader_unplugged"), a_reader("right", "closed"))
    assert pulse(house, clinic).reader == "offline"
    station.beat(a_reader("left", "closed"), a_reader("right", "closed"))
    assert (pulse(house, clinic).reader, pulse(house, clinic).trouble) == ("offline", None)


def test_each_change_changes_what_the_page_compares(house, clinic, station):
    seen = set()
    for said in (
        [a_reader("left"), a_reader("right")],
        [a_reader("left"), a_reader("right", "unplugged", "reader_unplugged")],
        [a_reader("left", "unplugged", "reader_unplugged"), a_reader("right")],
    ):
        station.beat(*said)
        now = pulse(house, clinic)
        seen.add((now.reader, now.readers, now.trouble))
    assert len(seen) == 3


def test_silence_is_seen_before_three_seconds_are_over_and_one_late_beat_is_forgiven(house, clinic, station, clock):
    poll_s, shown_s = 1.0, 0.1
    assert counter_page.SILENT.total_seconds() + poll_s + shown_s <= 3.0
    assert counter_page.SILENT.total_seconds() - HEARTBEAT_S >= 0.99
    station.beat(a_reader())
    clock.shift(timedelta(seconds=HEARTBEAT_S + 0.9))
    assert pulse(house, clinic).reader == "ready"
    clock.shift(timedelta(seconds=0.2))
    assert pulse(house, clinic).reader == "silent"
    station.beat(a_reader())
    assert pulse(house, clinic).reader == "ready"


# --- revoked readers ---------------------------------------------------------------------------


def test_a_revoked_reader_is_said_on_the_counter_and_stays_revoked_under_another_name(house, clinic, station):
    admin = make_account(house, "admin")
    station.beat(a_reader("left", serial="SN-1"), a_reader("right", serial="SN-2"))
    device_health.revoke(house, admin, readers(house)["left"].id)
    station.beat(a_reader("left", serial="SN-1"), a_reader("right", serial="SN-2"))
    assert pulse(house, clinic).reader == "partly"
    station.beat(a_reader("renamed", serial="SN-1"))
    assert (pulse(house, clinic).reader, pulse(house, clinic).trouble) == ("offline", "reader_revoked")
    assert readers(house)["renamed"].revoked_at is not None
    device_health.restore(house, admin, readers(house)["renamed"].id)
    station.beat(a_reader("renamed", serial="SN-1"))
    assert pulse(house, clinic).reader == "ready"
    assert [e["reader"] for e in events(house, "reader.revoked")] == [readers(house)["left"].id]
    assert len(events(house, "reader.restored")) == 1


def test_another_station_with_the_same_dummy_serial_number_is_left_alone(house, clinic, station):
    station.beat(a_reader("left", serial="00000000"))
    device_health.revoke(house, make_account(house, "admin"), readers(house)["left"].id)
    other = make_station(house, make_counter(house, number=2))
    other.beat(a_reader("other", serial="00000000"))
    assert readers(house)["other"].revoked_at is None
