"""Is the emulated module what the world takes for one? Two client libraries that we did not write drive it."""

from __future__ import annotations

import adafruit_fingerprint
import numpy as np
import pytest
import serial
from adafruit_fingerprint import Adafruit_Fingerprint
from PIL import Image
from pyfingerprint.pyfingerprint import PyFingerprint

from devices.readers.zfm import ZfmReader
from tests.devices.prints import drawn
from tests.devices.zfm_fingers import unpacked
from tests.devices.zfm_module import Module

ONE, OTHER = 7, 3


@pytest.fixture
def module(tmp_path):
    made = Module(tmp_path / "port", matches=True)
    made.plug_in()
    yield made
    made.unplug()


@pytest.fixture
def pyfinger(module):
    return lambda **how: PyFingerprint(str(module.link), 57_600, 0xFFFFFFFF, **{"password": 0, **how})


@pytest.fixture
def ada(module):
    with serial.Serial(str(module.link), 57_600, timeout=3) as port:
        yield Adafruit_Fingerprint(port)


def look(client) -> None:
    """Look until the finger is there."""
    assert any(client.readImage() for _ in range(20))


def test_pyfingerprint_enrols_searches_and_compares(module, pyfinger):
    client = pyfinger()
    assert client.verifyPassword() is True
    for buffer, impression in ((1, 1), (2, 2)):
        module.touch(drawn(ONE, impression))
        look(client)
        assert client.convertImage(buffer) is True
    assert client.createTemplate() is True
    assert client.storeTemplate(5) == 5
    assert client.getTemplateCount() == 1
    assert [at for at, used in enumerate(client.getTemplateIndex(0)) if used] == [5]

    module.touch(drawn(ONE, 3))
    look(client)
    client.convertImage(1)
    slot, points = client.searchTemplate()
    assert slot == 5 and points >= 40
    assert client.loadTemplate(5, 2) is True
    assert client.compareCharacteristics() == points

    module.touch(drawn(OTHER, 1))
    look(client)
    client.convertImage(1)
    assert client.searchTemplate() == (-1, -1)
    assert client.compareCharacteristics() == 0
    assert client.createTemplate() is False


def test_pyfingerprint_moves_templates_and_deletes(module, pyfinger):
    client = pyfinger()
    module.touch(drawn(ONE, 1))
    look(client)
    client.convertImage(1)
    template = client.downloadCharacteristics(1)
    assert len(template) == 512
    assert client.uploadCharacteristics(2, template) is True
    assert client.compareCharacteristics() > 900
    for slot in (0, 300, 999):
        assert client.storeTemplate(slot, 2) == slot
    with pytest.raises(ValueError):
        client.storeTemplate(1000)
    assert client.getTemplateCount() == 3
    assert client.getTemplateIndex(1)[300 - 256] is True
    assert client.deleteTemplate(300) is True
    assert client.getTemplateCount() == 2
    with pytest.raises(Exception, match="could not be read"):
        client.loadTemplate(300)
    assert client.clearDatabase() is True
    assert client.getTemplateCount() == 0


def test_pyfingerprint_downloads_the_picture_to_the_pixel(module, pyfinger, tmp_path):
    client = pyfinger()
    module.touch(drawn(ONE, 1))
    look(client)
    client.downloadImage(str(tmp_path / "finger.png"))
    with Image.open(tmp_path / "finger.png") as picture:
        assert np.array_equal(np.asarray(picture), unpacked(module.picture))


def test_pyfingerprint_meets_the_words_of_the_manual(module, pyfinger):
    client = pyfinger()
    assert client.readImage() is False
    assert client.getSystemParameters() == (0, 9, 1000, 3, 0xFFFFFFFF, 2, 6)
    assert (client.getBaudRate(), client.getMaxPacketSize()) == (57_600, 128)
    client.setSecurityLevel(5)
    client.setMaxPacketSize(256)
    assert (client.getSecurityLevel(), client.getMaxPacketSize()) == (5, 256)
    assert 0 <= client.generateRandomNumber() < 2**32
    module.fail(code=0x0F)
    with pytest.raises(Exception, match="Could not download image"):
        client.downloadImage(str(module.link.parent / "none.png"))
    module.touch(None, looks=20)
    with pytest.raises(Exception, match="Could not read image"):
        look(client)
    with pytest.raises(Exception, match="invalid"):
        client.convertImage(1)
    assert client.setPassword(4711) is True
    assert client.verifyPassword() is True
    assert pyfinger(password=4712).verifyPassword() is False
    with pytest.raises(Exception, match="0x21"):
        client.readImage()


