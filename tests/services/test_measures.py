"""Beside each capture: which reader, which try, how long. And what an administrator is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.interface import Touch
from ost.errors import Refusal
from ost.models.reader import capture_measure
from ost.services import device_health, stations
from ost.services.verify import verify
from tests.make import make_account, make_clinic, make_counter, make_site
from tests.touch import a_reader, a_touch, enrol, make_station

PERSON, NOBODY = 101, 104


@pytest.fixture
def clinic(house):
    return make_clinic(house, came_yesterday=False)


@pytest.fixture
def station(house, clinic):
    enrol(house, clinic.patient, PERSON)
    made = make_station(house, clinic.counter)
    made.beat(a_reader())
    return made


def measures(house):
    with house.read() as tx:
        return tx.execute(sa.select(capture_measure).order_by(capture_measure.c.at)).all()


def device(house, site="HUA1"):
    return device_health.at_site(house, make_account(house, "admin"), site)[0].devices[0]


def test_a_touch_is_measured_and_the_row_is_evidence(house, clinic, station):
    station.post(replace(a_touch(PERSON), touch_ms=420))
    found = measures(house)[0]
    assert (found.finger, found.tries, found.touch_ms) == ("right_index", 1, 420)
    assert found.extract_ms is not None
    assert found.match_ms is not None
    assert found.reader is not None
    assert not verify(house).problems
    with pytest.raises(sa.exc.DBAPIError), house.db.begin() as tx:
        tx.execute(sa.update(capture_measure).values(tries=9))


def test_tries_count_up_until_somebody_is_found_and_begin_anew_for_the_next(house, clinic, station, clock):
    for finger in (NOBODY, NOBODY, PERSON, PERSON, NOBODY):
        station.touch(finger)
        clock.shift(timedelta(seconds=5))
    assert [m.tries for m in measures(house)] == [1, 2, 3, 1, 1]
    assert [m.finger for m in measures(house)] == [None, None, "right_index", "right_index", None]


def test_a_minute_later_somebody_else_stands_there(house, clinic, station, clock):
    station.touch(NOBODY)
    clock.shift(timedelta(seconds=61))
    station.touch(PERSON)
    assert [m.tries for m in measures(house)] == [1, 1]


def test_what_the_device_lost_is_no_try_of_the_finger(house, clinic, station):
    station.post(Touch("simulated", True, "unknown", "vanished"))
    station.touch(PERSON)
    assert [m.tries for m in measures(house)] == [1, 1]
    assert measures(house)[0].extract_ms is None


def test_another_stations_tries_are_its_own(house, clinic, station, clock):
    station.touch(NOBODY)
    other = make_station(house, make_counter(house, number=2))
    clock.shift(timedelta(seconds=1))
    other.touch(PERSON)
    assert [m.tries for m in measures(house)] == [1, 1]


def test_a_readers_days_are_counted_and_few_touches_make_no_median(house, clinic, station, clock):
    for _ in range(3):
        station.touch(PERSON)
        station.touch(NOBODY)
        clock.shift(timedelta(seconds=20))
    today = device(house).days[-1]
    assert (today.touches, today.found, today.in_vain) == (6, 3, 3)
    assert today.again == {"not_recognised": 3}
    assert today.tries_median is None
    assert today.match_p95_ms is None
    for _ in range(2):
        station.touch(PERSON)
        clock.shift(timedelta(seconds=20))
    assert device(house).days[-1].tries_median in (1, 2)
    assert device(house).days[-1].match_p95_ms is not None
    assert len(device(house).days) == device_health.SHOWN_DAYS


def test_a_dying_reader_is_named(house, clinic, station, clock):
    for _ in range(22):
        station.touch(NOBODY)
        clock.shift(timedelta(seconds=1))
    assert [f.code for f in device(house).findings] == ["most_in_vain"]


def test_what_was_turned_away_is_counted_from_the_chain(house, clinic, station, clock):
    challenge = station.challenge()
    station.post(a_touch(PERSON), challenge)
    for n in range(3):
        station.post(a_touch(PERSON, 20 + n), challenge)
    clock.shift(timedelta(seconds=11))
    station.post(a_touch(PERSON, 40), challenge)
    found = device_health.at_site(house, make_account(house, "admin"), "HUA1")[0]
    assert found.refused == {"capture_replayed": 4}
    clock.shift(timedelta(days=20))
    assert device_health.at_site(house, make_account(house, "admin"), "HUA1")[0].refused == {}


def test_each_site_of_the_administrator_and_no_other(house, clinic, station):
    make_site(house, "TPE1", "TPE")
    everywhere = make_account(house, "admin", scope_kind="network", scope="*")
    assert {c.site: (c.stations, c.heard, c.readers) for c in device_health.overview(house, everywhere)} == {
        "HUA1": (1, 1, 1),
        "TPE1": (0, 0, 0),
    }
    elsewhere = make_account(house, "admin", scope="TPE1")
    assert [c.site for c in device_health.overview(house, elsewhere)] == ["TPE1"]
    for actor in (elsewhere, clinic.nurse):
        with pytest.raises(Refusal, match="not_permitted"):
            device_health.at_site(house, actor, "HUA1")
        with pytest.raises(Refusal, match="not_permitted"):
            device_health.revoke(house, actor, device(house).row.id)
    with pytest.raises(Refusal, match="reader_unknown_here"):
        device_health.one(house, everywhere, "nothing")
    stations.revoke(house, everywhere, station.id)
    assert device_health.overview(house, everywhere)[0].stations == 0
