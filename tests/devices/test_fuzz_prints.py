"""Templates and pictures from hostile hands: clean errors only, in bounded time and memory.

Mutated from real ones where the shared data is there, from synthetic ones always; and the files of a few hundred
bytes that would cost a decoder gigabytes or minutes.
"""

from __future__ import annotations

import functools
import io
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices.fingerprints import BadImage, BadTemplate, FingerprintError, encode, load_image, require_finger
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.extract import MAX_IMAGE_PIXELS, MIN_SIDE_PX
from devices.fingerprints.headers import MOST_JPEG_SCANS
from devices.fingerprints.iso19794 import decode_views
from devices.fingerprints.ridges import estimate_dpi
from devices.fingerprints.synthetic import impression_of, synthetic_minutiae
from devices.readers import pictures
from tests.devices.prints import drawn

ROOT = Path(__file__).resolve().parents[2]


# --- templates ------------------------------------------------------------------------


@functools.cache
def records() -> tuple[bytes, ...]:
    real = sorted((ROOT.parent / "shared/data/fingerprints/fvc2002").glob("*/*.iso"))[::24]
    made = [encode(impression_of(synthetic_minutiae(n), 1), finger=n % 10) for n in range(4)]
    return (*made, *(path.read_bytes() for path in real))


def two_views(record: bytes) -> bytes:
    body = record[24:] * 2
    return record[:8] + struct.pack(">I", 24 + len(body)) + record[12:22] + b"\x02\x00" + body


