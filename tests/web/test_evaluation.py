"""Evaluations of devices as pages: who may, an archive in memory, a guided session through the stations' door."""

from __future__ import annotations

import io
import re
import tempfile
import threading
import zipfile

import pytest
import sqlalchemy as sa

from devices.evaluate.session import Plan, Session, Sessions
from devices.evaluate.store import SEALED
from devices.interface import FINGER, ISO_TEMPLATE, Sample, Touch
from ost.models import audit
from ost.models import station as models
from ost.models.patient import fingerprint
from ost.reports import runs
from ost.services.evaluate_at_station import STORE
from ost.services.verify import verify
from tests import make
from tests.devices.evaluations import evaluated, record
from tests.plugins.clients import house_of
from tests.touch import make_station

FILES = {"html": b"<p>report</p>", "pdf": b"%PDF-1.7"}


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture(autouse=True)
def no_layout(monkeypatch):
    """Making a PDF takes seconds; tests/test_evaluate_command.py looks at it."""
    monkeypatch.setattr("ost.reports.making.render_pdf", lambda html: (FILES["pdf"], None))


@pytest.fixture
def clinic(house):
    return make.make_clinic(house, came_yesterday=False)


@pytest.fixture
def store(house):
    return house.memo[STORE]


@pytest.fixture
def admin(pages, house, clinic):
    return pages(make.make_account(house, "admin"), site="HUA1")


@pytest.fixture
def kept(store):
    document, sides = evaluated(people=3)
    document["language"] = "en"
    document["files"] = {"pdf_missing_because": None}
    return store.save(document, FILES, sides)


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def archive(people: int = 3, impressions: int = 2) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as to:
        for person in range(1, people + 1):
            for number in range(1, impressions + 1):
                to.writestr(f"Lin Mei-hua {person}/right_index/{number}.iso", record(10 * person, number))
    return packed.getvalue()


def send(admin, data: bytes, kind: str = "application/zip", **query):
    """As ost/static/js/evaluation.js does: the archive is the body, the token a header."""
    return admin.client.post(
        "/evaluations/upload",
        data=data,
        content_type=kind,
        query_string={"name": "x.zip", **query},
        headers={"X-CSRFToken": admin._csrf()},
    )


def finished(store, answer) -> runs.Run:
    run = answer.get_json()["url"].rsplit("/", 1)[1]
    for thread in threading.enumerate():
        if thread.name == f"evaluation-{run}":
            thread.join(60)
    return runs.find(store, run)


# --- who may -----------------------------------------------------------------------


def test_a_health_department_reads_and_makes_none(pages, house, clinic, kept):
    reader = pages(make.make_account(house, "health_department_reader"), site="HUA1")
    listed = text_of(reader.get("/evaluations"))
    assert "Reader A" in listed and "Cannot be said yet" in listed
    assert "From an archive" not in listed
    assert "Counter verification" in text_of(reader.get(f"/evaluations/{kept.id}"))
    for path in ("/evaluations/upload", "/evaluations/sessions", f"/evaluations/{kept.id}/forget"):
        assert reader.post(path, {}).status_code == 403
    nurse = pages(make.make_account(house, "nurse", username="n"), site="HUA1")
    assert nurse.get("/evaluations").status_code == 403


def test_the_report_comes_as_it_was_signed(admin, kept):
    for kind, data in FILES.items():
        answer = admin.get(f"/evaluations/{kept.id}/{kind}")
        assert answer.data == data and "attachment" in answer.headers["Content-Disposition"]
    assert admin.get(f"/evaluations/{kept.id}/json").get_json() == kept.document
    for path in (f"/evaluations/{kept.id}/minutiae", "/evaluations/20260101-00000000", "/evaluations/..%2f..%2fkeys"):
        assert admin.get(path).status_code == 404


def test_an_altered_report_is_not_shown(admin, kept):
    path = kept.folder / "evaluation.json"
    path.write_text(path.read_text().replace('"undecided"', '"suitable"'))
    answer = admin.get(f"/evaluations/{kept.id}")
    assert answer.status_code == 409 and "changed after it was signed" in text_of(answer)
    listed = text_of(admin.get("/evaluations"))
    assert f"{kept.id} · The report was changed after it was signed" in listed
    assert "Reader A" not in listed and "No device was evaluated yet" in listed


