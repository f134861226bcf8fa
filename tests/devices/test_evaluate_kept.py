"""What is kept of an evaluation: signed so that a change shows, sealed so that nothing opens elsewhere, and gone when
it should be; a session that lives through a kill."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
from dataclasses import replace

import pytest

from devices.evaluate import Device, Plan, Session, SessionError, Sessions, Store, StoreBroken, build, run
from devices.evaluate.session import judge
from devices.evaluate.store import SEALED, key_name, verify_document, verify_files
from devices.interface import (
    FINGER,
    ISO_TEMPLATE,
    About,
    Captured,
    NotCaptured,
    Sample,
    Unknown,
)
from ost.reports.evaluation import render_html, sentences
from ost.reports.making import evaluate_session
from tests.devices.evaluations import AT, evaluated, occasion, record, sample

FILES = {"html": b"<p>report</p>", "pdf": b"%PDF-1.7 report"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "evaluations")


def kept_in(store: Store, name: str = "Reader A", evaluation: str = "20261122-aaaaaaaa", **how):
    document, sides = evaluated(name, evaluation, **how)
    return store.save(document, FILES, sides)


# --- signed ----------------------------------------------------------------------


def places(value, way=()):
    """The way to every leaf of a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*way, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from places(inner, (*way, n))
    else:
        yield way


def test_a_report_altered_anywhere_is_refused(store):
    kept = kept_in(store, people=2, impressions=2)
    verify_document(kept.document, store.public_key)
    ways = list(places(kept.document))
    assert len(ways) > 300
    for way in ways:
        altered = json.loads(json.dumps(kept.document))
        place = altered
        for step in way[:-1]:
            place = place[step]
        before = place[way[-1]]
        place[way[-1]] = "x" if before is None else (not before) if isinstance(before, bool) else before * 2 + (before == 0) if isinstance(before, (int, float)) else f"{before} "
        with pytest.raises(StoreBroken):
            verify_document(altered, store.public_key)
    for change in ({"extra": 1}, {"verdicts": {}}):
        with pytest.raises(StoreBroken):
            verify_document({**kept.document, **change}, store.public_key)
    with pytest.raises(StoreBroken):
        verify_document({k: v for k, v in kept.document.items() if k != "fta"}, store.public_key)


def test_signed_again_by_somebody_else_is_not_ours(store, tmp_path):
    other = Store(tmp_path / "other")
    forged = other.sign({k: v for k, v in kept_in(store, people=2).document.items() if k != "signature"})
    verify_document(forged, other.public_key)
    with pytest.raises(StoreBroken) as refused:
        verify_document(forged, store.public_key)
    assert refused.value.code == "evaluation_key_unknown"
    assert key_name(store.public_key) != key_name(other.public_key)


@pytest.mark.parametrize("junk", [{}, {"signature": None}, {"signature": {"algorithm": "none"}}, {"signature": []}])
def test_what_is_no_report_is_refused(store, junk):
    with pytest.raises(StoreBroken):
        verify_document(junk, store.public_key)


def test_a_changed_file_beside_the_report_shows(store):
    kept = kept_in(store, people=2)
    assert verify_files(kept.document, kept.folder) == ["report.html", "report.pdf"]
    (kept.folder / "report.pdf").write_bytes(b"%PDF-1.7 better report")
    with pytest.raises(StoreBroken) as refused:
        verify_files(kept.document, kept.folder)
    assert refused.value.code == "evaluation_file_altered"


def test_a_document_in_another_ones_place_is_refused(store):
    one, two = kept_in(store, people=2), kept_in(store, "Reader B", "20261122-bbbbbbbb", people=2)
    (two.folder / "evaluation.json").write_bytes((one.folder / "evaluation.json").read_bytes())
    with pytest.raises(StoreBroken):
        store.read(two.id)


# --- keys and sealed minutiae --------------------------------------------------------


