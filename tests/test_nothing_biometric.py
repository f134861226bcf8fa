"""Nothing of a print is left behind: not in logs at any level, not in answers, URLs, temporary files, or rows that
are not sealed; whether the touch was good, bad, refused or malformed, or a driver or the extraction broke.
"""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from devices.fingerprints import encode
from devices.fingerprints.drawing import draw, png
from devices.fingerprints.extract import extract
from devices.interface import FINGER, Sample, Touch
from ost import keys
from ost.bench.served import ROOT, ost_environment
from ost.db import Database
from ost.models import station as models
from ost.services import stations
from ost.services.work import House
from tests import make
from tests.plugins.clients import Api, house_of
from tests.touch import a_touch, enrol, make_station, minutiae
from tests.traces import Traces

PERSON, NOBODY = 101, 104
#: Every touch of the agent under test falls like this, so that its bytes are known here.
IMPRESSION = 7


def test_the_search_finds_what_it_looks_for(tmp_path):
    data = bytes(range(60, 256))
    traces = Traces({"print": data})
    for written in (
        data[50:120],
        data.hex().encode(),
        data.hex().upper().encode(),
        base64.b64encode(data),
        base64.b64encode(b"x" + data),
        base64.b64encode(b"xy" + data),
        repr(data).encode(),
        json.dumps({"data": base64.b64encode(data).decode()}).encode(),
    ):
        assert traces.within(b"before " + written + b" after") == {"print"}, written[:20]
    (tmp_path / "left").write_bytes(b"..." + data)
    assert traces.in_files(tmp_path) == {"left": {"print"}}
    assert traces.within(b"nothing of it") == set()


# --- in one process: what is refused, malformed or breaks -----------------------------------------


@pytest.fixture
def clinic(app):
    made = make.make_clinic(house_of(app), came_yesterday=False)
    enrol(house_of(app), made.patient, PERSON)
    return made


@pytest.fixture
def station(app, clinic):
    return make_station(house_of(app), clinic.counter)


PICTURE = Sample(FINGER, "image/png", png(draw(PERSON, IMPRESSION)), 500)
TEMPLATE = a_touch(PERSON).sample


def body_of(at, touch, **changes):
    challenge = at.challenge()
    body = {
        "station": at.id,
        "challenge": challenge,
        "touch": touch.to_wire(),
        "want": 1,
        "signature": at.sign(touch, challenge),
    }
    return body | changes


def altered(body, **sample):
    body["touch"]["sample"] |= sample
    return body


def _touch(sample):
    return Touch("simulated", True, "captured", None, sample)


BODIES = {
    "good_picture": lambda s: body_of(s, _touch(PICTURE)),
    "good_template": lambda s: body_of(s, _touch(TEMPLATE)),
    "nobody": lambda s: body_of(s, a_touch(NOBODY)),
    "wrongly_signed": lambda s: body_of(s, _touch(PICTURE), signature="00" * 64),
    "stale": lambda s: body_of(s, _touch(PICTURE), challenge="1.2.3"),
    "unknown_station": lambda s: body_of(s, _touch(PICTURE), station="nobody"),
    "malformed_base64": lambda s: altered(
        body_of(s, _touch(PICTURE)), data="%%" + base64.b64encode(PICTURE.data).decode()
    ),
    "malformed_format": lambda s: altered(body_of(s, _touch(PICTURE)), format=PICTURE.data.hex()),
    "malformed_declared": lambda s: altered(body_of(s, _touch(PICTURE)), declared={"x": PICTURE.data.hex()}),
    "unknown_field": lambda s: altered(body_of(s, _touch(PICTURE)), **{PICTURE.data.hex()[:3000]: 1}),
    "in_another_field": lambda s: body_of(s, _touch(PICTURE), station=base64.b64encode(PICTURE.data).decode()),
    "unknown_word": lambda s: body_of(s, _touch(PICTURE)) | {"more": base64.b64encode(PICTURE.data).decode()},
    "cut_picture": lambda s: body_of(s, _touch(Sample(FINGER, "image/png", PICTURE.data[:-400], 500))),
    "cut_template": lambda s: body_of(s, _touch(Sample(FINGER, TEMPLATE.format, TEMPLATE.data[:-7]))),
}


def in_the_tables(house, traces):
    found = {}
    with house.read() as tx:
        for table in sa.inspect(house.db.engine).get_table_names():
            held = traces.within(repr(tx.execute(sa.text(f'SELECT * FROM "{table}"')).all()))
            if held:
                found[table] = held
    return found


@pytest.fixture
def traces():
    return Traces(
        {
            "picture": PICTURE.data,
            "template": TEMPLATE.data,
            "picture's template": encode(extract(draw(PERSON, IMPRESSION))),
            "another's template": a_touch(NOBODY).sample.data,
            "enrolled": encode(minutiae(PERSON, 1)),
        }
    )


def everything_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).disabled = False


@pytest.mark.parametrize("case", BODIES)
def test_a_post_leaves_nothing_of_the_print_behind(app, station, traces, caplog, capfd, tmp_path, case):
    everything_is_logged(caplog)
    answer = Api(app).post("/api/v1/agent/captures", BODIES[case](station))
    assert (answer.status_code < 400) == (case.startswith(("good", "nobody", "cut"))), answer.get_data(as_text=True)
    _nothing(app, answer, traces, caplog, capfd, tmp_path)


