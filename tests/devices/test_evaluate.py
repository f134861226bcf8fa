"""Figures by hand, captures by name, crossing, verdicts: what an evaluation says, and what it must not say."""

from __future__ import annotations

import io
import itertools
import json
import zipfile

import numpy as np
import pytest

from devices.evaluate import (
    BadCaptures,
    Device,
    Label,
    build,
    process_all,
    read_folder,
    read_zip,
    templates_of,
)
from devices.evaluate.figures import FMR_POINTS, Sample, clopper_pearson, det, measure, needed_for
from devices.evaluate.matrix import Side, cell
from devices.evaluate.process import from_picture, from_template
from devices.evaluate.verdict import fingers_for, verdicts
from devices.fingerprints.bench import headline
from devices.fingerprints.cylinders import cylinders, match
from devices.fingerprints.extract import extract, load_image
from devices.fingerprints.pairs import all_pairs
from tests.devices.evaluations import evaluated, impression, occasion, record, sample
from tests.devices.prints import drawn, png


def of(genuine, impostor, people: int = 4) -> Sample:
    """Scores whose sides belong to `people` persons in turn."""
    same = np.array([True] * len(genuine) + [False] * len(impostor), bool)
    a = np.arange(len(same)) % people
    return Sample(np.array([*genuine, *impostor], float), same, a, np.where(same, a, (a + 1) % people))


# --- figures ---------------------------------------------------------------------


def test_rates_by_hand():
    """4 genuine, 5 impostor: at 0.3 one of each side is wrong."""
    found = measure(of([0.2, 0.4, 0.5, 0.6], [0.0, 0.1, 0.1, 0.2, 0.3]), 0.25)
    assert found["eer"] == pytest.approx((1 / 4 + 1 / 5) / 2)
    assert found["at_threshold"]["fmr"]["value"] == pytest.approx(1 / 5)
    assert found["at_threshold"]["fnmr"] == {
        **found["at_threshold"]["fnmr"],
        "value": 1 / 4,
        "errors": 1,
        "n": 4,
    }
    # No impostor may match: the threshold lies above 0.3, where one genuine score of 0.2 is lost.
    assert found["fnmr_at"]["0.0001"]["value"] == 1 / 4
    assert (found["genuine"], found["impostor"]) == (4, 5)


def test_an_interval_holds_its_value_and_is_never_narrower_than_the_exact_one():
    found = measure(of([0.5] * 60, [0.0] * 400), 0.04)
    low, high = clopper_pearson(0, 60)
    point = found["fnmr_at"]["0.01"]
    assert (point["value"], point["low"], point["high"]) == (0.0, low, high)
    assert high == pytest.approx(1 - 0.025 ** (1 / 60))  # Clopper-Pearson without errors, by hand
    assert clopper_pearson(0, 0) == (0.0, 1.0) and clopper_pearson(5, 5)[1] == 1.0


def test_persons_are_drawn_not_comparisons():
    """Two people, one of them always rejected: the interval must reach from none to all."""
    genuine = [0.5, 0.01] * 40
    same = np.array([True] * 80 + [False] * 80)
    person = np.array([0, 1] * 80)
    found = measure(Sample(np.array([*genuine, *[0.0] * 80]), same, person, np.where(same, person, 1 - person)), 0.04)
    fnmr = found["at_threshold"]["fnmr"]
    assert fnmr["value"] == 0.5 and (fnmr["low"], fnmr["high"]) == (0.0, 1.0)


@pytest.mark.parametrize(("impostors", "enough"), [(299, []), (300, ["0.01"]), (3000, ["0.01", "0.001"])])
def test_too_small_is_said_for_each_point(impostors, enough):
    points = measure(of([0.4, 0.5], [0.0] * impostors), 0.04)["fnmr_at"]
    assert [name for name, point in points.items() if point["enough"]] == enough
    assert [needed_for(fmr) for fmr in FMR_POINTS] == [300, 3000, 30000]
    assert points["0.0001"]["needed"] == 30000 and points["0.0001"]["impostor"] == impostors


def test_without_comparisons_there_is_no_rate():
    for empty in (of([], [0.0, 0.1]), of([0.4], []), of([], [])):
        found = measure(empty, 0.04)
        assert found["eer"] is None and found["det"] == [] and found["at_threshold"] is None
        assert not any(point["enough"] or point["value"] is not None for point in found["fnmr_at"].values())


def test_the_det_curve_is_thinned_and_keeps_its_ends():
    random = np.random.default_rng(3)
    points = det(random.normal(0.3, 0.1, 3000), random.normal(0.05, 0.05, 5000))
    assert len(points) <= 121
    assert points[0][1] == 1.0 and points[-1][1] == 0.0
    assert all(a[1] > b[1] and a[2] <= b[2] for a, b in itertools.pairwise(points))


