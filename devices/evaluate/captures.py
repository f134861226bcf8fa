"""What an evaluation is made from: the files of a folder or of a ZIP archive, each given its place.

Does: reads `person/finger/impression.*` and flat `FINGER_IMPRESSION.*` (FVC), pictures and ISO/IEC
19794-2 templates beside them, within hard limits, in memory. Does not: look into a picture, or keep
anything. The names of folders are codes of people: they stay in here and in what is sealed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PICTURES = (".png", ".bmp", ".jpg", ".jpeg", ".jp2", ".pgm")
TEMPLATES = (".iso", ".fmr")

MAX_FILE_BYTES = 8_000_000
MAX_TOTAL_BYTES = 400_000_000
"""Of all files together, unpacked: 3,000 pictures of 500 dpi have about 300 MB."""
MAX_CAPTURES = 3000
"""All pairs of 3,000 are 4.5 million comparisons, some minutes."""
MAX_ZIP_FILES = 8000
MAX_ZIP_RATIO = 100
"""A picture packs to a half at best; what unpacks to a hundred times its size is a bomb."""
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What ZIP programs write. Of the others a few bytes unpack to megabytes before anybody can count them."""
_ENTRY = b"PK\x01\x02"

_FLAT = re.compile(r"(?P<finger>[^_]+)_(?P<impression>[^_]+)\Z")


class BadCaptures(Exception):
    """What was given is no set of captures; `code` says which way. Never names a file."""

    def __init__(self, code: str, **data):
        super().__init__(code)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """Whose finger, which finger, which touch of it: codes, compared as text."""

    person: str
    finger: str
    impression: str

    @property
    def whose(self) -> tuple[str, str]:
        """What is equal for all impressions of one finger."""
        return self.person, self.finger


@dataclass(frozen=True, slots=True, repr=False)
class RawCapture:
    """One touch: its picture, the device's own template, or both."""

    label: Label
    picture: bytes | None = None
    template: bytes | None = None

    def __repr__(self) -> str:
        return f"<RawCapture picture={self.picture is not None} template={self.template is not None}>"


@dataclass(frozen=True, slots=True)
class Captures:
    """`name`: of the folder or archive. `digest`: SHA-256, hex, over every file used. `ignored`: files
    that are neither picture nor template, or lie where no capture is expected. `one_finger_each`: the
    files do not say whose fingers they are, so each finger counts as a person."""

    name: str
    digest: str
    captures: tuple[RawCapture, ...]
    ignored: int
    one_finger_each: bool

    @property
    def pictures(self) -> int:
        return sum(c.picture is not None for c in self.captures)

    @property
    def templates(self) -> int:
        return sum(c.template is not None for c in self.captures)


def read_folder(folder: str | os.PathLike) -> Captures:
    """The captures below `folder`. Raises BadCaptures."""
    root = Path(folder)
    if not root.is_dir():
        raise BadCaptures("captures_not_a_folder")
    return sort_out(root.resolve().name, _files_of(root))


