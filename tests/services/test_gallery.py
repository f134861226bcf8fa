"""The prints in memory: as fresh as the database, bounded, and no counter waits for the country."""

from __future__ import annotations

import multiprocessing
import threading

import pytest
import sqlalchemy as sa

from devices.fingerprints.cylinders import cylinders
from ost import metrics
from ost.models.patient import fingerprint, patient
from ost.services import fingerprints
from ost.services.gallery import PrintGallery, gallery_of
from ost.services.work import Actor
from tests.make import make_account, make_clinic, make_patient, make_prescription, make_site
from tests.touch import enrol, make_station, minutiae

PERSON, OTHER, THIRD = 101, 102, 103


@pytest.fixture
def clinic(house):
    made = make_clinic(house, came_yesterday=False)
    enrol(house, made.patient, PERSON)
    return made


def test_it_follows_what_is_enrolled_and_withdrawn(house, clinic):
    gallery = PrintGallery()
    gallery.refresh(house)
    assert len(gallery) == 2
    enrol(house, clinic.patient, OTHER, "left_index", impressions=1)
    gallery.refresh(house)
    assert len(gallery) == 3
    fingerprints.withdraw(house, gallery, make_account(house, "registrar"), clinic.patient, "right_index")
    assert len(gallery) == 1
    assert gallery.progress.ready


def test_numbers_shared_by_one_transaction_are_loaded_whole(house, clinic, monkeypatch):
    """More rows of one change number than a chunk holds: none is cut off."""
    from ost.services import gallery as module

    monkeypatch.setattr(module, "_NEWER", module._NEWER.limit(2))
    monkeypatch.setattr(module, "_CHUNK", 2)
    enrol(house, clinic.patient, OTHER, "left_index", impressions=3)
    with house.db.begin() as tx:
        tx.execute(sa.update(fingerprint).values(change_no=7))
    gallery = PrintGallery()
    gallery.refresh(house)
    assert len(gallery) == 5


def test_while_the_first_load_runs_the_people_in_question_come_first(house, clinic):
    make_site(house, "TPE1", "TPE")
    stranger = make_patient(house, "TPE1")
    enrol(house, stranger, OTHER, site="TPE1")
    gallery = PrintGallery()
    gallery._warming = True  # as if the background load had only begun
    station = make_station(house, clinic.counter, gallery=gallery)
    assert station.touch(PERSON).result == "shown"
    assert gallery.people() == {clinic.patient}
    answer = station.touch(OTHER)
    assert (answer.result, answer.code) == ("nobody", "gallery_loading")  # not "unknown": nobody can know yet
    gallery._warming = False
    assert station.touch(OTHER).code == "known_elsewhere"


def test_one_impression_loaded_is_not_the_whole_person(house, clinic):
    """The background load brings rows in their order, and a search in the middle of it looks at all impressions."""
    gallery = PrintGallery()
    gallery.refresh(house)
    with house.read() as tx:
        kept = sorted(tx.execute(sa.select(fingerprint.c.id)).scalars())
    assert len(kept) == 2
    gallery._prints.remove(clinic.patient, "right_index", kept[1])
    gallery._loaded.clear()
    gallery._warming = True  # as if the background load stood between the two
    gallery.refresh(house, [clinic.patient])
    assert len(gallery) == 2
    gallery.refresh(house, [clinic.patient])
    assert len(gallery) == 2


def test_a_background_load_ends_ready(house, clinic):
    gallery = PrintGallery()
    gallery.warm_up(house).join(timeout=120)
    progress = gallery.progress
    assert (progress.ready, progress.done, progress.total) == (True, 2, 2)


def test_a_full_gallery_serves_those_who_are_in(house, clinic):
    late = make_patient(house)
    enrol(house, late, OTHER)
    gallery = PrintGallery(max_templates=2)
    station = make_station(house, clinic.counter, gallery=gallery)
    assert station.touch(PERSON).result == "shown"
    assert station.touch(OTHER).code == "not_recognised"
    assert (len(gallery), gallery.left_out) == (2, 2)


def test_a_hit_is_checked_again_in_the_database(house, clinic):
    """A finger withdrawn between the refresh and the answer is no longer a hit."""
    gallery = PrintGallery()
    station = make_station(house, clinic.counter, gallery=gallery)
    assert station.touch(PERSON).result == "shown"
    gallery.refresh = lambda *_: None  # this process hears of nothing any more
    with house.db.begin() as tx:
        tx.execute(sa.update(fingerprint).values(withdrawn_at=house.now()))
    assert station.touch(PERSON).code == "not_recognised"


