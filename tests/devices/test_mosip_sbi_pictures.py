"""ISO/IEC 19794-4 records of a service that we did not write: JPEG 2000 and WSQ, read and refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.extract import extract
from devices.interface import Captured
from devices.readers.sbi import fir
from devices.readers.sbi.errors import Rejected
from devices.readers.sbi.messages import FINGERS
from tests.devices.sbi_pairs import Pairs
from tests.devices.sbi_records import DATA, needs_data

pytestmark = needs_data


def records(*folders: str) -> list:
    return [p for folder in folders for p in sorted((DATA / "fir" / folder).glob("*.iso"))]


@pytest.mark.parametrize("path", records("registration", "auth"), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_recorded_image_record_is_read(path):
    [one] = fir.read(path.read_bytes())
    image = fir.picture(one)
    assert image.shape == (one.height, one.width)
    assert one.dpi == 500
    hand, _, finger = path.stem.removesuffix("_wsq").partition("_")
    name = f"{hand} {finger}" if finger == "Thumb" else f"{hand} {finger}Finger"
    assert one.position == FINGERS.get(name, 0)
    assert one.compression == (fir.WSQ if path.stem.endswith("_wsq") else one.compression)


@pytest.mark.parametrize(
    "path", [p for p in records("auth") if p.stem.endswith("_wsq")][::3], ids=lambda p: p.stem
)
def test_wsq_and_jpeg_2000_of_one_finger_show_the_same(path):
    other = path.with_name(path.name.replace("_wsq", ""))
    pictures = [fir.picture(fir.read(p.read_bytes())[0]).astype(int) for p in (path, other)]
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] > 0.95


def test_a_recorded_finger_is_good_enough_for_matching():
    [one] = fir.read((DATA / "fir" / "registration" / "Right_Index.iso").read_bytes())
    assert cylinders(extract(fir.picture(one), one.dpi)).enough


def test_a_wsq_comment_with_another_resolution_is_held_against_the_record():
    data = (DATA / "fir" / "auth" / "Right_Index_wsq.iso").read_bytes()
    assert data.count(b"\nPPI 500\n") == 1
    for ppi, good in ((b"505", True), (b"1000", False), (b"250", False), (b"569", False)):
        [one] = fir.read(data)
        changed = one.data.replace(b"\nPPI 500\n", b"\nPPI " + ppi + b"\n")
        length = int.from_bytes(one.data[4:6]) + len(changed) - len(one.data)
        changed = changed[:4] + length.to_bytes(2) + changed[6:]
        other = fir.Representation(one.position, one.width, one.height, one.dpi, one.compression, changed)
        if good:
            assert fir.picture(other).shape == (one.height, one.width)
        else:
            with pytest.raises(Rejected):
                fir.picture(other)


@pytest.mark.parametrize("path", records("registration")[:2] + records("auth")[:2], ids=lambda p: p.stem)
def test_a_recorded_picture_said_to_be_twice_or_half_as_fine_is_refused(path):
    """Its size is right, its compression is right: only the ridges tell."""
    [one] = fir.read(path.read_bytes())
    for dpi in (1000, 250):
        other = fir.Representation(one.position, one.width, one.height, dpi, one.compression, one.data)
        with pytest.raises(Rejected):
            fir.picture(other)


def test_a_recorded_wsq_finger_goes_all_the_way_through_an_authentication(tmp_path):
    """CAPTURE as a device for authentication would answer it, with a picture as one compresses it."""
    data = (DATA / "fir" / "auth" / "Left_Thumb_wsq.iso").read_bytes()
    with Pairs(tmp_path) as made:
        service, reader = made({"finger": "left thumb"}, purpose="Auth", level="L1")
        reader.open()
        service.touches.put([("Left Thumb", data)])
        ended = reader.capture(5)
    assert isinstance(ended, Captured)
    with Image.open(io.BytesIO(ended.sample.data)) as picture:
        assert np.array_equal(np.array(picture), fir.picture(fir.read(data)[0]))


@pytest.mark.parametrize("database", [("DB1_B", 500), ("DB2_B", 569), ("DB3_B", 500)], ids=str)
def test_real_prints_pass_at_their_resolution_and_not_at_half_or_twice_it(database):
    folder, dpi = DATA.parent / "fingerprints" / "fvc2002" / database[0], database[1]
    paths = sorted(folder.glob("*_1.png"))[::3]
    if not paths:
        pytest.skip("the prints are not here: ../shared/data/fingerprints/fvc2002")
    for path in paths:
        with Image.open(path) as opened:
            image = np.array(opened.convert("L"))
        for said in (dpi, dpi * 2, dpi // 2):
            one = fir.Representation(0, image.shape[1], image.shape[0], said, fir.PLAIN, image.tobytes())
            if said == dpi:
                assert np.array_equal(fir.picture(one), image)
            else:
                with pytest.raises(Rejected):
                    fir.picture(one)
