"""One against many: the search equals brute force, the cheap pass keeps the right person, writes are seen."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from devices.fingerprints import Candidate, Gallery, GalleryFull, TooFewCylinders, match
from devices.fingerprints import gallery as gallery_module
from devices.fingerprints.bench import fill_with_synthetic
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.synthetic import impression_of, synthetic_minutiae
from tests.devices.prints import template


def small(people=20, impressions=2):
    gallery = Gallery()
    gallery.add_many(
        ((f"p{p}", "thumb", i), template(p, i)) for p in range(people) for i in range(impressions)
    )
    return gallery


def brute_force(probe, people, impressions=2):
    best = {f"p{p}": max(match(probe, template(p, i)) for i in range(impressions)) for p in people}
    return sorted(((score, person) for person, score in best.items()), reverse=True)


def scrap():
    return cylinders(impression_of(synthetic_minutiae(1), 7, area=0.06))


def test_search_equals_brute_force():
    gallery = small()
    for person in range(0, 20, 4):
        probe = template(person, 9)
        found = gallery.search(probe, limit=20)
        expected = brute_force(probe, range(20))
        assert [c.score for c in found] == pytest.approx([score for score, _ in expected], abs=1e-9)
        assert found[0].person == f"p{person}" == expected[0][1]


def test_each_person_comes_once_with_the_finger_that_scored():
    gallery = small(5)
    gallery.add("p2", "index", 0, template(99, 0))
    found = gallery.search(template(99, 1), limit=3)
    assert found[0].person == "p2"
    assert found[0].finger == "index"
    assert len({c.person for c in found}) == len(found) == 3
    assert isinstance(found[0], Candidate)


def test_a_search_among_some_never_shows_the_others():
    gallery = small()
    found = gallery.search(template(3, 9), among={"p4", "p5", "unknown"}, limit=20)
    assert {c.person for c in found} == {"p4", "p5"}
    assert gallery.search(template(3, 9), among=set()) == []
    assert gallery.search(template(3, 9), limit=0) == []


def test_an_empty_gallery_answers_with_nobody():
    assert Gallery().search(template(0, 0)) == []


def test_added_replaced_and_removed_templates_are_seen_at_once():
    gallery = small(5)
    assert ("p1", "thumb", 0) in gallery
    assert len(gallery) == 10
    with pytest.raises(KeyError):
        gallery.add("p1", "thumb", 0, template(1, 0))
    gallery.replace("p1", "thumb", 0, template(50, 0))
    assert len(gallery) == 10
    assert gallery.search(template(50, 1))[0].person == "p1"
    assert gallery.remove("p1", "thumb", 0) == 1
    assert gallery.search(template(50, 1))[0].score < 0.04
    assert gallery.remove("p1") == 1
    assert gallery.remove("p1") == 0
    assert "p1" not in gallery.persons
    assert "p1" not in {c.person for c in gallery.search(template(1, 9), limit=20)}


def test_forgotten_cells_are_wiped_and_their_memory_comes_back():
    gallery = Gallery()
    fill_with_synthetic(gallery, 60)
    for n in range(59):
        gallery.remove(("synthetic", n))
    assert len(gallery) == 6
    held = sum(int(gallery._count[row]) for row in gallery._row_of.values())
    assert gallery._bits.any(axis=1).sum() <= held
    assert gallery._used < 4096 + held
    whole = synthetic_minutiae(100 * 59)
    assert gallery.search(cylinders(impression_of(whole, 5, area=0.9)))[0].person == ("synthetic", 59)


def test_too_few_cylinders_mean_touch_again_and_never_a_miss():
    gallery = small(2)
    with pytest.raises(TooFewCylinders):
        gallery.search(scrap())
    with pytest.raises(TooFewCylinders):
        gallery.add("p0", "index", 0, scrap())
    assert gallery.add_many([(("p0", "index", 0), scrap())]) == 0


def test_a_gallery_does_not_grow_beyond_its_limit():
    gallery = Gallery(max_templates=2)
    gallery.add("a", 0, 0, template(0, 0))
    gallery.add("a", 0, 1, template(0, 1))
    with pytest.raises(GalleryFull):
        gallery.add("a", 0, 2, template(0, 2))
    gallery.replace("a", 0, 1, template(0, 3))
    assert len(gallery) == 2


def test_the_cheap_pass_keeps_the_right_person():
    gallery = Gallery()
    fill_with_synthetic(gallery, 200)
    assert len(gallery) >= gallery_module.PREFILTER_FROM
    for n in range(0, 200, 10):
        probe = cylinders(impression_of(synthetic_minutiae(100 * n + 1), 77, area=0.8))
        found = gallery.search(probe)
        exact = gallery.search(probe, among={("synthetic", n)})
        assert found[0].person == ("synthetic", n)
        assert found[0].score == pytest.approx(exact[0].score)


@pytest.fixture
def impatient():
    """Threads take turns as often as can be, so that what may happen between two steps does happen."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_whoever_is_enrolled_all_the_while_is_found_all_the_while(impatient, monkeypatch):
    """Eight search while one enrols, replaces and forgets, theirs among them, and the memory is given back again and again."""
    monkeypatch.setattr(gallery_module, "_COMPACT_FROM", 100)
    gallery = small(12)
    wrong, stop = [], threading.Event()
    probes = [template(person, 9) for person in range(8)]
    for other in range(60, 70):
        template(other, 0)

    def read(person):
        while not stop.is_set():
            found = gallery.search(probes[person])
            if [c.person for c in found[:1]] != [f"p{person}"]:
                wrong.append(found[:1])

    def count():
        while not stop.is_set():
            if not 24 <= len(gallery) <= 34 or ("p1", "thumb", 0) not in gallery:
                wrong.append(len(gallery))

    with ThreadPoolExecutor(9) as pool:
        ends = [*(pool.submit(read, person) for person in range(8)), pool.submit(count)]
        try:
            for _ in range(15):
                for other in range(60, 70):
                    gallery.replace(f"x{other}", "thumb", 0, template(other, 0))
                for person in range(8):
                    for impression in range(2):
                        gallery.replace(f"p{person}", "thumb", impression, template(person, impression))
                for other in range(60, 70):
                    gallery.remove(f"x{other}")
        finally:
            stop.set()
        for end in ends:
            end.result()  # a thread that raised fails the test
    assert not wrong
    assert len(gallery) == 24
    assert not gallery._unwiped


