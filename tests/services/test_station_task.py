"""A station's touches for something else than calling people: enrolling at the counter's reader, and what stays true."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from devices.fingerprints import encode
from devices.interface import FINGER, ISO_TEMPLATE, Sample, Touch
from ost.errors import Refusal
from ost.models import audit
from ost.models import site as sites
from ost.models import station as models
from ost.models.lookup import duplicate_case
from ost.models.patient import fingerprint
from ost.models.reader import reader
from ost.models.reader import station_task as table
from ost.services import counter_page, enrol_at_reader, fingerprints, station_task, stations
from ost.services.captures import receive_capture
from ost.services.places import simulated_readers_in_use
from ost.services.station_kinds import HANDLERS
from ost.services.station_task import Use
from ost.services.verify import verify
from tests import make
from tests.touch import a_touch, enrol, make_station, minutiae, picture

PERSON, OTHER, THIRD = 101, 102, 103
COUNTER = "HUA1-1"


@pytest.fixture
def clinic(house):
    return make.make_clinic(house, came_yesterday=False)


@pytest.fixture
def station(house, clinic):
    return make_station(house, clinic.counter)


@pytest.fixture
def nurse(house, clinic):
    return make.make_account(house, "nurse", username="enroller")


def rows(house, what):
    with house.read() as tx:
        return tx.execute(sa.select(what)).all()


def counter(house):
    with house.read() as tx:
        return tx.execute(sa.select(sites.counter).where(sites.counter.c.id == COUNTER)).one()


def begin(house, nurse, clinic, finger="right_index"):
    enrol_at_reader.begin(house, nurse, clinic.patient, finger, COUNTER)


def at_reader(house, nurse, clinic):
    return enrol_at_reader.at_reader(house, nurse, clinic.patient, COUNTER)


def test_three_touches_enrol_a_finger_and_the_fourth_calls_its_person(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    for number in (1, 2, 3):
        answer = station.touch(PERSON, number)
        assert (answer.result, answer.code) == ("taken", None)
        said = at_reader(house, nurse, clinic).task.said
        assert (said["impressions"], said["wanted"], said["alike"]) == (number, 3, 0)
        assert said["agrees"] is (None if number == 1 else True)
    kept = rows(house, fingerprint)
    captures = {c.id: c for c in rows(house, models.capture)}
    assert [(f.impression, f.finger, f.enrolled_by) for f in kept] == [
        (n, "right_index", nurse.id) for n in (1, 2, 3)
    ]
    assert {f.capture for f in kept} == set(captures)
    assert {(c.patient, c.score_e4) for c in captures.values()} == {(None, None)}
    assert rows(house, models.identity_evidence) == [] and rows(house, sites.arrival) == []
    assert counter(house).patient is None
    assert not at_reader(house, nurse, clinic).live
    assert station.touch(PERSON, 9).result == "shown"
    assert counter(house).patient == clinic.patient
    assert verify(house).passed


def test_a_template_is_enrolled_with_its_quality_unknown(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    station.touch(PERSON, 1)
    (kept,) = rows(house, fingerprint)
    assert kept.nfiq2 is None and kept.cylinders >= 12
    assert at_reader(house, nurse, clinic).task.said["quality"] is None


def test_a_picture_is_enrolled_with_its_quality(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    sample = Sample(FINGER, "image/png", picture(PERSON, 5), 500)
    assert station.post(Touch("simulated", True, "captured", None, sample)).result == "taken"
    (kept,) = rows(house, fingerprint)
    assert 0 <= kept.nfiq2 <= 100
    assert at_reader(house, nurse, clinic).task.said["quality"] == kept.nfiq2


def test_the_next_in_the_queue_is_not_enrolled_as_this_person(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    station.touch(PERSON, 1)
    answer = station.touch(OTHER, 1)
    assert (answer.result, answer.code) == ("taken", "finger_differs")
    assert len(rows(house, fingerprint)) == 1
    assert at_reader(house, nurse, clinic).live


def test_two_touches_at_once_are_compared_with_each_other(house, clinic, station, nurse, monkeypatch):
    """Two readers of one station: the first impression of each would agree with nothing."""
    begin(house, nurse, clinic)
    compare = fingerprints.compare
    quicker = [PERSON]

    def slow(*args):
        found = compare(*args)
        if quicker:
            enrol(house, clinic.patient, quicker.pop(), impressions=1)
        return found

    monkeypatch.setattr(fingerprints, "compare", slow)
    assert station.touch(OTHER, 1).code == "finger_differs"
    assert len(rows(house, fingerprint)) == len(rows(house, models.capture)) == 1


def test_nothing_is_kept_while_the_prints_are_being_loaded(house, clinic, station, nurse):
    """The whole network is compared with at enrolment; later nobody would look again."""
    begin(house, nurse, clinic)
    station.gallery._warming = True  # as if the background load had only begun
    answer = station.touch(PERSON)
    assert (answer.result, answer.code) == ("taken", "gallery_loading")
    assert rows(house, fingerprint) == []
    station.gallery._warming = False
    assert station.touch(PERSON).code is None
    assert len(rows(house, fingerprint)) == 1


def test_one_finger_is_not_enrolled_under_two_names(house, clinic, station, nurse):
    enrol(house, clinic.patient, PERSON, "right_index")
    begin(house, nurse, clinic, "left_index")
    assert station.touch(PERSON, 5).code == "finger_enrolled_as_other"
    assert {f.finger for f in rows(house, fingerprint)} == {"right_index"}
    assert at_reader(house, nurse, clinic).task.said["like"] == "right_index"


def test_a_likeness_to_somebody_else_is_said_as_a_number_and_named_nowhere(house, clinic, station, nurse):
    other = make.make_patient(house)
    enrol(house, other, OTHER)
    begin(house, nurse, clinic)
    assert station.touch(OTHER, 7).result == "taken"
    with house.read() as tx:
        said = tx.execute(sa.select(table.c.said)).scalar_one()
        events = tx.execute(sa.select(audit.audit_event).where(audit.audit_event.c.kind == "finger.enrolled")).all()
    assert '"alike":1' in said and other not in said
    assert '"alike":1' in events[-1].payload and other not in events[-1].payload
    (case,) = rows(house, duplicate_case)
    assert {case.patient, case.other} == {clinic.patient, other}
    assert counter(house).patient is None


@pytest.mark.parametrize("code", ["unplugged", "vanished", "nonsense_of_a_device"])
def test_what_is_no_print_is_said_and_kept_as_a_capture_only(house, clinic, station, nurse, code):
    begin(house, nurse, clinic)
    ending = "unknown" if code == "vanished" else "not_captured"
    answer = station.post(Touch("simulated", True, ending, code))
    assert (answer.result, answer.code) == ("taken", "reader_failed" if code.startswith("nonsense") else code)
    assert rows(house, fingerprint) == [] and len(rows(house, models.capture)) == 1


@pytest.mark.parametrize("data", [b"", b"FMR\0 20\0", b"\x89PNG"], ids=["nothing", "half", "another"])
def test_a_template_that_is_none_is_refused_by_name(house, clinic, station, nurse, data):
    begin(house, nurse, clinic)
    touch = Touch("simulated", True, "captured", None, Sample(FINGER, ISO_TEMPLATE, data or b"\0"))
    assert station.post(touch).code == "bad_template"
    assert rows(house, fingerprint) == []


def test_while_a_dose_is_open_no_task_begins_and_none_takes_a_touch(house, clinic, station, nurse):
    enrol(house, clinic.patient, PERSON)
    begin(house, nurse, clinic, "left_index")
    promised = make.give(house, clinic, counter=COUNTER)
    assert promised.state == "promised"
    assert counter(house).dose == promised.dose_id
    answer = station.touch(PERSON, 9)
    assert (answer.result, answer.code) == ("confirmed", None)
    assert len(rows(house, fingerprint)) == 2
    with pytest.raises(Refusal) as refused:
        begin(house, nurse, clinic)
    assert refused.value.code == "counter_holds_other_dose"


def test_a_dose_promised_while_the_print_was_read_makes_the_touch_a_hand_over_check(
    house, clinic, station, nurse, monkeypatch
):
    enrol(house, clinic.patient, PERSON)
    begin(house, nurse, clinic, "left_index")
    read = station_task.KINDS[0]

    def slow(house_, gallery, entered, task, touch):
        made = HANDLERS[read](house_, gallery, entered, task, touch)
        make.give(house, clinic, counter=COUNTER)
        return made

    monkeypatch.setattr("ost.services.captures.HANDLERS", {read: slow})
    assert station.touch(PERSON, 9).result == "confirmed"
    assert {f.finger for f in rows(house, fingerprint)} == {"right_index"}


def test_a_task_stopped_while_the_print_was_read_keeps_nothing_and_calls_nobody(
    house, clinic, station, nurse, monkeypatch
):
    begin(house, nurse, clinic)

    def slow(house_, gallery, entered, task, touch):
        made = HANDLERS["enrol"](house_, gallery, entered, task, touch)
        enrol_at_reader.end(house, nurse, COUNTER)
        return made

    monkeypatch.setattr("ost.services.captures.HANDLERS", {"enrol": slow})
    answer = station.touch(PERSON, 1)
    assert (answer.result, answer.code) == ("again", "task_over")
    assert rows(house, fingerprint) == [] and counter(house).patient is None


def test_a_task_left_behind_gives_the_reader_back(house, clinic, station, nurse, clock):
    enrol(house, clinic.patient, PERSON)
    begin(house, nurse, clinic, "left_index")
    clock.shift(station_task.WAITS_S + 1)
    assert station.touch(PERSON, 9).result == "shown"
    assert not at_reader(house, nurse, clinic).live


def test_a_replay_enrols_nothing_twice_and_the_identical_post_gets_its_answer(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    touch, challenge = a_touch(PERSON, 1), station.challenge()
    first = station.post(touch, challenge)
    assert station.post(touch, challenge) == first
    assert station.post(a_touch(PERSON, 2), challenge).code == "capture_replayed"
    assert len(rows(house, fingerprint)) == len(rows(house, models.capture)) == 1


def test_a_simulated_touch_enrols_nobody_in_production(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    real = replace(house, demo=False, memo={})
    touch, challenge = a_touch(PERSON, 1), station.challenge()
    answer = receive_capture(real, station.gallery, station.id, challenge, touch, station.sign(touch, challenge))
    assert answer.code == "simulated_reader_refused"
    assert rows(house, fingerprint) == []


def test_an_unsigned_touch_enrols_nobody(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    assert station.post(a_touch(PERSON, 1), signature="00" * 64).code == "signature_wrong"
    assert rows(house, fingerprint) == []


def test_a_colleagues_task_is_not_taken_over(house, clinic, station, nurse):
    begin(house, nurse, clinic)
    second = make.make_account(house, "nurse", username="second")
    with pytest.raises(Refusal) as refused:
        begin(house, second, clinic)
    assert refused.value.code == "reader_taken_for_task"
    assert at_reader(house, second, clinic).taken
    begin(house, nurse, clinic, "left_index")
    assert at_reader(house, nurse, clinic).task.finger == "left_index"


def test_who_may_not_enrol_sets_no_station_to_it(house, clinic, station):
    for stranger in (
        make.make_account(house, "pharmacist", username="room"),
        make.make_account(house, "nurse", scope=make.make_site(house, "TPE1", "T"), username="far"),
    ):
        for attempt in (
            lambda who=stranger: begin(house, who, clinic),
            lambda who=stranger: at_reader(house, who, clinic),
            lambda who=stranger: station_task.stop(house, who, station.id, permission="patient.enrol_finger"),
        ):
            with pytest.raises(Refusal):
                attempt()
    assert rows(house, table) == []


def test_a_revoked_or_absent_reader_is_said(house, clinic, station, nurse):
    stations.revoke(house, make.make_account(house, "admin", username="boss"), station.id)
    with pytest.raises(Refusal) as refused:
        begin(house, nurse, clinic)
    assert refused.value.code == "counter_without_reader"
    assert not at_reader(house, nurse, clinic).ready


def test_a_finger_takes_six_impressions_and_no_more(house, clinic, station, nurse):
    enrol(house, clinic.patient, PERSON, impressions=fingerprints.MOST_IMPRESSIONS)
    begin(house, nurse, clinic)
    assert station.touch(PERSON, 9).code == "impressions_complete"
    assert len(rows(house, fingerprint)) == fingerprints.MOST_IMPRESSIONS


def test_another_kind_gets_the_touch_itself_and_what_it_says_is_kept(house, clinic, station, nurse, monkeypatch):
    seen = []

    def look(_house, _gallery, entered, task, touch):
        seen.append((entered.id, task.session, touch.sample.data))
        return Use({"step": 2}, keep=lambda work, capture: {"capture": len(capture)}, done=True)

    monkeypatch.setattr("ost.services.captures.HANDLERS", {"evaluate": look})
    station_task.start(house, nurse, station.id, "evaluate", permission="counter.use", session="s-1")
    station.touch(THIRD, 4)
    assert seen == [(station.id, "s-1", encode(minutiae(THIRD, 4)))]
    assert station_task.last(house, station.id).said == {"step": 2, "capture": 36}
    assert station_task.now(house, station.id) is None


def test_a_kind_that_fails_keeps_nothing(house, clinic, station, nurse, monkeypatch):
    def bad(_house, _gallery, _entered, _task, _touch):
        def keep(_work, _capture):
            raise RuntimeError("no")

        return Use({}, keep=keep)

    monkeypatch.setattr("ost.services.captures.HANDLERS", {"enrol": bad})
    begin(house, nurse, clinic)
    with pytest.raises(RuntimeError):
        station.touch(PERSON, 1)
    assert rows(house, models.capture) == [] and rows(house, fingerprint) == []
    assert at_reader(house, nurse, clinic).task.number == 0


def test_how_long_and_what_for_are_bounded(house, clinic, station, nurse):
    for wrong in ({"kind": "dance"}, {"wait_s": 0}, {"wait_s": station_task.LONGEST_WAIT_S + 1}):
        with pytest.raises(ValueError, match="ten minutes"):
            station_task.start(
                house, nurse, station.id, **({"kind": "enrol", "permission": "counter.use"} | wrong)
            )
    task = station_task.start(house, nurse, station.id, "enrol", permission="counter.use", wait_s=5)
    assert task.until - task.set_at == timedelta(seconds=5)


@pytest.mark.parametrize("simulated", [True, False])
def test_any_drivers_stand_in_makes_the_banner(house, clinic, station, nurse, simulated):
    """libfprint has a virtual device: its kind does not say so, its heartbeat does."""
    with house.db.begin() as tx:
        tx.execute(sa.update(models.station).values(reader_kind="libfprint", seen_at=house.now()))
        tx.execute(
            sa.insert(reader).values(
                id="r-1", station=station.id, site=clinic.site, name="reader", kind="libfprint", simulated=simulated,
                gives="image", modality=FINGER, state="ready", first_seen_at=house.now(), seen_at=house.now(),
            )
        )  # fmt: skip
    assert simulated_readers_in_use(house) is simulated
    assert counter_page.pulse(house, nurse, COUNTER).simulated is simulated
    with house.db.begin() as tx:
        tx.execute(sa.update(reader).values(revoked_at=house.now()))
    assert counter_page.pulse(house, nurse, COUNTER).simulated is False
