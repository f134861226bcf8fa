"""A watched folder: whole files only, once each, and nothing stays on the disk."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from devices import ReaderSettings, make_reader, open_reader
from devices.fingerprints import decode, encode, load_image
from devices.interface import (
    CLOSED,
    ISO_TEMPLATE,
    READY,
    Captured,
    NotCaptured,
    ReaderUnusable,
    Unknown,
)
from devices.readers.folder import MARK, FolderReader
from ost.cli import main
from tests.devices.benches.folder import PRINT, FolderBench
from tests.devices.prints import drawn, extracted

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench():
    made = FolderBench()
    made.reader.open()
    yield made
    made.end()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {MARK}


def refusal(reader) -> tuple[str, str]:
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert reader.state() == CLOSED and reader.trouble() == refused.value.code
    return refused.value.code, refused.value.about


# --- one file, once -------------------------------------------------------------------


def test_a_file_is_taken_once_and_is_gone(bench):
    bench.put(PRINT)
    captured = bench.reader.capture(5)
    assert isinstance(captured, Captured) and captured.sample.data == PRINT
    assert not left(bench.folder)
    assert bench.reader.capture(0.05) == NotCaptured("timed_out")


def test_its_content_is_overwritten_before_it_is_removed(bench):
    """Seen through a descriptor that was open all the time."""
    bench.put(PRINT)
    with (bench.folder / "finger.png").open("rb") as kept:
        assert isinstance(bench.reader.capture(5), Captured)
        assert kept.read() == bytes(len(PRINT))


def test_the_oldest_comes_first_and_each_alone(bench):
    other = np.ascontiguousarray(drawn(0, 0)[:, ::-1])
    bench.put(PRINT, "b.png")
    time.sleep(0.02)
    bench.put(pgm := b"P5\n%d %d\n255\n" % other.shape[::-1] + other.tobytes(), "a.pgm")
    assert bench.reader.capture(5).sample.data == PRINT
    assert bench.reader.capture(5).sample.data == pgm


@pytest.mark.parametrize("form", ["PNG", "BMP", "JPEG", "JPEG2000", "PPM"])
def test_every_format_of_picture(bench, form):
    path = bench.folder / ".new"
    Image.fromarray(drawn(0, 0)).save(path, form)
    path.rename(bench.folder / "finger.png")  # the name says nothing about the format
    sample = bench.reader.capture(5).sample
    assert sample.dpi == 500 and load_image(sample.data).shape == drawn(0, 0).shape


def test_wsq_comes_out_as_plain_grey(bench):
    import wsq  # noqa: F401  its import makes Pillow write this format

    image = drawn(0, 0)
    Image.fromarray(image).save(packed := io.BytesIO(), "WSQ")
    bench.put(packed.getvalue(), "finger.wsq")
    sample = bench.reader.capture(5).sample
    assert sample.format == "image/x-portable-graymap"
    assert np.abs(load_image(sample.data).astype(int) - image).mean() < 12
    bench.put(packed.getvalue()[:2000], "finger.wsq")
    assert bench.reader.capture(5) == Unknown("garbled")


def test_a_template_is_second_class_and_says_so(bench):
    record = encode(extracted(0, 0))
    bench.put(record, "finger.iso")
    sample = bench.reader.capture(5).sample
    assert (sample.format, sample.dpi) == (ISO_TEMPLATE, None)
    assert len(decode(sample.data)) == len(extracted(0, 0))
    assert bench.reader.about().gives == "template"


def test_raw_grey_needs_its_size(bench):
    image = drawn(0, 0)
    bench.put(image.tobytes(), "finger.raw")
    assert bench.reader.capture(5) == Unknown("garbled")
    reader = FolderReader(str(bench.folder), width=image.shape[1], height=image.shape[0])
    reader.open()
    bench.put(image.tobytes(), "finger.raw")
    assert np.array_equal(load_image(reader.capture(5).sample.data), image)


# --- whole files only --------------------------------------------------------------------


def test_a_file_that_grows_is_taken_when_it_is_closed_and_not_before(bench):
    file = bench.begin(PRINT[:1000])
    answers = []
    thread = threading.Thread(target=lambda: answers.append(bench.reader.capture(10)))
    thread.start()
    for at in range(1000, len(PRINT), 20_000):
        file.write(PRINT[at : at + 20_000])
        time.sleep(0.01)
    if sys.platform == "linux":
        # Settled and complete, but the writer still has it: only the system knows.
        time.sleep(0.8)
        assert (bench.folder / "finger.png").exists() and not answers
    file.close()
    thread.join(10)
    assert answers[0].sample.data == PRINT


def test_what_lay_there_before_is_never_delivered(bench):
    bench.reader.close()
    for name in ("old.png", ".ost-taken-0123"):
        (bench.folder / name).write_bytes(PRINT)
    (bench.folder / "readme.txt").write_text("keep me")
    bench.reader.open()
    assert left(bench.folder) == {"readme.txt"}
    assert bench.reader.capture(0.05) == NotCaptured("timed_out")


def test_what_lies_there_too_long_is_destroyed_unread(bench):
    reader = FolderReader(str(bench.folder), age_s=0.05)
    reader.open()
    bench.put(PRINT)
    time.sleep(0.1)
    assert reader.capture(0.05) == NotCaptured("timed_out")
    assert not left(bench.folder)


def test_a_clock_that_is_wrong_changes_nothing(bench):
    """Age is told by the folder's own clock and by what the system notes, not by the times a program sets."""
    bench.put(PRINT, "finger.txt")
    os.utime(bench.folder / "finger.txt", (1, 1))
    (bench.folder / "finger.txt").rename(bench.folder / "finger.png")
    assert isinstance(bench.reader.capture(5), Captured)