def during_the_search(monkeypatch, change):
    """`change()` happens once, when a search has taken its rows and computes."""
    honest, changed = gallery_module.exact_scores, []

    def scores(*view):
        if not changed:
            changed.append(True)
            change()
        return honest(*view)

    monkeypatch.setattr(gallery_module, "exact_scores", scores)


def test_a_print_replaced_during_a_search_is_found_by_it_as_it_was(monkeypatch):
    gallery = small(5, impressions=1)
    expected = gallery.search(template(1, 9))
    during_the_search(monkeypatch, lambda: gallery.replace("p1", "thumb", 0, template(50, 0)))
    assert gallery.search(template(1, 9)) == expected
    assert gallery.search(template(50, 1))[0].person == "p1"


@pytest.mark.parametrize("then", ["nothing", "growth", "compaction"])
def test_what_is_forgotten_during_a_search_is_not_in_its_answer_and_wiped_after_it(monkeypatch, then):
    gallery = small(20)
    before = gallery._bits
    cells = slice(gallery._start[2], gallery._start[2] + gallery._count[2])  # p1's first
    assert before[cells].any()
    seen = []

    def forget():
        gallery.remove("p1")
        seen.append(before[cells].any())
        if then == "growth":
            fill_with_synthetic(gallery, 40)
            assert gallery._bits is not before
            assert not gallery._bits[cells].any()  # the copy never held it
        elif then == "compaction":
            monkeypatch.setattr(gallery_module, "_COMPACT_FROM", 1)
            for person in range(5, 20):
                gallery.remove(f"p{person}")
            assert gallery._bits is not before

    during_the_search(monkeypatch, forget)
    found = gallery.search(template(1, 9), limit=20)
    assert "p1" not in {c.person for c in found} and len(found) == (4 if then == "compaction" else 19)
    assert seen == [True], "the search still reads it"
    assert not before[cells].any()
    assert not gallery._unwiped and not gallery._running


def test_a_search_that_fails_holds_nothing_back(monkeypatch):
    gallery = small(3)

    def breaks(*_view):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(gallery_module, "exact_scores", breaks)
        with pytest.raises(MemoryError):
            gallery.search(template(1, 9))
    gallery.remove("p1")
    assert not gallery._unwiped and not gallery._running
