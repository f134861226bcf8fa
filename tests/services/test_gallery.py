"""The prints in memory: as fresh as the database, bounded, and no counter waits for the country."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from ost.models.patient import fingerprint, patient
from ost.services import fingerprints
from ost.services.gallery import PrintGallery, gallery_of
from tests.make import make_account, make_clinic, make_patient, make_site
from tests.touch import enrol, make_station

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
    people = [make_patient(house) for _ in range(4)]
    failed, results = [], []

    def search():
        for impression in range(30, 33):
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
    assert results == ["shown"] * 6
    station.gallery.refresh(house)
    assert len(station.gallery) == 2 + 4 * 2


def test_one_gallery_for_one_house(house):
    assert gallery_of(house) is gallery_of(house)
