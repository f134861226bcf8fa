"""How long from a posted picture to a named person, among 500 enrolled people, on one core.

Does: a throw-away SQLite house with one site, 500 people expected there, two fingers of three
impressions each; pictures of some of them posted to `/api/v1/identify` through the whole
application; and the same search again with the extraction left out. Does not: claim accuracy;
the fingers are synthetic. Most people's prints are minutiae sets, as 3,000 pictures would take
half an hour to draw; those who are asked for are drawn and extracted like anybody's.
"""

from __future__ import annotations

import base64
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from config.settings import load_settings
from devices.fingerprints import ALGORITHM
from devices.fingerprints.cylinders import Cylinders, cylinders
from devices.fingerprints.drawing import draw, png
from devices.fingerprints.extract import Minutiae, extract, load_image
from devices.fingerprints.synthetic import impression_of, synthetic_minutiae
from ost import keys
from ost.app import create_app
from ost.bench import makers
from ost.db import Database, migrate
from ost.models.patient import fingerprint
from ost.services import sealed, sessions
from ost.services.gallery import gallery_of
from ost.services.probe import minutiae_of
from ost.services.recognise import PERSON, recognise
from ost.services.templates import seal_template
from ost.services.work import House, new_id

PEOPLE = 500
FINGERS = ("right_index", "left_index")
IMPRESSIONS = (1, 2, 3)
DRAWN = 20
"""People whose fingers are drawn and extracted; the probes are theirs."""
ROUNDS = 5
SITE = "HUA1"
TARGET_P95_MS, TARGET_MATCHING_P95_MS = 600, 60
_WARM = 3

Progress = Callable[..., None]


def bench_identify(
    progress: Progress = lambda what, *_: None, people: int = PEOPLE, drawn: int = DRAWN, rounds: int = ROUNDS
) -> dict:
    """{"p50_ms", "p95_ms": posted picture to answer, extraction included; "matching_p50_ms", "matching_p95_ms":
    search and look-ups alone; "extraction_p50_ms", "extraction_p95_ms"; "named", "wrong", "probes", ...}.

    `progress(what)` says what is being done.
    """
    with tempfile.TemporaryDirectory() as folder, _house(Path(folder)) as (app, house):
        progress("drawing and extracting fingers")
        probes = _enrol(house, people, drawn, rounds, progress)
        nurse = makers.make_account(house, "nurse", scope=SITE)
        with house.work(nurse, SITE, "bench.session") as work:
            token, _ = sessions.start(work, account=nurse.id, kind=sessions.API, device="bench")
        progress("loading the prints")
        started = time.perf_counter()
        gallery = gallery_of(house)
        gallery.warm_up(house).join()
        loaded_s = time.perf_counter() - started
        with one_core():
            progress("asking over the API")
            posted = _post_all(app, token, probes)
            progress("matching alone")
            matched = _match_all(house, gallery, probes)
        named = sum(found == wanted for _, found, wanted in posted)
        wrong = sum(found not in (None, wanted) for _, found, wanted in posted)
        result = {
            "people": people,
            "templates": len(gallery),
            "probes": len(posted),
            "named": named,
            "wrong": wrong,
            **_figures("", [ms for ms, _, _ in posted]),
            **_figures("extraction_", [ms for ms, _ in matched]),
            **_figures("matching_", [ms for _, ms in matched]),
            "load_s": round(loaded_s, 1),
            "cores": 1,
            "database": "sqlite",
            "target_p95_ms": TARGET_P95_MS,
            "target_matching_p95_ms": TARGET_MATCHING_P95_MS,
        }
        result["passed"] = (
            wrong == 0
            and result["p95_ms"] < TARGET_P95_MS
            and result["matching_p95_ms"] < TARGET_MATCHING_P95_MS
        )
        return result


def _figures(prefix: str, values: list[float]) -> dict:
    return {
        f"{prefix}p50_ms": round(float(np.percentile(values, 50)), 1),
        f"{prefix}p95_ms": round(float(np.percentile(values, 95)), 1),
    }


