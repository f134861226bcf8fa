"""Every way a capture can be forged, one test each: refused, named, kept in the chain, written to the log, and
nobody is shown. What the door lets in is in test_captures.py."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.agent import StationKey
from devices.interface import Sample, Touch
from ost import keys
from ost.log import log
from ost.models import audit
from ost.models import station as models
from ost.models.reader import capture_measure, reader
from ost.models.site import counter as counters
from ost.services import captures, device_health, stations
from ost.services.captures import receive_capture
from ost.services.work import House
from tests.make import make_account, make_clinic, make_counter
from tests.touch import a_reader, a_touch, enrol, make_station

PERSON, OTHER = 101, 102


@pytest.fixture
def house(sqlite_database):
    """On one database: what is refused here never reaches it. Both are asked in test_captures.py."""
    return House(sqlite_database, keys.ephemeral(), policy_name="tw", demo=True)


@pytest.fixture
def clinic(house):
    return make_clinic(house, came_yesterday=False)


@pytest.fixture
def station(house, clinic):
    enrol(house, clinic.patient, PERSON)
    made = make_station(house, clinic.counter)
    made.beat(a_reader())
    return made


@pytest.fixture
def said(monkeypatch):
    """Every warning of the log, as (event, fields)."""
    lines = []
    monkeypatch.setattr(log, "warning", lambda event, **fields: lines.append((event, fields)), raising=False)
    return lines


def rows(house, table):
    with house.read() as tx:
        return tx.execute(sa.select(table)).all()


def refused(house, answer, code, said, captures=0):
    """Refused by this name, kept, logged; and no capture, no evidence, nobody on the counter."""
    assert (answer.result, answer.code, answer.capture) == ("refused", code, None)
    kept = [e for e in rows(house, audit.audit_event) if e.kind == "station.turned_away"]
    assert json.loads(kept[-1].payload)["code"] == code
    assert [f["code"] for event, f in said if event == "station_turned_away"][-1] == code
    assert len(rows(house, models.capture)) == captures
    assert len(rows(house, models.identity_evidence)) == captures
    assert len(rows(house, capture_measure)) == captures
    if not captures:
        assert rows(house, counters)[0].patient is None


def test_a_replayed_capture(house, station, said):
    challenge, touch = station.challenge(), a_touch(PERSON)
    signature = station.sign(touch, challenge)
    assert station.post(touch, challenge, signature).result == "shown"
    other = a_touch(PERSON, 12)
    refused(house, station.post(other, challenge), "capture_replayed", said, captures=1)


def test_a_replayed_capture_half_a_minute_later(house, station, said, clock):
    challenge, touch = station.challenge(), a_touch(PERSON)
    station.post(touch, challenge)
    clock.shift(timedelta(seconds=31))
    refused(house, station.post(touch, challenge), "capture_replayed", said, captures=1)


def test_a_stale_capture(house, station, said, clock):
    challenge = station.challenge()
    clock.shift(timedelta(seconds=61))
    refused(house, station.post(a_touch(PERSON), challenge), "challenge_stale", said)


def test_a_wrongly_signed_capture(house, station, said):
    touch, challenge = a_touch(PERSON), station.challenge()
    wrong = StationKey.new(station.id).sign("capture", challenge, touch.digest())
    refused(house, station.post(touch, challenge, wrong), "signature_wrong", said)


def test_an_unsigned_capture(house, station, said):
    refused(house, station.post(a_touch(PERSON), signature=""), "signature_wrong", said)


def test_a_capture_signed_for_something_else(house, station, said):
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = station.key.sign("heartbeat", challenge, touch.digest())
    refused(house, station.post(touch, challenge, signature), "signature_wrong", said)


def test_a_capture_of_the_wrong_station_with_its_own_key(house, station, said):
    """Another station, honestly enrolled, answers this one's challenge."""
    other = make_station(house, make_counter(house, number=2))
    refused(house, other.post(a_touch(PERSON), station.challenge()), "challenge_wrong", said)


def test_a_capture_in_the_name_of_another_station(house, station, said):
    other = make_station(house, make_counter(house, number=2))
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = other.key.sign("capture", challenge, touch.digest())
    answer = receive_capture(house, station.gallery, station.id, challenge, touch, signature)
    refused(house, answer, "signature_wrong", said)