def test_two_devices_of_a_cohort_stand_in_one_matrix(admin, store, kept):
    document, sides = evaluated("Reader B", "20261122-bbbbbbbb", others=store.cohort("spring", "Reader B"), people=3, device=1)
    store.save(document, FILES, sides)
    listed = text_of(admin.get("/evaluations"))
    assert "cohort spring" in listed and "Enrolled ↓ verified →" in listed


def test_forgetting_is_recorded(admin, house, store, kept):
    assert admin.post(f"/evaluations/{kept.id}/forget", {}).status_code == 303
    assert not (kept.folder / SEALED).exists() and store.read(kept.id)
    with house.read() as tx:
        kinds = tx.execute(sa.select(audit.audit_event.c.kind)).scalars().all()
    assert "evaluation.minutiae_forgotten" in kinds and verify(house).passed


# --- an archive --------------------------------------------------------------------


def test_an_archive_becomes_a_report_without_touching_the_disk(admin, house, store, monkeypatch):
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", None)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    answer = send(admin, archive(), device="Reader Z", cohort="c1")
    assert answer.status_code == 200, answer.data
    run = finished(store, answer)
    assert (run.state, run.code) == (runs.DONE, None)
    made = store.read(run.evaluation).document
    assert (made["device"]["name"], made["cohort"], made["sample"]["people"]) == ("Reader Z", "c1", 3)
    page = text_of(admin.get(answer.get_json()["url"]))
    assert "The report is ready" in page
    everything = [path.read_bytes() for path in store.folder.rglob("*") if path.is_file()]
    assert not any(b"Mei-hua" in data or record(10, 1) in data for data in everything)
    with house.read() as tx:
        payloads = tx.execute(sa.select(audit.audit_event.c.payload).where(audit.audit_event.c.kind == "evaluation.made")).scalars().all()
    assert len(payloads) == 1 and run.evaluation in payloads[0] and "Reader Z" not in payloads[0]
    assert verify(house).passed


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"no archive", "application/zip", 422),
        (b"PK\x03\x04", "application/zip", 422),
        (archive(1), "application/octet-stream", 422),
    ],
)
def test_what_is_no_archive_is_refused_at_once(admin, store, data, kind, status):
    assert send(admin, data, kind).status_code == status
    assert not (store.folder / "runs").exists()


def test_an_archive_may_be_large_a_form_may_not(app, admin, pages):
    zeros = b"\0" * 13_000_000
    assert send(admin, zeros).status_code == 422  # read, and found to be no archive
    assert send(admin, zeros, "application/octet-stream").status_code == 413
    assert send(pages(), zeros[:20]).status_code == 302  # nobody signed in: to the door
    app.config["LARGE_BODIES"]["evaluation.upload"] = 1000
    assert send(admin, archive(3)).status_code == 413


def test_an_uploaded_picture_never_lies_in_a_temporary_file(app, monkeypatch):
    """Forms with pictures of fingers, too: everything a request carries stays in memory."""
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", None)
    with app.test_request_context("/", method="POST", data={"image": (io.BytesIO(b"x" * 900_000), "a.png")}) as context:
        assert isinstance(context.request.files["image"].stream, io.BytesIO)


def test_a_run_whose_process_died_says_so(admin, store, house, clinic):
    run = runs.Run("0" * 16, runs.RUNNING, house.now() - 2 * runs.SILENT, "extraction", 3, 80)
    runs._write(store, run)
    page = text_of(admin.get(f"/evaluations/runs/{run.id}"))
    assert "The evaluation stopped" in page
    assert admin.get("/evaluations/runs/../../keys").status_code == 404


# --- live at a station ----------------------------------------------------------------

PLAN = {
    "session": "morning",
    "device": "Reader at counter",
    "cohort": "",
    "people": "2",
    "impressions": "2",
    "fingers": ["right_index"],
}


def lay(station, person: int, number: int, simulated: bool = True):
    touch = Touch(
        "simulated" if simulated else "zfm",
        simulated,
        "captured",
        None,
        Sample(FINGER, ISO_TEMPLATE, record(10 * person, number), None, {"maker": "ours", "liveness": "none"}),
        touch_ms=450,
    )
    return station.post(touch)