def test_closing_and_opening_at_once_still_ends_the_wait(bench):
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(bench.reader.capture(20)))
    waiting.start()
    time.sleep(0.1)
    bench.reader.close()
    bench.reader.open()
    waiting.join(5)
    assert ended == [NotCaptured("closed")]
    bench.put(PRINT)
    assert isinstance(bench.reader.capture(5), Captured)


# --- what is not a drop --------------------------------------------------------------------


def test_links_and_second_names_are_refused_once_and_what_they_lead_to_is_whole(bench):
    kept = bench.folder.parent / "kept.png"  # a second name needs the same file system
    kept.write_bytes(PRINT)
    (bench.folder / "a.png").symlink_to(kept)
    os.link(kept, bench.folder / "b.png")
    assert [bench.reader.capture(0.5) for _ in range(3)] == [
        NotCaptured("rejected"),
        NotCaptured("rejected"),
        NotCaptured("timed_out"),
    ]
    bench.reader.close()
    bench.reader.open()
    assert kept.read_bytes() == PRINT


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir(mode=0o700)
    (pictures / "wedding.png").write_bytes(PRINT)
    for mode in (0o700, 0o755):
        pictures.chmod(mode)
        code, about = refusal(FolderReader(str(pictures)))
        # Nobody is told to change the rights of a folder that is not meant for this.
        assert code == "reader_misconfigured" and MARK in about and "chmod" not in about
    assert (pictures / "wedding.png").read_bytes() == PRINT
    assert left(pictures) == {"wedding.png"}


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir(mode=0o700)
    folder.chmod(0o755)
    assert refusal(FolderReader(str(folder)))[0] == "reader_misconfigured"
    folder.chmod(0o770)
    FolderReader(str(folder)).open()


def test_a_link_to_a_folder_and_a_file_are_refused(tmp_path):
    (tmp_path / "drop").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "drop")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        assert refusal(FolderReader(str(tmp_path / name)))[0] == "reader_misconfigured"