def test_the_bench_and_the_evaluation_agree_to_the_last_digit():
    """Pictures through the evaluation, and by the bench's own steps."""
    pictures = {(str(f), str(i)): png(drawn(f, i)) for f in (1, 2) for i in (0, 1)}
    found = [from_picture(Label(f, f, i), data, 500) for (f, i), data in pictures.items()]
    document, _ = build(occasion(), Device("A", "folder", dpi=500), found)
    templates = [cylinders(extract(load_image(data), 500)) for data in pictures.values()]
    compared = all_pairs(templates, [f for f, _ in pictures])
    expected = headline(compared.genuine(), compared.impostor())
    assert {name: document[name] for name in expected} == expected
    assert (document["genuine"], document["impostor"]) == (2, 4)
    assert compared.scores[0] == match(templates[0], templates[1])


def test_real_prints_and_the_devices_own_templates(tmp_path, shared_data):
    """Two fingers of DB1: the same pictures by the bench's steps, and what mixing extractors costs."""
    pictures = shared_data / "fingerprints" / "fvc2002" / "DB1_B"
    for name in ("101", "102"):
        for number in (1, 2):
            for suffix in (".png", ".iso"):
                source = pictures / f"{name}_{number}{suffix}"
                (tmp_path / source.name).write_bytes(source.read_bytes())
    captures = read_folder(tmp_path)
    assert (captures.pictures, captures.templates, captures.one_finger_each) == (4, 4, True)
    found = process_all(captures.captures, 500)
    document, sides = build(
        occasion(), Device("DB1", "folder", dpi=500), found, templates_of(captures.captures)
    )
    order = sorted(tmp_path.glob("*.png"))
    templates = [cylinders(extract(load_image(path.read_bytes()), 500)) for path in order]
    compared = all_pairs(templates, [path.stem.split("_")[0] for path in order])
    assert {"eer": document["eer"]} == {"eer": headline(compared.genuine(), compared.impostor())["eer"]}
    cells = {(c["enrolled"], c["verified"]): c for c in document["matrix"]}
    mixed = cells["DB1 / picture", "DB1 / device_template"]
    assert (mixed["genuine"], mixed["impostor"]) == (2, 4)
    assert mixed["eer"] >= document["eer"]
    assert [side.source for side in sides] == ["picture", "device_template"]


# --- captures ---------------------------------------------------------------------


def test_folders_by_person_and_flat_ones(tmp_path):
    for path in ("anna/right_index/1.png", "anna/right_index/1.iso", "ben/left_thumb/2.PNG", "notes.txt"):
        (tmp_path / "a" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / path).write_bytes(b"x")
    found = read_folder(tmp_path / "a")
    assert [c.label for c in found.captures] == [Label("anna", "right_index", "1"), Label("ben", "left_thumb", "2")]
    assert (found.pictures, found.templates, found.ignored, found.one_finger_each) == (2, 1, 1, False)
    (tmp_path / "b").mkdir()
    for name in ("101_1.png", "101_2.png", "102_1.png", "odd.png"):
        (tmp_path / "b" / name).write_bytes(b"x")
    flat = read_folder(tmp_path / "b")
    assert [c.label.whose for c in flat.captures] == [("101", "101"), ("101", "101"), ("102", "102")]
    assert (flat.ignored, flat.one_finger_each, flat.name) == (1, True, "b")


def test_other_content_is_another_digest(tmp_path):
    (tmp_path / "1_1.png").write_bytes(b"x")
    before = read_folder(tmp_path).digest
    assert read_folder(tmp_path).digest == before
    (tmp_path / "1_1.png").write_bytes(b"y")
    assert read_folder(tmp_path).digest != before


def test_nothing_and_twice_are_refused(tmp_path):
    with pytest.raises(BadCaptures) as refused:
        read_folder(tmp_path)
    assert refused.value.code == "captures_none"
    with pytest.raises(BadCaptures) as refused:
        read_folder(tmp_path / "absent")
    assert refused.value.code == "captures_not_a_folder"
    for name in ("1_1.png", "1_1.bmp"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadCaptures) as refused:
        read_folder(tmp_path)
    assert refused.value.code == "captures_twice"


def zipped(files: dict[str, bytes], method=zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def nameless(name: str) -> bytes:
    entry = zipfile.ZipInfo("x")
    entry.filename = name
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, b"x")
    return packed.getvalue()