def test_an_inactive_person_is_not_named(house, clinic):
    station = make_station(house, clinic.counter)
    assert station.touch(PERSON).result == "shown"
    with house.db.begin() as tx:
        tx.execute(sa.update(patient).where(patient.c.id == clinic.patient).values(active=False))
    assert station.touch(PERSON).result == "nobody"


def test_many_search_while_others_enrol(house, clinic):
    station = make_station(house, clinic.counter)
    people = [make_patient(house) for _ in range(2)]
    failed, results = [], []

    def search():
        for impression in range(30, 32):
            results.append(station.touch(PERSON, impression).result)

    def add(person):
        try:
            enrol(house, person, THIRD + people.index(person), impressions=2)
        except Exception as error:  # noqa: BLE001 - told to the test below
            failed.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    threads += [threading.Thread(target=add, args=(p,)) for p in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert results == ["shown"] * 4
    station.gallery.refresh(house)
    assert len(station.gallery) == 2 + 2 * 2


def test_one_gallery_for_one_house(house):
    assert gallery_of(house) is gallery_of(house)


def _enrol_and_withdraw(url: str, ring, patient_id: str, found, gone: str) -> None:
    """In a process of its own: enrols a print for one person, withdraws another's finger."""
    from ost.db import Database
    from ost.services.work import House

    database = Database(url)
    try:
        there = House(database, ring, demo=True)
        fingerprints.store(
            there, Actor("test"), "HUA1", patient_id, "left_index", found, cylinders(found), 50, True
        )
        fingerprints.withdraw(there, PrintGallery(), make_account(there, "registrar"), gone, "right_index")
    finally:
        database.close()


def test_what_another_process_enrols_and_withdraws_is_seen_before_the_next_answer(house, clinic):
    late = make_patient(house)
    make_prescription(house, late)
    station = make_station(house, clinic.counter)
    assert station.touch(PERSON).result == "shown"
    assert station.touch(OTHER).code == "not_recognised"
    url = house.db.url.render_as_string(hide_password=False)
    there = multiprocessing.get_context("spawn").Process(
        target=_enrol_and_withdraw, args=(url, house.keys, late, minutiae(OTHER, 1), clinic.patient)
    )
    there.start()
    there.join(timeout=120)
    assert there.exitcode == 0
    assert station.touch(OTHER).result == "shown"
    assert station.touch(PERSON).code == "not_recognised"
    assert station.gallery.people() == {late}


def test_a_moved_or_altered_template_is_left_out_and_the_others_load(house, clinic):
    late = make_patient(house)
    enrol(house, late, OTHER)
    with house.db.begin() as tx:
        ids = tx.execute(sa.select(fingerprint.c.id).where(fingerprint.c.patient == late)).scalars().all()
        mine = sa.select(fingerprint.c.template_sealed).where(fingerprint.c.patient == clinic.patient)
        sealed = tx.execute(mine.limit(1)).scalar_one()
        tx.execute(sa.update(fingerprint).where(fingerprint.c.id == ids[0]).values(template_sealed=sealed))
        tx.execute(sa.update(fingerprint).where(fingerprint.c.id == ids[1]).values(template_sealed=b"x" * 40))
    gallery = PrintGallery()
    gallery.warm_up(house).join(timeout=120)
    assert gallery.broken == set(ids)
    assert gallery.people() == {clinic.patient}
    assert gallery.progress.ready


def test_its_bound_and_its_size_are_among_the_operators_figures(house, clinic):
    enrol(house, make_patient(house), OTHER)
    gallery = PrintGallery(max_templates=3)
    gallery.tell = metrics.gallery
    gallery.refresh(house)
    figures = metrics.text().decode()
    for line in (
        'ost_gallery_prints{what="loaded"} 3.0',
        'ost_gallery_prints{what="most"} 3.0',
        'ost_gallery_prints{what="left_out"} 1.0',
        "ost_gallery_ready 1.0",
    ):
        assert line in figures
    assert gallery.memory_bytes > 3 * 1000


def test_the_bench_measures_what_it_says():
    """Small, and through the same path: sealed in a database, loaded, searched."""
    from ost.bench.gallery import bench_gallery

    said = []
    found = bench_gallery(200, progress=said.append, fingers=2, probes_each=1)
    assert (found["size"], found["probes"] + found["refused"]) == (200, 2)
    assert found["rank_1"] == 1.0
    assert found["named_wrong"] == found["false_candidates"] == 0
    assert found["duplicates"]["found"] == found["probes"]
    assert 5_000 < found["memory_per_template_bytes"] < 40_000
    assert {"p50_ms", "p95_ms", "load_s", "passed", "process_bytes"} <= found.keys()
    assert any("enrolling" in line for line in said)