def test_a_guided_session_at_a_counters_reader(admin, house, clinic, store):
    station = make_station(house, clinic.counter)
    answer = admin.post("/evaluations/sessions", PLAN)
    assert answer.status_code == 303, text_of(answer)
    assert "P01" in text_of(admin.get("/evaluations/sessions/morning"))
    assert admin.post("/evaluations/sessions/morning/attend", {"counter": clinic.counter}).status_code == 303
    assert lay(station, 1, 1).result == "taken"
    now = text_of(admin.get("/evaluations/sessions/morning/now"))
    assert "Taken. Lift the finger." in now and "1 / 4" in now
    # A template that says nothing: the same finger again.
    blank = Touch("simulated", True, "captured", None, Sample(FINGER, ISO_TEMPLATE, b"FMR\0nonsense"))
    assert (lambda a: (a.result, a.code))(station.post(blank)) == ("taken", "bad_template")
    assert "try 2 of 3" in text_of(admin.get("/evaluations/sessions/morning/now"))
    # A break: touches call people again, and nothing of the session is lost.
    admin.post("/evaluations/sessions/morning/pause", {})
    assert lay(station, 2, 1).result != "taken"
    admin.post("/evaluations/sessions/morning/attend", {"counter": clinic.counter})
    for person, number in ((1, 2), (2, 1), (2, 2)):
        assert lay(station, person, number).result == "taken"
    assert "Every impression of the plan is there" in text_of(admin.get("/evaluations/sessions/morning"))
    assert lay(station, 1, 3).result != "taken"  # the task is over with the last touch
    answer = admin.post("/evaluations/sessions/morning/finish", {})
    run = finished(store, type("Answer", (), {"get_json": lambda self: {"url": answer.headers["Location"]}})())
    assert run.state == runs.DONE, run
    made = store.read(run.evaluation).document
    assert made["device"] == {**made["device"], "how": "station", "simulated": True, "maker": "ours"}
    assert (made["genuine"], made["fta"]["tries"]["failed"]["errors"]) == (2, 1)
    assert made["times"]["capture_ms"]["median"] == 450 and made["times"]["capture_from"] == "touch"
    assert made["verdicts"]["counter_verification"]["reasons"] == [{"code": "simulated"}]
    with house.read() as tx:
        assert tx.execute(sa.select(fingerprint)).all() == []
        captures = tx.execute(sa.select(models.capture)).all()
        events = " ".join(tx.execute(sa.select(audit.audit_event.c.payload)).scalars().all())
    assert {c.patient for c in captures} == {None} and "P01" not in events
    assert verify(house).passed


def test_the_same_post_again_is_one_touch(admin, house, clinic, store):
    station = make_station(house, clinic.counter)
    admin.post("/evaluations/sessions", PLAN)
    admin.post("/evaluations/sessions/morning/attend", {"counter": clinic.counter})
    challenge = station.challenge()
    touch = Touch("simulated", True, "captured", None, Sample(FINGER, ISO_TEMPLATE, record(10, 1)))
    first, again = station.post(touch, challenge), station.post(touch, challenge)
    assert first.result == again.result == "taken"
    assert "1 / 4" in text_of(admin.get("/evaluations/sessions/morning"))


def test_a_session_that_is_finished_twice_is_one_report(admin, house, clinic, store):
    station = make_station(house, clinic.counter)
    admin.post("/evaluations/sessions", PLAN)
    admin.post("/evaluations/sessions/morning/attend", {"counter": clinic.counter})
    for person, number in ((1, 1), (1, 2), (2, 1)):
        assert lay(station, person, number).result == "taken"
    with runs._one_at_a_time:
        answers = [admin.post("/evaluations/sessions/morning/finish", {}) for _ in range(2)]
    found = [
        finished(store, type("Answer", (), {"get_json": lambda self, to=to: {"url": to}})())
        for to in (answer.headers["Location"] for answer in answers)
    ]
    assert sorted((run.state, run.code) for run in found) == [
        (runs.DONE, None),
        (runs.FAILED, "evaluation_session_unknown"),
    ]
    assert len(store.list()) == 1