def mutated(seed: bytes, rng: random.Random, front: int) -> bytes:
    """Bytes replaced, taken out, repeated, or cut off; more of it near the front, where the headers are."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not data:
            break
        at = rng.randrange(min(rng.choice((front, len(data))), len(data)))
        match rng.randrange(6):
            case 0 | 1 | 2:
                data[at] = rng.randrange(256)
            case 3:
                data[at : at + 4] = rng.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\x40\0")
                )
            case 4:
                del data[at : at + rng.randrange(1, 600)]
            case 5:
                data[at:at] = data[at : at + rng.randrange(1, 300)]
    return bytes(data[: rng.randrange(len(data) + 1)]) if rng.random() < 0.15 else bytes(data)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_a_mutated_template_is_read_or_is_a_bad_template(rng):
    seed = rng.choice(records())
    data = mutated(two_views(seed) if rng.random() < 0.2 else seed, rng, front=32)
    if rng.random() < 0.7 and len(data) >= 12:
        # With a length that agrees the parser has to look at the rest.
        data = data[:8] + struct.pack(">I", len(data)) + data[12:]
    try:
        views = decode_views(data)
    except BadTemplate:
        return
    for view in views:
        minutiae = view.minutiae
        assert len(minutiae) <= 255 and np.isfinite(minutiae.x_px).all()
        assert (minutiae.x_px < max(minutiae.width + 1, 2)).all()
        cylinders(minutiae)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_a_mutated_template_is_taken_from_no_reader_unless_it_can_be_read(rng):
    data = mutated(rng.choice(records()), rng, front=32)
    try:
        taken = pictures.take(data, dpi=500)
    except (pictures.Garbled, pictures.Rejected):
        return
    decode_views(taken.data)


def test_the_fullest_record_there_can_be_is_read():
    """64 KiB of views is the most; each byte is looked at once."""
    view = bytes((1, 0, 50, 255)) + bytes((0x40, 9, 0, 9, 7, 50)) * 255 + b"\0\0"
    count = (65_536 - 24) // len(view)
    body = view * count
    record = (
        b"FMR\x00 20\x00" + struct.pack(">IHHHHHBB", 24 + len(body), 0, 300, 400, 197, 197, count, 0) + body
    )
    assert len(decode_views(record)) == count
    with pytest.raises(BadTemplate):
        decode_views(record[:22] + bytes((count + 1, 0)) + record[24:])


# --- pictures ----------------------------------------------------------------------------


@functools.cache
def seeds() -> tuple[bytes, ...]:
    image = Image.fromarray(drawn(0, 0))
    made = []
    for form, how in (
        ("PNG", {}),
        ("PNG", {"dpi": (500, 500)}),
        ("BMP", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
        ("JPEG2000", {"tile_size": (128, 128), "precinct_size": (128, 128), "codeblock_size": (32, 32)}),
        ("PPM", {}),
    ):
        image.save(packed := io.BytesIO(), form, **how)
        made.append(packed.getvalue())
    for mode, form in (
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("LA", "JPEG2000"),
        ("I;16", "PNG"),
        ("1", "BMP"),
        ("CMYK", "JPEG"),
    ):
        image.convert("RGBA" if mode == "LA" else mode).save(packed := io.BytesIO(), form)
        made.append(packed.getvalue())
    real = sorted((ROOT.parent / "shared/data/fingerprints/fvc2002").glob("*/101_1.png"))
    return (*made, *(path.read_bytes() for path in real))


def test_every_seed_is_a_picture_of_the_same_finger_before_it_is_harmed():
    for seed in seeds()[:15]:
        assert load_image(seed).shape == drawn(0, 0).shape


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_a_mutated_picture_is_a_grey_image_or_a_bad_one(rng):
    data = mutated(rng.choice(seeds()), rng, front=rng.choice((40, 200)))
    try:
        image = load_image(data)
    except BadImage:
        return
    assert image.dtype == np.uint8 and image.ndim == 2
    assert min(image.shape) >= MIN_SIDE_PX and image.size <= MAX_IMAGE_PIXELS
    try:
        require_finger(image, rng.choice((250, 500, 569, 1000)))
    except FingerprintError:
        return
    assert estimate_dpi(image) is None or min(estimate_dpi(image)) > 0


@pytest.mark.parametrize("number", range(9))
def test_no_truncation_of_a_picture_passes_for_the_whole(number):
    whole = seeds()[number]
    lacking = 12 if whole.startswith(b"\x89PNG") else 2  # the end marks of PNG and JPEG carry no pixels
    for length in sorted({*range(60), *range(60, len(whole) - lacking, len(whole) // 12)}):
        try:
            image = load_image(whole[:length])
        except BadImage:
            continue
        # JPEG 2000 is made to be cut: what is there is a coarser picture of the same size.
        assert b"\xff\x4f\xff\x51" in whole and image.shape == drawn(0, 0).shape, (number, length)


# --- few bytes that cost much ---------------------------------------------------------------

SIDE = 1990


def flat(form: str, **how) -> bytes:
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(packed := io.BytesIO(), form, **how)
    return packed.getvalue()


def many_scans() -> bytes:
    """The last scan of a progressive picture, ten thousand times over."""
    whole = flat("JPEG", progressive=True, quality=5)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * 10_000 + whole[-2:]


def other_size(across: int, components: int = 1, no_jp2: bool = False) -> bytes:
    """A JPEG 2000 file whose stream speaks of tiles of that size, and of that many components."""
    whole = flat("JPEG2000", no_jp2=no_jp2)
    at = whole.index(b"\xff\x51")
    (length,) = struct.unpack_from(">H", whole, at + 2)
    fields = (38 + 3 * components, 0, SIDE, SIDE, 0, 0, across, across, 0, 0, components)
    return (
        whole[:at]
        + b"\xff\x51"
        + struct.pack(">HHIIIIIIIIH", *fields)
        + b"\x07\x01\x01" * components
        + whole[at + 2 + length :]
    )


def other_blocks(exponents: int | None, block: int = 4) -> bytes:
    """A JPEG 2000 file with blocks of 2**(block + 2) squared, and precincts of these exponents."""
    whole = flat("JPEG2000", num_resolutions=1)
    at = whole.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", whole, at + 2)
    body = bytearray(whole[at + 4 : at + 2 + length])
    body[6] = body[7] = block
    if exponents is not None:
        body[0] |= 1
        body += bytes((exponents,)) * (body[5] + 1)
    return (
        whole[:at] + b"\xff\x52" + struct.pack(">H", len(body) + 2) + bytes(body) + whole[at + 2 + length :]
    )


def decoy() -> bytes:
    """A harmless stream in a box that no decoder reads, and the costly one where they do."""
    harmless, costly = flat("JPEG2000", no_jp2=True), other_size(8)
    at = costly.index(b"jp2c") - 4
    box = struct.pack(">I4s", 8 + len(harmless), b"xml ") + harmless
    return costly[:at] + box + costly[at:]


def blocks_in_a_tile() -> bytes:
    """The main header is harmless; the first tile has blocks of its own."""
    whole = flat("JPEG2000", no_jp2=True)
    at, sot = whole.index(b"\xff\x52"), whole.index(b"\xff\x90")
    (length,) = struct.unpack_from(">H", whole, at + 2)
    own = bytearray(whole[at : at + 2 + length])
    own[10] = own[11] = 0
    grown = struct.unpack_from(">I", whole, sot + 6)[0] + len(own)
    return (
        whole[: sot + 6]
        + struct.pack(">I", grown)
        + whole[sot + 10 : sot + 12]
        + bytes(own)
        + whole[sot + 12 :]
    )


def text_bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    whole = flat("PNG")
    return whole[:33] + chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(80_000_000))) + whole[33:]


BOMBS = {
    "scans": many_scans,
    "tiles": lambda: other_size(8),
    "tiles of a bare stream": lambda: other_size(8, no_jp2=True),
    "components": lambda: other_size(SIDE, components=5),
    "tiles of components": lambda: other_size(8, components=4),
    "no tiles": lambda: other_size(0),
    "blocks": lambda: other_blocks(None, block=0),
    "precincts": lambda: other_blocks(0x00),
    "flat precincts": lambda: other_blocks(0xF1),
    "decoy": decoy,
    "blocks in a tile": blocks_in_a_tile,
    "text": text_bomb,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_costly_file_is_refused(name):
    with pytest.raises(BadImage):
        load_image(BOMBS[name]())


def test_what_encoders_really_write_is_not_refused():
    assert 3 * flat("JPEG", progressive=True).count(b"\xff\xda") < MOST_JPEG_SCANS
    for how in ({}, {"codeblock_size": (32, 32)}, {"precinct_size": (128, 128)}, {"tile_size": (512, 512)}, {"irreversible": True, "quality_layers": [40, 20, 10]}):  # fmt: skip
        assert load_image(flat("JPEG2000", **how)).shape == (SIDE, SIDE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="measures a process's memory the POSIX way")
def test_the_costly_files_cost_no_memory(tmp_path):
    """In a process of its own: what decoders take is not Python's to count."""
    for number, make in enumerate(BOMBS.values()):
        (tmp_path / f"{number}").write_bytes(make())
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from devices.fingerprints import BadImage, load_image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try:\n"
        "        load_image(path.read_bytes())\n"
        "    except BadImage:\n"
        "        continue\n"
        "    print('read', path.name)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000  # kB; the tiles alone would take 700,000
