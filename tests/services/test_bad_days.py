"""Days on which the machine fails: a full disk, a locked file, a restarted database, a clock set back.

Each time one clear answer, nothing half-written, and afterwards it goes on.
"""

from __future__ import annotations

import base64
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ost import db as database_module
from ost.bench.cluster import ThrowawayPostgres
from ost.db import Database, migrate
from ost.models import dose
from ost.services import sessions
from ost.services.verify import verify
from tests import make
from tests.api.world import API, World, tables
from tests.plugins.clients import Api, assert_error, house_of, make_app, sign_in_as
from tests.plugins.servers import ROOT

#: What a session's look at the screen and the second look at a decision leave.
QUIET = ("web_session",)


def dose_body(clinic, **changes) -> dict:
    wanted = make.dose_request(clinic)
    return {
        "dose_id": wanted.dose_id,
        "patient_id": wanted.patient_id,
        "site": wanted.site,
        "bottle": wanted.bottle,
        "seen": {"dose_ug": clinic.dose_ug, "volume_ul": clinic.volume_ul},
        "identity": {"path": "number_face", "reason": "patient_prefers"},
        "observations": [],
    } | changes


@pytest.fixture
def clinic(app):
    return make.make_clinic(house_of(app))


@pytest.fixture
def nurse(app, clinic):
    return Api(app, sign_in_as(app, clinic.nurse, sessions.API))


def codes(answer) -> list[str]:
    return [r["code"] for r in answer.get_json()["reasons"]]


# --- disk and file -------------------------------------------------------------------------


def test_a_full_disk_is_said_nothing_is_half_written_and_it_goes_on(app, clinic, nurse):
    house = house_of(app)
    engine = house.db.engine

    def limit(pages: int) -> None:
        # Every pooled connection, and those made from now on, believe the disk ends here.
        engine.dispose()
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count={pages}"))

    with house.read() as tx:
        used = tx.exec_driver_sql("PRAGMA page_count").scalar()
    limit(used)
    promised, failed = [], None
    for _ in range(60):
        body = dose_body(clinic, dose_id=make.dose_request(clinic).dose_id)
        before = tables(house, *QUIET)
        answer = nurse.post(f"{API}/doses", body)
        if answer.status_code == 503:
            failed = body
            assert_error(answer, 503, "database_busy")
            assert tables(house, *QUIET) == before
            break
        promised.append(answer.status_code)
    assert failed, promised
    assert verify(house).passed
    limit(1_000_000)
    again = nurse.post(f"{API}/doses", failed)
    assert again.status_code in (201, 409), again.get_json()
    assert verify(house).passed


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    from ost.db import Database
    from ost.services.verify import verify
    from tests import make
    from tests.plugins.clients import Api, make_app, house_of, sign_in_as
    from tests.services.test_bad_days import dose_body
    url, home = sys.argv[1:]
    app = make_app(Database(url), Path(home))
    house = house_of(app)
    clinic = make.make_clinic(house)
    nurse = Api(app, sign_in_as(app, clinic.nurse, "api"))
    path = Path(url.removeprefix("sqlite:///"))
    wal = path.with_name(path.name + "-wal")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 2000, hard))
    full = nurse.post("/api/v1/doses", body := dose_body(clinic))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    then = nurse.post("/api/v1/doses", body)
    print(full.status_code, full.get_json()["error"]["code"], then.status_code, verify(house).passed)
"""


def test_the_kernel_refuses_to_write(sqlite_url, tmp_path):
    """The real thing: a file that may not grow. The same request again, with room, is the one dose."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), sqlite_url, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["503", "database_busy", "201", "True"], done.stdout + done.stderr[-2000:]


def test_a_file_locked_by_somebody_else_is_busy_and_loses_nothing(sqlite_url, tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 200)  # ten seconds in real life
    database = Database(sqlite_url)
    app = make_app(database, tmp_path)
    house = house_of(app)
    clinic = make.make_clinic(house)
    nurse = Api(app, sign_in_as(app, clinic.nurse, sessions.API))
    body, before = dose_body(clinic), tables(house)
    file = sqlite_url.removeprefix("sqlite:///")
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    assert_error(nurse.post(f"{API}/doses", body), 503, "database_busy")
    assert nurse.get(f"{API}/patients/{clinic.patient}/decision", site="HUA1").status_code == 200  # looking goes on
    other.execute("ROLLBACK")
    assert tables(house) == before
    assert nurse.post(f"{API}/doses", body).status_code == 201
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.1, other.close).start()  # shorter than the patience: nobody notices
    time.sleep(0.01)
    assert nurse.post(f"{API}/doses/{body['dose_id']}/outcome", {"outcome": "swallowed"}).status_code == 200
    assert verify(house).passed
    database.close()


# --- the server behind ------------------------------------------------------------------------