def _files_of(root: Path) -> Iterable[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in PICTURES + TEMPLATES and path.is_file():
            if path.stat().st_size > MAX_FILE_BYTES:
                raise BadCaptures("captures_too_large", limit_mb=MAX_FILE_BYTES // 1_000_000)
            yield path.relative_to(root).as_posix(), path.read_bytes()
        elif path.is_file():
            yield path.relative_to(root).as_posix(), b""


def read_zip(name: str, data: bytes) -> Captures:
    """The captures in a ZIP archive, unpacked in memory and nowhere else. Raises BadCaptures.

    Refused before anything is unpacked: too many or too large files by the archive's own list, names
    that climb out of it, encrypted entries. While unpacking, no entry may grow past what it declared.
    """
    # Before the list itself is read: each line of it takes ten times its length in memory.
    if data.count(_ENTRY) > 2 * MAX_ZIP_FILES:
        raise BadCaptures("captures_beyond_limit", limit=MAX_CAPTURES)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise BadCaptures("captures_no_archive") from None
    if len(entries) > MAX_ZIP_FILES:
        raise BadCaptures("captures_beyond_limit", limit=MAX_CAPTURES)
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise BadCaptures("captures_too_large", limit_mb=MAX_TOTAL_BYTES // 1_000_000)
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        parts = path.parts
        if not parts or path.is_absolute() or ".." in parts or ":" in parts[0] or not entry.filename.isprintable():
            raise BadCaptures("captures_unsafe_names")
        if entry.compress_type not in ZIP_METHODS:
            raise BadCaptures("captures_no_archive")
        if entry.flag_bits & 1:
            raise BadCaptures("captures_encrypted")
        if entry.file_size > MAX_FILE_BYTES:
            raise BadCaptures("captures_too_large", limit_mb=MAX_FILE_BYTES // 1_000_000)
        if entry.file_size > MAX_ZIP_RATIO * max(1, entry.compress_size):
            raise BadCaptures("captures_unsafe_names")
    return sort_out(Path(name).stem[:80] or "captures", _unpacked(archive, entries))


def _unpacked(archive: zipfile.ZipFile, entries) -> Iterable[tuple[str, bytes]]:
    for entry in sorted(entries, key=lambda e: e.filename):
        name = entry.filename.replace("\\", "/")
        if Path(name).suffix.lower() not in PICTURES + TEMPLATES or name.startswith("__MACOSX/"):
            yield name, b""
            continue
        try:
            with archive.open(entry) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
            raise BadCaptures("captures_no_archive") from None
        except Exception as error:
            # zlib, lzma and bz2 have errors of their own; each means that the archive is damaged.
            if type(error).__module__ in ("zlib", "_lzma", "lzma", "bz2"):
                raise BadCaptures("captures_no_archive") from None
            raise
        if len(data) > MAX_FILE_BYTES:
            raise BadCaptures("captures_too_large", limit_mb=MAX_FILE_BYTES // 1_000_000)
        yield name, data


def sort_out(name: str, files: Iterable[tuple[str, bytes]]) -> Captures:
    """Captures from (path, bytes) in any order. Raises BadCaptures when there are none, or too many."""
    found: dict[str, tuple[str, bytes]] = {}
    ignored = total = 0
    for path, data in files:
        if not data or Path(path).suffix.lower() not in PICTURES + TEMPLATES or path.startswith("__MACOSX/"):
            ignored += 1
            continue
        total += len(data)
        if total > MAX_TOTAL_BYTES:
            raise BadCaptures("captures_too_large", limit_mb=MAX_TOTAL_BYTES // 1_000_000)
        found[path] = (Path(path).suffix.lower(), data)
    found, wrapped = _without_wrapper(found)
    by_label: dict[Label, dict[str, bytes]] = {}
    used, flat = [], False
    for path, (suffix, data) in sorted(found.items()):
        label = label_of(path)
        if label is None:
            ignored += 1
            continue
        flat = flat or "/" not in path
        kind = "template" if suffix in TEMPLATES else "picture"
        if kind in by_label.setdefault(label, {}):
            raise BadCaptures("captures_twice")
        by_label[label][kind] = data
        used.append((path, hashlib.sha256(data).hexdigest()))
        if len(by_label) > MAX_CAPTURES:
            raise BadCaptures("captures_beyond_limit", limit=MAX_CAPTURES)
    if not by_label:
        raise BadCaptures("captures_none")
    digest = hashlib.sha256("\n".join(f"{path} {sha}" for path, sha in used).encode()).hexdigest()
    captures = tuple(RawCapture(label, **parts) for label, parts in sorted(by_label.items()))
    return Captures(wrapped or name, digest, captures, ignored, flat)


def label_of(path: str) -> Label | None:
    """`person/finger/impression.png` (whatever stands above), `person/finger_impression.png`, or flat
    `FINGER_IMPRESSION.png`, where nobody says which fingers belong to one person; None otherwise."""
    *folders, last = PurePosixPath(path).parts
    stem = PurePosixPath(last).stem
    if len(folders) >= 2:
        return Label(folders[-2], folders[-1], stem)
    flat = _FLAT.match(stem)
    if flat is None:
        return None
    return Label(folders[0] if folders else flat["finger"], flat["finger"], flat["impression"])


def _without_wrapper(found: dict) -> tuple[dict, str]:
    """Without the one folder everything lies in, where the files in it are flat: an archive of a folder."""
    parts = [PurePosixPath(path).parts for path in found]
    tops = {part[0] for part in parts}
    if parts and len(tops) == 1 and all(len(part) == 2 for part in parts):
        return {PurePosixPath(path).name: value for path, value in found.items()}, tops.pop()[:80]
    return found, ""