@contextmanager
def _house(folder: Path) -> Iterator[tuple]:
    database = Database(f"sqlite:///{folder / 'bench.sqlite3'}")
    try:
        migrate(database)
        settings = load_settings({"OST_MODE": "demo", "OST_HOME": str(folder), "OST_LOG_LEVEL": "ERROR"})
        app = create_app(settings, database, keys.ephemeral())
        yield app, app.extensions["ost"].house
    finally:
        database.close()


def _enrol(house: House, people: int, drawn: int, rounds: int, progress: Progress) -> list:
    """[(patient, picture)] of those to ask for. Everybody is enrolled, in one transaction."""
    makers.make_site(house, SITE)
    ids = makers.make_people(house, SITE, people)
    probes, rows = [], []
    with house.work(makers.MAKER, SITE, "bench.enrolled") as work:
        change_no = work.next_change_no("gallery")
        for n, person in enumerate(ids):
            key = sealed.person_key(work.tx, house.keys, person)
            for f, finger in enumerate(FINGERS):
                seed = 2 * n + f
                for impression in IMPRESSIONS:
                    minutiae = _impression(seed, impression, n < drawn)
                    rows.append(_row(work, key, person, finger, impression, minutiae, change_no))
            if n < drawn:
                progress(f"drawing and extracting fingers: {n + 1} of {drawn} people")
                probes += [(person, png(draw(2 * n + r % 2, 100 + r))) for r in range(rounds)]
        work.add_many(fingerprint, rows)
        work.payload = {"templates": len(rows)}
    return probes


def _impression(seed: int, impression: int, drawn: bool) -> Minutiae:
    if drawn:
        return extract(draw(seed, impression))
    return impression_of(synthetic_minutiae(seed), 10 * seed + impression)


def _row(work, key: bytes, person: str, finger: str, impression: int, minutiae: Minutiae, change_no: int) -> dict:
    return {
        "id": new_id(),
        "patient": person,
        "finger": finger,
        "impression": impression,
        "algorithm": ALGORITHM,
        "template_sealed": seal_template(key, person, finger, impression, minutiae, None),
        "cylinders": len(cylinders(minutiae)),
        "synthetic": True,
        "enrolled_at": work.now,
        "enrolled_by": makers.MAKER.id,
        "change_no": change_no,
    }


def _post_all(app, token: str, probes: list) -> list[tuple[float, str | None, str]]:
    """(ms, who was named or None, who it was) of each probe; the first few warm the program up and do not count."""
    client = app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    timed = []
    for person, picture in probes[:_WARM] + probes:
        body = {"site": SITE, "dpi": 500, "image": base64.b64encode(picture).decode()}
        started = time.perf_counter()
        answer = client.post("/api/v1/identify", json=body, headers=headers)
        ms = (time.perf_counter() - started) * 1000
        found = answer.get_json()
        if answer.status_code != 200:
            raise RuntimeError(f"identify answered {answer.status_code}: {found['error']['code']}")
        timed.append((ms, found["candidates"][0]["patient_id"] if found["decided"] else None, person))
    return timed[_WARM:]


def _match_all(house: House, gallery, probes: list) -> list[tuple[float, float]]:
    """(extraction ms, search and look-ups ms) of each probe."""
    timed = []
    for person, picture in probes:
        started = time.perf_counter()
        print_: Cylinders = cylinders(minutiae_of(load_image(picture), 500))
        extracted = time.perf_counter()
        found = recognise(house, gallery, SITE, print_)
        ended = time.perf_counter()
        if found.kind == PERSON and found.person != person:
            raise RuntimeError("somebody else was named")
        timed.append(((extracted - started) * 1000, (ended - extracted) * 1000))
    return timed


@contextmanager
def one_core() -> Iterator[None]:
    """Everything measured runs on one core, whatever the machine has."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