def test_keys_and_files_are_the_owners_alone(store):
    kept = kept_in(store, people=2)
    for path in [store.folder / "signing.key", store.folder / "sealing.key", *kept.folder.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    os.chmod(store.folder / "signing.key", 0o644)
    with pytest.raises(StoreBroken) as refused:
        store.list()
    assert refused.value.code == "evaluation_key_unsafe"


def test_minutiae_come_back_as_they_were_and_open_nowhere_else(store, tmp_path):
    kept = kept_in(store, people=2)
    (side,) = store.sides_of(kept.id)
    assert [i.record for i in side.impressions] == [i.record for i in evaluated(people=2)[1][0].impressions]
    other = kept_in(store, "Reader B", "20261122-bbbbbbbb", people=2, device=1)
    sealed = (kept.folder / SEALED).read_bytes()
    (other.folder / SEALED).write_bytes(sealed)  # moved
    with pytest.raises(StoreBroken) as refused:
        store.sides_of(other.id)
    assert refused.value.code == "evaluation_sealed_broken"
    for altered in (sealed[:-1], sealed[:100] + bytes([sealed[100] ^ 1]) + sealed[101:], b"", sealed[:5]):
        (kept.folder / SEALED).write_bytes(altered)
        with pytest.raises(StoreBroken):
            store.sides_of(kept.id)


def test_nothing_of_a_print_and_nobody_lies_in_a_readable_file(store):
    # Codes that no sealed file holds by chance, as three letters would now and then.
    named = [
        replace(one, label=replace(one.label, person=f"participant-{one.label.person}")) for one in sample(people=2)
    ]
    document, sides = build(occasion(), Device("Reader A", "folder", dpi=500), named)
    kept = store.save(document, FILES, sides)
    document = json.loads((kept.folder / "evaluation.json").read_bytes())
    for use in sentences(document, "en"):
        document["verdicts"][use]["sentence"] = use
    page = render_html(document, "en").encode()
    readable = [page, *(path.read_bytes() for path in kept.folder.iterdir())]
    (side,) = store.sides_of(kept.id)
    for one in side.impressions:
        for data in readable:
            assert one.record not in data and one.record[30:48] not in data
            assert one.label.person.startswith("participant-")
            assert one.label.person.encode() not in data
            assert one.label.finger.encode() not in data


def test_the_newest_of_each_device_of_one_cohort_is_crossed(store):
    kept_in(store, "Reader A")
    kept_in(store, "Reader B", "20261122-bbbbbbbb", device=1, people=2)
    assert [side.device for side in store.cohort("spring", "Reader B")] == ["Reader A"]
    assert {side.device for side in store.cohort("spring")} == {"Reader A", "Reader B"}
    assert store.cohort("autumn") == []


def test_forgetting_keeps_the_report_and_ends_the_crossing(store):
    kept = kept_in(store, people=2)
    store.forget(kept.id)
    assert store.cohort("spring") == [] and not store.read(kept.id).crossable
    store.forget(kept.id, whole=True)
    assert store.list() == []
    for bad in ("../keys", "20261122-cccccccc", ""):
        with pytest.raises(KeyError):
            store.forget(bad)


def test_a_participant_leaves_every_evaluation_of_the_cohort(store):
    one, two = kept_in(store), kept_in(store, "Reader B", "20261122-bbbbbbbb", device=1)
    assert store.withdraw("autumn", "P02") == 0
    assert store.withdraw("spring", "P02") == 2
    assert store.withdraw("spring", "P02") == 0
    for kept in (one, two):
        (side,) = store.sides_of(kept.id)
        assert {i.label.person for i in side.impressions} == {"P01", "P03", "P04"}


# --- a guided session ---------------------------------------------------------------


def touched(person: int, number: int = 1) -> Captured:
    return Captured(Sample(FINGER, ISO_TEMPLATE, record(person, number)))


class Scripted:
    """A reader that gives what it was told, in order; then nobody comes."""

    kind, modality, simulated = "scripted", FINGER, False

    def __init__(self, endings, about: About | None = None):
        self.endings = list(endings)
        self._about = about or About("scripted", "template", maker="ours", model="one", serial="7", liveness="level 1")

    def about(self) -> About:
        return self._about

    def capture(self, timeout_s: float):
        return self.endings.pop(0) if self.endings else NotCaptured("timed_out")


PLAN = Plan(people=2, fingers=("right_index", "left_index"), impressions=2, tries=2)


def begun(store: Store, plan: Plan = PLAN) -> tuple[Session, Sessions]:
    sessions = Sessions(store)
    return sessions.begin(Session("morning", plan, "Reader A", "spring")), sessions


def test_the_fingers_of_a_person_alternate():
    places = [(p.person, p.finger, p.impression) for p in PLAN.places()]
    assert places[:4] == [
        ("P01", "right_index", "01"),
        ("P01", "left_index", "01"),
        ("P01", "right_index", "02"),
        ("P01", "left_index", "02"),
    ]
    assert len(places) == 8


@pytest.mark.parametrize(
    "plan",
    [
        {"people": 0},
        {"people": 501},
        {"people": 376, "impressions": 4},  # 3,008: more than can be compared with each other
        {"people": 2, "fingers": ("nose",)},
        {"people": 2, "fingers": ()},
        {"people": 2, "fingers": ("right_index", "right_index")},
        {"people": 2, "impressions": 0},
        {"people": 2, "tries": 0},
    ],
)
def test_a_plan_that_cannot_be_captured_is_refused(plan):
    with pytest.raises(SessionError) as refused:
        Plan(**plan)
    assert refused.value.code == "evaluation_plan_wrong"


def test_tries_are_counted_and_then_it_is_a_failure_to_acquire(store):
    session, _ = begun(store)
    session.meet(Scripted([]).about())
    assert session.take(NotCaptured("timed_out")) is None and session.next().tried == 0
    assert session.take(NotCaptured("unplugged")) is None and session.next().tried == 0
    session.take(NotCaptured("too_wet"))
    assert session.next().tried == 1 and session.next().label.finger == "right_index"
    session.take(Unknown("vanished"))  # the second try: given up
    assert session.next().tried == 0 and session.next().label.finger == "left_index"
    assert session.take(touched(1)).acquired
    assert [i.refused for i in session.impressions] == ["vanished", None]
    assert session.endings().endings == {"too_wet": 1, "vanished": 1, "captured": 1}


def test_a_session_survives_a_break_and_goes_on_where_it_was(store):
    session, sessions = begun(store)
    stopped = run(session, sessions, Scripted([touched(1), NotCaptured("too_wet")]), lambda s: None, lambda *a: None, pause=lambda code: True)
    assert stopped is False
    again, _ = begun(Store(store.folder))
    step = again.next()
    assert (step.label.person, step.label.finger, step.tried, step.done, step.of) == ("P01", "left_index", 1, 1, 8)
    assert again.impressions[0].record == session.impressions[0].record
    sealed = (sessions.folder / "morning.sealed").read_bytes()
    assert record(1, 1) not in sealed and b"left_index" not in sealed
    (sessions.folder / "evening.sealed").write_bytes(sealed)
    with pytest.raises(StoreBroken):
        sessions.load("evening")


def _capture_until_killed(folder) -> None:
    session, sessions = begun(Store(folder))

    def ask(step):
        if step.done == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    run(session, sessions, Scripted([touched(1, n) for n in range(8)]), ask, lambda *a: None)


def test_a_killed_session_loses_nothing_that_was_said_to_be_taken(store):
    store.public_key  # noqa: B018 - the keys are there before the child starts
    child = multiprocessing.get_context("fork").Process(target=_capture_until_killed, args=(store.folder,))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    session, sessions = begun(store)
    assert session.next().done == 3
    with sessions.held("morning"):  # the dead one holds nothing
        assert len(session.impressions) == 3


def test_another_plan_or_device_under_the_same_name_is_refused(store):
    session, sessions = begun(store)
    with pytest.raises(SessionError) as refused:
        sessions.begin(Session("morning", Plan(3), "Reader A", "spring"))
    assert refused.value.code == "evaluation_session_other_plan"
    session.meet(Scripted([]).about())
    with pytest.raises(SessionError) as refused:
        session.meet(About("scripted", "template", maker="ours", model="one", serial="8"))
    assert refused.value.code == "evaluation_other_device"
    for about, code in (
        (About("x", "own_matching"), "evaluation_own_matching_only"),
        (About("x", "image", modality="iris"), "evaluation_no_finger_reader"),
    ):
        with pytest.raises(SessionError) as refused:
            Session("m", PLAN, "A", "c").meet(about)
        assert refused.value.code == code
    for name in ("../up", "", "a b", "x" * 41):
        with pytest.raises(SessionError):
            sessions.load(name)


def test_a_page_and_a_touch_read_no_print_of_a_session(store, monkeypatch):
    """Every look at a full session would take seconds of the serving process."""
    session, sessions = begun(store)
    session.meet(Scripted([]).about())
    session.take(Captured(Sample(FINGER, ISO_TEMPLATE, record(10, 1))))
    sessions.save(session)
    with monkeypatch.context() as patched:
        patched.setattr("devices.evaluate.store.decode", None)
        light = sessions.load("morning", ready=False)
        assert light.next() == session.next()
        light.tried += 1
        sessions.save(light)
    [kept] = sessions.load("morning").impressions
    assert (kept.record, len(kept.cylinders)) == (session.impressions[0].record, len(session.impressions[0].cylinders))


def test_only_one_works_on_a_session(store):
    _, sessions = begun(store)
    with sessions.held("morning"):
        with pytest.raises(SessionError) as refused, Sessions(store).held("morning"):
            pass
        assert refused.value.code == "evaluation_session_in_use"


def test_who_leaves_is_gone_and_is_asked_no_more(store):
    session, sessions = begun(store)
    run(session, sessions, Scripted([touched(1, n) for n in range(5)]), lambda s: None, lambda *a: None, pause=lambda c: True)
    assert session.next().label.person == "P02"
    session.withdraw("P01")
    assert {i.label.person for i in session.impressions} == {"P02"}
    assert {person for person, _ in session.tries} == {"P02"}
    session.withdraw("P02")
    assert session.next() is None and session.impressions == []
    with pytest.raises(SessionError):
        session.withdraw("P03")


def test_a_complete_session_becomes_a_report(store, monkeypatch):
    monkeypatch.setattr("ost.reports.making.render_pdf", lambda html: (FILES["pdf"], None))
    session, sessions = begun(store)
    taken = [touched(finger, number) for person in (1, 2) for number in (1, 2) for finger in (10 * person, 10 * person + 1)]
    assert run(session, sessions, Scripted(taken), lambda s: None, lambda *a: None)
    kept = evaluate_session(store, session, AT, language="en")
    document = kept.document
    assert (document["genuine"], document["impostor"]) == (4, 24)
    assert document["device"]["gives"] == "template" and document["dpi_declared"] is None
    assert document["liveness"] == {"declared": "level 1", "tested": False}
    assert document["fta"]["tries"]["allowed"] == 2 and document["times"]["capture_from"] == "prompt"
    assert document["times"]["capture_ms"]["n"] == 8
    assert document["verdicts"]["national_guest"]["sentence"]
    assert (kept.folder / "report.html").is_file()


def test_what_is_no_finger_sample_is_a_refused_try():
    vendor = judge(next(PLAN.places()), Sample(FINGER, "vendor", b"secret"), 500, None)
    assert vendor.refused == "bad_template" and vendor.record is None
