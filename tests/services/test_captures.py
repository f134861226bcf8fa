"""The stations' door: what is let in, what is turned away and by which name, and that each is kept."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.agent import StationKey
from devices.interface import FINGER, Sample, Touch, body_digest
from ost.models import audit
from ost.models import site as sites
from ost.models import station as models
from ost.services import stations
from ost.services.captures import receive_capture
from ost.services.gallery import PrintGallery
from ost.services.verify import verify
from tests.make import make_account, make_clinic, make_counter, make_site
from tests.touch import a_touch, enrol, make_station, picture

PERSON, OTHER, STRANGER, NOBODY = 101, 102, 103, 104


@pytest.fixture
def clinic(house):
    return make_clinic(house, came_yesterday=False)


@pytest.fixture
def station(house, clinic):
    enrol(house, clinic.patient, PERSON)
    return make_station(house, clinic.counter)


def rows(house, table):
    with house.read() as tx:
        return tx.execute(sa.select(table)).all()


def events(house, kind):
    with house.read() as tx:
        found = tx.execute(sa.select(audit.audit_event).where(audit.audit_event.c.kind == kind)).all()
    return [json.loads(e.payload) for e in found]


def counter(house, counter_id="HUA1-1"):
    with house.read() as tx:
        return tx.execute(sa.select(sites.counter).where(sites.counter.c.id == counter_id)).one()


def test_a_touch_names_a_person_and_shows_them(house, clinic, station):
    answer = station.touch(PERSON)
    assert (answer.result, answer.code) == ("shown", None)
    capture = rows(house, models.capture)[0]
    assert (capture.patient, capture.ending, capture.simulated) == (clinic.patient, "captured", True)
    assert capture.id == answer.capture
    assert capture.quality >= 12
    assert capture.score_e4 >= 1000
    evidence = rows(house, models.identity_evidence)[0]
    assert (evidence.patient, evidence.purpose, evidence.path) == (clinic.patient, "arrival", "finger")
    assert (evidence.capture, evidence.station, evidence.dose) == (answer.capture, station.id, None)
    shown = counter(house)
    assert (shown.patient, shown.notice) == (clinic.patient, None)
    assert shown.shown_at is not None
    arrival = rows(house, sites.arrival)[0]
    assert (arrival.patient, arrival.number, arrival.lane) == (clinic.patient, 1, "normal")
    assert verify(house) == [] or not getattr(verify(house), "problems", None)


def test_a_real_picture_goes_the_same_way(house, clinic, station):
    touch = Touch("simulated", True, "captured", None, Sample(FINGER, "image/png", picture(PERSON, 5), 500))
    assert station.post(touch).result == "shown"


def test_the_identical_post_gets_the_same_answer_for_half_a_minute(house, clinic, station, clock):
    touch, challenge = a_touch(PERSON), station.challenge()
    first = station.post(touch, challenge)
    clock.shift(timedelta(seconds=29))
    assert station.post(touch, challenge) == first
    assert len(rows(house, models.capture)) == 1
    assert counter(house).version == 2 + 1  # the station was put there, and one touch
    clock.shift(timedelta(seconds=2))
    assert station.post(touch, challenge).code == "capture_replayed"


def test_another_sample_with_a_used_challenge_is_a_replay(house, clinic, station):
    challenge = station.challenge()
    assert station.post(a_touch(PERSON), challenge).result == "shown"
    again = station.post(a_touch(PERSON, 8), challenge)
    assert (again.result, again.code) == ("refused", "capture_replayed")
    assert len(rows(house, models.capture)) == 1
    assert events(house, "station.turned_away")[-1]["code"] == "capture_replayed"


@pytest.mark.parametrize("age", [61, 600, -60])
def test_a_stale_challenge_is_refused_by_the_servers_clock(house, clinic, station, clock, age):
    challenge = station.challenge()
    clock.shift(timedelta(seconds=age))
    assert station.post(a_touch(PERSON), challenge).code == "challenge_stale"
    assert rows(house, models.capture) == []


def test_what_was_altered_on_the_way_is_refused(house, clinic, station):
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = station.sign(touch, challenge)
    altered = [
        a_touch(PERSON, 8),
        Touch("simulated", False, "captured", None, touch.sample),  # a simulated reader that denies it
        Touch("better", True, "captured", None, touch.sample),
        Touch("simulated", True, "not_captured", "timed_out"),
    ]
    for other in altered:
        assert station.post(other, challenge, signature).code == "signature_wrong"
    assert station.post(touch, challenge, "00" * 64).code == "signature_wrong"
    assert station.post(touch, challenge, "not hex").code == "signature_wrong"
    assert station.post(touch, station.challenge(), signature).code == "signature_wrong"
    assert rows(house, models.capture) == []
    assert [e["code"] for e in events(house, "station.turned_away")] == [
        "signature_wrong"
    ]  # a flood fills no chain


def test_a_signature_made_for_something_else_opens_nothing(house, clinic, station):
    touch, challenge = a_touch(PERSON), station.challenge()
    signature = station.key.sign("heartbeat", challenge, touch.digest())
    assert station.post(touch, challenge, signature).code == "signature_wrong"


def test_a_challenge_of_another_station_is_refused(house, clinic, station):
    other = make_station(house, make_counter(house, number=2))
    assert station.post(a_touch(PERSON), other.challenge()).code == "challenge_wrong"
    challenge = station.challenge()
    forged = challenge[:-1] + ("1" if challenge.endswith("0") else "0")
    assert station.post(a_touch(PERSON), forged).code == "challenge_wrong"
    for nonsense in ("", "a.b.c", "x" * 500, "1.2.3.4", "é"):
        answer = receive_capture(
            house,
            station.gallery,
            station.id,
            nonsense,
            a_touch(PERSON),
            station.sign(a_touch(PERSON), nonsense),
        )
        assert answer.code == "challenge_wrong"


def test_unknown_and_revoked_stations_are_refused(house, clinic, station):
    ghost = StationKey.new("nobody")
    touch, challenge = a_touch(PERSON), station.challenge()
    answer = receive_capture(
        house, station.gallery, "nobody", challenge, touch, ghost.sign("capture", challenge, touch.digest())
    )
    assert answer.code == "station_unknown"
    assert station.touch(PERSON).result == "shown"
    admin = make_account(house, "admin")
    stations.revoke(house, admin, station.id, "lost")
    assert station.touch(PERSON).code == "station_revoked"
    assert {e["code"] for e in events(house, "station.turned_away")} == {"station_unknown", "station_revoked"}
    with pytest.raises(Exception, match="station_revoked"):
        stations.new_code(house, admin, station.id)


def test_a_simulated_reader_in_production_is_refused_named_and_kept(house, clinic, station):
    house.demo = False
    answer = station.touch(PERSON)
    assert (answer.result, answer.code) == ("refused", "simulated_reader_refused")
    assert rows(house, models.capture) == []
    assert rows(house, models.identity_evidence) == []
    assert counter(house).patient is None
    assert events(house, "station.turned_away")[-1]["code"] == "simulated_reader_refused"


def test_of_two_posts_at_once_one_counts(house, clinic, station):
    """Five threads with one challenge and five different prints: one capture, four replays."""
    challenge = station.challenge()
    touches = [a_touch(PERSON, 20 + n) for n in range(5)]
    answers, start = [], threading.Barrier(5)

    def post(touch):
        start.wait()
        answers.append(station.post(touch, challenge))

    threads = [threading.Thread(target=post, args=(t,)) for t in touches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.code or a.result for a in answers) == ["capture_replayed"] * 4 + ["shown"]
    assert len(rows(house, models.capture)) == 1
    assert len(rows(house, sites.arrival)) == 1


def test_the_identical_post_twice_at_once_gets_one_answer(house, clinic, station):
    challenge, touch = station.challenge(), a_touch(PERSON)
    answers, start = [], threading.Barrier(4)

    def post():
        start.wait()
        answers.append(station.post(touch, challenge))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(rows(house, models.capture)) == 1


@pytest.mark.parametrize(
    ("touch", "code"),
    [
        (Touch("simulated", True, "not_captured", "unplugged"), "unplugged"),
        (Touch("simulated", True, "unknown", "vanished"), "vanished"),
        (Touch("simulated", True, "not_captured", "made_up"), "reader_failed"),
        (
            Touch("simulated", True, "captured", None, Sample(FINGER, "image/png", b"no picture", 500)),
            "bad_image",
        ),
        (Touch("simulated", True, "captured", None, Sample(FINGER, "image/png", b"x", None)), "bad_image"),
        (Touch("simulated", True, "captured", None, Sample(FINGER, "vendor", b"x")), "bad_image"),
        (Touch("simulated", True, "captured", None, Sample("iris", "image/png", b"x", 500)), "bad_image"),
        (
            Touch("simulated", True, "captured", None, Sample(FINGER, "iso19794-2:2005", b"FMR\0")),
            "bad_template",
        ),
    ],
)
def test_what_cannot_be_read_is_try_again_and_never_a_mismatch(house, clinic, station, touch, code):
    answer = station.post(touch)
    assert (answer.result, answer.code) == ("again", code)
    assert json.loads(counter(house).notice)["code"] == code
    assert rows(house, models.identity_evidence) == []


def test_a_wet_finger_is_touch_again(house, clinic, station):
    touch = Touch(
        "simulated", True, "captured", None, Sample(FINGER, "image/png", picture(PERSON, 5, "wet"), 500)
    )
    assert station.post(touch).code in ("touch_again", "no_finger")


def test_a_code_enrols_one_station_once(house, clinic):
    admin = make_account(house, "admin")
    new = stations.create(house, admin, "HUA1", "desk")
    key = StationKey.new()

    def enrol_with(code, key=key, public=None):
        public = public or key.public
        return stations.enrol(
            house, code, public, key.sign("enrol", code, body_digest({"public_key": public}))
        )

    assert enrol_with("WRONGCODE").code == "enrol_code_wrong"
    other = StationKey.new()
    assert enrol_with(new.code, public=other.public).code == "station_key_wrong"  # does not hold that key
    assert enrol_with(new.code) == new.id
    assert enrol_with(new.code, other).code == "enrol_code_wrong"
    assert new.code not in repr(new)
    assert new.code not in repr(rows(house, models.station))


def test_a_code_is_good_for_half_an_hour(house, clinic, clock):
    new = stations.create(house, make_account(house, "admin"), "HUA1", "desk")
    clock.shift(timedelta(minutes=31))
    key = StationKey.new()
    signature = key.sign("enrol", new.code, body_digest({"public_key": key.public}))
    assert stations.enrol(house, new.code, key.public, signature).code == "enrol_code_wrong"


def test_only_an_administrator_of_the_site_makes_stations(house, clinic):
    make_site(house, "TPE1", "TPE")
    for actor in (clinic.nurse, make_account(house, "admin", scope="TPE1")):
        with pytest.raises(Exception, match="not_permitted"):
            stations.create(house, actor, "HUA1", "desk")


def test_a_heartbeat_brings_challenges_and_a_stale_one_does_not(house, clinic, station, clock):
    given = station.beat(want=2).challenges
    assert len(given) == 2
    assert station.post(a_touch(PERSON), given[0]).result == "shown"
    kept = rows(house, models.station)[0]
    assert (kept.reader_state, kept.reader_kind) == ("ready", "simulated")
    old = station.challenge()
    clock.shift(timedelta(seconds=61))
    assert station.beat(challenge=old).code == "challenge_stale"
    house.demo = False
    assert station.beat().code == "simulated_reader_refused"


def test_nothing_of_a_print_is_in_the_record_or_the_log(house, clinic, station, capfd, caplog):
    touch = a_touch(PERSON)
    station.post(touch)
    station.post(a_touch(NOBODY))
    station.post(touch, station.challenge(), "00" * 64)
    secret = touch.sample.data.hex()[80:160]
    inside = touch.sample.data[40:80]
    with house.read() as tx:
        for table in ("capture", "identity_evidence", "audit_event", "counter", "arrival"):
            text = repr(tx.execute(sa.text(f"SELECT * FROM {table}")).all())
            assert secret not in text
            assert repr(inside)[2:40] not in text
    out = capfd.readouterr()
    for text in (out.out, out.err, caplog.text):
        assert secret not in text


def test_two_galleries_are_two_processes(house, clinic, station):
    """What one process enrols, another finds at its next search; what one withdraws, no other matches."""
    from ost.services import fingerprints

    second = make_station(house, make_counter(house, number=2), gallery=PrintGallery())
    assert station.touch(PERSON).result == "shown"
    assert second.touch(OTHER).code == "not_recognised"
    enrol(house, clinic.patient, OTHER, "left_index")
    assert second.touch(OTHER).result == "shown"
    assert station.touch(OTHER).result == "shown"
    registrar = make_account(house, "registrar")
    assert fingerprints.withdraw(house, station.gallery, registrar, clinic.patient, "left_index") == 2
    assert second.touch(OTHER).code == "not_recognised"
    assert station.touch(OTHER).code == "not_recognised"
    assert second.touch(PERSON).result == "shown"