@pytest.mark.parametrize("where", ["probe_of", "touched.keep"])
def test_an_error_in_the_middle_leaves_nothing_of_the_print_behind(
    app, station, traces, caplog, capfd, tmp_path, monkeypatch, where
):
    """The error quotes the sample, as errors of decoders do; the answer is a number, the log has places only."""
    everything_is_logged(caplog)

    def breaks(*args, **_kwargs):
        raise RuntimeError(f"cannot read {PICTURE.data!r}, {PICTURE.data.hex()}") from ValueError(PICTURE.data)

    monkeypatch.setattr(f"ost.services.captures.{where}", breaks)
    answer = Api(app).post("/api/v1/agent/captures", BODIES["good_picture"](station))
    assert answer.status_code == 500
    _nothing(app, answer, traces, caplog, capfd, tmp_path)


def _nothing(app, answer, traces, caplog, capfd, tmp_path):
    said = capfd.readouterr()
    assert traces.within(answer.get_data()) == set()
    assert traces.within(repr(dict(answer.headers))) == set()
    for text in (said.out, said.err, caplog.text, repr([r.__dict__ for r in caplog.records])):
        assert traces.within(text) == set()
    assert traces.in_files(tmp_path) == {}
    assert in_the_tables(house_of(app), traces) == {}


# --- two programs and a wire ---------------------------------------------------------------------------

#: `ost agent` with all its logs, whose simulated finger falls the same way each time, and whose driver raises with
#: the picture in its words at the third touch.
AGENT = f"""
import logging, types
logging.basicConfig(level=logging.DEBUG)
from devices.interface import Captured
from devices.readers import simulated
simulated.secrets = types.SimpleNamespace(randbits=lambda bits: {IMPRESSION})
honest, seen = simulated.SimulatedReader.capture, []
def capture(self, timeout_s):
    got = honest(self, timeout_s)
    if isinstance(got, Captured):
        seen.append(got)
        if len(seen) == 3:
            raise RuntimeError(repr(got.sample.data))
    return got
simulated.SimulatedReader.capture = capture
from ost.cli import main
main()
"""


class Watcher:
    """Reads every file that appears below the folders while others work."""

    def __init__(self, traces, *folders):
        self.found: dict[str, set[str]] = {}
        self.looks = 0
        self._traces, self._folders, self._seen = traces, folders, {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self._stop.wait(0.02):
            for path in [p for folder in self._folders for p in folder.rglob("*")]:
                self._look(path)
            self.looks += 1

    def _look(self, path):
        try:
            now = path.stat()
            changed = self._seen.get(path) != (now.st_mtime_ns, now.st_size)
            self._seen[path] = (now.st_mtime_ns, now.st_size)
            held = self._traces.within(path.read_bytes()) if changed and path.is_file() else None
        except OSError:
            return  # gone again before it could be read
        if held:
            self.found[str(path)] = held

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


@pytest.mark.drill
def test_server_and_agent_leave_nothing_behind(sqlite_url, live_server, tmp_path):
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    keys.create(home / "keys")
    database = Database(sqlite_url)
    house = House(database, keys.load(home / "keys"), demo=True)
    clinic = make.make_clinic(house, came_yesterday=False)
    enrol(house, clinic.patient, PERSON)
    new = stations.create(house, make.make_account(house, "admin"), clinic.site, "counter 1", clinic.counter)
    images = {n: png(draw(n, IMPRESSION)) for n in (PERSON, NOBODY)}
    traces = Traces(
        {f"picture {n}": image for n, image in images.items()}
        | {f"template {n}": encode(extract(draw(n, IMPRESSION))) for n in images}
        | {"enrolled": encode(minutiae(PERSON, 1))}
    )
    where = {"TMPDIR": str(temporary), "OST_LOG_LEVEL": "DEBUG"}
    server = live_server(sqlite_url, home=home, **where)
    log = tmp_path / "agent.log"
    command = [sys.executable, "-c", AGENT, "agent", "--server", server.url, "--enrol", new.code]
    with log.open("wb") as out, Watcher(traces, temporary, home) as watcher:
        agent = subprocess.Popen(
            command,
            cwd=ROOT,
            env=ost_environment(home, **where),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )
        try:
            for number, lines in enumerate((f"{PERSON}\n", f"{NOBODY}\n", f"{PERSON}\n{PERSON}\n"), 1):
                agent.stdin.write(lines.encode())
                agent.stdin.flush()
                _until(lambda n=number: _count(database) >= n, agent, log)
            server.stop()
            agent.stdin.write(f"{PERSON}\n".encode())
            agent.stdin.flush()
            _until(lambda: "touch dropped" in log.read_text(), agent, log)
        finally:
            agent.terminate()
            agent.wait(timeout=20)
    said = log.read_text(errors="replace")
    assert "RuntimeError" in said  # the driver did break, and that is said
    assert traces.within(said) == set()
    assert traces.within(server.log()) == set()
    assert "answered" in server.log()
    assert watcher.looks > 0
    assert watcher.found == {}
    assert traces.in_files(tmp_path) == {}
    assert in_the_tables(house, traces) == {}
    database.close()


def _count(database) -> int:
    with database.read() as tx:
        return tx.execute(sa.select(sa.func.count()).select_from(models.capture)).scalar_one()


def _until(condition, agent, log, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert agent.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < end, log.read_text(errors="replace")[-2000:]
        time.sleep(0.05)