def test_a_folder_without_permission_is_named_so(tmp_path):
    """As an account without rights, in a process of its own where this one has all of them."""
    folder = tmp_path / "drop"
    folder.mkdir(mode=0o500)
    program = (
        "import os, sys\n"
        "from devices.readers.folder import FolderReader\n"
        "from devices.interface import ReaderUnusable\n"
        "if os.getuid() == 0:\n"
        "    os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    FolderReader(sys.argv[1]).open()\n"
        "except ReaderUnusable as error:\n"
        "    print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "reader_permission_denied\n", done.stderr


def test_a_file_that_cannot_be_removed_is_not_met_again_and_again(bench, monkeypatch):
    """A folder whose files belong to others (sticky): said once and at opening, never delivered."""
    bench.put(PRINT)
    monkeypatch.setattr(os, "rename", no)
    monkeypatch.setattr(os, "unlink", no)
    assert bench.reader.capture(2) == NotCaptured("device_error")
    assert refusal(bench.reader)[0] == "reader_permission_denied"
    monkeypatch.undo()
    bench.reader.open()
    assert not left(bench.folder)


def no(*_):
    raise PermissionError("not yours")


def test_a_folder_made_anew_in_the_middle_is_another_folder(bench):
    bench._anew()
    (bench.folder / MARK).touch()
    bench.put(PRINT)
    # The system may give the new folder the old one's number; then it is ours by its mark, and nothing is lost.
    ended = bench.reader.capture(1)
    assert ended == NotCaptured("unplugged") or isinstance(ended, Captured)


# --- nothing leaks ---------------------------------------------------------------------------


def test_no_log_names_a_file_and_no_copy_stays(bench, caplog, tmp_path, monkeypatch):
    """A file's name may be a person's."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    caplog.set_level(0)
    bench.put(PRINT, "Chen_Mei_A123456789.png")
    assert isinstance(bench.reader.capture(5), Captured)
    bench.put(PRINT[:900], "Chen_Mei_A123456789.png")
    assert bench.reader.capture(5) == Unknown("garbled")
    bench.reader.close()
    (bench.folder / "Chen_Mei_A123456789.png").write_bytes(PRINT)
    bench.reader.open()
    assert "destroyed unread" in caplog.text and "Chen" not in caplog.text
    assert not left(bench.folder) and not list(tmp_path.iterdir())


def test_probe_from_the_command_line_with_a_touch(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("OST_HOME", str(tmp_path))
    bench.reader.close()
    (bench.folder / MARK).unlink()

    def touch_once_open():
        while not (bench.folder / MARK).exists():
            time.sleep(0.01)
        bench.put(PRINT)

    threading.Thread(target=touch_once_open, daemon=True).start()
    words = ["devices", "probe", "folder", "--option", f"path={bench.folder}", "--touch", "--json"]
    done = CliRunner().invoke(main, words)
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, said["passed"], said["touch"]["resolution_plausible"]) == (0, True, True), (
        done.output
    )
    assert said["touch"]["valid_cylinders"] >= 12 and not left(bench.folder)
    bench.unplug()
    gone = CliRunner().invoke(main, [*words[:5], "--json"])
    assert (gone.exit_code, json.loads(gone.stdout.splitlines()[-1])["code"]) == (1, "reader_unplugged")


# --- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"dpi": 100}, {"dpi": "500"}, {"age_s": 0}, {"age_s": "soon"}, {"pattern": " "}, {"paht": "x"}],
)
def test_wrong_options_are_refused(options, tmp_path):
    given = options if not options or "paht" in options else {"path": str(tmp_path), **options}
    with pytest.raises(ReaderUnusable) as refused:
        make_reader(ReaderSettings("folder", options=given))
    assert refused.value.code == "reader_misconfigured"


def test_it_opens_by_its_kind(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir(mode=0o700)
    assert open_reader(ReaderSettings("folder", options={"path": str(folder)})).state() == READY
    assert (folder / MARK).exists()


def test_a_real_print_and_the_vendors_template_of_it(bench, shared_data):
    folder = shared_data / "fingerprints" / "fvc2002" / "DB1_B"
    for name in ("101_1.png", "101_1.iso"):
        bench.put((folder / name).read_bytes(), name)
        assert bench.reader.capture(5).sample.data == (folder / name).read_bytes()
    assert not left(bench.folder)
