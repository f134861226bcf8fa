"""A folder, and the hands of a program that saves files into it."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from devices.interface import MAX_SAMPLE_BYTES
from devices.readers.folder import MARK, FolderReader
from tests.devices.benches import Fault
from tests.devices.prints import drawn, png

PRINT = png(drawn(0, 0))


class FolderBench:
    format = "image/png"
    dpi = 500

    def __init__(self):
        self._above = Path(tempfile.mkdtemp())
        self.folder = self._above / "drop"
        self._writing = []
        self.plug_in()
        self.reader = FolderReader(str(self.folder))

    def put(self, data: bytes, name="finger.png"):
        """As well-behaved programs do: written under another name, then renamed."""
        hidden = self.folder / f".{name}"
        hidden.write_bytes(data)
        hidden.rename(self.folder / name)

    def begin(self, data: bytes, name="finger.png"):
        """The file is begun and stays open."""
        file = (self.folder / name).open("wb", buffering=0)
        file.write(data)
        self._writing.append(file)
        return file

    def lay_on(self):
        self.put(PRINT)

    def unplug(self):
        shutil.rmtree(self.folder)

    def plug_in(self):
        for file in self._writing:
            file.close()
        self._writing.clear()
        if not (self.folder / MARK).exists():
            self._anew()
        for path in self.folder.iterdir():
            if path.is_dir():
                path.rmdir()
            elif path.name != MARK:
                path.unlink()

    def _anew(self):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)

    def vanish(self):
        """The folder goes away once the reader has seen a file that is not whole yet."""
        self.begin(PRINT[:2000])

        def pull():
            while not self.reader._seen:
                time.sleep(0.005)
            self.unplug()

        threading.Thread(target=pull, daemon=True).start()

    def faults(self):
        garbled, rejected = (("Unknown", "garbled"),), (("NotCaptured", "rejected"),)
        return [
            Fault("half a picture", lambda: self.put(PRINT[: len(PRINT) // 2]), garbled),
            Fault("no picture", lambda: self.put(b"hello"), garbled),
            Fault("a broken template", lambda: self.put(b"FMR\x00 20\x00", "finger.iso"), garbled),
            Fault("never finished", lambda: self.begin(PRINT[:2000]), (("Unknown", "silent"),)),
            Fault("empty", lambda: self.put(b""), (("Unknown", "silent"),)),
            Fault("too large", lambda: self.put(bytes(MAX_SAMPLE_BYTES + 1)), rejected),
            Fault("another resolution in the file", lambda: self.put(png(drawn(0, 0), dpi=(1000, 1000))), rejected),
            Fault("a link", lambda: (self.folder / "finger.png").symlink_to("/etc/hostname"), rejected),
            Fault("a pipe", lambda: os.mkfifo(self.folder / "finger.png"), rejected),
            Fault("a second name", self._second_name, rejected),
            Fault("a folder", lambda: (self.folder / "finger.png").mkdir(), (("NotCaptured", "timed_out"),)),
            Fault("another kind of file", lambda: self.put(PRINT, "finger.txt"), (("NotCaptured", "timed_out"),)),
            Fault("the folder is gone", self.unplug, (("NotCaptured", "unplugged"),)),
            Fault("another folder in its place", self._anew, (("NotCaptured", "unplugged"),)),
            Fault("its mark is taken away", lambda: (self.folder / MARK).unlink(), (("NotCaptured", "unplugged"),)),
        ]  # fmt: skip

    def _second_name(self):
        kept = self._above / "kept.png"
        kept.write_bytes(PRINT)
        os.link(kept, self.folder / "finger.png")

    def end(self):
        self.reader.close()
        self.plug_in()
        shutil.rmtree(self._above)