def test_postgresql_restarted_under_the_server(tmp_path):
    with ThrowawayPostgres(durable=True) as server:
        database = Database(server.url)
        migrate(database)
        app = make_app(database, tmp_path)
        house = house_of(app)
        clinic = make.make_clinic(house)
        nurse = Api(app, sign_in_as(app, clinic.nurse, sessions.API))
        first = dose_body(clinic)
        assert nurse.post(f"{API}/doses", first).status_code == 201
        hold_some_connections(database)
        server.restart_after_kill()
        # The very next request: every pooled connection is dead.
        ended = nurse.post(f"{API}/doses/{first['dose_id']}/outcome", {"outcome": "swallowed"})
        assert ended.status_code == 200, ended.get_json()
        assert verify(house).passed
        server.stop()
        assert_error(nurse.post(f"{API}/doses", dose_body(clinic)), 503, "database_busy")
        assert Api(app).get("/health/live").status_code == 200
        assert Api(app).get("/health/ready").status_code == 503
        database.close()


def hold_some_connections(database: Database) -> None:
    """Several idle connections in the pool, as after a busy hour."""
    opened = [database.engine.connect() for _ in range(5)]
    for connection in opened:
        connection.close()


# --- the clock -----------------------------------------------------------------------------------


def test_a_clock_set_back_gives_no_second_dose_and_strands_nobody(app_on, clock):
    house = house_of(app_on)
    clinic = make.make_clinic(house)
    nurse = Api(app_on, sign_in_as(app_on, clinic.nurse, sessions.API))
    body = dose_body(clinic)
    assert nurse.post(f"{API}/doses", body).status_code == 201
    assert nurse.post(f"{API}/doses/{body['dose_id']}/outcome", {"outcome": "swallowed"}).status_code == 200
    for back in (timedelta(minutes=30), timedelta(hours=12), timedelta(days=2)):
        clock.shift(-back)
        again = nurse.post(f"{API}/doses", dose_body(clinic))
        assert again.status_code == 409, (back, again.get_json())
        assert {"clock_set_back", "already_dosed_today"} & set(codes(again)), codes(again)
        clock.shift(back)
    clock.shift(timedelta(days=1))
    nurse = Api(app_on, sign_in_as(app_on, clinic.nurse, sessions.API))
    tomorrow = nurse.post(f"{API}/doses", dose_body(clinic))
    assert tomorrow.status_code == 201, tomorrow.get_json()
    with house.read() as tx:
        days = tx.execute(sa.select(dose.dose_attempt.c.dosing_day).where(dose.dose_attempt.c.patient == clinic.patient))
        assert len(set(found := days.scalars().all())) == len(found)
    assert verify(house).passed


# --- bad input -------------------------------------------------------------------------------------


def bomb() -> bytes:
    """A PNG of a few hundred kilobytes that claims 50,000 x 50,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(50_001) * 400)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("path", ["/identify", "/patients/{patient_id}/fingerprints"])
def test_a_picture_bomb_or_a_torn_picture_is_refused_at_once_and_keeps_nothing(app, path):
    world = World(app)
    before = tables(world.house)
    for data in (bomb(), b"\x89PNG\r\n\x1a\n" + bytes(100), b"<svg onload='x'/>", b"GIF89a" + bytes(50), b""):
        body = world.body(path) | {"image": base64.b64encode(data).decode()}
        started = time.perf_counter()
        answer = world.nurse.post(world.path(path), body)
        assert answer.status_code in (413, 422), answer.get_json()
        assert "image" in assert_error(answer, answer.status_code)["fields"], answer.get_json()
        assert time.perf_counter() - started < 5
    for text in ("not base64!", "ＡＡＡＡ", "data:image/png;base64,AAAA"):
        answer = world.nurse.post(world.path(path), world.body(path) | {"image": text})
        assert "image" in assert_error(answer, 400, "image_encoding_wrong")["fields"]
    assert tables(world.house) == before


def test_a_truncated_template_at_the_door_is_refused(app):
    from tests.touch import a_touch, make_station

    house = house_of(app)
    make.make_clinic(house)
    station = make_station(house)
    wire = a_touch(101).to_wire()
    whole = base64.b64decode(wire["sample"]["data"])
    for data in (whole[:-3], whole[:10], whole[: len(whole) // 2], whole + b"xxx", b"FMR\0" + bytes(40)):
        from devices.interface import Touch

        torn = wire | {"sample": wire["sample"] | {"data": base64.b64encode(data).decode()}}
        challenge = station.challenge()
        signature = station.sign(Touch.from_wire(torn), challenge)
        body = {"station": station.id, "challenge": challenge, "touch": torn, "want": 1, "signature": signature}
        answer = Api(app).post(f"{API}/agent/captures", body)
        assert answer.status_code < 500, answer.get_json()
        if answer.status_code == 200:
            assert answer.get_json()["result"] != "shown", answer.get_json()