def test_a_participant_leaves_from_the_page(admin, house, clinic):
    admin.post("/evaluations/sessions", PLAN)
    assert admin.post("/evaluations/sessions/morning/withdraw", {"person": "p01"}).status_code == 303
    page = text_of(admin.get("/evaluations/sessions/morning"))
    assert "P02" in page and "Withdrawn: P01" in page
    assert admin.post("/evaluations/sessions/morning/withdraw", {"person": "P99"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"people": "0"}, "cannot be captured"),
        ({"people": "x"}, "cannot be captured"),
        ({"fingers": []}, "cannot be captured"),
        ({"session": "../up"}, "cannot have this name"),
    ],
)
def test_a_plan_that_cannot_be_is_said_beside_the_form(admin, change, said):
    answer = admin.post("/evaluations/sessions", {**PLAN, **change})
    assert answer.status_code == 422 and said in text_of(answer)


def test_another_sites_counter_is_not_mine(admin, house, clinic):
    admin.post("/evaluations/sessions", PLAN)
    assert admin.post("/evaluations/sessions/morning/attend", {"counter": "TPE1-1"}).status_code in (404, 409, 422)
    assert admin.get("/evaluations/sessions/evening").status_code == 404


# --- another site's ----------------------------------------------------------------------


@pytest.fixture
def far(pages, house, clinic):
    """An administrator of another county's site."""
    make.make_site(house, "TPE1", "TPE")
    return pages(make.make_account(house, "admin", scope="TPE1"), site="TPE1")


def test_a_session_that_does_not_open_hides_no_other(admin, store):
    sessions = Sessions(store)
    for name in ("hall", "ward"):
        sessions.begin(Session(name, Plan(2, ("right_index",), 2), "Reader", "staff", site="HUA1"))
    sealed = sessions.folder / "hall.sealed"
    sealed.write_bytes(sealed.read_bytes()[:-1] + bytes([sealed.read_bytes()[-1] ^ 1]))
    page = text_of(admin.get("/evaluations"))
    assert "ward" in page and "hall" not in page
    assert "Kept minutiae do not open" in page


def test_another_sites_session_is_none_of_ours(admin, far, house, clinic, store):
    """Neither read, nor taken part in, nor cleared of a participant, nor ended."""
    counter = make.make_counter(house, "TPE1")
    make_station(house, counter, "TPE1")
    admin.post("/evaluations/sessions", PLAN)
    for path in ("morning", "morning/now"):
        assert far.get(f"/evaluations/sessions/{path}").status_code == 404
    for path, given in (
        ("attend", {"counter": counter}),
        ("withdraw", {"person": "P01"}),
        ("finish", {}),
    ):
        assert far.post(f"/evaluations/sessions/morning/{path}", given).status_code == 404, path
    assert "morning" not in text_of(far.get("/evaluations"))
    taken = far.post("/evaluations/sessions", PLAN)
    assert taken.status_code == 422, "a name in use elsewhere opens nobody's session"
    page = text_of(admin.get("/evaluations/sessions/morning"))
    assert "Withdrawn" not in page and "morning" in text_of(admin.get("/evaluations"))


def test_minutiae_of_another_sites_evaluation_stay(admin, far, store):
    run = finished(store, send(admin, archive(), device="Reader Z", cohort="c1"))
    folder = store.read(run.evaluation).folder
    assert far.post(f"/evaluations/{run.evaluation}/forget", {}).status_code == 403
    assert (folder / SEALED).exists()
    assert admin.post(f"/evaluations/{run.evaluation}/forget", {}).status_code == 303
    assert not (folder / SEALED).exists()


def test_no_more_wait_than_the_memory_holds(admin, store):
    """Each that waits keeps its archive in memory."""
    with runs._one_at_a_time:
        begun = [send(admin, archive(2, 1)) for _ in range(runs.MOST)]
        assert {answer.status_code for answer in begun} == {200}
        refused = send(admin, archive(2, 1))
        assert refused.status_code == 409 and "Other evaluations come first" in text_of(refused)
    for answer in begun:
        finished(store, answer)
    finished(store, send(admin, archive(2, 1)))