def test_an_archives_list_is_not_read_when_it_is_endless(monkeypatch):
    """Each line of it, 47 bytes in the file, would be an object of half a kilobyte before any limit is looked at."""
    monkeypatch.setattr(zipfile.ZipFile, "__init__", None)
    with pytest.raises(BadCaptures) as refused:
        read_zip("x.zip", zipped_list(20_000))
    assert refused.value.code == "captures_beyond_limit"


def zipped_list(lines: int) -> bytes:
    return (b"PK\x01\x02" + bytes(42) + b"a") * lines


def test_an_archive_is_read_as_the_folder_it_was_made_of():
    files = {"DB/101_1.png": b"x", "DB/101_2.png": b"y", "__MACOSX/DB/._101_1.png": b"z"}
    found = read_zip("DB.zip", zipped(files))
    assert [c.label for c in found.captures] == [Label("101", "101", "1"), Label("101", "101", "2")]
    assert found.one_finger_each and found.ignored == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no archive at all", "captures_no_archive"),
        (b"", "captures_no_archive"),
        (zipped({"../1_1.png": b"x"}), "captures_unsafe_names"),
        (zipped({"/etc/1_1.png": b"x"}), "captures_unsafe_names"),
        (zipped({"a\\..\\..\\1_1.png": b"x"}), "captures_unsafe_names"),
        (zipped({"c:/x/1_1.png": b"x"}), "captures_unsafe_names"),
        (zipped({"1_1.png": b"\0" * 5_000_000}, zipfile.ZIP_DEFLATED), "captures_unsafe_names"),
        (zipped({"1_1.png": b"\1" * 8_000_001}), "captures_too_large"),
        (zipped({"readme.txt": b"x"}), "captures_none"),
        (zipped({f"{n}_1.txt": b"" for n in range(8001)}), "captures_beyond_limit"),
        (nameless(""), "captures_unsafe_names"),
        (nameless("."), "captures_unsafe_names"),
        (zipped({"1_1.png": b"\0" * 700_000}, zipfile.ZIP_LZMA), "captures_no_archive"),
        (zipped({"1_1.png": b"\0" * 40_000}, zipfile.ZIP_BZIP2), "captures_no_archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_archive_is_refused(data, code):
    with pytest.raises(BadCaptures) as refused:
        read_zip("x.zip", data)
    assert refused.value.code == code


def test_an_archive_that_lies_or_is_cut_is_refused():
    whole = zipped({"1_1.png": np.random.default_rng(0).bytes(3000)})
    for cut in (10, 200, len(whole) - 30):
        with pytest.raises(BadCaptures):
            read_zip("x.zip", whole[:cut])
    broken = bytearray(whole)
    broken[100] ^= 1  # the checksum of the entry no longer fits
    with pytest.raises(BadCaptures) as refused:
        read_zip("x.zip", bytes(broken))
    assert refused.value.code == "captures_no_archive"


def test_a_bad_capture_is_a_result_not_an_error():
    label = Label("P01", "right_index", "1")
    assert from_picture(label, b"no picture", 500).refused == "bad_image"
    assert from_template(label, b"FMR\0no").refused == "bad_template"
    blank = from_picture(label, png(np.full((300, 300), 255, np.uint8)), 500)
    assert blank.refused == "not_a_fingerprint" and not blank.acquired
    document, _ = build(occasion(), Device("A", "folder", dpi=500), [blank, from_picture(label, b"no", 500)])
    assert document["fta"]["reasons"] == {"bad_image": 1, "not_a_fingerprint": 1}
    assert document["fta"]["value"] == 1.0 and document["eer"] is None
    assert document["verdicts"]["counter_verification"]["level"] == "unsuitable"


# --- crossing ---------------------------------------------------------------------


def test_no_touch_meets_itself():
    """A picture and the device's own template of one touch are the same touch."""
    pictures = sample(people=2, fingers=1, impressions=3)
    own = [from_template(i.label, i.record) for i in pictures]
    sides = [Side("e", "A", source, "one", tuple(i)) for source, i in (("picture", pictures), ("device_template", own))]
    found = cell(*sides)
    assert (found["genuine"], found["impostor"]) == (2 * 3, 9)  # 6 touches: 15 pairs, each once
    other = Side("f", "B", "picture", "two", tuple(sample(people=2, fingers=1, impressions=3, device=1)))
    found = cell(sides[0], other)
    assert (found["genuine"], found["impostor"]) == (2 * 9, 2 * 9)


def test_a_later_device_is_crossed_with_an_earlier_one():
    first, sides = evaluated("Reader A")
    second, _ = evaluated("Reader B", "20261122-bbbbbbbb", others=sides, device=1)
    assert {(c["enrolled"], c["verified"]) for c in second["matrix"]} == {
        (a, b) for a in ("Reader A / picture", "Reader B / picture") for b in ("Reader A / picture", "Reader B / picture")
    }
    assert first["matrix"][0]["genuine"] == 4 * 2 * 6
    reasons = [r["code"] for r in first["verdicts"]["national_guest"]["reasons"]]
    assert "no_other_device" in reasons
    assert "no_other_device" not in [r["code"] for r in second["verdicts"]["national_guest"]["reasons"]]


def test_two_fingers_of_one_person_are_told_apart_from_two_persons():
    document, _ = evaluated(people=2, impressions=2)
    assert document["impostor"] == 24  # 8 impressions: 28 pairs, 4 genuine
    assert document["between_persons"] == {**document["between_persons"], "left_out": 8, "impostor": 16}
    alone, _ = evaluated(people=3, fingers=1, impressions=2)
    assert alone["between_persons"] is None


# --- verdicts ---------------------------------------------------------------------


def judged(**changes) -> dict:
    """The levels of a good document with some figures changed. Dots name what lies deeper."""
    document, _ = evaluated()
    document = json.loads(json.dumps(document))
    document["gated"]["impostor"] = 40_000
    document["gated"]["genuine"] = 400
    document["matrix"].append({**document["matrix"][0], "verified": "B / picture", "gated_eer": 0.01})
    document["sides"].append({"key": "B / picture", "device": "B", "source": "picture"})
    document["gated"]["at_threshold"]["fmr"]["value"] = 0.0
    document["practice"]["one_touch"]["value"] = 0.0
    document["practice"]["identify"]["named_right"]["value"] = 1.0
    document["practice"]["identify"]["named_wrong"]["value"] = 0.0
    for path, value in changes.items():
        *way, last = path.split("__")
        place = document
        for step in way:
            place = place[step]
        place[last] = value
    return {use.partition("_")[0]: found for use, found in verdicts(document).items()}


def levels(**changes) -> dict:
    return {use: found.level for use, found in judged(**changes).items()}


def test_a_good_device_in_a_large_sample_suits_everything():
    assert levels() == {"counter": "suitable", "site": "suitable", "national": "suitable"}


@pytest.mark.parametrize(
    ("changes", "counter", "site", "national"),
    [
        ({"practice__one_touch__value": 0.10}, "limited", "limited", "limited"),
        ({"practice__one_touch__value": 0.16}, "unsuitable", "unsuitable", "unsuitable"),
        ({"fta__value": 0.051}, "limited", "limited", "limited"),
        ({"gated__at_threshold__fmr__value": 0.02}, "unsuitable", "unsuitable", "unsuitable"),
        ({"dpi_estimated": {"value": 900.0, "low": 800.0, "high": 990.0}}, "limited", "limited", "limited"),
        ({"practice__identify__named_wrong__value": 0.005}, "suitable", "limited", "limited"),
        ({"practice__identify__named_right__value": 0.6}, "suitable", "unsuitable", "unsuitable"),
        ({"gated__impostor": 2_880}, "suitable", "undecided", "undecided"),
        ({"gated__impostor": 100}, "undecided", "undecided", "undecided"),
        ({"gated__genuine": 10}, "undecided", "undecided", "undecided"),
        ({"device__gives": "template"}, "suitable", "suitable", "limited"),
        ({"device__gives": "own_matching"}, "unsuitable", "unsuitable", "unsuitable"),
        ({"device__simulated": True}, "undecided", "undecided", "undecided"),
    ],
)
def test_each_rule_moves_the_verdict_it_should(changes, counter, site, national):
    assert levels(**changes) == {"counter": counter, "site": site, "national": national}


def test_a_bad_figure_is_said_even_where_the_sample_is_small():
    found = judged(gated__impostor=100, practice__one_touch__value=0.5)["counter"]
    assert found.level == "unsuitable" and found.reasons[0]["code"] == "rejected"


def test_how_many_fingers_are_needed():
    assert fingers_for(2880, 8) == 10  # FVC2002: 10 fingers, 8 impressions
    assert fingers_for(3000, 8) == 11
    assert fingers_for(30_000, 1) == 246


# --- nothing of a print ---------------------------------------------------------------


def test_a_document_holds_no_template_and_nobodys_code():
    document, sides = evaluated()
    text = json.dumps(document)
    assert "P01" not in text and "right_index" not in text
    for side in sides:
        for one in side.impressions:
            for kept in (one.record, one.record[30:60]):
                assert kept.hex() not in text
    assert "P01" not in repr(sides) + repr(sides[0].impressions[0])
    assert record(11, 1) == impression(1, 1, 1).record