def test_a_capture_of_a_station_nobody_knows(house, station, said):
    ghost = StationKey.new("nobody")
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = ghost.sign("capture", challenge, touch.digest())
    answer = receive_capture(house, station.gallery, "nobody", challenge, touch, signature)
    refused(house, answer, "station_unknown", said)


def test_a_capture_of_a_simulated_reader_in_production(house, station, said):
    house.demo = False
    refused(house, station.touch(PERSON), "simulated_reader_refused", said)


def test_a_capture_of_a_revoked_station(house, station, said):
    stations.revoke(house, make_account(house, "admin"), station.id, "lost")
    refused(house, station.touch(PERSON), "station_revoked", said)


def test_a_station_revoked_while_its_print_is_read(house, clinic, station, said, monkeypatch):
    """The signature was right when it was checked; after "revoked" nothing of this station counts."""
    admin, real = make_account(house, "admin"), captures.probe_of

    def slow(sample):
        stations.revoke(house, admin, station.id)
        return real(sample)

    monkeypatch.setattr(captures, "probe_of", slow)
    refused(house, station.touch(PERSON), "station_revoked", said)


def test_a_capture_of_a_revoked_reader(house, station, said):
    device_health.revoke(house, make_account(house, "admin"), rows(house, reader)[0].id)
    refused(house, station.touch(PERSON), "reader_revoked", said)


def test_a_capture_of_a_revoked_reader_without_waiting_for_its_heartbeat(house, station, said):
    """A name that no heartbeat ever said is not a way around: its row is made from the touch."""
    named = replace(a_touch(PERSON), reader="window")
    assert station.post(named).result == "shown"
    window = next(r for r in rows(house, reader) if r.name == "window")
    device_health.revoke(house, make_account(house, "admin"), window.id)
    assert station.post(named).code == "reader_revoked"


# --- altered, field by field ------------------------------------------------------------------

SAMPLE = a_touch(PERSON).sample
ALTERED = {
    "reader_kind": {"reader_kind": "zfm"},
    "simulated": {"simulated": False},
    "ending": {"ending": "not_captured", "code": "timed_out", "sample": None},
    "code": {"ending": "unknown", "code": "vanished", "sample": None},
    "reader": {"reader": "another"},
    "touch_ms": {"touch_ms": 5},
    "modality": {"sample": replace(SAMPLE, modality="face")},
    "format": {"sample": replace(SAMPLE, format="image/png")},
    "dpi": {"sample": replace(SAMPLE, dpi=1000)},
    "declared": {"sample": replace(SAMPLE, declared={"liveness": "level 3"})},
    "data": {"sample": a_touch(OTHER).sample},
    "one_bit": {"sample": Sample(SAMPLE.modality, SAMPLE.format, SAMPLE.data[:-1] + bytes([SAMPLE.data[-1] ^ 1]))},
    "one_byte_less": {"sample": Sample(SAMPLE.modality, SAMPLE.format, SAMPLE.data[:-1])},
}


@pytest.mark.parametrize("field", ALTERED)
def test_an_altered_capture(house, station, said, field):
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = station.sign(touch, challenge)
    altered = replace(touch, **ALTERED[field])
    assert altered != touch
    refused(house, station.post(altered, challenge, signature), "signature_wrong", said)


def test_every_field_of_a_touch_is_among_those_altered():
    fields = {name for changes in ALTERED.values() for name in changes}
    assert fields == set(Touch.__dataclass_fields__)
    assert {"modality", "format", "dpi", "declared", "data"} == set(Sample.__dataclass_fields__) & set(ALTERED)


def test_an_altered_challenge(house, station, said):
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = station.sign(touch, challenge)
    at, nonce, mac = challenge.split(".")
    later = f"{int(at, 16) + 60_000:x}.{nonce}.{mac}"
    refused(house, station.post(touch, later, signature), "signature_wrong", said)
    resigned = station.post(touch, later, station.sign(touch, later))
    refused(house, resigned, "challenge_wrong", said)


def test_an_altered_signature_at_any_place(house, station, said):
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = station.sign(touch, challenge)
    for place in range(0, len(signature), 16):
        wrong = signature[:place] + ("0" if signature[place] != "0" else "1") + signature[place + 1 :]
        assert station.post(touch, challenge, wrong).code == "signature_wrong"
    assert rows(house, models.capture) == []