def test_adafruit_enrols_and_searches(module, ada):
    assert (ada.library_size, ada.data_packet_size, ada.baudrate) == (1000, 2, 6)
    assert ada.check_module() is True
    for buffer, impression in ((1, 1), (2, 2)):
        module.touch(drawn(ONE, impression))
        assert adafruit_fingerprint.OK in [ada.get_image() for _ in range(4)]
        assert ada.image_2_tz(buffer) == adafruit_fingerprint.OK
    assert ada.create_model() == adafruit_fingerprint.OK
    assert ada.store_model(9) == adafruit_fingerprint.OK
    assert ada.count_templates() == adafruit_fingerprint.OK
    assert ada.template_count == 1
    assert ada.read_templates() == adafruit_fingerprint.OK
    assert ada.templates == [9]
    for search in (ada.finger_search, ada.finger_fast_search):
        assert search() == adafruit_fingerprint.OK
        assert ada.finger_id == 9 and ada.confidence >= 40
    assert ada.delete_model(9) == adafruit_fingerprint.OK
    assert ada.load_model(9) == adafruit_fingerprint.DBRANGEFAIL
    assert ada.finger_search() == adafruit_fingerprint.NOTFOUND
    assert ada.empty_library() == adafruit_fingerprint.OK


def test_adafruit_moves_a_picture_and_a_template(module, ada):
    module.touch(drawn(ONE, 1))
    assert adafruit_fingerprint.OK in [ada.get_image() for _ in range(4)]
    assert bytes(ada.get_fpdata("image")) == module.picture
    assert ada.image_2_tz(1) == adafruit_fingerprint.OK
    template = ada.get_fpdata("char", 1)
    assert ada.send_fpdata(template, "char", 2) is True
    assert ada.compare_templates() == adafruit_fingerprint.OK
    assert ada.get_fpdata("char", 2) == template
    ada.soft_reset()
    assert ada.image_2_tz(1) == adafruit_fingerprint.INVALIDIMAGE


def test_the_round_module_has_a_lamp_and_a_smaller_picture(tmp_path):
    module = Module(tmp_path / "port", old=False)
    module.plug_in()
    with serial.Serial(str(module.link), 57_600, timeout=3) as port:
        client = Adafruit_Fingerprint(port)
        assert client.set_led() == adafruit_fingerprint.OK
        module.touch(drawn(ONE, 1))
        assert adafruit_fingerprint.OK in [client.get_image() for _ in range(4)]
        assert len(client.get_fpdata("image")) == 192 * 192 // 2
    module.unplug()


def test_what_one_library_enrolled_the_other_finds_and_ours_lists(module, pyfinger):
    client = pyfinger()
    for buffer, impression in ((1, 1), (2, 2)):
        module.touch(drawn(ONE, impression))
        look(client)
        client.convertImage(buffer)
    client.createTemplate()
    for slot in (2, 258, 511):
        client.storeTemplate(slot)
    del client
    with serial.Serial(str(module.link), 57_600, timeout=3) as port:
        other = Adafruit_Fingerprint(port)
        module.touch(drawn(ONE, 3))
        assert adafruit_fingerprint.OK in [other.get_image() for _ in range(6)]
        other.image_2_tz(1)
        assert other.finger_search() == adafruit_fingerprint.OK
        assert other.finger_id == 2
        other.read_templates()
        assert other.templates == [2, 258, 511]
    reader = ZfmReader(str(module.link), answer_s=0.4, poll_s=0.002)
    reader.open()
    assert (reader.library().slots(), reader.library().count()) == ([2, 258, 511], 3)
    reader.close()
